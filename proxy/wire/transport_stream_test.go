package wire

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// A head and a body that is at hand leave in one write.
func TestTransportSmallBodyOneWrite(t *testing.T) {
	o := startOrigin(t, func(p *peer) {
		if p.next() == "" {
			return
		}
		p.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	})
	for _, length := range []int64{4, -1} {
		tr := newTransport(t, o.addr)
		tr.headDelay = time.Minute
		writes := make(chan string, 10)
		dial := tr.Dial
		tr.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := dial(ctx, network, addr)
			return &writeTap{c, writes}, err
		}
		r := request(t, "POST", "http://a.test/", io.NopCloser(strings.NewReader("body")))
		r.ContentLength = length
		mustFetch(t, tr, r)
		first := <-writes
		if !strings.HasSuffix(first, "\r\n\r\nbody") && !strings.HasSuffix(first, "\r\n\r\n4\r\nbody\r\n") {
			t.Errorf("length %d: first write %q", length, first)
		}
	}
}

// A head that leaves no room for a body beside it, and trailers that outgrow theirs, arrive
// whole and in order all the same.
func TestTransportLargeHeadsAndTrailers(t *testing.T) {
	got := make(chan string, 10)
	o := startOrigin(t, func(p *peer) {
		r, err := http.ReadRequest(bufio.NewReaderSize(p.br, 1<<18))
		if err != nil {
			return
		}
		body, err := io.ReadAll(r.Body)
		got <- fmt.Sprint(len(r.Header.Get("X-Large")), string(body), len(r.Trailer.Get("X-Last")), err)
		p.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	})
	for _, c := range []struct{ head, trailer int }{{sendBuffer, 0}, {1, 2 * sendBuffer}, {sendBuffer, 2 * sendBuffer}} {
		tr := newTransport(t, o.addr)
		tr.headDelay = time.Minute
		r := request(t, "POST", "http://a.test/", io.NopCloser(iotest.DataErrReader(strings.NewReader("body"))))
		r.Header.Set("X-Large", strings.Repeat("x", c.head))
		r.ContentLength = 4
		if c.trailer > 0 {
			r.ContentLength = -1
			r.Trailer = http.Header{"X-Last": {strings.Repeat("x", c.trailer)}}
		}
		mustFetch(t, tr, r)
		if want, got := fmt.Sprint(c.head, "body", c.trailer, nil), <-got; got != want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

type writeTap struct {
	net.Conn
	writes chan string
}

func (c *writeTap) Write(p []byte) (int, error) {
	c.writes <- string(p)
	return c.Conn.Write(p)
}

// A body of unknown length that is there only later does not hold the head
// back, and each piece goes out as it comes.
func TestTransportStreamsBothWays(t *testing.T) {
	o := startOrigin(t, func(p *peer) {
		r, err := http.ReadRequest(p.br)
		if err != nil {
			t.Error(err)
			return
		}
		p.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		echo := bufio.NewReader(r.Body)
		for {
			line, err := echo.ReadString('\n')
			if err != nil {
				break
			}
			p.say("5\r\n" + line + "\r\n")
		}
		p.say("0\r\nX-Seen: " + r.Trailer.Get("X-Sent") + "\r\n\r\n")
		p.next()
		p.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	})
	tr := newTransport(t, o.addr)
	pr, pw := io.Pipe()
	r := request(t, "POST", "http://a.test/", pr)
	r.ContentLength = -1
	r.Trailer = http.Header{"X-Sent": nil}
	resp := mustAnswer(t, tr, r)
	back := bufio.NewReader(resp.Body)
	for _, line := range []string{"ping\n", "pong\n", "last\n"} {
		io.WriteString(pw, line)
		if got, err := back.ReadString('\n'); got != line || err != nil {
			t.Fatalf("%q, %v", got, err)
		}
	}
	r.Trailer.Set("X-Sent", "all")
	pw.Close()
	if rest, err := io.ReadAll(back); len(rest) > 0 || err != nil {
		t.Errorf("%q, %v", rest, err)
	}
	if resp.Trailer.Get("X-Seen") != "all" {
		t.Errorf("trailer %v", resp.Trailer)
	}
	mustFetch(t, tr, request(t, "GET", "http://a.test/", nil))
	if n := o.conns.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

// An origin may refuse a body it has not read, and close.
func TestTransportEarlyAnswer(t *testing.T) {
	for name, fields := range map[string]string{
		"close": "Connection: close\r\nContent-Length: 3\r\n", "keep": "Content-Length: 3\r\n",
	} {
		o := startOrigin(t, func(p *peer) {
			p.next()
			p.say("HTTP/1.1 413 Content Too Large\r\n" + fields + "\r\nbig")
			if name == "keep" {
				p.untilClosed()
			}
		})
		tr := newTransport(t, o.addr)
		pr, pw := io.Pipe()
		r := request(t, "POST", "http://a.test/", pr)
		r.ContentLength = -1
		resp, body, err := fetch(tr, r)
		if err != nil || resp.StatusCode != 413 || body != "big" {
			t.Errorf("%s: %q, %v", name, body, err)
		}
		pw.CloseWithError(io.ErrUnexpectedEOF) // as a server ends a handler's body
		get := request(t, "GET", "http://a.test/", nil)
		mustFetchStatus(t, tr, get, 413)
		if n := o.conns.Load(); n != 2 {
			t.Errorf("%s: %d connections, want 2", name, n)
		}
		tr.Close()
	}
}

// An origin may answer, read on, and close behind that: where the answer ends with the
// connection, it ends once the request has, whatever its status.
func TestTransportEarlyAnswerUntilClose(t *testing.T) {
	for _, status := range []string{"200", "413"} {
		for _, fields := range []string{"", "Connection: close\r\n"} {
			got := make(chan string, 1)
			o := startOrigin(t, func(p *peer) {
				p.next()
				p.say("HTTP/1.1 " + status + " Early\r\n" + fields + "\r\nbig")
				b := make([]byte, 4)
				io.ReadFull(p.br, b)
				got <- string(b)
			})
			pr, pw := io.Pipe()
			r := request(t, "POST", "http://a.test/", pr)
			r.ContentLength = 4
			resp, err := newTransport(t, o.addr).RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			go io.WriteString(pw, "body")
			body, err := io.ReadAll(resp.Body)
			if string(body) != "big" || err != nil {
				t.Errorf("%s %q: %q, %v", status, fields, body, err)
			}
			if sent := <-got; sent != "body" {
				t.Errorf("%s %q: the origin got %q", status, fields, sent)
			}
		}
	}
}

func mustFetchStatus(t *testing.T, tr *Transport, r *http.Request, want int) {
	t.Helper()
	resp, _, err := fetch(tr, r)
	if err != nil || resp.StatusCode != want {
		t.Errorf("%v, %v", resp, err)
	}
}

// An origin that answers without reading and resets does not hide its answer.
func TestTransportAnswerThenReset(t *testing.T) {
	o := startOrigin(t, func(p *peer) {
		p.next()
		p.say("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		p.br.Discard(1 << 20)
	})
	tr := newTransport(t, o.addr)
	resp, _, err := fetch(tr, request(t, "POST", "http://a.test/", onlyReader{io.LimitReader(zeros{}, 64<<20)}))
	if err != nil || resp.StatusCode != 503 {
		t.Error(resp, err)
	}
}

// A request body that breaks off leaves the origin with a cut connection,
// whatever it has answered.
func TestTransportRequestBodyBreaksOff(t *testing.T) {
	broken := errors.New("broken")
	for _, length := range []int64{10, -1} {
		for _, answer := range []string{"", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nh"} {
			got := make(chan error, 1)
			o := startOrigin(t, func(p *peer) {
				r, err := http.ReadRequest(p.br)
				if err != nil {
					got <- err
					return
				}
				p.say(answer)
				_, err = io.ReadAll(r.Body)
				got <- err
			})
			tr := newTransport(t, o.addr)
			pr, pw := io.Pipe()
			r := request(t, "PUT", "http://a.test/", pr)
			r.ContentLength = length
			go func() {
				io.WriteString(pw, "half")
				pw.CloseWithError(broken)
			}()
			_, _, err := fetch(tr, r)
			var be *RequestBodyError
			if !errors.As(err, &be) || !errors.Is(err, broken) {
				t.Errorf("length %d: %v", length, err)
			}
			if err := <-got; err == nil {
				t.Errorf("length %d: the origin took it for whole", length)
			}
		}
	}
}

// A body shorter than declared is an error too.
func TestTransportShortRequestBody(t *testing.T) {
	got := make(chan error, 1)
	o := startOrigin(t, func(p *peer) {
		r, err := http.ReadRequest(p.br)
		if err == nil {
			_, err = io.ReadAll(r.Body)
		}
		got <- err
	})
	tr := newTransport(t, o.addr)
	r := request(t, "PUT", "http://a.test/", strings.NewReader("half"))
	r.ContentLength, r.GetBody = 10, nil
	_, _, err := fetch(tr, r)
	var be *RequestBodyError
	if !errors.As(err, &be) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
	if <-got == nil {
		t.Error("the origin took it for whole")
	}
}

func TestTransportExpectContinue(t *testing.T) {
	read := func(p *peer) string {
		b := make([]byte, 4)
		io.ReadFull(p.br, b)
		return string(b)
	}
	for name, c := range map[string]struct {
		script func(*peer) string
		origin string // what the origin got of the body
		conns  int32  // after one more request
		status int
	}{
		"100": {func(p *peer) string {
			p.say("HTTP/1.1 100 Continue\r\n\r\n")
			return read(p)
		}, "body", 1, 200},
		"no 100": {read, "body", 1, 200},
		"200 that goes on": {func(p *peer) string { // with what follows for its body
			p.say("HTTP/1.1 200 OK\r\nContent-Length: 38\r\n\r\n")
			return read(p)
		}, "body", 1, 200},
		"200 that goes on until it closes": {func(p *peer) string {
			p.say("HTTP/1.1 200 OK\r\n\r\n")
			defer p.Close()
			return read(p)
		}, "body", 2, 200},
		"200 that goes on, and then closes": {func(p *peer) string {
			p.say("HTTP/1.1 200 OK\r\nContent-Length: 38\r\nConnection: close\r\n\r\n")
			return read(p)
		}, "body", 2, 200},
		"200 alone": {func(p *peer) string {
			p.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			return p.untilClosed()
		}, "", 2, 200},
		"413": {func(p *peer) string {
			p.say("HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n")
			return p.untilClosed()
		}, "", 2, 413},
	} {
		t.Run(name, func(t *testing.T) {
			got := make(chan string, 2)
			o := startOrigin(t, func(p *peer) {
				for head := p.next(); head != ""; head = p.next() {
					if strings.Contains(head, "Expect") {
						got <- c.script(p)
					}
					p.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
				}
			})
			tr := newTransport(t, o.addr)
			if c.origin != "" {
				tr.ContinueTimeout = 50 * time.Millisecond
			}
			r := request(t, "POST", "http://a.test/", strings.NewReader("body"))
			r.Header.Set("Expect", "100-Continue")
			mustFetchStatus(t, tr, r, c.status)
			if b := <-got; b != c.origin {
				t.Errorf("origin got %q, want %q", b, c.origin)
			}
			mustFetch(t, tr, request(t, "GET", "http://a.test/", nil))
			if n := o.conns.Load(); n != c.conns {
				t.Errorf("%d connections, want %d", n, c.conns)
			}
		})
	}
}

func TestTransportInterimResponses(t *testing.T) {
	o := startOrigin(t, func(p *peer) {
		p.next()
		p.say("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 199 Odd\r\nConnection: link\r\nLink: </of-the-hop>\r\n\r\n")
		p.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	})
	tr := newTransport(t, o.addr)
	var codes []int
	var link string
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			codes = append(codes, code)
			link += h.Get("Link")
			return nil
		},
	})
	if body := mustFetch(t, tr, request(t, "GET", "http://a.test/", nil).WithContext(ctx)); body != "ok" {
		t.Errorf("body %q", body)
	}
	if len(codes) != 3 || codes[1] != 103 || link != "</a>" {
		t.Errorf("codes %v, link %q", codes, link)
	}
}

func TestTransportUpgrade(t *testing.T) {
	o := startOrigin(t, func(p *peer) {
		p.next()
		p.say("HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\nearly ")
		b, _ := io.ReadAll(p.br)
		p.say(string(b))
	})
	for _, direct := range []bool{false, true} {
		tr := newTransport(t, o.addr)
		tr.ResponseTimeout, tr.WriteTimeout = 500*time.Millisecond, 500*time.Millisecond
		r := request(t, "GET", "http://a.test/", nil)
		r.Header.Set("Connection", "Upgrade")
		r.Header.Set("Upgrade", "echo")
		resp, err := tr.RoundTrip(r)
		if err != nil || resp.StatusCode != 101 {
			t.Fatal(resp, err)
		}
		u := resp.Body.(*Upgraded)
		<-time.After(600 * time.Millisecond) // the deadlines of the head pass
		var in io.Reader = u
		if direct {
			nc, early := u.Detach()
			defer nc.Close()
			in = io.MultiReader(bytes.NewReader(early), nc)
		}
		io.WriteString(resp.Body.(io.Writer), "bytes")
		u.CloseWrite()
		if b, err := io.ReadAll(in); string(b) != "early bytes" || err != nil {
			t.Errorf("%q, %v", b, err)
		}
		resp.Body.Close()
	}
}

// What is left of a request's content would reach the origin as the other protocol's.
func TestTransportUpgradeComesBehindTheContent(t *testing.T) {
	o := startOrigin(t, func(p *peer) {
		p.next()
		p.say("HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n")
		p.untilClosed()
	})
	content, w := io.Pipe()
	defer w.Close()
	r := request(t, "POST", "http://a.test/", content)
	r.ContentLength = -1
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "echo")
	if resp, err := newTransport(t, o.addr).RoundTrip(r); !isProtocol(err) {
		t.Errorf("%v, %v", resp, err)
	}
}

// A 101 ends with its head whatever it says of a body (RFC 9112 §6.3): servers of aiohttp, AndroidAsync
// and RxNetty have called it chunked.
func TestTransportUpgradeEndsWithItsHead(t *testing.T) {
	for _, framing := range []string{"Transfer-Encoding: chunked", "Content-Length: 0", "Content-Length: 3", "Content-Length: 0\r\nTransfer-Encoding: chunked"} {
		o := startOrigin(t, func(p *peer) {
			p.next()
			p.say("HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n" + framing + "\r\n\r\nearly")
		})
		r := request(t, "GET", "http://a.test/", nil)
		r.Header.Set("Upgrade", "echo")
		resp, err := newTransport(t, o.addr).RoundTrip(r)
		if err != nil {
			t.Errorf("%s: %v", framing, err)
			continue
		}
		if b, err := io.ReadAll(resp.Body); string(b) != "early" || err != nil {
			t.Errorf("%s: %q, %v", framing, b, err)
		}
		resp.Body.Close()
	}
}

// A context's end reaches an upgraded connection.
func TestTransportUpgradeCancelled(t *testing.T) {
	o := startOrigin(t, func(p *peer) {
		p.next()
		p.say("HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n")
		p.untilClosed()
	})
	tr := newTransport(t, o.addr)
	ctx, cancel := context.WithCancel(t.Context())
	r := request(t, "GET", "http://a.test/", nil).WithContext(ctx)
	r.Header.Set("Upgrade", "echo")
	resp := mustAnswer(t, tr, r)
	cancel()
	if _, err := resp.Body.Read(make([]byte, 1)); err != context.Canceled {
		t.Error(err)
	}
	resp.Body.Close()
}

// A detached connection is the caller's alone.
func TestTransportUpgradeDetached(t *testing.T) {
	o := startOrigin(t, func(p *peer) {
		p.next()
		p.say("HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\nearly")
		b, _ := io.ReadAll(p.br)
		p.say(string(b))
	})
	tr := newTransport(t, o.addr)
	ctx, cancel := context.WithCancel(t.Context())
	r := request(t, "GET", "http://a.test/", nil).WithContext(ctx)
	r.Header.Set("Upgrade", "echo")
	resp := mustAnswer(t, tr, r)
	nc, early := resp.Body.(*Upgraded).Detach()
	defer nc.Close()
	cancel()
	resp.Body.Close()
	io.WriteString(nc, "late")
	nc.(*net.TCPConn).CloseWrite()
	b, err := io.ReadAll(nc)
	if got := string(early) + string(b); got != "earlylate" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// The Transport behind net/http's client, whose expectations it shares.
func TestTransportUnderClient(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/there" {
			http.Redirect(w, r, "/here", http.StatusTemporaryRedirect)
			return
		}
		io.Copy(w, r.Body)
	}))
	defer s.Close()
	c := &http.Client{Transport: newTransport(t, s.Listener.Addr().String())}
	resp, err := c.Post("http://a.test/there", "text/plain", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, _ := io.ReadAll(resp.Body); string(b) != "hello" {
		t.Errorf("%q", b)
	}
}

// TestHeadInTimeWaitsForNoWrite: an origin that answers before it has the body may take no
// more of it until its answer is read.
func TestHeadInTimeWaitsForNoWrite(t *testing.T) {
	s := &sender{t: &Transport{headDelay: time.Nanosecond}, read: make(chan struct{}), head: []byte("head")}
	s.writing.Lock() // as the sender does while it writes
	if err := s.headInTime(); err != nil {
		t.Error(err)
	}
}
