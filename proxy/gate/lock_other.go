//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package gate

// lock does nothing here: of two edits at once the last wins.
func lock(string) (unlock func()) { return func() {} }
