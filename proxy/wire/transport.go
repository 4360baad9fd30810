package wire

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"guise/cache/ending"
)

// A Transport sends requests to origins over pooled HTTP/1.1 connections.
// It implements [http.RoundTripper] for http and https URLs, and is safe
// for concurrent use once its fields are set.
//
// It writes what the request says and nothing else: no User-Agent, no
// Accept-Encoding, no decompression, no redirects, no cookies. It reads
// strictly: a response that two parsers could read differently is a
// *[ProtocolError], and a connection that carried one, or a byte beyond
// the end of a response, is closed.
//
// A round trip writes and reads on the caller's goroutine. A request body
// is sent by a second one, so that an early response can arrive; it ends
// when the body's Read returns and the origin took the bytes, or the
// connection is given up. A caller that abandons a request must see to it
// that a blocked Read of its body returns.
//
// 1xx responses are handed to the hook Got1xxResponse of the context's
// httptrace.ClientTrace. A 101 response's body is an [Upgraded].
type Transport struct {
	// Dial opens a connection to address, host:port. Required.
	// Connections whose socket can be reached through syscall.Conn are
	// used again; others serve once.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// TLS configures https. It is cloned; nil verifies against the
	// system's roots. Protocols and the name are set by the transport, and
	// versions below 1.2 are not offered.
	TLS *tls.Config

	// Issuers, unless nil, is asked for certificates that an origin left out of its
	// chain, which leads to no root. It need not verify them.
	Issuers func(ctx context.Context, chain []*x509.Certificate) []*x509.Certificate

	// DialHop, if not nil, opens a connection to the hop, an HTTP proxy that
	// takes all requests for http URLs, in absolute-form. https is dialled with
	// Dial regardless.
	DialHop          func(ctx context.Context) (net.Conn, error)
	HopAuthorization string      // Proxy-Authorization for that proxy; "" sends none
	HopTLS           *tls.Config // TLS with that proxy, with its ServerName; nil for none

	ResponseTimeout  time.Duration // from the request's end, or a 102, to the response head; 0 means 60s
	BodyTimeout      time.Duration // each read of a response body; 0 means 60s
	WriteTimeout     time.Duration // each write; 0 means 60s
	HandshakeTimeout time.Duration // TLS; 0 means 10s
	ContinueTimeout  time.Duration // wait for 100 (Continue) before a body is sent anyway; 0 means 1s
	IdleTimeout      time.Duration // unused connection; 0 means 60s

	// Connections that may be idle for IdleTimeout, to one host and in all; 0 means
	// 32 and 512. With MaxIdle 0, others stay idle for two seconds.
	MaxIdlePerHost, MaxIdle int

	Limits Limits // what a response head or trailer section may hold; Head 0 means 128 KiB

	// HTTP2Start is what the connections of [Transport.HTTP2] begin with, by which an origin
	// can tell one browser from another. The zero value is that of no browser.
	HTTP2Start HTTP2Start

	// Panicked, unless nil, is told of a panic beside a round trip, such as in
	// the Read of a request's body. It ends that request, or the connection
	// that it was about.
	Panicked func(stack []byte)

	// headDelay is how long a head waits for the first bytes of its body,
	// so that both go out in one packet; 0 means 1ms.
	headDelay time.Duration

	// settleTime is how long the end of a response waits for the return of a request's
	// last write, which it can overtake; 0 means 10ms.
	settleTime time.Duration

	// doubtPatience is how long a connection that was idle may give no response before it is
	// seen whether the origin has acknowledged the request; 0 means 10s.
	doubtPatience time.Duration

	once   sync.Once
	pool   pool
	tls    *tls.Config
	hopTLS *tls.Config
}

type isolationKey struct{}

// WithIsolation returns a context whose requests share connections only
// with requests of the same key. With the key "" it is ctx.
func WithIsolation(ctx context.Context, key string) context.Context {
	if key == "" {
		return ctx
	}
	return context.WithValue(ctx, isolationKey{}, key)
}

// Isolation returns the key of [WithIsolation], "" without.
func Isolation(ctx context.Context) string {
	key, _ := ctx.Value(isolationKey{}).(string)
	return key
}

type ownerKey struct{}

// OwnerKey is the key under which a request's context may hold a *uint64, the number of
// the client that sent the request; 0 or none means nobody. An origin that does not read
// a request's content, as RFC 9112 §9.3 has it, takes it for the next request. So a
// connection that carried a client's content is then only used for requests with content
// of the same client.
var OwnerKey any = ownerKey{}

// init takes the defaults.
func (t *Transport) init() {
	t.ResponseTimeout = cmp.Or(t.ResponseTimeout, time.Minute)
	t.BodyTimeout = cmp.Or(t.BodyTimeout, time.Minute)
	t.WriteTimeout = cmp.Or(t.WriteTimeout, time.Minute)
	t.HandshakeTimeout = cmp.Or(t.HandshakeTimeout, 10*time.Second)
	t.ContinueTimeout = cmp.Or(t.ContinueTimeout, time.Second)
	t.IdleTimeout = cmp.Or(t.IdleTimeout, time.Minute)
	t.headDelay = cmp.Or(t.headDelay, time.Millisecond)
	t.settleTime = cmp.Or(t.settleTime, 10*time.Millisecond)
	t.doubtPatience = cmp.Or(t.doubtPatience, 10*time.Second)
	if t.MaxIdle == 0 {
		t.pool.brief = 2 * time.Second
	}
	t.MaxIdlePerHost = cmp.Or(t.MaxIdlePerHost, 32)
	t.MaxIdle = cmp.Or(t.MaxIdle, 512)
	t.Limits.Head = cmp.Or(t.Limits.Head, 128<<10)
	t.Limits = t.Limits.withDefaults()
	t.pool.perHost, t.pool.total, t.pool.idle = t.MaxIdlePerHost, t.MaxIdle, t.IdleTimeout
	t.tls, t.hopTLS = tlsConfig(t.TLS), tlsConfig(t.HopTLS)
}

// LetGo closes the connections not in use, and returns how many there were. t may be
// used on.
func (t *Transport) LetGo() int {
	t.once.Do(t.init)
	return t.pool.clear(false)
}

// Close closes the connections not in use, and each other one after its
// exchange. It cuts nothing: requests that were on their way here when the
// transport was replaced still go out, each on a connection of its own.
func (t *Transport) Close() {
	t.once.Do(t.init)
	t.pool.clear(true)
}

// unsafeReuse is how long a connection may have been idle to carry a request that
// must not be sent twice. It was found open just before, but the origin's close may
// cross the request, and then nobody knows whether the request was acted on. Origins
// keep idle connections for seconds, so within one the risk is that of a fresh one.
const unsafeReuse = time.Second

// RoundTrip implements [http.RoundTripper]. Errors wrap one of the types of
// this package, or are the context's cause.
//
// A request is sent again, on a fresh connection, if it was sent on a used one that failed
// before any byte of a response came, or on which nothing came but a 408 that closes it,
// bytes that are no response, or a response that was sent before the request arrived. Its
// method must be idempotent (RFC 9110 §9.2.2), and its body absent or to be had by GetBody.
// No other request ever reaches an origin twice: it goes on a connection that was in use
// within the last second, or a fresh one, and is sent again only if nothing of it was
// written, or the origin had ended the connection before anything of it arrived, and no more
// than 32 KiB of its body had been read by then.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	t.once.Do(t.init)
	p, err := t.plan(r)
	if err != nil {
		closeBody(r.Body)
		return nil, err
	}
	buf := headBuffers.Get().(*[]byte)
	defer headBuffers.Put(buf)
	if p.head, err = p.appendHead((*buf)[:0]); err != nil {
		closeBody(p.body)
		return nil, err
	}
	*buf = p.head
	resp, c, err := p.try(false)
	switch {
	case err == nil:
	case p.mayRetry(c, err) && p.rewind():
		resp, _, err = p.try(true)
	default:
		closeBody(p.again)
	}
	return resp, err
}

var headBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 2<<10); return &b }}

func closeBody(b io.Closer) {
	if b != nil {
		b.Close()
	}
}

// A plan is one request on its way: where it goes and how it is framed.
type plan struct {
	t         *Transport
	r         *http.Request
	key       poolKey
	authority string        // as Host says it
	body      io.ReadCloser // nil for none
	length    int64         // of the body; -1 if unknown
	again     io.ReadCloser // the body from its beginning, to be sent again; see sender.takeBack; nil for none
	owner     uint64        // of the body; see OwnerKey
	head      []byte        // as it goes on the wire
}

// plan makes the plan of r. It is small enough to be inlined, which keeps the plan on the
// stack.
func (t *Transport) plan(r *http.Request) (*plan, error) {
	p := &plan{t: t, r: r}
	return p, p.prepare()
}

func (p *plan) prepare() error {
	u := p.r.URL
	if u == nil {
		return &RequestError{"no URL"}
	}
	host, port, both, err := authority(u)
	if err != nil {
		return err
	}
	p.authority, p.length = both, p.r.ContentLength
	p.key.isolation = Isolation(p.r.Context())
	p.key.host, p.key.port = host, port
	switch u.Scheme {
	case "https":
		p.key.tls = true
	case "http":
		p.key.hop = p.t.DialHop != nil
	default:
		return &RequestError{"an unknown scheme"}
	}
	if p.r.Method == "CONNECT" {
		return &RequestError{"method CONNECT"}
	}
	if err := p.frame(); err != nil {
		return err
	}
	if p.body != nil {
		if owner, ok := p.r.Context().Value(ownerKey{}).(*uint64); ok {
			p.owner = *owner
		}
	}
	return nil
}

// frame decides how long the body is. An http.Request with a Body and a
// ContentLength of 0 may have no body or one of unknown length; a Read tells. So
// may one of unknown length whose method rarely has content: a client of HTTP/2 may
// end a GET by a frame of its own, and many origins refuse a chunked GET.
func (p *plan) frame() error {
	p.body = p.r.Body
	if p.body == nil || p.body == http.NoBody {
		p.body = nil
		if p.length > 0 {
			return &RequestError{"a length but no body"}
		}
		p.length = 0
		return nil
	}
	if p.length > 0 {
		return nil
	}
	unknown := p.length < 0 || p.r.TransferEncoding != nil
	p.length = -1
	if unknown && (!p.rarelyHasContent() || len(p.r.Trailer) > 0 || expectsContinue(p.r.Header)) {
		return nil
	}
	br := bufio.NewReaderSize(p.body, 16)
	switch _, err := br.Peek(1); err {
	case nil:
		p.body = struct {
			io.Reader
			io.Closer
		}{br, p.body}
	case io.EOF:
		p.body.Close()
		p.body, p.length = nil, 0
	default:
		return &RequestBodyError{err}
	}
	return nil
}

// rarelyHasContent tells whether content has no meaning in the method (RFC 9110
// §9.3). Then it does no harm to wait for its first byte; a POST may be one half of a
// dialogue in which the origin speaks first.
func (p *plan) rarelyHasContent() bool {
	switch p.r.Method {
	case http.MethodGet, http.MethodHead, http.MethodDelete, http.MethodOptions:
		return true
	}
	return false
}

// replayable tells whether the request may be sent twice.
func (p *plan) replayable() bool {
	return Idempotent(p.r.Method) && (p.body == nil || p.r.GetBody != nil)
}

// Idempotent reports whether the method is idempotent (RFC 9110 §9.2.2); of methods of
// other standards, only whether it is safe (the IANA registry of methods). Unknown ones
// are not.
func Idempotent(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete,
		"PROPFIND", "REPORT", "SEARCH", "QUERY":
		return true
	}
	return false
}

// mayRetry tells whether the request may be sent again after c failed with err: c was used
// before, and may have been closed by then.
func (p *plan) mayRetry(c *originConn, err error) bool {
	if c == nil || !c.reused || c.got > 0 || isTimeout(err) || p.r.Context().Err() != nil {
		return false
	}
	if _, broken := err.(*ConnError); !broken && err != ErrNoResponse && err != ErrIncomplete {
		return false
	}
	return p.replayable() || (p.body == nil || p.again != nil) && (c.wrote == 0 || c.unreceived)
}

func (p *plan) rewind() bool {
	switch {
	case p.body == nil:
		return true
	case p.again != nil:
		p.body = p.again
		return true
	}
	body, err := p.r.GetBody()
	if err != nil {
		return false
	}
	p.body = body
	return true
}

// try makes one attempt. It closes the body unless that goes on being sent.
func (p *plan) try(fresh bool) (*http.Response, *originConn, error) {
	ctx := p.r.Context()
	if ctx.Err() != nil {
		closeBody(p.body)
		return nil, nil, context.Cause(ctx)
	}
	c, err := p.conn(ctx, fresh)
	if err != nil {
		closeBody(p.body)
		return nil, nil, err
	}
	c.begin()
	if c.reused && (p.body != nil || !p.replayable()) {
		c.acked = c.probe.acked()
	}
	x := &exchange{t: p.t, c: c, ctx: ctx, owner: p.owner}
	x.watched = ending.Of(ctx, x)
	resp, err := x.run(p)
	if err != nil {
		c.unreceived = err == ErrNoResponse && c.acked > 0 && c.probe.acked() == c.acked && !c.wasBroken()
		if x.sender != nil {
			c.closeNow()
			p.again = x.sender.takeBack(ctx, c.unreceived)
		}
		x.abort()
	}
	if err == errStale { // nothing of p was sent
		return p.try(false)
	}
	return resp, c, err
}

// conn returns a connection for p: one of the pool, or a new one.
func (p *plan) conn(ctx context.Context, fresh bool) (*originConn, error) {
	if !fresh {
		var within time.Duration
		if !p.replayable() {
			within = unsafeReuse
		}
		k := p.key
		k.owner = p.owner
		c := p.t.pool.get(k, within, p.body != nil)
		if c == nil && k.owner != 0 {
			c = p.t.pool.get(p.key, within, true)
		}
		if c != nil {
			c.reused = true
			return c, nil
		}
	}
	return p.t.dial(ctx, p.key)
}

var _ http.RoundTripper = (*Transport)(nil)
