package wire

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"

	"guise/proxy/wire/http2test"
)

const typePriorityUpdate http2.FrameType = 0x10

// inLine begins a response for each of priorities, on streams 3, 5 and so on, with
// two frames to send and no window to send them in. Once all wait, it returns the
// client and the server's end.
func inLine(t *testing.T, priorities ...string) (*http2test.Client, *http2Conn) {
	t.Helper()
	var at atomic.Pointer[http2Conn]
	addr, _ := startHTTP2(t, func(w http.ResponseWriter, r *http.Request) {
		at.Store(w.(*http2Response).st.h)
		size := 2 * ownMaxFrame
		if r.URL.Path == "/first" {
			size = firstWindow
		}
		io.WriteString(w, strings.Repeat("x", size))
	}, nil)
	c := dialHTTP2(t, addr)
	t.Cleanup(func() { c.Close() })
	c.Head(1, true, append(plainGet[:3:3], ":path: /first")...)
	c.Data(1) // there is no window left
	h := at.Load()
	for i, priority := range priorities {
		id := uint32(2*i + 3)
		lines := append(plainGet[:3:3], ":path: /")
		if priority != "" {
			lines = append(lines, "priority: "+priority)
		}
		c.Head(id, true, lines...)
		untilInLine(h, id)
	}
	h.mu.Lock()
	h.turn = 10 * longestTurn
	h.mu.Unlock()
	return c, h
}

// untilInLine waits until the stream waits for its turn.
func untilInLine(h *http2Conn, id uint32) {
	for {
		h.mu.Lock()
		st := h.streams[id]
		waits := st != nil && st.queued && !st.writeTill.passed // which it looks at as it wakes
		h.mu.Unlock()
		if waits {
			return
		}
		runtime.Gosched()
	}
}

// turns widens the window frame by frame, and returns the streams that send them.
func turns(c *http2test.Client, h *http2Conn, count int) (order string) {
	sent := make(map[uint32]int)
	for range count {
		c.WriteWindowUpdate(0, ownMaxFrame)
		id := c.Until(func(f http2.Frame) bool {
			d, ok := f.(*http2.DataFrame)
			return ok && len(d.Data()) > 0
		}).Header().StreamID
		order += fmt.Sprint(id, " ")
		if sent[id]++; sent[id] < 2 {
			untilInLine(h, id)
		}
	}
	return order
}

// TestHTTP2MoreUrgentGoesFirst: and of those as urgent first what was asked for first,
// unless a part of it is of use (RFC 9218 §10).
func TestHTTP2MoreUrgentGoesFirst(t *testing.T) {
	for name, c := range map[string]struct {
		priorities []string
		order      string
	}{
		"urgency":         {[]string{"u=7", "u=3", "u=0"}, "7 7 5 5 3 3 "},
		"whole":           {[]string{"u=1", "u=1"}, "3 3 5 5 "},
		"in parts":        {[]string{"u=1, i", "u=1,i=?1"}, "3 5 3 5 "},
		"both":            {[]string{"u=1", "u=1;x, i"}, "3 5 3 5 "},
		"nothing said":    {[]string{"", ""}, "3 5 3 5 "},
		"ordinary":        {[]string{"", "u=4", "u=2"}, "7 7 3 3 5 5 "},
		"nothing known":   {[]string{"u=9, w, u=-1", "u=3"}, "3 3 5 5 "},
		"what comes last": {[]string{"u=1, i, u=5, i=?0", "u=2"}, "5 5 3 3 "},
	} {
		t.Run(name, func(t *testing.T) {
			client, h := inLine(t, c.priorities...)
			if got := turns(client, h, 2*len(c.priorities)); got != c.order {
				t.Errorf("%s, want %s", got, c.order)
			}
		})
	}
}

// TestHTTP2RoomIsGivenOnce: who was called and does not run yet has its turn still.
func TestHTTP2RoomIsGivenOnce(t *testing.T) {
	_, h := inLine(t, "", "")
	h.mu.Lock()
	defer h.mu.Unlock()
	h.window += ownMaxFrame
	h.admit()
	h.admit()
	if n := len(h.waiting); n != 1 {
		t.Errorf("%d wait of two, where there is room for one", n)
	}
}

// TestHTTP2NobodyWaitsForever: one turn in so many is that of who waits longest.
func TestHTTP2NobodyWaitsForever(t *testing.T) {
	c, h := inLine(t, "u=7", "u=0", "u=0")
	h.mu.Lock()
	h.turn += longestTurn - 2
	h.mu.Unlock()
	if got := turns(c, h, 3); got != "5 3 5 " {
		t.Error(got)
	}
}

// TestHTTP2WaitingInLineIsNotSlow: the time that a client has to take something is not
// over for a response that others went before.
func TestHTTP2WaitingInLineIsNotSlow(t *testing.T) {
	c, h := inLine(t, "u=7", "u=0")
	h.mu.Lock()
	st := h.streams[3]
	late := func() {
		st.writeTill.passed = true
		st.cond.Broadcast()
	}
	late()
	h.turn++
	h.mu.Unlock()
	untilInLine(h, 3)
	if got := turns(c, h, 3); got != "5 5 3 " {
		t.Error(got)
	}
	h.mu.Lock()
	late()
	h.mu.Unlock()
	if got := c.Outcome(3); got != "reset CANCEL" {
		t.Error(got)
	}
}

func update(c *http2test.Client, on, stream uint32, priority string) {
	c.WriteRawFrame(typePriorityUpdate, 0, on, append(binary.BigEndian.AppendUint32(nil, stream), priority...))
}

// TestHTTP2PrioritiesMayChange: also before the request is there, which may say another
// (RFC 9218 §7).
func TestHTTP2PrioritiesMayChange(t *testing.T) {
	c, h := inLine(t, "u=1", "u=2")
	update(c, 0, 5, "u=0")
	update(c, 0, 99, strings.Repeat(" ", maxRank))
	update(c, 0, 7, "u=0")
	c.Head(7, true, append(plainGet[:4:4], "priority: u=7")...)
	untilInLine(h, 7)
	if got := turns(c, h, 6); got != "5 5 7 7 3 3 " {
		t.Error(got)
	}
}

// TestHTTP2PriorityUpdatesAreChecked by RFC 9218 §7.1.
func TestHTTP2PriorityUpdatesAreChecked(t *testing.T) {
	addr, _ := startHTTP2(t, func(http.ResponseWriter, *http.Request) {}, nil)
	for want, send := range map[string]func(*http2test.Client){
		"goaway PROTOCOL_ERROR":   func(c *http2test.Client) { update(c, 1, 1, "u=1") },
		"goaway PROTOCOL_ERROR ":  func(c *http2test.Client) { update(c, 0, 0, "u=1") },
		"goaway FRAME_SIZE_ERROR": func(c *http2test.Client) { c.WriteRawFrame(typePriorityUpdate, 0, 0, make([]byte, 3)) },
	} {
		c := dialHTTP2(t, addr)
		send(c)
		if got := c.Outcome(0); got != strings.TrimSpace(want) {
			t.Errorf("%s, want %s", got, want)
		}
		c.Close()
	}
}
