package wire

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2/hpack"
)

// What one HTTP/2 connection may hold or cause, in bytes unless it says otherwise.
// A stream's window bounds what is kept of a body that nobody reads. It begins small,
// and grows while the handler reads as fast as data comes, until all streams' windows
// have grown by largeWindows together. The connection's window bounds nothing: credit
// for all data is given back at once, so that a body that nobody reads does not stop
// others.
//
// Frames that wait to be written are in http2Conn.out. As it fills, first bodies have
// to wait, then heads, and a client that does not read what it makes necessary is cut.
const (
	streamWindow = 64 << 10  // of a new stream
	grownWindow  = 512 << 10 // of one that is read, at most
	largeWindows = 8 << 20
	connWindow   = 2 << 20
	headerTable  = 4 << 10
	maxOutput    = 64 << 10              // waiting to be written before bodies wait
	maxHeads     = 2 * maxOutput         // before heads wait
	maxUnsent    = 256 << 10             // before the client is cut
	maxContinued = 48                    // CONTINUATION frames of one head, beside those that are full
	maxSkipped   = 4 << 20               // of a head that is too large; browsers have URLs of 2 MiB
	goingTime    = time.Second           // for the client to acknowledge the PING behind the first GOAWAY
	goingSoon    = 50 * time.Millisecond // from then on, for streams that it had begun
	refuseTime   = time.Second           // for the client to read an answer before it is told to stop sending
)

// An http2Conn is one HTTP/2 connection (RFC 9113). The connection's goroutine
// reads; each request has a goroutine; one more writes while there is
// something to be written. An idle connection holds no buffers.
type http2Conn struct {
	c *conn

	// The reading goroutine's.
	decoder *hpack.Decoder
	block   headBlock
	greeted bool // the first SETTINGS came
	deaf    bool // a head was too large to be decoded, and so none is any more
	forbearance

	handlers sync.WaitGroup
	cut      atomic.Bool // a handler panicked with ErrCutOff: the connection is to end

	mu      sync.Mutex // guards what follows, and all of each stream
	times   Timeouts
	streams map[uint32]*http2Stream
	running int    // handlers, also those whose stream is gone
	last    uint32 // number of the last stream that was taken
	begun   uint32 // number of the last that the client began; above last only after GOAWAY
	ended   endedStreams

	foretold struct { // the latest PRIORITY_UPDATE for a stream that has not begun
		stream uint32
		rank   rank
	}

	// Flow control (RFC 9113 §5.2).
	received int   // bytes that came and were not given back to the connection's window
	grown    int   // bytes by which the windows of streams have grown
	window   int64 // bytes that we may send
	initial  int64 // bytes that we may send on a new stream

	// To the client.
	encoder *hpack.Encoder
	encoded bytes.Buffer
	unsent
	written sync.Cond      // writing ended
	waiting []*http2Stream // streams that wait for room in out or window to send a body, the longest first
	turn    int            // how many turns were given to waiting streams
	called  int            // streams whose turn it is and that have not woken up yet
	heads   []*http2Stream // streams that wait for room in out to send a head
	late    *time.Timer    // runs writeLate, for wakeSoon
	lateSet bool           // late runs

	// The end.
	idle     *time.Timer // runs idled
	rested   time.Time   // since when there is no request
	leaving  *time.Timer // runs goAway; nil until the first GOAWAY was sent
	known    bool        // the client has acknowledged that
	going    bool        // the last GOAWAY was sent, and no stream begins any more
	quitting bool        // and all streams have ended
	dead     bool        // nothing more is sent
}

// serveHTTP2 answers requests until the connection is done for.
func (c *conn) serveHTTP2() {
	h := newHTTP2Conn(c)
	h.mu.Lock()
	h.out = h.appendGreeting(h.output())
	h.wake()
	h.idle = time.AfterFunc(time.Hour, h.idled)
	h.idle.Stop()
	h.rest()
	h.mu.Unlock()
	yields := c.yields
	c.http2.Store(h) // from now on others may send something, behind the greeting
	if yields || c.srv.closing.Load() {
		h.shutdown()
	}
	h.end(h.read())
}

func newHTTP2Conn(c *conn) *http2Conn {
	h := &http2Conn{
		c:       c,
		streams: make(map[uint32]*http2Stream),
		times:   c.times,
		window:  firstWindow,
		initial: firstWindow,
	}
	h.written.L = &h.mu
	h.calm = newPatience(calmBurst, calmPerSecond)
	if disturbed := c.srv.Disturbed; disturbed != nil {
		h.ask = func(frames int) bool { return disturbed(c.remote, frames) }
	}
	h.encoder = hpack.NewEncoder(&h.encoded)
	h.decoder = hpack.NewDecoder(headerTable, h.block.add)
	h.decoder.SetMaxStringLength(c.limits.Head)
	return h
}

// appendGreeting appends our settings, which must be the first frame, and a
// larger window for the connection than RFC 9113 §6.9.2 begins with.
func (h *http2Conn) appendGreeting(b []byte) []byte {
	extended := uint32(1)
	if own := h.c.srv.OwnSockets; own != nil && own(h.c.nc) {
		extended = 0
	}
	b = appendSettings(b,
		setting{settingMaxStreams, uint32(h.c.limits.Streams)},
		setting{settingInitialWindow, streamWindow},
		setting{settingMaxHeaderList, uint32(h.c.limits.Head)},
		setting{settingConnectProtocol, extended},
		setting{settingNoRFC7540Priority, 1},
	)
	return appendWindowUpdate(b, 0, connWindow-firstWindow)
}

// adequate tells whether HTTP/2 may be spoken over TLS as it was agreed
// (RFC 9113 §9.2).
func adequate(s *tls.ConnectionState) bool {
	if s.Version >= tls.VersionTLS13 {
		return true
	}
	switch s.CipherSuite {
	case tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256:
		return s.Version == tls.VersionTLS12
	}
	return false
}

// end closes the connection and waits for its goroutines. If err is a fault of the
// client's, GOAWAY tells it first.
func (h *http2Conn) end(err error) {
	h.mu.Lock()
	fault, faulty := errors.AsType[*http2Fault](err)
	said := faulty || h.quitting
	if faulty {
		h.out = appendGoAway(h.output(), h.last, fault.code)
	}
	h.dead = true
	h.idle.Stop()
	for _, timer := range []*time.Timer{h.late, h.leaving} {
		if timer != nil {
			timer.Stop()
		}
	}
	for _, st := range h.streams {
		st.fail(errClientGone)
		if st.rest != nil {
			st.rest.Stop()
		}
	}
	if said {
		h.wake()
	} else {
		h.c.accepted.Close() // a write that waits fails
	}
	for h.writing {
		h.written.Wait()
	}
	h.out = nil
	h.mu.Unlock()
	h.c.close(said)
	h.handlers.Wait()
}

// shutdown lets the streams finish, with those that the client begins before it has read
// GOAWAY (RFC 9113 §6.8): it may be unable to send their bodies again. A connection without
// a stream yet has freshTime to begin one, as over HTTP/1.1.
func (h *http2Conn) shutdown() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.begun > 0 {
		h.leave()
		return
	}
	time.AfterFunc(freshTime, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.leave()
	})
}

// leave sends a GOAWAY that takes all streams, and a PING behind it. goAway follows goingSoon
// after the client acknowledged that, since its threads may send streams that it had begun
// a little later, or after goingTime.
func (h *http2Conn) leave() {
	if h.leaving != nil || h.going || h.dead {
		return
	}
	h.idle.Stop()
	h.leaving = time.AfterFunc(goingTime, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.goAway()
	})
	h.out = appendGoAway(h.output(), maxStream, codeNone)
	h.ping(0)
}

// ping sends a PING with the number of a stream, or 0 for the connection. That the client
// acknowledges it tells hasRead that it has read all that was sent before.
func (h *http2Conn) ping(stream uint32) {
	h.out = appendFrameHead(h.output(), frameHead{length: 8, kind: framePing})
	h.out = binary.BigEndian.AppendUint64(h.out, uint64(stream))
	h.wake()
}

// hasRead acts on the acknowledgement of a PING with the number that ping sent.
func (h *http2Conn) hasRead(stream uint64) error {
	st := h.streams[uint32(stream)]
	switch {
	case stream == 0 && h.leaving != nil && !h.known:
		h.known = true
		h.leaving.Reset(goingSoon)
	case st != nil && st.asked:
		st.abort(codeNone)
	default:
		return h.answered(1) // the client may have reset the stream meanwhile
	}
	return nil
}

// goAway takes no more streams from now on.
func (h *http2Conn) goAway() {
	if h.going || h.dead {
		return
	}
	h.going = true
	if h.leaving != nil {
		h.leaving.Stop()
	}
	h.out = appendGoAway(h.output(), h.last, codeNone)
	h.wake()
	h.rest()
}

// rest is called when a stream or a handler may have been the last one.
func (h *http2Conn) rest() {
	switch {
	case len(h.streams)+h.running > 0 || h.dead:
	case h.going:
		h.quitting = true
		h.c.accepted.SetReadDeadline(longAgo)
	case h.leaving == nil:
		h.rested = time.Now()
		if h.times.KeepAlive > 0 {
			h.idle.Reset(h.times.KeepAlive)
		}
	}
}

// idled is what the idle timer runs.
func (h *http2Conn) idled() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.streams)+h.running == 0 {
		h.leave()
	}
}

// wake sees to it that somebody writes what is in out.
func (h *http2Conn) wake() {
	if h.writing || len(h.out) == 0 {
		return
	}
	h.writing = true
	go h.write()
}

// wakeSoon is wake after flushDelay, so that more can go out in the same write.
func (h *http2Conn) wakeSoon() {
	switch {
	case h.writing || h.lateSet:
	case h.late == nil:
		h.lateSet = true
		h.late = time.AfterFunc(flushDelay, h.writeLate)
	default:
		h.lateSet = true
		h.late.Reset(flushDelay)
	}
}

func (h *http2Conn) writeLate() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lateSet = false
	h.wake()
}

// write sends what is in out until there is nothing more.
func (h *http2Conn) write() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(h.out) > 0 {
		b := h.out
		h.out = nil
		for _, st := range h.heads {
			st.headWaits = false
			st.cond.Broadcast()
		}
		h.heads = nil
		h.admit()
		if d := h.times.Write; d > 0 {
			h.c.nc.SetWriteDeadline(time.Now().Add(d))
		}
		h.mu.Unlock()
		_, err := h.c.nc.Write(b)
		putOutput(b)
		h.mu.Lock()
		if err != nil {
			h.dead = true
			h.out = nil
			h.c.accepted.Close() // ends the reading, which ends all else
			for _, st := range h.streams {
				st.cond.Broadcast()
			}
		}
	}
	h.writing = false
	h.written.Broadcast()
	if h.c.overTLS && !h.dead {
		h.c.nc.SetWriteDeadline(time.Now().Add(leisure))
	}
}

// admit wakes as many of the streams that wait to send as there is room for.
func (h *http2Conn) admit() {
	room := min(int64(maxOutput-len(h.out)), h.window) - int64(h.called)*ownMaxFrame
	for len(h.waiting) > 0 && room > 0 {
		h.nextTurn().cond.Broadcast()
		room -= ownMaxFrame
	}
	if len(h.waiting) == 0 {
		h.waiting = nil
	}
}

// answer appends the frame that answers one of the client's.
func (h *http2Conn) answer(frame func([]byte) []byte) error {
	if h.dead {
		return nil
	}
	h.out = frame(h.output())
	if len(h.out) > maxUnsent {
		return connFault(codeEnhanceYourCalm, "answers are not read")
	}
	h.wake()
	return nil
}

// cutOff ends the connection as soon as the reading goroutine sees it.
func (h *http2Conn) cutOff() {
	h.cut.Store(true)
	h.c.accepted.SetReadDeadline(longAgo)
}

// credit gives back to the connection's window what has come, in large pieces.
func (h *http2Conn) credit() {
	if h.received >= connWindow/4 && !h.dead {
		h.out = appendWindowUpdate(h.output(), 0, h.received)
		h.received = 0
		h.wake()
	}
}

// forget removes a stream that has ended on both sides.
func (h *http2Conn) forget(st *http2Stream, reset bool) {
	if h.streams[st.id] != st {
		return
	}
	delete(h.streams, st.id)
	h.grown -= st.allowed - streamWindow
	if st.rest != nil {
		st.rest.Stop()
	}
	h.ended.note(st.id, reset)
	h.rest()
}

// start begins a stream and its handler. If refused is not nil, that is answered in
// the handler's place.
func (h *http2Conn) start(st *http2Stream, r *http.Request, refused *ProtocolError) {
	h.streams[st.id] = st
	if h.c.srv.closing.Load() {
		h.leave()
	}
	h.answers += answersEach
	h.running++
	h.idle.Stop()
	h.handlers.Add(1)
	go func() {
		defer h.handlers.Done()
		st.serve(r, refused)
		h.mu.Lock()
		defer h.mu.Unlock()
		h.running--
		h.rest()
	}()
}
