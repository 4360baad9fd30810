package wire

import (
	"runtime"
	"testing"
)

// TestLateCloseDisturbsNoOtherExchange: a Close that comes while a Read has just
// found the end of the body must not end what the connection serves next.
func TestLateCloseDisturbsNoOtherExchange(t *testing.T) {
	o := startOrigin(t, always("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
	tr := newTransport(t, o.addr)
	resp, err := tr.RoundTrip(request(t, "GET", "http://a.example/", nil))
	if err != nil {
		t.Fatal(err)
	}
	b := resp.Body.(*body)
	b.mu.Lock() // what follows is Read
	for err == nil {
		_, err = b.read(make([]byte, 8))
	}
	b.end(err)
	closed := make(chan struct{})
	go func() {
		b.Close()
		close(closed)
	}()
	for !b.closed.Load() {
		runtime.Gosched()
	}
	for range 1000 { // it has seen by then that somebody reads
		runtime.Gosched()
	}
	b.mu.Unlock()
	<-closed
	if got := mustFetch(t, tr, request(t, "GET", "http://a.example/", nil)); got != "ok" {
		t.Errorf("got %q", got)
	}
	if n := o.conns.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}
