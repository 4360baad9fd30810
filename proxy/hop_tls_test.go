package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"guise/proxy/certs"
	"guise/proxy/egress"
	"guise/proxy/inspect"
)

// serveUpstream runs a proxy that others reach over TLS alone. It returns its URL and
// a file with its certificate.
func serveUpstream(t *testing.T) (*url.URL, string) {
	t.Helper()
	p, _ := newProxy(t, nil)
	dir := t.TempDir()
	certFile := filepath.Join(dir, "cert.pem")
	pair, _, err := certs.KeptSelfSigned(certFile, filepath.Join(dir, "key.pem"), "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	return &url.URL{Scheme: "https", Host: serveAs(t, p, Listening{Protocol: HTTPS, TLS: certs.Config(pair)})}, certFile
}

// TestOneGuiseBehindAnother: requests, tunnels and WebSockets go over TLS to a guise
// elsewhere, and from there to the origin.
func TestOneGuiseBehindAnother(t *testing.T) {
	upstream, certFile := serveUpstream(t)
	near := serveProxy(t, func(o *Options) {
		o.Egress.Chain, o.Egress.ChainRoots = []*url.URL{upstream}, certFile
	})
	plain := serveOrigin(t, answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nCache-Control: no-store\r\n\r\nok"))
	for range 2 {
		if resp, body := get(t, near, "http://"+plain.address+"/"); resp.StatusCode != 200 || body != "ok" {
			t.Errorf("plain: %d %q", resp.StatusCode, body)
		}
	}
	echo := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) { io.Copy(conn, r) })
	tunnel := dial(t, near)
	io.WriteString(tunnel, "CONNECT "+echo.address+" HTTP/1.1\r\nHost: "+echo.address+"\r\n\r\nping")
	tunnel.CloseWrite()
	if got, err := io.ReadAll(tunnel); err != nil || !strings.HasSuffix(string(got), "\r\n\r\nping") {
		t.Errorf("tunnel: %q, %v", got, err)
	}
	chat := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
		if _, err := http.ReadRequest(r); err != nil {
			return
		}
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\nearly")
	})
	got, _ := exchangeRaw(t, near, "GET http://"+chat.address+"/chat HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	if !strings.HasPrefix(got, "HTTP/1.1 101 ") || !strings.HasSuffix(got, "\r\n\r\nearly") {
		t.Errorf("WebSocket: %q", got)
	}
}

// TestUpstreamProxyThatIsAnother gets nothing, and the page says whose certificate is
// at fault.
func TestUpstreamProxyThatIsAnother(t *testing.T) {
	upstream, _ := serveUpstream(t)
	near := serveProxy(t, func(o *Options) { o.Egress.Chain = []*url.URL{upstream} })
	resp, body := get(t, near, "http://secret.example/")
	if resp.StatusCode != 502 || resp.Header.Get("Proxy-Status") != "guise;error=tls_certificate_error" || !strings.Contains(body, "upstream.authorities") {
		t.Errorf("%d %s %q", resp.StatusCode, resp.Header.Get("Proxy-Status"), body)
	}
	got, _ := exchangeRaw(t, near, "CONNECT secret.example:443 HTTP/1.1\r\nHost: secret.example:443\r\nConnection: close\r\n\r\n")
	if !strings.HasPrefix(got, "HTTP/1.1 502 ") || !strings.Contains(got, "tls_certificate_error") || !strings.Contains(got, "upstream.authorities") {
		t.Errorf("CONNECT: %q", got)
	}
	// Inside, it is not the site's certificate that is at fault: no browser is to warn of that.
	inside := serveProxy(t, func(o *Options) {
		inspecting(inspect.Always)(o)
		o.Egress.Chain = []*url.URL{upstream}
	})
	resp, body, err := read(visitor(t, inside, trusting(testAuthority()), false), "https://secret.example/")
	if err != nil || resp.StatusCode != 502 || !strings.Contains(body, "upstream.authorities") {
		t.Errorf("inside: %v %q %v", resp, body, err)
	}
}

// TestSitePastTheUpstreamProxy: its requests, in the clear and in tunnels, go straight to
// it, and those to others do not.
func TestSitePastTheUpstreamProxy(t *testing.T) {
	hop := serveOrigin(t, answer("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhop"))
	o := serveOrigin(t, answer("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\norigin"))
	near := serveProxy(t, func(p *Options) {
		p.Egress.Chain = []*url.URL{{Scheme: "http", Host: hop.address}}
		p.Egress.Sites = []egress.Site{{Match: "127.0.0.1", Direct: true}}
	})
	if _, body := get(t, near, "http://"+o.address+"/"); body != "origin" {
		t.Errorf("direct: %q", body)
	}
	if _, body := get(t, near, "http://other.example/"); body != "hop" {
		t.Errorf("through the proxy: %q", body)
	}
	_, tunnel := openTunnel(t, near, o.address, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, body := readAnswer(t, tunnel, "GET"); body != "origin" {
		t.Errorf("tunnel: %q", body)
	}
}
