package wire

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// isProtocol tells whether err says that the origin broke the protocol.
func isProtocol(err error) bool {
	var pe *ProtocolError
	return errors.As(err, &pe)
}

func TestTransportMalformedResponses(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	for name, answer := range map[string]string{
		"garbage":                    "hello\r\n\r\n",
		"a body alone":               "<html>",
		"SSH":                        "SSH-2.0-x\r\n",
		"a leading empty line":       "\r\n" + ok + "\r\n",
		"lower-case version":         "http/1.1 200 OK\r\n\r\n",
		"HTTP/2.0":                   "HTTP/2.0 200 OK\r\n\r\n",
		"HTTP/1.2":                   "HTTP/1.2 200 OK\r\n\r\n",
		"HTTP/1.10":                  "HTTP/1.10 200 OK\r\n\r\n",
		"two spaces":                 "HTTP/1.1  200 OK\r\n\r\n",
		"a tab":                      "HTTP/1.1\t200 OK\r\n\r\n",
		"a two-digit status":         "HTTP/1.1 20 OK\r\n\r\n",
		"a four-digit status":        "HTTP/1.1 2000 OK\r\n\r\n",
		"status 099":                 "HTTP/1.1 099 OK\r\n\r\n",
		"a signed status":            "HTTP/1.1 +20 OK\r\n\r\n",
		"a control in the reason":    "HTTP/1.1 200 O\x01K\r\n\r\n",
		"a bare CR in the reason":    "HTTP/1.1 200 O\rK\r\n\r\n",
		"bare LF":                    "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
		"one bare LF":                ok + "A: b\nContent-Length: 0\r\n\r\n",
		"a bare CR":                  ok + "A: b\rC: d\r\n\r\n",
		"NUL":                        ok + "A: b\x00\r\n\r\n",
		"a folded line":              ok + "A: b\r\n c\r\n\r\n",
		"a folded first line":        ok + " A: b\r\n\r\n",
		"space before the colon":     ok + "Content-Length : 0\r\n\r\n",
		"no colon":                   ok + "nonsense\r\n\r\n",
		"no name":                    ok + ": x\r\n\r\n",
		"a bad name":                 ok + "A(b): x\r\n\r\n",
		"length with chunked":        ok + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"differing lengths":          ok + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
		"equal lengths":              ok + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
		"a list of lengths":          ok + "Content-Length: 5, 5\r\n\r\nhello",
		"a signed length":            ok + "Content-Length: +5\r\n\r\nhello",
		"a negative length":          ok + "Content-Length: -5\r\n\r\nhello",
		"an empty length":            ok + "Content-Length:\r\n\r\nhello",
		"a hexadecimal length":       ok + "Content-Length: 0x5\r\n\r\nhello",
		"an overflowing length":      ok + "Content-Length: 99999999999999999999\r\n\r\nhello",
		"an unknown coding":          ok + "Transfer-Encoding: gzip\r\n\r\nhello",
		"a Kelvin sign for a k":      ok + "Transfer-Encoding: chun\u212aed\r\n\r\n0\r\n\r\n",
		"gzip, chunked":              ok + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"chunked twice":              ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"an empty coding":            ok + "Transfer-Encoding:\r\n\r\n",
		"chunked in HTTP/1.0":        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"a length in a 103":          "HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n" + ok + "\r\n",
		"chunked in a 100":           "HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n" + ok + "\r\n",
		"an upgrade nobody wanted":   "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
		"interim responses for ever": strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", maxInterim) + ok + "\r\n",
		"a head too large":           ok + strings.Repeat("A: "+strings.Repeat("x", 1000)+"\r\n", 200),
		"too many trailers":          ok + "Transfer-Encoding: chunked\r\nTrailer: " + manyNames(300) + "\r\n\r\n0\r\n\r\n",
		"too many fields":            ok + strings.Repeat("A: b\r\n", 300) + "\r\n",

		"a chunk size that is none":  ok + "Transfer-Encoding: chunked\r\n\r\nx\r\nhello\r\n0\r\n\r\n",
		"a chunk size with 0x":       ok + "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
		"a signed chunk size":        ok + "Transfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n",
		"an overflowing chunk size":  ok + "Transfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n",
		"a chunk longer than it was": ok + "Transfer-Encoding: chunked\r\n\r\n4\r\nhello\r\n0\r\n\r\n",
		"a chunk with bare LF":       ok + "Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
		"a bad trailer section":      ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA : b\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			o := startOrigin(t, func(p *peer) {
				p.next()
				p.say(answer)
				p.untilClosed() // the error does not wait for the end
			})
			tr := newTransport(t, o.addr)
			_, _, err := fetch(tr, request(t, "GET", "http://a.test/", nil))
			if !isProtocol(err) {
				t.Errorf("error %v", err)
			}
			if n := o.conns.Load(); n != 1 {
				t.Errorf("%d connections, want 1", n)
			}
		})
	}
}

func TestTransportAnyStatus(t *testing.T) {
	for _, status := range []string{"200", "299 Odd", "451 Caf\xe9", "600 x", "999 \t"} {
		o := startOrigin(t, func(p *peer) {
			p.next()
			p.say("HTTP/1.1 " + status + "\r\nContent-Length:  2 \r\nX:\r\n\r\nok")
		})
		tr := newTransport(t, o.addr)
		resp, body, err := fetch(tr, request(t, "GET", "http://a.test/", nil))
		if err != nil || body != "ok" || !strings.HasPrefix(status, resp.Status[:3]) {
			t.Errorf("%q: %q, %v", status, body, err)
		}
	}
}

// A response that breaks off is an error, never an end.
func TestTransportIncomplete(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	for name, c := range map[string]struct {
		answer string
		reset  bool
		want   error
		body   string
	}{
		"nothing":              {"", false, ErrNoResponse, ""},
		"half a version":       {"HTTP", false, ErrIncomplete, ""},
		"half a head":          {ok + "A: b\r\n", false, ErrIncomplete, ""},
		"no body":              {ok + "Content-Length: 5\r\n\r\n", false, ErrIncomplete, ""},
		"half a body":          {ok + "Content-Length: 5\r\n\r\nhel", false, ErrIncomplete, "hel"},
		"half a part":          {"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 2-6/9\r\n\r\nhel", false, ErrIncomplete, "hel"},
		"a part":               {"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 2-6/*\r\n\r\nhello", false, nil, "hello"},
		"no chunk":             {ok + "Transfer-Encoding: chunked\r\n\r\n", false, ErrIncomplete, ""},
		"half a chunk":         {ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhel", false, ErrIncomplete, "hel"},
		"most of a number":     {ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n7fffffffffffffff\r\nworld", false, ErrIncomplete, "helloworld"},
		"no last chunk":        {ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", false, ErrIncomplete, "hello"},
		"no end of trailers":   {ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", false, ErrIncomplete, "hello"},
		"reset in a head":      {ok + "A", true, syscall.ECONNRESET, ""},
		"reset in a body":      {ok + "Content-Length: 5\r\n\r\nhel", true, syscall.ECONNRESET, "hel"},
		"reset before a close": {ok + "\r\nhel", true, syscall.ECONNRESET, "hel"},
		"only 100s":            {"HTTP/1.1 100 Continue\r\n\r\n", false, ErrNoResponse, ""},
	} {
		t.Run(name, func(t *testing.T) {
			taken := make(chan bool, 1)
			o := startOrigin(t, func(p *peer) {
				p.next()
				p.say(c.answer)
				if c.reset {
					<-taken // or the reset may overtake the bytes
					p.reset()
				}
			})
			tr := newTransport(t, o.addr)
			tr.Dial = tapDial(tr.Dial, len(c.answer), taken)
			_, body, err := fetch(tr, request(t, "GET", "http://a.test/", nil))
			if !errors.Is(err, c.want) || body != c.body {
				t.Errorf("%q, %v, want %q, %v", body, err, c.body, c.want)
			}
			if c.want == ErrIncomplete && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Error("does not wrap io.ErrUnexpectedEOF")
			}
			if err != nil && strings.Contains(err.Error(), "127.0.0.1") {
				t.Errorf("error %q names an address", err)
			}
		})
	}
}

// tapDial says on taken when n bytes were read.
func tapDial(dial func(context.Context, string, string) (net.Conn, error), n int, taken chan bool) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dial(ctx, network, addr)
		return &tap{c, n, taken}, err
	}
}

type tap struct {
	net.Conn
	left  int
	taken chan bool
}

func (c *tap) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.left -= n; c.left <= 0 {
		select {
		case c.taken <- true:
		default:
		}
	}
	return n, err
}

// A TLS stream that ends without close_notify may have been cut by anyone.
func TestTransportTLSTruncation(t *testing.T) {
	for name, polite := range map[string]bool{"close_notify": true, "none": false} {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			c, _, _ := http.NewResponseController(w).Hijack()
			io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\nhalf")
			if polite {
				c.Close()
			} else {
				c.(*tls.Conn).NetConn().Close()
			}
		}))
		s.StartTLS()
		tr := newTransport(t, s.Listener.Addr().String())
		tr.TLS = s.Client().Transport.(*http.Transport).TLSClientConfig
		_, body, err := fetch(tr, request(t, "GET", "https://example.com/", nil))
		if body != "half" || polite != (err == nil) || !polite && !errors.Is(err, ErrIncomplete) {
			t.Errorf("%s: %q, %v", name, body, err)
		}
		s.Close()
	}
}

// A corked connection sends what is written once it is closed.
type corked struct {
	net.Conn
	cork    bool
	written []byte
}

func (c *corked) Write(b []byte) (int, error) {
	if !c.cork {
		return c.Conn.Write(b)
	}
	c.written = append(c.written, b...)
	return len(b), nil
}

func (c *corked) Close() error {
	c.SetWriteDeadline(time.Time{}) // crypto/tls lets nothing be written any more
	c.Conn.Write(c.written)
	return c.Conn.Close()
}

// An end that comes together with the last bytes is not of TLS inside them: crypto/tls
// looks ahead for one, as what leads to a proxy over TLS does.
func TestTransportTLSInsideTLSEnds(t *testing.T) {
	certified := httptest.NewTLSServer(nil)
	defer certified.Close()
	config := &tls.Config{Certificates: certified.TLS.Certificates, MaxVersion: tls.VersionTLS12} // there an alert shows
	for name, polite := range map[string]bool{"close_notify": true, "none inside": false} {
		o := startOrigin(t, func(p *peer) {
			below := &corked{Conn: p.Conn}
			outer := tls.Server(below, config)
			inner := tls.Server(outer, config)
			if _, err := http.ReadRequest(bufio.NewReader(inner)); err != nil {
				return
			}
			below.cork = true
			io.WriteString(inner, "HTTP/1.1 200 OK\r\n\r\nhalf")
			if polite {
				inner.Close()
			} else {
				outer.Close()
			}
		})
		tr := newTransport(t, o.addr)
		dial := tr.Dial
		tr.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return tls.Client(c, &tls.Config{InsecureSkipVerify: true}), nil
		}
		tr.TLS = &tls.Config{RootCAs: rootsOf(certified)}
		_, body, err := fetch(tr, request(t, "GET", "https://example.com/", nil))
		if body != "half" || polite != (err == nil) || !polite && !errors.Is(err, ErrIncomplete) {
			t.Errorf("%s: %q, %v", name, body, err)
		}
	}
}

func TestTransportTimeouts(t *testing.T) {
	stall := func(answer string) func(*peer) {
		return func(p *peer) {
			p.next()
			p.say(answer)
			p.untilClosed()
		}
	}
	for name, c := range map[string]struct {
		script func(*peer)
		want   error
	}{
		"head":          {stall(""), ErrResponseTimeout},
		"half a head":   {stall("HTTP/1.1 200 OK\r\n"), ErrResponseTimeout},
		"after 100":     {stall("HTTP/1.1 100 Continue\r\n\r\n"), ErrResponseTimeout},
		"body":          {stall("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nh"), ErrBodyTimeout},
		"chunked":       {stall("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nh"), ErrBodyTimeout},
		"until the end": {stall("HTTP/1.1 200 OK\r\n\r\nh"), ErrBodyTimeout},
		"dripping heads": {func(p *peer) {
			p.next()
			drip(p, "HTTP/1.1 200 OK\r\nA: "+strings.Repeat("x", 1000), 5*time.Millisecond)
		}, ErrResponseTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := startOrigin(t, c.script)
			tr := newTransport(t, o.addr)
			if c.want == ErrBodyTimeout {
				tr.BodyTimeout = 50 * time.Millisecond
			} else {
				tr.ResponseTimeout = 50 * time.Millisecond
			}
			_, _, err := fetch(tr, request(t, "GET", "http://a.test/", nil))
			var ne net.Error
			if !errors.Is(err, c.want) || !errors.As(err, &ne) || !ne.Timeout() {
				t.Errorf("%v, want %v", err, c.want)
			}
			if n := o.conns.Load(); n != 1 {
				t.Errorf("tried %d times", n)
			}
		})
	}
}

// drip says s a byte at a time until nobody listens.
func drip(p *peer, s string, pace time.Duration) {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for i := range len(s) {
		<-tick.C
		if _, err := io.WriteString(p, s[i:i+1]); err != nil {
			return
		}
	}
}

// A body that comes slowly but does come is not cut.
func TestTransportSlowBody(t *testing.T) { synctest.Test(t, slowBodyIsWhole) } // in the bubble's time

func slowBodyIsWhole(t *testing.T) {
	near, far := net.Pipe()
	go func() {
		defer far.Close()
		p := &peer{far, t, bufio.NewReader(far), 1}
		p.next()
		p.say("HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n")
		drip(p, strings.Repeat("x", 40), 30*time.Millisecond)
	}()
	tr := &Transport{Dial: func(context.Context, string, string) (net.Conn, error) { return near, nil }}
	defer tr.Close()
	tr.BodyTimeout = time.Second
	if body := mustFetch(t, tr, request(t, "GET", "http://a.test/", nil)); len(body) != 40 {
		t.Errorf("%d bytes", len(body))
	}
}

// TestOriginListensToTheEnd: an origin that begins its answer early, as those that take down
// what is spoken do, may say nothing more while it hears the request. Once it has heard
// nothing for as long, it is slow.
func TestOriginListensToTheEnd(t *testing.T) {
	const limit = 2 * time.Second
	for _, silence := range []time.Duration{limit / 2, 2 * limit} {
		ask := func(t *testing.T, send func(*http.Request) (*http.Response, error), url string) {
			t.Helper()
			body, upload := io.Pipe()
			var running sync.WaitGroup
			defer running.Wait()
			running.Go(func() {
				for range 10 {
					io.WriteString(upload, "word") // or body is closed
					time.Sleep(silence)
				}
				upload.Close()
			})
			var got []byte
			resp, err := send(request(t, "POST", url, body))
			if err == nil {
				got, err = io.ReadAll(resp.Body)
				resp.Body.Close()
			}
			body.Close()
			if heard := silence < limit; heard != (err == nil && string(got) == "text") || !heard && !errors.Is(err, ErrBodyTimeout) {
				t.Errorf("%s, %v between words: %q, %v", url, silence, got, err)
			}
		}
		synctest.Test(t, func(t *testing.T) {
			near, far := net.Pipe()
			go func() {
				defer far.Close()
				r, err := http.ReadRequest(bufio.NewReader(far))
				if err != nil {
					return
				}
				io.WriteString(far, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
				if _, err := io.Copy(io.Discard, r.Body); err == nil {
					io.WriteString(far, "text")
				}
			}()
			tr := &Transport{BodyTimeout: limit, Dial: func(context.Context, string, string) (net.Conn, error) { return near, nil }}
			defer tr.Close()
			ask(t, tr.RoundTrip, "http://a.test/")
		})
		synctest.Test(t, func(t *testing.T) {
			c, origin, end := scriptHTTP2(&Transport{BodyTimeout: limit})
			defer end()
			origin.Write(appendSettings(nil))
			c.Reserve()
			var running sync.WaitGroup
			defer running.Wait()
			running.Go(func() {
				time.Sleep(time.Millisecond)
				origin.Write(appendHeadOK(nil, 1, 0))
				time.Sleep(10*silence + time.Millisecond)
				origin.Write(append(appendFrameHead(nil, frameHead{length: 4, kind: frameData, flags: flagEndStream, stream: 1}), "text"...))
			})
			ask(t, c.RoundTrip, "https://a.test/")
		})
	}
}

// TestInterimResponsesThatTellOfNoWork: a long piece of work goes on while the origin says
// so. By no other interim response does it hold a request for longer than a response may take.
func TestInterimResponsesThatTellOfNoWork(t *testing.T) {
	for _, code := range []int{100, 102, 103, 199} {
		interim := func(h2 bool) []byte {
			if h2 {
				return fmt.Appendf(appendFrameHead(nil, frameHead{length: 5, kind: frameHeaders, flags: flagEndHeaders, stream: 1}), "\x08\x03%d", code)
			}
			return fmt.Appendf(nil, "HTTP/1.1 %d Yet\r\n\r\n", code)
		}
		work := func(w io.Writer, h2 bool, final []byte) {
			for range 90 {
				time.Sleep(time.Second)
				if _, err := w.Write(interim(h2)); err != nil {
					return
				}
			}
			w.Write(final)
		}
		check := func(t *testing.T, err error) {
			t.Helper()
			if want := map[bool]error{false: ErrResponseTimeout}[code == 102]; !errors.Is(err, want) {
				t.Errorf("%d: %v, want %v", code, err, want)
			}
		}
		synctest.Test(t, func(t *testing.T) {
			near, far := net.Pipe()
			var running sync.WaitGroup
			defer running.Wait()
			running.Go(func() {
				defer far.Close()
				p := &peer{far, t, bufio.NewReader(far), 1}
				p.next()
				work(far, false, []byte("HTTP/1.1 204 No Content\r\n\r\n"))
			})
			tr := &Transport{ResponseTimeout: 10 * time.Second, Dial: func(context.Context, string, string) (net.Conn, error) { return near, nil }}
			defer tr.Close()
			_, _, err := fetch(tr, request(t, "GET", "http://a.test/", nil))
			check(t, err)
		})
		synctest.Test(t, func(t *testing.T) {
			c, origin, end := scriptHTTP2(&Transport{ResponseTimeout: 10 * time.Second})
			var running sync.WaitGroup
			defer running.Wait()
			defer end()
			origin.Write(appendSettings(nil))
			running.Go(func() { work(origin, true, appendHeadOK(nil, 1, flagEndStream)) })
			_, err := c.RoundTrip(request(t, "GET", "https://a.test/", nil))
			check(t, err)
		})
	}
}

// An origin that does not read its request is given up.
func TestTransportWriteTimeout(t *testing.T) {
	release := make(chan bool)
	defer close(release)
	o := startOrigin(t, func(p *peer) { <-release })
	tr := newTransport(t, o.addr)
	tr.WriteTimeout = 50 * time.Millisecond
	_, _, err := fetch(tr, request(t, "POST", "http://a.test/", onlyReader{io.LimitReader(zeros{}, 1<<30)}))
	if !errors.Is(err, ErrWriteTimeout) {
		t.Error(err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestTransportCancellation(t *testing.T) {
	cause := errors.New("the client left")
	for name, answer := range map[string]string{
		"head": "", "half a head": "HTTP/1.1 200", "body": "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nh",
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			o := startOrigin(t, func(p *peer) {
				p.next()
				p.say(answer)
				cancel(cause)
				p.untilClosed()
			})
			tr := newTransport(t, o.addr)
			_, _, err := fetch(tr, request(t, "GET", "http://a.test/", nil).WithContext(ctx))
			if err != cause {
				t.Error(err)
			}
			if _, _, err := fetch(tr, request(t, "GET", "http://a.test/", nil).WithContext(ctx)); err != cause {
				t.Error(err)
			}
			if n := o.conns.Load(); n != 1 {
				t.Errorf("%d connections, want 1", n)
			}
		})
	}
}

// A context that ends after the response does no harm to the connection.
func TestTransportLateCancellation(t *testing.T) {
	o := startOrigin(t, always("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
	tr := newTransport(t, o.addr)
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		mustFetch(t, tr, request(t, "GET", "http://a.test/", nil).WithContext(ctx))
		cancel()
	}
	if n := o.conns.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

func TestTransportDialErrors(t *testing.T) {
	near, _ := tcpPair(t)
	tr := newTransport(t, near.LocalAddr().String()) // where nobody listens, nor can
	_, _, err := fetch(tr, request(t, "GET", "http://a.test/", nil))
	var de *DialError
	if !errors.As(err, &de) || !errors.Is(err, syscall.ECONNREFUSED) || strings.Contains(err.Error(), "127") {
		t.Error(err)
	}
}

// A closed transport cuts nothing and keeps nothing.
func TestTransportClose(t *testing.T) {
	o := startOrigin(t, always("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
	tr := newTransport(t, o.addr)
	resp := mustAnswer(t, tr, request(t, "GET", "http://a.test/", nil))
	tr.Close()
	if b, err := io.ReadAll(resp.Body); string(b) != "ok" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	for range 2 {
		mustFetch(t, tr, request(t, "GET", "http://a.test/", nil))
	}
	if n := o.conns.Load(); n != 3 || tr.pool.order.length != 0 {
		t.Errorf("%d connections, want 3; %d idle", n, tr.pool.order.length)
	}
}

// Close waits for a Read in no case, and ends it.
func TestTransportCloseDuringRead(t *testing.T) {
	o := startOrigin(t, func(p *peer) {
		p.next()
		p.say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nh")
		p.untilClosed()
	})
	tr := newTransport(t, o.addr)
	resp := mustAnswer(t, tr, request(t, "GET", "http://a.test/", nil))
	var one [1]byte
	io.ReadFull(resp.Body, one[:])
	done := make(chan error)
	go func() {
		_, err := resp.Body.Read(one[:])
		done <- err
	}()
	resp.Body.Close()
	if err := <-done; err != errBodyClosed {
		t.Error(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}
}

// A body closed early is drained only if its rest is there.
func TestTransportEarlyClose(t *testing.T) {
	for _, c := range []struct {
		rest  string
		conns int32
	}{{"ok", 1}, {"o", 2}} {
		o := startOrigin(t, always("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"+c.rest))
		tr := newTransport(t, o.addr)
		for range 2 {
			resp := mustAnswer(t, tr, request(t, "GET", "http://a.test/", nil))
			resp.Body.Close()
		}
		if n := o.conns.Load(); n != c.conns {
			t.Errorf("%q: %d connections, want %d", c.rest, n, c.conns)
		}
		tr.Close()
	}
}
