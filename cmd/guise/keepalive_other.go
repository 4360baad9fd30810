//go:build !linux

package main

import (
	"net"

	"guise/proxy/egress"
)

// inheritedKeepAlive has each connection told to ask for dead clients: that it
// inherits the options of its listener is only known of Linux.
func inheritedKeepAlive() net.ListenConfig {
	return net.ListenConfig{KeepAliveConfig: egress.KeepAlive}
}
