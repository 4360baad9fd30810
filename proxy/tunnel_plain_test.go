package proxy

import (
	"bufio"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"guise/proxy/egress"
	"guise/proxy/gate"
)

// webOnly lets tunnels go to the web's ports, requests to all ports, and all that goes
// out through hop.
func webOnly(hop *url.URL) func(*Options) {
	return func(o *Options) {
		o.Egress.Chain = []*url.URL{hop}
		o.Egress.ConnectPorts = []egress.PortRange{{First: 443, Last: 443}, {First: 80, Last: 80}}
		o.TunnelTLS = true
	}
}

// TestConnectToPlainHTTPGoesThroughTheFilters: a browser sends its WebSockets so,
// and some clients all that they ask for.
func TestConnectToPlainHTTPGoesThroughTheFilters(t *testing.T) {
	w, hop := serveWeb(t)
	address := serveProxy(t, webOnly(hop))
	for _, c := range []struct{ raw, status string }{
		{"GET /p HTTP/1.1\r\nHost: site.example\r\nX-Forwarded-For: 192.0.2.7\r\n", "200"},
		{"GET /p HTTP/1.1\r\nHost: SITE.example.:80\r\n", "200"},
		{"GET http://site.example/p HTTP/1.1\r\nHost: x\r\n", "200"},
		{"GET /p HTTP/1.0\r\n", "200"},
		{"GET / HTTP/1.1\r\nHost: other.example\r\n", "421"},
		{"GET / HTTP/1.1\r\nHost: site.example:81\r\n", "421"},
		{"GET http://other.example/ HTTP/1.1\r\nHost: site.example\r\n", "421"},
		{"GET https://site.example:80/ HTTP/1.1\r\nHost: site.example\r\n", "421"},
		{"CONNECT site.example:443 HTTP/1.1\r\nHost: site.example:443\r\n", "405"},
		{"\x16\x03\x01\x00\x00\r\n", "400"},
	} {
		raw := c.raw + "\r\n"
		for _, early := range []string{"", raw} { // or together with the CONNECT
			conn, r := openTunnel(t, address, "site.example:80", early)
			io.WriteString(conn, raw[len(early):])
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatalf("%.40q: %v", raw, err)
			}
			if resp.Status[:3] != c.status {
				t.Errorf("%.40q: %s, want %s", raw, resp.Status, c.status)
			}
			conn.Close()
		}
	}
	got := w.requests("site.example")
	if len(got) != 8 || len(w.requests("other.example")) > 0 {
		t.Errorf("%d requests for the host, and %d for another", len(got), len(w.requests("other.example")))
	}
	for _, r := range got {
		if r.Header.Get("X-Forwarded-For") != "" || !strings.Contains(r.UserAgent(), "Firefox") {
			t.Errorf("not filtered: %v", r.Header)
		}
	}
	for _, closed := range []string{"site.example:81", "site.example:25", "10.0.0.1:80"} {
		conn := dial(t, address)
		io.WriteString(conn, "CONNECT "+closed+" HTTP/1.1\r\nHost: "+closed+"\r\n\r\n")
		if resp, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || resp.StatusCode != 403 {
			t.Errorf("%s: %v, %v", closed, resp, err)
		}
	}
}

// TestConnectToPlainHTTPByAddressGoesByName: programs that look names up by themselves say
// in Host which one it was.
func TestConnectToPlainHTTPByAddressGoesByName(t *testing.T) {
	w, hop := serveWeb(t)
	address := serveProxy(t, func(o *Options) {
		webOnly(hop)(o)
		o.Egress.Deny = []string{"closed.example"}
	})
	for host, status := range map[string]string{
		"looked-up.example": "200", "8.8.8.8": "200", "8.8.4.4": "421", "looked-up.example:81": "421", "closed.example": "403", "printer.localhost": "403",
	} {
		conn, r := openTunnel(t, address, "8.8.8.8:80", "")
		io.WriteString(conn, "GET /p HTTP/1.1\r\nHost: "+host+"\r\n\r\n")
		resp, err := http.ReadResponse(r, nil)
		if err != nil || resp.Status[:3] != status {
			t.Errorf("%s: %v, %v, want %s", host, resp, err, status)
		}
		conn.Close()
	}
	if len(w.requests("looked-up.example")) != 1 || len(w.requests("8.8.8.8")) != 1 {
		t.Errorf("%d requests for the name, and %d for the address", len(w.requests("looked-up.example")), len(w.requests("8.8.8.8")))
	}
}

// TestConnectToPlainHTTPCarriesWebSockets, of which each half may end first.
func TestConnectToPlainHTTPCarriesWebSockets(t *testing.T) {
	o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
		req, err := http.ReadRequest(r)
		for err == nil && req.Method == http.MethodConnect {
			io.WriteString(conn, established)
			req, err = http.ReadRequest(r)
		}
		if err != nil || req.Header.Get("Upgrade") != "websocket" || !strings.Contains(req.UserAgent(), "Firefox") {
			io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
			return
		}
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "+webSocketAccept(req.Header.Get("Sec-Websocket-Key"))+"\r\n\r\nhello ")
		all, _ := io.ReadAll(r)
		conn.Write(all)
	})
	address := serveProxy(t, webOnly(&url.URL{Scheme: "http", Host: o.address}))
	conn, r := openTunnel(t, address, "site.example:80", "")
	io.WriteString(conn, "GET /chat HTTP/1.1\r\nHost: site.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\nearly ")
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != 101 {
		t.Fatalf("%v, %v", resp, err)
	}
	io.WriteString(conn, "bytes")
	conn.CloseWrite()
	if got, err := io.ReadAll(r); string(got) != "hello early bytes" {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestConnectToPlainHTTPKnowsItsClient: what let the CONNECT in holds for the
// requests inside, as long as it holds.
func TestConnectToPlainHTTPKnowsItsClient(t *testing.T) {
	_, hop := serveWeb(t)
	users := usersFile(t, "secret", "ann")
	var options Options
	p, address := newProxy(t, func(o *Options) {
		webOnly(hop)(o)
		o.Gate.Authentication, o.Gate.Users = gate.Basic, users
		options = *o
	})
	conn := dial(t, address)
	io.WriteString(conn, "CONNECT site.example:80 HTTP/1.1\r\nHost: site.example:80\r\nProxy-Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte("ann:secret"))+"\r\n\r\n")
	r := bufio.NewReader(conn)
	if resp, err := http.ReadResponse(r, &http.Request{Method: http.MethodConnect}); err != nil || resp.StatusCode != 200 {
		t.Fatalf("%v, %v", resp, err)
	}
	ask := func() (*http.Response, error) {
		io.WriteString(conn, "GET / HTTP/1.1\r\nHost: site.example\r\n\r\n")
		resp, err := http.ReadResponse(r, nil)
		if err == nil {
			io.Copy(io.Discard, resp.Body)
		}
		return resp, err
	}
	if resp, err := ask(); err != nil || resp.StatusCode != 200 {
		t.Fatalf("%v, %v", resp, err)
	}
	options.Gate.Deny = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	if err := p.Reload(options); err != nil {
		t.Fatal(err)
	}
	if resp, err := ask(); err == nil {
		t.Errorf("a client that may not enter any more got %s", resp.Status)
	}
}
