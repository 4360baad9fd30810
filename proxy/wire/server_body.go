package wire

import (
	"bufio"
	"io"
	"maps"
	"net/http"
	"sync"
	"time"
)

// A requestBody is the body of one request, read from the connection's buffer.
// The last data comes with io.EOF. A Read that fails with anything else left
// the body incomplete: io.ErrUnexpectedEOF if the client went away, a
// [*ProtocolError] for a bad chunk, os.ErrDeadlineExceeded for a slow client.
//
// Reading may go on in another goroutine until the handler returns.
type requestBody struct {
	mu     sync.Mutex
	c      *conn
	w      *responseWriter
	r      *bufio.Reader
	left   int64          // bytes to come, if chunks is nil
	chunks *chunkedReader // nil for a body of known length
	into   http.Header    // the request's Trailer, filled in at the end
	expect bool           // the client waits for 100 (Continue), and nothing was read
	err    error          // io.EOF after the end
	closed bool
}

func (b *requestBody) Read(p []byte) (n int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, http.ErrBodyReadAfterClose
	}
	return b.read(p)
}

func (b *requestBody) read(p []byte) (n int, err error) {
	if b.err != nil || len(p) == 0 {
		return 0, b.err
	}
	if b.expect {
		b.expect = false
		b.w.sendContinue()
	}
	if b.chunks != nil {
		n, b.err = b.chunks.Read(p)
		if b.err == io.EOF {
			maps.Copy(b.into, b.chunks.trailer)
		}
		return n, b.err
	}
	n, err = b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if err != nil {
		b.err = cut(err)
	} else if b.left == 0 {
		b.err = io.EOF
	}
	return n, b.err
}

// Close ends the reading by the handler. The server deals with the rest.
func (b *requestBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return nil
}

// disown ends the body for good, unless a Read is waiting.
func (b *requestBody) disown() bool {
	if !b.mu.TryLock() {
		return false
	}
	defer b.mu.Unlock()
	b.closed, b.r, b.chunks = true, nil, nil
	return true
}

// How much of a body that the handler left unread is read, and for how long, so that
// the connection can be kept.
const (
	maxDrain    = 256 << 10 // bytes
	drainTime   = 5 * time.Second
	measureTime = time.Second // before the response's head; see measure
)

// measure reads what is left of a chunked body whose handler is done, up to maxDrain and for
// measureTime: the response's head has to say whether another request can follow, and a
// chunked body does not say how long it is.
func (b *requestBody) measure() {
	if b.chunks == nil || !b.mu.TryLock() {
		return
	}
	defer b.mu.Unlock()
	if b.err != nil || b.expect {
		return
	}
	b.closed = true
	b.c.readBy(measureTime)
	b.discard(maxDrain)
	if b.err == nil {
		b.err = http.ErrBodyReadAfterClose
	}
}

// discard reads on to the end, or until it has read more than most bytes; a negative most
// means no bound.
func (b *requestBody) discard(most int) {
	buf := smallBuffers.Get().(*[]byte) // many may wait at once for what does not come
	defer smallBuffers.Put(buf)
	for total := 0; b.err == nil && (total <= most || most < 0); {
		n, _ := b.read((*buf)[:cap(*buf)])
		total += n
	}
}

// mayPersist tells, before the response's head goes out, whether the
// connection may serve another request: not if the body has failed, nor if the
// handler is done and more than maxDrain is left or somebody is still reading it.
// Once the handler is done, it closes the body, so that this stays true.
func (b *requestBody) mayPersist(done bool) bool {
	if !b.mu.TryLock() {
		return !done
	}
	defer b.mu.Unlock()
	b.closed = b.closed || done
	if b.err != nil {
		return b.err == io.EOF
	}
	return !done || b.left <= maxDrain
}

// end ends the handler's part: no Read is running when it returns, and none
// will succeed. One that is still waiting in another goroutine is interrupted.
// It returns with b.mu held.
func (b *requestBody) end() {
	if !b.mu.TryLock() {
		b.c.interrupt()
		b.mu.Lock()
		b.err = http.ErrBodyReadAfterClose
	}
	b.closed = true
}

// giveUp ends the body of a request that is given up, and tells whether some
// of it may still come. Until then the connection's buffer may be in use.
func (b *requestBody) giveUp() (more bool) {
	b.end()
	defer b.mu.Unlock()
	return b.err != io.EOF
}

// drain ends the handler's part and reads the rest of the body, and tells
// whether the next request can follow. A Read that is still waiting in another
// goroutine is interrupted. With promised, the client was told that it can, and may
// have sent it: then no bound but drainTime applies.
func (b *requestBody) drain(promised bool) bool {
	b.end()
	defer b.mu.Unlock()
	if b.err == io.EOF {
		return true
	}
	if b.err != nil || b.expect && b.w.neverAsked() || b.left > maxDrain && !promised {
		return false
	}
	b.c.readBy(drainTime)
	if promised {
		b.discard(-1)
	} else {
		b.discard(maxDrain)
	}
	return b.err == io.EOF
}
