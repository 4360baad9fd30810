package egress

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

// A translators knows which IPv6 prefixes the network translates to IPv4
// (NAT64). A network may take a part of its own addresses for that, which look
// like any others: behind it, [prefix]10.0.0.1 is the 10.0.0.1 of whoever runs
// the translator. Where there is one, its name servers say so, by the IPv6
// address that they make up for a name that has IPv4 addresses alone
// (RFC 7050). What they say closes addresses and never opens one, so that a
// name server that lies gains nothing by it. It is safe for concurrent use.
type translators struct {
	resolver *net.Resolver

	mu      sync.Mutex
	known   []netip.Prefix
	until   time.Time     // when to ask again
	waiting chan struct{} // closed when the one who asks has its answer; nil if nobody does
}

const (
	translatedName = "ipv4only.arpa." // RFC 7050 §8.2
	translatedWait = 2 * time.Second  // for the answer: those who wait have a connection to open
	translatedFor  = 5 * time.Minute  // after which a laptop may be in another network
	unknownFor     = 30 * time.Second // after a failure
	mostPrefixes   = 16               // of one answer
)

// translatedAddresses are the IPv4 addresses of that name (RFC 7050 §8.2).
var translatedAddresses = [...]netip.Addr{
	netip.MustParseAddr("192.0.0.170"),
	netip.MustParseAddr("192.0.0.171"),
}

// learn asks the name servers, unless that was done lately, and returns when
// the answer is there, or will not come in time: then the prefixes known
// before stand.
func (t *translators) learn(ctx context.Context) {
	t.mu.Lock()
	if time.Now().Before(t.until) {
		t.mu.Unlock()
		return
	}
	if waiting := t.waiting; waiting != nil {
		t.mu.Unlock()
		select {
		case <-waiting:
		case <-ctx.Done():
		}
		return
	}
	t.waiting = make(chan struct{})
	t.mu.Unlock()
	t.ask(ctx)
}

// ask asks for all who wait: it goes on if ctx ends.
func (t *translators) ask(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), translatedWait)
	defer cancel()
	addrs, err := t.resolver.LookupNetIP(ctx, "ip6", translatedName)
	none, missing := errors.AsType[*net.DNSError](err)
	missing = missing && none.IsNotFound
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil || missing {
		t.known = nil
		for _, addr := range addrs {
			t.known = append(t.known, prefixesIn(addr)...)
		}
		t.known = t.known[:min(len(t.known), mostPrefixes)]
		t.until = time.Now().Add(translatedFor)
	} else {
		t.until = time.Now().Add(unknownFor)
	}
	close(t.waiting)
	t.waiting = nil
}

// inside returns the IPv4 addresses that addr may be translated to.
func (t *translators) inside(addr netip.Addr) (inner []netip.Addr) {
	if t == nil || !addr.Is6() {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, prefix := range t.known {
		if prefix.Contains(addr) {
			inner = append(inner, translatedIn(addr, prefix.Bits()))
		}
	}
	return inner
}

// prefixLengths are those of RFC 6052 §2.2.
var prefixLengths = [...]int{32, 40, 48, 56, 64, 96}

// prefixesIn returns the prefixes that make addr of one of the name's IPv4
// addresses.
func prefixesIn(addr netip.Addr) (prefixes []netip.Prefix) {
	if !addr.Is6() || addr.Is4In6() {
		return nil
	}
	for _, bits := range prefixLengths {
		for _, made := range translatedAddresses {
			if translatedIn(addr, bits) == made {
				prefixes = append(prefixes, netip.PrefixFrom(addr.WithZone(""), bits).Masked())
			}
		}
	}
	return prefixes
}

// mayBeTranslated reports whether addr, which is open, may be closed for what the
// network translates it to.
func mayBeTranslated(addr netip.Addr) bool {
	return addr.Is6() && !addr.IsLoopback() && !nat64.Contains(addr)
}

// translatedIn returns the IPv4 address behind the first bits of addr, which
// skips the octet that RFC 6052 §2.2 reserves.
func translatedIn(addr netip.Addr, bits int) netip.Addr {
	const reserved = 8
	all := addr.As16()
	var four [4]byte
	at := bits / 8
	for i := range four {
		if at == reserved {
			at++
		}
		four[i] = all[at]
		at++
	}
	return netip.AddrFrom4(four)
}
