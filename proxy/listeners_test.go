package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"guise/proxy/certs"
)

// serveAs makes p serve one more listener, and returns its address.
func serveAs(t *testing.T, p *Proxy, how Listening) string {
	t.Helper()
	l := listen(t)
	served := make(chan error, 1)
	go func() { served <- p.ServeAs(l, how) }()
	t.Cleanup(func() {
		p.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("ServeAs returned %v", err)
		}
	})
	return l.Addr().String()
}

// newTLS returns what an https listener needs, a file that holds its
// certificate, and a pool that trusts it.
func newTLS(t *testing.T) (*tls.Config, string, *x509.CertPool) {
	t.Helper()
	dir := t.TempDir()
	certFile := filepath.Join(dir, "cert.pem")
	pair, _, err := certs.KeptSelfSigned(certFile, filepath.Join(dir, "key.pem"), "proxy.example")
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(certFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return certs.Config(pair), certFile, pool
}

// curl runs curl, which must succeed, and returns what it prints.
func curl(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var problems bytes.Buffer
	cmd := exec.CommandContext(ctx, "curl", append([]string{"--silent", "--show-error", "--noproxy", ""}, args...)...)
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("curl %q: %v\n%s", args, err, &problems)
	}
	return string(out)
}

const helloResponse = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

func TestCurlOverTLS(t *testing.T) {
	o := serveOrigin(t, answer(helloResponse))
	p, _ := newProxy(t, nil)
	config, certFile, _ := newTLS(t)
	address := serveAs(t, p, Listening{Protocol: HTTPS, TLS: config})
	for name, args := range map[string][]string{
		"plain":  nil,
		"tunnel": {"--proxytunnel"},
	} {
		t.Run(name, func(t *testing.T) {
			got := curl(t, append(args, "--proxy", "https://"+address, "--proxy-cacert", certFile, "http://"+o.address+"/")...)
			if got != "hello" {
				t.Errorf("got %q", got)
			}
		})
	}
	if out, err := exec.Command("curl", "--silent", "--proxy", "https://"+address, "http://"+o.address+"/").CombinedOutput(); err == nil {
		t.Errorf("curl takes a certificate that it does not know: %q", out)
	}
}

// TestClearRequestsToAnHTTPSListenerAreAnswered: who sets an https proxy as an http
// one reads what is wrong.
func TestClearRequestsToAnHTTPSListenerAreAnswered(t *testing.T) {
	p, _ := newProxy(t, nil)
	config, _, _ := newTLS(t)
	address := serveAs(t, p, Listening{Protocol: HTTPS, TLS: config})
	for _, raw := range []string{"GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n", "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n"} {
		got, err := exchangeRaw(t, address, raw)
		if !strings.HasPrefix(got, "HTTP/1.1 400 ") || !strings.Contains(got, "https://") || err != nil {
			t.Errorf("%.10q: got %q, %v", raw, got, err)
		}
	}
	for _, raw := range []string{"hello\r\n\r\n", "\x00\x00\x00\x00\x00\x00"} {
		if got, _ := exchangeRaw(t, address, raw); got != "" {
			t.Errorf("%.10q: got %q", raw, got)
		}
	}
}

// TestCurlOverHTTP2ToTheProxy needs a curl that can (8.1 and later).
func TestCurlOverHTTP2ToTheProxy(t *testing.T) {
	if help, _ := exec.Command("curl", "--help", "all").Output(); !bytes.Contains(help, []byte("--proxy-http2")) {
		t.Skip("this curl has no --proxy-http2")
	}
	o := serveOrigin(t, answer(helloResponse))
	p, _ := newProxy(t, nil)
	config, certFile, _ := newTLS(t)
	address := serveAs(t, p, Listening{Protocol: HTTPS, TLS: config})
	if got := curl(t, "--proxy-http2", "--proxytunnel", "--proxy", "https://"+address, "--proxy-cacert", certFile, "http://"+o.address+"/"); got != "hello" {
		t.Errorf("got %q", got)
	}
}

// TestGoClientsOverTLS: Go's Transport offers a proxy HTTP/2, gets it, and asks for a
// tunnel in HTTP/1.1.
func TestGoClientsOverTLS(t *testing.T) {
	o := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) }))
	o.EnableHTTP2 = true
	o.StartTLS()
	t.Cleanup(o.Close)
	p, _ := newProxy(t, nil)
	config, _, pool := newTLS(t)
	pool.AddCert(o.Certificate())
	hop := &url.URL{Scheme: "https", Host: serveAs(t, p, Listening{Protocol: HTTPS, TLS: config})}
	tr := &http.Transport{Proxy: http.ProxyURL(hop), TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}
	t.Cleanup(tr.CloseIdleConnections)
	resp, err := (&http.Client{Transport: tr, Timeout: patience}).Get(o.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, err := io.ReadAll(resp.Body); string(got) != "HTTP/2.0" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestConformanceOfTheHTTPSListener runs h2spec, all of it.
func TestConformanceOfTheHTTPSListener(t *testing.T) {
	p, _ := newProxy(t, nil)
	config, _, _ := newTLS(t)
	host, port, _ := net.SplitHostPort(serveAs(t, p, Listening{Protocol: HTTPS, TLS: config}))
	out, err := exec.Command("go", "tool", "h2spec", "--strict", "--tls", "--insecure", "-h", host, "-p", port).CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte(" 0 failed")) {
		t.Errorf("h2spec: %v\n%s", err, out)
	}
}

// TestH2loadThroughTheProxy needs Debian's nghttp2-client.
func TestH2loadThroughTheProxy(t *testing.T) {
	if _, err := exec.LookPath("h2load"); err != nil {
		t.Skip("no h2load: install nghttp2-client")
	}
	o := serveOrigin(t, answer("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 5\r\n\r\nhello"))
	p, plain := newProxy(t, nil)
	config, _, _ := newTLS(t)
	secure := serveAs(t, p, Listening{Protocol: HTTPS, TLS: config})
	for _, at := range []string{"http://" + plain, "https://" + secure} {
		out, err := exec.Command("h2load", "-n", "2000", "-c", "10", "-m", "50", "-H", ":authority: "+o.address, "-H", ":scheme: http", at+"/").CombinedOutput()
		if err != nil || !regexp.MustCompile(`2000 succeeded, 0 failed`).Match(out) || !regexp.MustCompile(`2000 2xx`).Match(out) {
			t.Errorf("h2load %s: %v\n%s", at, err, out)
		}
	}
}

// TestRelayedClients: a PROXY header names the client, if it is from a relay.
func TestRelayedClients(t *testing.T) {
	o := serveOrigin(t, answer(helloResponse))
	p, _ := newProxy(t, func(o *Options) {
		o.Gate.Networks = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")}
	})
	relays := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	config, _, _ := newTLS(t)
	open := serveAs(t, p, Listening{Relays: relays})
	secure := serveAs(t, p, Listening{Protocol: HTTPS, TLS: config, Relays: relays})
	far := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	strange := serveAs(t, p, Listening{Relays: far})
	q, _ := newProxy(t, nil)
	direct := serveAs(t, q, Listening{Relays: far})
	request := "GET http://" + o.address + "/ HTTP/1.1\r\nHost: " + o.address + "\r\nConnection: close\r\n\r\n"
	v2 := "\r\n\r\n\x00\r\nQUIT\n"
	for _, c := range []struct{ what, address, header, status string }{
		{"v1", open, "PROXY TCP4 192.0.2.7 127.0.0.1 1234 8118\r\n", "200"},
		{"v1 over IPv6", open, "PROXY TCP6 2001:db8::7 ::1 1234 8118\r\n", "200"},
		{"v1 of a client that may not enter", open, "PROXY TCP4 198.51.100.7 127.0.0.1 1234 8118\r\n", "403"},
		{"v1 of an unknown client", open, "PROXY UNKNOWN\r\n", "403"},
		{"v2", open, v2 + "\x21\x11\x00\x0c\xc0\x00\x02\x07\x7f\x00\x00\x01\x04\xd2\x1f\xb6", "200"},
		{"v2 with more", open, v2 + "\x21\x11\x00\x10\xc0\x00\x02\x07\x7f\x00\x00\x01\x04\xd2\x1f\xb6\x04\x00\x01\x00", "200"},
		{"v2 of the relay's own", open, v2 + "\x20\x00\x00\x00", "403"},
		{"v2 of the relay's own, with an address", open, v2 + "\x20\x11\x00\x0c\xc0\x00\x02\x07\x7f\x00\x00\x01\x04\xd2\x1f\xb6", "403"},
		{"v2 of a client on a Unix socket", open, v2 + "\x21\x31\x00\xd8" + strings.Repeat("\x00", 216), ""},
		{"v2 of UDP", open, v2 + "\x21\x12\x00\x0c\xc0\x00\x02\x07\x7f\x00\x00\x01\x04\xd2\x1f\xb6", ""},
		{"v2 too long", open, v2 + "\x21\x11\xff\xff", ""},
		{"v1 without end", open, "PROXY TCP4 " + strings.Repeat("1", 200), ""},
		{"v1 of no address", open, "PROXY TCP4 a b 1 2\r\n", ""},
		{"none", open, "", ""},
		{"from no relay", strange, "PROXY TCP4 192.0.2.7 127.0.0.1 1234 8118\r\n", "403"},
		{"from an admitted client", direct, "PROXY TCP4 192.0.2.7 127.0.0.1 1234 8118\r\n", "400"},
		{"no header from an admitted client", direct, "", "200"},
		{"over TLS of a client that may not enter", secure, "PROXY TCP4 198.51.100.7 127.0.0.1 1234 8118\r\n", ""},
		{"over TLS", secure, "PROXY TCP4 192.0.2.7 127.0.0.1 1234 8118\r\n", "200"},
	} {
		t.Run(c.what, func(t *testing.T) {
			var conn net.Conn = dial(t, c.address)
			io.WriteString(conn, c.header)
			if c.address == secure {
				conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
			}
			io.WriteString(conn, request)
			got, _ := io.ReadAll(conn)
			status := ""
			if len(got) > 12 {
				status = string(got[9:12])
			}
			if status != c.status {
				t.Errorf("%.60q, want status %q", got, c.status)
			}
		})
	}
}

// TestPanicWhileOpeningGivesTheConnectionBack: what the gate counts of a client
// that a relay named must not stay counted.
func TestPanicWhileOpeningGivesTheConnectionBack(t *testing.T) {
	o := serveOrigin(t, answer(helloResponse))
	var asked atomic.Int32
	p, _ := newProxy(t, func(o *Options) {
		o.Gate.Networks = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
		o.Gate.Client.Connections = 1
		o.Gate.Now = func() time.Time {
			if asked.Add(1) == 2 { // for the request, after the connection
				panic("on purpose")
			}
			return time.Now()
		}
	})
	at := serveAs(t, p, Listening{Protocol: SOCKS5, Relays: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	to := netip.MustParseAddrPort(o.address)
	request := "PROXY TCP4 192.0.2.7 127.0.0.1 1234 8118\r\n\x05\x01\x00\x05\x01\x00\x01" +
		string(to.Addr().AsSlice()) + string([]byte{byte(to.Port() >> 8), byte(to.Port())})
	if got, _ := exchangeRaw(t, at, request); got != "\x05\x00" {
		t.Fatalf("the first connection got %q", got)
	}
	for end := time.Now().Add(patience); ; { // the client saw the first one end before the gate was told
		conn := dial(t, at)
		io.WriteString(conn, request)
		got := make([]byte, 4)
		_, err := io.ReadFull(conn, got)
		if err != nil && time.Now().Before(end) {
			continue
		}
		if err != nil || string(got) != "\x05\x00\x05\x00" {
			t.Errorf("the next connection got %q, %v", got, err)
		}
		return
	}
}

// TestRelayIsNeverBarred: what is refused to it, when it comes in its own name,
// must not keep those out who come through it.
func TestRelayIsNeverBarred(t *testing.T) {
	o := serveOrigin(t, answer(helloResponse))
	p, _ := newProxy(t, func(o *Options) {
		o.Gate.Networks = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	})
	open := serveAs(t, p, Listening{Relays: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	come := func(header string) net.Conn {
		conn, err := net.DialTimeout("tcp", open, barredFor/2)
		if err != nil {
			t.Fatalf("the relay is barred: %v", err)
		}
		t.Cleanup(func() { conn.Close() })
		conn.SetDeadline(time.Now().Add(patience))
		io.WriteString(conn, header)
		return conn
	}
	for range 150 { // more than are answered
		come("PROXY UNKNOWN\r\n")
	}
	conn := come("PROXY TCP4 192.0.2.7 127.0.0.1 1234 8118\r\n")
	io.WriteString(conn, "GET http://"+o.address+"/ HTTP/1.1\r\nHost: "+o.address+"\r\nConnection: close\r\n\r\n")
	if got, err := io.ReadAll(conn); !bytes.HasPrefix(got, []byte("HTTP/1.1 200 ")) {
		t.Errorf("%q, %v", got, err)
	}
}

// TestConnectionsGoOnWithoutTheirListener: a reload may close it.
func TestConnectionsGoOnWithoutTheirListener(t *testing.T) {
	p, _ := newProxy(t, nil)
	config, _, pool := newTLS(t)
	l := listen(t)
	served := make(chan error, 1)
	go func() { served <- p.ServeAs(l, Listening{Protocol: HTTPS, TLS: config}) }()
	tr := h2Client(t, l.Addr().String(), pool)
	h2Get(t, tr, "https://proxy.example/")
	l.Close()
	if err := <-served; err == nil {
		t.Error("no error from a closed listener")
	}
	if resp, _ := h2Get(t, tr, "https://proxy.example/"); resp.StatusCode != 200 {
		t.Errorf("status %d", resp.StatusCode)
	}
}
