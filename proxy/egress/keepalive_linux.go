package egress

import (
	"errors"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// earlyKeepAlive tells that SetKeepAlive does something.
const earlyKeepAlive = true

// SetKeepAlive has a socket ask for dead peers (tcp(7)) as [KeepAlive] says. It
// is for one that is not connected yet: that has no timer to be set anew with
// each option. What a listener accepts inherits them.
func SetKeepAlive(raw syscall.RawConn) error {
	var failed error
	err := raw.Control(func(fd uintptr) {
		for _, o := range []struct{ level, name, value int }{
			{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
			{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, int(KeepAlive.Idle / time.Second)},
			{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, int(KeepAlive.Interval / time.Second)},
			{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, KeepAlive.Count},
		} {
			failed = errors.Join(failed, unix.SetsockoptInt(int(fd), o.level, o.name, o.value))
		}
	})
	return errors.Join(err, failed)
}
