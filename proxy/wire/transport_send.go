package wire

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"guise/cache/ending"
)

// A sender sends a request's body on a goroutine of its own, while the
// caller's waits for the response. It closes the body when it ends, unless
// the body may have to be sent again.
type sender struct {
	c       *originConn
	t       *Transport
	body    io.ReadCloser
	length  int64       // -1 if unknown: chunked
	trailer http.Header // filled in by the body by the time it ends

	read    chan struct{} // closed after the first Read of the body
	done    chan struct{} // closed at the end
	proceed chan bool     // nil unless 100 (Continue) is awaited: send or not

	keeps bool   // up to sendBuffer of the body is kept, in case it has to be sent again
	kept  []byte // what was read of it
	whole bool   // kept is all of the body; guarded by mu

	room     int // length of the head
	writing  sync.Mutex
	head     []byte // not written yet; guarded by writing
	mu       sync.Mutex
	decided  bool         // proceed has a value, or the wait for it has ended
	stopped  bool         // no more is to be sent
	last     bool         // the last write has begun
	over     bool         // the response ended first; the connection is the sender's to close
	watched  ending.Watch // once over, the sender's to stop
	complete bool         // all was sent
	err      error        // why sending ended early
	open     bool         // the sender has ended, and left the body open; see letGo
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

// writeHead writes the head if that has not happened yet. It does not wait if run is
// writing: an origin may take no more before its answer is read.
func (s *sender) writeHead() error {
	if !s.writing.TryLock() {
		return nil
	}
	defer s.writing.Unlock()
	head := s.head
	s.head = nil
	if head == nil {
		return nil
	}
	return s.c.write(head, s.t.WriteTimeout)
}

// run sends the body.
func (s *sender) run() {
	defer close(s.done)
	err := s.wait()
	if err == nil {
		err = s.send()
	}
	if !s.ended(err) {
		s.body.Close()
	}
}

// ended notes how sending ended, and reports whether the body stays open. If the body broke
// off, it cuts the connection; if the origin stopped reading, the response has lastWords
// to come.
func (s *sender) ended(err error) (open bool) {
	// All under the lock: once the exchange sees that sending has ended, the
	// connection may serve another one.
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err, s.complete = err, err == nil
	if s.over {
		s.c.closeNow()
		s.watched.Stop()
		return false
	}
	switch err := err.(type) {
	case nil:
		s.c.requestSent(s.t.ResponseTimeout, ErrResponseTimeout)
		return false
	case *RequestBodyError:
		s.c.cancel(err)
		return false
	}
	s.c.requestSent(min(lastWords, s.t.ResponseTimeout), err)
	s.open = s.keeps && !s.stopped
	return s.open
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

// keep appends piece, which was read of the body, to kept, unless that gets larger than
// sendBuffer.
func (s *sender) keep(piece []byte, last bool) {
	if s.keeps = s.keeps && len(s.kept)+len(piece) <= sendBuffer; !s.keeps {
		s.kept = nil
		return
	}
	s.kept = append(s.kept, piece...)
	if last {
		s.mu.Lock()
		s.whole = true
		s.mu.Unlock()
	}
}

// takeBack returns the body from its first byte on, if the sender has kept what it read
// of it, else nil. The connection is closed, so a write ends soon. With wait, takeBack waits
// until the sender's first Read has returned, and then, since the client may wait for the
// answer before it sends more, at most lastWords for the sender to end; not after ctx ends.
func (s *sender) takeBack(ctx context.Context, wait bool) io.ReadCloser {
	if wait {
		s.answered(false)
		if s.read != nil {
			await(ctx, s.read)
		}
	}
	s.mu.Lock()
	wait = wait || s.whole
	s.mu.Unlock()
	if wait {
		ctx, cancel := context.WithTimeout(ctx, lastWords)
		defer cancel()
		await(ctx, s.done)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.complete && s.keeps:
		return io.NopCloser(bytes.NewReader(s.kept))
	case !s.open:
		return nil
	}
	s.open = false
	rest := io.Reader(s.body)
	if s.whole {
		rest = http.NoBody
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(s.kept), rest), s.body}
}

// await waits for c, unless ctx ends.
func await(ctx context.Context, c <-chan struct{}) {
	select {
	case <-c:
	case <-ctx.Done():
	}
}

// letGo closes the body that the sender has left open; s.mu is held.
func (s *sender) letGo() {
	if s.open {
		s.open = false
		s.body.Close()
	}
}

// stop makes the sender end before its next write, and closes a body that it left open.
func (s *sender) stop() {
	s.answered(false)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	s.letGo()
}

// settle waits up to settleTime for a sender that is in its last write: the origin's
// response can be here before that returns.
func (s *sender) settle() {
	s.mu.Lock()
	due := s.last && !s.complete && s.err == nil
	s.mu.Unlock()
	if !due {
		return
	}
	timer := time.NewTimer(s.t.settleTime)
	defer timer.Stop()
	select {
	case <-s.done:
	case <-timer.C:
	}
}

// leave hands the connection and the watch on the context to a sender that
// is still at work, and reports whether it was.
func (s *sender) leave(watched ending.Watch) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.complete || s.err != nil {
		s.letGo()
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
		s.keep(piece[:n], end)
		if first && s.read != nil {
			close(s.read)
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
	err := s.c.write(out, s.t.WriteTimeout)
	s.c.renewRead() // an origin may answer early, and say the rest once it has all of the request
	return err
}
