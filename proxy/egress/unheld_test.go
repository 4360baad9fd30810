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
	"time"
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

// TestServersAreBlamedForTheirOwnSilenceAlone: not for that of a client who has left, nor
// for one name while they answer about others.
func TestServersAreBlamedForTheirOwnSilenceAlone(t *testing.T) {
	silent := &secureServer{url: (&url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", freePort(t))}).String()}
	gone, leave := context.WithCancel(t.Context())
	leave()
	for _, c := range []struct {
		what     string
		ctx      context.Context
		answered time.Time
		blamed   bool
	}{
		{"the client has left", gone, time.Time{}, false},
		{"it answered others meanwhile", t.Context(), time.Now().Add(time.Hour), false},
		{"it is silent", t.Context(), time.Now(), true},
	} {
		silent.failed.Store(0)
		silent.answered.Store(c.answered.UnixNano())
		q := &questionConn{ctx: c.ctx, transport: new(http.Transport), servers: []*secureServer{silent}}
		if _, err := q.askInTime(silent, make([]byte, 12), 1); err == nil {
			t.Errorf("%s: answered", c.what)
		}
		if blamed := silent.failed.Load() != 0; blamed != c.blamed {
			t.Errorf("%s: blamed %t", c.what, blamed)
		}
	}
}

// TestAnswersThatAreTooLongAreNone, and another server is asked.
func TestAnswersThatAreTooLongAreNone(t *testing.T) {
	long := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", dnsMessage)
		w.Write(make([]byte, maxAnswer+1))
	}))
	defer long.Close()
	u, err := url.Parse(long.URL)
	if err != nil {
		t.Fatal(err)
	}
	q := &questionConn{ctx: t.Context(), transport: new(http.Transport)}
	defer q.transport.CloseIdleConnections()
	if answer, err := q.ask(t.Context(), u.String(), make([]byte, 12)); err == nil {
		t.Errorf("%d octets are an answer", len(answer))
	}
}

// TestStrangersAnswersAreNotLookedAt: one for another question than was asked closes no
// host.
func TestStrangersAnswersAreNotLookedAt(t *testing.T) {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	conn, err := net.Dial("udp", server.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	looked := 0
	c := &observedPackets{UDPConn: conn.(*net.UDPConn), look: func([]byte) { looked++ }}
	question := make([]byte, 12)
	copy(question, "me")
	if _, err := c.Write(question); err != nil {
		t.Fatal(err)
	}
	for i, id := range []string{"no", "me"} {
		answer := append([]byte(id), make([]byte, 10)...)
		if _, err := server.WriteTo(answer, conn.LocalAddr()); err != nil {
			t.Fatal(err)
		}
		if n, err := c.Read(make([]byte, 100)); n != 12 || err != nil || looked != i {
			t.Errorf("to %s: %d octets, %v; looked at %d", id, n, err, looked)
		}
	}
}
