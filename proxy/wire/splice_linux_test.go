package wire

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"guise/proxy/pipe"
)

// A splicedBody counts what of a body was spliced.
type splicedBody struct {
	Splicer
	moved *atomic.Int64
}

func (b splicedBody) SpliceTo(p *pipe.Pipe) (int, error) {
	n, err := b.Splicer.SpliceTo(p)
	b.moved.Add(int64(n))
	return n, err
}

// relay starts a server whose answers are an origin's. It returns how many bytes of these
// were spliced, and how each copy ended.
func relay(t *testing.T, tr *Transport, change func(*Server)) (addr string, moved *atomic.Int64, ended chan error) {
	moved, ended = new(atomic.Int64), make(chan error, 8)
	addr = startServer(t, func(w http.ResponseWriter, r *http.Request) {
		resp, err := tr.RoundTrip(request(t, "GET", "http://a.test/", nil))
		if err != nil {
			t.Error(err)
			return
		}
		defer resp.Body.Close()
		w.Header().Set("Content-Length", resp.Header.Get("Content-Length"))
		n, err := io.Copy(w, splicedBody{resp.Body.(Splicer), moved})
		if err == nil && n != resp.ContentLength {
			t.Errorf("%d bytes are said to be copied, of %d", n, resp.ContentLength)
		}
		ended <- err
	}, change)
	return addr, moved, ended
}

// TestLargeBodyIsSpliced, to the byte, and both connections serve the next exchange.
func TestLargeBodyIsSpliced(t *testing.T) {
	for _, stray := range []string{"", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray"} {
		want := strings.Repeat("all of a body,\n", 1<<20) + "and its end"
		o := startOrigin(t, func(p *peer) {
			for p.next() != "" {
				p.say(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s%s", len(want), want, stray))
			}
		})
		addr, moved, ended := relay(t, newTransport(t, o.addr), nil)
		client := dial(t, addr)
		in := bufio.NewReader(client)
		for range 3 {
			io.WriteString(client, "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n")
			resp, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(resp.Body); string(got) != want || err != nil {
				t.Fatalf("%d bytes of %d came, or others; %v", len(got), len(want), err)
			}
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		if moved.Load() == 0 {
			t.Error("nothing was spliced")
		}
		if n := o.conns.Load(); (n == 1) != (stray == "") {
			t.Errorf("stray %q: %d connections", stray, n)
		}
	}
}

// spliceAway takes what comes next of a body, which nobody gets.
func spliceAway(t *testing.T, body io.Reader) (int, error) {
	t.Helper()
	p := pipe.Get()
	if p == nil {
		t.Skip("the system gives no pipe")
	}
	defer p.Release()
	return body.(Splicer).SpliceTo(p)
}

// TestSplicedBodyEndsAsOneThatIsRead does: whole, cut or reset, and for good.
func TestSplicedBodyEndsAsOneThatIsRead(t *testing.T) {
	const length = 9000
	for what, c := range map[string]struct {
		sent int
		end  func(*peer) // nil for none
	}{
		"whole": {length, nil},
		"cut":   {length - 1, func(p *peer) { p.Close() }},
		"reset": {0, (*peer).reset},
	} {
		t.Run(what, func(t *testing.T) {
			headRead := make(chan bool)
			o := startOrigin(t, func(p *peer) {
				for p.next() != "" {
					p.say(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", length))
					<-headRead
					p.say(strings.Repeat("x", c.sent))
					if c.end != nil {
						c.end(p)
						return
					}
				}
			})
			tr := newTransport(t, o.addr)
			var ends []string
			for _, take := range []func(io.Reader) (int, error){
				func(body io.Reader) (int, error) { return body.Read(make([]byte, length)) },
				func(body io.Reader) (int, error) { return spliceAway(t, body) },
			} {
				resp, err := tr.RoundTrip(request(t, "GET", "http://a.test/", nil))
				if err != nil {
					t.Fatal(err)
				}
				headRead <- true
				total := 0
				for err == nil {
					var n int
					n, err = take(resp.Body)
					total += n
				}
				n, again := take(resp.Body)
				resp.Body.Close()
				_, closed := take(resp.Body)
				ends = append(ends, fmt.Sprint(total, err, n, again, closed))
			}
			ends[1] = strings.ReplaceAll(ends[1], "splice:", "read:") // the system calls
			if ends[0] != ends[1] {
				t.Errorf("read: %s; spliced: %s", ends[0], ends[1])
			}
			if n := o.conns.Load(); (n == 1) != (what == "whole") {
				t.Errorf("%d connections", n)
			}
		})
	}
}

// TestBodyThatHasToBeRead is not spliced: what came with the head, or in chunks.
func TestBodyThatHasToBeRead(t *testing.T) {
	for _, framed := range []string{"Content-Length: 5\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"} {
		o := startOrigin(t, func(p *peer) {
			p.next()
			p.say("HTTP/1.1 200 OK\r\n" + framed)
			p.untilClosed()
		})
		resp, err := newTransport(t, o.addr).RoundTrip(request(t, "GET", "http://a.test/", nil))
		if err != nil {
			t.Fatal(err)
		}
		if n, err := spliceAway(t, resp.Body); n != 0 || err != errors.ErrUnsupported {
			t.Errorf("%q: %d bytes, %v", framed, n, err)
		}
		if got, err := io.ReadAll(resp.Body); string(got) != "hello" || err != nil {
			t.Errorf("%q: then %q, %v", framed, got, err)
		}
		resp.Body.Close()
	}
}

// TestSplicedBodyIsNoLongerThanSaid: what is more would be taken for the next response.
func TestSplicedBodyIsNoLongerThanSaid(t *testing.T) {
	const length, said = 16 << 20, 9<<20 + 1
	o := startOrigin(t, func(p *peer) {
		p.next()
		p.say(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", length, strings.Repeat("x", length)))
	})
	tr, ended := newTransport(t, o.addr), make(chan error, 1)
	client := dial(t, startServer(t, func(w http.ResponseWriter, r *http.Request) {
		resp, err := tr.RoundTrip(request(t, "GET", "http://a.test/", nil))
		if err != nil {
			t.Error(err)
			return
		}
		defer resp.Body.Close()
		w.Header().Set("Content-Length", fmt.Sprint(said))
		_, err = io.Copy(w, resp.Body)
		ended <- err
	}, nil))
	io.WriteString(client, "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n")
	in := bufio.NewReader(client)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := io.Copy(io.Discard, resp.Body); n > said {
		t.Errorf("%d bytes came", n)
	}
	if n, _ := io.Copy(io.Discard, in); n > 0 {
		t.Errorf("%d bytes came behind it", n)
	}
	if err := <-ended; err != http.ErrContentLength {
		t.Errorf("the copy ended with %v", err)
	}
}

// TestSplicedBodyIsCut where its origin's ends: nobody takes it for whole.
func TestSplicedBodyIsCut(t *testing.T) {
	const length, sent = 16 << 20, 9<<20 + 7
	for _, end := range []func(*peer){func(p *peer) { p.Close() }, (*peer).reset} {
		goOn := make(chan bool)
		o := startOrigin(t, func(p *peer) {
			p.next()
			p.say(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", length, strings.Repeat("x", sent)))
			<-goOn
			end(p)
		})
		addr, moved, ended := relay(t, newTransport(t, o.addr), nil)
		client := dial(t, addr)
		io.WriteString(client, "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(client), nil)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.CopyN(io.Discard, resp.Body, sent); err != nil {
			t.Fatal(n, err)
		}
		close(goOn)
		if n, err := io.Copy(io.Discard, resp.Body); n != 0 || err == nil {
			t.Errorf("%d bytes more, %v", n, err)
		}
		if err := <-ended; err == nil {
			t.Error("the copy ended well")
		}
		if moved.Load() == 0 {
			t.Error("nothing was spliced")
		}
	}
}

// TestSplicedBodyWaitsForItsTime alone: for a client that does not read for as long as a
// write may take, and for an origin that says nothing for as long as a body may.
func TestSplicedBodyWaitsForItsTime(t *testing.T) {
	const length = 64 << 20
	for _, slow := range []string{"client", "origin"} {
		t.Run(slow, func(t *testing.T) {
			sent := length
			if slow == "origin" {
				sent /= 2
			}
			says, silent := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", length, strings.Repeat("x", sent)), make(chan bool)
			o := startOrigin(t, func(p *peer) {
				p.next()
				p.say(says)
				<-silent
			})
			tr := newTransport(t, o.addr)
			want := os.ErrDeadlineExceeded
			if slow == "origin" {
				tr.BodyTimeout = 200 * time.Millisecond
				want = ErrBodyTimeout
			}
			addr, moved, ended := relay(t, tr, func(s *Server) {
				if slow == "client" {
					s.Timeouts.Write = 50 * time.Millisecond
				}
			})
			client := dial(t, addr)
			io.WriteString(client, "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n")
			if slow == "origin" {
				go io.Copy(io.Discard, client)
			}
			if err := <-ended; !errors.Is(err, want) {
				t.Errorf("the copy ended with %v", err)
			}
			if moved.Load() == 0 {
				t.Error("nothing was spliced")
			}
			close(silent)
		})
	}
}

// TestUrgentDataCutsNoBody: it is passed over, as in what is read.
func TestUrgentDataCutsNoBody(t *testing.T) {
	before, behind := strings.Repeat("before ", 1<<20), strings.Repeat("behind ", 1<<18)
	o := startOrigin(t, func(p *peer) {
		p.next()
		p.say(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(before+behind), before))
		raw, err := p.Conn.(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Error(err)
			return
		}
		raw.Write(func(fd uintptr) bool {
			err = unix.Sendto(int(fd), []byte("!"), unix.MSG_OOB, nil)
			return err != unix.EAGAIN
		})
		if err != nil {
			t.Error(err)
		}
		p.say(behind)
		p.next()
	})
	tr := newTransport(t, o.addr)
	tr.BodyTimeout = 2 * time.Second
	addr, moved, _ := relay(t, tr, nil)
	for range 4 {
		client := dial(t, addr)
		io.WriteString(client, "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(client), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(resp.Body); string(got) != before+behind || err != nil {
			t.Fatalf("%d bytes of %d came, or others; %v", len(got), len(before+behind), err)
		}
	}
	if moved.Load() == 0 {
		t.Error("nothing was spliced")
	}
}
