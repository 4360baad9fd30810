package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"guise/proxy/wire"
)

// secureOrigins sends requests for https URLs, over HTTP/2 where the origin
// speaks it and HTTP/1.1 elsewhere. All clients of an origin share its
// connections. It is safe for concurrent use.
type secureOrigins struct {
	h1 *wire.Transport // every connection begins there, and those of HTTP/1.1 stay
	h2 *http.Transport // makes HTTP/2 of the others; pools nothing

	body  time.Duration // each read of a response body
	write time.Duration // each step of sending a request body

	closed atomic.Bool // not under mu: net/http calls settle wherever it likes

	mu     sync.Mutex
	places map[placeKey]*place
}

// A placeKey is an origin's host:port, and for whom: those who want to be kept
// apart share no connection with others.
type placeKey struct{ address, isolation string }

func keyOf(ctx context.Context, address string) placeKey {
	return placeKey{address, wire.Isolation(ctx)}
}

// A place is what is known of one origin.
type place struct {
	address  string
	verified time.Time          // when a handshake last succeeded
	http1    time.Time          // the origin does not speak HTTP/2, as it showed then
	conns    []*http.ClientConn // HTTP/2
	asks     atomic.Bool        // it wants to know clients by certificates
	opening  chan struct{}      // closed when the connection being opened is there; nil if none is
}

const (
	// knownFor is how long an origin is taken to speak the protocol, and to
	// have the certificate, that it showed.
	knownFor = 10 * time.Minute

	// maxPlaces bounds what is remembered of origins without a connection.
	maxPlaces = 4096

	// connsPerOrigin bounds the connections to one origin. They are opened
	// when all streams of the others are taken.
	connsPerOrigin = 4

	// idleOrigin is how long an unused HTTP/2 connection stays, as on wire.
	idleOrigin = time.Minute

	// What an origin may send that the client does not read: of one stream,
	// and of one connection.
	streamBuffer = 1 << 20
	connBuffer   = 8 << 20
)

type (
	tlsConnKey struct{}
	asksKey    struct{}
)

// originTLS returns what handshakes with origins begin with. A session that
// one client's request began is resumed for others': they look the same. No
// client certificate is ever sent; that one was asked for is noted.
func originTLS(roots *x509.CertPool) *tls.Config {
	return &tls.Config{
		RootCAs:            roots,
		MinVersion:         tls.VersionTLS12,
		ClientSessionCache: tls.NewLRUClientSessionCache(1024),
		GetClientCertificate: func(request *tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if p, ok := request.Context().Value(asksKey{}).(*place); ok {
				p.asks.Store(true)
			}
			return new(tls.Certificate), nil
		},
	}
}

func newSecureOrigins(h1 *wire.Transport, t Timeouts) *secureOrigins {
	var http2 http.Protocols
	http2.SetHTTP2(true)
	return &secureOrigins{
		h1: h1,
		h2: &http.Transport{
			DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return ctx.Value(tlsConnKey{}).(*tls.Conn), nil
			},
			Protocols:              &http2,
			DisableCompression:     true,
			ResponseHeaderTimeout:  t.Response,
			ExpectContinueTimeout:  time.Second,
			IdleConnTimeout:        idleOrigin,
			MaxResponseHeaderBytes: 128 << 10,
			HTTP2: &http.HTTP2Config{
				MaxReceiveBufferPerConnection: connBuffer,
				MaxReceiveBufferPerStream:     streamBuffer,
				SendPingTimeout:               30 * time.Second,
				PingTimeout:                   15 * time.Second,
				WriteByteTimeout:              t.Write,
			},
		},
		body:   t.Body,
		write:  t.Write,
		places: make(map[placeKey]*place),
	}
}

// RoundTrip implements [http.RoundTripper]. Errors are those of
// [wire.Transport].
func (s *secureOrigins) RoundTrip(r *http.Request) (*http.Response, error) {
	// HTTP/2 has no Upgrade (RFC 9113 §8.6), and no connections of one user.
	if len(r.Header["Upgrade"]) > 0 || authenticatesConnection(r.Header) {
		return s.overHTTP1(r)
	}
	for first := true; ; first = false {
		cc, fresh, err := s.conn(r.Context(), hostPort(r.URL))
		if err != nil {
			closeBody(r.Body)
			return nil, err
		}
		if cc == nil {
			return s.overHTTP1(r)
		}
		resp, err := s.send(cc, r)
		if err == nil || !first || r.Context().Err() != nil || !mayRepeat(r, err, fresh) {
			return resp, err
		}
	}
}

// overHTTP1 lets wire make the round trip, and open what connections it needs.
func (s *secureOrigins) overHTTP1(r *http.Request) (*http.Response, error) {
	resp, err := s.h1.RoundTrip(r)
	if _, bad := certificateFault(err); bad {
		s.mu.Lock()
		p := s.place(keyOf(r.Context(), hostPort(r.URL)))
		p.verified, p.http1 = time.Time{}, time.Time{}
		s.mu.Unlock()
	}
	return resp, err
}

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "443"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

func closeBody(b io.Closer) {
	if b != nil {
		b.Close()
	}
}

// ready sees to it that a connection to address is there, or was lately:
// that its certificate was verified. Errors are those of a round trip.
func (s *secureOrigins) ready(ctx context.Context, address string) error {
	s.mu.Lock()
	p := s.places[keyOf(ctx, address)]
	known := p != nil && time.Since(p.verified) < knownFor
	s.mu.Unlock()
	if known {
		return nil
	}
	cc, _, err := s.conn(ctx, address)
	if cc != nil {
		cc.Release()
	}
	return err
}

// asksForCertificate reports whether address wanted a client certificate.
func (s *secureOrigins) asksForCertificate(ctx context.Context, address string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.places[keyOf(ctx, address)]
	return p != nil && p.asks.Load()
}

// conn returns an HTTP/2 connection to address with a stream reserved, or nil
// if the origin does not speak that. fresh says that no request went over it.
// The first who comes asks the origin; the others wait for the answer.
func (s *secureOrigins) conn(ctx context.Context, address string) (cc *http.ClientConn, fresh bool, err error) {
	for {
		s.mu.Lock()
		p := s.place(keyOf(ctx, address))
		if cc := p.reserve(); cc != nil {
			s.mu.Unlock()
			return cc, false, nil
		}
		if time.Since(p.http1) < knownFor {
			s.mu.Unlock()
			return nil, false, nil
		}
		opening := p.opening
		if opening == nil {
			p.opening = make(chan struct{})
			s.mu.Unlock()
			return s.open(ctx, p)
		}
		s.mu.Unlock()
		select {
		case <-opening:
		case <-ctx.Done():
			return nil, false, context.Cause(ctx)
		}
	}
}

// place returns what is known of k. s.mu is held.
func (s *secureOrigins) place(k placeKey) *place {
	if p := s.places[k]; p != nil {
		return p
	}
	if len(s.places) >= maxPlaces {
		for old, p := range s.places { // in no order: any will do
			if len(p.conns) == 0 && p.opening == nil {
				delete(s.places, old)
				break
			}
		}
	}
	p := &place{address: k.address}
	s.places[k] = p
	return p
}

// reserve returns a connection with a stream to spare, nil if there is none
// and another may be opened. s.mu is held.
func (p *place) reserve() *http.ClientConn {
	alive := p.conns[:0]
	for _, cc := range p.conns {
		if cc.Err() == nil {
			alive = append(alive, cc)
		}
	}
	clear(p.conns[len(alive):])
	p.conns = alive
	for _, cc := range p.conns {
		if cc.Reserve() == nil {
			return cc
		}
	}
	if len(p.conns) >= connsPerOrigin {
		return p.conns[0] // its RoundTrip waits for a stream
	}
	return nil
}

// open opens a connection to p, whose opening it ends.
func (s *secureOrigins) open(ctx context.Context, p *place) (*http.ClientConn, bool, error) {
	cc, err := s.dial(context.WithValue(ctx, asksKey{}, p), p.address)
	s.mu.Lock()
	defer s.mu.Unlock()
	close(p.opening)
	p.opening = nil
	switch {
	case err != nil:
		p.verified = time.Time{}
		return nil, false, err
	case cc == nil:
		p.verified = time.Now()
		p.http1 = p.verified
		return nil, false, nil
	}
	p.verified, p.http1 = time.Now(), time.Time{}
	if !s.closed.Load() {
		p.conns = append(p.conns, cc)
	}
	cc.SetStateHook(s.settle)
	return cc, true, cc.Reserve()
}

func (s *secureOrigins) dial(ctx context.Context, address string) (*http.ClientConn, error) {
	tc, err := s.h1.Connect(ctx, address, "h2")
	if tc == nil || err != nil {
		return nil, err
	}
	cc, err := s.h2.NewClientConn(context.WithValue(ctx, tlsConnKey{}, tc), "https", address)
	if err != nil {
		tc.Close()
		return nil, &wire.ConnError{Op: "write", Err: errors.New("HTTP/2 could not begin")}
	}
	return cc, nil
}

// settle closes a connection that nobody uses any more.
func (s *secureOrigins) settle(cc *http.ClientConn) {
	if s.closed.Load() && cc.InFlight() == 0 && cc.Err() == nil {
		cc.Close()
	}
}

// close closes connections, each after its last exchange. Requests that are on
// their way here still go out.
func (s *secureOrigins) close() {
	s.closed.Store(true)
	s.mu.Lock()
	var all []*http.ClientConn
	for _, p := range s.places {
		all = append(all, p.conns...)
		p.conns = nil
	}
	s.mu.Unlock()
	for _, cc := range all {
		s.settle(cc)
	}
	s.h1.Close()
}
