package proxy

import (
	"context"
	"errors"
	"net"
	"os"
	"time"

	"guise/proxy/egress"
	"guise/proxy/inspect"
)

// A tlsCheck lets tunnels begin that carry TLS for the host of their CONNECT, or all but
// those that carry it for a host that is closed.
//
// A client that encrypts the name it wants (ECH) shows another one, and is
// refused: what it really asks for cannot be told.
type tlsCheck struct {
	target   egress.Target
	greeting []byte                   // tells the client to begin
	timeout  time.Duration            // for the whole ClientHello
	closes   func(egress.Target) bool // unless nil, all tunnels begin but those with TLS for what it reports
}

// tunnelCheck returns how tunnels to t have to begin, nil if as they like. Who comes to
// an address may have looked a name up by himself, as do curl and Firefox with SOCKS and
// what sends a whole machine's connections on. The hello says which, and it may be of a
// host that is closed.
func (a *assembly) tunnelCheck(t egress.Target) *tlsCheck {
	check := &tlsCheck{target: t, timeout: a.options.Timeouts.Head}
	switch {
	case a.options.TunnelTLS:
		return check
	case t.Addr.IsValid() && a.egress.ClosesHosts():
		check.closes = a.egress.ClosesName
		return check
	}
	return nil
}

var errNotTLS = errors.New("the tunnel does not begin with TLS for its host")

// begin answers the CONNECT and returns the client's first bytes, of which
// early came before. It fails if they are not what the check is for; nothing of them
// has gone anywhere then.
func (c *tlsCheck) begin(ctx context.Context, client net.Conn, early []byte) ([]byte, error) {
	stop := context.AfterFunc(ctx, func() { client.Close() })
	defer stop()
	till := time.Now().Add(c.timeout)
	client.SetDeadline(till)
	if _, err := client.Write(c.greeting); err != nil {
		return nil, err
	}
	first := till
	if c.closes != nil {
		first = time.Now().Add(helloTime(c.target.Port, c.timeout))
	}
	raw, hello, err := readHello(client, early, first, till)
	if c.closes != nil && (err == inspect.ErrNotTLS || len(raw) == 0) {
		err = nil // whatever it is
	}
	switch {
	case err != nil:
		return nil, err
	case !c.lets(hello.ServerName):
		return nil, errNotTLS
	}
	if !stop() { // a tunnel alone may close what it works on
		return nil, context.Cause(ctx)
	}
	client.SetDeadline(time.Time{})
	return raw, nil
}

// readHello reads a client's hello, of which early came before: its first byte until
// first, and the whole until till.
func readHello(client net.Conn, early []byte, first, till time.Time) (raw []byte, hello inspect.Hello, err error) {
	client.SetReadDeadline(first)
	raw, hello, err = inspect.ReadHello(client, early)
	if len(raw) > 0 && errors.Is(err, os.ErrDeadlineExceeded) && first.Before(till) {
		client.SetReadDeadline(till)
		raw, hello, err = inspect.ReadHello(client, raw)
	}
	return raw, hello, err
}

// lets reports whether a tunnel may begin with TLS for name, "" for none.
func (c *tlsCheck) lets(name string) bool {
	if c.closes == nil {
		return c.names(name)
	}
	named, err := egress.Canonical(name, c.target.Port)
	return err != nil || !c.closes(named)
}

// names reports whether a ClientHello with this server name is for the
// target. RFC 6066 §3 has no addresses there.
func (c *tlsCheck) names(name string) bool {
	if c.target.Addr.IsValid() {
		return name == ""
	}
	named, err := egress.Canonical(name, c.target.Port)
	return err == nil && named.Host == c.target.Host
}
