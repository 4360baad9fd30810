//go:build !unix

package wire

import (
	"crypto/tls"
	"io"
	"net"
)

// A probe would ask whether an idle connection is open and quiet. Here
// nothing can ask without waiting, so no connection serves twice.
type probe struct{}

func newProbe(net.Conn, *tls.Conn, *tlsSocket) *probe { return nil }

func (*probe) quiet(bool) bool { return false }

func (*probe) hurry() {}

type tlsSocket struct {
	net.Conn
	rw    io.ReadWriter // of Conn
	wrote int64
	ended bool // a read found the end of the bytes below TLS
}

func (s *tlsSocket) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	s.ended = s.ended || n == 0 && err == io.EOF // with bytes, it is of TLS around this
	return n, err
}
