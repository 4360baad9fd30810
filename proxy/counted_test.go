package proxy

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"guise/proxy/gate"
	"guise/proxy/inspect"
	"guise/proxy/telemetry"
	"guise/proxy/wire/http2test"
)

// counts returns whether the metrics hold each of lines.
func counts(t *testing.T, m *telemetry.Metrics, lines ...string) bool {
	t.Helper()
	told := "\n" + metricsText(t, m)
	for _, line := range lines {
		if !strings.Contains(told, "\n"+line+"\n") {
			return false
		}
	}
	return true
}

// TestEveryWayInHasItsClass: what a request is for does not depend on how it came.
func TestEveryWayInHasItsClass(t *testing.T) {
	_, hop := serveWeb(t)
	const web = "GET / HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\n\r\n"
	for name, c := range map[string]struct {
		ask  func(t *testing.T, p *Proxy, address string)
		want []string
	}{
		"to a proxy": {func(t *testing.T, _ *Proxy, address string) { get(t, address, "http://site.example/") },
			[]string{`guise_requests_total{class="plain",status="2xx"} 1`}},
		"by SOCKS": {func(t *testing.T, p *Proxy, _ string) {
			conn, _ := socksDial(t, serveAs(t, p, Listening{Protocol: SOCKS5}), "site.example", 80)
			io.WriteString(conn, web)
			io.Copy(io.Discard, conn)
		}, []string{`guise_requests_total{class="plain",status="2xx"} 1`}},
		"inside a CONNECT": {func(t *testing.T, _ *Proxy, address string) {
			_, r := openTunnel(t, address, "site.example:80", web)
			io.Copy(io.Discard, r)
		}, []string{`guise_requests_total{class="plain",status="2xx"} 1`, `guise_requests_total{class="connect",status="2xx"} 1`}},
		"a page of ours": {func(t *testing.T, _ *Proxy, address string) {
			exchangeRaw(t, address, "GET / HTTP/1.1\r\nHost: "+address+"\r\nConnection: close\r\n\r\n")
		}, []string{`guise_requests_total{class="own",status="2xx"} 1`}},
		"a page of ours, over HTTP/2": {func(t *testing.T, _ *Proxy, address string) {
			h2Get(t, h2Client(t, address, nil), "http://"+address+"/proxy.pac")
		}, []string{`guise_requests_total{class="own",status="2xx"} 1`}},
		"a WebSocket over HTTP/2": {func(t *testing.T, _ *Proxy, address string) {
			client := http2test.NewClient(t, dial(t, address))
			client.Head(1, false, ":method: CONNECT", ":protocol: websocket", ":scheme: http", ":authority: 10.0.0.1", ":path: /")
			client.Headers(1)
		}, []string{`guise_requests_total{class="plain",status="4xx"} 1`}},
	} {
		t.Run(name, func(t *testing.T) {
			m := telemetry.New()
			p, address := newProxy(t, func(o *Options) {
				o.Metrics, o.Egress.Chain = m, []*url.URL{hop}
			})
			c.ask(t, p, address)
			until(t, strings.Join(c.want, ", "), func() bool { return counts(t, m, c.want...) })
		})
	}
}

// TestRequestsInsideTLSHaveAClassOfTheirOwn beside the CONNECT that they are in.
func TestRequestsInsideTLSHaveAClassOfTheirOwn(t *testing.T) {
	m := telemetry.New()
	o := serveSecure(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "fine") }, nil, "http/1.1")
	proxy := serveProxy(t, func(o *Options) { inspecting(inspect.Always)(o); o.Metrics = m })
	if _, body, err := read(visitor(t, proxy, trusting(testAuthority()), false), o.URL); body != "fine" {
		t.Fatalf("%q, %v", body, err)
	}
	until(t, "both to be counted", func() bool {
		return counts(t, m, `guise_requests_total{class="inside",status="2xx"} 1`, `guise_requests_total{class="connect",status="2xx"} 1`)
	})
}

// TestWhoLeavesIsNoFaultOfTheOrigins: neither in what is counted, nor in what a client
// reads that has ended its half alone.
func TestWhoLeavesIsNoFaultOfTheOrigins(t *testing.T) {
	asked := make(chan bool)
	o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
		http.ReadRequest(r)
		asked <- true
		io.Copy(io.Discard, r)
	})
	for reset, version := range map[bool]string{true: "1.1", false: "1.0"} { // in HTTP/1.1 it is seen to be there
		m := telemetry.New()
		proxy := serveProxy(t, func(o *Options) { o.Metrics = m })
		conn := dial(t, proxy)
		io.WriteString(conn, "GET http://"+o.address+"/ HTTP/"+version+"\r\nHost: x\r\n\r\n")
		<-asked
		if reset {
			conn.SetLinger(0)
			conn.Close()
		} else {
			conn.CloseWrite()
			if got, err := io.ReadAll(conn); !strings.HasPrefix(string(got), "HTTP/1.1 400 ") || !strings.Contains(string(got), "\r\nProxy-Status: guise;error=http_request_error\r\n") || err != nil {
				t.Errorf("got %q, %v", got, err)
			}
		}
		until(t, "the request to be counted", func() bool { return counts(t, m, `guise_requests_total{class="plain",status="cut"} 1`) })
		if !counts(t, m, `guise_errors_total{type="connection_terminated"} 0`, `guise_errors_total{type="http_request_error"} 0`) {
			t.Errorf("reset %t: a fault is counted", reset)
		}
	}
}

// TestWhoHasTheAnswerMayLeave, though the origin has yet to take the rest of the upload.
func TestWhoHasTheAnswerMayLeave(t *testing.T) {
	o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
		conn.(*net.TCPConn).SetReadBuffer(4 << 10)
		http.ReadRequest(r)
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		<-t.Context().Done()
	})
	m := telemetry.New()
	conn := dial(t, serveProxy(t, func(o *Options) { o.Metrics = m }))
	io.WriteString(conn, "POST http://"+o.address+"/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n")
	for piece := make([]byte, 64<<10); ; { // until nobody takes any more
		conn.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
		if _, err := conn.Write(piece); errors.Is(err, os.ErrDeadlineExceeded) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if _, body := readAnswer(t, bufio.NewReader(conn), "GET"); body != "ok" {
		t.Fatal(body)
	}
	conn.SetLinger(0)
	conn.Close()
	until(t, "the answer to be counted", func() bool { return counts(t, m, `guise_requests_total{class="plain",status="2xx"} 1`) })
}

// TestWhatIsNoRequestIsCounted though nobody sees it but the server.
func TestWhatIsNoRequestIsCounted(t *testing.T) {
	m := telemetry.New()
	proxy := serveProxy(t, func(o *Options) { o.Metrics = m })
	exchangeRaw(t, proxy, "GET http://a.example/ HTTP/1.1\r\n\r\n")
	client := http2test.NewClient(t, dial(t, proxy))
	client.Head(1, true, ":method: GET", ":scheme: http", ":authority: a.example", ":path: /", "expect: much")
	client.Headers(1)
	if !counts(t, m, `guise_errors_total{type="http_request_error"} 2`) {
		t.Error("the metrics do not count both")
	}
}

// TestRefusedTunnelsAreCounted as refused requests are.
func TestRefusedTunnelsAreCounted(t *testing.T) {
	o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) { io.Copy(conn, r) })
	for reason, limits := range map[string]gate.Limits{
		"tunnels":     {Tunnels: 1},
		"tunnel-rate": {TunnelRate: 1, Burst: 1},
	} {
		m := telemetry.New()
		proxy := serveProxy(t, func(o *Options) { o.Metrics, o.Gate.Client = m, limits })
		openTunnel(t, proxy, o.address, "")
		if got, _ := exchangeRaw(t, proxy, "CONNECT "+o.address+" HTTP/1.1\r\nHost: x\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 429 ") {
			t.Errorf("%s: got %q", reason, got)
		}
		if !counts(t, m, `guise_refused_total{reason="`+reason+`"} 1`) {
			t.Errorf("the metrics do not count %s", reason)
		}
	}
}

// TestBytesOfAWebSocketAreOfItsClass, and its end leaves no tunnel behind.
func TestBytesOfAWebSocketAreOfItsClass(t *testing.T) {
	o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
		http.ReadRequest(r)
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n12345")
		io.Copy(io.Discard, r)
	})
	m := telemetry.New()
	proxy := serveProxy(t, func(o *Options) { o.Metrics = m })
	conn := dial(t, proxy)
	io.WriteString(conn, "GET http://"+o.address+"/ HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
	r := bufio.NewReader(conn)
	if resp, err := http.ReadResponse(r, nil); err != nil || resp.StatusCode != 101 {
		t.Fatal(resp, err)
	}
	io.WriteString(conn, "123")
	conn.CloseWrite()
	io.Copy(io.Discard, r)
	until(t, "the WebSocket's end", func() bool {
		return counts(t, m, "guise_tunnels 0", `guise_bytes_total{class="plain",direction="up"} 3`, `guise_bytes_total{class="plain",direction="down"} 5`)
	})
}

// TestBytesOfAnUploadAreCounted, with no limit on them as well.
func TestBytesOfAnUploadAreCounted(t *testing.T) {
	o := serveOrigin(t, answer(hello))
	m := telemetry.New()
	proxy := serveProxy(t, func(o *Options) { o.Metrics = m })
	send(t, proxy, "POST", "http://"+o.address+"/", "seven b")
	until(t, "the upload's bytes", func() bool { return counts(t, m, `guise_bytes_total{class="plain",direction="up"} 7`) })
}
