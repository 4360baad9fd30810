package wire

import (
	"context"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"guise/cache/ending"
)

// A sender sends a request's body on a goroutine of its own, while the
// caller's waits for the response. It closes the body when it ends.
type sender struct {
	c       *originConn
	t       *Transport
	body    io.ReadCloser
	length  int64       // -1 if unknown: chunked
	trailer http.Header // filled in by the body by the time it ends

	read    chan struct{} // closed after the first Read of the body
	done    chan struct{} // closed at the end
	proceed chan bool     // nil unless 100 (Continue) is awaited: send or not

	keeps bool   // keep a body that is read in one piece
	kept  []byte // that body; nil if it was none. Guarded by mu

	room     int // length of the head
	writing  sync.Mutex
	head     []byte // not written yet; guarded by writing
	mu       sync.Mutex
	decided  bool         // proceed has been answered, or nobody waits for it
	stopped  bool         // no more is to be sent
	last     bool         // the last write has begun
	over     bool         // the response ended first; the connection is the sender's to close
	watched  ending.Watch // then also the sender's to stop
	complete bool         // all was sent
	err      error        // why sending ended early
}

// sendBuffer holds one piece of a body, and a head in front of the first.
const sendBuffer = 32 << 10

var sendBuffers = sync.Pool{New: func() any { b := make([]byte, sendBuffer); return &b }}

// newSender readies a sender for p's body. With expects, it waits for
// proceed.
func newSender(p *plan, c *originConn, expects bool) *sender {
	s := &sender{
		c: c, t: p.t, body: p.body, length: p.length, trailer: p.r.Trailer,
		done: make(chan struct{}), keeps: c.reused && !p.replayable(),
	}
	if expects {
		s.proceed = make(chan bool, 1)
		return s
	}
	s.read = make(chan struct{})
	s.head, s.room = slices.Clone(p.head), len(p.head)
	return s
}

// headInTime waits for the sender to write the head along with the first
// bytes of the body, but not for long.
func (s *sender) headInTime() error {
	timer := time.NewTimer(s.t.headDelay)
	defer timer.Stop()
	select {
	case <-s.read:
		return nil
	case <-timer.C:
		return s.writeHead()
	}
}

// writeHead writes the head if that has not happened yet.
func (s *sender) writeHead() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	head := s.head
	s.head = nil
	if head == nil {
		return nil
	}
	return s.c.write(head, s.t.WriteTimeout)
}

// run sends the body. How it ended is seen at the connection:
// a body that broke off cuts it, and an origin that stopped reading has a
// moment to say why.
func (s *sender) run() {
	defer close(s.done)
	defer s.body.Close()
	err := s.wait()
	if err == nil {
		err = s.send()
	}
	// All under the lock: once the exchange sees that sending ended, the
	// connection may be another's.
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err, s.complete = err, err == nil
	if s.over {
		s.c.closeNow()
		s.watched.Stop()
		return
	}
	switch err := err.(type) {
	case nil:
		s.c.requestSent(s.t.ResponseTimeout, ErrResponseTimeout)
	case *RequestBodyError:
		s.c.cancel(err)
	default:
		s.c.requestSent(min(lastWords, s.t.ResponseTimeout), err)
	}
}

// lastWords is how long a response may take after the origin stopped taking
// the request.
const lastWords = time.Second

// errNotSent means that a body was not sent, or not on, because the
// response made it useless.
var errNotSent error = &wrapped{"wire: request body not wanted", io.ErrClosedPipe}

// wait waits for 100 (Continue), a final response or the time to do without
// (RFC 9110 §10.1.1).
func (s *sender) wait() error {
	if s.proceed == nil {
		return nil
	}
	timer := time.NewTimer(s.t.ContinueTimeout)
	defer timer.Stop()
	select {
	case send := <-s.proceed:
		if !send {
			return errNotSent
		}
		return nil
	case <-timer.C:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.decided && !<-s.proceed {
		return errNotSent
	}
	s.decided = true
	return nil
}

// answered tells a waiting sender whether to send, and reports whether it
// was waiting.
func (s *sender) answered(send bool) bool {
	if s.proceed == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.decided {
		return false
	}
	s.decided = true
	s.proceed <- send
	return true
}

// begun notes that the first piece of the body was read, which may be the whole.
func (s *sender) begun(piece []byte, whole bool) {
	if whole && s.keeps {
		s.mu.Lock()
		s.kept = append(make([]byte, 0, len(piece)), piece...) // not nil, even if it is empty
		s.mu.Unlock()
	}
	if s.read != nil {
		close(s.read)
	}
}

// all returns the body if the sender has kept it, once it does no more. It was told
// to stop. With wait, what has yet to come is waited for until ctx ends.
func (s *sender) all(ctx context.Context, wait bool) []byte {
	if wait && s.keeps && s.read != nil {
		select {
		case <-s.read:
		case <-ctx.Done():
		}
	}
	s.mu.Lock()
	kept := s.kept
	s.mu.Unlock()
	if kept != nil {
		<-s.done
	}
	return kept
}

// stop makes the sender end before its next write.
func (s *sender) stop() {
	s.answered(false)
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
}

// settle waits a moment for a sender whose last write is due to return: an
// origin's answer to it can be here first.
func (s *sender) settle() {
	s.mu.Lock()
	due := s.last && !s.complete && s.err == nil
	s.mu.Unlock()
	if !due {
		return
	}
	timer := time.NewTimer(settleTime)
	defer timer.Stop()
	select {
	case <-s.done:
	case <-timer.C:
	}
}

const settleTime = 10 * time.Millisecond

// leave hands the connection and the watch on the context to a sender that
// is still busy, and reports whether it took them.
func (s *sender) leave(watched ending.Watch) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.complete || s.err != nil {
		return false
	}
	s.over, s.watched = true, watched
	return true
}

// wholly tells whether all of the request was sent.
func (s *sender) wholly() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.complete
}

// Room around a piece: for its size in hexadecimal in front of it, and for
// the end of the body behind it.
const (
	chunkHead = len("ffff\r\n")
	chunkTail = len("\r\n0\r\n\r\n")
)

// send writes the body, each piece as it comes.
func (s *sender) send() error {
	pooled := sendBuffers.Get().(*[]byte)
	defer sendBuffers.Put(pooled)
	buf := *pooled
	at := chunkHead // where a piece goes; the first has the head in front
	if s.room < sendBuffer/2 {
		at += s.room
	}
	left := s.length
	for first := true; ; first = false {
		piece := buf[at : len(buf)-chunkTail]
		if left >= 0 && int64(len(piece)) > left {
			piece = piece[:left]
		}
		n, err := s.t.readBody(s.body, piece)
		if left > 0 {
			left -= int64(n)
		}
		end := err == io.EOF || left == 0
		if err == io.EOF && left > 0 {
			err = io.ErrUnexpectedEOF
		}
		broken := err != nil && err != io.EOF
		if first {
			s.begun(piece[:n], end && !broken)
		}
		if broken {
			return &RequestBodyError{err}
		}
		start, out := at, piece[:n]
		if s.length < 0 {
			start, out = s.chunk(buf, at, n, end)
		}
		if err := s.write(buf, start, out, end); err != nil || end {
			return err
		}
		at = chunkHead
	}
}

// chunk frames the piece of n bytes at buf[at:], and after the last one ends
// the body with its trailer fields (RFC 9112 §7.1). It returns what to write
// and where in buf that starts.
func (s *sender) chunk(buf []byte, at, n int, end bool) (start int, out []byte) {
	start, out = at, buf[at:at]
	if n > 0 {
		var digits [chunkHead]byte
		size := appendChunkSize(digits[:0], n)
		start -= len(size)
		copy(buf[start:], size)
		out = append(buf[start:at+n], "\r\n"...)
	}
	if !end {
		return start, out
	}
	return start, appendLastChunk(out, s.trailer)
}

// write writes out, which starts at buf[start] unless trailer fields made it
// outgrow buf, and the head before it if that is still due.
func (s *sender) write(buf []byte, start int, out []byte, last bool) error {
	s.mu.Lock()
	stopped := s.stopped
	s.last = last
	s.mu.Unlock()
	if stopped {
		return errNotSent
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	head := s.head
	s.head = nil
	if room := start - len(head); len(head) > 0 && room >= 0 && len(out) > 0 && &out[0] == &buf[start] {
		copy(buf[room:], head)
		out = buf[room : start+len(out)]
	} else if len(head) > 0 {
		if err := s.c.write(head, s.t.WriteTimeout); err != nil {
			return err
		}
	}
	if len(out) == 0 {
		return nil
	}
	return s.c.write(out, s.t.WriteTimeout)
}
