//go:build unix && (!linux || race || msan || asan)

package wire

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// The detectors of races and of bad memory know of the calls that package
// syscall makes, and of no others.

const canCall = true

func readNow(fd uintptr, p []byte) (int, error) { return syscall.Read(int(fd), p) }

func writeNow(fd uintptr, pieces [][]byte) (int, error) { return syscall.Write(int(fd), pieces[0]) }

func asleep(fd uintptr) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, 0)
		if err != unix.EINTR {
			return n == 0 && err == nil
		}
	}
}
