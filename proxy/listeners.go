package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"sync/atomic"

	"guise/proxy/wire"
)

// A Protocol is what clients speak on a listener.
type Protocol int

// The protocols. All carry HTTP/1.1 and HTTP/2.
const (
	HTTP   Protocol = iota // in the clear; HTTP/2 by prior knowledge (RFC 9113 §3.3)
	HTTPS                  // over TLS; HTTP/2 by ALPN
	SOCKS5                 // RFC 1928: tunnels, and requests to port 80 through the filters
)

// A Listening says how clients of one listener are served. The zero value is plain HTTP.
type Listening struct {
	Protocol Protocol
	TLS      *tls.Config // for HTTPS; see certs.Config

	// Relays are networks whose connections start with a PROXY header, of
	// version 1 or 2, that names the client; one without is cut. From all
	// others, a header is a malformed request.
	Relays []netip.Prefix
}

// Serve answers clients that connect to l until the proxy is closed, and
// returns [http.ErrServerClosed] then.
func (p *Proxy) Serve(l net.Listener) error { return p.ServeAs(l, Listening{}) }

// ServeAs is Serve for listeners other than plain HTTP.
func (p *Proxy) ServeAs(l net.Listener, how Listening) error {
	if address, ok := l.Addr().(*net.TCPAddr); ok {
		own := address.AddrPort()
		p.listensAt(own)
		defer p.stopsListening(own)
	}
	defer p.barrier.guard(l)()
	if how.Protocol != HTTP || len(how.Relays) > 0 {
		a := arrivals{Listener: l, proxy: p, how: how}
		if how.TLS != nil {
			a.how.TLS = limitHandshakes(how.TLS)
			a.asking = a.how.TLS.Clone()
			a.asking.ClientAuth = tls.RequestClientCert
			a.asking.SessionTicketsDisabled = true // a session is taken up again without asking, with what it began with
		}
		l = a
	}
	return p.server.Serve(l)
}

// arrivals is a listener whose connections do not start with HTTP. Plain ones
// stay what they are, so that tunnels on them can be spliced.
type arrivals struct {
	net.Listener
	proxy  *Proxy
	how    Listening
	asking *tls.Config // how.TLS, but asks for a client certificate
}

func (l arrivals) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	a := arrival{Conn: conn, at: l}
	if a.relayed() {
		a.named = new(atomic.Bool)
	}
	return a, nil
}

// An arrival is a connection that was accepted and says nothing of HTTP yet. One from a
// relay opens to another first, of the client that the relay names.
type arrival struct {
	net.Conn
	at     arrivals
	client net.Addr     // nil until a relay has named it
	named  *atomic.Bool // the server knows the client; nil but for what comes from a relay
}

var _ wire.Opener = arrival{}

// Open implements [wire.Opener].
func (a arrival) Open(ctx context.Context, asks func() bool) (wire.Opened, error) {
	opened := wire.Opened{Conn: a.Conn, Remote: a.Conn.RemoteAddr()}
	if a.client != nil {
		opened.Remote = a.client
		a.named.Store(true)
	}
	returns := false
	defer func() {
		if !returns && opened.Leave != nil { // a panic: nobody else will
			opened.Leave()
		}
	}()
	err := a.open(ctx, asks, &opened)
	returns = true
	return opened, err
}

func (a arrival) open(ctx context.Context, asks func() bool, opened *wire.Opened) error {
	if a.named != nil && a.client == nil {
		client, err := readRelayed(a.Conn)
		if err != nil {
			return err
		}
		if client != nil {
			opened.Remote = client
		}
		if opened.Leave, err = a.at.proxy.connected(opened.Remote); err != nil {
			a.at.proxy.turnAway(a.Conn, opened.Remote, true, a.at.how.Protocol, err)
			return wire.ErrTaken
		}
		a.client = opened.Remote
		opened.Conn = a
		return nil
	}
	switch a.at.how.Protocol {
	case HTTPS:
		return a.openTLS(opened)
	case SOCKS5:
		err := a.at.proxy.openSOCKS(ctx, asks, opened)
		if tcp, isTCP := opened.Conn.(*net.TCPConn); isTCP && err != nil && err != wire.ErrTaken && !errors.Is(err, os.ErrDeadlineExceeded) {
			letRead(tcp) // why it was refused
		}
		return err
	}
	return nil
}

// MayEnd is asked by the server. Until a relayed connection has named its client, it may not end.
func (a arrival) MayEnd() bool { return a.named == nil || a.named.Load() }

// openTLS does the handshake, if the client may have one now.
func (a arrival) openTLS(opened *wire.Opened) error {
	p := a.at.proxy
	if err := p.awaitHandshake(opened.Remote); err != nil {
		p.turnAway(a.Conn, opened.Remote, a.relayed(), HTTPS, err)
		return wire.ErrTaken
	}
	config := a.at.how.TLS
	if p.current.Load().gate.ClientAuth() != tls.NoClientCert {
		config = a.at.asking
	}
	secure, err := p.shakeHands(a.Conn, config)
	if spokenInClear(err) {
		p.away.answer(a.Conn, tlsWanted)
		return wire.ErrTaken
	}
	opened.Conn = secure
	return err
}

// spokenInClear reports whether a handshake failed for a client that began with a
// request instead.
func spokenInClear(err error) bool {
	record, ok := errors.AsType[tls.RecordHeaderError](err)
	shortest := record.RecordHeader[:3] // of the methods that browsers and programs use
	return ok && record.Conn != nil && !slices.ContainsFunc(shortest, func(c byte) bool { return c < 'A' || c > 'Z' })
}

// asToProxy gives a request the form that HTTP/1.1 clients give theirs when
// they speak to a proxy, however it came in: absolute or authority form for
// origins, origin form for the proxy itself. It returns an answer for what has
// no such form.
func asToProxy(c *connection, w http.ResponseWriter, r *http.Request) (http.ResponseWriter, *http.Request, *failure) {
	if c.socks != nil {
		r, refused := c.socks.inside(r)
		return w, r, refused
	}
	if protocol := r.Header[":protocol"]; len(protocol) > 0 {
		return fromExtendedConnect(w, r, protocol[0])
	}
	if c.inner == nil && addressedToSelf(c, r) {
		r = toOriginForm(r)
	}
	return w, r, nil
}

// relayed reports whether the connection comes from a relay, and so begins with a
// PROXY header.
func (a arrival) relayed() bool {
	remote, isTCP := a.Conn.RemoteAddr().(*net.TCPAddr)
	if !isTCP {
		return false
	}
	from := remote.AddrPort().Addr().Unmap().WithZone("")
	return slices.ContainsFunc(a.at.how.Relays, func(relays netip.Prefix) bool { return relays.Contains(from) })
}
