package proxy

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"sync"
)

// A replay is the body of a request that an origin may turn out not to have
// looked at (RFC 9113 §8.7). As long as less than replaySize of it was
// read, that is held, so that it can be sent again.
type replay struct {
	reading sync.Mutex // held while body is read, and taken before mu
	body    io.ReadCloser
	names   http.Header // the trailer as it was announced
	trailer http.Header // filled in by body, while that is read

	mu      sync.Mutex
	held    []byte // all that was read, unless a part is gone
	gone    bool
	err     error // what ended body
	current *attempt
	waiting bool // a Read of body has yet to return
	settled bool // no attempt follows
	closed  bool
}

// replaySize holds what forms and scripts send, and all that HTTP/2 lets a
// client send before it has heard of the origin (RFC 9113 §6.9.2), with the piece
// behind it, which was read and waits.
const replaySize = 64<<10 + 16<<10

var replays = sync.Pool{New: func() any { b := make([]byte, 0, replaySize); return &b }}

func newReplay(body io.ReadCloser, trailer http.Header) *replay {
	return &replay{body: body, names: maps.Clone(trailer), trailer: trailer, held: *replays.Get().(*[]byte)}
}

// An attempt is the body for one round trip.
type attempt struct {
	replay  *replay
	trailer http.Header
	at      int // bytes of the body that were read by it
	closed  bool
}

// next returns r with the whole body, or nil if a part of that is gone. The
// attempt before may still be waiting in a Read: what comes then is held.
func (p *replay) next(r *http.Request) *http.Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone {
		return nil
	}
	// A trailer of its own: an attempt before may be where body ends.
	p.current = &attempt{replay: p, trailer: maps.Clone(p.names)}
	again := *r
	again.Body, again.Trailer = p.current, p.current.trailer
	return &again
}

// settle makes the current attempt the last one.
func (p *replay) settle() {
	p.mu.Lock()
	p.settled = true
	p.free()
	p.unlock()
}

// unlock lets go of mu, and closes the body, once, if nobody will read it and
// nobody waits for a Read, which a Close might have to wait for as well.
func (p *replay) unlock() error {
	over := p.settled && p.current.closed && !p.waiting && !p.closed
	p.closed = p.closed || over
	p.mu.Unlock()
	if over {
		return p.body.Close()
	}
	return nil
}

// free gives the buffer back once nobody will want what is in it, or what an
// earlier attempt waits for.
func (p *replay) free() {
	if a := p.current; !p.gone && !p.waiting && p.settled && (a.closed || a.at == len(p.held)) {
		p.drop()
	}
}

func (p *replay) drop() {
	b := p.held[:0]
	p.held, p.gone = nil, true
	replays.Put(&b)
}

var errGivenUp = errors.New("attempt was given up")

// Read implements [io.Reader].
func (a *attempt) Read(b []byte) (int, error) {
	p := a.replay
	p.reading.Lock()
	defer p.reading.Unlock()
	n, err := a.read(b)
	if err == io.EOF {
		maps.Copy(a.trailer, p.trailer)
	}
	return n, err
}

func (a *attempt) read(b []byte) (int, error) {
	p := a.replay
	b, n, err := a.prepare(b)
	if n > 0 || err != nil || len(b) == 0 {
		return n, err
	}
	n, err = p.body.Read(b)
	p.mu.Lock()
	p.waiting, p.err = false, err
	if !p.gone {
		p.held = append(p.held, b[:n]...)
		a.at += n
		p.free()
	}
	p.unlock()
	return n, err
}

// prepare reads what is held already, or says how much of b may be filled from
// the body.
func (a *attempt) prepare(b []byte) (rest []byte, n int, err error) {
	p := a.replay
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.current != a:
		return nil, 0, errGivenUp
	case !p.gone && a.at < len(p.held):
		n = copy(b, p.held[a.at:])
		a.at += n
		p.free()
		return nil, n, nil
	case p.err != nil:
		return nil, 0, p.err
	case !p.gone && len(p.held) == cap(p.held):
		p.drop()
	}
	if !p.gone {
		b = b[:min(len(b), cap(p.held)-len(p.held))]
	}
	p.waiting = true
	return b, 0, nil
}

// Close implements [io.Closer]. It closes the body if no attempt follows.
func (a *attempt) Close() error {
	p := a.replay
	p.mu.Lock()
	a.closed = true
	p.free()
	return p.unlock()
}
