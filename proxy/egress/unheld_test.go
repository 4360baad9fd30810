package egress

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"syscall"
	"testing"
)

// TestFailureThatSaysMostIsTold: of several addresses, that one is silent says more
// than that another refuses, and that more than that there is no way to a third.
func TestFailureThatSaysMostIsTold(t *testing.T) {
	most := []error{os.ErrDeadlineExceeded, syscall.ECONNREFUSED, errors.New("something else"), syscall.ENETUNREACH, nil}
	for i, more := range most {
		for _, less := range most[i:] {
			if a, b := telling(more, less), telling(less, more); a != more || b != more {
				t.Errorf("of %v and %v, %v and %v are told", more, less, a, b)
			}
		}
	}
}

// TestHopThatSwitchesIsNoTunnel, whatever it answers behind that.
func TestHopThatSwitchesIsNoTunnel(t *testing.T) {
	p := startPeer(t, answer("HTTP/1.1 101 Switching\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"))
	e := newTestEgress(t, Options{Chain: p.chain("http", "")})
	conn, err := e.Dial(t.Context(), Connect, Target{Host: "site.example", Port: 443})
	if err == nil {
		conn.Close()
		t.Error("it is taken for one")
	}
}

// TestSOCKSHopChoosesOfWhatItWasOffered: one that wants a password of who has none gets
// nothing more.
func TestSOCKSHopChoosesOfWhatItWasOffered(t *testing.T) {
	more := make(chan []byte, 1)
	p := startPeer(t, func(conn net.Conn) {
		hello := make([]byte, 3)
		if _, err := io.ReadFull(conn, hello); err != nil || !slices.Equal(hello, []byte{5, 1, 0}) {
			t.Errorf("the hop got %x, %v", hello, err)
		}
		conn.Write([]byte{5, 2})
		rest, _ := io.ReadAll(conn)
		more <- rest
	})
	e := newTestEgress(t, Options{Chain: p.chain("socks5", "")})
	if conn, err := e.Dial(t.Context(), Connect, Target{Host: "site.example", Port: 443}); err == nil {
		conn.Close()
		t.Error("a tunnel was made")
	}
	if rest := <-more; len(rest) > 0 {
		t.Errorf("the hop got %x as well", rest)
	}
}

// TestWhatIsNoAnswerOfANameServer has the next one asked: a page that a hotel puts
// before the network comes with status 200 as well.
func TestWhatIsNoAnswerOfANameServer(t *testing.T) {
	o := startOrigin(t, "127.0.0.1:0")
	dns := startSecureNameServer(t, always("127.0.0.1"))
	elsewhere := startNameServer(t, always("192.0.2.1"))
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		question, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "text/html")
		w.Write(elsewhere.reply(question)) // what it holds is of no account
	}))
	defer page.Close()
	u, err := url.Parse(page.URL)
	if err != nil {
		t.Fatal(err)
	}
	e := newTestEgress(t, Options{Allow: loopback, NameServers: []*url.URL{u, dns.url(t)}})
	defer e.Close()
	conn, err := e.Dial(t.Context(), Connect, Target{Host: "a.example", Port: o.port()})
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

// TestWhoLeavesDoesNotEndTheQuestionOfAll: whoever comes first asks for the prefixes, and
// by leaving at once could have nobody know them for a while.
func TestWhoLeavesDoesNotEndTheQuestionOfAll(t *testing.T) {
	dns := startNameServer(t, always("2a01:4f8:c0c:1234::192.0.0.170"))
	tr := newTestEgress(t, Options{Resolver: dns.resolver()}).guard.translators
	gone, leave := context.WithCancel(t.Context())
	leave()
	tr.learn(gone)
	if len(tr.inside(netip.MustParseAddr("2a01:4f8:c0c:1234::10.0.0.1"))) == 0 {
		t.Error("the prefix is not known")
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

// TestUnspecifiedHopIsThisProxyItself, if one of its listeners has the port: it leads to
// loopback.
func TestUnspecifiedHopIsThisProxyItself(t *testing.T) {
	l := startPeer(t, func(net.Conn) { t.Error("the listener was dialled") })
	own := addrPort(l.Addr())
	for _, host := range []string{"0.0.0.0", "[::]"} {
		chain := []*url.URL{{Scheme: "http", Host: fmt.Sprintf("%s:%d", host, own.Port())}}
		e := newTestEgress(t, Options{Chain: chain, Own: func() []netip.AddrPort { return []netip.AddrPort{own} }})
		if _, err := e.DialHop(t.Context()); !errors.Is(err, errOwnHop) {
			t.Errorf("%s: %v", host, err)
		}
	}
}

// TestAddressesWithinOthers: where each of the transition mechanisms has them.
func TestAddressesWithinOthers(t *testing.T) {
	for addr, want := range map[string]string{
		"::10.0.0.1":                  "10.0.0.1",
		"64:ff9b::10.0.0.1":           "10.0.0.1",
		"64:ff9b:1::10.0.0.1":         "10.0.0.1",
		"::ffff:0:10.0.0.1":           "10.0.0.1",
		"2002:a00:1::1":               "10.0.0.1",
		"2001:0:1:2:3:4:f5ff:fffe":    "10.0.0.1", // inverted
		"2001:db8::5efe:10.0.0.1":     "10.0.0.1",
		"2001:db8::200:5efe:10.0.0.1": "10.0.0.1",
		"2001:db8::100:5efe:10.0.0.1": "10.0.0.1",
		"2001:db8::400:5efe:10.0.0.1": "invalid IP",
		"2001:db8::10.0.0.1":          "invalid IP",
		"10.0.0.1":                    "invalid IP",
	} {
		if got := embedded(netip.MustParseAddr(addr)).String(); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
}
