//go:build !linux

package egress

import "syscall"

// shareSourcePorts does nothing: there is no such option here.
func shareSourcePorts(syscall.RawConn) error { return nil }
