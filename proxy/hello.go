package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"time"

	"guise/proxy/egress"
)

// maxHello bounds what a client may send before its ClientHello is whole. The
// largest in use, with post-quantum keys, have some 2 KiB.
const maxHello = 16 << 10

// A tlsCheck lets tunnels begin that carry TLS for the host of their CONNECT.
//
// A client that encrypts the name it wants (ECH) shows another one, and is
// refused: what it really asks for cannot be told.
type tlsCheck struct {
	target   egress.Target
	greeting []byte        // tells the client to begin
	timeout  time.Duration // for the whole ClientHello
}

var errNotTLS = errors.New("the tunnel does not begin with TLS for its host")

// begin answers the CONNECT and returns the client's first bytes, of which
// early came before. It fails if they are no ClientHello, or one for another
// host; nothing of them has gone anywhere then.
func (c tlsCheck) begin(ctx context.Context, client net.Conn, early []byte) ([]byte, error) {
	defer context.AfterFunc(ctx, func() { client.Close() })()
	client.SetDeadline(time.Now().Add(c.timeout))
	if _, err := client.Write(c.greeting); err != nil {
		return nil, err
	}
	hello := &helloReader{rest: io.MultiReader(bytes.NewReader(early), client)}
	name, err := hello.serverName(ctx)
	if err != nil {
		return nil, err
	}
	if !c.names(name) {
		return nil, errNotTLS
	}
	left, _ := io.ReadAll(hello.early(len(early)))
	client.SetDeadline(time.Time{})
	return append(hello.seen.Bytes(), left...), nil
}

// names reports whether a ClientHello with this server name is for the
// target. RFC 6066 §3 has no addresses there.
func (c tlsCheck) names(name string) bool {
	if c.target.Addr.IsValid() {
		return name == ""
	}
	named, err := egress.Canonical(name, c.target.Port)
	return err == nil && named.Host == c.target.Host
}

// A helloReader lets crypto/tls read a ClientHello, keeps the bytes, and lets
// it write nothing.
type helloReader struct {
	net.Conn // nil: nothing else is called
	rest     io.Reader
	seen     bytes.Buffer
}

// serverName returns the name in the ClientHello, "" for none.
func (h *helloReader) serverName(ctx context.Context) (name string, err error) {
	found := false
	server := tls.Server(h, &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		name, found = hello.ServerName, true
		return nil, errNotTLS // that is all
	}})
	err = server.HandshakeContext(ctx)
	if found {
		return name, nil
	}
	return "", err
}

// early returns what of the first n bytes was not read.
func (h *helloReader) early(n int) io.Reader {
	return io.LimitReader(h.rest, int64(max(0, n-h.seen.Len())))
}

func (h *helloReader) Read(p []byte) (int, error) {
	if h.seen.Len() >= maxHello {
		return 0, errNotTLS
	}
	n, err := h.rest.Read(p)
	h.seen.Write(p[:n])
	return n, err
}

func (h *helloReader) Write(p []byte) (int, error)      { return len(p), nil }
func (h *helloReader) Close() error                     { return nil }
func (h *helloReader) SetDeadline(time.Time) error      { return nil }
func (h *helloReader) SetReadDeadline(time.Time) error  { return nil }
func (h *helloReader) SetWriteDeadline(time.Time) error { return nil }
func (h *helloReader) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (h *helloReader) LocalAddr() net.Addr              { return &net.TCPAddr{} }
