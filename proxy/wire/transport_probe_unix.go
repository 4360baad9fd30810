//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package wire

import (
	"crypto/tls"
	"io"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// A probe asks whether a connection between two exchanges is still as it
// must be: open, with nothing to read. It never waits.
type probe struct {
	raw    syscall.RawConn
	tls    *tls.Conn // nil without TLS
	sock   *tlsSocket
	fds    [1]unix.PollFd
	asleep bool
	poll   func(fd uintptr) // kept, or each use would allocate

	whole bool   // the socket's bytes are the stream's: nothing is between them
	more  []byte // what take is to fill
	taken int
	take  func(fd uintptr)
}

// newProbe returns nil if nc's socket cannot be asked; such a connection
// serves one exchange only. tc and sock are nil without TLS.
func newProbe(nc net.Conn, tc *tls.Conn, sock *tlsSocket) *probe {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	p := &probe{raw: raw, tls: tc, sock: sock}
	p.poll = func(fd uintptr) {
		for {
			p.fds[0] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
			n, err := unix.Poll(p.fds[:], 0)
			if err != unix.EINTR {
				p.asleep = n == 0 && err == nil
				return
			}
		}
	}
	_, tcp := nc.(*net.TCPConn)
	p.whole = tcp && tc == nil
	p.take = func(fd uintptr) {
		p.taken, _ = unix.Read(int(fd), p.more) // what ails it the next read tells
	}
	if sock != nil {
		sock.raw = raw
	}
	return p
}

// quiet tells whether the connection is open and has nothing to read. A
// socket is ready to read if bytes, an end or a reset arrived, so one look
// answers for all three.
//
// Under TLS bytes may be no more than a session ticket, and some may wait
// in the library, so that is asked for a byte of the stream; it reads what
// the socket holds without waiting. settled says that this was done since
// the last exchange, so only what arrived later matters.
func (p *probe) quiet(settled bool) bool {
	p.asleep = false
	if p.raw.Control(p.poll) != nil {
		return false
	}
	if p.tls == nil || p.asleep && settled {
		return p.asleep
	}
	p.sock.nowait = true
	defer func() { p.sock.nowait = false }()
	var b [1]byte
	n, err := p.tls.Read(b[:])
	return n == 0 && err == os.ErrDeadlineExceeded
}

// atHand reads into b what the socket of a plain connection holds already, and
// returns how much that was.
func (p *probe) atHand(b []byte) int {
	if p == nil || !p.whole || len(b) == 0 {
		return 0
	}
	p.more, p.taken = b, 0
	err := p.raw.Control(p.take)
	p.more = nil
	if err != nil {
		return 0
	}
	return max(p.taken, 0)
}

// A tlsSocket is a socket below TLS whose reads can be told not to wait.
type tlsSocket struct {
	net.Conn
	raw    syscall.RawConn
	nowait bool
	ended  bool // a read found the end of the bytes below TLS
}

func (s *tlsSocket) Read(p []byte) (int, error) {
	if !s.nowait {
		n, err := s.Conn.Read(p)
		s.ended = s.ended || err == io.EOF
		return n, err
	}
	var n int
	var err error
	// Control rather than Read: the latter looks at the deadline, which
	// may be a past one by now.
	if cerr := s.raw.Control(func(fd uintptr) {
		for {
			if n, err = unix.Read(int(fd), p); err != unix.EINTR {
				return
			}
		}
	}); cerr != nil {
		return 0, cerr
	}
	switch {
	case err == unix.EAGAIN:
		// A timeout leaves a tls.Conn usable, other errors do not.
		return 0, os.ErrDeadlineExceeded
	case err != nil:
		return 0, err
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}
