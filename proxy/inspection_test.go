package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

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
	_, port, _ := net.SplitHostPort(o.address)
	for raw, status := range map[string]string{
		"GET / HTTP/1.1\r\nHost: " + o.address + "\r\n":                                                "200",
		"GET / HTTP/1.1\r\nHost: localhost:" + port + "\r\n":                                           "421",
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
		resp, _ := readAnswer(t, br, "GET")
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
		o.Timeouts.Head = time.Second // the handshakes need some of it
	})
	if got := insideRaw(t, proxy, o.address, "GET / HT"); !strings.HasPrefix(got, "HTTP/1.1 408") {
		t.Errorf("got %.40q", got)
	}
}

// TestNeverAGreenLock: what is wrong with an origin's certificate is told
// behind one that browsers refuse too, and nothing is sent to the origin.
func TestNeverAGreenLock(t *testing.T) {
	stranger := newAuthority()
	revoker, revoked := revokingAuthority(t)
	for name, c := range map[string]struct {
		host  string
		says  string
		using func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	}{
		"expired":           {"127.0.0.1", "expired", func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return pastAuthority().Leaf("127.0.0.1") }},
		"unknown issuer":    {"127.0.0.1", "vouches", func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return stranger.Leaf("127.0.0.1") }},
		"another's":         {"127.0.0.1", "another name", func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return originAuthority().Leaf("other.example") }},
		"revoked":           {"127.0.0.1", "has revoked it", revoked},
		"another's, by SNI": {"localhost", "another name", func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return originAuthority().Leaf("127.0.0.1") }},
	} {
		for _, protocol := range []string{"http/1.1", "h2"} {
			o := serveSecure(t, greet, func(config *tls.Config) { config.GetCertificate = c.using }, protocol)
			proxy := serveProxy(t, func(o *Options) {
				inspecting(inspect.Auto)(o)
				o.Inspection.Roots.AddCert(revoker)
			})
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

// TestReloadLeavesASiteAlone: one that is not to be inspected any more is a tunnel
// at its next request, and what had begun is finished.
func TestReloadLeavesASiteAlone(t *testing.T) {
	for _, protocol := range []string{"http/1.1", "h2"} {
		finish := make(chan bool)
		o := serveSecure(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "no-store")
			if r.URL.Path == "/long" {
				io.WriteString(w, "wh")
				w.(http.Flusher).Flush()
				<-finish
				io.WriteString(w, "ole")
			}
		}, nil, "h2", "http/1.1")
		p, proxy := newProxy(t, inspecting(inspect.Auto))
		c := visitor(t, proxy, trusting(testAuthority(), originAuthority()), protocol == "h2")
		seenBy := func() *x509.Certificate {
			t.Helper()
			resp, _, err := read(c, o.URL)
			if err != nil || resp.StatusCode != 200 {
				t.Fatal(resp, err)
			}
			return resp.TLS.PeerCertificates[0]
		}
		if seenBy().CheckSignatureFrom(testAuthority().Certificate()) != nil {
			t.Fatal("not inspected")
		}
		long, err := c.Get(o.URL + "/long")
		if err != nil {
			t.Fatal(err)
		}
		defer long.Body.Close()
		options := p.current.Load().options
		options.Inspection.Sites = []inspect.Site{{Match: "127.0.0.1", Mode: inspect.Never}}
		if err := p.Reload(options); err != nil {
			t.Fatal(err)
		}
		stillInspected := func() {
			if seenBy().CheckSignatureFrom(originAuthority().Certificate()) != nil {
				t.Errorf("%s: still inspected", protocol)
			}
		}
		if protocol == "h2" { // both on one connection
			stillInspected()
		}
		close(finish)
		if got, err := io.ReadAll(long.Body); string(got) != "whole" || err != nil {
			t.Errorf("%s: %q %v", protocol, got, err)
		}
		stillInspected()
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
			p.current.Load().plain.LetGo()
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

// TestOriginIsAskedWhenNoConnectionIsWarm: a client that is answered without it
// learns that somebody was there, so that holds no longer than for a connection.
func TestOriginIsAskedWhenNoConnectionIsWarm(t *testing.T) {
	for protocol, want := range map[string]int32{"http/1.1": 2, "h2": 1} { // that of HTTP/2 is open still
		var handshakes atomic.Int32
		o := serveSecure(t, greet, func(c *tls.Config) {
			c.VerifyConnection = func(tls.ConnectionState) error { handshakes.Add(1); return nil }
		}, protocol)
		p, proxy := newProxy(t, inspecting(inspect.Always))
		if resp, _, err := read(visitor(t, proxy, trusting(testAuthority()), false), o.URL); err != nil || resp.StatusCode != 200 {
			t.Fatal(resp, err)
		}
		connect := func() {
			if _, err := dialInside(t, proxy, o.address, &tls.Config{RootCAs: trusting(testAuthority())}); err != nil {
				t.Fatal(err)
			}
		}
		if connect(); handshakes.Load() != 1 {
			t.Errorf("%s: %d handshakes, and the connection is there", protocol, handshakes.Load())
		}
		secure := p.current.Load().secure
		secure.mu.Lock()
		for _, place := range secure.places {
			place.verified = place.verified.Add(-warmFor)
		}
		secure.mu.Unlock()
		connect()
		// The origin may count its own once the other side has ended it.
		until(t, protocol+": the handshakes of a minute later", func() bool { return handshakes.Load() >= want })
		if handshakes.Load() != want {
			t.Errorf("%s: %d handshakes a minute later, want %d", protocol, handshakes.Load(), want)
		}
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
	p.current.Load().inspects.hsts.Note("", "secure.example", []string{"max-age=100"})
	resp, _ := get(t, proxy, "http://secure.example/a?b=%20c")
	if resp.StatusCode != 307 || resp.Header.Get("Location") != "https://secure.example/a?b=%20c" {
		t.Errorf("%d %s", resp.StatusCode, resp.Header.Get("Location"))
	}
	resp, _ = get(t, proxy, "http://secure.example:81/")
	if resp.StatusCode == 307 {
		t.Error("another port")
	}
}

// TestHSTSInTheClearCountsForNothing: anybody on the way could say it, and close a site
// to all (RFC 6797 §8.1).
func TestHSTSInTheClearCountsForNothing(t *testing.T) {
	hop := serveOrigin(t, answer("HTTP/1.1 200 OK\r\nStrict-Transport-Security: max-age=100; includeSubDomains\r\nCache-Control: no-store\r\nContent-Length: 2\r\n\r\nok"))
	proxy := serveProxy(t, func(o *Options) { o.Egress.Chain = []*url.URL{{Scheme: "http", Host: hop.address}} })
	for range 2 {
		if resp, body := get(t, proxy, "http://site.example/"); resp.StatusCode != 200 || body != "ok" {
			t.Errorf("%d %q", resp.StatusCode, body)
		}
	}
}

// TestUnreachableOriginInside: other failures are told inside.
func TestUnreachableOriginInside(t *testing.T) {
	resp, body, err := read(visitor(t, serveProxy(t, inspecting(inspect.Auto)), trusting(testAuthority()), false), "https://"+refusing(t)+"/")
	if err != nil || resp.StatusCode != 502 || !strings.Contains(body, "refused") {
		t.Errorf("%v %q %v", resp, body, err)
	}
}

// TestConnectOutlivesAShutdown: who was answered before it began is answered inside as
// well, over either protocol.
func TestConnectOutlivesAShutdown(t *testing.T) {
	o := serveSecure(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "whole") }, nil, "http/1.1")
	for _, protocol := range []string{"http/1.1", "h2"} {
		t.Run(protocol, func(t *testing.T) {
			p, address := newProxy(t, inspecting(inspect.Always))
			conn, _ := openTunnel(t, address, o.address, "")
			done := make(chan error, 1)
			go func() { done <- p.Shutdown(t.Context()) }()
			until(t, "the proxy to take no more", func() bool {
				c, err := net.Dial("tcp", address)
				if err == nil {
					c.Close()
				}
				return err != nil
			})
			tc := tls.Client(conn, &tls.Config{RootCAs: trusting(testAuthority()), ServerName: "127.0.0.1", NextProtos: []string{protocol}})
			inside := &http.Transport{
				DialTLSContext:    func(context.Context, string, string) (net.Conn, error) { return tc, nil },
				ForceAttemptHTTP2: true,
			}
			resp, err := (&http.Client{Transport: inside, Timeout: patience}).Get("https://" + o.address + "/")
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "whole" {
				t.Errorf("%d %q, %v", resp.StatusCode, body, err)
			}
			if resp.ProtoMajor == 2 != (protocol == "h2") {
				t.Errorf("over %s", resp.Proto)
			}
			inside.CloseIdleConnections()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}
