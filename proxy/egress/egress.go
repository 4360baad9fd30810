// Package egress is how requests leave: one canonical form of a host, the
// destination guard, source addresses and upstream proxies.
//
// A host goes through [Canonical] first; only the [Target] that comes back
// is checked, used as a key, and dialled. [New] makes an [Egress] for a
// configuration; [Egress.Allow] refuses what needs no look-up to be refused,
// and [Egress.Dial] connects. The address that is dialled is the address
// that was checked: the guard runs on the socket, after resolution, so a name
// that changes its address between two look-ups gains nothing.
//
// Four things are out of the guard's reach. Behind an upstream proxy a name is
// resolved there, and only that proxy can refuse where it leads. A NAT64
// prefix of the network's own choosing looks like any other IPv6 network,
// unless the name servers tell of it (RFC 7050): where one is in use and they
// do not, name it in Options.Deny or rely on the gateway. Neighbours with
// public addresses, as all in a house have by IPv6, look public from here, though
// a firewall may protect them from the world. And so does the public address that
// a router or a cloud translates to this machine's, by which a client could come
// back as this machine. Where strangers are let in, name both in Options.Deny.
package egress

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"reflect"
	"runtime"
	"slices"
	"time"
)

// Options configures an [Egress]. The zero value goes straight to public
// addresses, on the ports that the web uses.
type Options struct {
	SourceAddresses []netip.Addr            // outgoing connections leave from these, to each host in turn; nil lets the system choose
	Chain           []*url.URL              // http://, https://, socks5:// or socks5h:// proxies to go through, in this order, with or without userinfo; nil goes direct
	Sites           []Site                  // which hosts go through the chain; the first that matches decides, and hosts that none matches do
	ChainRoots      string                  // PEM file of the authorities that https:// proxies are verified against; "" means the system's
	Ports           []PortRange             // ports for plain HTTP; nil means 80, 443, 1024-65535
	ConnectPorts    []PortRange             // ports for CONNECT; nil means 443
	CloseAbused     bool                    // keep ports of mail and other abused services closed where they are within a range rather than named alone
	Allow           []string                // networks, addresses, hosts or "*.host" that the guard lets through
	Deny            []string                // the same, closed whatever Allow says
	DenyLists       []string                // files of hosts that are closed as well, as [ReadList] reads them
	Own             func() []netip.AddrPort // listeners of this process, never a destination; nil means none
	ConnectTimeout  time.Duration           // look-up and all addresses together; 0 means 10 s
	NameServers     []*url.URL              // asked over HTTPS (RFC 8484), each if those before it fail; nil for the system's
	Resolver        *net.Resolver           // looks all names up, whatever NameServers says; nil for those
}

// A Site says whether connections to the hosts that match go through the chain.
type Site struct {
	Match  string // "host", or "*.host" for every name below host
	Direct bool   // they do not
}

// defaultConnectTimeout is long enough for two lost SYNs (RFC 6298: 1 + 2 s).
const defaultConnectTimeout = 10 * time.Second

// systemResolver reads /etc/hosts and asks the name servers itself on Linux:
// the C library's look-up would hold a thread for each name, and does not know
// the names of /etc/hosts when they end in a dot.
var systemResolver = &net.Resolver{PreferGo: runtime.GOOS == "linux"}

// An Egress opens connections to origins. It is safe for concurrent use.
type Egress struct {
	guard    guard
	ports    [2]openPorts // by Use
	source4  []netip.Addr
	source6  []netip.Addr
	turns    turns
	hops     []*hop // in the order in which they are gone through; nil: straight to the origin
	sites    []route
	timeout  time.Duration
	names    resolvers       // for origins
	ownNames resolvers       // for what no client asks for, such as the first upstream proxy: no name is closed
	asking   *http.Transport // to name servers over HTTPS, for both; nil without such
	lists    []Listed
	open     registry
}

// New returns an Egress for o. It fails on a source address that this
// machine does not have, on a chain it cannot speak to, on an entry of
// Allow or Deny that is neither a network nor a host, and on a list that cannot
// be read.
func New(o Options) (*Egress, error) {
	e := &Egress{
		ports:   [2]openPorts{Plain: {ranges: o.Ports}, Connect: {ranges: o.ConnectPorts}},
		timeout: cmp.Or(o.ConnectTimeout, defaultConnectTimeout),
	}
	if o.Ports == nil {
		e.ports[Plain].ranges = defaultPorts
	}
	if o.ConnectPorts == nil {
		e.ports[Connect].ranges = defaultConnectPorts
	}
	if o.CloseAbused {
		for use := range e.ports {
			e.ports[use].closed = abusedPorts
		}
	}
	nearby := cmp.Or(o.Resolver, systemResolver) // knows the network's own names
	abroad := nearby
	if o.Resolver == nil && len(o.NameServers) > 0 {
		abroad, e.asking = newResolver(o.NameServers)
	}
	e.names = observedBoth(abroad, nearby, e.look)
	e.ownNames = observedBoth(abroad, nearby, (*rcodes).add)
	// Package net reads resolv.conf for the first look-up and, without a descriptor for that,
	// uses defaults for five seconds. So look up a name, which asks no name server, before
	// clients can take all descriptors.
	resolveHere(context.Background(), Target{Host: "localhost"})
	var err error
	if e.guard, err = newGuard(o.Allow, o.Deny, o.Own); err != nil {
		return nil, err
	}
	if err := e.addLists(o.DenyLists); err != nil {
		return nil, err
	}
	e.guard.translators = &translators{resolver: e.ownNames.nearby}
	for _, source := range o.SourceAddresses {
		if err := e.addSource(source); err != nil {
			return nil, err
		}
	}
	if err := e.addHops(o.Chain, o.ChainRoots); err != nil {
		return nil, err
	}
	if err := e.addSites(o.Sites); err != nil {
		return nil, err
	}
	return e, nil
}

// addLists closes the hosts that the files in paths list.
func (e *Egress) addLists(paths []string) error {
	for _, path := range paths {
		l, err := ReadList(path)
		if err != nil {
			return fmt.Errorf("list of hosts: %w", err)
		}
		e.guard.listed.take(l)
		l.entries = nil
		e.lists = append(e.lists, *l)
	}
	return nil
}

// addSites appends the routes that sites describe.
func (e *Egress) addSites(sites []Site) error {
	for _, site := range sites {
		match, err := parseRules([]string{site.Match})
		if err != nil {
			return fmt.Errorf("upstream chain: site %w", err)
		}
		e.sites = append(e.sites, route{match, site.Direct})
	}
	return nil
}

// addHops appends the upstream proxies of chain. roots is a PEM file of the
// authorities for those over TLS, "" for the system's.
func (e *Egress) addHops(chain []*url.URL, roots string) (err error) {
	var trusted *x509.CertPool
	if roots != "" {
		if trusted, err = ReadRoots(roots); err != nil {
			return fmt.Errorf("upstream chain: %w", err)
		}
	}
	for _, u := range chain {
		h, err := newHop(u, trusted)
		if err != nil {
			return err
		}
		e.hops = append(e.hops, h)
	}
	return nil
}

// Lists says what was read of each file of Options.DenyLists, in that order.
func (e *Egress) Lists() []Listed { return e.lists }

// ClosesAs reports whether e and o close the same destinations, apart from ports.
func (e *Egress) ClosesAs(o *Egress) bool {
	g, h := &e.guard, &o.guard
	return reflect.DeepEqual(g.allow, h.allow) && reflect.DeepEqual(g.deny, h.deny) &&
		g.listed.closed.equal(&h.listed.closed) && g.listed.open.equal(&h.listed.open)
}

// Close closes idle connections to name servers over HTTPS. Later look-ups open others.
func (e *Egress) Close() {
	if e.asking != nil {
		e.asking.CloseIdleConnections()
	}
}

// addSource takes source into the rotation if a socket can be bound to it.
// Binding says more than the list of interface addresses: all of 127.0.0.0/8
// and any-IP routes can be bound and are not in that list. Only broadcast
// addresses can be bound without being anyone's.
func (e *Egress) addSource(source netip.Addr) error {
	source = source.Unmap()
	if !source.IsValid() || source.IsUnspecified() || source.IsMulticast() || isBroadcast(source) {
		return fmt.Errorf("source address %s: connections cannot leave from it", source)
	}
	probe, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(source, 0)))
	if err != nil {
		return fmt.Errorf("source address %s: this machine does not have it: %w", source, syscallError(err))
	}
	probe.Close()
	if source.Is4() {
		e.source4 = append(e.source4, source)
	} else {
		e.source6 = append(e.source6, source)
	}
	return nil
}

// Allow says whether t may be reached for use, as far as that can be told
// without asking a name server: the port, the lists, well-known local names, literal
// addresses, and names of the house where no name server is asked for them. It returns
// nil or a [*Refused]. Dial checks all of this again.
func (e *Egress) Allow(use Use, t Target) error {
	if !e.ports[use].contains(t.Port) {
		return ErrPort
	}
	if err := e.guard.target(t); err != nil || !e.houseIsClosed(t) || !e.Direct(t) {
		return err
	}
	addrs, err := resolveHere(context.Background(), t)
	ok := e.guard.check(t)
	if err == nil && !slices.ContainsFunc(addrs, func(addr netip.Addr) bool { return ok(netip.AddrPortFrom(addr, t.Port)) == nil }) {
		return refusedDestination
	}
	return err
}

// ClosesHosts reports whether there are hosts that are closed by their names.
func (e *Egress) ClosesHosts() bool { return e.guard.closesHosts() }

// ClosesName reports whether t is a host that is closed by its name, wherever that leads.
func (e *Egress) ClosesName(t Target) bool { return e.guard.closesName(t.Host) }

// A route says how the hosts that match are reached.
type route struct {
	match  rules
	direct bool
}

// Direct reports whether connections to t go past the upstream proxies, or there are
// none.
func (e *Egress) Direct(t Target) bool {
	for _, site := range e.sites {
		if site.match.host(t.Host) || site.match.address(t.Addr) {
			return site.direct || len(e.hops) == 0
		}
	}
	return len(e.hops) == 0
}

// lastHop returns the upstream proxy that connects to origins, nil if there is none.
func (e *Egress) lastHop() *hop {
	if len(e.hops) == 0 {
		return nil
	}
	return e.hops[len(e.hops)-1]
}

// HTTPHop returns the upstream proxy that takes requests for http:// URLs in
// absolute form, as host:port, and the value of Proxy-Authorization that it
// wants, "" for none. Without such a proxy, ok is false.
func (e *Egress) HTTPHop() (address, authorization string, ok bool) {
	h := e.lastHop()
	if h == nil || h.socks {
		return "", "", false
	}
	return h.target.String(), h.authorization, true
}

// HopTLS returns the TLS configuration for the proxy that [Egress.HTTPHop] returns, which
// there must be; nil if it is reached without TLS.
func (e *Egress) HopTLS() *tls.Config { return e.lastHop().tls }

// DialHop connects to the proxy that [Egress.HTTPHop] returns, which there must be, through
// those before it, and sends it nothing: TLS is up to the caller. A failure is a [*HopError].
func (e *Egress) DialHop(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	return e.dialHop(ctx)
}

// Dial connects to t. The connection is a *net.TCPConn to the origin or to the first
// upstream proxy, or a *tls.Conn to an upstream proxy over TLS. If the chain fails, Dial
// does; only hosts that Options.Sites says so of are reached without it.
//
// An error is a [*Refused], a [*HopError] if the upstream proxy is at fault,
// the context's cause if it was cancelled, or a *net.OpError with Op "dial" that
// wraps the system's error or a *net.DNSError, perhaps in a [*LookupError]. None of
// them names the destination.
func (e *Egress) Dial(ctx context.Context, use Use, t Target) (net.Conn, error) {
	if err := e.Allow(use, t); err != nil {
		return nil, err
	}
	parent := ctx
	ctx, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	var conn net.Conn
	var err error
	if e.Direct(t) {
		conn, err = e.dialDirect(ctx, t, e.guard.check(t), true)
	} else {
		conn, err = e.dialThrough(ctx, t)
	}
	if err != nil && errors.Is(parent.Err(), context.Canceled) {
		err = context.Cause(parent)
	}
	return conn, err
}
