package wire

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"
)

// A peer is the origin's end of one connection, played by a test.
type peer struct {
	net.Conn
	t  *testing.T
	br *bufio.Reader
	nr int // of the connection, from 1
}

// next reads a whole request head, or returns "" at the end.
func (p *peer) next() string {
	var head strings.Builder
	for {
		line, err := p.br.ReadString('\n')
		head.WriteString(line)
		if err != nil {
			return ""
		}
		if line == "\r\n" {
			return head.String()
		}
	}
}

func (p *peer) say(s string) { io.WriteString(p.Conn, s) }

// reset closes the connection with a reset.
func (p *peer) reset() {
	p.Conn.(*net.TCPConn).SetLinger(0)
	p.Conn.Close()
}

// untilClosed waits for the other end to close, and returns what it sent.
func (p *peer) untilClosed() string {
	b, _ := io.ReadAll(p.br)
	return string(b)
}

// An origin runs a script for each connection it accepts.
type origin struct {
	addr  string
	conns atomic.Int32
	l     net.Listener
	wg    sync.WaitGroup
}

func startOrigin(t *testing.T, script func(*peer)) *origin {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := &origin{addr: l.Addr().String(), l: l}
	o.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.SetDeadline(time.Now().Add(20 * time.Second))
			p := &peer{c, t, bufio.NewReader(c), int(o.conns.Add(1))}
			o.wg.Go(func() {
				defer c.Close()
				script(p)
			})
		}
	})
	t.Cleanup(func() { l.Close(); o.wg.Wait() })
	return o
}

// always is a script that answers every request with the same bytes.
func always(response string) func(*peer) {
	return func(p *peer) {
		for p.next() != "" {
			p.say(response)
		}
	}
}

// newTransport returns a transport whose every dial goes to addr.
func newTransport(t *testing.T, addr string) *Transport {
	t.Helper()
	tr := &Transport{Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, addr)
	}}
	t.Cleanup(tr.Close)
	return tr
}

// countConnections counts those that s, which is not started yet, accepts.
func countConnections(s *httptest.Server) *atomic.Int32 {
	conns := new(atomic.Int32)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	return conns
}

// rootsOf returns who vouches for s, which speaks TLS.
func rootsOf(s *httptest.Server) *x509.CertPool {
	return s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
}

func request(t *testing.T, method, url string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// onlyReader hides all but Read, so that no GetBody is set.
type onlyReader struct{ io.Reader }

// fetch makes a round trip and returns the body and the error of either.
func fetch(tr *Transport, r *http.Request) (*http.Response, string, error) {
	resp, err := tr.RoundTrip(r)
	if err != nil {
		return nil, "", err
	}
	b, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	return resp, string(b), err
}

// mustAnswer makes a round trip and returns the response, whose body is the caller's.
func mustAnswer(t *testing.T, tr http.RoundTripper, r *http.Request) *http.Response {
	t.Helper()
	resp, err := tr.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

func mustFetch(t *testing.T, tr *Transport, r *http.Request) string {
	t.Helper()
	_, body, err := fetch(tr, r)
	if err != nil {
		t.Fatalf("%s: %v", r.Method, err)
	}
	return body
}

func TestTransportReusesConnections(t *testing.T) {
	for _, answer := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
		"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.1 204 No Content\r\n\r\n",
		"HTTP/1.1 304 Not Modified\r\n\r\n",
		"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
	} {
		o := startOrigin(t, func(p *peer) {
			for p.next() != "" {
				p.say(answer)
			}
		})
		tr := newTransport(t, o.addr)
		for range 5 {
			mustFetch(t, tr, request(t, "GET", "http://a.test/", nil))
		}
		tr.Close()
		if n := o.conns.Load(); n != 1 {
			t.Errorf("%q: %d connections, want 1", answer, n)
		}
	}
}

// TestTransportKeepsNoHeads: a connection, and what is known of its place,
// outlives the requests that opened and used it, and so must nothing of their
// heads, of which the host is a part.
func TestTransportKeepsNoHeads(t *testing.T) {
	o := startOrigin(t, func(p *peer) {
		p.next()
		p.say("HTTP/1.1 204 No Content\r\n\r\n")
		p.next()
		p.say("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
	})
	tr := newTransport(t, o.addr)
	at := func(s string) uintptr { return uintptr(unsafe.Pointer(unsafe.StringData(s))) }
	for _, kept := range []int{1, 0} {
		const line = "GET http://a.test:8080/ HTTP/1.1"
		r, err := parseRequest(t.Context(), line+"\r\nHost: a.test:8080\r\nCookie: canary\r\n", &Limits{Fields: 9, Line: 99, Target: 99})
		if err != nil {
			t.Fatal(err)
		}
		mustFetch(t, tr, r)
		tr.pool.mu.Lock()
		begin := at(r.URL.Host)
		for k, h := range tr.pool.hosts {
			parts := []string{k.host, k.port}
			for _, c := range h.conns {
				parts = append(parts, c.key.host, c.key.port)
			}
			for _, part := range parts {
				if part == "" || at(part) >= begin && at(part) < begin+uintptr(len(r.URL.Host)) {
					t.Errorf("%q is a part of the head", part)
				}
			}
			if len(h.conns) != kept {
				t.Errorf("%d connections are kept, want %d", len(h.conns), kept)
			}
		}
		if len(tr.pool.hosts) != 1 {
			t.Error("nothing is known of the place")
		}
		tr.pool.mu.Unlock()
	}
}

func TestTransportDoesNotReuse(t *testing.T) {
	for name, answer := range map[string]string{
		"Connection: close":         "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
		"close in a list":           "HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.0":                  "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
		"bytes after a body":        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
		"bytes after chunks":        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nevil",
		"a body on a 204":           "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
		"a declared body on a 204":  "HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\n",
		"chunked on a 204":          "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
		"a body on a 304":           "HTTP/1.1 304 Not Modified\r\n\r\nevil",
		"a declared body on a 304":  "HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n",
		"no length on a 205":        "HTTP/1.1 205 Reset Content\r\n\r\n", // as the Ember of http4s and Akka HTTP have it
		"a declared body on a 205":  "HTTP/1.1 205 Reset Content\r\nContent-Length: 4\r\n\r\n",
		"a body on a 205":           "HTTP/1.1 205 Reset Content\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n",
		"a line after an empty one": "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n\r\n",
	} {
		o := startOrigin(t, func(p *peer) {
			for p.next() != "" {
				p.say(answer)
			}
		})
		tr := newTransport(t, o.addr)
		for range 3 {
			if body := mustFetch(t, tr, request(t, "GET", "http://a.test/", nil)); strings.Contains(body, "evil") {
				t.Errorf("%s: body %q", name, body)
			}
		}
		tr.Close()
		if n := o.conns.Load(); n != 3 {
			t.Errorf("%s: %d connections, want 3", name, n)
		}
	}
}

// Many an origin does not read what comes with a GET, and would take it for the
// next request: whoever asks then would get the answer to it.
func TestTransportContentOfAGetEndsTheConnection(t *testing.T) {
	for method, conns := range map[string]int32{"GET": 2, "OPTIONS": 2, "DELETE": 2, "POST": 1} {
		o := startOrigin(t, func(p *peer) {
			for head := p.next(); head != ""; head = p.next() {
				if strings.HasPrefix(head, "POST") {
					io.CopyN(io.Discard, p.br, 4)
				}
				p.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			}
		})
		tr := newTransport(t, o.addr)
		mustFetch(t, tr, request(t, method, "http://a.test/", strings.NewReader("some")))
		mustFetch(t, tr, request(t, "GET", "http://a.test/", nil))
		if n := o.conns.Load(); n != conns {
			t.Errorf("%s: %d connections, want %d", method, n, conns)
		}
	}
}

// A body after the head of an answer to HEAD is not the next answer, whenever
// it comes.
func TestTransportHeadWithBody(t *testing.T) {
	for _, test := range []struct {
		answer string
		length int64
		conns  int32
	}{
		{"Content-Length: 4\r\n\r\nevil", 4, 3},
		{"Content-Length: 4\r\n\r\n", 4, 3},
		{"Transfer-Encoding: chunked\r\n\r\n", -1, 3},
		{"\r\n", -1, 3},
		{"Content-Length: 0\r\n\r\n", 0, 1},
	} {
		o := startOrigin(t, func(p *peer) {
			for p.next() != "" {
				p.say("HTTP/1.1 200 OK\r\n" + test.answer)
			}
		})
		tr := newTransport(t, o.addr)
		for range 3 {
			resp, body, err := fetch(tr, request(t, "HEAD", "http://a.test/", nil))
			if err != nil || body != "" || resp.ContentLength != test.length {
				t.Fatalf("%q, %v, %v", body, resp, err)
			}
		}
		if n := o.conns.Load(); n != test.conns {
			t.Errorf("%q: %d connections, want %d", test.answer, n, test.conns)
		}
	}
}

// Bytes that arrive while a connection is idle never answer a request.
func TestTransportLateBytes(t *testing.T) {
	for _, late := range []string{"x", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", "HTTP/1.1 408 Request Timeout\r\n\r\n"} {
		said := make(chan bool)
		o := startOrigin(t, func(p *peer) {
			p.next()
			p.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			if p.nr == 1 {
				<-said
				p.say(late)
				said <- true
				p.untilClosed()
			}
		})
		tr := newTransport(t, o.addr)
		mustFetch(t, tr, request(t, "GET", "http://a.test/", nil))
		said <- true
		<-said
		if body := mustFetch(t, tr, request(t, "GET", "http://a.test/", nil)); body != "ok" {
			t.Errorf("body %q", body)
		}
		tr.Close()
	}
}

func TestTransportTLS(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Proto+" "+r.Host)
	}))
	s.EnableHTTP2 = true
	conns := countConnections(s)
	s.StartTLS()
	defer s.Close()
	tr := newTransport(t, s.Listener.Addr().String())
	tr.TLS = &tls.Config{RootCAs: rootsOf(s)}
	for range 3 {
		resp, body, err := fetch(tr, request(t, "GET", "https://example.com/", nil))
		if err != nil || body != "HTTP/1.1 example.com" || resp.TLS == nil {
			t.Fatal(body, err)
		}
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
	tr.Close()

	tr = newTransport(t, s.Listener.Addr().String())
	tr.TLS = &tls.Config{RootCAs: rootsOf(s)}
	_, _, err := fetch(tr, request(t, "GET", "https://another.test/", nil))
	if he, ok := err.(*HandshakeError); !ok || strings.Contains(err.Error(), "another") {
		t.Errorf("wrong name: %v (%v)", err, he)
	}
}

// A connection that has served its time ends with a word about it, or the origin
// must take it for cut (RFC 9112 §9.8).
func TestTransportTLSSaysGoodbye(t *testing.T) {
	heard := make(chan []byte, 1)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _, _ := http.NewResponseController(w).Hijack()
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
		rest, _ := io.ReadAll(c.(*tls.Conn).NetConn())
		c.Close()
		heard <- rest
	}))
	s.TLS = &tls.Config{MaxVersion: tls.VersionTLS12} // there an alert shows
	s.StartTLS()
	defer s.Close()
	tr := newTransport(t, s.Listener.Addr().String())
	tr.TLS = s.Client().Transport.(*http.Transport).TLSClientConfig
	mustFetch(t, tr, request(t, "GET", "https://example.com/", nil))
	if rest := <-heard; len(rest) == 0 || rest[0] != 21 {
		t.Errorf("the last that came is %x", rest)
	}
}

// Under TLS as well, nothing that comes between two exchanges is taken for an
// answer, and an end is noticed.
func TestTransportTLSLate(t *testing.T) {
	for name, late := range map[string]func(net.Conn){
		"bytes":        func(c net.Conn) { io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil") },
		"close_notify": func(c net.Conn) { c.(*tls.Conn).CloseWrite() },
		"an end":       func(c net.Conn) { c.(*tls.Conn).NetConn().(*net.TCPConn).CloseWrite() },
	} {
		said := make(chan bool)
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, br, _ := http.NewResponseController(w).Hijack()
			defer c.Close()
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			if r.Method == "GET" {
				<-said
				late(c)
				said <- true
			}
			io.Copy(io.Discard, br)
		}))
		s.StartTLS()
		tr := newTransport(t, s.Listener.Addr().String())
		tr.TLS = s.Client().Transport.(*http.Transport).TLSClientConfig
		mustFetch(t, tr, request(t, "GET", "https://example.com/", nil))
		if n := tr.pool.order.length; n != 1 {
			t.Errorf("%s: %d idle connections, want 1", name, n)
		}
		said <- true
		<-said
		if body := mustFetch(t, tr, request(t, "POST", "https://example.com/", nil)); body != "ok" {
			t.Errorf("%s: body %q", name, body)
		}
		tr.Close()
		s.Close()
	}
}

// TestTransportResumesNoSessionOfAnother: an origin would know by it that two
// connections, kept apart, are of one client.
func TestTransportResumesNoSessionOfAnother(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		fmt.Fprint(w, r.TLS.DidResume)
	}))
	defer s.Close()
	tr := newTransport(t, s.Listener.Addr().String())
	tr.TLS = s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	tr.TLS.ClientSessionCache = tls.NewLRUClientSessionCache(8)
	fetch := func(isolation string) string {
		return mustFetch(t, tr, request(t, "GET", "https://example.com/", nil).WithContext(WithIsolation(t.Context(), isolation)))
	}
	for i, c := range []struct{ isolation, resumed string }{{"", "false"}, {"", "true"}, {"a", "false"}, {"a", "true"}, {"b", "false"}, {"", "true"}} {
		if got := fetch(c.isolation); got != c.resumed {
			t.Errorf("connection %d, of %q, was resumed: %s", i+1, c.isolation, got)
		}
	}
}

// Two hundred exchanges with net/http, of all shapes, arrive unchanged both
// ways.
func TestTransportAgainstNetHTTP(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("X-Method", r.Method)
		w.Header().Set("X-Trailer", r.Trailer.Get("X-Sum"))
		if r.URL.Query().Has("length") {
			w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		} else {
			w.Header().Set("Trailer", "X-End")
			defer w.Header().Set("X-End", "yes")
		}
		w.Write(body)
	}))
	defer s.Close()
	tr := newTransport(t, s.Listener.Addr().String())
	var wg sync.WaitGroup
	for i := range 8 {
		rnd := rand.New(rand.NewPCG(1, uint64(i)))
		wg.Go(func() {
			for range 25 {
				randomExchange(t, tr, rnd)
			}
		})
	}
	wg.Wait()
}

func randomExchange(t *testing.T, tr *Transport, rnd *rand.Rand) {
	payload := make([]byte, rnd.IntN(200<<10)>>rnd.IntN(18))
	for i := range payload {
		payload[i] = byte(rnd.Uint32())
	}
	url := "http://a.test/?"
	if rnd.IntN(2) == 0 {
		url += "length"
	}
	method := []string{"GET", "POST", "PUT", "DELETE", "X-OTHER"}[rnd.IntN(5)]
	r, _ := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(payload))
	sum := ""
	if rnd.IntN(2) == 0 {
		r.ContentLength = -1
		r.Body = io.NopCloser(onlyReader{bytes.NewReader(payload)})
		r.Trailer = http.Header{"X-Sum": {"12"}}
		sum = "12"
	}
	resp, body, err := fetch(tr, r)
	switch {
	case err != nil:
		t.Errorf("%s of %d bytes: %v", method, len(payload), err)
	case body != string(payload):
		t.Errorf("%s: %d bytes came back as %d others", method, len(payload), len(body))
	case resp.Header.Get("X-Method") != method || resp.Header.Get("X-Trailer") != sum:
		t.Errorf("%s, trailer %q: origin saw %v", method, sum, resp.Header)
	case !strings.HasSuffix(url, "length") && resp.Trailer.Get("X-End") != "yes":
		t.Errorf("trailer %v", resp.Trailer)
	}
}

// A connection that was opened ahead carries the next request, unless the
// origin chose a protocol that is not spoken here.
func TestTransportConnect(t *testing.T) {
	for _, chosen := range []string{"http/1.1", "h2"} {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
		s.TLS = &tls.Config{NextProtos: []string{chosen}}
		conns := countConnections(s)
		s.StartTLS()
		defer s.Close()
		tr := newTransport(t, s.Listener.Addr().String())
		tr.TLS = &tls.Config{RootCAs: rootsOf(s)}
		tc, err := tr.Connect(t.Context(), "example.com:443", "h2")
		if err != nil {
			t.Fatal(err)
		}
		if chosen == "h2" {
			if tc == nil || tc.ConnectionState().NegotiatedProtocol != "h2" {
				t.Error("the connection for another protocol was kept")
			} else {
				tc.Close()
			}
			continue
		}
		if tc != nil {
			t.Fatal("an HTTP/1.1 connection was returned")
		}
		r, _ := http.NewRequestWithContext(t.Context(), "GET", "https://example.com/", nil)
		resp := mustAnswer(t, tr, r)
		resp.Body.Close()
		if n := conns.Load(); n != 1 {
			t.Errorf("%d connections", n)
		}
	}
}

// Who is kept apart resumes nobody else's TLS session, and looks like all others all the
// same: first as who comes for the first time, then as who comes again.
func TestTransportTLSIsApartAndLooksAlike(t *testing.T) {
	hellos, resumed := make(chan []uint16, 1), make(chan bool, 1)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		resumed <- r.TLS.DidResume
		w.Header().Set("Connection", "close")
	}))
	s.TLS = &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		hellos <- slices.Sorted(slices.Values(hello.Extensions))
		return nil, nil
	}}
	s.StartTLS()
	defer s.Close()
	tr := newTransport(t, s.Listener.Addr().String())
	tr.TLS = &tls.Config{RootCAs: rootsOf(s), ClientSessionCache: tls.NewLRUClientSessionCache(9)}
	visit := func(key string) (hello []uint16, again bool) {
		mustFetch(t, tr, request(t, "GET", "https://example.com/", nil).WithContext(WithIsolation(t.Context(), key)))
		return <-hellos, <-resumed
	}
	first, _ := visit("")
	second, again := visit("")
	if !again {
		t.Fatal("sessions are not resumed")
	}
	for _, key := range []string{"ann+a", "ann+b"} {
		if hello, again := visit(key); again || !slices.Equal(hello, first) {
			t.Errorf("%s comes with %v and resumes: %t, others with %v", key, hello, again, first)
		}
		if hello, again := visit(key); !again || !slices.Equal(hello, second) {
			t.Errorf("%s comes again with %v and resumes: %t, others with %v", key, hello, again, second)
		}
	}
}
