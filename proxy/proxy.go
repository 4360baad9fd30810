// Package proxy assembles guise: listeners hand requests to one goproxy
// pipeline of request filters, cache, response filters and egress.
//
// Call [New] for a configuration and [Proxy.Serve] for every listener;
// [Proxy.Reload] swaps the configuration without cutting a connection.
// [Explain] says what would happen to a request without sending it.
package proxy

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"guise/cache"
	"guise/filters"
	"guise/proxy/console"
	"guise/proxy/egress"
	"guise/proxy/gate"
	"guise/proxy/telemetry"
	"guise/proxy/wire"
)

// Options configures a [Proxy]. The zero value is a proxy for loopback
// clients with every filter on.
type Options struct {
	Gate       gate.Options    // who may enter
	Filters    filters.Options // what is hidden
	Cache      cache.Options   // what is reused
	Egress     egress.Options  // where requests may go, and how they leave; Own and ConnectTimeout are set by the proxy
	Limits     wire.Limits     // sizes and counts of what a client may send
	Inspection Inspection      // whose TLS is ended here
	Timeouts   Timeouts
	TunnelTLS  bool         // carry no CONNECT tunnel but one that begins with TLS for the host of CONNECT
	Console    bool         // serve the start page and the PAC file on the listeners
	Log        *slog.Logger // nil discards

	LogRequests bool               // log a line for each request, which says neither who asked nor for what
	Metrics     *telemetry.Metrics // nil counts nothing; one for the life of the proxy
	Pressure    *gate.Pressure     // while it is short, new work is refused; nil never
	Admin       []netip.AddrPort   // other listeners of this process; the guard lets nothing go there
}

// Timeouts bounds every wait. Zero fields take the value in parentheses.
type Timeouts struct {
	Head      time.Duration // reading one request head (15s)
	KeepAlive time.Duration // idle client connection (75s)
	Body      time.Duration // each read of a body, from client or origin (60s)
	Write     time.Duration // each write to a client or origin (60s)
	Connect   time.Duration // dialling an origin, all addresses together (10s)
	Response  time.Duration // waiting for an origin's response head (60s)
	Tunnel    time.Duration // tunnel with no bytes in either direction (10m)
}

func (t Timeouts) withDefaults() Timeouts {
	return Timeouts{
		Head:      cmp.Or(t.Head, 15*time.Second),
		KeepAlive: cmp.Or(t.KeepAlive, 75*time.Second),
		Body:      cmp.Or(t.Body, time.Minute),
		Write:     cmp.Or(t.Write, time.Minute),
		Connect:   cmp.Or(t.Connect, 10*time.Second),
		Response:  cmp.Or(t.Response, time.Minute),
		Tunnel:    cmp.Or(t.Tunnel, 10*time.Minute),
	}
}

// A Proxy serves clients. It is safe for concurrent use.
type Proxy struct {
	current atomic.Pointer[assembly] // the configuration in force; a Reload replaces it
	cache   *cache.Cache
	server  *wire.Server
	tunnels *tunnels
	away    doorkeeper    // answers clients that are not let in, or keeps them waiting
	barrier barrier       // has the system keep out those who come all the same
	shaking chan struct{} // a semaphore: holds a token for each client's TLS handshake that is being computed
	console http.Handler
	reload  sync.Mutex // held by Reload
	watched sync.Once  // metrics of cache and pressure are registered

	mu        sync.Mutex
	listening []netip.AddrPort // guarded by mu
}

// New assembles a proxy. It fails if something that o names cannot be used, such as a
// persona, a site pattern, a source address, an upstream proxy or a file.
func New(o Options) (*Proxy, error) {
	p := &Proxy{shaking: make(chan struct{}, gate.HalfProcessors)}
	p.away.pressure = o.Pressure
	p.cache = cache.New(o.Cache)
	pages := console.Handler(p.shown, purger{p})
	pages.HandleFunc("/", notAProxyUse.write)
	p.console = pages
	a, err := p.assemble(o, nil)
	if err != nil {
		p.cache.Close()
		return nil, err
	}
	p.current.Store(a)
	p.tunnels = newTunnels(a.options.Log)
	p.watch(o.Metrics)
	p.server = &wire.Server{
		Handler:     p,
		HTTP2:       true,
		OwnSockets:  insideConnect,
		Admit:       p.admit,
		Client:      clientAt,
		Disturbed:   p.disturbed,
		Large:       p.largeHead,
		ConnContext: connectionContext,
		Refused:     p.refusedUnread,
		Speaks:      speaksInside,
		Log:         a.options.Log,
	}
	p.configureServer(a.options)
	o.Pressure.RelievedBy(gate.Relief{Memory: p.cache.Relieve, Descriptors: p.letGo, Clients: p.haveIdleEnd})
	return p, nil
}

// assemble completes o by what only the running proxy knows. before is what
// ran until now, nil at first.
func (p *Proxy) assemble(o Options, before *assembly) (*assembly, error) {
	o.Timeouts = o.Timeouts.withDefaults()
	o.Egress.ConnectTimeout = o.Timeouts.Connect
	o.Egress.Own = func() []netip.AddrPort { return append(p.addresses(), o.Admin...) }
	return assemble(o, p.cache, before)
}

// refusedUnread counts a request that the server has refused itself, because it is malformed
// or there is no memory for it, and returns the fields of that answer.
func (p *Proxy) refusedUnread(status int) http.Header {
	metrics := p.current.Load().options.Metrics
	if status == http.StatusServiceUnavailable {
		metrics.Refused(reasonOf(errShort))
		return overLimit(errShort).fields()
	}
	metrics.Error(badRequest.kind)
	return badRequest.fields()
}

// letGo closes idle connections to origins, and reports whether there were any.
func (p *Proxy) letGo() bool { return p.current.Load().letGo() }

// largeHead has a head that may be large count as a request: it takes as much.
func (p *Proxy) largeHead() (done func(), ok bool) {
	pressure := p.current.Load().options.Pressure
	return pressure.End, pressure.Begin()
}

// haveIdleEnd closes up to most idle connections of clients.
func (p *Proxy) haveIdleEnd(most int64) {
	for range most {
		if !p.server.GiveWay(netip.Addr{}, false) {
			return
		}
	}
}

func (p *Proxy) configureServer(o Options) {
	p.server.SetLimits(o.Limits, wire.Timeouts{
		Head:      o.Timeouts.Head,
		KeepAlive: o.Timeouts.KeepAlive,
		Body:      o.Timeouts.Body,
		Write:     o.Timeouts.Write,
	})
}

// Reload makes o the configuration of every request from now on. Requests and
// tunnels that have begun go on as they are. If o is bad, the old configuration stays.
func (p *Proxy) Reload(o Options) error {
	p.reload.Lock()
	defer p.reload.Unlock()
	a, err := p.assemble(o, p.current.Load())
	if err != nil {
		return err
	}
	p.cache.SetOptions(o.Cache)
	p.configureServer(a.options)
	before := p.current.Load()
	if !a.egress.ClosesAs(before.egress) {
		p.cache.Renew(a.way) // which stored responses came from addresses that are closed now, only look-ups would tell
	}
	p.current.Store(a)
	before.gate.Replace()
	before.close()
	p.watch(o.Metrics)
	return nil
}

// SaveVolumes writes what clients have spent today to a process that takes
// over; see [Proxy.LoadVolumes].
func (p *Proxy) SaveVolumes(w io.Writer) error { return p.current.Load().gate.SaveVolumes(w) }

// LoadVolumes reads what [Proxy.SaveVolumes] wrote.
func (p *Proxy) LoadVolumes(r io.Reader) error { return p.current.Load().gate.LoadVolumes(r) }

// listensAt adds own to the addresses at which this proxy listens.
func (p *Proxy) listensAt(own netip.AddrPort) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.listening = append(p.listening, own)
}

// stopsListening takes own out of them, once.
func (p *Proxy) stopsListening(own netip.AddrPort) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.listening, own); i >= 0 {
		p.listening = slices.Concat(p.listening[:i], p.listening[i+1:]) // others may have the slice
	}
}

// addresses are where this proxy itself listens: the guard lets nothing go
// there. The slice is never written again.
func (p *Proxy) addresses() []netip.AddrPort {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clip(p.listening)
}

// ServeHTTP carries one request. It is for [wire.Server]: a response that breaks
// off before the client's eyes ends in a panic with [http.ErrAbortHandler].
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := p.current.Load()
	c := connectionOf(r.Context())
	w, seen := a.observe(w, r)
	v := &visit{connection: c, seen: seen}
	whole := false
	defer func() {
		// A context that has ended by now is that of a client who has left.
		v.end(v.told || whole && r.Context().Err() == nil)
	}()
	p.serve(a, w, r, v)
	whole = true
}

// serve answers one request of a client that has yet to be let in.
func (p *Proxy) serve(a *assembly, w http.ResponseWriter, r *http.Request, v *visit) {
	w, r, refused := asToProxy(v.connection, w, r)
	v.seen.classify(v.connection, r)
	remote, err := v.connection.remote.of(r.RemoteAddr, netip.ParseAddrPort)
	if err != nil {
		notAdmitted.write(w, r)
		return
	}
	if v.connection.opened(a.egress, remote) {
		looped.write(w, r)
		return
	}
	// Also for what is refused anyway: to say so is work as well.
	if err := a.enter(v, r, remote.Addr()); err != nil {
		a.refuse(w, r, remote.Addr(), err)
		return
	}
	if refused != nil {
		refused.write(w, r)
		return
	}
	if in := v.inner(); in != nil {
		if a.inspects.leaves(in) {
			panic(wire.ErrElsewhere) // in a tunnel
		}
		in.anotherProtocol(r)
		if r, refused = in.absolute(r); refused != nil {
			refused.write(w, r)
			return
		}
	}
	switch {
	case r.Method == http.MethodConnect:
		p.connect(a, w, r, v)
	case r.Method == http.MethodTrace:
		traceRefused.write(w, r)
	case !r.URL.IsAbs():
		p.ownPage(a, w, r)
	case !a.options.Pressure.Begin():
		a.refuse(w, r, remote.Addr(), errShort)
	default:
		defer a.options.Pressure.End()
		p.exchange(a, w, r, v)
	}
}

func (p *Proxy) exchange(a *assembly, w http.ResponseWriter, r *http.Request, v *visit) {
	e := a.serve(w, r, v)
	broken := e.broken.cause()
	switch {
	case broken != nil && withdraw(w):
		writeAnswer(w, failureOf(broken).response(r, e.html), "")
	case broken != nil:
		panic(http.ErrAbortHandler) // never pass a part for the whole
	case e.upgrade != nil:
		p.upgraded(a, e)
	default:
		e.finishUpload()
	}
}

// ownPage answers requests to the proxy itself. A page of another site that
// asks gets no answer, as where nobody listens: it would learn that its
// visitor uses guise.
func (p *Proxy) ownPage(a *assembly, w http.ResponseWriter, r *http.Request) {
	console.ForOwnPages(w.Header())
	switch {
	case console.AskedByOthers(r):
		panic(http.ErrAbortHandler)
	case r.Method == http.MethodOptions && r.RequestURI == "*":
		ownOptions.write(w, r)
	case a.options.Console && a.inspects.page(w, r):
	case a.options.Console:
		p.console.ServeHTTP(w, r)
	default:
		notAProxyUse.write(w, r)
	}
}

// shown is what the start page says of the configuration.
func (p *Proxy) shown() console.State {
	a := p.current.Load()
	o := a.options
	cookies := map[filters.CookiePolicy]string{
		filters.CookiesDefault:    "third-party cookies, ",
		filters.CookiesFirstParty: "third-party cookies, ",
		filters.CookiesSession:    "cookies that outlast a session, ",
		filters.CookiesBlock:      "cookies, ",
	}
	return console.State{
		Persona:    o.Filters.Persona != "off",
		Cookies:    cookies[o.Filters.Cookies],
		Validators: o.Cache.Sharing != cache.Shared,
		Inspects:   a.inspects.authority != nil,
		Accounts:   o.Gate.Authentication != gate.None,
		Passwords:  o.Gate.Authentication == gate.Basic || o.Gate.Authentication == gate.Token,
	}
}

// Shutdown stops accepting and waits for running requests and tunnels until
// ctx ends; then it closes what is left and returns ctx's error.
func (p *Proxy) Shutdown(ctx context.Context) error {
	p.barrier.close()
	// Twice: of a CONNECT the server may get a connection back to read what is
	// inside, and that can become a tunnel once more.
	err := errors.Join(p.server.Shutdown(ctx), p.tunnels.drain(ctx))
	if err == nil {
		err = errors.Join(p.server.Shutdown(ctx), p.tunnels.drain(ctx))
	}
	return errors.Join(err, p.Close())
}

// Close ends every connection at once.
func (p *Proxy) Close() error {
	p.barrier.close() // before the listeners
	err := p.server.Close()
	p.tunnels.close()
	p.away.wait()
	p.current.Load().close()
	return errors.Join(err, p.cache.Close())
}

// PAC returns the PAC file for browsers that reach the proxy at address, a
// host:port, over TLS if secure is set.
func PAC(address string, secure bool) string { return console.PAC(address, secure) }

// PACDataURL returns the same as a data: URL, which browsers have without asking.
func PACDataURL(address string, secure bool) string { return console.PACDataURL(address, secure) }
