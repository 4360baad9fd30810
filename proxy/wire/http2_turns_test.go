package wire

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"
)

// TestHTTP2LostStreamsTakeNoTurn: responses that wait for room in the
// connection's window, and that the client then does not want any more, neither
// keep the room from those behind them nor stay in memory.
func TestHTTP2LostStreamsTakeNoTurn(t *testing.T) {
	gone := make(chan error, 9)
	var at atomic.Pointer[http2Conn]
	addr, _ := startHTTP2(t, func(w http.ResponseWriter, r *http.Request) {
		at.Store(w.(*http2Response).st.h)
		text := "some text"
		if r.URL.Path == "/large" {
			text = strings.Repeat("x", firstWindow)
		}
		if _, err := io.WriteString(w, text); err != nil {
			gone <- err
		}
	}, nil)
	c := dialHTTP2(t, addr)
	defer c.Close()
	const last = 2*maxOutput/ownMaxFrame + 3
	for id := uint32(1); id <= last; id += 2 {
		path := "/small"
		if id == 1 {
			path = "/large" // there is no window left for the others
		}
		c.Head(id, true, append(plainGet[:3:3], ":path: "+path)...)
		c.Headers(id) // is sent when it begins to wait
	}
	for id := uint32(3); id < last; id += 2 {
		c.WriteRSTStream(id, http2.ErrCodeCancel)
		<-gone
	}
	h := at.Load()
	h.mu.Lock()
	if n := len(h.waiting); n != 1 {
		t.Errorf("%d streams wait, of which one is there", n)
	}
	h.mu.Unlock()
	c.WriteWindowUpdate(0, 1<<20)
	if got := c.SomeData(last); got != "some text" {
		t.Errorf("the last stream got %q", got)
	}
}
