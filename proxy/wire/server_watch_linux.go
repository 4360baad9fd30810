package wire

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// probePeer asks the kernel about the peer of nc without reading, so that
// pipelined requests in the socket neither hide the answer nor get lost.
func probePeer(nc net.Conn) peerState {
	switch events, err := poll(nc, unix.POLLRDHUP); {
	case err != nil: // closed on our side
		return peerGone
	case events&(unix.POLLERR|unix.POLLHUP) != 0:
		return peerGone
	case events&unix.POLLRDHUP != 0:
		return peerClosed
	}
	return peerThere
}

// hasCome reports whether there is something to read from nc's socket, or its end.
func hasCome(nc net.Conn) bool {
	events, _ := poll(nc, unix.POLLIN)
	return events != 0
}

// poll calls poll(2) for the socket below nc, without waiting. It fails if the socket is
// closed on our side; if there is none, no events have happened.
func poll(nc net.Conn, events int16) (happened int16, err error) {
	sc, ok := below(nc).(syscall.Conn)
	if !ok {
		return 0, nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return 0, nil
	}
	err = raw.Control(func(fd uintptr) {
		fds := []unix.PollFd{{Fd: int32(fd), Events: events}}
		if _, err := unix.Poll(fds, 0); err == nil {
			happened = fds[0].Revents
		}
	})
	return happened, err
}
