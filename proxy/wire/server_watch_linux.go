package wire

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// probePeer asks the kernel about the peer of nc without reading, so that
// requests which wait in the socket neither hide the answer nor get lost.
func probePeer(nc net.Conn) peerState {
	sc, ok := below(nc).(syscall.Conn)
	if !ok {
		return peerThere
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return peerThere
	}
	state := peerThere
	err = raw.Control(func(fd uintptr) {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		if _, err := unix.Poll(fds, 0); err != nil {
			return
		}
		switch {
		case fds[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0:
			state = peerGone
		case fds[0].Revents&unix.POLLRDHUP != 0:
			state = peerClosed
		}
	})
	if err != nil {
		return peerGone // closed on our side
	}
	return state
}
