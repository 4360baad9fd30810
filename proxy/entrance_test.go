package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/net/http2"

	"guise/cache"
	"guise/proxy/egress"
	"guise/proxy/gate"
	"guise/proxy/inspect"
	"guise/proxy/socks"
	"guise/proxy/telemetry"
	"guise/proxy/wire/http2test"
)

// withUsers makes a proxy that knows ann and bob, with the password "secret".
func withUsers(t *testing.T) func(*Options) {
	t.Helper()
	path := usersFile(t, "secret", "ann", "bob")
	return func(o *Options) { o.Gate.Authentication, o.Gate.Users = gate.Basic, path }
}

// usersFile is of users whose password costs little to check: what [gate.SetUser] makes
// of one takes a busy machine seconds each time.
func usersFile(t *testing.T, password string, names ...string) (path string) {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	var lines []byte
	for _, name := range names {
		lines = fmt.Appendf(lines, "%s:%s\n", name, hash)
	}
	path = filepath.Join(t.TempDir(), "users")
	if err := os.WriteFile(path, lines, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func authorization(user, password string) string {
	return "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// TestCredentialsAreAskedForAndKept: every way in asks, and nothing of what
// proves a client reaches an origin.
func TestCredentialsAreAskedForAndKept(t *testing.T) {
	o := serveOrigin(t, answer(hello))
	proxy := serveProxy(t, withUsers(t))
	for _, c := range []struct {
		name, raw string
		status    string
	}{
		{"plain, without", "GET http://ORIGIN/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "407"},
		{"plain, wrong", "GET http://ORIGIN/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + authorization("ann", "guess") + "\r\n\r\n", "407"},
		{"plain, right", "GET http://ORIGIN/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + authorization("ann", "secret") + "\r\n\r\n", "200"},
		{"the origin's field is not ours", "GET http://ORIGIN/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + authorization("ann", "secret")[6:] + "\r\n\r\n", "407"},
		{"CONNECT, without", "CONNECT ORIGIN HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "407"},
		{"TRACE, without", "TRACE http://ORIGIN/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "407"},
		{"an upload, without", "POST http://ORIGIN/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", "407"},
		{"our own page needs none", "GET /proxy.pac HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "200"},
	} {
		got, err := exchangeRaw(t, proxy, strings.ReplaceAll(c.raw, "ORIGIN", o.address))
		if !strings.HasPrefix(got, "HTTP/1.1 "+c.status+" ") || err != nil {
			t.Errorf("%s: %.60q, %v, want %s", c.name, got, err, c.status)
		}
		if asks := strings.Contains(got, "\r\nProxy-Authenticate: Basic realm=\"guise\""); asks != (c.status == "407") {
			t.Errorf("%s: asks for credentials: %t", c.name, asks)
		}
	}
	if saw := o.saw(); strings.Count(saw, "HTTP/1.1") != 1 || strings.Contains(saw, "uthorization") {
		t.Errorf("the origin saw %q", saw)
	}
	conn := dial(t, proxy)
	io.WriteString(conn, "CONNECT "+o.address+" HTTP/1.1\r\nHost: x\r\n"+authorization("ann", "secret")+"\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if line, _ := bufio.NewReader(conn).ReadString('\n'); !strings.Contains(line, " 200 ") {
		t.Errorf("CONNECT, right: %q", line)
	}
}

// TestOriginsGetNoEchoOfTheProxysCredentials: java.net's programs give them to whoever asks if
// their Authenticator does. What is meant for the origin passes, of the same name, too.
func TestOriginsGetNoEchoOfTheProxysCredentials(t *testing.T) {
	got := func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Header.Get("Authorization")) }
	plain, secure := httptest.NewServer(http.HandlerFunc(got)), serveSecure(t, got, nil)
	t.Cleanup(plain.Close)
	users := withUsers(t)
	proxy := serveProxy(t, func(o *Options) { users(o); inspecting(inspect.Always)(o) })
	client := visitor(t, proxy, trusting(testAuthority()), false)
	client.Transport.(*http.Transport).Proxy = http.ProxyURL(&url.URL{Scheme: "http", User: url.UserPassword("ann", "secret"), Host: proxy})
	for _, target := range []string{plain.URL, secure.URL} {
		for password, passes := range map[string]bool{"secret": false, "theirs": true} {
			sent := authorization("ann", password)[len("Proxy-Authorization: "):]
			if resp, body, err := read(client, target, "Authorization", sent); err != nil || resp.StatusCode != 200 || (body == sent) != passes || !passes && body != "" {
				t.Errorf("%s: %v, %v, the origin got %q of %q", target, resp, err, body, sent)
			}
		}
	}
}

// TestOriginsAskForNoProxysCredentials: Chromium takes any 407 for one of the proxy that
// it sends its password to, forgets that and asks its user anew, so a picture on any page
// could have it do so. Without accounts there is nothing to forget.
func TestOriginsAskForNoProxysCredentials(t *testing.T) {
	o := serveOrigin(t, answer("HTTP/1.1 407 Who are you\r\nProxy-Authenticate: Basic realm=\"guise\"\r\nContent-Length: 2\r\n\r\nno"))
	for want, edit := range map[int]func(*Options){http.StatusBadGateway: withUsers(t), http.StatusProxyAuthRequired: nil} {
		resp, _ := get(t, serveProxy(t, edit), "http://"+o.address+"/", authorization("ann", "secret"))
		if resp.StatusCode != want || resp.Header["Proxy-Authenticate"] != nil {
			t.Errorf("%d %v, want %d", resp.StatusCode, resp.Header, want)
		}
	}
}

// TestSuffixKeepsUsesApart: the same account, but not the same connection,
// cache or source address.
func TestSuffixKeepsUsesApart(t *testing.T) {
	from := make(chan netip.AddrPort, 100)
	o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
		for {
			if _, err := http.ReadRequest(r); err != nil {
				return
			}
			from <- conn.RemoteAddr().(*net.TCPAddr).AddrPort()
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	users := withUsers(t)
	proxy := serveProxy(t, func(o *Options) {
		users(o)
		for i := range 8 {
			o.Egress.SourceAddresses = append(o.Egress.SourceAddresses, netip.AddrFrom4([4]byte{127, 0, 0, byte(10 + i)}))
		}
	})
	askOf := func(proxy, user, path string) (at netip.AddrPort, asked bool) {
		resp, _ := get(t, proxy, "http://"+o.address+path, authorization(user, "secret"))
		if resp.StatusCode != 200 {
			t.Fatalf("%s: %d", user, resp.StatusCode)
		}
		select {
		case at = <-from:
			return at, true
		default:
			return at, false
		}
	}
	ask := func(user, path string) (netip.AddrPort, bool) { return askOf(proxy, user, path) }
	a1, _ := ask("ann+a", "/1")
	a2, _ := ask("ann+a", "/2")
	if a1 != a2 {
		t.Errorf("one isolation has two connections, from %v and %v", a1, a2)
	}
	b, asked := ask("ann+b", "/1")
	if !asked || b == a1 {
		t.Errorf("another isolation was answered from the cache or shares the connection: %v %v", asked, b)
	}
	if _, asked := ask("ann+a", "/1"); asked {
		t.Error("what the isolation fetched itself is not in its cache")
	}
	// What is stored answers at once there: an origin that is asked for the time it takes
	// proves nothing.
	shared := serveProxy(t, func(o *Options) {
		users(o)
		o.Cache.Sharing = cache.Shared
	})
	for _, user := range []string{"ann+a", "ann+b", "ann"} {
		if _, asked := askOf(shared, user, "/shared"); !asked {
			t.Errorf("%s was answered by what another fetched", user)
		}
		if _, asked := askOf(shared, user, "/shared"); asked {
			t.Errorf("%s: what it fetched itself is not in its cache", user)
		}
	}
	addresses := map[netip.Addr]bool{}
	for i := range 30 {
		at, _ := ask(fmt.Sprintf("ann+%d", i), "/3")
		addresses[at.Addr()] = true
	}
	if len(addresses) < 4 {
		t.Errorf("30 isolations left from %d of 8 addresses", len(addresses))
	}
}

// TestTunnelsOfASuffixLeaveFromOneAddress, as its requests do.
func TestTunnelsOfASuffixLeaveFromOneAddress(t *testing.T) {
	from := make(chan netip.Addr, 100)
	o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
		from <- conn.RemoteAddr().(*net.TCPAddr).AddrPort().Addr()
		io.Copy(io.Discard, r)
	})
	users := withUsers(t)
	proxy := serveProxy(t, func(o *Options) {
		users(o)
		for i := range 8 {
			o.Egress.SourceAddresses = append(o.Egress.SourceAddresses, netip.AddrFrom4([4]byte{127, 0, 0, byte(10 + i)}))
		}
	})
	all := map[netip.Addr]bool{}
	for _, user := range []string{"ann+a", "ann+b", "ann+c", "ann+d", "ann+e", "ann+f"} {
		var first netip.Addr
		for i := range 4 {
			conn := dial(t, proxy)
			io.WriteString(conn, "CONNECT "+o.address+" HTTP/1.1\r\nHost: x\r\n"+authorization(user, "secret")+"\r\n\r\n")
			at := <-from
			conn.Close()
			if i == 0 {
				first = at
			}
			if at != first {
				t.Errorf("%s: tunnels leave from %s and %s", user, first, at)
			}
			all[at] = true
		}
	}
	if len(all) < 2 {
		t.Error("all leave from one address, so nothing is shown")
	}
}

// TestLimitsAnswerWithFields: 429 and the fields that say when to come back,
// for plain requests, tunnels and connections. A person reads the same.
func TestLimitsAnswerWithFields(t *testing.T) {
	o := serveOrigin(t, answer(hello))
	begun := time.Now()
	proxy := serveProxy(t, func(o *Options) {
		o.Gate.Client = gate.Limits{Requests: 1, Burst: 3, Tunnels: 1, Connections: 4}
		o.Gate.Now = func() time.Time { return begun } // or a slow machine gives a request more
	})
	openTunnel(t, proxy, o.address, "")
	got, _ := exchangeRaw(t, proxy, "CONNECT "+o.address+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	for _, want := range []string{"HTTP/1.1 429 ", "\r\nRetry-After: 2\r\n", "\r\nRatelimit-Policy: \"tunnels\";q=1;qu=\"concurrent-requests\"\r\n", "\r\nRatelimit: \"tunnels\";r=0;t=2\r\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("a second tunnel: %q has no %q", got, want)
		}
	}
	get(t, proxy, "http://"+o.address+"/")
	resp, body := get(t, proxy, "http://"+o.address+"/")
	if resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "1" || resp.Header.Get("RateLimit-Policy") != `"requests";q=1;w=1` || !strings.Contains(body, "limit") {
		t.Errorf("a fourth request: %d %v %q", resp.StatusCode, resp.Header, body)
	}
	for _, told := range []struct{ text, want string }{{got, "(tunnels). Try again in 2s."}, {body, "(requests). Try again in 1s."}} {
		if !strings.Contains(told.text, told.want) {
			t.Errorf("a person reads %q, and not %q", told.text, told.want)
		}
	}
	// Connections that are held open without a byte get no answer, the one too
	// many does. Those from before may still be counted at first.
	for held := 0; ; held++ {
		conn := dial(t, proxy)
		if held < 4 {
			conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		}
		all, err := io.ReadAll(conn)
		if len(all) == 0 && held < 4 {
			continue
		}
		if got := string(all); !strings.HasPrefix(got, "HTTP/1.1 429 ") || !strings.Contains(got, "\r\nRetry-After: ") || err != nil {
			t.Errorf("with %d held, one more gets %q, %v", held, got, err)
		}
		break
	}
}

// TestIdleConnectionsGiveWayAtLimit: others' idle connections keep nobody out, and what is
// under way is not cut for anybody.
func TestIdleConnectionsGiveWayAtLimit(t *testing.T) {
	holding, release := make(chan struct{}), make(chan struct{})
	o := serveOrigin(t, answerBy(func(r *http.Request) string {
		if strings.HasPrefix(r.URL.Path, "/hold") {
			holding <- struct{}{}
			<-release
		}
		return helloResponse
	}))
	p, proxy := newProxy(t, func(o *Options) { o.Gate.Total.Connections = 3 })
	config, _, _ := newTLS(t)
	secure := serveAs(t, p, Listening{Protocol: HTTPS, TLS: config})
	socks := serveAs(t, p, Listening{Protocol: SOCKS5})
	relayed := serveAs(t, p, Listening{Protocol: HTTPS, TLS: config, Relays: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	ask := func(path string) (status int) {
		conn := dial(t, proxy)
		io.WriteString(conn, "GET http://"+o.address+path+" HTTP/1.1\r\nHost: x\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			return 0 // one of too many that are refused
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Error(err)
		}
		return resp.StatusCode
	}
	oneGivesWay := func() {
		until(t, "somebody gives way", func() bool { return p.server.GiveWay(netip.Addr{}, false) })
	}
	for i := range 10 { // each leaves its connection open
		if got := ask("/"); got != 200 {
			t.Errorf("newcomer %d gets %d", i, got)
		}
	}
	for range 3 {
		oneGivesWay()
	}
	held := make(chan int)
	for i := range 3 {
		go func() { held <- ask(fmt.Sprint("/hold/", i)) }()
		<-holding
	}
	if got := ask("/"); got != 503 {
		t.Errorf("a newcomer among requests gets %d", got)
	}
	close(release)
	for range 3 {
		if got := <-held; got != 200 {
			t.Errorf("a request gets %d", got)
		}
		oneGivesWay()
	}
	for range 3 { // in the middle of a handshake
		silent := dial(t, secure)
		silent.Write([]byte{22, 3, 1})
	}
	oneGivesWay()
	if got := ask("/"); got != 200 {
		t.Errorf("a newcomer among those who say nothing gets %d", got)
	}
	for range 3 {
		oneGivesWay()
	}
	for range 3 { // before they say where to
		dial(t, socks).Write([]byte{5, 1, 0})
	}
	oneGivesWay()
	if got := ask("/"); got != 200 {
		t.Errorf("a newcomer among those who say nothing by SOCKS gets %d", got)
	}
	for range 3 {
		oneGivesWay()
	}
	for range 3 { // behind a relay, in the middle of a handshake
		io.WriteString(dial(t, relayed), "PROXY TCP4 127.0.0.2 127.0.0.1 1234 8443\r\n\x16\x03\x01")
	}
	oneGivesWay()
	if got := ask("/"); got != 200 {
		t.Errorf("a newcomer among those who say nothing behind a relay gets %d", got)
	}
}

// watchDescriptors watches how many of 100 are used.
func watchDescriptors(used *atomic.Int64) *gate.Pressure {
	return gate.Watch(gate.PressureOptions{
		Every:       time.Millisecond,
		Memory:      func() (int64, int64) { return 0, 0 },
		Descriptors: func() (int64, int64) { return used.Load(), 100 },
	})
}

// TestIdleConnectionsGiveWayToShortDescriptors: those of one client take no room that new
// work needs. There is no more room than before, and so all end.
func TestIdleConnectionsGiveWayToShortDescriptors(t *testing.T) {
	o := serveOrigin(t, answer(helloResponse))
	var used atomic.Int64
	pressure := watchDescriptors(&used)
	defer pressure.Close()
	proxy := serveProxy(t, func(o *Options) { o.Pressure = pressure })
	var idle []net.Conn
	for range 3 {
		conn := dial(t, proxy)
		io.WriteString(conn, "GET http://"+o.address+"/ HTTP/1.1\r\nHost: x\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		idle = append(idle, conn)
	}
	used.Store(87)
	for _, conn := range idle {
		if n, err := conn.Read(make([]byte, 1)); n > 0 || err != io.EOF {
			t.Errorf("%d bytes, %v", n, err)
		}
	}
}

// TestFloodOfRefusalsIsCutOff: some are answered, some wait, some are refused
// without an answer, and then the connection ends and the next comes no
// earlier.
func TestFloodOfRefusalsIsCutOff(t *testing.T) {
	now := time.Now()
	metrics := telemetry.New()
	p, address := newProxy(t, func(o *Options) {
		o.Gate.Client = gate.Limits{Requests: 1, Burst: 1}
		o.Gate.Now = func() time.Time { return now }
		o.Metrics = metrics
	})
	flood := func(conn net.Conn) (answers, resets int, end http2.ErrCode) {
		c := http2test.NewClient(t, conn)
		c.SetDeadline(time.Now().Add(patience))
		ended := make(chan struct{})
		defer func() { <-ended }()
		defer c.Close()
		go func() {
			defer close(ended)
			for i := uint32(0); i < 100_000; i++ {
				if c.Head(2*i+1, true, ":method: GET", ":scheme: http", ":authority: origin.example", ":path: /") != nil {
					return
				}
			}
		}()
		for {
			f, err := c.ReadFrame()
			if err != nil {
				return answers, resets, http2.ErrCodeNo
			}
			switch f := f.(type) {
			case *http2.MetaHeadersFrame:
				answers++
			case *http2.RSTStreamFrame:
				resets++
			case *http2.GoAwayFrame:
				return answers, resets, f.ErrCode
			}
		}
	}
	answers, resets, end := flood(dial(t, address))
	if end != http2.ErrCodeEnhanceYourCalm || answers > 300 || resets > 5000 {
		t.Errorf("%d answers, %d resets, then %v", answers, resets, end)
	}
	// Three may come at once, and one that was cut counts as more: the last may
	// be too late already.
	for range 2 {
		if conn, err := net.Dial("tcp", address); err == nil {
			flood(conn)
		}
	}
	if _, err := p.connected(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}); reasonOf(err) != "connection-rate" {
		t.Errorf("the next connection: %v", err)
	}
	if _, err := p.connected(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}); err != nil {
		t.Errorf("another client's: %v", err)
	}
}

// TestTotalLimitIsNotTheClientsFault: 503, and no word of how much there is.
func TestTotalLimitIsNotTheClientsFault(t *testing.T) {
	o := serveOrigin(t, answer(hello))
	proxy := serveProxy(t, func(o *Options) { o.Gate.Total = gate.Limits{Requests: 1} })
	get(t, proxy, "http://"+o.address+"/")
	resp, _ := get(t, proxy, "http://"+o.address+"/")
	if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" || resp.Header.Get("RateLimit") != `"requests";r=0;t=1` || resp.Header.Get("RateLimit-Policy") != "" {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
}

// TestBandwidthOfEveryWay: plain downloads, uploads and tunnels take as long
// as the limit has it, and arrive whole.
func TestBandwidthOfEveryWay(t *testing.T) {
	const size, rate = 640 << 10, 1 << 20 // six tenths of a second, less the short burst and a last piece of up to 128 KiB
	payload := strings.Repeat("x", size)
	o := serveOrigin(t, answerBy(func(r *http.Request) string {
		n, _ := io.Copy(io.Discard, r.Body)
		body := fmt.Sprint(n)
		if r.Method == "GET" {
			body = payload
		}
		return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\nCache-Control: no-store\r\n\r\n%s", len(body), body)
	}))
	proxy := serveProxy(t, func(o *Options) { o.Gate.Client = gate.Limits{Upload: rate, Download: rate} })
	for what, carry := range map[string]func() int{
		"download": func() int { _, body := get(t, proxy, "http://"+o.address+"/"); return len(body) },
		"upload": func() int {
			_, body := send(t, proxy, "POST", "http://"+o.address+"/", payload)
			var n int
			fmt.Sscan(body, &n)
			return n
		},
		"tunnel": func() int {
			conn, r := openTunnel(t, proxy, o.address, "")
			io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			return len(body)
		},
	} {
		begin := time.Now()
		if n := carry(); n != size {
			t.Errorf("%s: %d bytes of %d", what, n, size)
		}
		if took := time.Since(begin); took < 300*time.Millisecond { // a busy machine may take longer
			t.Errorf("%s: took %v at %d bytes a second", what, took, rate)
		}
	}
}

// TestDailyVolumeEndsTunnels: bytes in a tunnel count while they flow.
func TestDailyVolumeEndsTunnels(t *testing.T) {
	o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) { io.Copy(conn, r) })
	proxy := serveProxy(t, func(o *Options) { o.Gate.Client = gate.Limits{Daily: 1 << 20} })
	conn, r := openTunnel(t, proxy, o.address, "")
	go io.Copy(conn, strings.NewReader(strings.Repeat("x", 4<<20)))
	if n, err := io.Copy(io.Discard, r); n > 1<<20 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%d bytes came back within a volume of 1 MiB, then %v", n, err)
	}
	resp, _ := get(t, proxy, "http://"+o.address+"/")
	if resp.StatusCode != 429 || !strings.Contains(resp.Header.Get("RateLimit-Policy"), `"volume"`) {
		t.Errorf("after that: %d %v", resp.StatusCode, resp.Header)
	}
}

// TestDailyVolumeEndsTunnelsThatHaveNotBegun: what the origin says to a client that is
// still to be judged counts, too.
func TestDailyVolumeEndsTunnelsThatHaveNotBegun(t *testing.T) {
	o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) { io.WriteString(conn, strings.Repeat("x", 4<<20)) })
	closing := func(o *Options) {
		o.Gate.Client = gate.Limits{Daily: 1 << 20}
		o.Egress.Deny = []string{"*.closed.example"}
	}
	proxies := []string{serveProxy(t, closing), serveProxy(t, closing)}
	_, byConnect := openTunnel(t, proxies[0], o.address, "")
	byStream, _ := openStream(t, h2Client(t, proxies[1], nil), o.address)
	for i, from := range []io.Reader{byConnect, byStream.Body} {
		if n, err := io.Copy(io.Discard, from); n > 2<<20 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("of 4 MiB %d bytes came within a volume of 1 MiB, then %v", n, err)
		}
		if resp, _ := get(t, proxies[i], "http://"+o.address+"/"); resp.StatusCode != 429 {
			t.Errorf("after that: %d", resp.StatusCode)
		}
	}
}

// TestDailyVolumeCutsNoMessage: what has begun when it is spent is finished, and what
// comes next is refused.
func TestDailyVolumeCutsNoMessage(t *testing.T) {
	const size = 256 << 10
	content := strings.Repeat("x", size)
	var uploaded atomic.Int64
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		uploaded.Store(n)
		io.WriteString(w, content)
	}))
	defer origin.Close()
	for _, c := range []struct{ method, body string }{{"GET", ""}, {"POST", content}} {
		proxy := serveProxy(t, func(o *Options) { o.Gate.Client = gate.Limits{Daily: 64 << 10} })
		resp, body := send(t, proxy, c.method, origin.URL+"/", c.body)
		if resp.StatusCode != 200 || body != content || uploaded.Load() != int64(len(c.body)) {
			t.Errorf("%s: %d, %d bytes up and %d down", c.method, resp.StatusCode, uploaded.Load(), len(body))
		}
		if resp, _ := get(t, proxy, origin.URL+"/"); resp.StatusCode != 429 {
			t.Errorf("after %s: %d", c.method, resp.StatusCode)
		}
	}
}

// clientHello returns what a TLS client sends first for a server name.
func clientHello(t *testing.T, name string) string {
	t.Helper()
	near, far := net.Pipe()
	defer far.Close()
	go tls.Client(near, &tls.Config{ServerName: name, InsecureSkipVerify: true}).Handshake()
	far.SetDeadline(time.Now().Add(patience))
	head := make([]byte, 5)
	if _, err := io.ReadFull(far, head); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, int(head[3])<<8|int(head[4]))
	if _, err := io.ReadFull(far, body); err != nil {
		t.Fatal(err)
	}
	near.Close()
	return string(head) + string(body)
}

// TestTunnelsThatMustCarryTLS: nothing reaches the origin unless it begins
// with a ClientHello for the host of CONNECT.
func TestTunnelsThatMustCarryTLS(t *testing.T) {
	hello := clientHello(t, "localhost")
	for _, c := range []struct {
		what, host, first string
		passes            bool
	}{
		{"TLS for the host", "localhost", hello, true},
		{"more behind it", "localhost", hello + "more", true},
		{"host in another case", "LOCALHOST", hello, true},
		{"trailing dot", "localhost.", hello, true},
		{"address without a name", "127.0.0.1", clientHello(t, ""), true},
		{"address with a name", "127.0.0.1", hello, false},
		{"another name", "localhost", clientHello(t, "other.example"), false},
		{"no name", "localhost", clientHello(t, ""), false},
		{"HTTP", "localhost", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", false},
		{"SSH", "localhost", "SSH-2.0-OpenSSH_9.9\r\n", false},
		{"SMTP", "localhost", "EHLO localhost\r\n", false},
		{"half a hello", "localhost", hello[:len(hello)/2], false},
		{"a damaged hello", "localhost", hello[:43] + "\xff" + hello[44:], false},
		{"records without end", "localhost", strings.Repeat("\x16\x03\x01\x40\x00"+strings.Repeat("\x01", 16384), 3), false},
		{"an alert", "localhost", "\x15\x03\x01\x00\x02\x02\x28", false},
	} {
		t.Run(c.what, func(t *testing.T) {
			o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
				b, _ := io.ReadAll(io.LimitReader(r, int64(len(c.first))))
				fmt.Fprintf(conn, "got %d", len(b))
			})
			_, port, _ := net.SplitHostPort(o.address)
			proxy := serveProxy(t, func(o *Options) {
				o.TunnelTLS = true
				if !c.passes {
					o.Timeouts.Head = 300 * time.Millisecond // ends the wait for what never comes
				}
				o.Egress.ConnectPorts = []egress.PortRange{{First: 1, Last: 65535}}
			})
			for _, early := range []string{c.first, c.first[:3], ""} {
				conn, r := openTunnel(t, proxy, net.JoinHostPort(c.host, port), early)
				io.WriteString(conn, c.first[len(early):])
				got, _ := io.ReadAll(r)
				if want := fmt.Sprintf("got %d", len(c.first)); (string(got) == want) != c.passes {
					t.Errorf("%d bytes early: got %q", len(early), got)
				}
			}
			if saw := o.saw(); (saw != "") != c.passes || c.passes && saw != strings.Repeat(c.first, 3) {
				t.Errorf("the origin saw %d bytes: %.40q", len(saw), saw)
			}
		})
	}
}

// TestTunnelsCarryNoTLSForClosedHosts: who has looked a name up by himself, or comes by
// another that leads to the same place, says in the hello which one it is for. What is no
// TLS begins as it likes, whoever speaks first.
func TestTunnelsCarryNoTLSForClosedHosts(t *testing.T) {
	closed := clientHello(t, "a.CLOSED.example")
	for _, c := range []struct {
		what, first string
		passes      bool
	}{
		{"a closed host", closed, false},
		{"half a hello", closed[:len(closed)/2], false},
		{"records of a version to come", closed[:2] + "\x05" + closed[3:], false},
		{"records of a version that nobody minds", closed[:1] + "\x7f\x00" + closed[3:], false},
		{"a warning of such a version before", "\x15\x05\x01\x00\x02\x01\x5a" + closed, false},
		{"an empty record before", closed[:3] + "\x00\x00" + closed, false},
		{"a warning before", "\x15\x03\x01\x00\x02\x01\x5a" + closed, false},
		{"a hello of 64 KiB", closed[:3] + "\x40\x00\x01\x01\x00\x00" + strings.Repeat("\x03", 1<<14-4), false},
		{"another host", clientHello(t, "open.example"), true},
		{"no name", clientHello(t, ""), true},
		{"SSH", "SSH-2.0-OpenSSH_9.9\r\n", true},
		{"Minecraft", "\x16\x00\xfd\x05\x0fmc.open.example\x63\xdd\x02", true},
		{"a length of four bytes", "\x15\x00\x00\x00" + strings.Repeat("\x00", 17), true},
		{"nothing", "", true},
	} {
		t.Run(c.what, func(t *testing.T) {
			o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
				io.WriteString(conn, "hello ")
				b, _ := io.ReadAll(io.LimitReader(r, int64(len(c.first))))
				fmt.Fprintf(conn, "got %q", b)
			})
			port := portOf(t, o.address)
			for _, by := range []struct {
				host string
				auto bool
			}{{"127.0.0.1", false}, {"127.0.0.1", true}, {"localhost", false}, {"localhost", true}} {
				p, proxy := newProxy(t, func(o *Options) {
					if by.auto && !c.passes { // else the origin would be asked first
						inspecting(inspect.Auto)(o)
					}
					if c.what == "half a hello" {
						o.Timeouts.Head = time.Second // ends the wait for the rest; each way in has to take less
					}
					o.Egress.Deny = []string{"*.closed.example"}
				})
				at := net.JoinHostPort(by.host, strconv.Itoa(port))
				_, byConnect := openTunnel(t, proxy, at, c.first)
				early := c.first[:min(1, len(c.first))]
				conn, inPieces := openTunnel(t, proxy, at, early)
				io.WriteString(conn, c.first[len(early):])
				bySOCKS, code := socksDial(t, serveAs(t, p, Listening{Protocol: SOCKS5}), by.host, port)
				if code != socks.Succeeded {
					t.Fatalf("code %d", code)
				}
				io.WriteString(bySOCKS, c.first)
				for _, from := range []io.Reader{byConnect, inPieces, bySOCKS} {
					got, _ := io.ReadAll(from)
					if want := fmt.Sprintf("hello got %q", c.first); (string(got) == want) != c.passes {
						t.Errorf("%+v: got %q", by, got)
					}
				}
			}
			// Of tunnels that are open side by side the bytes come mixed.
			if saw := o.saw(); c.passes && len(saw) != 12*len(c.first) || !c.passes && saw != "" {
				t.Errorf("the origin saw %d bytes: %.40q", len(saw), saw)
			}
		})
	}
}

// TestWhatMayBeTLSIsToldByteByByte: how a client's first bytes are cut changes nothing.
func TestWhatMayBeTLSIsToldByteByByte(t *testing.T) {
	for b, refused := range map[string]bool{
		"\x14\x03\x03": true, "\x14\x04\x03": false,
		"\x15\x03\x01": true, "\x15\x05\x01\x00\x02\x01": true, "\x15\x05\x01\x00\x02\x02": false, "\x15\x05\x01\x00\x03\x01": false, "\x15\x05\x01\x01\x02\x01": false,
		"\x16\x7f\x01\x01\x00\x01": true, "\x16\x7f\x01\x01\x00\x02": false,
		"\x18\x03": true, "\x19\x03": false, "\x13\x03": false,
	} {
		check := &tlsCheck{closes: func(egress.Target) bool { return false }}
		for _, n := range []int{1, len(b)} {
			missing, err := check.judge([]byte(b[:n]))
			for ; missing > 0 && n < len(b); missing, err = check.judge([]byte(b[:n])) {
				n = min(n+missing, len(b))
			}
			if missing > 0 || errors.Is(err, errNotTLS) != refused || !refused && err != nil {
				t.Errorf("%q: %d more, %v", b[:n], missing, err)
			}
		}
	}
}

// TestWhoWaitsForTheOriginIsJudgedAsWell: what the origin says first comes at once, and
// what the client says then is no less looked at, also where inspection has given up.
func TestWhoWaitsForTheOriginIsJudgedAsWell(t *testing.T) {
	for first, passes := range map[string]bool{"EHLO x\r\n": true, clientHello(t, "open.example"): true, clientHello(t, "a.closed.example"): false} {
		o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
			io.WriteString(conn, "220 ready\r\n")
			b, _ := io.ReadAll(io.LimitReader(r, int64(len(first))))
			fmt.Fprintf(conn, "got %d", len(b))
		})
		for _, auto := range []bool{false, true} {
			p, proxy := newProxy(t, func(o *Options) {
				o.Egress.Deny = []string{"*.closed.example"}
				if auto {
					inspecting(inspect.Auto)(o)
					o.Timeouts.Head = time.Second // ends the wait for what does not come; each way in has to take less
				}
			})
			byConnect, r := openTunnel(t, proxy, o.address, "")
			bySOCKS, code := socksDial(t, serveAs(t, p, Listening{Protocol: SOCKS5}), "localhost", portOf(t, o.address))
			if code != socks.Succeeded {
				t.Fatalf("code %d", code)
			}
			resp, up := openStream(t, h2Client(t, proxy, nil), o.address)
			for conn, from := range map[io.Writer]io.Reader{byConnect: r, bySOCKS: bySOCKS, up: resp.Body} {
				ready := make([]byte, len("220 ready\r\n"))
				if _, err := io.ReadFull(from, ready); err != nil {
					t.Fatal(err)
				}
				io.WriteString(conn, first)
				got, _ := io.ReadAll(from)
				if want := fmt.Sprintf("got %d", len(first)); (string(got) == want) != passes {
					t.Errorf("%.10q, inspected %v: got %q", first, auto, got)
				}
			}
		}
		if saw := o.saw(); passes != (saw == strings.Repeat(first, 6)) || !passes && saw != "" {
			t.Errorf("%.10q: the origin saw %d bytes: %.40q", first, len(saw), saw)
		}
	}
}

// TestWhoSaysNothingHearsTheOriginOut, also where the client's first bytes are to be judged.
func TestWhoSaysNothingHearsTheOriginOut(t *testing.T) {
	o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
		io.WriteString(conn, "220 ready\r\n")
		io.Copy(io.Discard, r)
		io.WriteString(conn, "221 bye\r\n")
	})
	proxy := serveProxy(t, func(o *Options) { o.Egress.Deny = []string{"*.closed.example"} })
	conn, r := openTunnel(t, proxy, o.address, "")
	conn.CloseWrite()
	if got, err := io.ReadAll(r); string(got) != "220 ready\r\n221 bye\r\n" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestOneRefusalIsForgivenToWhoIsAsked: browsers send no credentials before they
// are asked, on each connection; what others there are refused stays refused.
func TestOneRefusalIsForgivenToWhoIsAsked(t *testing.T) {
	const unasked, here = "TRACE http://origin.example/ HTTP/1.1\r\nHost: x\r\n", "127.0.0.1"
	p, address := newProxy(t, withUsers(t))
	known := unasked + authorization("ann", "secret") + "\r\n"
	hold := func() time.Duration {
		wait, _ := p.current.Load().gate.Hold(netip.MustParseAddr(here))
		return wait
	}
	talk := func(raw string, statuses int) {
		t.Helper()
		got, err := exchangeRaw(t, address, raw)
		if n := strings.Count(got, "HTTP/1.1 4"); n != statuses || err != nil {
			t.Fatalf("%d answers, %v: %q", n, err, got)
		}
	}
	for range 150 {
		talk(unasked+"\r\n"+known+"Connection: close\r\n\r\n", 2)
	}
	if wait := hold(); wait != 0 {
		t.Errorf("who said who it is when it was asked is held back for %v", wait)
	}
	for range 150 {
		talk(known+"\r\n"+known+"Connection: close\r\n\r\n", 2)
		hold()
	}
	if hold() == 0 {
		t.Error("those who were not asked have lifted what holds others back")
	}
}

// TestWhatHasNoFormIsLimitedToo: what is no request to a proxy is refused to those
// alone who may enter, and counts as a request of theirs.
func TestWhatHasNoFormIsLimitedToo(t *testing.T) {
	ask := func(c *http2test.Client, stream uint32) string {
		c.Head(stream, true, ":method: CONNECT", ":protocol: connect-udp", ":scheme: https", ":authority: a.example", ":path: /")
		return c.Headers(stream).PseudoValue("status")
	}
	t.Run("credentials", func(t *testing.T) {
		c := http2test.NewClient(t, dial(t, serveProxy(t, withUsers(t))))
		if status := ask(c, 1); status != "407" {
			t.Errorf("status %s", status)
		}
	})
	few := func(o *Options) { o.Gate.Client.Requests, o.Gate.Client.Burst = 1, 2 }
	t.Run("HTTP/2", func(t *testing.T) {
		c := http2test.NewClient(t, dial(t, serveProxy(t, few)))
		for stream, want := range []string{"501", "501", "429"} {
			if status := ask(c, uint32(2*stream+1)); status != want {
				t.Errorf("stream %d: status %s, want %s", stream, status, want)
			}
		}
	})
	t.Run("SOCKS", func(t *testing.T) {
		p, _ := newProxy(t, few)
		conn, code := socksDial(t, serveAs(t, p, Listening{Protocol: SOCKS5}), "127.0.0.1", 80)
		if code != socks.Succeeded {
			t.Fatalf("code %d", code)
		}
		answers := bufio.NewReader(conn)
		for _, want := range []int{421, 421, 429} {
			io.WriteString(conn, "GET / HTTP/1.1\r\nHost: 127.0.0.2\r\n\r\n")
			if resp, _ := readAnswer(t, answers, "GET"); resp.StatusCode != want {
				t.Errorf("status %d, want %d", resp.StatusCode, want)
			}
		}
	})
}
