//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package gate

// lock is not had here: the last edit of two at once wins.
func lock(string) (unlock func()) { return func() {} }
