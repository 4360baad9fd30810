//go:build unix

package gate

import (
	"os"

	"golang.org/x/sys/unix"
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
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != unix.EINTR {
			return func() { f.Close() }
		}
	}
}
