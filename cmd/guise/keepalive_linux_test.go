package main

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"guise/config"
	"guise/proxy/egress"
)

// A client that is gone is noticed: connections ask, though only their
// listener was told to.
func TestConnectionsInheritKeepAlive(t *testing.T) {
	l, err := listen(config.Address{IP: netip.MustParseAddr("127.0.0.1")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		on, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_KEEPALIVE)
		if err != nil || on != 1 {
			t.Errorf("SO_KEEPALIVE is %d, %v", on, err)
		}
		idle, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_KEEPIDLE)
		if want := egress.KeepAlive.Idle; err != nil || time.Duration(idle)*time.Second != want {
			t.Errorf("TCP_KEEPIDLE is %d s, %v, want %v", idle, err, want)
		}
	})
}
