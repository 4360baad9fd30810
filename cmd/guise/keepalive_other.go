//go:build !linux

package main

import (
	"net"

	"guise/proxy/egress"
)

// inheritedKeepAlive has keep-alive set on each connection: only Linux is known to have
// connections inherit it from listeners.
func inheritedKeepAlive() net.ListenConfig {
	return net.ListenConfig{KeepAliveConfig: egress.KeepAlive}
}
