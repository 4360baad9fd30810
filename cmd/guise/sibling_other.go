//go:build unix && !linux

package main

import (
	"os"
	"syscall"
)

// asSibling says how to start a successor, and which process is its parent
// then: here it cannot be a sibling.
func asSibling() (attributes *syscall.SysProcAttr, parent int) { return nil, os.Getpid() }
