//go:build !linux

package egress

import "syscall"

const earlyKeepAlive = false

// SetKeepAlive does nothing here: package net sets what [KeepAlive] says on
// each connection.
func SetKeepAlive(syscall.RawConn) error { return nil }
