//go:build !unix

package wire

import (
	"crypto/tls"
	"io"
	"net"
)

// A probe would tell whether an idle connection is open and quiet. No system call
// here tells that without waiting, so each connection serves one exchange.
type probe struct{}

func newProbe(net.Conn, *tls.Conn, *tlsSocket) *probe { return nil }

func (*probe) quiet(bool) bool { return false }

func (*probe) hurry() {}

type tlsSocket struct {
	net.Conn
	rw    io.ReadWriter // of Conn
	wrote int64
	ended bool // a read returned io.EOF and no bytes
}

func (s *tlsSocket) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	s.ended = s.ended || n == 0 && err == io.EOF // with bytes, Conn is TLS itself, and was closed as a whole
	return n, err
}
