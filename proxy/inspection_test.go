package proxy

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"guise/proxy/gate"
	"guise/proxy/inspect"
)

var discardLog = log.New(io.Discard, "", 0)

func greet(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Alt-Svc", `h3=":443"`)
	w.Header().Set("Strict-Transport-Security", "max-age=100; includeSubDomains")
	w.Header().Set("Cache-Control", "no-store")
	io.WriteString(w, "hello by "+r.Proto)
}

// TestInspectionScrubs: a request inside HTTPS gets what one in the clear gets,
// whatever protocol either side speaks.
func TestInspectionScrubs(t *testing.T) {
	for _, protocol := range []string{"http/1.1", "h2"} {
		o := serveSecure(t, greet, nil, protocol)
		for _, http2 := range []bool{false, true} {
			c := visitor(t, serveProxy(t, inspecting(inspect.Always)), trusting(testAuthority()), http2)
			resp, body, err := read(c, o.URL+"/page?utm_source=mail&q=1", "X-Forwarded-For", "192.0.2.7", "User-Agent", "curl/8", "X-Real-Ip", "192.0.2.7")
			if err != nil {
				t.Fatalf("%s: %v", protocol, err)
			}
			want := "hello by HTTP/1.1"
			if protocol == "h2" {
				want = "hello by HTTP/2.0"
			}
			if resp.StatusCode != 200 || body != want {
				t.Errorf("%d %q, want %q", resp.StatusCode, body, want)
			}
			for _, name := range []string{"Alt-Svc", "Strict-Transport-Security"} {
				if resp.Header.Get(name) != "" {
					t.Errorf("%s reaches the client", name)
				}
			}
		}
		for _, r := range o.saw() {
			if r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("X-Real-Ip") != "" || !strings.Contains(r.UserAgent(), "Firefox/") {
				t.Errorf("the origin saw %v", r.Header)
			}
			if r.URL.RequestURI() != "/page?q=1" || r.Host != o.address {
				t.Errorf("the origin saw %s %s", r.Host, r.URL)
			}
		}
	}
}

// TestInspectionKeepsToItsTarget: nothing inside reaches another host than the
// one that was checked.
func TestInspectionKeepsToItsTarget(t *testing.T) {
	o := serveSecure(t, greet, nil, "http/1.1")
	other := serveOrigin(t, answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
	proxy := serveProxy(t, inspecting(inspect.Always))
	rest := "Connection: close\r\n\r\n"
	for raw, status := range map[string]string{
		"GET / HTTP/1.1\r\nHost: " + o.address + "\r\n":                                                "200",
		"GET https://" + o.address + "/ HTTP/1.1\r\nHost: x\r\n":                                       "200",
		"GET / HTTP/1.1\r\nHost: " + other.address + "\r\n":                                            "421",
		"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n":                                                        "421",
		"GET / HTTP/1.1\r\nHost: example.com\r\n":                                                      "421",
		"GET http://" + o.address + "/ HTTP/1.1\r\nHost: " + o.address + "\r\n":                        "421",
		"GET http://" + other.address + "/ HTTP/1.1\r\nHost: " + o.address + "\r\n":                    "421",
		"GET https://" + other.address + "/ HTTP/1.1\r\nHost: " + o.address + "\r\n":                   "421",
		"CONNECT " + other.address + " HTTP/1.1\r\nHost: " + other.address + "\r\n":                    "405",
		"CONNECT " + o.address + " HTTP/1.1\r\nHost: " + o.address + "\r\n":                            "405",
		"TRACE / HTTP/1.1\r\nHost: " + o.address + "\r\n":                                              "405",
		"GET / HTTP/1.1\r\nHost: " + o.address + "\r\nHost: " + o.address + "\r\n":                     "400",
		"GET / HTTP/1.1\r\nHost: a b\r\n":                                                              "400",
		"GET / HTTP/1.1\r\nHost: " + o.address + "\r\nX-Long: " + strings.Repeat("x", 70<<10) + "\r\n": "431",
		"GET /" + strings.Repeat("x", 20<<10) + " HTTP/1.1\r\nHost: " + o.address + "\r\n":             "414",
	} {
		before := len(o.saw())
		got := insideRaw(t, proxy, o.address, raw+rest)
		if !strings.HasPrefix(got, "HTTP/1.1 "+status) {
			t.Errorf("%.60q: %.60q, want %s", raw, got, status)
		}
		if reached := len(o.saw()) > before; reached != (status == "200") {
			t.Errorf("%.60q: reached the origin: %v", raw, reached)
		}
	}
	if other.saw() != "" {
		t.Errorf("another host got %q", other.saw())
	}
}

// TestInspectionHoldsTheRules: the gate and the guard are asked again for every
// request, also under another configuration.
func TestInspectionHoldsTheRules(t *testing.T) {
	o := serveSecure(t, greet, nil, "http/1.1")
	var options Options
	p, address := newProxy(t, func(edit *Options) {
		inspecting(inspect.Always)(edit)
		options = *edit
	})
	tc, err := dialInside(t, address, o.address, &tls.Config{RootCAs: trusting(testAuthority())})
	if err != nil {
		t.Fatal(err)
	}
	br := bufio.NewReader(tc)
	ask := func() int {
		io.WriteString(tc, "GET / HTTP/1.1\r\nHost: "+o.address+"\r\n\r\n")
		resp, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		return resp.StatusCode
	}
	if got := ask(); got != 200 {
		t.Fatal(got)
	}
	options.Egress.Deny = []string{"127.0.0.1"}
	if err := p.Reload(options); err != nil {
		t.Fatal(err)
	}
	if got := ask(); got != 403 {
		t.Errorf("a host that is closed by now: %d", got)
	}
}

// TestSlowHeadsInside: the time limits of listeners hold inside.
func TestSlowHeadsInside(t *testing.T) {
	o := serveSecure(t, greet, nil, "http/1.1")
	proxy := serveProxy(t, func(o *Options) {
		inspecting(inspect.Always)(o)
		o.Timeouts.Head = 300 * time.Millisecond
	})
	if got := insideRaw(t, proxy, o.address, "GET / HT"); !strings.HasPrefix(got, "HTTP/1.1 408") {
		t.Errorf("got %.40q", got)
	}
}

// TestNeverAGreenLock: what is wrong with an origin's certificate is told
// behind one that browsers refuse too, and nothing is sent to the origin.
func TestNeverAGreenLock(t *testing.T) {
	stranger := newAuthority()
	for name, c := range map[string]struct {
		host  string
		says  string
		using func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	}{
		"expired":           {"127.0.0.1", "expired", func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return pastAuthority().Leaf("127.0.0.1") }},
		"unknown issuer":    {"127.0.0.1", "vouches", func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return stranger.Leaf("127.0.0.1") }},
		"another's":         {"127.0.0.1", "another name", func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return originAuthority().Leaf("other.example") }},
		"another's, by SNI": {"localhost", "another name", func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return originAuthority().Leaf("127.0.0.1") }},
	} {
		for _, protocol := range []string{"http/1.1", "h2"} {
			o := serveSecure(t, greet, func(config *tls.Config) { config.GetCertificate = c.using }, protocol)
			proxy := serveProxy(t, inspecting(inspect.Auto))
			u := strings.Replace(o.URL, "127.0.0.1", c.host, 1)
			if _, _, err := read(visitor(t, proxy, trusting(testAuthority()), true), u); err == nil {
				t.Errorf("%s: the client is told that all is well", name)
			} else if !strings.Contains(err.Error(), "unknown authority") {
				t.Errorf("%s: %v", name, err)
			}
			careless := visitor(t, proxy, nil, true)
			careless.Transport.(*http.Transport).TLSClientConfig.InsecureSkipVerify = true
			resp, body, err := read(careless, u, "Accept", "text/html")
			if err != nil || resp.StatusCode != 502 || !strings.Contains(body, c.says) || !strings.Contains(resp.Header.Get("Proxy-Status"), "tls_certificate_error") {
				t.Errorf("%s: %v %.300q, %v", name, resp, body, err)
			}
			if len(o.saw()) > 0 {
				t.Errorf("%s: the origin got a request", name)
			}
		}
	}
}

// TestATrustedConnectionEndsWithTrust: an origin whose certificate becomes bad
// gets no page of ours behind the lock that it earned before.
func TestATrustedConnectionEndsWithTrust(t *testing.T) {
	bad := make(chan struct{})
	stranger := newAuthority()
	o := serveSecure(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		w.Header().Set("Cache-Control", "no-store")
	}, func(config *tls.Config) {
		config.SessionTicketsDisabled = true
		config.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			select {
			case <-bad:
				return stranger.Leaf("127.0.0.1")
			default:
				return originAuthority().Leaf("127.0.0.1")
			}
		}
	}, "http/1.1")
	c := visitor(t, serveProxy(t, inspecting(inspect.Always)), trusting(testAuthority()), false)
	if resp, _, err := read(c, o.URL); err != nil || resp.StatusCode != 200 {
		t.Fatal(resp, err)
	}
	close(bad)
	if resp, body, err := read(c, o.URL); err == nil {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
	if _, _, err := read(c, o.URL); err == nil || !strings.Contains(err.Error(), "unknown authority") {
		t.Errorf("the next connection: %v", err)
	}
}

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
	t.Run("never", func(t *testing.T) {
		o := serveSecure(t, greet, nil, "http/1.1")
		proxy := serveProxy(t, inspecting(inspect.Never))
		if resp, _, err := read(visitor(t, proxy, trusting(originAuthority()), false), o.URL); err != nil || resp.StatusCode != 200 {
			t.Errorf("%v %v", resp, err)
		}
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

// TestOriginConnectionsAreShared: by all clients, and their TLS sessions too.
func TestOriginConnectionsAreShared(t *testing.T) {
	for _, protocol := range []string{"http/1.1", "h2"} {
		o := serveSecure(t, greet, nil, protocol)
		p, proxy := newProxy(t, inspecting(inspect.Always))
		for range 5 {
			if resp, _, err := read(visitor(t, proxy, trusting(testAuthority()), false), o.URL); err != nil || resp.StatusCode != 200 {
				t.Fatal(resp, err)
			}
		}
		if n := o.connections(); n != 1 {
			t.Errorf("%s: %d connections", protocol, n)
		}
		o.CloseClientConnections()
		until(t, "the connection is given up", func() bool {
			p.current.Load().plain.CloseIdleConnections()
			resp, _, err := read(visitor(t, proxy, trusting(testAuthority()), false), o.URL)
			return err == nil && resp.StatusCode == 200
		})
		o.mu.Lock()
		if o.resumed == 0 {
			t.Errorf("%s: the session was not resumed", protocol)
		}
		o.mu.Unlock()
	}
}

// TestOneConnectionForManyRequests: a page's requests to a new HTTP/2 origin
// wait for one connection instead of opening thirty.
func TestOneConnectionForManyRequests(t *testing.T) {
	o := serveSecure(t, greet, nil, "h2")
	proxy := serveProxy(t, inspecting(inspect.Always))
	done := make(chan error, 30)
	for range cap(done) {
		c := visitor(t, proxy, trusting(testAuthority()), false)
		go func() {
			_, _, err := read(c, o.URL)
			done <- err
		}()
	}
	for range cap(done) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if n := o.connections(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// TestHSTSHoldsForAll: what one client's visit taught is applied for others.
func TestHSTSHoldsForAll(t *testing.T) {
	p, proxy := newProxy(t, nil)
	p.current.Load().inspects.hsts.Note("secure.example", []string{"max-age=100"})
	resp, _ := get(t, proxy, "http://secure.example/a?b=%20c")
	if resp.StatusCode != 307 || resp.Header.Get("Location") != "https://secure.example/a?b=%20c" {
		t.Errorf("%d %s", resp.StatusCode, resp.Header.Get("Location"))
	}
	resp, _ = get(t, proxy, "http://secure.example:81/")
	if resp.StatusCode == 307 {
		t.Error("another port")
	}
}

// TestUnreachableOriginInside: other failures are told inside.
func TestUnreachableOriginInside(t *testing.T) {
	l := listen(t)
	address := l.Addr().String()
	l.Close()
	resp, body, err := read(visitor(t, serveProxy(t, inspecting(inspect.Auto)), trusting(testAuthority()), false), "https://"+address+"/")
	if err != nil || resp.StatusCode != 502 || !strings.Contains(body, "refused") {
		t.Errorf("%v %q %v", resp, body, err)
	}
}

// TestPagesAboutInspection: the certificate to import, and what was left alone.
func TestPagesAboutInspection(t *testing.T) {
	p, proxy := newProxy(t, inspecting(inspect.Auto))
	p.current.Load().inspects.memory.Left(inspect.Pinned)
	page := func(path string) string {
		got, _ := exchangeRaw(t, proxy, "GET "+path+" HTTP/1.1\r\nHost: "+proxy+"\r\nConnection: close\r\n\r\n")
		return got
	}
	if got := page("/ca.pem"); !strings.Contains(got, "BEGIN CERTIFICATE") || strings.Contains(got, "PRIVATE") {
		t.Errorf("got %.300q", got)
	}
	if got := page("/ca.mobileconfig"); !strings.Contains(got, "application/x-apple-aspen-config") {
		t.Errorf("got %.300q", got)
	}
	if got := page("/inspection"); !strings.Contains(got, "1 left as tunnels: the client refuses guise's certificate") {
		t.Errorf("got %q", got)
	}
	if got := page("/"); !strings.Contains(got, "guise is running") {
		t.Errorf("got %.300q", got)
	}
	off := serveProxy(t, nil)
	if got, _ := exchangeRaw(t, off, "GET /ca.pem HTTP/1.1\r\nHost: x:1\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 404") {
		t.Errorf("without inspection: %.100q", got)
	}
}

// TestWhoIsInside: requests inside are of whoever proved to be there by the
// CONNECT, and end with the right to be.
func TestWhoIsInside(t *testing.T) {
	o := serveSecure(t, greet, nil, "http/1.1")
	users := withUsers(t)
	var options Options
	p, proxy := newProxy(t, func(edit *Options) {
		inspecting(inspect.Always)(edit)
		users(edit)
		options = *edit
	})
	conn := dial(t, proxy)
	io.WriteString(conn, "CONNECT "+o.address+" HTTP/1.1\r\nHost: x\r\n"+authorization("ann", "secret")+"\r\n\r\n")
	if resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: "CONNECT"}); err != nil || resp.StatusCode != 200 {
		t.Fatal(resp, err)
	}
	tc := tls.Client(conn, &tls.Config{RootCAs: trusting(testAuthority()), ServerName: "127.0.0.1"})
	ask := func() (*http.Response, error) {
		io.WriteString(tc, "GET / HTTP/1.1\r\nHost: "+o.address+"\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(tc), nil)
		if err == nil {
			io.Copy(io.Discard, resp.Body)
		}
		return resp, err
	}
	if resp, err := ask(); err != nil || resp.StatusCode != 200 {
		t.Fatal(resp, err)
	}
	for _, r := range o.saw() {
		if r.Header.Get("Proxy-Authorization") != "" {
			t.Error("credentials reach the origin")
		}
	}
	if err := gate.RemoveUser(options.Gate.Users, "ann"); err != nil {
		t.Fatal(err)
	}
	if err := p.Reload(options); err != nil {
		t.Fatal(err)
	}
	if resp, err := ask(); err == nil {
		t.Errorf("a user who is no more: %d", resp.StatusCode)
	}
	if n := len(o.saw()); n != 1 {
		t.Errorf("%d requests reached the origin", n)
	}
}
