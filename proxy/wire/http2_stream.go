package wire

import (
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// An http2Stream is one request and its response, or a tunnel. All of it is
// guarded by the connection's lock.
type http2Stream struct {
	h    *http2Conn
	id   uint32
	ctx  requestContext
	w    http2Response
	cond sync.Cond // anything changed

	// From the client.
	in         http2Input
	length     int64       // of the body, as announced; -1 if it was not
	got        int64       // of the body, so far
	allowed    int         // the window that we give
	received   int         // bytes of it that came and are not given back
	unacked    int         // bytes that were read, and are to be given back
	remoteDone bool        // the client has sent all
	into       http.Header // the request's Trailer, to be filled in at the end
	trailer    http.Header
	expects    bool        // the client waits for 100 (Continue)
	awaited    bool        // and that was not sent yet
	closed     bool        // nobody reads any more
	slow       bool        // a read took too long
	rest       *time.Timer // resets the stream if the body has not ended by then; set by linger
	drains     bool        // until then, the window is kept open
	asked      bool        // until then, a PING asks whether the client has read the response
	readTill   http2Deadline

	// To the client.
	rank      rank
	window    int64 // bytes that we may send
	queued    bool  // the stream is in http2Conn.waiting
	called    bool  // it is counted in http2Conn.called
	headWaits bool  // it is in http2Conn.heads
	localDone bool  // we have sent all
	writeTill http2Deadline

	hijacked bool
	err      error // why nothing passes any more, either way
}

func newHTTP2Stream(h *http2Conn, id uint32) *http2Stream {
	st := &http2Stream{h: h, id: id, length: -1, allowed: streamWindow, rank: ordinary, window: h.initial}
	st.cond.L = &h.mu
	st.ctx.values = h.c.ctx
	return st
}

// open prepares the stream for the request r.
func (st *http2Stream) open(r *http.Request, end bool) {
	r.RemoteAddr, r.TLS = st.h.c.remote, st.h.c.tls
	st.remoteDone = end
	st.w.init(st, r)
	if lines := r.Header["Priority"]; len(lines) > 0 {
		st.rank = parseRank(lines...)
	}
	if st.h.foretold.stream == st.id {
		st.rank = st.h.foretold.rank
	}
	if end {
		return
	}
	st.length, st.into = r.ContentLength, r.Trailer
	st.expects = expectsContinue(r.Header)
	st.awaited = st.expects
	r.Body = http2Body{st}
}

// serve runs the handler. A panic, also one in the end of the response, resets
// this stream alone.
func (st *http2Stream) serve(r *http.Request, refused *ProtocolError) {
	ended := false
	defer func() {
		if v := recover(); v != nil {
			st.h.c.srv.logPanic(v)
			switch v {
			case ErrCutOff:
				st.h.cutOff()
			case ErrElsewhere:
				st.refuse()
			}
		}
		if !ended {
			st.finish(false)
		}
	}()
	if refused != nil {
		text := refused.answer()
		maps.Copy(st.w.Header(), st.h.c.srv.refused(refused.Status))
		st.w.Header()["Content-Type"] = []string{"text/plain; charset=utf-8"}
		st.w.Header()["Content-Length"] = []string{strconv.Itoa(len(text))}
		st.w.WriteHeader(refused.Status)
		st.w.WriteString(text)
	} else {
		st.h.c.srv.Handler.ServeHTTP(&st.w, r)
	}
	st.finish(true)
	ended = true
}

// refuse resets the stream with REFUSED_STREAM and sends GOAWAY, so that the client sends
// the request again, and all that follow, on another connection (RFC 9113 §8.7).
func (st *http2Stream) refuse() {
	h := st.h
	h.mu.Lock()
	defer h.mu.Unlock()
	h.goAway()
	st.abort(codeRefused)
}

// finish ends the response. One that is not whole is reset.
func (st *http2Stream) finish(whole bool) {
	h := st.h
	h.mu.Lock()
	defer h.mu.Unlock()
	if st.hijacked {
		return
	}
	if whole && st.err == nil {
		whole = st.w.end()
	}
	switch {
	case st.err != nil:
	case !whole:
		st.abort(codeInternal)
	case !st.remoteDone:
		st.linger()
	}
	st.drop()
	st.ctx.Cancel(errHandlerDone)
}

// linger lets the client send the rest of a small body that nobody reads: a fault in it
// can still be reported, and a client that reads only after it has sent all gets its
// answer. A larger rest is refused by a reset without an error (RFC 9113 §8.1), once the
// client has acknowledged a PING sent behind the answer, or after refuseTime: curl before
// 8.0, while it sends, loses an answer that comes together with the reset.
func (st *http2Stream) linger() {
	if st.h.going || st.awaited || st.slow {
		st.abort(codeNone)
		return
	}
	st.drains = st.length-st.got <= maxDrain
	wait := refuseTime
	if st.drains {
		wait = drainTime
		st.credit(st.received - st.unacked)
	} else {
		st.asked = true
		st.h.ping(st.id)
	}
	st.rest = time.AfterFunc(wait, func() {
		st.h.mu.Lock()
		defer st.h.mu.Unlock()
		st.abort(codeNone)
	})
}

// abort resets the stream.
func (st *http2Stream) abort(code http2Code) {
	h := st.h
	if st.err != nil {
		return
	}
	st.fail(errHandlerDone)
	if !h.dead {
		h.out = appendReset(h.output(), st.id, code)
		h.wake()
	}
	h.forget(st, true)
}

// fail ends both directions with err.
func (st *http2Stream) fail(err error) {
	if st.err == nil {
		st.err = err
	}
	st.readTill.stop()
	st.writeTill.stop()
	st.ctx.Cancel(err)
	st.cond.Broadcast()
}

// drop discards what came and was not read, and what will come.
func (st *http2Stream) drop() {
	st.closed = true
	st.in.free()
}

// accept takes bytes of the body.
func (st *http2Stream) accept(b []byte) {
	switch {
	case !st.closed && st.err == nil:
		st.in.add(b)
		st.cond.Broadcast()
	case !st.drains: // no window is given back; linger does that if it drains
	case st.got > maxDrain:
		st.abort(codeNone)
	default:
		st.credit(len(b))
	}
}

// credit gives n bytes back to the stream's window, which grows if data is read as fast as
// it comes.
func (st *http2Stream) credit(n int) {
	h := st.h
	if st.unacked += n; st.unacked < st.allowed/4 || st.remoteDone || st.err != nil || h.dead {
		return
	}
	grown := st.in.windowGrowth(st.allowed, grownWindow, largeWindows-h.grown)
	st.allowed += grown
	h.grown += grown
	h.out = appendWindowUpdate(h.output(), st.id, st.unacked+grown)
	st.received -= st.unacked
	st.unacked = 0
	h.wake()
}

// endRemote notes that the client has sent all.
func (st *http2Stream) endRemote() error {
	if st.err != nil {
		return nil
	}
	if st.length >= 0 && st.got != st.length {
		return streamFault(st.id, codeProtocol, "body of another length than announced")
	}
	st.remoteDone = true
	st.cond.Broadcast()
	if st.localDone {
		st.h.forget(st, false)
	}
	return nil
}

// trailers takes the trailer section, which ends the request.
func (st *http2Stream) trailers(b *headBlock) error {
	switch {
	case st.hijacked || st.w.r.Method == http.MethodConnect: // RFC 9113 §8.5
		return streamFault(st.id, codeProtocol, "head in a tunnel")
	case !b.end:
		return streamFault(st.id, codeProtocol, "trailers that end nothing")
	case b.wrong != "" || b.pseudo > 0:
		return streamFault(st.id, codeProtocol, "malformed trailers")
	case b.full || b.size > st.h.c.limits.Trailer:
		return streamFault(st.id, codeEnhanceYourCalm, "trailers too large")
	}
	dropForbidden(b.header)
	st.trailer = b.header
	return st.endRemote()
}

// read waits for bytes from the client, up to wait if that is above 0. Once the response has
// begun, and until it ends, a client may be silent for longer: in a dialogue, as gRPC's, it
// may have nothing to send but the end.
func (st *http2Stream) read(p []byte, wait time.Duration) (n int, err error) {
	timed := false
	for st.in.left() == 0 {
		switch {
		case st.closed:
			return 0, http.ErrBodyReadAfterClose
		case st.remoteDone:
			st.deliver()
			return 0, io.EOF
		case st.err != nil:
			return 0, st.err
		case st.readTill.passed && timed && st.w.wroteHeader && !st.localDone:
			st.readTill.start(st, wait)
		case st.readTill.passed:
			st.slow = true
			return 0, errSlow
		case wait > 0 && !timed && !st.readTill.set:
			timed = true
			st.readTill.start(st, wait)
			defer st.readTill.stop()
		}
		st.cond.Wait()
	}
	n = st.in.read(p)
	st.credit(n)
	if st.in.left() == 0 && st.remoteDone {
		st.deliver()
		return n, io.EOF
	}
	return n, nil
}

// deliver puts the trailers where the handler looks for them.
func (st *http2Stream) deliver() {
	if st.into != nil {
		maps.Copy(st.into, st.trailer)
		st.into = nil
	}
}

// write sends p as DATA, the last of the stream if end is set. It waits for
// room, up to wait if that is above 0, and returns when all of p is in out. With
// soon, little data may stay there for flushDelay, so that more goes out with it.
func (st *http2Stream) write(p []byte, end, soon bool, wait time.Duration) (sent int, err error) {
	h := st.h
	defer func() { st.leaveQueue(err != nil) }()
	for {
		if err := st.writeError(); err != nil {
			return sent, err
		}
		n := max(0, min(int64(len(p)-sent), st.window, h.window, ownMaxFrame, int64(maxOutput-len(h.out))))
		if n == 0 && sent < len(p) {
			if !st.waitToWrite(wait) {
				return sent, errSlow
			}
			continue
		}
		f := frameHead{length: int(n), kind: frameData, stream: st.id}
		last := sent+int(n) == len(p)
		if last && end {
			f.flags = flagEndStream
		}
		h.out = append(appendFrameHead(h.output(), f), p[sent:sent+int(n)]...)
		st.window -= n
		h.window -= n
		sent += int(n)
		if last || n >= narrowPiece {
			h.answers += answersEach
		}
		if !last {
			h.wake()
			continue
		}
		if soon && len(h.out) < maxOutput/4 {
			h.wakeSoon()
		} else {
			h.wake()
		}
		if end {
			st.endLocal()
		}
		return sent, nil
	}
}

func (st *http2Stream) writeError() error {
	switch {
	case st.err != nil:
		return st.err
	case st.h.dead:
		return errClientGone
	case st.localDone:
		return errHandlerDone
	case st.writeTill.passed:
		return errSlow
	}
	return nil
}

// waitToWrite waits until the stream may send more, and returns false if that
// takes longer than wait. If room came as the time ended, that was in time.
func (st *http2Stream) waitToWrite(wait time.Duration) bool {
	h := st.h
	timed := wait > 0 && !st.writeTill.set
	if timed {
		st.writeTill.start(st, wait)
		defer st.writeTill.stop()
	}
	turn, narrow := h.turn, st.window <= 0
	if narrow {
		h.admit() // the turn may have been this stream's, which cannot use it
	} else {
		st.queue()
	}
	h.wake()
	st.cond.Wait()
	if st.called {
		st.called = false
		h.called--
	}
	return !st.writeTill.passed || timed && (narrow && st.window > 0 || !narrow && h.turn != turn) // others had turns: the client is not slow
}

// queue has the stream wait for its turn to send.
func (st *http2Stream) queue() {
	if !st.queued {
		st.queued = true
		st.h.waiting = append(st.h.waiting, st)
	}
}

// leaveQueue removes the stream from those that wait. If it failed, its turn, if it had
// one, goes to the next one.
func (st *http2Stream) leaveQueue(failed bool) {
	h := st.h
	if st.queued {
		st.queued = false
		at := slices.Index(h.waiting, st)
		h.waiting = slices.Delete(h.waiting, at, at+1)
	}
	if failed {
		h.admit()
	}
}

// endLocal notes that all was sent.
func (st *http2Stream) endLocal() {
	st.localDone = true
	if st.remoteDone {
		st.h.forget(st, false)
	}
}
