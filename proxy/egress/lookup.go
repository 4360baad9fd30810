package egress

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// houseIsClosed reports whether t is a name of the house, and Allow opens neither it nor
// any network: whatever the name servers here would say of it is closed then.
func (e *Egress) houseIsClosed(t Target) bool {
	return !t.Addr.IsValid() && ofTheHouse(t.Host) && len(e.guard.allow.networks) == 0 && !e.guard.allow.host(t.Host)
}

// resolveHere returns the addresses that /etc/hosts has of t. Name servers are not asked:
// they may be anywhere, need not know what machines there are (RFC 6762 §22.1, RFC 8375
// §4), and whoever is let in would learn it by what becomes of a request.
func resolveHere(ctx context.Context, t Target) ([]netip.Addr, error) {
	addrs, err := asksNobody.LookupNetIP(ctx, "ip", t.Host)
	if err != nil {
		return nil, refusedDestination
	}
	for i, addr := range addrs {
		addrs[i] = addr.Unmap()
	}
	return addrs, nil
}

var asksNobody = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
	return nil, refusedDestination
}}

// A resolvers looks names up.
type resolvers struct {
	abroad *net.Resolver
	nearby *net.Resolver // for names of the house
}

// observedBoth returns both as [observed] does.
func observedBoth(abroad, nearby *net.Resolver, look func(note *rcodes, answer []byte)) resolvers {
	both := resolvers{nearby: observed(nearby, look)}
	if both.abroad = both.nearby; abroad != nearby {
		both.abroad = observed(abroad, look)
	}
	return both
}

// resolve returns the addresses of t, in the order in which the resolver
// would try them (RFC 6724), at least one if err is nil.
func (r resolvers) resolve(ctx context.Context, t Target) ([]netip.Addr, error) {
	if t.Addr.IsValid() {
		return []netip.Addr{t.Addr}, nil
	}
	name := t.Host
	dot := strings.LastIndexByte(name, '.')
	switch {
	case notInDNS[name[dot+1:]]:
		return nil, &LookupError{&net.DNSError{Err: "no such host", IsNotFound: true}, "NXDOMAIN"}
	case dot >= 0:
		name += "." // a whole name; the search list is for single labels
	}
	resolver := r.abroad
	if ofTheHouse(t.Host) {
		resolver = r.nearby
	}
	said := new(rcodes)
	addrs, err := lookUp(context.WithValue(ctx, rcodesKey{}, said), resolver, name)
	if said.closed.Load() {
		return nil, refusedDestination
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return nil, said.of(dns)
	}
	if err != nil {
		return nil, err
	}
	for i, addr := range addrs {
		addrs[i] = addr.Unmap()
	}
	return addrs, nil
}

// notInDNS are the top-level domains of names that no name server knows: a look-up
// would only tell them what is visited.
var notInDNS = map[string]bool{
	"onion":   true, // RFC 7686 §2
	"alt":     true, // RFC 9476 §2
	"invalid": true, // RFC 6761 §6.4
}

// houseSuffixes are of names that have no owner in the world's DNS.
var houseSuffixes = []string{
	".local",     // RFC 6762 §3
	".home.arpa", // RFC 8375 §4: never to leave the network
	".internal",  // ICANN, 2024-07-29
	// What networks call themselves that did not ask anybody (RFC 6762, appendix G).
	".lan", ".home", ".corp", ".intranet", ".private",
}

// ofTheHouse reports whether only name servers of the network here can know host, if
// anybody does: others would just learn what machines there are.
func ofTheHouse(host string) bool {
	return !strings.Contains(host, ".") ||
		slices.ContainsFunc(houseSuffixes, func(suffix string) bool { return strings.HasSuffix(host, suffix) })
}

// silence6 and silence4 are how long the name servers may take before they are asked
// for the addresses of one kind alone as well. Those of IPv6 lead nowhere from many
// a place, so others are worth a longer wait.
const (
	silence6 = 500 * time.Millisecond // then IPv4 will do
	silence4 = 2 * time.Second        // then IPv6 has to
)

// lookUp asks r for the addresses of name. Some name servers never answer what they
// are asked about one kind (RFC 4074 §4.1, where it is IPv6), and whoever waits for
// both answers gets none: then the other has to do, if it leads anywhere from here.
func lookUp(ctx context.Context, r *net.Resolver, name string) ([]netip.Addr, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var mu sync.Mutex
	var some []netip.Addr // of one kind; guarded by mu
	alone := func(network string, after time.Duration) (wait func()) {
		asked := make(chan struct{})
		timer := time.AfterFunc(after, func() {
			defer close(asked)
			addrs, err := r.LookupNetIP(ctx, network, name)
			if err != nil || !slices.ContainsFunc(addrs[:min(len(addrs), attemptsAtOnce)], hasRoute) {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if some == nil {
				some = addrs
				cancel()
			}
		})
		return func() {
			if !timer.Stop() {
				<-asked
			}
		}
	}
	four, six := alone("ip4", silence6), alone("ip6", silence4)
	addrs, err := r.LookupNetIP(ctx, "ip", name)
	cancel()
	four()
	six()
	if err != nil && some != nil {
		return some, nil
	}
	return addrs, err
}

// hasRoute reports whether the system knows a way to addr. Nothing is sent there.
func hasRoute(addr netip.Addr) bool {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, 9)))
	if err != nil {
		return false
	}
	conn.Close()
	return true
}
