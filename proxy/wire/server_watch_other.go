//go:build !linux

package wire

import "net"

// probePeer knows nothing here: no other system's poll tells a close without
// a read. See [Server].
func probePeer(net.Conn) peerState { return peerThere }

// hasCome knows nothing either.
func hasCome(net.Conn) bool { return false }
