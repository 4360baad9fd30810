//go:build !linux

package proxy

import (
	"net"
	"syscall"
)

func rawListener(net.Listener) syscall.RawConn { return nil }

func (b *barrier) set(syscall.RawConn) bool { return false }
