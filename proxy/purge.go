package proxy

import (
	"net"
	"net/http"
	"net/netip"

	"guise/proxy/console"
	"guise/proxy/egress"
	"guise/proxy/gate"
)

// A purger drops from the cache what people name, by the cache's own names: a URL as the
// filters leave it, and a host in canonical form.
type purger struct{ proxy *Proxy }

var _ console.Store = purger{}

// PurgeURL implements [console.Store].
func (s purger) PurgeURL(url string) {
	s.proxy.cache.PurgeURL(url) // as written: signed requests keep all parameters
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return
	}
	r, refused := canonicalize(&exchange{visit: &visit{connection: new(connection)}}, r)
	if refused != nil {
		return
	}
	set := s.proxy.current.Load().filters
	m := set.Read(r, netip.Addr{})
	set.Request(m, nil)
	s.proxy.cache.PurgeURL(m.Request.URL.String())
}

// PurgeHost implements [console.Store].
func (s purger) PurgeHost(host string) {
	if target, err := egress.Canonical(net.JoinHostPort(host, "80"), 0); err == nil {
		host = target.Host
	}
	s.proxy.cache.PurgeHost(host)
}

// PurgeAll implements [console.Store].
func (s purger) PurgeAll() { s.proxy.cache.PurgeAll() }

// Forget implements [console.Store].
func (s purger) Forget(client netip.Addr) {
	visitor := gate.Entrant{Address: client}.Visitor()
	s.proxy.cache.Forget(visitor)
	s.proxy.current.Load().inspects.memory.Forget(visitor)
}

// Purge answers the operator's POST of what is to be dropped from the cache: a URL, a
// host, or * for everything, in a field named "what".
func (p *Proxy) Purge(w http.ResponseWriter, r *http.Request) { console.Purge(purger{p})(w, r) }
