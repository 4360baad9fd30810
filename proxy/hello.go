package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"time"

	"guise/proxy/egress"
	"guise/proxy/inspect"
	"guise/proxy/tunnel"
)

// A tlsCheck lets tunnels begin that carry TLS for the host of their CONNECT, or all but
// those that carry it for a host that is closed.
//
// A client that encrypts the name it wants (ECH) shows another one, and is
// refused: what it really asks for cannot be told. Where only some hosts are closed, it
// is judged by the one it shows.
type tlsCheck struct {
	target   egress.Target
	greeting []byte                                 // tells the client to begin
	timeout  time.Duration                          // for the whole ClientHello
	closes   func(egress.Target) bool               // unless nil, all tunnels begin but those with TLS for what it reports
	idle     time.Duration                          // how long both sides may be silent before, if closes is set
	down     func(ctx context.Context, n int) error // as in [tunnel.Options], of what the origin says before
	said     int64                                  // octets of that
}

// tunnelCheck returns how tunnels to t have to begin, nil if as they like. TLS need not be
// for the host that a CONNECT names. Who comes to an address may have looked a name up by
// himself, as do curl and Firefox with SOCKS and what sends a whole machine's connections
// on; and any name may lead to the address of a host that is closed. The hello says which
// it is for.
func (a *assembly) tunnelCheck(t egress.Target, o tunnel.Options) *tlsCheck {
	check := &tlsCheck{target: t, timeout: a.options.Timeouts.Head}
	switch {
	case a.options.TunnelTLS:
		return check
	case a.egress.ClosesHosts():
		check.closes, check.idle, check.down = a.egress.ClosesName, o.Idle, o.Down
		return check
	}
	return nil
}

// beginsAsTLS reports whether an origin may take b, which is no hello of the form that all
// read alike, for the beginning of TLS; or that more than b decides that. Some, such as Go's
// crypto/tls and Java's JSSE, mind no version in the first record, and most take a warning
// before the hello.
func beginsAsTLS(b []byte) (may, undecided bool) {
	const changeCipherSpec, alert, handshake, heartbeat = 20, 21, 22, 24 // RFC 8446 §5.1, RFC 6520 §6
	const warning, clientHello = 1, 1
	switch {
	case len(b) == 0 || b[0] < changeCipherSpec || b[0] > heartbeat:
		return false, false
	case len(b) == 1:
		return false, true
	case b[1] == 3:
		return true, false
	case b[0] != alert && b[0] != handshake:
		return false, false
	case len(b) < 6: // a record's head, and what it holds first
		return false, true
	case b[0] == alert:
		return b[3] == 0 && b[4] == 2 && b[5] == warning, false
	}
	return b[5] == clientHello, false
}

// noTLS returns what a client begins with, of which b came before, once that can be no TLS
// to any origin, and else fails.
func noTLS(client io.Reader, b []byte) ([]byte, error) {
	for {
		switch may, undecided := beginsAsTLS(b); {
		case may:
			return b, errNotTLS
		case !undecided:
			return b, nil
		}
		var next [1]byte
		if _, err := io.ReadFull(client, next[:]); err != nil {
			return b, err
		}
		b = append(b, next[0])
	}
}

var errNotTLS = errors.New("the tunnel does not begin with TLS for its host")

// begin answers the CONNECT of g and returns the client's first bytes, of which
// early came before. It fails if they are not what the check is for; nothing of them
// has gone anywhere then.
func (c *tlsCheck) begin(ctx context.Context, client, origin net.Conn, early []byte, g guest) ([]byte, error) {
	stop := context.AfterFunc(ctx, func() { client.Close() })
	defer stop()
	client.SetDeadline(time.Now().Add(c.timeout))
	if _, err := client.Write(c.greeting); err != nil {
		return nil, err
	}
	if c.closes != nil && len(early) == 0 {
		s := &stay{pass: g.pass, cut: func(error) { client.Close() }}
		g.of.begins(s)
		defer g.of.ends(s)
		var err error
		if early, err = c.await(ctx, client, origin); err != nil {
			return nil, err
		}
	}
	if c.closes == nil || len(early) > 0 {
		client.SetReadDeadline(time.Now().Add(c.timeout))
		raw, hello, err := inspect.ReadHello(client, early)
		if c.closes != nil && err == inspect.ErrNotTLS {
			raw, err = noTLS(client, raw) // and else whatever it is
		}
		switch {
		case err != nil:
			return nil, err
		case !c.lets(hello.ServerName):
			return nil, errNotTLS
		}
		early = raw
	}
	if !stop() { // a tunnel alone may close what it works on
		return nil, context.Cause(ctx)
	}
	client.SetDeadline(time.Time{})
	return early, nil
}

// await returns the client's first bytes. What the origin says before goes to the client,
// which may wait for that. There are none if either side ends before, which is for the
// tunnel to pass on.
func (c *tlsCheck) await(ctx context.Context, client, origin net.Conn) ([]byte, error) {
	client.SetReadDeadline(time.Now().Add(c.idle))
	var first [512]byte
	var n int
	var silent error
	spoken := make(chan struct{})
	go func() {
		defer close(spoken)
		n, silent = client.Read(first[:])
		origin.SetReadDeadline(longAgo)
	}()
	ended, err := c.passOn(ctx, client, origin)
	client.SetReadDeadline(longAgo)
	<-spoken
	switch {
	case err != nil:
		drop(client) // nobody takes a part for the whole
		return nil, err
	case n > 0:
		return first[:n], nil
	case silent == io.EOF, ended:
		return nil, nil
	}
	return nil, silent
}

// passOn gives the client what the origin says, until a deadline of the origin's is over,
// and reports whether it has said all.
func (c *tlsCheck) passOn(ctx context.Context, client, origin net.Conn) (ended bool, err error) {
	var room [512]byte
	for {
		n, err := origin.Read(room[:])
		switch {
		case n > 0:
			err = c.pass(ctx, client, room[:n])
		case errors.Is(err, os.ErrDeadlineExceeded):
			return false, nil
		case err == io.EOF:
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
}

// pass gives the client what the origin said. The tunnel is not idle then.
func (c *tlsCheck) pass(ctx context.Context, client net.Conn, b []byte) error {
	till := time.Now().Add(c.idle)
	client.SetDeadline(till)
	n, err := client.Write(b)
	c.said += int64(n)
	if err == nil && c.down != nil {
		err = c.down(ctx, len(b))
	}
	return err
}

// counting returns g, who is told of that when the tunnel ends, too.
func (c *tlsCheck) counting(g guest) guest {
	end := g.end
	g.end = func(carried tunnel.Bytes) {
		carried.Down += c.said
		end(carried)
	}
	return g
}

var longAgo = time.Unix(1, 0)

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
