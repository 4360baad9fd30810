package main

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"guise/proxy/egress"
)

// inheritedKeepAlive has connections ask for dead clients because their
// listener does (tcp(7)): to tell each one costs four system calls.
func inheritedKeepAlive() net.ListenConfig {
	options := []struct{ level, name, value int }{
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, int(egress.KeepAlive.Idle / time.Second)},
		{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, int(egress.KeepAlive.Interval / time.Second)},
		{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, egress.KeepAlive.Count},
	}
	return net.ListenConfig{
		KeepAlive: -1,
		Control: func(_, _ string, raw syscall.RawConn) error {
			var failed error
			err := raw.Control(func(fd uintptr) {
				for _, o := range options {
					if err := unix.SetsockoptInt(int(fd), o.level, o.name, o.value); err != nil && failed == nil {
						failed = err
					}
				}
			})
			if err != nil {
				return err
			}
			return failed
		},
	}
}
