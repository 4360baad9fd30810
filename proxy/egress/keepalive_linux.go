package egress

import (
	"errors"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// earlyKeepAlive tells that SetKeepAlive does something.
const earlyKeepAlive = true

// SetKeepAlive sets a socket's keep-alive probes (tcp(7)) as [KeepAlive] says. It is
// for a socket that is not connected yet: on others, each option sets a timer anew.
// Connections that a listener accepts inherit them. Errors are those of setsockopt(2).
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
