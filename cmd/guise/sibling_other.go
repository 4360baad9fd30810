//go:build unix && !linux

package main

import (
	"os"
	"syscall"
)

// asSibling says how to start a successor, and which process is its parent
// then: here it cannot be a sibling.
func asSibling() (attributes *syscall.SysProcAttr, parent int) { return nil, os.Getpid() }

// watchEnd returns nil: a child can be waited for.
func watchEnd(int) *os.File { return nil }

// awaitEnd waits for the end of a child that has ended, or was told to.
func awaitEnd(process int, _ *os.File) { syscall.Wait4(process, nil, 0, nil) }
