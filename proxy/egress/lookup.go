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

// houseIsClosed reports whether t is a name of the local network, and Allow opens neither
// it nor any network: then each address that a name server could give for it is closed.
func (e *Egress) houseIsClosed(t Target) bool {
	return !t.Addr.IsValid() && ofTheHouse(t.Host) && len(e.guard.allow.networks) == 0 && !e.guard.allow.host(t.Host)
}

// resolveHere returns the addresses that /etc/hosts has for t. Name servers are not asked:
// those outside the local network should not learn the names in it (RFC 6762 §22.1, RFC
// 8375 §4), and by the outcome, clients would learn which names exist.
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

// resolvers look names up.
type resolvers struct {
	abroad *net.Resolver // for names in the public DNS
	nearby *net.Resolver // for names of the local network; see ofTheHouse
}

// observedBoth returns abroad and nearby, each wrapped by [observed].
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

// houseSuffixes are the suffixes of names that have no owner in the public DNS.
var houseSuffixes = []string{
	".local",     // RFC 6762 §3
	".home.arpa", // RFC 8375 §4: never to leave the network
	".internal",  // ICANN, 2024-07-29
	// Not reserved, but widely used for local networks (RFC 6762, appendix G).
	".lan", ".home", ".corp", ".intranet", ".private",
}

// ofTheHouse reports whether host is a name that only the local network's name servers can
// know: others would just learn which machines it has.
func ofTheHouse(host string) bool {
	return !strings.Contains(host, ".") ||
		slices.ContainsFunc(houseSuffixes, func(suffix string) bool { return strings.HasSuffix(host, suffix) })
}

// silence6 and silence4 are how long a look-up of both kinds of addresses runs before
// those of one kind are asked for alone as well. Many networks have no IPv6, so IPv4
// addresses are worth a longer wait.
const (
	silence6 = 500 * time.Millisecond // then IPv4 will do
	silence4 = 2 * time.Second        // then IPv6 has to
)

// lookUp asks r for the addresses of name. Some name servers never answer questions for
// one kind of address (RFC 4074 §4.1: IPv6), and a look-up of both fails with them. So
// addresses of the other kind alone will do after a while, if there is a route to any.
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
