package main

import (
	"os"
	"syscall"
)

// asSibling says how to start a successor, and which process is its parent
// then: the one that started this one. For systemd, a service whose main
// process is not its own child has ended as soon as it is told to stop, and
// what still runs is killed at once.
func asSibling() (attributes *syscall.SysProcAttr, parent int) {
	return &syscall.SysProcAttr{Cloneflags: syscall.CLONE_PARENT}, os.Getppid()
}
