package wire

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestTransportSendsAgainWhatNeverArrived: an origin that ends a kept connection while
// a request is on its way there has seen nothing of it, so that it may be sent again
// even if it must not be repeated.
func TestTransportSendsAgainWhatNeverArrived(t *testing.T) {
	needFilters(t)
	certified := httptest.NewTLSServer(nil) // for its certificate
	certified.Close()
	for name, c := range map[string]struct {
		url    string
		length int64
		pieces []string // that the body comes in
		behind int      // how many of them nothing arrives of before the origin closes
		again  bool
	}{
		"a body of known length":   {"http://a.test/", 4, []string{"body"}, 0, true},
		"a body of unknown length": {"http://a.test/", -1, []string{"body"}, 0, true},
		"a body over TLS":          {"https://example.com/", 4, []string{"body"}, 0, true},
		"pieces of a body":         {"http://a.test/", 12, []string{"some", "body", "else"}, 0, true},
		"pieces of unknown length": {"http://a.test/", -1, []string{"some", "body", "else"}, 0, true},
		"more than is kept":        {"http://a.test/", 40 << 10, []string{strings.Repeat("x", 20<<10), strings.Repeat("y", 20<<10)}, 1, false},
	} {
		end, ended := make(chan bool), make(chan bool)
		got := make(chan string, 1)
		o := startOrigin(t, func(p *peer) {
			if c.url[:5] == "https" {
				p.Conn = tls.Server(p.Conn, &tls.Config{Certificates: certified.TLS.Certificates})
				p.br = bufio.NewReader(p.Conn)
			}
			if p.nr == 1 {
				p.next()
				p.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
				if c.behind > 0 {
					p.lose()
				}
				<-end
				p.Close()
				ended <- true
				return
			}
			r, err := http.ReadRequest(p.br)
			if err != nil {
				return
			}
			b, _ := io.ReadAll(r.Body)
			got <- string(b) + r.Trailer.Get("X-Sent")
			p.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		})
		tr := newTransport(t, o.addr)
		tr.TLS = certified.Client().Transport.(*http.Transport).TLSClientConfig
		tr.headDelay = time.Minute // the head waits for the body
		mustFetch(t, tr, request(t, "GET", c.url, nil))
		read, want := 0, strings.Join(c.pieces, "")
		var trailer http.Header
		if c.length < 0 {
			trailer = http.Header{"X-Sent": nil}
			want += ", all"
		}
		r := request(t, "POST", c.url, readerFunc(func(b []byte) (int, error) {
			if read == c.behind {
				end <- true
				<-ended
			}
			n := copy(b, c.pieces[read])
			if read++; read < len(c.pieces) {
				return n, nil
			}
			if trailer != nil {
				trailer.Set("X-Sent", ", all")
			}
			return n, io.EOF
		}))
		r.ContentLength, r.Trailer = c.length, trailer
		_, _, err := fetch(tr, r)
		if n := o.conns.Load(); (err == nil) != c.again || (n == 2) != c.again {
			t.Errorf("%s: %d connections, %v", name, n, err)
		} else if c.again {
			if b := <-got; b != want {
				t.Errorf("%s: the origin got %q, want %q", name, b, want)
			}
		}
		tr.Close()
	}
}

// TestTransportResetThatAnUploadMeetsIsNoWantOfArrival: an origin that resets a kept
// connection may have read the request before, so one that must not be repeated is not
// sent again, also if the upload meets the reset first and nothing was told to have
// arrived.
func TestTransportResetThatAnUploadMeetsIsNoWantOfArrival(t *testing.T) {
	certified := httptest.NewTLSServer(nil) // for its certificate
	certified.Close()
	for _, url := range []string{"http://a.test/", "https://example.com/"} {
		var came atomic.Int32
		reset := make(chan bool)
		o := startOrigin(t, func(p *peer) {
			raw := p.Conn.(*net.TCPConn)
			if url[:5] == "https" {
				p.Conn = tls.Server(raw, &tls.Config{Certificates: certified.TLS.Certificates})
				p.br = bufio.NewReader(p.Conn)
			}
			p.next()
			p.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			if _, err := http.ReadRequest(p.br); err == nil {
				came.Add(1)
				raw.SetLinger(0)
				raw.Close()
				reset <- true
			}
		})
		tr := newTransport(t, o.addr)
		tr.TLS = certified.Client().Transport.(*http.Transport).TLSClientConfig
		for n := range int32(50) {
			mustFetch(t, tr, request(t, "GET", url, nil))
			pieces, untilReset := 0, sync.OnceFunc(func() { <-reset })
			r := request(t, "POST", url, readerFunc(func(b []byte) (int, error) {
				if pieces++; pieces == 2 {
					untilReset()
					return copy(b, "else"), io.EOF
				}
				return copy(b, "some"), nil
			}))
			_, _, err := fetch(tr, r)
			untilReset()
			if err == nil || came.Load() != n+1 {
				t.Fatalf("%s: the origin got %d of %d requests, %v", url, came.Load(), n+1, err)
			}
		}
		tr.Close()
	}
}

// lose has nothing arrive any more of what is sent to the peer.
func (p *peer) lose() {
	raw, err := p.Conn.(syscall.Conn).SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) {
			if err := takeNothing(int(fd)); err != nil {
				p.t.Error(err)
			}
		})
	}
	if err != nil {
		p.t.Error(err)
	}
}

// takeNothing has the socket drop all that it is sent.
func takeNothing(fd int) error {
	none := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &none})
}

// needFilters skips t where the system keeps socket filters for the privileged.
func needFilters(t *testing.T) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if takeNothing(fd) == unix.EPERM {
		t.Skip("socket filters take a privilege here")
	}
}

// TestTransportTakesNoAnswerOfBefore: what an origin sent on a kept connection before
// anything of a request arrived there answers another one, or none, even if it is a
// response from its first byte to its last.
func TestTransportTakesNoAnswerOfBefore(t *testing.T) {
	needFilters(t)
	certified := httptest.NewTLSServer(nil) // for its certificate
	certified.Close()
	for _, c := range []struct {
		method string
		length int
		ends   bool // the origin ends the connection as well
		again  bool
	}{
		{"GET", 0, false, true},
		{"PUT", 40 << 10, false, true},
		{"POST", 0, false, false}, // the origin may yet act on it
		{"POST", 0, true, true},
		{"POST", 4, false, false},
		{"POST", 4, true, true},
		{"POST", 40 << 10, false, false},
	} {
		for _, url := range []string{"http://a.test/", "https://example.com/"} {
			lost, asked := make(chan bool), make(chan bool)
			o := startOrigin(t, func(p *peer) {
				plain := *p
				if url[:5] == "https" {
					p.Conn = tls.Server(p.Conn, &tls.Config{Certificates: certified.TLS.Certificates})
					p.br = bufio.NewReader(p.Conn)
				}
				if p.nr > 1 {
					r, err := http.ReadRequest(p.br)
					if err == nil {
						n, _ := io.Copy(io.Discard, r.Body)
						p.say(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n%6d", n))
					}
					return
				}
				p.next()
				p.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
				plain.lose()
				lost <- true
				<-asked
				p.say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray")
				if !c.ends {
					<-asked
				}
			})
			tr := newTransport(t, o.addr)
			tr.TLS = certified.Client().Transport.(*http.Transport).TLSClientConfig
			if !c.again { // time for the end that does not come
				tr.ResponseTimeout = 300 * time.Millisecond
			}
			dialled := make(chan net.Conn, 2)
			dial := tr.Dial
			tr.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				nc, err := dial(ctx, network, address)
				dialled <- nc
				return nc, err
			}
			mustFetch(t, tr, request(t, "GET", url, nil))
			<-lost
			sent := newProbe(<-dialled, nil, nil)
			over := make(chan bool)
			go func() {
				for sent.underWay() == 0 {
					runtime.Gosched()
				}
				asked <- true
				<-over
				close(asked)
			}()
			var body io.Reader
			if c.length > 0 {
				body = strings.NewReader(strings.Repeat("x", c.length))
			}
			_, got, err := fetch(tr, request(t, c.method, url, body))
			if c.again && (err != nil || strings.TrimSpace(got) != strconv.Itoa(c.length)) || !c.again && err == nil {
				t.Errorf("%s of %d bytes to %s, ends %t: %q, %v", c.method, c.length, url, c.ends, got, err)
			}
			close(over)
			tr.Close()
		}
	}
}

// rest has all connections that are kept look as if they had been idle for so long.
func rest(tr *Transport, long time.Duration) {
	tr.pool.mu.Lock()
	defer tr.pool.mu.Unlock()
	for c := tr.pool.order.oldest; c != nil; c = c.newer {
		c.idleAt, c.idleSince = c.idleAt.Add(-long), c.idleSince.Add(-long)
	}
}

// TestTransportLeavesALostConnection: a kept connection on which nothing arrives any
// more is left for a new one, long before time is over for an answer.
func TestTransportLeavesALostConnection(t *testing.T) {
	needFilters(t)
	certified := httptest.NewTLSServer(nil) // for its certificate
	certified.Close()
	for _, url := range []string{"http://a.test/", "https://example.com/"} {
		lost, over := make(chan bool), make(chan bool)
		o := startOrigin(t, func(p *peer) {
			plain := *p
			if url[:5] == "https" {
				p.Conn = tls.Server(p.Conn, &tls.Config{Certificates: certified.TLS.Certificates})
				p.br = bufio.NewReader(p.Conn)
			}
			p.next()
			p.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			if p.nr == 1 {
				plain.lose()
				close(lost)
				<-over
			}
		})
		tr := newTransport(t, o.addr)
		tr.TLS = certified.Client().Transport.(*http.Transport).TLSClientConfig
		tr.doubtPatience = 100 * time.Millisecond
		mustFetch(t, tr, request(t, "GET", url, nil))
		<-lost
		rest(tr, 2*doubtfulRest)
		began := time.Now()
		mustFetch(t, tr, request(t, "GET", url, nil))
		if took := time.Since(began); o.conns.Load() != 2 || took > tr.ResponseTimeout/2 {
			t.Errorf("%s: %d connections, after %v", url, o.conns.Load(), took)
		}
		close(over)
		tr.Close()
	}
}

// TestTransportWaitsForWhoIsThere: an origin that takes its time for an answer is not
// asked twice.
func TestTransportWaitsForWhoIsThere(t *testing.T) {
	asked := 0
	o := startOrigin(t, func(p *peer) {
		for p.next() != "" {
			if asked++; asked == 2 {
				time.Sleep(500 * time.Millisecond) // systems may acknowledge 200 ms late
			}
			p.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
	})
	tr := newTransport(t, o.addr)
	tr.doubtPatience = 300 * time.Millisecond
	mustFetch(t, tr, request(t, "GET", "http://a.test/", nil))
	rest(tr, 2*doubtfulRest)
	mustFetch(t, tr, request(t, "GET", "http://a.test/", nil))
	if asked != 2 {
		t.Errorf("it was asked %d times", asked)
	}
}

// TestTransportResetThatAnUploadMeetsIsNoEnd: an answer that goes on until the connection
// is closed is not whole where that is reset, also if the upload meets the reset first.
func TestTransportResetThatAnUploadMeetsIsNoEnd(t *testing.T) {
	o := startOrigin(t, func(p *peer) {
		p.next()
		p.say("HTTP/1.1 200 OK\r\n\r\npart")
		p.br.Discard(1 << 20)
		p.reset()
	})
	tr := newTransport(t, o.addr)
	for range 50 {
		_, body, err := fetch(tr, request(t, "POST", "http://a.test/", onlyReader{io.LimitReader(zeros{}, 64<<20)}))
		if err == nil {
			t.Fatalf("%q passes for whole", body)
		}
	}
}

// TestTransportTimeoutThatAnUploadMeetsIsNoEnd: nor is it where the origin takes nothing
// more, and the system gives it up.
func TestTransportTimeoutThatAnUploadMeetsIsNoEnd(t *testing.T) {
	o := startOrigin(t, func(p *peer) {
		p.next()
		p.say("HTTP/1.1 200 OK\r\n\r\npart")
		<-t.Context().Done()
	})
	tr := newTransport(t, o.addr)
	dial := tr.Dial
	tr.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		if err == nil {
			raw, _ := c.(*net.TCPConn).SyscallConn()
			raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 1) })
		}
		return c, err
	}
	for range 3 {
		_, body, err := fetch(tr, request(t, "POST", "http://a.test/", onlyReader{io.LimitReader(zeros{}, 64<<20)}))
		if err == nil {
			t.Errorf("%q passes for whole", body)
		}
	}
}

// TestTransportEndUnderTLSOutlivesAReset: an answer that goes on until the connection is
// closed is whole where TLS says so, also if the upload then meets a reset.
func TestTransportEndUnderTLSOutlivesAReset(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		c, _, _ := http.NewResponseController(w).Hijack()
		io.WriteString(c, "HTTP/1.1 413 Too Large\r\n\r\nwhole")
		c.(*tls.Conn).CloseWrite()
		c.(*tls.Conn).NetConn().(*net.TCPConn).SetLinger(0)
		c.(*tls.Conn).NetConn().Close()
	}))
	s.StartTLS()
	defer s.Close()
	tr := newTransport(t, s.Listener.Addr().String())
	tr.TLS = s.Client().Transport.(*http.Transport).TLSClientConfig
	for range 50 {
		_, body, err := fetch(tr, request(t, "POST", "https://example.com/", onlyReader{io.LimitReader(zeros{}, 64<<20)}))
		if body != "whole" || err != nil {
			t.Fatalf("%q, %v", body, err)
		}
	}
}
