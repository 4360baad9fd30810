package proxy

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"slices"

	"github.com/elazarl/goproxy"

	"guise/cache"
	"guise/filters"
	"guise/proxy/egress"
	"guise/proxy/gate"
	"guise/proxy/wire"
)

// An assembly is the way of a request under one configuration. A reload
// builds another; exchanges that have begun finish with the one they have.
type assembly struct {
	options  Options
	gate     *gate.Gate
	guests   *guests // of gate
	filters  *filters.Set
	egress   *egress.Egress
	store    *cache.Cache
	plain    *wire.Transport   // to http origins; in absolute-form through an HTTP upstream proxy
	dialled  *wire.Transport   // to http origins, direct or in a tunnel of the upstream proxy; nil where plain does that
	secure   *secureOrigins    // to https origins
	way      http.RoundTripper // cache, then response filters, then origins
	nesting  *nesting          // nil without an upstream proxy
	inspects *inspection       // decides where TLS is terminated
	pipeline *goproxy.ProxyHttpServer
}

// A requestStep edits or answers a request before the cache sees it. A
// failure ends the request's way.
type requestStep func(*exchange, *http.Request) (*http.Request, *failure)

// A responseStep fits a response to the client that asked for it.
type responseStep func(*exchange, *http.Response) *http.Response

// assemble builds the way of a request. before is the assembly that a reload
// replaces, nil for a first one.
func assemble(o Options, store *cache.Cache, before *assembly) (*assembly, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	a := &assembly{options: o, store: store}
	var known *gate.Gate
	var inspected *inspection
	if before != nil {
		known, inspected = before.gate, before.inspects
	}
	var err error
	if a.gate, err = gate.New(o.Gate, known); err != nil {
		return nil, err
	}
	a.guests = &guests{gate: a.gate, every: guestsLook}
	if a.inspects, err = newInspection(o.Inspection, inspected); err != nil {
		return nil, err
	}
	if a.filters, err = filters.New(o.Filters); err != nil {
		return nil, err
	}
	if a.egress, err = egress.New(o.Egress); err != nil {
		return nil, err
	}
	for _, l := range a.egress.Lists() {
		if l.Left > 0 {
			o.Log.Warn("lines of destinations.deny_lists name no host, and are left out", "list", l.Path, "hosts", l.Hosts, "left", l.Left, "first", l.LeftAt)
		}
	}
	a.plain = a.newTransport(egress.Plain)
	if a.plain.DialHop != nil {
		a.dialled = a.newTransport(egress.Plain)
		a.dialled.DialHop, a.dialled.HopAuthorization, a.dialled.HopTLS = nil, "", nil
	}
	secure := a.newTransport(egress.Connect)
	secure.HTTP2Start = wire.HTTP2Start(a.filters.HTTP2())
	secure.Issuers = newIssuers(a, o.Inspection.Roots).above
	a.secure = newSecureOrigins(secure)
	a.way = store.Transport(scrubber{a, a.filters, a.inspects.hsts, o.Log})
	if len(o.Egress.Chain) > 0 {
		a.nesting = newNesting()
	}

	a.pipeline = a.newPipeline()
	return a, nil
}

// newPipeline returns the steps around the round trip of an exchange. They run in the
// order listed.
func (a *assembly) newPipeline() *goproxy.ProxyHttpServer {
	p := goproxy.NewProxyHttpServer()
	p.Logger = silent{}
	p.KeepAcceptEncoding = true
	p.KeepDestinationHeaders = true // handOver has put them there
	p.KeepHeader = true             // scrub removes those of the hop, and more than goproxy knows
	p.Tr = nil                      // its default verifies no certificate; requests go by exchange.RoundTrip
	p.NonproxyHandler = http.NotFoundHandler()
	p.OnRequest().DoFunc(onRequest(slices.Concat(
		[]requestStep{giveBack},
		a.beforeScrub(),
		[]requestStep{keepProof, a.scrub, restoreTags, withholdReport, rekey, a.nameVisitor},
	)))
	p.OnResponse().DoFunc(onResponse([]responseStep{
		decodeForClient,
		admitPage,
		handOver,
	}))
	return p
}

// beforeScrub are the steps that may end a request's way before anything of it
// is edited.
func (a *assembly) beforeScrub() []requestStep {
	return []requestStep{
		canonicalize,
		a.refuseDestination,
		a.keepSecure,
		countHops,
	}
}

// close closes idle connections; those in use are closed when their exchange ends.
func (a *assembly) close() {
	a.plain.Close()
	if a.dialled != nil {
		a.dialled.Close()
	}
	a.secure.close()
	a.egress.Close()
}

// letGo closes idle connections to origins, and reports whether there were any.
func (a *assembly) letGo() bool {
	n := a.plain.LetGo() + a.secure.letGo()
	if a.dialled != nil {
		n += a.dialled.LetGo()
	}
	return n > 0
}

// RoundTrip sends a request to its origin. Through an HTTP upstream proxy, only that
// proxy is dialled, so the destination guard is asked here about each origin.
func (a *assembly) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme == "https" {
		if in := exchangeOf(r.Context()).visit.inner(); in != nil {
			if err := in.waited(); err != nil {
				closeBody(r.Body)
				return nil, err
			}
		}
		return a.secure.RoundTrip(r)
	}
	if a.dialled == nil {
		return a.plain.RoundTrip(r)
	}
	target, err := egress.Canonical(r.URL.Host, webPort)
	if err == nil {
		err = a.egress.Allow(egress.Plain, target)
	}
	switch {
	case err != nil:
		closeBody(r.Body)
		return nil, err
	case a.egress.Direct(target):
		return a.dialled.RoundTrip(r)
	case len(r.Header["Upgrade"]) > 0 && r.Body == http.NoBody:
		// Most proxies forward no Upgrade, so RFC 6455 §4.1 has clients ask for
		// a tunnel. One that refuses the tunnel may forward it all the same, as
		// guise does.
		resp, err := a.dialled.RoundTrip(r)
		if !is[*egress.HopAnswer](err) {
			return resp, err
		}
	}
	resp, err := a.plain.RoundTrip(r)
	switch {
	case is[*wire.HandshakeError](err):
		return nil, &egress.HopError{Err: err} // no other TLS is on the way to an http origin
	case err == nil && resp.StatusCode == http.StatusProxyAuthRequired:
		resp.Body.Close()
		return nil, egress.ErrHopCredentials
	}
	return resp, err
}

func onRequest(steps []requestStep) func(*http.Request, *goproxy.ProxyCtx) (*http.Request, *http.Response) {
	return func(r *http.Request, ctx *goproxy.ProxyCtx) (*http.Request, *http.Response) {
		e := exchangeOf(r.Context())
		ctx.RoundTripper = e
		for _, step := range steps {
			var refused *failure
			if r, refused = step(e, r); refused != nil {
				return r, refused.response(r, e.html)
			}
		}
		return r, nil
	}
}

func onResponse(steps []responseStep) func(*http.Response, *goproxy.ProxyCtx) *http.Response {
	return func(resp *http.Response, ctx *goproxy.ProxyCtx) *http.Response {
		e := exchangeOf(ctx.Req.Context())
		for _, step := range steps {
			resp = step(e, resp)
		}
		return resp
	}
}

// newTransport returns a transport that dials what use permits.
func (a *assembly) newTransport(use egress.Use) *wire.Transport {
	t := a.options.Timeouts
	transport := &wire.Transport{
		Dial: func(ctx context.Context, _, address string) (net.Conn, error) {
			target, err := egress.Canonical(address, 0)
			if err != nil {
				return nil, err
			}
			return a.egress.Dial(ctx, use, target)
		},
		ResponseTimeout:  t.Response,
		BodyTimeout:      t.Body,
		WriteTimeout:     t.Write,
		HandshakeTimeout: t.Connect,
		TLS:              originTLS(a.options.Inspection.Roots),
		Panicked:         func(stack []byte) { a.options.Log.Error("panic beside a round trip", "stack", string(stack)) },
	}
	if _, authorization, ok := a.egress.HTTPHop(); ok {
		transport.DialHop, transport.HopAuthorization, transport.HopTLS = a.egress.DialHop, authorization, a.egress.HopTLS()
		transport.MaxIdle = 32 // of the hundred or so that many proxies serve at a time
	}
	return transport
}

// silent is goproxy's logger: its lines name hosts.
type silent struct{}

func (silent) Printf(string, ...any) {}
