//go:build !linux

package egress

import "syscall"

// shareSourcePorts has no means here.
func shareSourcePorts(syscall.RawConn) error { return nil }
