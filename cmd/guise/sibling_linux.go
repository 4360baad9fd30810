package main

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// asSibling says how to start a successor, and which process is its parent
// then: the one that started this one. For systemd, a service whose main
// process is not its own child has ended as soon as it is told to stop, and
// what still runs is killed at once.
func asSibling() (attributes *syscall.SysProcAttr, parent int) {
	return &syscall.SysProcAttr{Cloneflags: syscall.CLONE_PARENT}, os.Getppid()
}

// watchEnd returns what tells when a process is over, nil where the kernel cannot (before 5.3).
func watchEnd(process int) *os.File {
	fd, err := unix.PidfdOpen(process, unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil
	}
	return os.NewFile(uintptr(fd), "process")
}

// awaitEnd waits for the end of a process that has ended, or was told to: until then what
// it listened on may be taken. A sibling is its parent's to wait for.
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
