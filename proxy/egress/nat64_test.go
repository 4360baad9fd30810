package egress

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// TestTranslatedAddress: RFC 6052 §2.4 has the examples.
func TestTranslatedAddress(t *testing.T) {
	want := netip.MustParseAddr("192.0.2.33")
	for bits, addr := range map[int]string{
		32: "2001:db8:c000:221::",
		40: "2001:db8:1c0:2:21::",
		48: "2001:db8:122:c000:2:2100::",
		56: "2001:db8:122:3c0:0:221::",
		64: "2001:db8:122:344:c0:2:2100::",
		96: "2001:db8:122:344::192.0.2.33",
	} {
		if got := translatedIn(netip.MustParseAddr(addr), bits); got != want {
			t.Errorf("/%d: %s leads to %s", bits, addr, got)
		}
	}
}

// made returns the address by which a network that translates below prefix
// leads to inner.
func made(prefix netip.Prefix, inner netip.Addr) netip.Addr {
	b, four := prefix.Addr().As16(), inner.As4()
	at := prefix.Bits() / 8
	for _, octet := range four {
		if at == 8 {
			at++
		}
		b[at] = octet
		at++
	}
	return netip.AddrFrom16(b)
}

// TestTranslatedAddressesAreJudgedByWhatTheyLeadTo, whatever the network's
// prefix, by name and literally.
func TestTranslatedAddressesAreJudgedByWhatTheyLeadTo(t *testing.T) {
	for _, text := range []string{"2a01:4f8::/32", "2a01:4f8:100::/40", "2a01:4f8:c0c::/48", "2a01:4f8:c0c:1200::/56", "2a01:4f8:c0c:1234::/64", "2a01:4f8:c0c:1234::/96"} {
		prefix := netip.MustParsePrefix(text)
		for _, c := range []struct {
			inner  string
			closed bool
		}{
			{"127.0.0.1", true},
			{"10.0.0.1", true},
			{"169.254.169.254", true},
			{"100.64.0.1", true},
			{"198.51.44.1", true}, // denied
			{"9.9.9.9", true},     // this machine's
			{"8.8.8.8", false},
		} {
			addr := made(prefix, netip.MustParseAddr(c.inner))
			dns := startNameServer(t, func(name string, _ int) ([]netip.Addr, dnsmessage.RCode) {
				if name == translatedName {
					return []netip.Addr{made(prefix, translatedAddresses[0]), made(prefix, translatedAddresses[1]), translatedAddresses[0]}, dnsmessage.RCodeSuccess
				}
				return []netip.Addr{addr}, dnsmessage.RCodeSuccess
			})
			e := newTestEgress(t, Options{Resolver: dns.resolver(), Deny: []string{"198.51.44.0/24"}})
			e.guard.machine.pretend(netip.MustParseAddr("9.9.9.9"))
			for _, host := range []string{"name.example", "[" + addr.String() + "]"} {
				target, err := Canonical(host, 443)
				if err != nil {
					t.Fatal(err)
				}
				e.guard.translators.learn(t.Context())
				err = e.guard.check(target)(netip.AddrPortFrom(addr, 443))
				if refused := errors.As(err, new(*Refused)); refused != c.closed {
					t.Errorf("%s in %s, as %s: %v", c.inner, prefix, host, err)
				}
			}
			if !slices.Contains(dns.questions(), translatedName) {
				t.Error("nobody asked")
			}
		}
	}
}

// TestPrefixIsAskedForBeforeTheFirstAddress: not only behind it.
func TestPrefixIsAskedForBeforeTheFirstAddress(t *testing.T) {
	addr := netip.MustParseAddr("2a01:4f8:c0c:1234::10.0.0.1")
	dns := startNameServer(t, func(name string, _ int) ([]netip.Addr, dnsmessage.RCode) {
		if name == translatedName {
			return []netip.Addr{netip.MustParseAddr("2a01:4f8:c0c:1234::192.0.0.170")}, dnsmessage.RCodeSuccess
		}
		return []netip.Addr{addr}, dnsmessage.RCodeSuccess
	})
	e := newTestEgress(t, Options{Resolver: dns.resolver()})
	for _, host := range []string{"name.example", "[" + addr.String() + "]"} {
		e.guard.translators.until = time.Time{}
		e.guard.translators.known = nil
		target, err := Canonical(host, 443)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Dial(t.Context(), Connect, target); !errors.As(err, new(*Refused)) {
			t.Errorf("%s: %v", host, err)
		}
	}
}

// TestRulesForHostsHideNoPrefix: they are about what clients ask for.
func TestRulesForHostsHideNoPrefix(t *testing.T) {
	addr := netip.MustParseAddr("2a01:4f8:c0c:1234::10.0.0.1")
	e := newTestEgress(t, Options{Deny: []string{"*.arpa"}, Resolver: startNameServer(t, always("2a01:4f8:c0c:1234::192.0.0.170")).resolver()})
	if _, err := e.Dial(t.Context(), Connect, Target{Host: addr.String(), Addr: addr, Port: 443}); !errors.As(err, new(*Refused)) {
		t.Error(err)
	}
}

// TestPrefixInAnAllowedNetwork: what is denied stays so behind a prefix of the
// network's own, private addresses, though these are let through.
func TestPrefixInAnAllowedNetwork(t *testing.T) {
	dns := startNameServer(t, func(name string, _ int) ([]netip.Addr, dnsmessage.RCode) {
		if name == translatedName {
			return []netip.Addr{netip.MustParseAddr("fd00:64::192.0.0.170")}, dnsmessage.RCodeSuccess
		}
		return []netip.Addr{netip.MustParseAddr("fd00:64::10.0.0.1")}, dnsmessage.RCodeSuccess
	})
	for host, allow := range map[string]string{"name.example": "name.example", "[fd00:64::10.0.0.1]": "fd00::/8"} {
		e := newTestEgress(t, Options{Resolver: dns.resolver(), Allow: []string{allow}, Deny: []string{"10.0.0.1"}, ConnectTimeout: time.Second})
		target, err := Canonical(host, 443)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Dial(t.Context(), Connect, target); !errors.As(err, new(*Refused)) {
			t.Errorf("%s: %v", host, err)
		}
		if err := e.guard.check(target)(netip.MustParseAddrPort("[fd00:64::10.0.0.2]:443")); err != nil {
			t.Errorf("%s, what is not denied: %v", host, err)
		}
	}
}

// TestPrefixDoesNotLeadBackHere: nothing that is let through opens this process's own
// listeners, by way of the network's translator either.
func TestPrefixDoesNotLeadBackHere(t *testing.T) {
	dns := startNameServer(t, func(name string, _ int) ([]netip.Addr, dnsmessage.RCode) {
		return []netip.Addr{netip.MustParseAddr("fd00:64::192.0.0.170")}, dnsmessage.RCodeSuccess
	})
	own := []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:8118")}
	e := newTestEgress(t, Options{Resolver: dns.resolver(), Allow: []string{"name.example", "fd00::/8", "10.0.0.1"}, Own: func() []netip.AddrPort { return own }})
	e.guard.translators.learn(t.Context())
	for _, host := range []string{"name.example", "[fd00:64::10.0.0.1]"} {
		for port, closed := range map[uint16]bool{8118: true, 8119: false} {
			err := e.guard.check(mustCanonical(t, host+":80"))(netip.AddrPortFrom(netip.MustParseAddr("fd00:64::10.0.0.1"), port))
			if refused := errors.As(err, new(*Refused)); refused != closed {
				t.Errorf("%s, port %d: %v", host, port, err)
			}
		}
	}
}

// TestNoPrefixIsNoTranslation: neither names that are not there nor name
// servers that fail close anything, and what was known before a failure stays.
func TestNoPrefixIsNoTranslation(t *testing.T) {
	code := dnsmessage.RCodeNameError
	var answer []netip.Addr
	dns := startNameServer(t, func(string, int) ([]netip.Addr, dnsmessage.RCode) { return answer, code })
	e := newTestEgress(t, Options{Resolver: dns.resolver()})
	says := func(c dnsmessage.RCode, addrs ...netip.Addr) {
		dns.mu.Lock()
		defer dns.mu.Unlock()
		code, answer = c, addrs
	}
	tr := e.guard.translators
	open := func() bool {
		tr.until = time.Time{}
		tr.learn(t.Context())
		addr := netip.MustParseAddr("2a01:4f8:c0c:1234::10.0.0.1")
		return e.guard.check(Target{Addr: addr, Port: 443})(netip.AddrPortFrom(addr, 443)) == nil
	}
	if !open() {
		t.Error("a missing name closes an address")
	}
	says(dnsmessage.RCodeServerFailure)
	if !open() {
		t.Error("a failure closes an address")
	}
	says(dnsmessage.RCodeSuccess, netip.MustParseAddr("2a01:4f8:c0c:1234::192.0.0.171"))
	if open() {
		t.Error("the prefix closes nothing")
	}
	says(dnsmessage.RCodeServerFailure)
	if open() {
		t.Error("after a failure the prefix is forgotten")
	}
	if beside := netip.MustParseAddr("2a01:4f8:c0c:1235::10.0.0.1"); e.guard.check(Target{Addr: beside, Port: 443})(netip.AddrPortFrom(beside, 443)) != nil {
		t.Error("the prefix closes what is beside it")
	}
	says(dnsmessage.RCodeNameError)
	if !open() {
		t.Error("the prefix of the network before stays in one that has none")
	}
	says(dnsmessage.RCodeSuccess, netip.MustParseAddr("2a01:4f8:c0c:1234::8.8.8.8"))
	if !open() {
		t.Error("an answer without the well-known address is a prefix")
	}
}

// TestPrefixIsAskedForNowAndThen: not for each connection, whatever the answer, and less
// often after one failure more.
func TestPrefixIsAskedForNowAndThen(t *testing.T) {
	for _, code := range []dnsmessage.RCode{dnsmessage.RCodeSuccess, dnsmessage.RCodeNameError, dnsmessage.RCodeServerFailure} {
		var asked atomic.Int32
		dns := startNameServer(t, func(string, int) ([]netip.Addr, dnsmessage.RCode) {
			asked.Add(1)
			return nil, code
		})
		tr := newTestEgress(t, Options{Resolver: dns.resolver()}).guard.translators
		tr.learn(t.Context())
		once := asked.Load()
		if tr.learn(t.Context()); asked.Load() != once || once == 0 {
			t.Errorf("%v: %d questions, and %d with the next connection", code, once, asked.Load())
		}
		tr.until = time.Time{}
		if tr.learn(t.Context()); code == dnsmessage.RCodeServerFailure && time.Until(tr.until) <= unknownFor {
			t.Errorf("%v: after the second failure %v", code, time.Until(tr.until))
		}
	}
}

// TestOneAsksForThePrefixForAll: the others wait for its answer, or leave.
func TestOneAsksForThePrefixForAll(t *testing.T) {
	asking, answer := make(chan struct{}, 9), make(chan struct{})
	dns := startNameServer(t, func(string, int) ([]netip.Addr, dnsmessage.RCode) {
		asking <- struct{}{}
		<-answer
		return nil, dnsmessage.RCodeSuccess
	})
	tr := newTestEgress(t, Options{Resolver: dns.resolver()}).guard.translators
	var first sync.WaitGroup
	first.Go(func() { tr.learn(t.Context()) })
	<-asking
	gone, leave := context.WithCancel(t.Context())
	leave()
	tr.learn(gone)
	tr.mu.Lock()
	waiting := tr.waiting
	tr.mu.Unlock()
	close(answer)
	first.Wait()
	select {
	case <-waiting:
	default:
		t.Error("those who wait are not told of the answer")
	}
	if n := len(asking); n > 0 {
		t.Errorf("%d others asked", n)
	}
}

// TestFewPrefixesAreTaken, however many a name server tells: each is compared with every
// address.
func TestFewPrefixesAreTaken(t *testing.T) {
	var many []string
	for i := range 2 * mostPrefixes {
		many = append(many, fmt.Sprintf("2a01:4f8:c0c:%x::192.0.0.170", i))
	}
	dns := startNameServer(t, always(many...))
	tr := newTestEgress(t, Options{Resolver: dns.resolver()}).guard.translators
	tr.learn(t.Context())
	if n := len(tr.known); n != mostPrefixes {
		t.Errorf("%d prefixes are known", n)
	}
}

// TestPrefixesAreAskedForOnTheWayToOriginsAlone: an upstream proxy may be anywhere.
func TestPrefixesAreAskedForOnTheWayToOriginsAlone(t *testing.T) {
	for _, origin := range []bool{true, false} {
		dns := startNameServer(t, always("2a01:4f8:c0c:1234::1"))
		e := newTestEgress(t, Options{Resolver: dns.resolver()})
		looks := 0
		ok := func(netip.AddrPort) error { // open at first, and no more when it is dialled
			if looks++; looks > 1 {
				return refusedDestination
			}
			return nil
		}
		if _, err := e.dialDirect(t.Context(), Target{Host: "name.example", Port: 80}, ok, origin); !errors.Is(err, refusedDestination) {
			t.Error(err)
		}
		if asked := slices.Contains(dns.questions(), translatedName); asked != origin {
			t.Errorf("to an origin: %t; asked: %t", origin, asked)
		}
	}
}
