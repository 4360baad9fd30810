package proxy

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"guise/proxy/wire"
)

// secureOrigins sends requests for https URLs, over HTTP/2 where the origin
// speaks it and HTTP/1.1 elsewhere. All clients of an origin share its
// connections. It is safe for concurrent use.
type secureOrigins struct {
	wire *wire.Transport // every connection begins there, and those of HTTP/1.1 stay
	most int             // connections of HTTP/2, above which idle ones are closed

	mu     sync.Mutex
	closed bool
	places map[placeKey]*place
	alive  int // connections of HTTP/2 that have not ended
}

const (
	// maxPlaces bounds what is remembered of origins without a connection.
	maxPlaces = 4096

	// connsPerOrigin bounds the connections to one origin. They are opened
	// when all streams of the others are taken.
	connsPerOrigin = 4

	// fullFor is how long a request waits for a stream on one connection, before it
	// looks for one on all, and may have more connections opened, up to mostPerOrigin:
	// event streams (EventSource) stay open for as long as their pages.
	fullFor       = time.Second
	mostPerOrigin = 16 * connsPerOrigin

	// mostConns bounds the connections to all origins, above which idle ones are
	// closed: each takes some 40 KiB.
	mostConns = 1024
)

var errFull = errors.New("all streams of a connection are taken")

type asksKey struct{}

// originTLS returns what handshakes with origins begin with. A session that
// one client's request began is resumed for others': they look the same. No
// client certificate is ever sent; that one was asked for is noted.
func originTLS(roots *x509.CertPool) *tls.Config {
	return &tls.Config{
		RootCAs:            roots,
		MinVersion:         tls.VersionTLS12,
		ClientSessionCache: newSessions(),
		VerifyConnection: func(state tls.ConnectionState) error {
			return cmp.Or(notSuffixWide(state), notRevoked(state))
		},
		GetClientCertificate: func(request *tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if p, ok := request.Context().Value(asksKey{}).(*place); ok {
				p.asks.Store(true)
			}
			return new(tls.Certificate), nil
		},
	}
}

func newSecureOrigins(t *wire.Transport) *secureOrigins {
	return &secureOrigins{wire: t, most: mostConns, places: make(map[placeKey]*place)}
}

// RoundTrip implements [http.RoundTripper]. Errors are those of
// [wire.Transport].
func (s *secureOrigins) RoundTrip(r *http.Request) (*http.Response, error) {
	// HTTP/2 has no Upgrade (RFC 9113 §8.6), and no connections of one user.
	if len(r.Header["Upgrade"]) > 0 || authenticatesConnection(r.Header) {
		return s.overHTTP1(r)
	}
	if r.Body == nil || r.Body == http.NoBody {
		return s.attempts(r, func() *http.Request { return r })
	}
	body := newReplay(r.Body, r.Trailer)
	defer body.settle()
	return s.attempts(body.next(r), func() *http.Request { return body.next(r) })
}

// attempts sends r, and what again returns if r may be sent once more; nil
// means that it cannot.
func (s *secureOrigins) attempts(r *http.Request, again func() *http.Request) (*http.Response, error) {
	var heardSince time.Time // when a request began that lost its connection
	for refused, repeated := 0, false; ; {
		began := time.Now()
		cc, kept, err := s.conn(r.Context(), hostPort(r.URL), r.Body != nil && r.Body != http.NoBody, heardSince)
		if err != nil {
			closeBody(r.Body)
			return nil, err
		}
		if cc == nil {
			return s.overHTTP1(r)
		}
		resp, err := cc.RoundTrip(r)
		if err == nil || r.Context().Err() != nil {
			return resp, err
		}
		if errors.Is(err, wire.ErrWantsHTTP1) {
			s.wantsHTTP1(r)
		}
		switch {
		case !mayRepeat(r, err, kept, cc.Silent()):
			return nil, err
		case errors.Is(err, wire.ErrNotProcessed):
			if refused++; !waitAfterRefusal(r.Context(), refused) {
				return nil, err
			}
		case repeated:
			return nil, err
		default:
			repeated, heardSince = true, began // others may have been lost with it
		}
		if r = again(); r == nil {
			return nil, err
		}
	}
}

// mostRefusals is how often an origin may say of one request that it did nothing
// about it. Some end a connection after every hundredth request, and of those that
// come together the same can be refused by several connections.
const mostRefusals = 8

// waitAfterRefusal waits for a moment, which grows, from the second refusal on. It
// reports false if there were too many, or ctx ends.
func waitAfterRefusal(ctx context.Context, refused int) bool {
	switch {
	case refused == 1:
		return true
	case refused > mostRefusals:
		return false
	}
	return pause(ctx, time.Duration(rand.IntN(1<<refused))*time.Millisecond)
}

// wantsHTTP1 notes that an origin refuses requests over HTTP/2.
func (s *secureOrigins) wantsHTTP1(r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.place(keyOf(r.Context(), hostPort(r.URL)))
	p.showsHTTP1()
	for _, cc := range p.conns {
		cc.Retire()
	}
	p.conns = nil
}

// mayRepeat reports whether r may be sent again after err: if the origin says
// that it did nothing (RFC 9113 §8.7), or if the connection had been kept from before
// and was lost, the request means the same twice (RFC 9110 §9.2.2) and has no body.
func mayRepeat(r *http.Request, err error, kept, silent bool) bool {
	if errors.Is(err, wire.ErrNotProcessed) || errors.Is(err, wire.ErrWantsHTTP1) {
		return true
	}
	if !kept || !silent && !errors.Is(err, wire.ErrNoResponse) && !is[*wire.ConnError](err) {
		return false
	}
	return wire.Idempotent(r.Method) && (r.Body == nil || r.Body == http.NoBody)
}

// overHTTP1 lets wire make the round trip, and open what connections it needs.
func (s *secureOrigins) overHTTP1(r *http.Request) (*http.Response, error) {
	resp, err := s.wire.RoundTrip(r)
	if _, bad := certificateFault(err); bad {
		s.mu.Lock()
		p := s.place(keyOf(r.Context(), hostPort(r.URL)))
		p.verified, p.http1 = time.Time{}, time.Time{}
		s.mu.Unlock()
	}
	return resp, err
}

func hostPort(u *url.URL) string {
	return net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "443"))
}

func closeBody(b io.Closer) {
	if b != nil {
		b.Close()
	}
}

// ready has the certificate of address verified: it opens a connection unless there is
// one, or was a moment ago. Errors are those of a round trip.
func (s *secureOrigins) ready(ctx context.Context, address string) error {
	for {
		s.mu.Lock()
		p := s.place(keyOf(ctx, address))
		p.forgetEnded()
		if len(p.conns) > 0 || time.Since(p.verified) < warmFor {
			s.mu.Unlock()
			return nil
		}
		cc, opened, err := s.openOrWait(ctx, p)
		if cc != nil {
			cc.Release()
		}
		if opened || err != nil {
			return err
		}
	}
}

// asksForCertificate reports whether address wanted a client certificate.
func (s *secureOrigins) asksForCertificate(ctx context.Context, address string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.places[keyOf(ctx, address)]
	return p != nil && p.asks.Load()
}

// conn returns an HTTP/2 connection to address with a stream reserved, or nil
// if the origin does not speak that; kept says that it was there before. The first
// who comes asks the origin; the others wait for the answer. An upload keeps off
// connections that others' have clogged, and a request that lost its connection keeps
// off those not heard of since heardSince.
func (s *secureOrigins) conn(ctx context.Context, address string, upload bool, heardSince time.Time) (cc *wire.HTTP2Conn, kept bool, err error) {
	most := connsPerOrigin
	for waited := time.Duration(0); ; {
		s.mu.Lock()
		p := s.place(keyOf(ctx, address))
		cc, reserved := p.reserve(upload, most, heardSince)
		if reserved || cc == nil && p.knownHTTP1() {
			s.mu.Unlock()
			return cc, true, nil
		}
		if cc != nil {
			s.mu.Unlock()
			look, cancel := context.WithTimeoutCause(ctx, fullFor, errFull)
			ok, err := cc.Wait(look)
			cancel()
			if err == errFull {
				if waited += fullFor; waited >= s.wire.ResponseTimeout {
					return nil, false, wire.ErrResponseTimeout
				}
				most, err = mostPerOrigin, nil
			}
			if ok || err != nil {
				return cc, true, err
			}
			continue
		}
		if cc, opened, err := s.openOrWait(ctx, p); opened || err != nil {
			return cc, false, err
		}
	}
}

// openOrWait opens a connection to p, or waits for one that is being opened. s.mu
// is held, and let go of.
func (s *secureOrigins) openOrWait(ctx context.Context, p *place) (cc *wire.HTTP2Conn, opened bool, err error) {
	o := p.opening
	if o == nil {
		o = &opening{done: make(chan struct{})}
		p.opening = o
		s.mu.Unlock()
		cc, err = s.open(ctx, p, o)
		return cc, true, err
	}
	s.mu.Unlock()
	select {
	case <-o.done:
		return nil, false, o.err
	case <-ctx.Done():
		return nil, false, context.Cause(ctx)
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

// open opens a connection to p.
func (s *secureOrigins) open(ctx context.Context, p *place, o *opening) (cc *wire.HTTP2Conn, err error) {
	err = errPanicked
	defer func() { s.opened(ctx, p, o, cc, err) }() // also after a panic: the others wait for it
	cc, err = s.dial(context.WithValue(ctx, asksKey{}, p), p)
	return cc, err
}

// opened notes what came of opening a connection to p, and tells those who
// wait for it.
func (s *secureOrigins) opened(ctx context.Context, p *place, o *opening, cc *wire.HTTP2Conn, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.opening = nil
	defer close(o.done)
	switch {
	case err != nil:
		p.verified = time.Time{}
		if ctx.Err() == nil { // else it is about the client that went away, not the origin
			o.err = err
		}
		return
	case cc == nil:
		p.verified = time.Now()
		p.showsHTTP1()
		return
	}
	p.verified, p.http1 = time.Now(), time.Time{}
	s.makeRoom()
	if s.closed {
		cc.Retire()
	} else {
		p.conns = append(p.conns, cc)
		p.forgetEnded() // it may have ended by now
	}
}

// dial opens a connection to p, with a stream reserved. p forgets it when it
// ends: a place that nobody visits again would hold it, and itself, forever.
func (s *secureOrigins) dial(ctx context.Context, p *place) (*wire.HTTP2Conn, error) {
	tc, err := s.wire.Connect(ctx, p.address, "h2")
	if tc == nil || err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.alive++
	s.mu.Unlock()
	return s.wire.HTTP2(tc, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.alive--
		p.forgetEnded()
	}), nil
}

// makeRoom closes idle connections while there are too many. s.mu is held.
func (s *secureOrigins) makeRoom() {
	over := s.alive - s.most
	for _, p := range s.places { // in no order: any will do
		if over <= 0 {
			return
		}
		over -= p.letGo()
	}
}

// letGo closes idle connections, and returns how many there were.
func (s *secureOrigins) letGo() (n int) {
	s.mu.Lock()
	for _, p := range s.places {
		n += p.letGo()
	}
	s.mu.Unlock()
	return n + s.wire.LetGo()
}

// close closes connections, each after its last exchange. Requests that are on
// their way here still go out.
func (s *secureOrigins) close() {
	s.mu.Lock()
	s.closed = true
	for _, p := range s.places {
		for _, cc := range p.conns {
			cc.Retire()
		}
		p.conns = nil
	}
	s.mu.Unlock()
	s.wire.Close()
}
