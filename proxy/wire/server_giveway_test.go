package wire

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"guise/proxy/wire/http2test"
)

// A crowdedServer knows clients by the ports that they come from.
type crowdedServer struct {
	*Server
	address string
	open    atomic.Int64 // connections that have a place

	mu      sync.Mutex
	clients map[uint16]netip.Addr
}

// newCrowdedServer serves requests; those for /hold wait until the returned channel is
// closed.
func newCrowdedServer(t *testing.T, change func(*Server)) (s *crowdedServer, release chan struct{}) {
	release = make(chan struct{})
	s = &crowdedServer{clients: make(map[uint16]netip.Addr)}
	s.address = startServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hold" {
			<-release
		}
		io.WriteString(w, "whole")
	}, func(server *Server) {
		s.Server = server
		server.HTTP2 = true
		server.Admit = func(net.Conn) (func(), bool) {
			s.open.Add(1)
			return func() { s.open.Add(-1) }, true
		}
		server.Client = func(remote net.Addr) netip.Addr {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.clients[remote.(*net.TCPAddr).AddrPort().Port()]
		}
		if change != nil {
			change(server)
		}
	})
	return s, release
}

func clientNumber(n byte) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, n}) }

// dialAs connects as a client.
func (s *crowdedServer) dialAs(t *testing.T, client byte) *net.TCPConn {
	t.Helper()
	nc := dial(t, s.address)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clients[nc.LocalAddr().(*net.TCPAddr).AddrPort().Port()] = clientNumber(client)
	return nc
}

// untilWaiting waits until so many connections are known to wait: a place is taken before.
func (s *crowdedServer) untilWaiting(t *testing.T, count int) {
	t.Helper()
	until(t, func() bool {
		s.Server.mu.Lock()
		defer s.Server.mu.Unlock()
		n := 0
		for c := range s.conns {
			if c.waits().kind != noWait {
				n++
			}
		}
		return n == count
	})
}

// asked is a connection of a client on which a request was answered.
func (s *crowdedServer) asked(t *testing.T, client byte) *net.TCPConn {
	t.Helper()
	nc := s.dialAs(t, client)
	ask(t, nc)
	s.rests(t)
	return nc
}

// rests returns when every connection waits for its client.
func (s *crowdedServer) rests(t *testing.T) {
	t.Helper()
	until(t, func() bool {
		s.Server.mu.Lock()
		defer s.Server.mu.Unlock()
		for c := range s.conns {
			if c.waits().kind == noWait {
				return false
			}
		}
		return true
	})
}

const plainRequest = "GET http://origin.example/ HTTP/1.1\r\nHost: origin.example\r\n\r\n"

// ask sends a request and reads its answer, which it returns the head of.
func ask(t *testing.T, nc net.Conn) http.Header {
	t.Helper()
	io.WriteString(nc, plainRequest)
	return answered(t, nc)
}

func answered(t *testing.T, nc net.Conn) http.Header {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(resp.Body); string(b) != "whole" || err != nil {
		t.Errorf("body %q, %v", b, err)
	}
	return resp.Header
}

// givesWay has a connection give way, as soon as one may.
func (s *crowdedServer) givesWay(t *testing.T, client byte, own bool) {
	t.Helper()
	until(t, func() bool { return s.GiveWay(clientNumber(client), own) })
}

// until returns when it is so.
func until(t *testing.T, so func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !so(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("it never is")
		}
	}
}

// ended waits for the end of a connection, and returns what came before.
func ended(t *testing.T, nc net.Conn) string {
	t.Helper()
	b, err := io.ReadAll(nc)
	if err != nil {
		t.Fatalf("after %q: %v", b, err)
	}
	return string(b)
}

// TestLongestIdleGivesWay: first those of the client that has most, and at once,
// without anybody's place being counted twice.
func TestLongestIdleGivesWay(t *testing.T) {
	s, _ := newCrowdedServer(t, nil)
	old := s.asked(t, 1)
	many := []*net.TCPConn{s.asked(t, 2), s.asked(t, 2), s.asked(t, 2)}
	ask(t, many[0])
	s.rests(t) // and now it has waited for the shortest time of all
	for i, want := range []*net.TCPConn{many[1], many[2], old, many[0]} {
		s.givesWay(t, 3, false)
		if got := s.open.Load(); got != int64(3-i) {
			t.Errorf("after %d: %d have a place", i+1, got)
		}
		if got := ended(t, want); got != "" {
			t.Errorf("number %d got %q", i, got)
		}
	}
	if s.GiveWay(clientNumber(3), false) {
		t.Error("one more gave way")
	}
	if got := s.open.Load(); got != 0 {
		t.Errorf("%d have a place", got)
	}
}

// TestNoneGivesWayToWhoHasMore waiting itself.
func TestNoneGivesWayToWhoHasMore(t *testing.T) {
	s, _ := newCrowdedServer(t, nil)
	s.asked(t, 1)
	for range 3 {
		s.dialAs(t, 2)
	}
	s.untilWaiting(t, 4)
	if s.GiveWay(clientNumber(2), false) {
		t.Error("who asks nothing took the place of one that did")
	}
	s.givesWay(t, 3, false)
}

// TestOwnIdleConnectionGivesWay to another of the same client, and nobody else's does.
func TestOwnIdleConnectionGivesWay(t *testing.T) {
	s, _ := newCrowdedServer(t, nil)
	s.asked(t, 1)
	s.asked(t, 1)
	own := s.asked(t, 2)
	s.givesWay(t, 2, true)
	if got := ended(t, own); got != "" {
		t.Errorf("got %q", got)
	}
	if s.GiveWay(clientNumber(2), true) {
		t.Error("another one gave way")
	}
}

// TestRequestUnderWayKeepsItsPlace: over HTTP/1.1, over HTTP/2, in a body that is still
// to come, and in what the connection has become.
func TestRequestUnderWayKeepsItsPlace(t *testing.T) {
	s, release := newCrowdedServer(t, nil)
	plain, sending, fresh := s.dialAs(t, 1), s.dialAs(t, 1), s.dialAs(t, 1)
	io.WriteString(plain, strings.Replace(plainRequest, "e/", "e/hold", 1))
	io.WriteString(sending, "POST http://origin.example/hold HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhal")
	two := http2test.NewClient(t, s.dialAs(t, 1))
	two.Head(1, true, ":method: GET", ":scheme: http", ":authority: origin.example", ":path: /hold")
	two.WritePing(false, [8]byte{1})
	two.Until(func(f http2.Frame) bool { p, ok := f.(*http2.PingFrame); return ok && p.IsAck() })
	running := func() (n int) {
		s.Server.mu.Lock()
		defer s.Server.mu.Unlock()
		for c := range s.conns {
			if c.running.Load() != nil || c.http2.Load() != nil {
				n++
			}
		}
		return n
	}
	until(t, func() bool { return running() == 3 })
	if s.GiveWay(clientNumber(2), false) {
		t.Error("one gave way")
	}
	close(release)
	answered(t, plain)
	io.WriteString(sending, "f done")
	answered(t, sending)
	if got := two.Data(1); got != "whole" {
		t.Errorf("over HTTP/2: %q", got)
	}
	ask(t, fresh)
}

// TestIdleHTTP2GivesWay with GOAWAY, which says which streams are to be sent again.
func TestIdleHTTP2GivesWay(t *testing.T) {
	s, _ := newCrowdedServer(t, nil)
	two := http2test.NewClient(t, s.dialAs(t, 1))
	two.Head(1, true, ":method: GET", ":scheme: http", ":authority: origin.example", ":path: /")
	if got := two.Data(1); got != "whole" {
		t.Fatalf("got %q", got)
	}
	s.givesWay(t, 2, false)
	if got := s.open.Load(); got != 0 {
		t.Errorf("%d have a place", got)
	}
	f := two.Until(func(f http2.Frame) bool { _, is := f.(*http2.GoAwayFrame); return is })
	if away := f.(*http2.GoAwayFrame); away.LastStreamID != 1 || away.ErrCode != http2.ErrCodeNo {
		t.Errorf("got %v", away)
	}
}

// TestRequestOfWhoGivesWayIsAnswered that was on its way; the answer says that it is
// the last one.
func TestRequestOfWhoGivesWayIsAnswered(t *testing.T) {
	s, _ := newCrowdedServer(t, nil)
	late := 0
	for range 20 {
		nc := s.asked(t, 1)
		s.givesWay(t, 2, false)
		io.WriteString(nc, plainRequest)
		resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
		if err != nil { // it came later than in a moment
			late++
			continue
		}
		if b, err := io.ReadAll(resp.Body); string(b) != "whole" || err != nil || !resp.Close {
			t.Errorf("got %q, %v, close %v", b, err, resp.Close)
		}
		nc.Close()
	}
	if late == 20 {
		t.Error("none was answered")
	}
}

// TestHTTP2OfWhoGivesWayIsAnswered whose first bytes were on their way, and the connection,
// which has no place, ends behind that.
func TestHTTP2OfWhoGivesWayIsAnswered(t *testing.T) {
	s, _ := newCrowdedServer(t, nil)
	nc := s.dialAs(t, 1)
	s.untilWaiting(t, 1)
	s.Server.mu.Lock() // until it is let go, nothing is read
	for c := range s.conns {
		if !c.giveWay(c.waits()) {
			t.Error("it did not give way")
		}
	}
	two := http2test.NewClient(t, nc)
	two.Head(1, true, ":method: GET", ":scheme: http", ":authority: origin.example", ":path: /")
	s.Server.mu.Unlock()
	if got := two.Data(1); got != "whole" {
		t.Errorf("got %q", got)
	}
	two.GoAway()
}

// TestWhoAsksNothingGivesWay once there was time to ask: silent clients, and those who stop
// in the middle of a head.
func TestWhoAsksNothingGivesWay(t *testing.T) {
	s, _ := newCrowdedServer(t, nil)
	silent, slow := s.dialAs(t, 1), s.dialAs(t, 1)
	io.WriteString(slow, plainRequest[:30])
	s.untilWaiting(t, 2)
	if s.GiveWay(clientNumber(2), false) {
		t.Error("one gave way that had just come")
	}
	s.givesWay(t, 2, false)
	s.givesWay(t, 2, false)
	if got := ended(t, silent); got != "" {
		t.Errorf("the silent one got %q", got)
	}
	if got := ended(t, slow); statusOf(got) != "408" {
		t.Errorf("the slow one got %q", got)
	}
	if got := s.open.Load(); got != 0 {
		t.Errorf("%d have a place", got)
	}
}

// TestHeadHasItsTimeAfterARest: a client that was idle for long may still send a head in
// pieces.
func TestHeadHasItsTimeAfterARest(t *testing.T) {
	s, _ := newCrowdedServer(t, nil)
	nc := s.asked(t, 1)
	var c *conn
	s.Server.mu.Lock()
	for c = range s.conns {
		c.since.Store(-int64(time.Hour))
	}
	s.Server.mu.Unlock()
	io.WriteString(nc, plainRequest[:30])
	until(t, func() bool { return c.state.Load() == stateHead })
	if s.GiveWay(clientNumber(2), false) {
		t.Error("it gave way in the middle of a head that had just begun")
	}
	io.WriteString(nc, plainRequest[30:])
	answered(t, nc)
}

// TestBeginningOfHTTP2GivesWay as that of a head does, and may come in pieces as well.
func TestBeginningOfHTTP2GivesWay(t *testing.T) {
	s, _ := newCrowdedServer(t, nil)
	begun := func(client byte) net.Conn {
		nc := s.dialAs(t, client)
		io.WriteString(nc, http2Preface[:10])
		until(t, func() bool {
			s.Server.mu.Lock()
			defer s.Server.mu.Unlock()
			for c := range s.conns {
				if c.state.Load() == stateHead {
					return true
				}
			}
			return false
		})
		return nc
	}
	nc := begun(1)
	s.givesWay(t, 2, false)
	if got := ended(t, nc); statusOf(got) != "408" {
		t.Errorf("the slow one got %q", got)
	}
	nc = begun(1)
	io.WriteString(nc, http2Preface[10:]+"\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	var frame [frameHeaderLen]byte
	if _, err := io.ReadFull(nc, frame[:]); err != nil || parseFrameHead(frame[:]).kind != frameSettings {
		t.Errorf("HTTP/2 in pieces is answered %q, %v", frame, err)
	}
}

// TestPlacesAreCountedOnce while clients come, ask, rest, ask again and leave, over
// HTTP/1.1 and HTTP/2, and others take their places.
func TestPlacesAreCountedOnce(t *testing.T) {
	const places = 6
	var s *crowdedServer
	var taken, most atomic.Int64
	s, _ = newCrowdedServer(t, func(server *Server) {
		server.Admit = func(net.Conn) (func(), bool) {
			for taken.Add(1) > places {
				taken.Add(-1)
				if !server.GiveWay(netip.Addr{}, false) {
					return nil, true // counted nowhere
				}
			}
			most.Store(max(most.Load(), taken.Load()))
			return func() { taken.Add(-1) }, true
		}
	})
	var clients sync.WaitGroup
	for n := range byte(8) {
		clients.Go(func() {
			for i := range 60 {
				nc := s.dialAs(t, n)
				if i%3 == 0 {
					io.WriteString(nc, http2Preface+"\x00\x00\x00\x04\x00\x00\x00\x00\x00")
					c := http2test.NewWriter(nc)
					c.Head(1, true, ":method: GET", ":scheme: http", ":authority: origin.example", ":path: /")
					io.CopyN(io.Discard, nc, 60)
				}
				br := bufio.NewReader(nc)
				for range i % 3 * 2 {
					io.WriteString(nc, plainRequest)
					resp, err := http.ReadResponse(br, nil)
					if err != nil {
						break // it gave way
					}
					if b, err := io.ReadAll(resp.Body); string(b) != "whole" || err != nil {
						t.Errorf("%q, %v", b, err)
					}
				}
				if i%2 == 0 {
					nc.Close()
				}
			}
		})
	}
	clients.Wait()
	if got := most.Load(); got > places {
		t.Errorf("%d had a place at once", got)
	}
	s.Close()
	until(t, func() bool { return taken.Load() == 0 })
}
