package proxy

import (
	"bufio"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"guise/proxy/egress"
	"guise/proxy/gate"
	"guise/proxy/inspect"
	"guise/proxy/tunnel"
	"guise/proxy/wire"
)

// TestAutoLeavesAlone: what cannot be inspected is a tunnel, byte for byte.
func TestAutoLeavesAlone(t *testing.T) {
	t.Run("another protocol", func(t *testing.T) {
		o := serveOrigin(t, echoLine)
		p, proxy := newProxy(t, inspecting(inspect.Auto))
		for _, early := range []string{"SSH-2.0\n", ""} {
			conn, r := openTunnel(t, proxy, o.address, early)
			if early == "" {
				io.WriteString(conn, "GET /\n")
			}
			if line, _ := r.ReadString('\n'); !strings.HasPrefix(line, "got ") {
				t.Errorf("got %q", line)
			}
		}
		if n := p.current.Load().inspects.memory.Counts().Left[inspect.NotTLS]; n != 2 {
			t.Errorf("%d counted", n)
		}
	})
	t.Run("a server that speaks first", func(t *testing.T) {
		o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) { io.WriteString(conn, "220 ready\n") })
		_, proxy := newProxy(t, func(o *Options) {
			inspecting(inspect.Auto)(o)
			o.Timeouts.Head = 200 * time.Millisecond
		})
		_, r := openTunnel(t, proxy, o.address, "")
		if line, _ := r.ReadString('\n'); line != "220 ready\n" {
			t.Errorf("got %q", line)
		}
	})
	t.Run("client certificates", func(t *testing.T) {
		clients := newAuthority()
		o := serveSecure(t, greet, func(config *tls.Config) {
			config.ClientAuth, config.ClientCAs = tls.VerifyClientCertIfGiven, trusting(clients)
		}, "http/1.1")
		_, proxy := newProxy(t, inspecting(inspect.Auto))
		// The client trusts the origin's own issuer alone: it is a tunnel.
		c := visitor(t, proxy, trusting(originAuthority()), false)
		mine, err := clients.Leaf("me.example")
		if err != nil {
			t.Fatal(err)
		}
		mine.Leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		if resp, _, err := read(c, o.URL); err != nil || resp.StatusCode != 200 {
			t.Errorf("%v %v", resp, err)
		}
	})
	t.Run("a client that pins", func(t *testing.T) {
		o := serveSecure(t, greet, nil, "http/1.1")
		p, proxy := newProxy(t, inspecting(inspect.Auto))
		pinning := visitor(t, proxy, trusting(originAuthority()), false)
		if _, _, err := read(pinning, o.URL); err == nil {
			t.Fatal("not inspected at all")
		}
		until(t, "the refusal is known", func() bool {
			_, left := p.current.Load().inspects.memory.Fallback("127.0.0.1", "127.0.0.1")
			return left
		})
		if resp, _, err := read(pinning, o.URL); err != nil || resp.StatusCode != 200 {
			t.Errorf("%v %v", resp, err)
		}
		if n := p.current.Load().inspects.memory.Counts().Left[inspect.Pinned]; n != 1 {
			t.Errorf("%d counted", n)
		}
	})
	t.Run("a program that pins, and nothing else of the machine", func(t *testing.T) {
		o := serveSecure(t, greet, nil, "http/1.1")
		p, proxy := newProxy(t, inspecting(inspect.Auto))
		refuses := func(program uint16, roots *x509.CertPool) bool {
			tc, err := dialInside(t, proxy, o.address, &tls.Config{RootCAs: roots, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{program}})
			tc.Close()
			return err != nil
		}
		const browser, updater = tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
		if !refuses(updater, trusting(originAuthority())) {
			t.Fatal("not inspected at all")
		}
		until(t, "the refusal is known", func() bool {
			_, left := p.current.Load().inspects.memory.Fallback("127.0.0.1", "127.0.0.1")
			return left
		})
		if refuses(updater, trusting(originAuthority())) {
			t.Error("it is inspected again")
		}
		if refuses(browser, trusting(testAuthority())) {
			t.Error("a browser beside it is inspected no more")
		}
	})
	t.Run("a client that pins in silence", func(t *testing.T) {
		o := serveSecure(t, greet, nil, "http/1.1")
		p, proxy := newProxy(t, inspecting(inspect.Auto))
		leave := func() { // after it has seen the certificate
			tc, err := dialInside(t, proxy, o.address, &tls.Config{RootCAs: trusting(testAuthority())})
			if err != nil {
				t.Fatal(err)
			}
			tc.CloseWrite()
			io.Copy(io.Discard, tc.NetConn()) // each counts that begins when the one before has been noted
			tc.Close()
		}
		for range 3 {
			leave()
		}
		until(t, "the refusal is known", func() bool {
			_, left := p.current.Load().inspects.memory.Fallback("127.0.0.1", "127.0.0.1")
			return left
		})
	})
	t.Run("another name inside", func(t *testing.T) {
		o := serveSecure(t, greet, nil, "http/1.1")
		proxy := serveProxy(t, inspecting(inspect.Auto))
		if _, err := dialInside(t, proxy, o.address, &tls.Config{RootCAs: trusting(originAuthority()), ServerName: "localhost"}); err != nil {
			t.Error(err)
		}
	})
	t.Run("hosts beyond the authority", func(t *testing.T) {
		o := serveSecure(t, greet, nil, "http/1.1")
		narrow, err := inspect.Create(inspect.CreateOptions{Only: []string{"shop.example"}})
		if err != nil {
			t.Fatal(err)
		}
		proxy := serveProxy(t, func(o *Options) {
			inspecting(inspect.Always)(o)
			o.Inspection.Authority = narrow
		})
		if resp, _, err := read(visitor(t, proxy, trusting(originAuthority()), false), o.URL); err != nil || resp.StatusCode != 200 {
			t.Errorf("%v %v", resp, err)
		}
	})
	t.Run("another protocol in TLS", func(t *testing.T) {
		config := siteTLS(t, "mqtt")
		o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
			tc := tls.Server(readFrom{conn, r}, config)
			echoLine(tc, bufio.NewReader(tc))
		})
		p, proxy := newProxy(t, inspecting(inspect.Auto))
		tc, err := dialInside(t, proxy, o.address, &tls.Config{RootCAs: trusting(originAuthority()), NextProtos: []string{"mqtt"}})
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(tc, "publish\n")
		if line, _ := bufio.NewReader(tc).ReadString('\n'); line != "got publish\n" {
			t.Errorf("got %q", line)
		}
		if n := p.current.Load().inspects.memory.Counts().Left[inspect.OtherProtocol]; n != 1 {
			t.Errorf("%d counted", n)
		}
	})
	t.Run("a site with another TLS", func(t *testing.T) {
		o := serveSecure(t, greet, func(config *tls.Config) { config.MinVersion, config.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }, "http/1.1")
		p, proxy := newProxy(t, inspecting(inspect.Auto))
		c := visitor(t, proxy, trusting(originAuthority()), false)
		c.Transport.(*http.Transport).TLSClientConfig.MinVersion = tls.VersionTLS10
		if resp, _, err := read(c, o.URL); err != nil || resp.StatusCode != 200 {
			t.Errorf("%v %v", resp, err)
		}
		if n := p.current.Load().inspects.memory.Counts().Left[inspect.OtherTLS]; n != 1 {
			t.Errorf("%d counted", n)
		}
	})
	t.Run("a client with another TLS", func(t *testing.T) {
		o := serveSecure(t, greet, func(config *tls.Config) { config.MinVersion = tls.VersionTLS10 }, "http/1.1")
		p, proxy := newProxy(t, inspecting(inspect.Auto))
		c := visitor(t, proxy, trusting(originAuthority()), false)
		config := c.Transport.(*http.Transport).TLSClientConfig
		config.MinVersion, config.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
		if resp, _, err := read(c, o.URL); err != nil || resp.StatusCode != 200 {
			t.Errorf("%v %v", resp, err)
		}
		if n := p.current.Load().inspects.memory.Counts().Left[inspect.OtherTLS]; n != 1 {
			t.Errorf("%d counted", n)
		}
	})
	t.Run("never", func(t *testing.T) {
		o := serveSecure(t, greet, nil, "http/1.1")
		proxy := serveProxy(t, inspecting(inspect.Never))
		if resp, _, err := read(visitor(t, proxy, trusting(originAuthority()), false), o.URL); err != nil || resp.StatusCode != 200 {
			t.Errorf("%v %v", resp, err)
		}
	})
}

// TestAutoLearnsFromAnotherHandshake: a site that asks for client certificates on
// some of its pages alone does so in the middle of TLS 1.2. It needs openssl, since
// Go's server does no such thing.
func TestAutoLearnsFromAnotherHandshake(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("no openssl")
	}
	leaf, err := originAuthority().Leaf("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(leaf.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "site.pem")
	both := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Certificate[0]}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	if err := os.WriteFile(file, both, 0o600); err != nil {
		t.Fatal(err)
	}
	site := exec.CommandContext(t.Context(), "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", file, "-key", file, "-tls1_2", "-alpn", "http/1.1")
	typed, _ := site.StdinPipe()
	said, _ := site.StdoutPipe()
	if err := site.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(said)
	saidBy := func(start string) string {
		t.Helper()
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				t.Fatalf("no %q: %v", start, err)
			}
			if rest, ok := strings.CutPrefix(strings.TrimSpace(line), start); ok {
				return rest
			}
		}
	}
	address := strings.TrimSpace(saidBy("ACCEPT"))
	p, proxy := newProxy(t, inspecting(inspect.Auto))
	failed := make(chan error, 1)
	c := visitor(t, proxy, trusting(testAuthority()), false)
	go func() {
		_, _, err := read(c, "https://"+address+"/account")
		failed <- err
	}()
	saidBy("GET /account ")
	early, err := dialInside(t, proxy, address, &tls.Config{RootCAs: trusting(testAuthority())})
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(typed, "R\n")
	saidBy("GET /account ") // the failure could be due to the age of the connection
	io.WriteString(typed, "R\n")
	if err := <-failed; err == nil {
		t.Error("there was an answer")
	}
	// What came before that and makes its first request now changes nothing about it.
	fmt.Fprintf(early, "TRACE / HTTP/1.1\r\nHost: %s\r\n\r\n", address)
	if resp, err := http.ReadResponse(bufio.NewReader(early), nil); err != nil || resp.StatusCode != http.StatusMethodNotAllowed {
		t.Fatalf("got %v, %v", resp, err)
	}
	if _, err := dialInside(t, proxy, address, &tls.Config{RootCAs: trusting(originAuthority()), MaxVersion: tls.VersionTLS12}); err != nil {
		t.Errorf("not a tunnel afterwards: %v", err)
	}
	if _, left := p.current.Load().inspects.memory.Fallback("127.0.0.3", "127.0.0.1"); left {
		t.Error("another client gets a tunnel, and learns that this one was at a page that asks")
	}
	site.Process.Kill()
	go io.Copy(io.Discard, lines)
	site.Wait()
}

// TestLateHellosAreWaitedFor: where servers do not speak first, there is no reason to
// take a client that is slow for one that speaks something else.
func TestLateHellosAreWaitedFor(t *testing.T) {
	if got := helloTime(443, 15*time.Second); got != 15*time.Second {
		t.Errorf("%s at port 443", got)
	}
	if got := helloTime(22, 15*time.Second); got != helloWait {
		t.Errorf("%s elsewhere", got)
	}
	if got := helloTime(22, time.Second); got != time.Second {
		t.Errorf("%s of one", got)
	}
}

// A hesitant connection has its reader wait too long before each piece but the first,
// as often as the reader has no more time than before.
type hesitant struct {
	net.Conn
	pieces [][]byte
	till   time.Time
	tried  bool
}

func (c *hesitant) SetReadDeadline(t time.Time) error {
	if t.After(c.till) {
		c.tried = false
	}
	c.till = t
	return nil
}

func (c *hesitant) Read(p []byte) (int, error) {
	if c.tried {
		return 0, os.ErrDeadlineExceeded
	}
	n := copy(p, c.pieces[0])
	c.pieces, c.tried = c.pieces[1:], true
	return n, nil
}

// TestHellosMayTakeTheirTime: who has begun to speak TLS is not waited for any shorter
// where servers may speak first. A part of a hello may have to be sent again.
func TestHellosMayTakeTheirTime(t *testing.T) {
	p, _ := newProxy(t, inspecting(inspect.Auto))
	hello := []byte(clientHello(t, "site.example"))
	near, _ := tcpPair(t)
	conn := &hesitant{Conn: near, pieces: [][]byte{hello[:100], hello[100:]}}
	in := &inner{Conn: conn, rw: conn, guest: guest{end: func(tunnel.Bytes) {}}, memory: inspect.NewMemory(), visit: new(visit), mode: inspect.Auto}
	in.target = egress.Target{Host: "site.example", Port: 8443}
	if why, left := in.hello(p.current.Load()); left || in.name != "site.example" {
		t.Errorf("left since %v", why)
	}
}

// TestFallbackIsApart: what a site had guise learn of its hosts tells it nothing of who
// comes under another suffix.
func TestFallbackIsApart(t *testing.T) {
	p, _ := newProxy(t, inspecting(inspect.Auto))
	i := p.current.Load().inspects
	target := egress.Target{Host: "bit1.tracker.example", Port: 443}
	who := func(apart string) *visit {
		return &visit{Entrant: gate.Entrant{Account: "ann", Isolation: apart}}
	}
	(&inner{memory: i.memory, mode: inspect.Auto, target: target, visit: who("ann+a")}).asksForCertificate()
	for apart, want := range map[string]inspect.Mode{"ann+a": inspect.Never, "ann+b": inspect.Auto, "": inspect.Auto} {
		if got := i.mode(who(apart), target); got != want {
			t.Errorf("%q: mode %v", apart, got)
		}
	}
}

// TestConnectingAheadIsNoRefusal: any page can have a browser connect to a site and
// not use it. That must not get the site what browsers say of themselves.
func TestConnectingAheadIsNoRefusal(t *testing.T) {
	memory := inspect.NewMemory()
	for range 10 {
		in := &inner{Conn: new(net.TCPConn), guest: guest{end: func(tunnel.Bytes) {}}, memory: memory, visit: new(visit), shaken: time.Now().Add(-silentSoon)}
		in.target.Host = "a.example"
		in.Close()
	}
	if _, left := memory.Fallback(new(visit).Visitor(), "a.example"); left {
		t.Error("a tunnel")
	}
}

// TestLeavingAtOnceIsARefusal, before TLS stands as well as right after, once it has
// happened often enough in a row.
func TestLeavingAtOnceIsARefusal(t *testing.T) {
	for name, shaken := range map[string]time.Time{"before": {}, "right after": time.Now().Add(time.Hour)} {
		memory := inspect.NewMemory()
		for range 10 {
			in := &inner{Conn: new(net.TCPConn), guest: guest{end: func(tunnel.Bytes) {}}, memory: memory, visit: new(visit), shaken: shaken}
			in.target.Host = "a.example"
			in.Close()
		}
		if why, left := memory.Fallback(new(visit).Visitor(), "a.example"); !left || why != inspect.Pinned {
			t.Errorf("%s: inspected", name)
		}
	}
}

// TestSpeakingHTTPIsNoRefusal: who begins HTTP/2, or makes a request that is too large, took
// the certificate, though no request came that is passed on. Any page can have a browser ask
// for what is too large.
func TestSpeakingHTTPIsNoRefusal(t *testing.T) {
	long := "GET /" + strings.Repeat("a", 20<<10) + " HTTP/1.1\r\n\r\n"
	for protocol, said := range map[string]string{"h2": http2.ClientPreface, "http/1.1": long} {
		o := serveSecure(t, greet, nil, "http/1.1")
		proxy := serveProxy(t, inspecting(inspect.Auto))
		for range 4 {
			config := &tls.Config{RootCAs: trusting(testAuthority()), NextProtos: []string{protocol}}
			tc, err := dialInside(t, proxy, o.address, config)
			if err != nil {
				t.Fatalf("%s: %v", protocol, err)
			}
			io.WriteString(tc, said)
			tc.CloseWrite()
			io.Copy(io.Discard, tc)
			tc.Close()
		}
	}
}

// TestLeavingWhileTheOriginIsAskedIsNoRefusal: who is gone before there is a certificate to
// see has refused none. Any page can have a browser connect to what is slow to answer, and
// leave.
func TestLeavingWhileTheOriginIsAskedIsNoRefusal(t *testing.T) {
	o := serveSecure(t, greet, nil, "http/1.1")
	p, _ := newProxy(t, inspecting(inspect.Auto))
	a := p.current.Load()
	near, far := tcpPair(t)
	in := &inner{Conn: near, rw: near, guest: guest{end: func(tunnel.Bytes) {}}, memory: inspect.NewMemory(), visit: new(visit), mode: inspect.Auto}
	var err error
	if in.target, err = egress.Canonical(o.address, 443); err != nil {
		t.Fatal(err)
	}
	if why, left := in.approach(t.Context(), a); left {
		t.Fatal(why)
	}
	far.Close()
	until(t, "the client's end", func() bool {
		why, left := in.approach(t.Context(), a)
		return left && why == gone
	})
}

// TestAlwaysLeavesNothing: where inspection is a must, nothing else passes.
func TestAlwaysLeavesNothing(t *testing.T) {
	o := serveOrigin(t, echoLine)
	proxy := serveProxy(t, inspecting(inspect.Always))
	_, r := openTunnel(t, proxy, o.address, "SSH-2.0\n")
	if got, err := io.ReadAll(r); len(got) > 0 {
		t.Errorf("%q, %v", got, err)
	}
	if o.saw() != "" {
		t.Errorf("the origin got %q", o.saw())
	}
}

// TestWebSocketsInTheClearAreFiltered: to any port browsers open them by CONNECT. Where
// inspection is a must, they are no less to be had than what is encrypted.
func TestWebSocketsInTheClearAreFiltered(t *testing.T) {
	o := serveOrigin(t, answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
	proxy := serveProxy(t, inspecting(inspect.Always))
	_, r := openTunnel(t, proxy, o.address, "GET /socket HTTP/1.1\r\nHost: "+o.address+"\r\nUser-Agent: mine\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
	if resp, err := http.ReadResponse(r, nil); err != nil || resp.StatusCode != 200 {
		t.Errorf("%v, %v", resp, err)
	}
	if saw := o.saw(); !strings.Contains(saw, "GET /socket ") || !strings.Contains(saw, "Upgrade: websocket") || strings.Contains(saw, "mine") {
		t.Errorf("the origin got %q", saw)
	}
	_, r = openTunnel(t, proxy, o.address, "GET /socket HTTP/1.1\r\nHost: other.example\r\n\r\n")
	if resp, err := http.ReadResponse(r, nil); err != nil || resp.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("%v, %v", resp, err)
	}
}

// TestEncryptedHellosAreUnread: a client whose real hello is encrypted within another is
// told so in the name of that, by a certificate that it takes, and comes again without
// (RFC 9849 §6.1.6).
func TestEncryptedHellosAreUnread(t *testing.T) {
	for _, mode := range []inspect.Mode{inspect.Always, inspect.Auto} {
		o := serveSecure(t, greet, nil, "http/1.1")
		proxy := serveProxy(t, inspecting(mode))
		target := strings.Replace(o.address, "127.0.0.1", "localhost", 1)
		config := &tls.Config{RootCAs: trusting(testAuthority()), MinVersion: tls.VersionTLS13, EncryptedClientHelloConfigList: helloKeys(t, "public.example")}
		for range 4 { // browsers open several connections at once
			_, err := dialInside(t, proxy, target, config)
			if rejected, ok := errors.AsType[*tls.ECHRejectionError](err); !ok || len(rejected.RetryConfigList) > 0 {
				t.Errorf("got %v", err)
			}
		}
		config.EncryptedClientHelloConfigList = nil
		if _, err := dialInside(t, proxy, target, config); err != nil {
			t.Error(err)
		}
	}
}

// TestOtherNamesThatAreMeant: a client that asks for another host than its CONNECT, and
// has no encrypted hello although it looks so, is left alone from its next connection on;
// so is one that leaves without a word, if it does that a few times.
func TestOtherNamesThatAreMeant(t *testing.T) {
	p, _ := newProxy(t, inspecting(inspect.Auto))
	a := p.current.Load()
	for _, c := range []struct {
		what  string
		roots *x509.CertPool
		after int
		place string
		why   inspect.Reason
	}{
		{"it takes the certificate", trusting(testAuthority()), 1, "site.example:443", inspect.OtherName},
		{"it refuses the certificate", x509.NewCertPool(), 1, "site.example", inspect.Pinned},
		{"it goes", nil, 3, "site.example", inspect.Pinned},
	} {
		memory := inspect.NewMemory()
		for range c.after {
			if _, left := memory.Fallback(new(visit).Visitor(), c.place); left {
				t.Errorf("%s: left alone at once", c.what)
			}
			near, far := tcpPair(t)
			in := &inner{Conn: near, rw: near, guest: guest{end: func(tunnel.Bytes) {}}, memory: memory, came: time.Now(), visit: new(visit), mode: inspect.Auto, name: "public.example", veiled: true}
			in.target = egress.Target{Host: "site.example", Port: 443}
			go func() {
				if c.roots != nil {
					io.WriteString(tls.Client(far, &tls.Config{RootCAs: c.roots, ServerName: in.name}), "GET")
				}
				far.Close()
			}()
			p.terminate(a, in)
		}
		if why, left := memory.Fallback(new(visit).Visitor(), c.place); !left || why != c.why {
			t.Errorf("%s: left %v, since %v", c.what, left, why)
		}
	}
}

// tcpPair returns the two ends of a connection.
func tcpPair(t *testing.T) (near, far net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if far, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if near, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

// TestClientsWithoutARequest: one that names no protocol, and makes no request where a
// server would have to speak first, does not want to speak HTTP. Browsers name theirs.
func TestClientsWithoutARequest(t *testing.T) {
	p, _ := newProxy(t, inspecting(inspect.Auto))
	for unnamed, protocols := range map[bool][]string{true: nil, false: {"h2", "http/1.1"}} {
		memory := inspect.NewMemory()
		near, far := tcpPair(t)
		in := &inner{Conn: near, rw: near, guest: guest{end: func(tunnel.Bytes) {}}, memory: memory, visit: new(visit), mode: inspect.Auto}
		in.target = egress.Target{Host: "mail.example", Port: 993}
		go tls.Client(far, &tls.Config{ServerName: "mail.example", NextProtos: protocols}).Handshake()
		if why, left := in.hello(p.current.Load()); left {
			t.Fatal(why)
		}
		in.shaken = time.Now().Add(-silentSoon)
		in.Close()
		if why, left := memory.Fallback(new(visit).Visitor(), "mail.example:993"); left != unnamed || left && why != inspect.OtherProtocol {
			t.Errorf("%v: left %v, since %v", protocols, left, why)
		}
		i := inspection{authority: testAuthority(), memory: memory}
		i.rules, _ = inspect.NewRules(nil, inspect.Auto)
		for port, left := range map[uint16]bool{993: unnamed, 443: false} {
			if mode := i.mode(new(visit), egress.Target{Host: "mail.example", Port: port}); (mode == inspect.Never) != left {
				t.Errorf("%v: mode %v at %d", protocols, mode, port)
			}
		}
	}
}

// TestEarlyDataIsNoRefusal: a client that has to come again without has left for a reason
// that is known, on however many connections at once.
func TestEarlyDataIsNoRefusal(t *testing.T) {
	p, _ := newProxy(t, inspecting(inspect.Auto))
	hello := []byte(clientHello(t, "site.example") + "\x00\x2a\x00\x00")
	lengths := 5 + 4 + 2 + 32
	lengths += 1 + int(hello[lengths])                               // behind the session
	lengths += 2 + int(binary.BigEndian.Uint16(hello[lengths:])) + 2 // the suites and compressions
	for _, at := range []int{3, 5 + 2, lengths} {                    // of record, message and extensions
		binary.BigEndian.PutUint16(hello[at:], binary.BigEndian.Uint16(hello[at:])+4)
	}
	memory := inspect.NewMemory()
	for range 4 {
		near, far := tcpPair(t)
		in := &inner{Conn: near, rw: near, guest: guest{end: func(tunnel.Bytes) {}}, memory: memory, visit: new(visit), mode: inspect.Auto}
		in.target = egress.Target{Host: "site.example", Port: 443}
		far.Write(hello)
		if why, left := in.hello(p.current.Load()); left {
			t.Fatal(why)
		}
		in.Close()
	}
	if why, left := memory.Fallback(new(visit).Visitor(), "site.example"); left {
		t.Error(why)
	}
}

// TestOtherProtocolsBehindARequest: a client that wants to go on with something else than
// HTTP, and no WebSocket, is left alone the next time.
func TestOtherProtocolsBehindARequest(t *testing.T) {
	for upgrade, left := range map[string]bool{"SPDY/3.1": true, "websocket, other": true, "websocket": false, "h2c": false, "TLS/1.2, HTTP/1.1": false} {
		for _, mode := range []inspect.Mode{inspect.Auto, inspect.Always} {
			o := serveSecure(t, greet, nil, "http/1.1")
			p, proxy := newProxy(t, inspecting(mode))
			c := visitor(t, proxy, trusting(testAuthority()), false)
			if _, _, err := read(c, o.URL); err != nil {
				t.Fatal(err)
			}
			memory := p.current.Load().inspects.memory
			_, _, err := read(c, o.URL, "Upgrade", upgrade)
			if why, tunnel := memory.Fallback("127.0.0.1", o.address); tunnel || err != nil {
				t.Errorf("%s that Connection does not name, mode %v: left %v since %v, %v", upgrade, mode, tunnel, why, err)
			}
			_, _, err = read(c, o.URL, "Connection", "keep-alive, upgrade", "Upgrade", upgrade)
			why, tunnel := memory.Fallback("127.0.0.1", o.address)
			if want := left && mode == inspect.Auto; tunnel != want || (err != nil) != want || tunnel && why != inspect.OtherProtocol {
				t.Errorf("%s, mode %v: left %v since %v, %v", upgrade, mode, tunnel, why, err)
			}
		}
	}
}

// TestOtherProtocolsAreOfOneProgram: what goes on with something else than HTTP is left alone
// from then on, and the browser beside it, at the same port, is inspected still.
func TestOtherProtocolsAreOfOneProgram(t *testing.T) {
	o := serveSecure(t, greet, nil, "http/1.1")
	_, proxy := newProxy(t, inspecting(inspect.Auto))
	kubectl, browser := []tls.CurveID{tls.CurveP256}, []tls.CurveID{tls.X25519}
	ask := func(program []tls.CurveID, authority *inspect.Authority) (*tls.Conn, error) {
		return dialInside(t, proxy, o.address, &tls.Config{RootCAs: trusting(authority), ServerName: "127.0.0.1", CurvePreferences: program})
	}
	tc, err := ask(kubectl, testAuthority())
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(tc, "POST / HTTP/1.1\r\nHost: "+o.address+"\r\nContent-Length: 0\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n")
	if _, err := tc.Read(make([]byte, 1)); err == nil {
		t.Error("it is answered")
	}
	if _, err := ask(kubectl, originAuthority()); err != nil {
		t.Error("the program:", err)
	}
	if _, err := ask(browser, testAuthority()); err != nil {
		t.Error("the browser:", err)
	}
}

// TestWhoComesByAddress gets what the name in its hello gets: a certificate for that, or
// to be left alone where the site is.
func TestWhoComesByAddress(t *testing.T) {
	o := serveSecure(t, greet, nil, "http/1.1")
	for left, trusted := range map[string]*x509.CertPool{"": trusting(testAuthority()), "localhost": trusting(originAuthority())} {
		_, proxy := newProxy(t, func(o *Options) {
			inspecting(inspect.Always)(o)
			if left != "" {
				o.Inspection.Sites = []inspect.Site{{Match: left, Mode: inspect.Never}}
			}
		})
		tc, err := dialInside(t, proxy, o.address, &tls.Config{RootCAs: trusted, ServerName: "localhost"})
		if err != nil {
			t.Errorf("left alone %q: %v", left, err)
			continue
		}
		io.WriteString(tc, "GET / HTTP/1.1\r\nHost: localhost:"+strings.TrimPrefix(o.address, "127.0.0.1:")+"\r\nConnection: close\r\n\r\n")
		if resp, err := http.ReadResponse(bufio.NewReader(tc), nil); err != nil || resp.StatusCode != 200 {
			t.Errorf("left alone %q: %v, %v", left, resp, err)
		}
	}
	// What is left alone is what the name leads to, and not any address beside it.
	proxy := serveProxy(t, func(o *Options) {
		inspecting(inspect.Always)(o)
		o.Inspection.Sites = []inspect.Site{{Match: "nowhere.invalid", Mode: inspect.Never}}
	})
	if _, err := dialInside(t, proxy, o.address, &tls.Config{InsecureSkipVerify: true, ServerName: "nowhere.invalid"}); err == nil {
		t.Error("a tunnel to the address")
	}
}

// TestNoTLSInCommon is known by what the origin says, and by what it does that guise does
// not take; what breaks off, or cannot be trusted, is something else.
func TestNoTLSInCommon(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{&wire.HandshakeError{Err: errors.New("tls: server selected unsupported protocol version 302")}, true},
		{&wire.HandshakeError{Err: errors.New("tls: failed to parse certificate from server: x509: negative serial number")}, true},
		{&wire.HandshakeError{Err: &net.OpError{Op: "remote error", Err: tls.AlertError(40)}}, true},
		{&wire.HandshakeError{Err: &tls.CertificateVerificationError{Err: x509.HostnameError{Host: "a", Certificate: new(x509.Certificate)}}}, false},
		{&wire.HandshakeError{Err: io.EOF}, false},
		{&wire.DialError{Err: errors.New("tls: no")}, false},
		{nil, false},
	} {
		if got := disagree(c.err); got != c.want {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}

// helloKeys is what a site has to say for clients to encrypt their hello within one for
// the public name.
func helloKeys(t *testing.T, public string) []byte {
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b := append([]byte{1, 0, 0x20, 0, 32}, key.PublicKey().Bytes()...) // RFC 9849 §4
	b = append(b, 0, 4, 0, 1, 0, 1, 0, byte(len(public)))
	b = append(append(b, public...), 0, 0)
	b = append([]byte{0xfe, 0x0d, 0, byte(len(b))}, b...)
	return append([]byte{0, byte(len(b))}, b...)
}

// readFrom reads what others have begun to read.
type readFrom struct {
	net.Conn
	io.Reader
}

func (r readFrom) Read(p []byte) (int, error) { return r.Reader.Read(p) }

// TestAutoKeepsToTLS: where tunnels carry TLS for their host alone, what cannot be
// inspected is no way around that.
func TestAutoKeepsToTLS(t *testing.T) {
	for what, first := range map[string]string{"another protocol": "SSH-2.0\n", "another host": clientHello(t, "other.example")} {
		o := serveOrigin(t, echoLine)
		_, proxy := newProxy(t, func(o *Options) {
			inspecting(inspect.Auto)(o)
			o.TunnelTLS = true
		})
		conn, r := openTunnel(t, proxy, o.address, "")
		io.WriteString(conn, first)
		if got, _ := io.ReadAll(r); len(got) > 0 {
			t.Errorf("%s: got %q", what, got)
		}
		if saw := o.saw(); strings.Contains(saw, first) {
			t.Errorf("%s: the origin saw it", what)
		}
	}
}
