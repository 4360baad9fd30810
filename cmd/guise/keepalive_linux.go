package main

import (
	"net"
	"syscall"

	"guise/proxy/egress"
)

// inheritedKeepAlive has connections ask for dead clients because their
// listener does (tcp(7)): to tell each one costs four system calls.
func inheritedKeepAlive() net.ListenConfig {
	return net.ListenConfig{
		KeepAlive: -1,
		Control: func(_, _ string, raw syscall.RawConn) error {
			return egress.SetKeepAlive(raw)
		},
	}
}
