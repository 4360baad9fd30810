package cache

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

// errLagged ends the body of a reader that fell too far behind a response
// which is too large to be held.
var errLagged = errors.New("cache: reader too far behind a large response")

// ahead is how far a body that is too large to be held is read ahead of its
// fastest reader. Where all such bodies have taken their room it is no more than a moment's
// worth: each of them that somebody reads slowly holds so much.
const (
	ahead       = 256 << 10
	littleAhead = 64 << 10
)

// leaderTime is for how long others wait for a leader that stops reading such a body.
const leaderTime = 10 * time.Second

// maxPieces bounds how many arrivals of a body are remembered. A pretence shows them to its
// client beat by beat: those of a body that comes in little pieces, for as long as times are
// drawn, are some hundred.
const maxPieces = 512

// A piece is one arrival of a body's bytes.
type piece struct {
	to    int64         // end of the piece in the body
	after time.Duration // since the head
}

const pieceSize = 16

// A spool is a body on its way from the origin to its readers. One goroutine writes it; any
// number read it, each at its own pace. Up to a limit all of it is held. Over the limit it
// slides: the writer waits for the fastest reader, and one that lags behind by more than the
// limit is dropped. The leader is not: the writer waits for it as well, for up to leaderTime.
type spool struct {
	limit int64
	most  int64     // bytes that the body has at most
	sized bool      // its length is known: it has most bytes
	start time.Time // when the head came
	now   func() time.Time

	mu      sync.Mutex
	buf     []byte
	base    int64 // bytes that slid out before buf[0]
	sliding bool
	done    bool
	ended   time.Time
	err     error // nil after done means the body is whole
	trailer http.Header
	readers []*spoolReader
	leader  *spoolReader  // not dropped for lagging; nil for none
	moved   chan struct{} // closed when anything above changes; nil if nobody waits
	pieces  []piece
	grain   int64                      // pieces smaller than this are not told apart
	resize  func(by int64) (over bool) // told how many bytes more are held, or are about to be; over asks it to slide
	scarce  func() bool                // too much is held by all such bodies together
	hold    *hold                      // of buf, once nobody writes any more and while there are readers
}

func (s *spool) head() int64 { return s.base + int64(len(s.buf)) }

// wake lets everybody look again. The caller holds mu.
func (s *spool) wake() {
	if s.moved != nil {
		close(s.moved)
		s.moved = nil
	}
}

// wait returns a channel that is closed on the next change. The caller holds mu.
func (s *spool) wait() <-chan struct{} {
	if s.moved == nil {
		s.moved = make(chan struct{})
	}
	return s.moved
}

// fill appends what one read of r brings, straight to where it is held if there is
// room for all of the body, else by way of spare. Over the limit it waits until a
// reader needs more. It returns an error of ctx, if that ends first, or of r.
func (s *spool) fill(ctx context.Context, r io.Reader, spare []byte) error {
	room := s.room()
	if len(room) == 0 {
		n, err := r.Read(spare)
		if n > 0 {
			if err := s.write(ctx, spare[:n]); err != nil {
				return err
			}
		}
		return err
	}
	n, err := r.Read(room)
	if n > 0 {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.buf = s.buf[:len(s.buf)+n]
		s.note(s.now().Sub(s.start))
		s.wake()
	}
	return err
}

// room returns the place for the rest of the body, if there is room for all of it.
// No reader looks there.
func (s *spool) room() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sliding || !s.sized || int64(cap(s.buf)) < s.most {
		return nil
	}
	return s.buf[len(s.buf):cap(s.buf)]
}

// write appends p. Over the limit it waits until a reader needs more; it
// returns an error if ctx ends first, or there is no reader.
func (s *spool) write(ctx context.Context, p []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.sliding && s.head()+int64(len(p)) > s.limit {
		s.sliding = true
		s.wake()
	}
	var late <-chan time.Time
	for s.sliding && (s.head()-s.fastest() > s.ahead() || s.head()-s.led() > s.kept()) {
		if len(s.readers) == 0 {
			return errNobody // nor can anybody come, and it is not stored
		}
		if late == nil && s.head()-s.fastest() <= s.ahead() {
			timer := time.NewTimer(leaderTime)
			defer timer.Stop()
			late = timer.C
		}
		moved := s.wait()
		s.mu.Unlock()
		stalled := false
		select {
		case <-moved:
		case <-ctx.Done():
		case <-late:
			stalled = true
		}
		s.mu.Lock()
		if err := ctx.Err(); err != nil {
			return err
		}
		if stalled {
			s.leader = nil
		}
	}
	if s.sliding {
		before := cap(s.buf)
		s.slide()
		s.resize(int64(cap(s.buf) - before))
	}
	s.grow(len(p))
	s.buf = append(s.buf, p...)
	s.note(s.now().Sub(s.start))
	s.wake()
	return nil
}

// grow makes room for n more bytes, and for no more than the body may have. Where that is
// too much, the body slides from now on, and gets what it needs.
func (s *spool) grow(n int) {
	need := len(s.buf) + n
	before := cap(s.buf)
	if need <= before {
		return
	}
	room := s.grown(need)
	if s.resize(int64(room-before)) && !s.sliding {
		s.sliding = true
		s.resize(int64(need - room))
		room = need
	}
	s.buf = append(slices.Grow([]byte(nil), room), s.buf...) // with all room that there is, which is counted
	s.resize(int64(cap(s.buf) - room))
}

// grown returns how much room there is to be for so many bytes, for which there is too little.
func (s *spool) grown(need int) int {
	large := cap(s.buf) >= 256<<10
	room := 2 * cap(s.buf)
	if large {
		room = cap(s.buf) / 2 * 3
	}
	trusted := s.sized && !s.sliding && (large || s.most <= int64(4*need)) // so much of it has come that the rest will, too
	if trusted || int64(room) > s.most {
		room = int(s.most)
	}
	return max(need, room)
}

// note remembers when bytes came. Where too many pieces come, neighbours are joined.
func (s *spool) note(after time.Duration) {
	if s.sliding {
		s.pieces = nil
		return
	}
	if n := len(s.pieces); n > 1 && s.head()-s.pieces[n-2].to <= s.grain {
		s.pieces[n-1] = piece{s.head(), after}
		return
	}
	s.pieces = append(s.pieces, piece{s.head(), after})
	if len(s.pieces) < maxPieces {
		return
	}
	for i := range maxPieces / 2 {
		s.pieces[i] = s.pieces[2*i+1]
	}
	s.pieces = s.pieces[:maxPieces/2]
	s.grain = s.head() / (maxPieces / 2)
}

func (s *spool) fastest() int64 {
	var most int64
	for _, r := range s.readers {
		most = max(most, r.at)
	}
	return most
}

// led returns how far the leader is, or if there is none, the head.
func (s *spool) led() int64 {
	if s.leader != nil && s.leader.open {
		return s.leader.at
	}
	return s.head()
}

// ahead is how far a body that slides is read ahead.
func (s *spool) ahead() int64 {
	if s.resize(0) {
		return littleAhead
	}
	return ahead
}

// kept is how far back a body that slides is held, or where memory is scarce, much less.
func (s *spool) kept() int64 {
	if s.scarce() {
		return min(s.limit, 2*ahead) // the fastest reader is not further behind
	}
	return s.limit
}

// slide drops the bytes that every reader has read, and those further back than kept, but for
// those that the leader has not read.
func (s *spool) slide() {
	least := s.head()
	for _, r := range s.readers {
		least = min(least, r.at)
	}
	least = max(least, min(s.head()-s.kept(), s.led()))
	n := least - s.base
	if n <= 0 {
		return
	}
	s.base = least
	if rest := s.buf[n:]; int64(cap(s.buf)) > 4*s.ahead() && len(rest) < cap(s.buf)/4 {
		s.buf = append(slices.Grow([]byte(nil), 2*len(rest)), rest...)
		return
	}
	// Copying down keeps the array from growing without end.
	s.buf = s.buf[:copy(s.buf, s.buf[n:])]
}

// finish ends the body, once; err is nil if it is whole.
func (s *spool) finish(err error, trailer http.Header) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		return
	}
	s.ended = s.now() // first: if it panics, the body has not ended, and is yet to
	s.done, s.err, s.trailer = true, err, trailer
	s.wake()
}

// reader returns a reader from the start on. It returns nil if the start has
// slid out, or would for a reader that comes now.
func (s *spool) reader(ctx context.Context, trailer http.Header, closed func()) *spoolReader {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sliding {
		return nil
	}
	r := &spoolReader{s: s, ctx: ctx, open: true, trailer: trailer, closed: closed}
	s.readers = append(s.readers, r)
	return r
}

// A spoolReader reads one client's copy of a body. Not safe for concurrent
// use, except for Close.
type spoolReader struct {
	s       *spool
	ctx     context.Context
	at      int64 // guarded by s.mu, as is open
	open    bool
	trailer http.Header // filled at the end
	closed  func()
	once    sync.Once
}

func (r *spoolReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	s := r.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := r.await(); err != nil {
		return 0, err
	}
	if r.at < s.head() {
		n := copy(p, s.buf[r.at-s.base:])
		r.at += int64(n)
		if s.sliding {
			s.wake()
		}
		return n, nil
	}
	if s.err != nil {
		return 0, s.err
	}
	if r.trailer != nil {
		maps.Copy(r.trailer, s.trailer)
	}
	return 0, io.EOF
}

// await returns once there is something to read, or the end. The caller holds
// the spool's mu, which is free meanwhile.
func (r *spoolReader) await() error {
	s := r.s
	for {
		if !r.open {
			return http.ErrBodyReadAfterClose
		}
		if r.at < s.base {
			return errLagged
		}
		if r.at < s.head() || s.done {
			return nil
		}
		moved := s.wait()
		s.mu.Unlock()
		select {
		case <-moved:
		case <-r.ctx.Done():
		}
		s.mu.Lock()
		if err := r.ctx.Err(); err != nil {
			return err
		}
	}
}

// A spoolCourse is the course of a body that is on its way. The reader is at
// the offset that is asked about.
type spoolCourse struct {
	*spoolReader
	head time.Duration // when the head came
}

func (c spoolCourse) came(at int64) (time.Duration, error) {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := c.await(); err != nil {
		return 0, err
	}
	for _, p := range s.pieces {
		if at < p.to {
			return c.head + p.after, nil
		}
	}
	if at >= s.head() {
		return c.head + s.ended.Sub(s.start), nil
	}
	return 0, nil // too large to be stored: its pieces are not remembered
}

func (c spoolCourse) by(d time.Duration) int64 {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pieces) == 0 {
		return s.head()
	}
	var to int64
	for _, p := range s.pieces {
		if c.head+p.after > d {
			break
		}
		to = p.to
	}
	return to
}

// Close tells the spool that this client wants no more.
func (r *spoolReader) Close() error {
	r.once.Do(func() {
		r.s.mu.Lock()
		r.open = false
		r.s.readers = slices.DeleteFunc(r.s.readers, func(o *spoolReader) bool { return o == r })
		if len(r.s.readers) == 0 {
			r.s.hold.use(-1)
			r.s.hold = nil
		}
		r.s.wake()
		r.s.mu.Unlock()
		r.closed()
	})
	return nil
}
