package egress

import (
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// An origin that is gone is noticed: connections ask, though package net was
// told to leave that alone.
func TestConnectionsAskForDeadOrigins(t *testing.T) {
	o := startOrigin(t, "127.0.0.1:0")
	e := newTestEgress(t, Options{Allow: loopback})
	target, err := Canonical(o.Addr().String(), 0)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := e.Dial(t.Context(), Connect, target)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		for name, option := range map[string]struct{ level, name, want int }{
			"SO_KEEPALIVE":  {unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
			"TCP_KEEPIDLE":  {unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, int(KeepAlive.Idle / time.Second)},
			"TCP_KEEPINTVL": {unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, int(KeepAlive.Interval / time.Second)},
			"TCP_KEEPCNT":   {unix.IPPROTO_TCP, unix.TCP_KEEPCNT, KeepAlive.Count},
		} {
			if got, err := unix.GetsockoptInt(int(fd), option.level, option.name); err != nil || got != option.want {
				t.Errorf("%s is %d, %v; want %d", name, got, err, option.want)
			}
		}
	})
}
