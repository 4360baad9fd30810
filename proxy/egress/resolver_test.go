package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/netip"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// A secureNameServer answers what a nameServer does, over HTTP.
type secureNameServer struct {
	*httptest.Server
	asked  atomic.Int32
	broken atomic.Bool
	seen   chan *http.Request
	sizes  chan int
}

func startSecureNameServer(t *testing.T, answer func(string, int) ([]netip.Addr, dnsmessage.RCode)) *secureNameServer {
	t.Helper()
	plain := startNameServer(t, answer)
	s := &secureNameServer{seen: make(chan *http.Request, 100), sizes: make(chan int, 100)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		question, err := io.ReadAll(r.Body)
		s.seen <- r
		s.sizes <- len(question)
		reply := plain.reply(question)
		if err != nil || reply == nil || s.broken.Load() {
			http.Error(w, "no", http.StatusBadGateway)
			return
		}
		w.Header().Set("Content-Type", "application/dns-message")
		w.Write(reply)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *secureNameServer) url(t *testing.T) *url.URL {
	t.Helper()
	u, err := url.Parse(s.URL + "/dns-query")
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestNamesAreAskedForOverHTTPS(t *testing.T) {
	o := startOrigin(t, "127.0.0.1:0")
	dns := startSecureNameServer(t, func(name string, _ int) ([]netip.Addr, dnsmessage.RCode) {
		if name == "none.example." {
			return nil, dnsmessage.RCodeNameError
		}
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, dnsmessage.RCodeSuccess
	})
	e := newTestEgress(t, Options{Allow: loopback, NameServers: []*url.URL{dns.url(t)}})
	defer e.Close()
	for _, name := range []string{"a.example", strings.Repeat("long.", 20) + "example"} {
		conn, err := e.Dial(t.Context(), Connect, Target{Host: name, Port: o.port()})
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
	var lookup *LookupError
	if _, err := e.Dial(t.Context(), Connect, Target{Host: "none.example", Port: o.port()}); !errors.As(err, &lookup) || lookup.RCode != "NXDOMAIN" || !lookup.IsNotFound {
		t.Errorf("a name that is not: %v", err)
	}
	for range len(dns.seen) {
		r := <-dns.seen
		if r.Method != "POST" || r.URL.Path != "/dns-query" || r.Header.Get("Content-Type") != "application/dns-message" || r.UserAgent() != "" {
			t.Errorf("asked by %s %s, %v", r.Method, r.URL, r.Header)
		}
		if size := <-dns.sizes; size%128 != 0 {
			t.Errorf("a question of %d octets: its size tells of the name", size)
		}
	}
	if n := dns.asked.Load(); n < 6 {
		t.Errorf("only %d questions were asked, want two a name", n)
	}
}

// TestNameServersOfSitesLearnNoNetwork: some servers tell those of a name from which network
// they are asked. Connections may leave from addresses of another.
func TestNameServersOfSitesLearnNoNetwork(t *testing.T) {
	questions := make(chan []byte, 100)
	dns := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		question, _ := io.ReadAll(r.Body)
		questions <- question
		w.WriteHeader(http.StatusBadGateway)
	}))
	defer dns.Close()
	u, err := url.Parse(dns.URL)
	if err != nil {
		t.Fatal(err)
	}
	resolver, transport := newResolver([]*url.URL{u})
	defer transport.CloseIdleConnections()
	resolver.LookupNetIP(t.Context(), "ip4", "site.example.")
	var m dnsmessage.Message
	if err := m.Unpack(<-questions); err != nil || len(m.Additionals) != 1 {
		t.Fatal(err, m.Additionals)
	}
	const clientSubnet = 8
	for _, o := range m.Additionals[0].Body.(*dnsmessage.OPTResource).Options {
		if o.Code == clientSubnet && slices.Equal(o.Data, []byte{0, 1, 0, 0}) { // a prefix of no bits
			return
		}
	}
	t.Error("the server may tell the network")
}

// TestInterimAnswersOfANameServerAreNotTheOrigins: the hook that shows a client what its
// origin says before the answer sees nothing of what a name server does.
func TestInterimAnswersOfANameServerAreNotTheOrigins(t *testing.T) {
	o := startOrigin(t, "127.0.0.1:0")
	dns := startSecureNameServer(t, always("127.0.0.1"))
	answer := dns.Config.Handler
	dns.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		answer.ServeHTTP(w, r)
	})
	e := newTestEgress(t, Options{Allow: loopback, NameServers: []*url.URL{dns.url(t)}})
	defer e.Close()
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, _ textproto.MIMEHeader) error {
		t.Errorf("the client is shown a %d", code)
		return nil
	}})
	conn, err := e.Dial(ctx, Connect, Target{Host: "a.example", Port: o.port()})
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

// TestNamesOfTheHouseStayInIt: who answers for the world knows none of them, and need
// not know that there are such.
func TestNamesOfTheHouseStayInIt(t *testing.T) {
	o := startOrigin(t, "127.0.0.1:0")
	abroad := startSecureNameServer(t, always("192.0.2.1"))
	e := newTestEgress(t, Options{Allow: loopback, NameServers: []*url.URL{abroad.url(t)}})
	defer e.Close()
	e.names.nearby = startNameServer(t, always("127.0.0.1")).resolver()
	for _, name := range []string{"printer", "nas.lan", "nas.home.arpa", "nas.local", "db.internal", "nas.home", "wiki.corp", "wiki.intranet", "nas.private"} {
		conn, err := e.Dial(t.Context(), Connect, Target{Host: name, Port: o.port()})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		conn.Close()
	}
	if n := abroad.asked.Load(); n > 0 {
		t.Errorf("%d questions left the house", n)
	}
	for _, name := range []string{"lan.example", "notlan.example", "site.alan"} {
		before := abroad.asked.Load()
		e.Dial(t.Context(), Connect, Target{Host: name, Port: o.port()})
		if abroad.asked.Load() == before {
			t.Errorf("%s was not asked for", name)
		}
	}
}

// TestNextNameServerIsAsked where the one before it fails; where all do, it is their
// fault, and not the name's.
func TestNextNameServerIsAsked(t *testing.T) {
	o := startOrigin(t, "127.0.0.1:0")
	first, second := startSecureNameServer(t, always("127.0.0.1")), startSecureNameServer(t, always("127.0.0.1"))
	first.broken.Store(true)
	e := newTestEgress(t, Options{Allow: loopback, NameServers: []*url.URL{first.url(t), second.url(t)}})
	defer e.Close()
	target := Target{Host: "site.example", Port: o.port()}
	conn, err := e.Dial(t.Context(), Connect, target)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if first.asked.Load() == 0 {
		t.Error("the first was not asked")
	}
	second.broken.Store(true)
	if _, err = e.Dial(t.Context(), Connect, target); err == nil || strings.Contains(err.Error(), "no such host") {
		t.Errorf("all fail: %v", err)
	}
}

// TestSilentNameServerIsPassedOver, while there is time to ask the next.
func TestSilentNameServerIsPassedOver(t *testing.T) {
	o, silent := startOrigin(t, "127.0.0.1:0"), startOrigin(t, "127.0.0.1:0")
	second := startSecureNameServer(t, always("127.0.0.1"))
	e := newTestEgress(t, Options{Allow: loopback, NameServers: []*url.URL{{Scheme: "http", Host: silent.Addr().String(), Path: "/"}, second.url(t)}})
	defer e.Close()
	conn, err := e.Dial(t.Context(), Connect, Target{Host: "site.example", Port: o.port()})
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if silent.count.Load() == 0 {
		t.Error("the first was not asked")
	}
}

// TestNameServerThatCannotAnswerIsPassedOver: what it says is of itself, and not of the
// name. Where all say so, that is what is told.
func TestNameServerThatCannotAnswerIsPassedOver(t *testing.T) {
	o := startOrigin(t, "127.0.0.1:0")
	for _, code := range []dnsmessage.RCode{dnsmessage.RCodeServerFailure, dnsmessage.RCodeRefused, dnsmessage.RCodeNotImplemented} {
		first := startSecureNameServer(t, func(string, int) ([]netip.Addr, dnsmessage.RCode) { return nil, code })
		second := startSecureNameServer(t, always("127.0.0.1"))
		e := newTestEgress(t, Options{Allow: loopback, NameServers: []*url.URL{first.url(t), second.url(t)}})
		defer e.Close()
		target := Target{Host: "site.example", Port: o.port()}
		conn, err := e.Dial(t.Context(), Connect, target)
		if err != nil {
			t.Errorf("%v: %v", code, err)
			continue
		}
		conn.Close()
		second.broken.Store(true)
		var lookup *LookupError
		if _, err = e.Dial(t.Context(), Connect, target); !errors.As(err, &lookup) || lookup.IsNotFound {
			t.Errorf("%v of both: %v", code, err)
		}
	}
	knows := startSecureNameServer(t, func(string, int) ([]netip.Addr, dnsmessage.RCode) { return nil, dnsmessage.RCodeNameError })
	other := startSecureNameServer(t, always("127.0.0.1"))
	e := newTestEgress(t, Options{Allow: loopback, NameServers: []*url.URL{knows.url(t), other.url(t)}})
	defer e.Close()
	if _, err := e.Dial(t.Context(), Connect, Target{Host: "none.example", Port: o.port()}); err == nil || other.asked.Load() > 0 {
		t.Errorf("a name that is not: %v, and the other was asked %d times", err, other.asked.Load())
	}
}

// TestAnswerThatIsNoneIsPassedOver, as one that is cut, or to another question.
func TestAnswerThatIsNoneIsPassedOver(t *testing.T) {
	o := startOrigin(t, "127.0.0.1:0")
	good := startNameServer(t, always("127.0.0.1"))
	lame := startNameServer(t, func(string, int) ([]netip.Addr, dnsmessage.RCode) { return nil, dnsmessage.RCodeSuccess })
	for what, spoilt := range map[string]func(question []byte) []byte{
		"nothing":      func([]byte) []byte { return nil },
		"a cut one":    func(question []byte) []byte { reply := good.reply(question); return reply[:len(reply)-3] },
		"the question": func(question []byte) []byte { return question },
		"another id": func(question []byte) []byte {
			reply := good.reply(question)
			reply[0]++
			return reply
		},
		"another name": func(question []byte) []byte {
			reply := good.reply(question)
			reply[13]++
			return reply
		},
		"another type": func(question []byte) []byte {
			reply := good.reply(question)
			reply[27] ^= byte(dnsmessage.TypeA ^ dnsmessage.TypeAAAA)
			return reply
		},
		"no question": func(question []byte) []byte {
			reply := good.reply(question)[:12]
			return append(reply[:4], 0, 0, 0, 0, 0, 0, 0, 0)
		},
		"whom else to ask": func(question []byte) []byte {
			reply := lame.reply(question)
			reply[3] &^= 0x80 // asks nobody itself
			return reply
		},
		"a code of no look-up": func(question []byte) []byte {
			reply := lame.reply(question)
			reply[3] |= 9
			return reply
		},
	} {
		t.Run(what, func(t *testing.T) {
			asked := make(chan bool, 10)
			first := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				question, _ := io.ReadAll(r.Body)
				asked <- true
				w.Header().Set("Content-Type", "application/dns-message")
				w.Write(spoilt(question))
			}))
			defer first.Close()
			u, err := url.Parse(first.URL)
			if err != nil {
				t.Fatal(err)
			}
			second := startSecureNameServer(t, always("127.0.0.1"))
			e := newTestEgress(t, Options{Allow: loopback, NameServers: []*url.URL{u, second.url(t)}})
			defer e.Close()
			conn, err := e.Dial(t.Context(), Connect, Target{Host: "site.example", Port: o.port()})
			if err != nil {
				t.Fatal(err)
			}
			conn.Close()
			if len(asked) == 0 {
				t.Error("the first was not asked")
			}
		})
	}
}

// TestAnAuthorityTellsOfWhatIsNot, although it asks nobody itself.
func TestAnAuthorityTellsOfWhatIsNot(t *testing.T) {
	m := dnsmessage.Message{Questions: []dnsmessage.Question{{
		Name: dnsmessage.MustNewName("site.example."), Type: dnsmessage.TypeAAAA, Class: dnsmessage.ClassINET,
	}}}
	question, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	for _, m.Authoritative = range []bool{true, false} {
		m.Response = true
		answer, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		if blamed := blamesServer(question, answer); blamed == m.Authoritative {
			t.Errorf("an authority: %t; blamed: %t", m.Authoritative, blamed)
		}
	}
}

// TestFailureAboutOneFamilyIsNoLackOfAddresses: package net tells of the question that it
// asked last, and a name without addresses of one kind may well have some of the other.
func TestFailureAboutOneFamilyIsNoLackOfAddresses(t *testing.T) {
	s := startSecureNameServer(t, func(string, int) ([]netip.Addr, dnsmessage.RCode) { return nil, dnsmessage.RCodeSuccess })
	e := newTestEgress(t, Options{Allow: loopback, NameServers: []*url.URL{s.url(t)}})
	defer e.Close()
	for _, name := range []string{"silent4.example", "silent6.example"} { // to its questions this one says 502
		_, err := e.Dial(t.Context(), Connect, Target{Host: name, Port: 80})
		var dns *net.DNSError
		var lookup *LookupError
		if !errors.As(err, &dns) || dns.IsNotFound || dns.IsTimeout || errors.As(err, &lookup) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestFailedNameServerIsAskedLast: each question would wait for it anew.
func TestFailedNameServerIsAskedLast(t *testing.T) {
	o := startOrigin(t, "127.0.0.1:0")
	first, second := startSecureNameServer(t, always("127.0.0.1")), startSecureNameServer(t, always("127.0.0.1"))
	e := newTestEgress(t, Options{Allow: loopback, NameServers: []*url.URL{first.url(t), second.url(t)}})
	defer e.Close()
	ask := func() {
		t.Helper()
		conn, err := e.Dial(t.Context(), Connect, Target{Host: "site.example", Port: o.port()})
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
	first.broken.Store(true)
	ask()
	before := first.asked.Load()
	ask()
	if before == 0 || first.asked.Load() != before {
		t.Errorf("it was asked %d and %d times", before, first.asked.Load()-before)
	}
	first.broken.Store(false)
	second.broken.Store(true)
	ask()
	if first.asked.Load() == before {
		t.Error("it is not asked where the others fail")
	}
}

// TestNameServerBehindALostConnectionIsAskedAgain: a laptop that changed networks has a
// connection that nothing comes by any more, and nobody says so.
func TestNameServerBehindALostConnectionIsAskedAgain(t *testing.T) {
	o := startOrigin(t, "127.0.0.1:0")
	dns := startSecureNameServer(t, always("127.0.0.1"))
	// Package net makes at the first lookup what all of them share: not in the bubble.
	(&net.Resolver{PreferGo: true}).LookupHost(t.Context(), "localhost")
	synctest.Test(t, func(t *testing.T) { askedAgain(t, o, dns) }) // in whose time no ping is late
}

func askedAgain(t *testing.T, o *origin, dns *secureNameServer) {
	server := httptest.NewUnstartedServer(dns.Config.Handler)
	server.Listener.Close()
	within := newPipeListener()
	server.Listener = within
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)    // of connections that were not needed
	server.TLS = &tls.Config{SessionTicketsDisabled: true} // both would write at once, and a pipe holds nothing
	server.StartTLS()
	defer server.Close()
	var network atomic.Int32 // what was opened in another one is lost
	e := newTestEgress(t, Options{Allow: loopback, NameServers: []*url.URL{{Scheme: "https", Host: "127.0.0.1", Path: "/"}}})
	defer e.Close()
	e.asking.DialContext = func(context.Context, string, string) (net.Conn, error) {
		here := network.Load()
		conn, err := within.dial()
		return losing{conn, func() bool { return network.Load() != here }}, err
	}
	e.asking.TLSClientConfig = &tls.Config{RootCAs: x509.NewCertPool()}
	e.asking.TLSClientConfig.RootCAs.AddCert(server.Certificate())
	e.asking.HTTP2.SendPingTimeout, e.asking.HTTP2.PingTimeout = 50*time.Millisecond, 50*time.Millisecond
	for range 2 {
		conn, err := e.Dial(t.Context(), Connect, Target{Host: "site.example", Port: o.port()})
		if err != nil {
			t.Fatalf("network %d: %v", network.Load(), err)
		}
		conn.Close()
		network.Add(1)
	}
	if r := <-dns.seen; r.ProtoMajor != 2 {
		t.Errorf("the name server is asked by %s, where nothing can be shown", r.Proto)
	}
}

// A losing connection brings nothing once it is lost, and no end.
type losing struct {
	net.Conn
	lost func() bool
}

func (c losing) Read(p []byte) (int, error) {
	for {
		if n, err := c.Conn.Read(p); err != nil || !c.lost() {
			return n, err
		}
	}
}

// A pipeListener accepts what dials it in a bubble, where waiting for the system would
// halt time.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	close  func()
}

func newPipeListener() pipeListener {
	closed := make(chan struct{})
	return pipeListener{make(chan net.Conn), closed, sync.OnceFunc(func() { close(closed) })}
}

func (l pipeListener) dial() (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case l.conns <- far:
		return near, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l pipeListener) Close() error { l.close(); return nil }

func (pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// TestEachNameServerHasAPartOfTheTime that there is, little as it may be: resolv.conf can
// say a second.
func TestEachNameServerHasAPartOfTheTime(t *testing.T) {
	silent, second := startOrigin(t, "127.0.0.1:0"), startSecureNameServer(t, always("127.0.0.1"))
	r, transport := newResolver([]*url.URL{{Scheme: "http", Host: silent.Addr().String(), Path: "/"}, second.url(t)})
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(t.Context(), silentServer)
	defer cancel()
	conn, err := r.Dial(ctx, "", "")
	if err != nil {
		t.Fatal(err)
	}
	question := dnsmessage.Message{Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName("site.example."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}}
	packed, err := question.Pack()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(append([]byte{0, byte(len(packed))}, packed...)); err != nil || ctx.Err() != nil {
		t.Errorf("%v, %v", err, ctx.Err())
	}
}

// TestGuardStandsBehindNameServers: what they say is checked as ever.
func TestGuardStandsBehindNameServers(t *testing.T) {
	dns := startSecureNameServer(t, always("127.0.0.1", "10.0.0.1"))
	e := newTestEgress(t, Options{NameServers: []*url.URL{dns.url(t)}})
	defer e.Close()
	if _, err := e.Dial(t.Context(), Plain, Target{Host: "site.example", Port: 80}); !errors.As(err, new(*Refused)) {
		t.Errorf("%v, want a refusal", err)
	}
}

func TestPadLeavesOtherMessages(t *testing.T) {
	for _, message := range [][]byte{nil, make([]byte, 11), make([]byte, 12), make([]byte, 40)} {
		if got := pad(slices.Clone(message)); !slices.Equal(got, message) {
			t.Errorf("%d octets became %d", len(message), len(got))
		}
	}
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
