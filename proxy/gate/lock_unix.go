//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package gate

import (
	"os"
	"syscall"
)

// lock keeps others from editing a file of folder until unlock is called. The
// folder itself is what is locked: the file is replaced, and one that is there
// for the lock alone would stay. Where the system has no such lock, the last
// edit of two at once wins.
func lock(folder string) (unlock func()) {
	f, err := os.Open(folder)
	if err != nil {
		return func() {}
	}
	for {
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != syscall.EINTR {
			return func() { f.Close() }
		}
	}
}
