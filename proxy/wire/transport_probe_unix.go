//go:build unix

package wire

import (
	"crypto/tls"
	"io"
	"net"
	"os"
	"syscall"

	"guise/proxy/pipe"
)

// A probe asks whether a connection between two exchanges is still as it
// must be: open, with nothing to read. It never waits.
type probe struct {
	raw    syscall.RawConn
	tcp    bool
	tls    *tls.Conn // nil without TLS
	sock   *tlsSocket
	asleep bool
	queued int64
	poll   func(fd uintptr) // kept, or each use would allocate
	count  func(fd uintptr) // kept
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
	p := &probe{raw: raw, tcp: nc.LocalAddr().Network() == "tcp", tls: tc, sock: sock}
	p.poll = func(fd uintptr) { p.asleep = asleep(fd) }
	p.count = func(fd uintptr) { p.queued = pipe.Queued(fd) }
	if sock != nil {
		sock.raw = raw
	}
	return p
}

// quiet tells whether the connection is open and has nothing to read. A
// socket is ready to read if bytes, an end or a reset arrived, so one look
// answers for all three.
//
// Under TLS, bytes in the socket may be no more than a session ticket, and data may
// wait in the library. So the library is asked for a byte, without waiting. settled
// says that this was done since the last exchange: then it is needed only if
// something has arrived since.
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
	return n == 0 && err == os.ErrDeadlineExceeded && !p.sock.stuck
}

// hurry makes reads and writes below TLS return at once from now on.
func (p *probe) hurry() {
	if p.sock != nil {
		p.sock.nowait = true
	}
}

// A tlsSocket is a socket below TLS that can be told not to wait, not even in writes: the
// library answers some messages while it reads (RFC 8446 §4.6.3).
type tlsSocket struct {
	net.Conn
	rw     io.ReadWriter // of Conn
	raw    syscall.RawConn
	wrote  int64 // in this exchange
	nowait bool
	stuck  bool // a write would have had to wait
	ended  bool // a read returned io.EOF and no bytes
}

func (s *tlsSocket) Read(p []byte) (int, error) {
	if !s.nowait {
		n, err := s.rw.Read(p)
		s.ended = s.ended || n == 0 && err == io.EOF // with bytes, Conn is TLS itself, and was closed as a whole
		return n, err
	}
	var n int
	var err error
	// Control rather than Read: the latter looks at the deadline, which
	// may be a past one by now.
	if cerr := s.raw.Control(func(fd uintptr) { n, err = readDescriptor(fd, p) }); cerr != nil {
		return 0, cerr
	}
	if err == errWouldBlock {
		// A timeout leaves a tls.Conn usable, other errors do not.
		err = os.ErrDeadlineExceeded
	}
	return n, err
}

func (s *tlsSocket) Write(p []byte) (int, error) {
	if !s.nowait {
		n, err := s.rw.Write(p)
		s.wrote += int64(n)
		return n, err
	}
	var n int
	var err error
	if cerr := s.raw.Control(func(fd uintptr) { n, err = writeNow(fd, [][]byte{p}) }); cerr != nil {
		return 0, cerr
	}
	if n < len(p) && err == nil {
		err = io.ErrShortWrite
	}
	s.stuck = s.stuck || err != nil
	return max(n, 0), err
}
