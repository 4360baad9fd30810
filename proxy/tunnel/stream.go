package tunnel

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"guise/proxy/pipe"
)

// A stream is one direction of a tunnel. Only its own goroutine touches it,
// but for its state, which the tunnel's lock guards.
type stream struct {
	tunnel   *tunnel
	src, dst net.Conn
	early    []byte
	opening  *opening // nil once the stream carries whatever comes
	carried  int64
	pace     func(ctx context.Context, n int) error // nil for none
	state    state
	place    place // in the lot, if there is one

	writing sync.Mutex // held during each write
	broken  bool       // a write met what broke dst; guarded by writing
}

// A state is what a stream does.
type state uint8

const (
	stateParked  state = iota // waits for bytes without a goroutine
	stateRunning              // has a goroutine
	stateGone                 // is over
)

var errPanicked = errors.New("tunnel panicked")

// errParked says that a stream goes on when bytes come.
var errParked = errors.New("stream is parked")

// begin starts the stream; the tunnel's lock is held. Most wait for their
// first byte for a while.
func (s *stream) begin() {
	if s.tunnel.lot == nil || !s.settle() {
		s.start()
	}
}

// start gives the stream a goroutine; the tunnel's lock is held.
func (s *stream) start() {
	s.state = stateRunning
	s.tunnel.running++
	go s.run()
}

// park parks a running stream, and returns errParked if its goroutine may end.
func (s *stream) park() error {
	s.src.SetReadDeadline(time.Time{})
	t := s.tunnel
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return net.ErrClosed
	}
	if t.lot.park(s) != nil {
		return nil // there is no place
	}
	s.state = stateParked
	t.running--
	return errParked
}

// maxPaced is the largest piece of a paced stream: pieces of several streams
// that share a bandwidth take turns.
const maxPaced = 32 << 10

// wait waits, after a piece of n bytes of a paced stream, until the next may follow.
func (s *stream) wait(n int) error {
	if s.pace == nil || n == 0 {
		return nil
	}
	if err := s.pace(s.tunnel.ctx, n); err != nil {
		return err
	}
	s.tunnel.touch() // to wait for one's turn is not idle
	return nil
}

// errWrite marks a failure of the destination.
type errWrite struct{ error }

// run carries the stream to its end, or until it is parked.
func (s *stream) run() {
	defer func() {
		if recover() == nil {
			return
		}
		s.tunnel.tellPanic()
		s.end(errPanicked)
	}()
	if err := s.carry(); err != errParked {
		s.end(err)
	}
}

// end tells the other side, and the tunnel, that the stream is over.
func (s *stream) end(err error) {
	t := s.tunnel
	defer func() {
		t.mu.Lock()
		t.over(s)
		t.unlock()
	}()
	write, unwritten := errors.AsType[errWrite](err)
	switch {
	case err == nil && s.wasBroken():
		t.cut(syscall.ECONNRESET)
	case err == nil && s.unheard():
		t.cut(errUnheard)
	case err == nil && s.isCut():
		s.tunnel.note(io.ErrUnexpectedEOF)
		s.closeWrite(innermost(s.dst))
	case err == nil:
		s.closeWrite(s.dst)
	case unwritten:
		// The destination takes no more, yet what it said before may still
		// be on its way to the source: the other direction goes on until it
		// has read that, and then the reset.
		s.tunnel.note(write.error)
	default:
		s.tunnel.cut(err)
	}
}

// carry copies until the source is done, and returns nil, or until something
// fails.
func (s *stream) carry() error {
	if len(s.early) > 0 {
		send := s.write
		if s == &s.tunnel.up {
			send = s.deliver // the opening, or its beginning
		}
		if err := send(s.early); err != nil {
			return err
		}
		if err := s.wait(len(s.early)); err != nil {
			return err
		}
		s.early = nil
	}
	if done, err := s.splice(); done {
		return err
	}
	return s.copy()
}

// closeWrite tells the destination, by dst, that the source is done. A connection
// that has no half to close is closed.
func (s *stream) closeWrite(dst net.Conn) {
	if half, ok := dst.(interface{ CloseWrite() error }); ok {
		half.CloseWrite() // fails if dst is broken, which the other direction finds out
		return
	}
	s.tunnel.finish()
}

// isCut reports whether the source ended without a close_notify of TLS. crypto/tls lets
// that pass for an end, but anyone on the way may have cut it (RFC 8446 §6.1).
func (s *stream) isCut() bool {
	conn := s.src
	for {
		outer, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			return false
		}
		conn = outer.NetConn()
		if below, ok := conn.(interface{ Ended() bool }); ok && below.Ended() {
			return true
		}
	}
}

// Sizes of buffers. A connection that can only be waited for by a Read waits with
// the small one; once that is filled, the large one is used.
const (
	smallBuffer = 2 << 10
	largeBuffer = 32 << 10
)

var (
	smallBuffers = sync.Pool{New: func() any { return new([smallBuffer]byte) }}
	largeBuffers = sync.Pool{New: func() any { return new([largeBuffer]byte) }}
)

// copy carries the stream through memory.
func (s *stream) copy() error {
	large := false
	for {
		if !large {
			s.await()
		}
		n, err := s.pass(large)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.wait(n); err != nil {
			return err
		}
		large = n > smallBuffer || !large && n == smallBuffer
	}
}

// await waits, without a buffer, until a Read would not block, if the source can be
// waited for like that. Errors are left for the Read to return.
func (s *stream) await() {
	switch src := s.src.(type) {
	case interface{ WaitRead() }: // a stream of HTTP/2 has it
		src.WaitRead()
	case *net.TCPConn:
		awaitTCP(src)
	}
}

// pass carries what one read returns, through a pooled buffer.
func (s *stream) pass(large bool) (int, error) {
	if large {
		buffer := largeBuffers.Get().(*[largeBuffer]byte)
		defer largeBuffers.Put(buffer)
		return s.step(buffer[:])
	}
	buffer := smallBuffers.Get().(*[smallBuffer]byte)
	defer smallBuffers.Put(buffer)
	return s.step(buffer[:])
}

// step carries what one read returns.
func (s *stream) step(buffer []byte) (int, error) {
	n, err := s.src.Read(buffer)
	if n > 0 {
		s.tunnel.touch()
		if err := s.deliver(buffer[:n]); err != nil {
			return n, err
		}
	}
	return n, err
}

// deliver writes what was read, as far as the opening lets it.
func (s *stream) deliver(b []byte) error {
	if s.opening != nil {
		var err error
		if b, err = s.admit(b); err != nil || len(b) == 0 {
			return err
		}
	}
	return s.write(b)
}

func (s *stream) write(b []byte) error {
	s.writing.Lock()
	n, err := s.dst.Write(b)
	s.wrote(err)
	s.carried += int64(n)
	s.tunnel.touch()
	if err != nil {
		return errWrite{err}
	}
	return nil
}

// wrote unlocks writing after a write that returned err, and notes whether it met a reset
// of dst. The system reports that only once: the next read finds an end instead, and asks
// [stream.wasBroken].
func (s *stream) wrote(err error) {
	s.broken = s.broken || pipe.Broke(err)
	s.writing.Unlock()
}

// plain returns err without the addresses that the net package adds.
func plain(err error) error {
	number, known := errors.AsType[syscall.Errno](err)
	switch {
	case known:
		return number
	case errors.Is(err, io.ErrUnexpectedEOF):
		return io.ErrUnexpectedEOF
	case errors.Is(err, net.ErrClosed), errors.Is(err, io.ErrClosedPipe):
		return net.ErrClosed
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return os.ErrDeadlineExceeded
	}
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return errors.New("connection broken")
	}
	return err
}
