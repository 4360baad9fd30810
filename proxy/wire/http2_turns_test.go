package wire

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"guise/proxy/wire/http2test"
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
	c.Head(1, true, append(plainGet[:3:3], ":path: /large")...)
	c.Data(1) // there is no window left for the others
	const last = 2*maxOutput/ownMaxFrame + 3
	for id := uint32(3); id <= last; id += 2 {
		c.Head(id, true, append(plainGet[:3:3], ":path: /small")...)
		c.Headers(id) // is sent when it begins to wait, or soon
	}
	for id := uint32(3); id < last; id += 2 {
		c.WriteRSTStream(id, http2.ErrCodeCancel)
		<-gone
	}
	h := at.Load()
	for h.mu.Lock(); !h.streams[last].queued; h.mu.Lock() {
		h.mu.Unlock()
		runtime.Gosched()
	}
	if n := len(h.waiting); n != 1 {
		t.Errorf("%d streams wait, of which one is there", n)
	}
	h.mu.Unlock()
	c.WriteWindowUpdate(0, 1<<20)
	if got := c.SomeData(last); got != "some text" {
		t.Errorf("the last stream got %q", got)
	}
}

// TestHTTP2HeadsWaitForNoWindow: there is none for them (RFC 9113 §5.2.1). Where a
// client leaves a response unread that has taken all of the connection's, the
// others still have their heads.
func TestHTTP2HeadsWaitForNoWindow(t *testing.T) {
	streams := make(chan *http2Stream)
	answer := make(chan bool)
	addr, _ := startHTTP2(t, func(w http.ResponseWriter, r *http.Request) {
		streams <- w.(*http2Response).st
		<-answer
		if r.URL.Path == "/large" {
			io.WriteString(w, strings.Repeat("x", firstWindow))
		}
	}, nil)
	c := dialHTTP2(t, addr)
	defer c.Close()
	c.Head(1, true, append(plainGet[:3:3], ":path: /large")...)
	large := <-streams
	h := large.h
	until := func(is func() bool) {
		for {
			h.mu.Lock()
			now := is()
			h.mu.Unlock()
			if now {
				return
			}
			runtime.Gosched()
		}
	}
	until(func() bool { // the settings are written
		rests := !h.writing && len(h.out) == 0
		h.writing = h.writing || rests // as if the client did not read for a while
		return rests
	})
	answer <- true
	until(func() bool { return len(h.out) >= maxOutput && large.queued })
	until(func() bool { // as if there had been heads already
		h.out = append(appendFrameHead(h.out, frameHead{length: 8, kind: framePing}), make([]byte, 8)...)
		return len(h.out) >= maxHeads
	})
	c.Head(3, true, plainGet...)
	small := <-streams
	answer <- true
	until(func() bool { return small.headWaits })
	h.mu.Lock()
	h.writing = false
	h.wake()
	h.mu.Unlock()
	c.Headers(3)
}

// TestHTTP2RoomAsTheTimeEndsIsInTime: a client that widens a window in the moment in which
// a response has waited for long enough gets the rest of it.
func TestHTTP2RoomAsTheTimeEndsIsInTime(t *testing.T) {
	for _, stream := range []uint32{0, 1} {
		streams := make(chan *http2Stream, 1)
		addr, _ := startHTTP2(t, func(w http.ResponseWriter, r *http.Request) {
			streams <- w.(*http2Response).st
			io.WriteString(w, strings.Repeat("x", firstWindow+1))
		}, nil)
		c := dialHTTP2(t, addr)
		c.Head(1, true, plainGet...)
		st := <-streams
		c.WriteWindowUpdate(1-stream, 1<<20) // the other one
		h := st.h
		until := func(is func() bool) {
			for h.mu.Lock(); !is(); h.mu.Lock() {
				h.mu.Unlock()
				runtime.Gosched()
			}
		}
		until(func() bool { return st.writeTill.set && min(st.window, h.window) <= 0 && max(st.window, h.window) > 0 })
		st.writeTill.passed = true
		st.cond.Broadcast()
		if stream == 1 {
			widen(&st.window, 1, 1)
		} else {
			widen(&h.window, 1, 0)
			h.admit()
		}
		h.mu.Unlock()
		if got := len(c.Data(1)); got != firstWindow+1 {
			t.Errorf("stream %d: %d bytes", stream, got)
		}
		c.Close()
	}
}

// TestHTTP2CutOffOutlastsALiftedDeadline: the reading goroutine may be about to
// wait for the next frame, without a deadline, when a handler cuts the
// connection off.
func TestHTTP2CutOffOutlastsALiftedDeadline(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client := dial(t, l.Addr().String())
	nc, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	c := newConn(&Server{}, nc)
	c.rw, c.sock = quickest(nc)
	c.readOnce = c.tryRead
	c.br = getReader(c)
	h := newHTTP2Conn(c)
	h.greeted = true
	c.readBy(time.Minute)
	h.cutOff()
	client.CloseWrite() // or it would wait for good
	if _, err := h.next(); err != errNotCalm {
		t.Errorf("it waited for a frame: %v", err)
	}
}

// TestHTTP2FieldWithoutAName is dropped, as over HTTP/1.1, and what all heads of
// the connection share stays whole.
func TestHTTP2FieldWithoutAName(t *testing.T) {
	addr, _ := startHTTP2(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["\x00"], w.Header()[""] = []string{"a"}, []string{"b"}
		w.Header()["X"] = []string{"c"}
	}, nil)
	c := dialHTTP2(t, addr)
	defer c.Close()
	for id := uint32(1); id <= 3; id += 2 {
		c.Head(id, true, plainGet...)
		if got := c.Headers(id); got.PseudoValue("status") != "200" || len(got.RegularFields()) != 2 {
			t.Errorf("stream %d: %v", id, got.Fields)
		}
	}
}

// TestHTTP2UnreadBodiesLeaveRoom: however many bodies nobody reads, another is taken,
// and its window grows while it is read.
func TestHTTP2UnreadBodiesLeaveRoom(t *testing.T) {
	const unread = 2 * connWindow / streamWindow
	addr, _ := startHTTP2(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/left" {
			<-r.Context().Done()
			return
		}
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n, err)
	}, nil)
	c := dialHTTP2(t, addr)
	defer c.Close()
	c.Head(1, true, plainGet...)
	c.Headers(1) // and with it the window
	left, largest := connWindow, uint32(0)
	room := map[uint32]int{}
	send := func(stream uint32, n int) {
		for n > 0 {
			piece := min(n, ownMaxFrame)
			for left < piece || room[stream] < piece {
				w := c.Until(func(f http2.Frame) bool { _, ok := f.(*http2.WindowUpdateFrame); return ok }).(*http2.WindowUpdateFrame)
				if w.StreamID == 0 {
					left += int(w.Increment)
				} else {
					room[w.StreamID] += int(w.Increment)
					largest = max(largest, w.Increment)
				}
			}
			c.WriteData(stream, false, make([]byte, piece))
			n, left, room[stream] = n-piece, left-piece, room[stream]-piece
		}
	}
	open := func(stream uint32, path string) {
		c.Head(stream, false, ":method: POST", ":scheme: http", ":authority: a.example", ":path: "+path)
		room[stream] = streamWindow
	}
	stream := uint32(3)
	for ; stream < 3+2*unread; stream += 2 {
		open(stream, "/left")
		send(stream, streamWindow)
	}
	open(stream, "/read")
	send(stream, 4*grownWindow)
	c.WriteData(stream, true, nil)
	if got, want := c.Data(stream), fmt.Sprint(4*grownWindow, error(nil)); got != want {
		t.Errorf("the handler read %s, want %s", got, want)
	}
	if largest < grownWindow/2 {
		t.Errorf("the window of a body that is read grows by %d bytes at the most", largest)
	}
}

// TestHTTP2SlowlyReadBodiesHoldLittle: where what came waits for its reader, as for an origin
// that takes an upload slowly, the window does not grow.
func TestHTTP2SlowlyReadBodiesHoldLittle(t *testing.T) {
	const piece = streamWindow / 4
	read := make(chan bool)
	addr, _ := startHTTP2(t, func(w http.ResponseWriter, r *http.Request) {
		for range read {
			io.ReadFull(r.Body, make([]byte, piece))
		}
	}, nil)
	c := dialHTTP2(t, addr)
	defer c.Close()
	defer close(read)
	c.Head(1, false, ":method: POST", ":scheme: http", ":authority: a.example", ":path: /")
	for range streamWindow / ownMaxFrame {
		c.WriteData(1, false, make([]byte, ownMaxFrame))
	}
	for range 20 {
		c.WritePing(false, [8]byte{})
		c.Until(func(f http2.Frame) bool { p, ok := f.(*http2.PingFrame); return ok && p.IsAck() }) // all came
		read <- true
		given := c.Until(func(f http2.Frame) bool {
			w, ok := f.(*http2.WindowUpdateFrame)
			return ok && w.StreamID == 1
		}).(*http2.WindowUpdateFrame)
		if given.Increment > piece {
			t.Fatalf("for %d bytes that were read, %d more may come", piece, given.Increment)
		}
		c.WriteData(1, false, make([]byte, given.Increment))
	}
}

// TestHTTP2RequestsBeginAsTheyAreRead: whoever sends thousands at once does not have them
// wait, each with its memory, until the last is read.
func TestHTTP2RequestsBeginAsTheyAreRead(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var most atomic.Int64
	addr, _ := startHTTP2(t, func(w http.ResponseWriter, r *http.Request) {
		h := w.(*http2Response).st.h
		h.mu.Lock()
		defer h.mu.Unlock()
		most.Store(max(most.Load(), int64(h.running)))
	}, nil)
	c := dialHTTP2(t, addr)
	const last = 2*100 + 1
	var burst bytes.Buffer
	heads := http2test.NewWriter(&burst)
	for id := uint32(1); id <= last; id += 2 {
		heads.Head(id, true, plainGet...)
	}
	c.Conn.Write(burst.Bytes())
	c.Headers(last)
	if n := most.Load(); n > 20 {
		t.Errorf("%d requests were under way together", n)
	}
}
