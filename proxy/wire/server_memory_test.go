//go:build !race

package wire

import (
	"io"
	"net"
	"net/http"
	"runtime"
	"testing"
	"time"

	"guise/proxy/wire/http2test"
)

// An idle connection holds its goroutine and little else.
func TestIdleConnectionIsSmall(t *testing.T) {
	const n = 1000
	addr := startServer(t, echo, nil)
	conns := make([]net.Conn, n)
	buf := make([]byte, 4096)
	before := memoryInUse()
	for i := range conns {
		nc := dial(t, addr)
		io.WriteString(nc, "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n")
		if _, err := nc.Read(buf); err != nil {
			t.Fatal(err)
		}
		conns[i] = nc
	}
	each := (memoryInUse() - before) / n
	t.Logf("%d bytes each, both ends", each)
	if each > 8<<10 {
		t.Errorf("an idle connection takes %d bytes", each)
	}
}

// A response whose origin says little, such as a stream of events, holds no more of a
// buffer than it needs.
func TestSlowResponseOverHTTP2IsSmall(t *testing.T) {
	const n = 200
	release := make(chan struct{})
	addr := startServer(t, func(w http.ResponseWriter, r *http.Request) {
		said, says := io.Pipe()
		go func() {
			io.WriteString(says, "event")
			<-release
			says.Close()
		}()
		io.Copy(w, said)
	}, func(s *Server) { s.HTTP2 = true })
	c := http2test.NewClient(t, dial(t, addr))
	before := memoryInUse()
	for i := range uint32(n) {
		c.Head(2*i+1, true, ":method: GET", ":scheme: http", ":authority: a.example", ":path: /")
		if got := c.SomeData(2*i + 1); got != "event" {
			t.Fatalf("got %q", got)
		}
	}
	each := (memoryInUse() - before) / n
	close(release)
	t.Logf("%d bytes each", each)
	if each > 24<<10 {
		t.Errorf("a slow response takes %d bytes", each)
	}
}

// A body that is waited for only to keep its connection holds little meanwhile: whoever
// sends none of it can have many such at once.
func TestBodyThatNobodyReadsIsSmall(t *testing.T) {
	const n = 300
	addr := startServer(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "no") }, nil)
	buf := make([]byte, 4096)
	before := memoryInUse()
	for range n {
		nc := dial(t, addr)
		io.WriteString(nc, "POST http://a.example/ HTTP/1.1\r\nHost: a.example\r\nContent-Length: 99999\r\n\r\n")
		if _, err := nc.Read(buf); err != nil {
			t.Fatal(err)
		}
	}
	each := (memoryInUse() - before) / n
	t.Logf("%d bytes each, both ends", each)
	if each > 32<<10 {
		t.Errorf("a body that nobody reads takes %d bytes", each)
	}
}

// memoryInUse returns the bytes of live objects and stacks.
func memoryInUse() int64 {
	for range 3 {
		runtime.GC() // stacks shrink by half at a time, pools empty after two
		time.Sleep(time.Millisecond)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
