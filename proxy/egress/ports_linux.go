package egress

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// shareSourcePorts lets a bound socket take its port when it connects, so
// that one source address serves more connections than there are ports.
func shareSourcePorts(raw syscall.RawConn) error {
	return raw.Control(func(fd uintptr) {
		// A kernel without it (before 4.2) still works, with fewer ports.
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	})
}
