package wire

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// What an origin does with the second request on a connection.
var badSeconds = map[string]func(*peer){
	"closes":              func(p *peer) {},
	"resets":              func(p *peer) { p.reset() },
	"closes after a read": func(p *peer) { p.next() },
	"resets after a read": func(p *peer) { p.next(); p.reset() },
}

// A request that met a dying connection is sent again if it may be, and an
// unsafe one never twice.
func TestTransportRetry(t *testing.T) {
	for _, c := range []struct {
		method string
		body   string
		again  bool // GetBody is set
		safe   bool // to be sent twice
	}{
		{"GET", "", false, true},
		{"HEAD", "", false, true},
		{"OPTIONS", "", false, true},
		{"TRACE", "", false, true},
		{"DELETE", "", false, true},
		{"PROPFIND", "", false, true}, // RFC 4918 §9.1
		{"QUERY", "body", true, true},
		{"PUT", "body", true, true},
		{"PUT", "body", false, false},
		{"GET", "body", false, false},
		{"POST", "", false, false},
		{"POST", "body", true, false},
		{"POST", "body", false, false},
		{"PATCH", "body", true, false},
		{"MOVE", "", false, false},
		{"X-UNKNOWN", "", false, false},
	} {
		for how, second := range badSeconds {
			saw := retryOnce(t, c.method, c.body, c.again, second)
			switch {
			case c.safe && saw.err != nil:
				t.Errorf("%s (body %q) on a connection that %s: %v", c.method, c.body, how, saw.err)
			case !c.safe && saw.times > 1:
				t.Errorf("%s (body %q) on a connection that %s: sent %d times", c.method, c.body, how, saw.times)
			case !c.safe && saw.err == nil && saw.times != 1:
				t.Errorf("%s (body %q) on a connection that %s: answered %d times", c.method, c.body, how, saw.times)
			}
		}
	}
}

type sightings struct {
	times int32
	err   error
}

// retryOnce puts a connection into the pool, whose second request meets
// second, sends the request and counts the heads the origin read of it.
func retryOnce(t *testing.T, method, body string, again bool, second func(*peer)) sightings {
	var times atomic.Int32
	o := startOrigin(t, func(p *peer) {
		p.br.Reset(&headCounter{r: p.Conn, prefix: []byte(method + " /target"), n: &times})
		p.next()
		p.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		if p.nr == 1 {
			second(p)
			return
		}
		p.untilClosed()
	})
	tr := newTransport(t, o.addr)
	defer tr.Close()
	mustFetch(t, tr, request(t, "GET", "http://a.test/first", nil))
	r := request(t, method, "http://a.test/target", nil)
	if body != "" {
		r = request(t, method, "http://a.test/target", strings.NewReader(body))
		if !again {
			r.GetBody = nil
		}
	}
	_, _, err := fetch(tr, r)
	return sightings{times.Load(), err}
}

// A headCounter counts the reads that hold a request line starting with
// prefix.
type headCounter struct {
	r      io.Reader
	prefix []byte
	n      *atomic.Int32
}

func (h *headCounter) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	if bytes.Contains(p[:n], h.prefix) {
		h.n.Add(1)
	}
	return n, err
}

// Half of the pooled connections just reset: every GET is answered.
func TestTransportGetsSurviveResets(t *testing.T) {
	o := startOrigin(t, func(p *peer) {
		for i := 0; ; i++ {
			if p.next() == "" {
				return
			}
			if i > 0 && (p.nr+i)%2 == 0 {
				p.reset()
				return
			}
			p.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	tr := newTransport(t, o.addr)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				if _, body, err := fetch(tr, request(t, "GET", "http://a.test/", nil)); err != nil || body != "ok" {
					t.Errorf("%q, %v", body, err)
				}
			}
		})
	}
	wg.Wait()
}

// No retry once a byte of a response came, after a timeout, or on a fresh
// connection.
func TestTransportNoRetry(t *testing.T) {
	for name, second := range map[string]func(*peer){
		"a byte":    func(p *peer) { p.next(); p.say("H") },
		"malformed": func(p *peer) { p.next(); p.say("HTTP/3 200\r\n\r\n") },
		"a 103":     func(p *peer) { p.next(); p.say("HTTP/1.1 103 Early Hints\r\n\r\n") },
		"a stall":   func(p *peer) { p.next(); p.untilClosed() },
	} {
		o := startOrigin(t, func(p *peer) {
			p.next()
			p.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			second(p)
		})
		tr := newTransport(t, o.addr)
		mustFetch(t, tr, request(t, "GET", "http://a.test/", nil))
		tr.ResponseTimeout = 50 * time.Millisecond
		if _, _, err := fetch(tr, request(t, "GET", "http://a.test/", nil)); err == nil {
			t.Errorf("%s: no error", name)
		}
		if n := o.conns.Load(); n != 1 {
			t.Errorf("%s: %d connections, want 1", name, n)
		}
	}
	o := startOrigin(t, func(p *peer) { p.next() })
	tr := newTransport(t, o.addr)
	if _, _, err := fetch(tr, request(t, "GET", "http://a.test/", nil)); !errors.Is(err, ErrNoResponse) {
		t.Error(err)
	}
	if n := o.conns.Load(); n != 1 {
		t.Errorf("fresh: %d connections, want 1", n)
	}
}

// What an origin says as it gives up a connection on which nobody has asked is no
// answer to who has, but may be one to who asks first, or must not ask twice.
func TestTransportIdleTimeoutIsNoAnswer(t *testing.T) {
	const ok, late = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 408 Request Timeout\r\nContent-Length: 4\r\nConnection: close\r\n\r\nlate"
	for _, c := range []struct {
		method, body, said string
		kept               bool // the connection was
		want               string
	}{
		{"GET", "", late, true, "ok"},
		{"GET", "", late, false, "late"},
		{"POST", "", late, true, "late"},
		{"PUT", "x", late, true, "late"},
		{"GET", "", strings.Replace(late, "Connection: close\r\n", "", 1), true, "late"},
		{"GET", "", strings.Replace(late, "408", "503", 1), true, "late"},
	} {
		o := startOrigin(t, func(p *peer) {
			if c.kept {
				p.next()
				p.say(ok)
			}
			if p.next(); p.nr == 1 {
				p.say(c.said)
			} else {
				p.say(ok)
			}
		})
		tr := newTransport(t, o.addr)
		if c.kept {
			mustFetch(t, tr, request(t, "GET", "http://a.test/", nil))
		}
		var body io.Reader
		if c.body != "" {
			body = struct{ io.Reader }{strings.NewReader(c.body)}
		}
		r := request(t, c.method, "http://a.test/", body)
		if _, got, err := fetch(tr, r); got != c.want || err != nil {
			t.Errorf("%s, %q, kept %t: %q, %v", c.method, c.said, c.kept, got, err)
		}
	}
}

// What an origin sends beyond the end of an answer may come when the next request is
// on its way: that is asked again on another connection, if it may be.
func TestTransportAnswersRestIsNoAnswer(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	for _, rest := range []string{"\r\n", "\n", "x", "</html>\r\n\r\n", "Hello", "0\r\n\r\n"} {
		for _, c := range []struct {
			method string
			kept   bool // the connection was
			want   string
		}{
			{"GET", true, "ok"},
			{"PUT", true, "ok"},
			{"POST", true, ""},
			{"GET", false, ""},
		} {
			o := startOrigin(t, func(p *peer) {
				if c.kept {
					p.next()
					p.say(ok)
				}
				if p.next(); p.nr == 1 {
					p.say(rest + ok)
				} else {
					p.say(ok)
				}
			})
			tr := newTransport(t, o.addr)
			if c.kept {
				mustFetch(t, tr, request(t, "GET", "http://a.test/", nil))
			}
			_, got, err := fetch(tr, request(t, c.method, "http://a.test/", nil))
			if got != c.want || (err == nil) != (c.want != "") {
				t.Errorf("%s met %q, kept %t: %q, %v", c.method, rest, c.kept, got, err)
			}
		}
	}
}

// A request that must not be repeated does not take its chance on a
// connection that has been idle for long.
func TestTransportUnsafeOnOldConnection(t *testing.T) {
	o := startOrigin(t, always("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
	tr := newTransport(t, o.addr)
	get := func(method string) int32 {
		mustFetch(t, tr, request(t, method, "http://a.test/", nil))
		return o.conns.Load()
	}
	get("GET")
	if n := get("POST"); n != 1 {
		t.Errorf("POST at once: %d connections, want 1", n)
	}
	tr.pool.mu.Lock()
	for _, h := range tr.pool.hosts {
		for _, c := range h.conns {
			c.idleAt = c.idleAt.Add(-2 * unsafeReuse)
		}
	}
	tr.pool.mu.Unlock()
	if n := get("POST"); n != 2 {
		t.Errorf("POST later: %d connections, want 2", n)
	}
}

func TestTransportIsolation(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.RemoteAddr)
	}))
	defer s.Close()
	tr := newTransport(t, s.Listener.Addr().String())
	get := func(url, key string) string {
		return mustFetch(t, tr, request(t, "GET", url, nil).WithContext(WithIsolation(t.Context(), key)))
	}
	a := get("http://a.test/", "a")
	if b := get("http://a.test/", "b"); a == b {
		t.Error("two keys shared a connection")
	}
	if b := get("http://a.test:81/", "a"); a == b {
		t.Error("two ports shared a connection")
	}
	if b := get("http://b.test/", "a"); a == b {
		t.Error("two hosts shared a connection")
	}
	if b := get("http://a.test:80/", "a"); a != b {
		t.Error("the same place did not share a connection")
	}
}

// A connection that carried content is for requests with content of the same client:
// what an origin has not read of it is its next request.
func TestTransportContentStaysWithItsOwner(t *testing.T) {
	o := startOrigin(t, always("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
	tr := newTransport(t, o.addr)
	tr.headDelay = time.Minute  // an answer to the head alone costs the connection,
	tr.settleTime = time.Minute // and so does one before the write of the content has returned
	var alice, bob uint64 = 1, 2
	for i, c := range []struct {
		owner   *uint64
		content string
		opened  int32
	}{
		{&alice, "", 1},
		{&alice, "a", 1}, // what nobody has sent content on is for all
		{&alice, "a", 1},
		{&alice, "", 2},
		{&bob, "", 2},
		{&bob, "b", 2},
		{&bob, "", 3},
		{&alice, "a", 3},
		{nil, "", 3},
		{nil, "n", 3},
		{nil, "", 3},
	} {
		r := request(t, "GET", "http://a.test/", nil)
		if c.content != "" {
			r = request(t, "PUT", "http://a.test/", strings.NewReader(c.content))
		}
		if c.owner != nil {
			r = r.WithContext(context.WithValue(t.Context(), OwnerKey, c.owner))
		}
		mustFetch(t, tr, r)
		if n := o.conns.Load(); n != c.opened {
			t.Errorf("request %d: %d connections, want %d", i, n, c.opened)
		}
	}
}

// A connection that was kept while the machine slept is not asked on: it may be lost,
// and nobody would say so for a minute.
func TestTransportConnectionsEndWhileTheMachineSleeps(t *testing.T) {
	connectionsEndAfter(t, func(c *originConn, idle time.Duration) { c.idleAt = c.idleAt.Add(-2 * idle) })
}

// Nor is one whose idle time seems not to have begun, for a clock that was set back.
func TestTransportConnectionsEndThoughTheClockIsSetBack(t *testing.T) {
	connectionsEndAfter(t, func(c *originConn, idle time.Duration) {
		c.idleAt, c.idleSince = c.idleAt.Add(time.Hour), c.idleSince.Add(-2*idle)
	})
}

// connectionsEndAfter sees that no connection is asked on after what passes while it is
// idle, of which so much is allowed.
func connectionsEndAfter(t *testing.T, pass func(c *originConn, idle time.Duration)) {
	t.Helper()
	o := startOrigin(t, always("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
	tr := newTransport(t, o.addr)
	for n := int32(1); n <= 2; n++ {
		mustFetch(t, tr, request(t, "GET", "http://a.test/", nil))
		if got := o.conns.Load(); got != n {
			t.Errorf("%d connections, want %d", got, n)
		}
		tr.pool.mu.Lock()
		for c := tr.pool.order.oldest; c != nil; c = c.newer {
			pass(c, tr.IdleTimeout)
		}
		tr.pool.mu.Unlock()
	}
}

// A proxy on the way may carry what follows the first request to the origin of that
// one, as Tinyproxy does behind an answer without a length: it must not be another
// origin's request, nor hold what was meant for the proxy.
func TestTransportHopConnectionsAreForOneOrigin(t *testing.T) {
	for authorization, want := range map[string]int32{"": 2, "Basic eA==": 3} {
		o := startOrigin(t, always("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
		tr := newTransport(t, o.addr)
		tr.DialHop = func(ctx context.Context) (net.Conn, error) { return tr.Dial(ctx, "tcp", o.addr) }
		tr.HopAuthorization = authorization
		for _, u := range []string{"http://a.test/", "http://a.test/", "http://b.test/"} {
			mustFetch(t, tr, request(t, "GET", u, nil))
		}
		if n := o.conns.Load(); n != want {
			t.Errorf("authorization %q: %d connections, want %d", authorization, n, want)
		}
	}
}

// TestTransportSpeaksTLSWithTheHop: in absolute-form, on a connection that serves
// again, and with nobody else.
func TestTransportSpeaksTLSWithTheHop(t *testing.T) {
	var requests atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if r.TLS == nil || r.RequestURI != "http://a.test/x" || r.Header.Get("Proxy-Authorization") != "" {
			t.Errorf("the hop got %s, %v", r.RequestURI, r.Header)
		}
		io.WriteString(w, "ok")
	}))
	conns := countConnections(s)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	tr := newTransport(t, "127.0.0.1:1")
	tr.DialHop = func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", s.Listener.Addr().String())
	}
	tr.HopTLS = &tls.Config{RootCAs: rootsOf(s), ServerName: "127.0.0.1"}
	for range 3 {
		if got := mustFetch(t, tr, request(t, "GET", "http://a.test/x", nil)); got != "ok" {
			t.Errorf("got %q", got)
		}
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
	other := newTransport(t, "127.0.0.1:1")
	other.DialHop, other.HopTLS = tr.DialHop, &tls.Config{RootCAs: rootsOf(s), ServerName: "proxy.test"}
	var handshake *HandshakeError
	if _, err := other.RoundTrip(request(t, "GET", "http://a.test/x", nil)); !errors.As(err, &handshake) {
		t.Errorf("in another's name: %v", err)
	}
	if n := requests.Load(); n != 3 {
		t.Errorf("%d requests, want 3", n)
	}
}

func TestTransportPoolBounds(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
	}))
	defer s.Close()
	tr := newTransport(t, s.Listener.Addr().String())
	tr.MaxIdlePerHost, tr.MaxIdle = 2, 3
	var bodies []io.Closer
	for _, url := range []string{"http://a.test/", "http://a.test/", "http://a.test/", "http://b.test/", "http://b.test/"} {
		resp := mustAnswer(t, tr, request(t, "GET", url, nil))
		io.Copy(io.Discard, resp.Body)
		resp = mustAnswer(t, tr, request(t, "GET", url, nil))
		bodies = append(bodies, drained(resp.Body))
	}
	for _, b := range bodies {
		b.Close()
		if n := tr.pool.order.length; n > 3 {
			t.Fatalf("%d idle connections", n)
		}
	}
	if n := tr.pool.order.length; n != 3 {
		t.Errorf("%d idle connections, want 3", n)
	}
	for k, h := range tr.pool.hosts {
		if len(h.conns) > 2 {
			t.Errorf("%s: %d idle connections", k.host, len(h.conns))
		}
	}
	tr.LetGo()
	if n := tr.pool.order.length; n != 0 {
		t.Errorf("%d idle connections after LetGo", n)
	}
}

// drained reads b when it is closed.
func drained(b io.ReadCloser) io.Closer {
	return closerFunc(func() error {
		io.Copy(io.Discard, b)
		return b.Close()
	})
}

type closerFunc func() error

func (f closerFunc) Close() error { return f() }

// Idle connections are closed after a while, without anyone asking.
func TestTransportReapsIdle(t *testing.T) {
	closed := make(chan error, 1)
	o := startOrigin(t, func(p *peer) {
		p.next()
		p.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		_, err := io.ReadAll(p.br)
		closed <- err
	})
	tr := newTransport(t, o.addr)
	tr.IdleTimeout = 20 * time.Millisecond
	mustFetch(t, tr, request(t, "GET", "http://a.test/", nil))
	if err := <-closed; err != nil {
		t.Errorf("the idle connection stays open: %v", err)
	}
}

// A connection that cannot be asked whether it is quiet serves once.
func TestTransportOpaqueConnections(t *testing.T) {
	o := startOrigin(t, always("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
	tr := newTransport(t, o.addr)
	dial := tr.Dial
	tr.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dial(ctx, network, addr)
		return struct{ net.Conn }{c}, err
	}
	for range 2 {
		mustFetch(t, tr, request(t, "GET", "http://a.test/", nil))
	}
	if n := o.conns.Load(); n != 2 {
		t.Errorf("%d connections, want 2", n)
	}
}
