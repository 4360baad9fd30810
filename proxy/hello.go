package proxy

import (
	"context"
	"errors"
	"net"
	"time"

	"guise/proxy/egress"
	"guise/proxy/inspect"
)

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
	stop := context.AfterFunc(ctx, func() { client.Close() })
	defer stop()
	client.SetDeadline(time.Now().Add(c.timeout))
	if _, err := client.Write(c.greeting); err != nil {
		return nil, err
	}
	raw, hello, err := inspect.ReadHello(client, early)
	if err != nil {
		return nil, err
	}
	if !c.names(hello.ServerName) {
		return nil, errNotTLS
	}
	if !stop() { // a tunnel alone may close what it works on
		return nil, context.Cause(ctx)
	}
	client.SetDeadline(time.Time{})
	return raw, nil
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
