package wire

import (
	"encoding/binary"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// TestHTTP2AnswersToOursAreNoFlood: Go's client widens the window of each stream
// with every few KiB that it reads, long after the stream has ended; gRPC sends a
// PING for each DATA frame; whoever wants no more of a response may say so when all of
// it is on its way; and browsers say how urgent it is.
func TestHTTP2AnswersToOursAreNoFlood(t *testing.T) {
	for name, answer := range map[string]func(c *rawHTTP2, stream uint32){
		"window updates": func(c *rawHTTP2, stream uint32) {
			for range 30 {
				c.WriteWindowUpdate(stream, 1)
			}
		},
		"pings":  func(c *rawHTTP2, stream uint32) { c.WritePing(false, [8]byte{1}); c.WritePing(false, [8]byte{2}) },
		"resets": func(c *rawHTTP2, stream uint32) { c.WriteRSTStream(stream, http2.ErrCodeCancel) },
		"priorities": func(c *rawHTTP2, stream uint32) {
			c.WriteRawFrame(0x10, 0, 0, append(binary.BigEndian.AppendUint32(nil, stream), "u=1"...))
			c.WritePriority(stream, http2.PriorityParam{Weight: 1})
		},
	} {
		t.Run(name, func(t *testing.T) {
			addr, _ := startHTTP2(t, func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("text")) }, nil)
			c := dialHTTP2(t, addr)
			for i := range uint32(3 * calmBurst) {
				stream := 2*i + 1
				c.Head(stream, true, plainGet...)
				c.Data(stream)
				answer(c, stream)
				c.WriteWindowUpdate(0, 4)
			}
		})
	}
}

// TestHTTP2GreaseIsNoFlood: Chromium can send a frame of no known type with each piece of
// an upload.
func TestHTTP2GreaseIsNoFlood(t *testing.T) {
	addr, _ := startHTTP2(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }, nil)
	c := dialHTTP2(t, addr)
	const pieces = streamWindow / narrowPiece
	for stream := uint32(1); stream < 2*3*calmBurst/pieces; stream += 2 {
		c.Head(stream, false, ":method: POST", ":scheme: http", ":authority: a.example", ":path: /")
		for i := range pieces {
			c.WriteRawFrame(0x2a, 0, stream, nil)
			c.WriteData(stream, i == pieces-1, make([]byte, narrowPiece))
		}
		if got := c.Outcome(stream); got != "200" {
			t.Fatalf("upload %d: %s", stream/2, got)
		}
	}
}

// TestHTTP2BodyOfARefusedRequestIsNoFlood: a client learns late that nobody wants
// what it sends (RFC 9113 §5.1).
func TestHTTP2BodyOfARefusedRequestIsNoFlood(t *testing.T) {
	addr, _ := startHTTP2(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusRequestEntityTooLarge) }, nil)
	c := dialHTTP2(t, addr)
	c.Head(1, false, ":method: POST", ":scheme: http", ":authority: a.example", ":path: /", "content-length: "+strconv.Itoa(1<<30))
	c.Until(func(f http2.Frame) bool { _, ok := f.(*http2.RSTStreamFrame); return ok })
	for range 3 * calmBurst {
		c.WriteData(1, false, []byte("x"))
	}
	c.Head(3, true, plainGet...)
	if got := c.Outcome(3); got != "413" {
		t.Errorf("the next request: %s", got)
	}
}

// TestHTTP2AnswerIsReadBeforeTheRestIsRefused: a client that is told to stop sending
// together with the answer can take it for a failure. None of its window is given back
// meanwhile.
func TestHTTP2AnswerIsReadBeforeTheRestIsRefused(t *testing.T) {
	var at atomic.Pointer[http2Conn]
	addr, _ := startHTTP2(t, func(w http.ResponseWriter, r *http.Request) {
		at.Store(w.(*http2Response).st.h)
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
	}, nil)
	c := dialHTTP2(t, addr)
	defer c.Close()
	c.Head(1, false, append(plainGet[:4:4], "content-length: 3000000")...)
	if got := c.Data(1); got != "too large\n" {
		t.Errorf("got %q", got)
	}
	for range firstWindow / ownMaxFrame {
		c.WriteData(1, false, make([]byte, ownMaxFrame))
	}
	c.WritePing(false, [8]byte{})
	c.Until(func(f http2.Frame) bool {
		if f.Header().StreamID == 1 {
			t.Errorf("%v", f)
		}
		p, ok := f.(*http2.PingFrame)
		return ok && p.IsAck()
	})
	h := at.Load()
	h.mu.Lock()
	h.streams[1].rest.Reset(0)
	h.mu.Unlock()
	if got := c.Outcome(1); got != "reset NO_ERROR" {
		t.Error(got)
	}
}

// TestHTTP2RestIsRefusedOnceTheAnswerIsRead: who says that it has read so far is told at
// once to stop sending. Some wait for that, with the whole answer, until they leave.
func TestHTTP2RestIsRefusedOnceTheAnswerIsRead(t *testing.T) {
	addr, _ := startHTTP2(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusUnauthorized) }, nil)
	c := dialHTTP2(t, addr)
	defer c.Close()
	for id := uint32(1); id <= 5; id += 2 {
		c.Head(id, false, append(plainGet[:4:4], "content-length: 3000000")...)
		c.Headers(id)
		ping := c.Until(func(f http2.Frame) bool { p, ok := f.(*http2.PingFrame); return ok && !p.IsAck() }).(*http2.PingFrame)
		began := time.Now()
		c.WritePing(true, ping.Data)
		if got := c.Outcome(id); got != "reset NO_ERROR" || time.Since(began) > refuseTime/2 {
			t.Errorf("%s after %v", got, time.Since(began))
		}
	}
}

// TestHTTP2DribbleEnds: a client that lets one byte go at a time is not served for
// ever so (CVE-2019-9511).
func TestHTTP2DribbleEnds(t *testing.T) {
	addr, _ := startHTTP2(t, func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, 1<<20)) }, nil)
	c := dialHTTP2(t, addr)
	c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1})
	const streams = 20 // so that a busy machine, too, does it more often than is borne
	for i := range uint32(streams) {
		c.Head(2*i+1, true, plainGet...)
	}
	for range 20 * calmBurst {
		f, err := c.ReadFrame()
		if err == io.EOF {
			return // cut before GOAWAY was read
		}
		if err != nil {
			t.Fatal(err)
		}
		switch f := f.(type) {
		case *http2.DataFrame:
			c.WriteWindowUpdate(f.StreamID, 1)
		case *http2.GoAwayFrame:
			if f.ErrCode != http2.ErrCodeEnhanceYourCalm {
				t.Errorf("GOAWAY %v", f.ErrCode)
			}
			return
		}
	}
	t.Error("it goes on")
}

// TestHTTP2SettingsCountOnce: of what a frame says of windows the last counts, which all
// streams have to look at once. A frame of a hundred was as many wake-ups of each
// (CVE-2020-11080).
func TestHTTP2SettingsCountOnce(t *testing.T) {
	begun := make(chan bool)
	addr, _ := startHTTP2(t, func(w http.ResponseWriter, r *http.Request) {
		begun <- true
		w.Write([]byte("text"))
	}, nil)
	c := dialHTTP2(t, addr)
	defer c.Close()
	c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize})
	c.Head(1, true, plainGet...)
	<-begun
	c.Headers(1)
	open, shut := http2.Setting{ID: http2.SettingInitialWindowSize, Val: 4}, http2.Setting{ID: http2.SettingInitialWindowSize}
	for range calmBurst / 2 {
		c.WriteSettings(slices.Repeat([]http2.Setting{open, shut}, maxSettings/2)...)
	}
	c.WritePing(false, [8]byte{})
	c.Until(func(f http2.Frame) bool {
		if d, ok := f.(*http2.DataFrame); ok {
			t.Errorf("%d bytes in a window that was never open", len(d.Data()))
		}
		_, ok := f.(*http2.PingFrame)
		return ok
	})
	c.WriteSettings(open)
	if got := c.Data(1); got != "text" {
		t.Errorf("got %q", got)
	}
}

// TestHTTP2RefusedHeadsMayHaveBodies: what follows a head that is refused is no fault of
// the client's, whatever length it announced: with one, it would take the answer for lost.
func TestHTTP2RefusedHeadsMayHaveBodies(t *testing.T) {
	for _, c := range []struct{ path, field, want string }{
		{"/" + strings.Repeat("a", 100), "x: a", "414"},
		{"/", "x: " + strings.Repeat("a", 2000), "431"},
		{"/", "expect: more", "417"},
	} {
		addr, _ := startHTTP2(t, func(w http.ResponseWriter, r *http.Request) {}, func(s *Server) { s.Limits.Target, s.Limits.Head = 100, 2000 })
		client := dialHTTP2(t, addr)
		client.Head(1, false, ":method: POST", ":scheme: http", ":authority: a.example", ":path: "+c.path, "content-length: 4", c.field)
		client.WriteData(1, true, []byte("text"))
		if got := client.Outcome(1); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
		client.WritePing(false, [8]byte{})
		client.Until(func(f http2.Frame) bool {
			if r, ok := f.(*http2.RSTStreamFrame); ok {
				t.Errorf("%s is taken back by a reset: %v", c.want, r.ErrCode)
			}
			p, ok := f.(*http2.PingFrame)
			return ok && p.IsAck()
		})
	}
}

// TestHTTP2RefusedHeadsAreCounted: those that are answered before a handler sees
// them, and that nobody else counts.
func TestHTTP2RefusedHeadsAreCounted(t *testing.T) {
	addr, _ := startHTTP2(t, func(w http.ResponseWriter, r *http.Request) {}, func(s *Server) { s.Limits.Target = 100 })
	c := dialHTTP2(t, addr)
	lines := append(plainGet[:3:3], ":path: /"+strings.Repeat("a", 100))
	began := time.Now()
	borne := func() float64 { return calmBurst + calmPerSecond*time.Since(began).Seconds() } // more of them on a slow machine
	for i := uint32(0); float64(i) < 3*borne(); i++ {
		stream := 2*i + 1
		c.Head(stream, true, lines...)
		switch got := c.Outcome(stream); got {
		case "414":
		case "reset REFUSED_STREAM": // on a busy machine those before may not be gone yet
		case "goaway ENHANCE_YOUR_CALM":
			return
		default:
			t.Fatal(got)
		}
	}
	t.Error("it goes on")
}
