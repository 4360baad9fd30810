package egress

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A peer is an upstream proxy that follows a script for each connection.
type peer struct {
	net.Listener
	wait sync.WaitGroup
}

func startPeer(t *testing.T, script func(net.Conn)) *peer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{Listener: listener}
	p.wait.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			p.wait.Go(func() {
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(10 * time.Second))
				script(conn)
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		p.wait.Wait()
	})
	return p
}

func (p *peer) chain(scheme, userinfo string) []*url.URL {
	u := &url.URL{Scheme: scheme, Host: p.Addr().String()}
	if name, password, ok := strings.Cut(userinfo, ":"); ok {
		u.User = url.UserPassword(name, password)
	}
	return []*url.URL{u}
}

// answer reads a head and answers it with text, whatever it asked.
func answer(text string) func(net.Conn) {
	return func(conn net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
			io.WriteString(conn, text)
			io.Copy(io.Discard, conn)
		}
	}
}

// TestHopsTellOfSilentDestinations: that one does not answer is not the hop's fault.
func TestHopsTellOfSilentDestinations(t *testing.T) {
	p := startPeer(t, answer("HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 0\r\n\r\n"))
	e := newTestEgress(t, Options{Chain: p.chain("http", "")})
	_, err := e.Dial(t.Context(), Connect, Target{Host: "site.example", Port: 443})
	var timeout net.Error
	if errors.As(err, new(*HopError)) || !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("%v, want a timeout", err)
	}
}

// noLookups fails the test if a name is looked up on this side of a chain.
func noLookups(t *testing.T) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		t.Error("a name was looked up on this side of the chain")
		return nil, errors.New("no look-ups here")
	}}
}

func TestHTTPHopMakesTunnels(t *testing.T) {
	requests := make(chan *http.Request, 1)
	p := startPeer(t, func(conn net.Conn) {
		r, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil {
			return
		}
		requests <- r
		// The origin's greeting comes in the same packet as the answer.
		io.WriteString(conn, "HTTP/1.1 200 Connection established\r\nContent-Length: 5\r\n\r\n220 hello\r\n")
		io.Copy(conn, conn)
	})
	for _, c := range []struct{ target, asked, host string }{
		{"Site.Example:443", "site.example:443", "site.example:443"},
		{"[2600::1]:443", "[2600::1]:443", "[2600::1]:443"},
		{"8.8.8.8:443", "8.8.8.8:443", "8.8.8.8:443"},
	} {
		e := newTestEgress(t, Options{Chain: p.chain("http", "user:pa:ss"), Resolver: noLookups(t)})
		conn, err := e.Dial(t.Context(), Connect, mustCanonical(t, c.target))
		if err != nil {
			t.Fatalf("%s: %v", c.target, err)
		}
		r := <-requests
		if r.Method != "CONNECT" || r.RequestURI != c.asked || r.Host != c.host {
			t.Errorf("%s: the hop was asked %s %s, Host %s", c.target, r.Method, r.RequestURI, r.Host)
		}
		if want := "Basic " + base64.StdEncoding.EncodeToString([]byte("user:pa:ss")); r.Header.Get("Proxy-Authorization") != want || len(r.Header) != 1 {
			t.Errorf("%s: the hop got %v", c.target, r.Header)
		}
		if _, ok := conn.(*net.TCPConn); !ok {
			t.Errorf("%s: a %T, which cannot be spliced", c.target, conn)
		}
		io.WriteString(conn, "ping")
		conn.(*net.TCPConn).CloseWrite()
		if got, err := io.ReadAll(conn); string(got) != "220 hello\r\nping" || err != nil {
			t.Errorf("%s: through the tunnel came %q, %v", c.target, got, err)
		}
		conn.Close()
	}
}

func TestHTTPHopAnswers(t *testing.T) {
	for _, c := range []struct {
		answer string
		ok     bool
	}{
		{"HTTP/1.1 200 OK\r\n\r\n", true},
		{"HTTP/1.0 200 OK\r\n\r\n", true},
		{"HTTP/1.1 200\r\n\r\n", true},
		{"HTTP/1.1 299 Fine\r\nTransfer-Encoding: chunked\r\n\r\n", true},
		{"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", true},
		{strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 20) + "HTTP/1.1 200 OK\r\n\r\n", false},
		{"HTTP/1.1 101 Switching\r\n\r\n", false},
		{"HTTP/1.1 301 Moved\r\nLocation: http://x/\r\n\r\n", false},
		{"HTTP/1.1 403 Forbidden\r\n\r\n", false},
		{"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", false},
		{"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", false},
		{"HTTP/2 200 OK\r\n\r\n", false},
		{"HTTP/1.1  200 OK\r\n\r\n", false},
		{"HTTP/1.1 20 OK\r\n\r\n", false},
		{"HTTP/1.1 2000 OK\r\n\r\n", false},
		{"HTTP/1.1 +20 OK\r\n\r\n", false},
		{"HTTP/1.2 200 OK\r\n\r\n", false},
		{"HTTP/1.1 099 OK\r\n\r\n", false},
		{"HTTP/1.1 200 O\x00K\r\n\r\n", false},
		{"HTTP/1.1 200 OK\r\n: x\r\n\r\n", false},
		{"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", false},
		{"HTTP/1.1 200 OK\r\nName : x\r\n\r\n", false},
		{"HTTP/1.1 200 OK\r\nName: x\r\n folded\r\n\r\n", false},
		{"HTTP/1.1 200 OK\r\nName: a\rb\r\n\r\n", false},
		{"HTTP/1.1 200 OK\nName: x\r\n\r\n", false},
		{"SSH-2.0-OpenSSH_9.9\r\n\r\n", false},
		{"\r\n\r\n", false},
		{"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<15) + "\r\n\r\n", false},
	} {
		p := startPeer(t, answer(c.answer))
		e := newTestEgress(t, Options{Chain: p.chain("http", "")})
		conn, err := e.Dial(t.Context(), Connect, Target{Host: "secret.example", Port: 443})
		name := c.answer[:min(len(c.answer), 50)]
		if c.ok {
			if err != nil {
				t.Errorf("%q: %v", name, err)
				continue
			}
			conn.Close()
			continue
		}
		var hop *HopError
		if !errors.As(err, &hop) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v, want a fault of the hop", name, err)
		}
	}
}

// TestHTTPHopsThatAreNone: a server of another protocol says its greeting, and waits. That it
// is none is told at once, and is not its silence.
func TestHTTPHopsThatAreNone(t *testing.T) {
	for _, greeting := range []string{
		"SSH-2.0-OpenSSH_9.9\r\n",
		"220 mail.example ESMTP\r\n",
		"\r\n",
		"\x05",
		"\x15\x03\x01\x00\x02\x02\x46", // an alert of TLS
		"HTTP/2 200\r\n",
		"HTTP/1.1 2xx OK\r\n\r\n",
		"HTTP/1.1 200 OK\n\n",
		"HTTP/1.1 200 OK\r\nVia: b\n",
	} {
		p := startPeer(t, func(conn net.Conn) {
			io.WriteString(conn, greeting)
			io.Copy(io.Discard, conn)
		})
		e := newTestEgress(t, Options{Chain: p.chain("http", "")})
		conn, err := e.Dial(t.Context(), Connect, Target{Host: "secret.example", Port: 443})
		if err == nil {
			conn.Close()
		}
		if !errors.Is(err, errNotHTTP) {
			t.Errorf("%q: %v", greeting, err)
		}
	}
}

// TestHTTPHopsTellOfDestinations, if they speak RFC 9209, as a guise does: who mistypes a
// name is not to look for the fault at the proxy.
func TestHTTPHopsTellOfDestinations(t *testing.T) {
	unanswered := func(err error) bool {
		dns, ok := errors.AsType[*net.DNSError](err)
		return ok && !dns.IsNotFound && !dns.IsTimeout
	}
	timeout := func(err error) bool {
		dns, ok := errors.AsType[*net.DNSError](err)
		return ok && dns.IsTimeout
	}
	rcode := func(want string) func(error) bool {
		return func(err error) bool {
			lookup, ok := errors.AsType[*LookupError](err)
			return ok && lookup.RCode == want
		}
	}
	is := func(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }
	atFault := func(err error) bool { return errors.As(err, new(*HopError)) }
	for said, means := range map[string]func(error) bool{
		`guise;error=dns_error;rcode="NXDOMAIN"`:             rcode("NXDOMAIN"),
		`a; error=dns_error; rcode="SERVFAIL"; info-code=22`: rcode("SERVFAIL"),
		`guise;error=dns_error`:                              unanswered,
		`guise;error=dns_timeout`:                            timeout,
		`guise;error=connection_refused`:                     is(syscall.ECONNREFUSED),
		`far;error=connection_timeout, near`:                 is(syscall.ETIMEDOUT),
		`guise;error=destination_ip_unroutable`:              is(syscall.EHOSTUNREACH),
		`guise;error=http_request_denied`:                    atFault,
		`guise;error=proxy_loop_detected`:                    atFault,
		`guise;error=`:                                       atFault,
		`guise`:                                              atFault,
	} {
		p := startPeer(t, answer("HTTP/1.1 502 Bad Gateway\r\nServer: x\r\nproxy-status: "+said+"\r\n\r\n"))
		e := newTestEgress(t, Options{Chain: p.chain("http", "")})
		if _, err := e.Dial(t.Context(), Connect, Target{Host: "secret.example", Port: 443}); !means(err) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", said, err)
		}
	}
}

func TestHopThatBreaksIsAtFault(t *testing.T) {
	var hop *HopError
	closes := startPeer(t, func(conn net.Conn) {})
	cut := map[string]*peer{
		"http": startPeer(t, func(conn net.Conn) {
			http.ReadRequest(bufio.NewReader(conn))
			io.WriteString(conn, "HTTP/1.1 200 O")
		}),
		"socks5": startPeer(t, func(conn net.Conn) {
			io.ReadFull(conn, make([]byte, 3)) // the greeting (RFC 1928 §3)
			io.WriteString(conn, "\x05")
		}),
	}
	silent := startPeer(t, func(conn net.Conn) { io.Copy(io.Discard, conn) })
	gone := &url.URL{Scheme: "http", Host: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), freePort(t)).String()}
	for _, scheme := range []string{"http", "socks5"} {
		for _, c := range []struct {
			what  string
			chain []*url.URL
			is    error
			limit time.Duration // 0: the usual one
		}{
			{"closes at once", closes.chain(scheme, ""), nil, 0},
			{"cut midway", cut[scheme].chain(scheme, ""), io.ErrUnexpectedEOF, 0},
			{"silent", silent.chain(scheme, ""), os.ErrDeadlineExceeded, 200 * time.Millisecond},
			{"not there", []*url.URL{{Scheme: scheme, Host: gone.Host}}, syscall.ECONNREFUSED, 0},
		} {
			e := newTestEgress(t, Options{Chain: c.chain, ConnectTimeout: c.limit})
			conn, err := e.Dial(t.Context(), Connect, Target{Host: "secret.example", Port: 443})
			if err == nil {
				conn.Close()
			}
			if !errors.As(err, &hop) || c.is != nil && !errors.Is(err, c.is) || strings.Contains(err.Error(), "127.0.0.1") {
				t.Errorf("%s %s: %v, want a fault of the hop", scheme, c.what, err)
			}
		}
	}
}

func TestCancellationEndsAHandshake(t *testing.T) {
	reached := make(chan struct{})
	p := startPeer(t, func(conn net.Conn) {
		close(reached)
		io.Copy(io.Discard, conn)
	})
	e := newTestEgress(t, Options{Chain: p.chain("socks5", "")})
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("client left")
	go func() {
		<-reached
		cancel(why)
	}()
	if _, err := e.Dial(ctx, Connect, Target{Host: "site.example", Port: 443}); !errors.Is(err, why) {
		t.Errorf("%v, want the context's cause", err)
	}
}

// The guard's checks of what the client wrote hold behind a chain too.
func TestChainDoesNotOpenLiterals(t *testing.T) {
	p := startPeer(t, func(conn net.Conn) { t.Error("the hop was asked") })
	for _, scheme := range []string{"http", "socks5", "socks5h"} {
		e := newTestEgress(t, Options{Chain: p.chain(scheme, ""), Deny: []string{"denied.example"}})
		for _, in := range []string{"127.0.0.1:443", "0x7f.1:443", "[::ffff:10.0.0.1]:443", "localhost:443", "localhost4.localdomain4:443", "169.254.169.254:443", "denied.example:443"} {
			var refused *Refused
			if _, err := e.Dial(t.Context(), Connect, mustCanonical(t, in)); !errors.As(err, &refused) {
				t.Errorf("%s to %s: %v, want a refusal", scheme, in, err)
			}
		}
	}
}

// TestSitesGoPastTheChain: the hosts that are to, guarded as ever, and no others. Of
// several sites the first that matches decides.
func TestSitesGoPastTheChain(t *testing.T) {
	var asked atomic.Int32
	p := startPeer(t, func(conn net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
			asked.Add(1)
			io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
		}
	})
	o := startOrigin(t, "127.0.0.1:0")
	dns := startNameServer(t, always("127.0.0.1"))
	sites := []Site{{"chained.tv.example", false}, {"*.tv.example", true}, {"tv.example", true}, {"127.0.0.1", true}}
	e := newTestEgress(t, Options{Chain: p.chain("http", ""), Allow: loopback, Sites: sites, Resolver: dns.resolver()})
	for host, direct := range map[string]bool{
		"tv.example": true, "a.tv.example": true, "chained.tv.example": false, "xtv.example": false, "example": false, "127.0.0.1": true, "8.8.8.8": false,
	} {
		before, reached := asked.Load(), o.count.Load()
		target := mustCanonical(t, net.JoinHostPort(host, strconv.Itoa(int(o.port()))))
		if e.Direct(target) != direct {
			t.Errorf("%s is direct: %t", host, !direct)
		}
		conn, err := e.Dial(t.Context(), Connect, target)
		if err != nil {
			t.Fatalf("%s: %v", host, err)
		}
		if direct {
			(<-o.accepted).Close()
		}
		conn.Close()
		if hop, straight := asked.Load() > before, o.count.Load() > reached; hop == direct || straight != direct {
			t.Errorf("%s: by the chain %t, direct %t", host, hop, straight)
		}
	}
	guarded := newTestEgress(t, Options{Chain: p.chain("http", ""), Sites: sites, Resolver: dns.resolver()})
	if _, err := guarded.Dial(t.Context(), Connect, Target{Host: "tv.example", Port: o.port()}); !errors.As(err, new(*Refused)) {
		t.Errorf("a site that leads to loopback: %v, want a refusal", err)
	}
	if !newTestEgress(t, Options{Sites: sites[:1]}).Direct(Target{Host: "chained.tv.example", Port: 443}) {
		t.Error("without a chain something does not go direct")
	}
}

func TestChainDoesNotLeadBackHere(t *testing.T) {
	p := startPeer(t, func(conn net.Conn) { t.Error("the listener was dialled") })
	own := []netip.AddrPort{addrPort(p.Addr())}
	e := newTestEgress(t, Options{Chain: p.chain("http", ""), Own: func() []netip.AddrPort { return own }})
	var hop *HopError
	if _, err := e.Dial(t.Context(), Connect, Target{Host: "site.example", Port: 443}); !errors.As(err, &hop) {
		t.Errorf("%v, want a fault of the hop", err)
	}
	if _, err := e.DialHop(t.Context()); !errors.As(err, &hop) {
		t.Errorf("%v, want a fault of the hop", err)
	}
}

// TestWhatIsClosedToOriginsIsOpenToTheChain: a house may close all of its hosts, and with
// them the one that its upstream proxy is, by whatever name.
func TestWhatIsClosedToOriginsIsOpenToTheChain(t *testing.T) {
	p := startPeer(t, func(net.Conn) {})
	chain := p.chain("http", "")
	chain[0].Host = net.JoinHostPort("db.site.example", chain[0].Port())
	for _, deny := range []string{"db.site.example", "*.denied.example", "127.0.0.1"} {
		e := newTestEgress(t, Options{Chain: chain, Deny: []string{deny}, Resolver: startNameServer(t, always("127.0.0.1")).resolver()})
		conn, err := e.DialHop(t.Context())
		if err != nil {
			t.Errorf("without %s: %v", deny, err)
			continue
		}
		conn.Close()
	}
}

func TestDialHopSaysNothing(t *testing.T) {
	first := make(chan []byte, 1)
	p := startPeer(t, func(conn net.Conn) {
		b, _ := io.ReadAll(conn)
		first <- b
	})
	e := newTestEgress(t, Options{Chain: p.chain("http", "user:pass")})
	address, authorization, ok := e.HTTPHop()
	if !ok || address != p.Addr().String() || authorization != "Basic dXNlcjpwYXNz" {
		t.Errorf("the hop is %q, %q, %t", address, authorization, ok)
	}
	conn, err := e.DialHop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(conn, "mine")
	conn.Close()
	if got := <-first; string(got) != "mine" {
		t.Errorf("the hop got %q", got)
	}
	for _, o := range []Options{{}, {Chain: p.chain("socks5", "")}} {
		if _, _, ok := newTestEgress(t, o).HTTPHop(); ok {
			t.Errorf("%v has an HTTP hop", o.Chain)
		}
	}
}

// socksScript is a SOCKS server that wants what a connection sends to be want
// for each answer that it gives.
func socksScript(t *testing.T, steps ...[]byte) func(net.Conn) {
	return func(conn net.Conn) {
		for i := 0; i+1 < len(steps); i += 2 {
			got := make([]byte, len(steps[i]))
			if _, err := io.ReadFull(conn, got); err != nil || !bytes.Equal(got, steps[i]) {
				t.Errorf("step %d: the hop got %x, %v, want %x", i/2, got, err, steps[i])
				return
			}
			conn.Write(steps[i+1])
		}
		io.Copy(conn, conn)
	}
}

func TestSOCKSHopMakesTunnels(t *testing.T) {
	done4 := []byte{5, 0, 0, 1, 1, 2, 3, 4, 0, 80}
	for _, c := range []struct {
		what, userinfo, target string
		steps                  [][]byte
	}{
		{"name", "", "Site.Example:443", [][]byte{
			{5, 1, 0}, {5, 0},
			append([]byte{5, 1, 0, 3, 12}, "site.example\x01\xbb"...), done4,
		}},
		{"IPv4", "", "8.8.8.8:80", [][]byte{
			{5, 1, 0}, {5, 0},
			{5, 1, 0, 1, 8, 8, 8, 8, 0, 80}, done4,
		}},
		{"IPv6, bound to a name", "", "[2600::1]:8080", [][]byte{
			{5, 1, 0}, {5, 0},
			append(append([]byte{5, 1, 0, 4}, netip.MustParseAddr("2600::1").AsSlice()...), 0x1f, 0x90),
			append([]byte{5, 0, 0, 3, 3}, "abc\x00\x50"...),
		}},
		{"password, bound to IPv6", "us:pa:ss", "8.8.8.8:80", [][]byte{
			{5, 1, 2}, {5, 2},
			append([]byte{1, 2}, "us\x05pa:ss"...), {1, 0},
			{5, 1, 0, 1, 8, 8, 8, 8, 0, 80}, append([]byte{5, 0, 0, 4}, make([]byte, 18)...),
		}},
		{"greeting in the same packet", "", "8.8.8.8:80", [][]byte{
			{5, 1, 0}, {5, 0},
			{5, 1, 0, 1, 8, 8, 8, 8, 0, 80}, append(done4[:10:10], "hello "...),
		}},
	} {
		p := startPeer(t, socksScript(t, c.steps...))
		e := newTestEgress(t, Options{Chain: p.chain("socks5", c.userinfo), Resolver: noLookups(t)})
		conn, err := e.Dial(t.Context(), Connect, mustCanonical(t, c.target))
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		io.WriteString(conn, "ping")
		conn.(*net.TCPConn).CloseWrite()
		got, err := io.ReadAll(conn)
		want := "ping"
		if strings.Contains(c.what, "greeting") {
			want = "hello ping"
		}
		if string(got) != want || err != nil {
			t.Errorf("%s: through the tunnel came %q, %v", c.what, got, err)
		}
		conn.Close()
	}
}

// Tor gives each name a way of its own. Those who are kept apart have one each, and a hop
// that asks for none is told none.
func TestSOCKSHopKeepsApart(t *testing.T) {
	names := make(chan string, 1)
	tor := startPeer(t, func(conn net.Conn) {
		greeting := make([]byte, 2)
		io.ReadFull(conn, greeting)
		methods := make([]byte, greeting[1])
		io.ReadFull(conn, methods)
		name := ""
		if bytes.IndexByte(methods, socksPassword) >= 0 { // what Tor prefers
			conn.Write([]byte{5, socksPassword})
			io.CopyN(io.Discard, conn, 1) // RFC 1929's version
			for range 2 {
				var length [1]byte
				io.ReadFull(conn, length[:])
				text := make([]byte, length[0])
				io.ReadFull(conn, text)
				name += string(text) + ":"
			}
			conn.Write([]byte{1, 0})
		} else {
			conn.Write([]byte{5, socksNoAuth})
		}
		names <- name
		io.CopyN(io.Discard, conn, 10)
		conn.Write([]byte{5, 0, 0, 1, 1, 2, 3, 4, 0, 80})
	})
	named := func(scheme, apart string) string {
		e := newTestEgress(t, Options{Chain: tor.chain(scheme, "")})
		conn, err := e.Dial(WithIsolation(t.Context(), apart), Plain, mustCanonical(t, "8.8.8.8:80"))
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		return <-names
	}
	nobody, work, home := named("socks5", ""), named("socks5", "ann+work"), named("socks5", "ann+home")
	if nobody != "" || work == "" || work == home || work != named("socks5h", "ann+work") || strings.Contains(work+home, "ann") {
		t.Errorf("the hop knows %q, %q and %q", nobody, work, home)
	}

	p := startPeer(t, socksScript(t,
		[]byte{5, 2, 2, 0}, []byte{5, 0},
		[]byte{5, 1, 0, 1, 8, 8, 8, 8, 0, 80}, []byte{5, 0, 0, 1, 1, 2, 3, 4, 0, 80}))
	conn, err := newTestEgress(t, Options{Chain: p.chain("socks5", "")}).Dial(WithIsolation(t.Context(), "ann+work"), Plain, mustCanonical(t, "8.8.8.8:80"))
	if err != nil {
		t.Fatalf("a hop that wants no name: %v", err)
	}
	conn.Close()
}

func TestSOCKSHopFailures(t *testing.T) {
	greet, ok := []byte{5, 1, 0}, []byte{5, 0}
	ask := append([]byte{5, 1, 0, 3, 12}, "site.example\x00\x50"...)
	for _, c := range []struct {
		what     string
		userinfo string
		steps    [][]byte
		is       error // what the hop says of the destination; nil if the hop is at fault
	}{
		{"not SOCKS", "", [][]byte{greet, []byte("HT")}, nil},
		{"no method", "", [][]byte{greet, {5, 0xff}}, nil},
		{"wants a password", "", [][]byte{greet, {5, 2}}, nil},
		{"wants none", "u:p", [][]byte{{5, 1, 2}, {5, 0}}, nil},
		{"refuses the password", "u:p", [][]byte{{5, 1, 2}, {5, 2}, {1, 1, 'u', 1, 'p'}, {1, 1}}, nil},
		{"other version", "", [][]byte{greet, ok, ask, {4, 0, 0, 1}}, nil},
		{"general failure", "", [][]byte{greet, ok, ask, {5, 1, 0, 1}}, nil},
		{"not allowed", "", [][]byte{greet, ok, ask, {5, 2, 0, 1}}, nil},
		{"network unreachable", "", [][]byte{greet, ok, ask, {5, 3, 0, 1}}, syscall.ENETUNREACH},
		{"host unreachable", "", [][]byte{greet, ok, ask, {5, 4, 0, 1}}, syscall.EHOSTUNREACH},
		{"refused", "", [][]byte{greet, ok, ask, {5, 5, 0, 1}}, syscall.ECONNREFUSED},
		{"does not answer", "", [][]byte{greet, ok, ask, {5, 6, 0, 1}}, syscall.ETIMEDOUT},
		{"command", "", [][]byte{greet, ok, ask, {5, 7, 0, 1}}, nil},
		{"reserved octet", "", [][]byte{greet, ok, ask, {5, 0, 1, 1, 1, 2, 3, 4, 0, 80}}, nil},
		{"unknown reply", "", [][]byte{greet, ok, ask, {5, 99, 0, 1}}, nil},
		{"unknown address type", "", [][]byte{greet, ok, ask, {5, 0, 0, 9}}, nil},
	} {
		p := startPeer(t, socksScript(t, c.steps...))
		e := newTestEgress(t, Options{Chain: p.chain("socks5h", c.userinfo)})
		conn, err := e.Dial(t.Context(), Plain, Target{Host: "site.example", Port: 80})
		if err == nil {
			conn.Close()
		}
		var hop *HopError
		if atFault := errors.As(err, &hop); err == nil || atFault != (c.is == nil) || !errors.Is(err, c.is) && c.is != nil {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}

// TestHopsHaveThePortOfTheirScheme where the operator names none.
func TestHopsHaveThePortOfTheirScheme(t *testing.T) {
	for text, want := range map[string]string{
		"http://proxy.example": "proxy.example:80", "https://user@proxy.example/": "proxy.example:443",
		"socks5://proxy.example": "proxy.example:1080", "socks5h://proxy.example": "proxy.example:1080",
	} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		h, err := newHop(u, nil)
		if err != nil || h.target.String() != want {
			t.Errorf("%s: %+v, %v, want %s", text, h, err, want)
		}
	}
}

// TestChainEndsAtItsFirstFault: nothing is said to those behind it.
func TestChainEndsAtItsFirstFault(t *testing.T) {
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	behind := startOrigin(t, "127.0.0.1:0")
	e := newTestEgress(t, Options{Chain: []*url.URL{{Scheme: "http", Host: gone.Addr().String()}, {Scheme: "http", Host: behind.Addr().String()}}})
	if _, err := e.Dial(t.Context(), Connect, mustCanonical(t, "site.example:443")); !errors.As(err, new(*HopError)) {
		t.Errorf("%v, want a fault of the chain", err)
	}
	if n := behind.count.Load(); n != 0 {
		t.Errorf("the one behind saw %d connections", n)
	}
}

func TestBadChainsAreErrors(t *testing.T) {
	for _, text := range []string{
		"https://127.0.0.1:8080/path", "socks4://127.0.0.1:1080", "ftp://127.0.0.1", "http://", "http://:80",
		"http://127.0.0.1:0", "http://127.0.0.1:99999", "http://127.0.0.1:8080/path", "http://127.0.0.1:8080?q", "http://127.0.0.1:8080#f",
		"socks5://user@127.0.0.1", "socks5://:pass@127.0.0.1", "socks5://u:" + strings.Repeat("p", 256) + "@127.0.0.1", "socks5://" + strings.Repeat("u", 256) + ":p@127.0.0.1", "127.0.0.1:8080x",
	} {
		u, err := url.Parse(text)
		if err != nil {
			continue
		}
		if _, err := New(Options{Chain: []*url.URL{u}}); err == nil {
			t.Errorf("%s is accepted", text)
		}
	}
	long := strings.Repeat("l", 255)
	if _, err := New(Options{Chain: []*url.URL{{Scheme: "socks5", User: url.UserPassword(long, long), Host: "127.0.0.1:1080"}}}); err != nil {
		t.Errorf("the longest name and password of a SOCKS proxy: %v", err)
	}
	good := &url.URL{Scheme: "http", Host: "127.0.0.1:80"}
	if _, err := New(Options{Chain: []*url.URL{good, {Scheme: "ftp", Host: "127.0.0.1:80"}}}); err == nil {
		t.Error("a bad one behind a good one is accepted")
	}
	for _, roots := range []string{filepath.Join(t.TempDir(), "none.pem"), t.TempDir(), os.Args[0]} {
		if _, err := New(Options{Chain: []*url.URL{{Scheme: "https", Host: "127.0.0.1:80"}}, ChainRoots: roots}); err == nil {
			t.Errorf("authorities from %s are accepted", roots)
		}
	}
}

// FuzzHopHead holds that reading an upstream proxy's head takes its octets and
// no others, whatever they are.
func FuzzHopHead(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\n\r\nrest"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nA: b\r\n\r\n\r\n\r\n"))
	f.Add([]byte("\r\n\r\r\n\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		source := bytes.NewReader(in)
		head, err := readHead(source)
		if err != nil {
			return
		}
		end := bytes.Index(in, []byte(headEnd)) + len(headEnd)
		if !bytes.Equal(head, in[:end]) || source.Len() != len(in)-end {
			t.Fatalf("of %q the head is %q, and %d octets are left", in, head, source.Len())
		}
		if status, err := headStatus(head); err == nil {
			r, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(head)), &http.Request{Method: "CONNECT"})
			if err == nil && r.StatusCode != status {
				t.Fatalf("%q has status %d, net/http says %d", head, status, r.StatusCode)
			}
		}
	})
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

// TestUnspecifiedHopIsThisProxyItself, if one of its listeners has the port: it leads to
// loopback.
func TestUnspecifiedHopIsThisProxyItself(t *testing.T) {
	l := startPeer(t, func(net.Conn) { t.Error("the listener was dialled") })
	own := addrPort(l.Addr())
	for _, host := range []string{"0.0.0.0", "[::]"} {
		chain := []*url.URL{{Scheme: "http", Host: fmt.Sprintf("%s:%d", host, own.Port())}}
		e := newTestEgress(t, Options{Chain: chain, Own: func() []netip.AddrPort { return []netip.AddrPort{own} }})
		if _, err := e.DialHop(t.Context()); !errors.Is(err, ErrOwnHop) {
			t.Errorf("%s: %v", host, err)
		}
	}
}
