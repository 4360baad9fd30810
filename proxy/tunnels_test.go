package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"guise/proxy/egress"
	"guise/proxy/gate"
	"guise/proxy/inspect"
	"guise/proxy/telemetry"
	"guise/proxy/tunnel"
)

// openTunnel sends a CONNECT with early bytes behind the head and returns the
// connection after the answer.
func openTunnel(t *testing.T, proxy, target, early string) (*net.TCPConn, *bufio.Reader) {
	t.Helper()
	conn := dial(t, proxy)
	io.WriteString(conn, "CONNECT "+target+" HTTP/1.1\r\nHost: "+target+"\r\n\r\n"+early)
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, &http.Request{Method: "CONNECT"})
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 200 || len(resp.Header) != 0 {
		t.Fatalf("CONNECT: %d %v", resp.StatusCode, resp.Header)
	}
	return conn, r
}

// TestEarlyBytesReachTheOrigin sends bytes together with the CONNECT head.
func TestEarlyBytesReachTheOrigin(t *testing.T) {
	o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
		line, _ := r.ReadString('\n')
		io.WriteString(conn, "got "+line)
	})
	proxy := serveProxy(t, nil)
	for range 50 {
		_, r := openTunnel(t, proxy, o.address, "early\n")
		if line, _ := r.ReadString('\n'); line != "got early\n" {
			t.Fatalf("got %q", line)
		}
	}
}

// TestHalfCloseWorksBothWays: the end of one direction leaves the other open.
func TestHalfCloseWorksBothWays(t *testing.T) {
	proxy := serveProxy(t, nil)
	t.Run("client ends first", func(t *testing.T) {
		o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
			all, _ := io.ReadAll(r)
			io.WriteString(conn, "after the end: "+string(all))
		})
		conn, r := openTunnel(t, proxy, o.address, "")
		io.WriteString(conn, "request")
		conn.CloseWrite()
		if got, _ := io.ReadAll(r); string(got) != "after the end: request" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("origin ends first", func(t *testing.T) {
		late := make(chan string, 1)
		o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
			conn.(*net.TCPConn).CloseWrite()
			all, _ := io.ReadAll(r)
			late <- string(all)
		})
		conn, r := openTunnel(t, proxy, o.address, "")
		if got, err := io.ReadAll(r); len(got) != 0 || err != nil {
			t.Fatalf("got %q, %v", got, err)
		}
		io.WriteString(conn, "late")
		conn.CloseWrite()
		if got := <-late; got != "late" {
			t.Errorf("the origin got %q", got)
		}
	})
}

// TestTunnelCarriesEveryByte sends random bytes both ways at once.
func TestTunnelCarriesEveryByte(t *testing.T) {
	o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
		io.Copy(conn, r)
		conn.(*net.TCPConn).CloseWrite()
	})
	conn, r := openTunnel(t, serveProxy(t, nil), o.address, "")
	sent := make([]byte, 8<<20)
	rand.Read(sent)
	go func() {
		conn.Write(sent)
		conn.CloseWrite()
	}()
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d bytes came back of %d: %v", len(got), len(sent), err)
	}
}

// TestIdleTunnelEnds: no bytes either way, no tunnel.
func TestIdleTunnelEnds(t *testing.T) {
	o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) { io.Copy(io.Discard, r) })
	proxy := serveProxy(t, func(o *Options) { o.Timeouts.Tunnel = 100 * time.Millisecond })
	_, r := openTunnel(t, proxy, o.address, "")
	if _, err := r.ReadByte(); err == nil {
		t.Error("a byte from nowhere")
	} else if nerr, ok := err.(net.Error); ok && nerr.Timeout() {
		t.Error("the tunnel outlived its idle timeout")
	}
}

// TestTunnelRules: ports, private networks and hosts that cannot be.
func TestTunnelRules(t *testing.T) {
	proxy := serveProxy(t, func(o *Options) { o.Egress.Allow, o.Egress.ConnectPorts = nil, nil })
	for target, status := range map[string]string{
		"192.0.2.1:25":           "403",
		"127.0.0.1:443":          "403",
		"localhost:443":          "403",
		"[::ffff:127.0.0.1]:443": "403",
		"0x7f.1:443":             "403",
		"2130706433:443":         "403",
		"[::1%25lo]:443":         "400",
		"example.com:0443x":      "400",
		"example.com:99999":      "400",
		"exa mple.com:443":       "400",
	} {
		got, _ := exchangeRaw(t, proxy, "CONNECT "+target+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		if !strings.HasPrefix(got, "HTTP/1.1 "+status) {
			t.Errorf("CONNECT %s: %.40q, want %s", target, got, status)
		}
	}
}

// TestStatusLineSaysWhyATunnelDoesNotOpen: programs show their users no more of it.
func TestStatusLineSaysWhyATunnelDoesNotOpen(t *testing.T) {
	for _, metered := range []bool{false, true} {
		proxy := serveProxy(t, func(o *Options) {
			o.Egress.ConnectPorts = []egress.PortRange{{First: 443, Last: 443}}
			if metered {
				o.Metrics = telemetry.New()
			}
		})
		for target, want := range map[string]string{
			"example.com:8443":    "403 Port refused",
			"192.168.1.1:443":     "403 Destination refused",
			"nothing.invalid:443": "502 Name not found",
		} {
			got, _ := exchangeRaw(t, proxy, "CONNECT "+target+" HTTP/1.1\r\nHost: "+target+"\r\n\r\n")
			if line, _, _ := strings.Cut(got, "\r\n"); line != "HTTP/1.1 "+want {
				t.Errorf("CONNECT %s: %q, want %q", target, line, want)
			}
		}
	}
}

// TestWebSocketBecomesATunnel upgrades over plain HTTP, with frames sent early
// from both sides.
func TestWebSocketBecomesATunnel(t *testing.T) {
	o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
		req, err := http.ReadRequest(r)
		if err != nil || req.Header.Get("Upgrade") != "websocket" || !strings.EqualFold(req.Header.Get("Connection"), "upgrade") || req.Header.Get("Sec-Websocket-Key") == "" {
			io.WriteString(conn, "HTTP/1.1 400 no\r\n\r\n")
			return
		}
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nhello ")
		io.Copy(conn, r)
		conn.(*net.TCPConn).CloseWrite()
	})
	conn := dial(t, serveProxy(t, nil))
	io.WriteString(conn, "GET http://"+o.address+"/chat HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\nearly ")
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != 101 || resp.Header.Get("Sec-Websocket-Accept") == "" {
		t.Fatalf("%v %v", resp, err)
	}
	io.WriteString(conn, "late")
	conn.CloseWrite()
	if got, err := io.ReadAll(r); string(got) != "hello early late" {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestShutdownWaitsForTunnels: a tunnel lives until the grace ends.
func TestShutdownWaitsForTunnels(t *testing.T) {
	o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
		io.Copy(conn, r)
	})
	p, address := newProxy(t, nil)
	conn, r := openTunnel(t, address, o.address, "")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- p.Shutdown(ctx) }()
	for { // until the listener is gone
		c, err := net.Dial("tcp", address)
		if err != nil {
			break
		}
		c.Close()
	}
	io.WriteString(conn, "still here\n")
	if line, err := r.ReadString('\n'); line != "still here\n" {
		t.Fatalf("got %q, %v", line, err)
	}
	cancel()
	if err := <-done; err == nil {
		t.Error("Shutdown does not say that it cut a tunnel")
	}
	if _, err := r.ReadByte(); err == nil {
		t.Error("the tunnel outlived Shutdown")
	}
}

// A hijacked hands over one end of a pipe.
type hijacked struct {
	http.ResponseWriter
	conn net.Conn
}

func (h hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.conn, bufio.NewReadWriter(bufio.NewReader(h.conn), bufio.NewWriter(h.conn)), nil
}

// TestPanicEndsOnlyItsTunnel, on both sides, and it is counted as ended.
func TestPanicEndsOnlyItsTunnel(t *testing.T) {
	var log bytes.Buffer
	all := newTunnels(slog.New(slog.NewTextHandler(&log, nil)))
	client, clientEnd := net.Pipe()
	origin, originEnd := net.Pipe()
	ended := 0
	all.run(hijacked{conn: clientEnd}, originEnd, tunnel.Options{
		FromOrigin: []byte("begin"),
		Down:       func(context.Context, int) error { panic("secret") },
	}, guest{end: func(tunnel.Bytes) { ended++ }})
	if _, err := io.ReadFull(client, make([]byte, len("begin"))); err != nil {
		t.Fatal(err)
	}
	for _, side := range []net.Conn{client, origin} {
		if _, err := side.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("a side of the tunnel is still open: %v", err)
		}
	}
	all.close()
	if ended != 1 || !strings.Contains(log.String(), "tunnel panicked") || strings.Contains(log.String(), "secret") {
		t.Errorf("ended %d times, and said %q", ended, &log)
	}
}

// TestNoTunnelBeginsOnceAllAreEnded: a handler may be about to open one when all is closed,
// and nothing of that stays.
func TestNoTunnelBeginsOnceAllAreEnded(t *testing.T) {
	for range 100 {
		all := newTunnels(slog.New(slog.DiscardHandler))
		_, client := net.Pipe()
		origin, originEnd := net.Pipe()
		ended := make(chan bool, 2)
		go all.run(hijacked{conn: client}, originEnd, tunnel.Options{}, guest{end: func(tunnel.Bytes) { ended <- true }})
		all.close()
		if err := all.take(hijacked{conn: client}, func(net.Conn, []byte) { t.Error("a connection was taken over") }); err == nil {
			t.Error("one more may begin")
		}
		<-ended
		if _, err := origin.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the origin's side is still open: %v", err)
		}
		client.Close()
	}
}

// A panicking connection is one that panics when it is written to.
type panicking struct{ net.Conn }

func (panicking) Write([]byte) (int, error) { panic("secret") }

// TestPanicBeforeATunnelEndsItsUse: the client may open another, and nothing
// stays open.
func TestPanicBeforeATunnelEndsItsUse(t *testing.T) {
	authority, err := inspect.Create(inspect.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var log lockedBuffer
	p, _ := newProxy(t, func(o *Options) {
		o.Gate.Client = gate.Limits{Tunnels: 1}
		o.Inspection = Inspection{Enabled: true, Authority: authority, Default: inspect.Always}
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
	})
	a := p.current.Load()
	target, err := egress.Canonical("origin.example:443", 0)
	if err != nil {
		t.Fatal(err)
	}
	for what, begin := range map[string]func(w http.ResponseWriter, r *http.Request, v *visit, origin net.Conn){
		"checked": func(w http.ResponseWriter, r *http.Request, v *visit, origin net.Conn) {
			p.tunnels.run(w, origin, tunnel.Options{Opening: &tunnel.Opening{Judge: (&tlsCheck{target: target}).judge, Within: patience, First: true}, FromOrigin: []byte(established)}, v.hand(a))
		},
		"inspected": func(w http.ResponseWriter, r *http.Request, v *visit, origin net.Conn) {
			p.inspect(a, w, r, v, target, inspect.Always, func() { origin.Close() })
		},
	} {
		client, clientEnd := net.Pipe()
		origin, originEnd := net.Pipe()
		r := httptest.NewRequest(http.MethodConnect, "https://origin.example:443", nil)
		r.RemoteAddr = "127.0.0.1:1"
		v := &visit{connection: new(connection)}
		if err := a.enter(v, r, netip.MustParseAddr("127.0.0.1")); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if err := v.use.Tunnel(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		begin(hijacked{ResponseWriter: httptest.NewRecorder(), conn: panicking{clientEnd}}, r, v, originEnd)
		for _, side := range []net.Conn{client, origin} {
			side.SetDeadline(time.Now().Add(patience))
			if _, err := side.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("%s: a side is still open: %v", what, err)
			}
		}
		<-p.tunnels.over()
	}
	if said := log.String(); strings.Count(said, "tunnel panicked") != 2 || strings.Contains(said, "secret") {
		t.Errorf("it said %q", said)
	}
}
