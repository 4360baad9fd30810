package main

import (
	"net"
	"syscall"

	"guise/proxy/egress"
)

// inheritedKeepAlive sets keep-alive on listeners, whose connections inherit it (tcp(7)):
// to set it on each costs four system calls.
func inheritedKeepAlive() net.ListenConfig {
	return net.ListenConfig{
		KeepAlive: -1,
		Control: func(_, _ string, raw syscall.RawConn) error {
			return egress.SetKeepAlive(raw)
		},
	}
}
