package proxy

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"

	"guise/filters"
	"guise/proxy/egress"
	"guise/proxy/gate"
)

// A connection is what the requests that come on one connection share, and what was
// made of the last one of them: most say the same. It is safe for concurrent use.
type connection struct {
	number uint64         // unique within the process; 0 for none
	inner  *inner         // nil unless it is inside a CONNECT
	socks  *viaSOCKS      // nil unless it came through SOCKS
	local  netip.AddrPort // where it was accepted; zero if unknown
	asked  atomic.Int32   // challenges sent (407), less requests with credentials since

	shown     *gate.Shown // what the gate knows of it; nil for nothing
	recent    filters.Recent
	remote    last[string, netip.AddrPort]   // by how it is written
	own       last[*egress.Egress, bool]     // whether that opened it, which is a loop
	visitor   last[gate.Entrant, string]     // its name
	canonical last[authority, egress.Target] // form of a destination
}

// An authority is a destination as a request names it.
type authority struct {
	host string
	port uint16 // for a host without one
}

// A last caches what the last value was converted to: the next value is mostly the same.
type last[From comparable, To any] struct {
	made atomic.Pointer[made[From, To]]
}

type made[From comparable, To any] struct {
	from From
	to   To
}

// is reports whether from was the last value.
func (l *last[From, To]) is(from From) bool {
	m := l.made.Load()
	return m != nil && m.from == from
}

// of returns what convert makes of from. An error is not remembered.
func (l *last[From, To]) of(from From, convert func(From) (To, error)) (To, error) {
	if m := l.made.Load(); m != nil && m.from == from {
		return m.to, nil
	}
	to, err := convert(from)
	if err == nil {
		l.made.Store(&made[From, To]{from, to})
	}
	return to, err
}

type connectionKey struct{}

// connections numbers the connections of all proxies of the process.
var connections atomic.Uint64

// connectionContext gives the requests of a connection what they share.
func connectionContext(ctx context.Context, nc net.Conn) context.Context {
	c := &connection{number: connections.Add(1), inner: innerUnder(nc), shown: new(gate.Shown)}
	if c.socks, _ = ctx.Value(socksKey{}).(*viaSOCKS); c.socks != nil {
		c.shown = &c.socks.shown
	}
	if local, ok := ctx.Value(http.LocalAddrContextKey).(*net.TCPAddr); ok {
		c.local = local.AddrPort()
	}
	return context.WithValue(ctx, connectionKey{}, c)
}

// connectionOf returns what is remembered of the connection that a request came on.
func connectionOf(ctx context.Context) *connection {
	if c, ok := ctx.Value(connectionKey{}).(*connection); ok {
		return c
	}
	return new(connection)
}

// opened reports whether the connection from remote is one that e itself
// has opened.
func (c *connection) opened(e *egress.Egress, remote netip.AddrPort) bool {
	own, _ := c.own.of(e, func(e *egress.Egress) (bool, error) { return e.IsOwn(remote, c.local), nil })
	return own
}

// target returns the canonical form of an authority.
func (c *connection) target(host string, defaultPort uint16) (egress.Target, error) {
	a := authority{host, defaultPort}
	if !c.canonical.is(a) {
		// host is a substring of the request's head: kept as it is, it would keep
		// all of that in memory, with the client's password.
		a.host = strings.Clone(host)
	}
	return c.canonical.of(a, func(a authority) (egress.Target, error) {
		return egress.Canonical(a.host, a.port)
	})
}

// nameOf returns what the cache knows a client by.
func (c *connection) nameOf(e gate.Entrant) string {
	name, _ := c.visitor.of(e, func(e gate.Entrant) (string, error) { return e.Visitor(), nil })
	return name
}

// answersChallenge is called for a request with credentials. It reports whether a
// challenge on this connection is still unanswered, which the request answers then.
func (c *connection) answersChallenge() bool {
	if c.asked.Load() <= 0 {
		return false
	}
	if c.asked.Add(-1) < 0 { // another request was quicker
		c.asked.Add(1)
		return false
	}
	return true
}
