//go:build !unix

package wire

import (
	"net"
	"syscall"
)

// pollable returns nil: idle connections wait with one byte of buffer here.
func pollable(net.Conn) syscall.RawConn { return nil }

func readDescriptor(uintptr, []byte) (int, error) { return 0, errWouldBlock }
