package main

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// asSibling returns how to start a successor as a child of this process's parent, and
// that parent. For systemd, a service whose main process is not its own child has ended
// as soon as it is told to stop, and what still runs is killed at once.
func asSibling() (attributes *syscall.SysProcAttr, parent int) {
	return &syscall.SysProcAttr{Cloneflags: syscall.CLONE_PARENT}, os.Getppid()
}

// watchEnd returns a file that is readable once a process is over, nil before Linux 5.3.
func watchEnd(process int) *os.File {
	fd, err := unix.PidfdOpen(process, unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil
	}
	return os.NewFile(uintptr(fd), "process")
}

// awaitEnd waits, for endPatience at most, until a process that was told to end is over:
// until then its listeners may be taken. A sibling cannot be waited for as a child.
func awaitEnd(_ int, ends *os.File) {
	if ends == nil {
		return
	}
	raw, err := ends.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		for began := time.Now(); ; {
			left := max(0, endPatience-time.Since(began)) // below 0 it would wait for ever
			_, err := unix.Poll(poll, int(left.Milliseconds()))
			if err != unix.EINTR {
				return
			}
		}
	})
}
