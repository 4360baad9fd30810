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
// name server that lies gains nothing by it. It also gives a way to IPv4 addresses
// that have no route. A translators is safe for concurrent use.
type translators struct {
	resolver *net.Resolver

	mu      sync.Mutex
	known   []netip.Prefix
	until   time.Time     // when to ask again
	failed  int           // times in a row
	waiting chan struct{} // closed when the one who asks has its answer; nil if nobody does
}

const (
	translatedName = "ipv4only.arpa." // RFC 7050 §8.2
	translatedWait = 2 * time.Second  // for the answer: those who wait have a connection to open
	translatedFor  = 5 * time.Minute  // after which a laptop may be in another network
	unknownFor     = 30 * time.Second // after a failure; twice as long after two, and so on
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
		t.until, t.failed = time.Now().Add(translatedFor), 0
	} else {
		t.until = time.Now().Add(min(unknownFor<<t.failed, translatedFor))
		t.failed = min(t.failed+1, 4)
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

// ways returns the IPv6 addresses that the network may translate to addrs, which are IPv4.
func (t *translators) ways(ctx context.Context, addrs []netip.Addr) (ways []netip.Addr) {
	if len(addrs) == 0 {
		return nil
	}
	t.learn(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, addr := range addrs {
		for _, prefix := range t.known {
			ways = append(ways, translatedTo(addr, prefix))
		}
	}
	return ways
}

// prefixLengths are those of RFC 6052 §2.2.
var prefixLengths = [...]int{32, 40, 48, 56, 64, 96}

// prefixesIn returns the prefixes behind which the IPv6 address addr has one of
// translatedAddresses.
func prefixesIn(addr netip.Addr) (prefixes []netip.Prefix) {
	for _, bits := range prefixLengths {
		for _, made := range translatedAddresses {
			if translatedIn(addr, bits) == made {
				prefixes = append(prefixes, netip.PrefixFrom(addr, bits).Masked())
			}
		}
	}
	return prefixes
}

// mayBeTranslated reports whether addr, which is open, may turn out to be closed once the
// network's prefixes are known.
func mayBeTranslated(addr netip.Addr) bool {
	return addr.Is6() && !addr.IsLoopback() && !nat64.Contains(addr)
}

// translatedIn returns the IPv4 address behind the first bits of addr.
func translatedIn(addr netip.Addr, bits int) netip.Addr {
	all := addr.As16()
	var four [4]byte
	for i, at := range octetsBehind(bits) {
		four[i] = all[at]
	}
	return netip.AddrFrom4(four)
}

// translatedTo returns the address that has the IPv4 address addr behind prefix.
func translatedTo(addr netip.Addr, prefix netip.Prefix) netip.Addr {
	all, four := prefix.Addr().As16(), addr.As4()
	for i, at := range octetsBehind(prefix.Bits()) {
		all[at] = four[i]
	}
	return netip.AddrFrom16(all)
}

// octetsBehind returns the places of an IPv4 address's octets behind a prefix of so many
// bits. They skip the octet that RFC 6052 §2.2 reserves.
func octetsBehind(bits int) (places [4]int) {
	const reserved = 8
	for i := range places {
		places[i] = bits/8 + i
		if bits/8 <= reserved && places[i] >= reserved {
			places[i]++
		}
	}
	return places
}
