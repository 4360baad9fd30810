package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"guise/proxy/wire/http2test"
)

// h2Client returns a transport that speaks HTTP/2 with the proxy at address as
// if it were every origin: in the clear, or over TLS with pool. The scheme of
// a URL says nothing of the connection.
func h2Client(t *testing.T, address string, pool *x509.CertPool, own ...tls.Certificate) *http.Transport {
	t.Helper()
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		if pool == nil {
			return new(net.Dialer).DialContext(ctx, "tcp", address)
		}
		d := tls.Dialer{Config: &tls.Config{RootCAs: pool, ServerName: "proxy.example", NextProtos: []string{"h2"}, Certificates: own}}
		return d.DialContext(ctx, "tcp", address)
	}
	tr := &http.Transport{Protocols: new(http.Protocols), DialContext: dial, DialTLSContext: dial}
	tr.Protocols.SetHTTP2(true)
	tr.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

func h2Get(t *testing.T, tr *http.Transport, url string, fields ...string) (*http.Response, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		r.Header.Set(name, value)
	}
	resp, err := tr.RoundTrip(r)
	if err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	return resp, string(b)
}

// TestHTTP2IsFilteredLikeHTTP1: the way of a request does not depend on how it
// came in.
func TestHTTP2IsFilteredLikeHTTP1(t *testing.T) {
	o := serveOrigin(t, answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nKeep-Alive: timeout=1\r\nConnection: X-Hop\r\nX-Hop: a\r\nVia: 1.1 other\r\n\r\nhello"))
	_, address := newProxy(t, nil)
	fields := []string{"X-Forwarded-For: 192.0.2.7", "User-Agent: something rare/7", "Referer: http://elsewhere.example/page"}
	get(t, address, "http://"+o.address+"/a", fields...)
	first := o.saw()
	resp, body := h2Get(t, h2Client(t, address, nil), "http://"+o.address+"/a", fields...)
	if resp.ProtoMajor != 2 || body != "hello" {
		t.Errorf("%s, %q", resp.Proto, body)
	}
	if second := strings.TrimPrefix(o.saw(), first); second != first {
		t.Errorf("over HTTP/1.1 the origin saw\n%s\nand over HTTP/2\n%s", first, second)
	}
	for _, name := range []string{"Keep-Alive", "Connection", "X-Hop", "Via", "Content-Type"} {
		if resp.Header[name] != nil {
			t.Errorf("the answer has %s: %q", name, resp.Header[name])
		}
	}
}

// TestHTTP2TruncationIsSeen: an origin that breaks off breaks the stream.
func TestHTTP2TruncationIsSeen(t *testing.T) {
	o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
		http.ReadRequest(r)
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n")
	})
	_, address := newProxy(t, nil)
	r, _ := http.NewRequestWithContext(t.Context(), "GET", "http://"+o.address+"/", nil)
	resp, err := h2Client(t, address, nil).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("%q passes for the whole", b)
	}
}

// TestGetWithoutContentHasNone: whichever frame, or chunk, says that there is
// nothing, the origin gets the request of any other client.
func TestGetWithoutContentHasNone(t *testing.T) {
	o := serveOrigin(t, answer("HTTP/1.1 204 No Content\r\n\r\n"))
	proxy := serveProxy(t, nil)
	target := []string{":scheme: http", ":authority: " + o.address, ":path: /"}
	for i, method := range []string{"GET", "HEAD", "DELETE"} {
		c := http2test.NewClient(t, dial(t, proxy))
		c.Head(1, false, append([]string{":method: " + method}, target...)...)
		c.WriteData(1, true, nil)
		if got := c.Outcome(1); got != "204" {
			t.Errorf("%s: %s", method, got)
		}
		c.Head(3, false, append([]string{":method: " + method}, target...)...)
		c.WriteData(3, true, []byte("content"))
		if got := c.Outcome(3); got != "204" {
			t.Errorf("%s with content: %s", method, got)
		}
		exchangeRaw(t, proxy, method+" http://"+o.address+"/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n")
		if saw, chunked := strings.Count(o.saw(), method+" / "), strings.Count(o.saw(), "Transfer-Encoding"); saw != 3 || chunked != i+1 {
			t.Errorf("%s: %d of %d requests in chunks", method, chunked-i, saw)
		}
	}
}

// TestOwnPagesOverHTTP2: what is addressed to the proxy itself is answered by it.
func TestOwnPagesOverHTTP2(t *testing.T) {
	p, plain := newProxy(t, nil)
	config, _, pool := newTLS(t)
	secure := serveAs(t, p, Listening{Protocol: HTTPS, TLS: config})
	_, port, _ := net.SplitHostPort(secure)
	for _, c := range []struct {
		tr        *http.Transport
		url, want string
	}{
		{h2Client(t, plain, nil), "http://" + plain + "/proxy.pac", `"PROXY ` + plain + `"`},
		{h2Client(t, secure, pool), "https://proxy.example:" + port + "/proxy.pac", `"HTTPS proxy.example:` + port + `"`},
		{h2Client(t, secure, pool), "https://" + secure + "/proxy.pac", `"HTTPS ` + secure + `"`},
		{h2Client(t, secure, pool), "https://proxy.example/proxy.pac", `"HTTPS proxy.example:443"`},
	} {
		if resp, body := h2Get(t, c.tr, c.url); resp.StatusCode != 200 || !strings.Contains(body, c.want) {
			t.Errorf("%s: %d, %.200s", c.url, resp.StatusCode, body)
		}
	}
	if resp, _ := h2Get(t, h2Client(t, secure, pool), "http://proxy.example:"+port+"/proxy.pac"); resp.StatusCode == 200 {
		t.Error("a request to an origin is taken for one to the proxy")
	}
}

// openStream opens a tunnel over HTTP/2 and returns its two directions.
func openStream(t *testing.T, tr *http.Transport, target string) (*http.Response, *io.PipeWriter) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	pr, pw := io.Pipe()
	t.Cleanup(func() { pw.Close() })
	r, err := http.NewRequestWithContext(ctx, "CONNECT", "http://"+target, pr)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := tr.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp, pw
}

func TestTunnelOverHTTP2(t *testing.T) {
	p, plain := newProxy(t, nil)
	config, _, pool := newTLS(t)
	secure := serveAs(t, p, Listening{Protocol: HTTPS, TLS: config})
	for name, tr := range map[string]*http.Transport{"clear": h2Client(t, plain, nil), "TLS": h2Client(t, secure, pool)} {
		t.Run(name, func(t *testing.T) { testTunnels(t, tr) })
	}
}

func testTunnels(t *testing.T, tr *http.Transport) {
	t.Run("client ends first", func(t *testing.T) {
		o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
			all, _ := io.ReadAll(r)
			io.WriteString(conn, "after the end: "+string(all))
		})
		resp, up := openStream(t, tr, o.address)
		if resp.StatusCode != 200 || len(resp.Header) > 0 {
			t.Errorf("%d %v", resp.StatusCode, resp.Header)
		}
		io.WriteString(up, "request")
		up.Close()
		if got, err := io.ReadAll(resp.Body); string(got) != "after the end: request" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	})
	t.Run("origin ends first", func(t *testing.T) {
		late := make(chan string, 1)
		o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
			conn.(*net.TCPConn).CloseWrite()
			all, _ := io.ReadAll(r)
			late <- string(all)
		})
		resp, up := openStream(t, tr, o.address)
		// The body of a Go client's response ends when its request does, so
		// the end is read beside the rest.
		ended := make(chan error, 1)
		go func() {
			_, err := io.ReadAll(resp.Body)
			ended <- err
		}()
		io.WriteString(up, "late")
		up.Close()
		if got := <-late; got != "late" {
			t.Errorf("the origin got %q", got)
		}
		if err := <-ended; err != nil {
			t.Errorf("the end is %v", err)
		}
	})
	t.Run("origin breaks", func(t *testing.T) {
		o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
			r.ReadByte()
			conn.(*net.TCPConn).SetLinger(0)
		})
		resp, up := openStream(t, tr, o.address)
		io.WriteString(up, "x")
		if got, err := io.ReadAll(resp.Body); err == nil {
			t.Errorf("a reset looks like an end after %q", got)
		}
	})
	t.Run("all bytes", func(t *testing.T) {
		o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
			io.Copy(conn, r)
			conn.(*net.TCPConn).CloseWrite()
		})
		resp, up := openStream(t, tr, o.address)
		sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<19) // 8 MiB
		go func() {
			up.Write(sent)
			up.Close()
		}()
		if got, err := io.ReadAll(resp.Body); !bytes.Equal(got, sent) {
			t.Errorf("%d bytes came back of %d: %v", len(got), len(sent), err)
		}
	})
	t.Run("refused", func(t *testing.T) {
		if resp, _ := openStream(t, tr, "169.254.169.254:443"); resp.StatusCode != 403 {
			t.Errorf("status %d", resp.StatusCode)
		}
	})
}

// TestWebSocketOverHTTP2: extended CONNECT becomes the upgrade that the origin
// knows.
func TestWebSocketOverHTTP2(t *testing.T) {
	upgraded := func(accept func(*http.Request) string) func(net.Conn, *bufio.Reader) {
		return func(conn net.Conn, r *bufio.Reader) {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			key, _ := base64.StdEncoding.DecodeString(req.Header.Get("Sec-Websocket-Key"))
			if req.Method != "GET" || req.URL.Path != "/chat" || req.Header.Get("Upgrade") != "websocket" || len(key) != 16 {
				io.WriteString(conn, "HTTP/1.1 400 no\r\nContent-Length: 0\r\n\r\n")
				return
			}
			io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: chat\r\nSec-WebSocket-Accept: "+accept(req)+"\r\n\r\nhello ")
			io.Copy(conn, r)
			conn.(*net.TCPConn).CloseWrite()
		}
	}
	right := func(r *http.Request) string { return webSocketAccept(r.Header.Get("Sec-Websocket-Key")) }
	wrong := func(*http.Request) string { return "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" }
	address := serveProxy(t, nil)
	var told string // Proxy-Status
	open := func(o *origin, protocol string) (string, func(string) string) {
		c := http2test.NewClient(t, dial(t, address))
		c.Head(1, false, ":method: CONNECT", ":protocol: "+protocol, ":scheme: http", ":authority: "+o.address, ":path: /chat", "sec-websocket-version: 13", "sec-websocket-protocol: chat")
		h := c.Headers(1)
		told = ""
		for _, f := range h.RegularFields() {
			switch f.Name {
			case "proxy-status":
				told = f.Value
			case "upgrade", "connection", "sec-websocket-accept":
				t.Errorf("the answer has %s", f.Name)
			}
		}
		return h.PseudoValue("status"), func(s string) string {
			c.WriteData(1, true, []byte(s))
			return c.Data(1)
		}
	}
	status, echo := open(serveOrigin(t, upgraded(right)), "websocket")
	if status != "200" {
		t.Fatalf("status %s", status)
	}
	if got := echo("there"); got != "hello there" {
		t.Errorf("got %q", got)
	}
	const failed = "guise;error=http_upgrade_failed"
	if status, _ := open(serveOrigin(t, upgraded(wrong)), "websocket"); status != "502" || told != failed {
		t.Errorf("an answer to another key: status %s, %q", status, told)
	}
	if status, _ := open(serveOrigin(t, answer(helloResponse)), "websocket"); status != "502" || told != failed {
		t.Errorf("an origin that does not upgrade: status %s, %q", status, told)
	}
	if status, _ := open(serveOrigin(t, answer(helloResponse)), "connect-udp"); status != "501" {
		t.Errorf("another protocol: status %s", status)
	}
}

// TestShutdownLeavesStreamsTheirTime: a tunnel over HTTP/2 lives until the
// grace ends, and its connection is told that it takes no more.
func TestShutdownLeavesStreamsTheirTime(t *testing.T) {
	o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) { io.Copy(conn, r) })
	p, address := newProxy(t, nil)
	c := http2test.NewClient(t, dial(t, address))
	c.Head(1, false, ":method: CONNECT", ":authority: "+o.address)
	if status := c.Headers(1).PseudoValue("status"); status != "200" {
		t.Fatal(status)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- p.Shutdown(ctx) }()
	c.GoAway()
	c.WriteData(1, false, []byte("still here"))
	if got := c.SomeData(1); got != "still here" {
		t.Errorf("got %q", got)
	}
	cancel()
	if err := <-done; err == nil {
		t.Error("Shutdown does not say that it cut a tunnel")
	}
}
