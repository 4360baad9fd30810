//go:build unix && !linux

package main

import (
	"os"
	"syscall"
)

// asSibling returns how to start a successor, and its parent: here this process.
func asSibling() (attributes *syscall.SysProcAttr, parent int) { return nil, os.Getpid() }

// watchEnd returns nil: a child can be waited for.
func watchEnd(int) *os.File { return nil }

// awaitEnd waits for the end of a child that has ended, or was told to.
func awaitEnd(process int, _ *os.File) { syscall.Wait4(process, nil, 0, nil) }
