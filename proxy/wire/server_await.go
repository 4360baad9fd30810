package wire

import (
	"errors"
	"io"
	"os"
	"time"
)

// await waits up to d for the first byte of a request and puts it into c.br. For
// the first request of a connection it waits even while the server stops: the client
// knows only that it was accepted.
func (c *conn) await(d time.Duration, first bool) bool {
	c.perRead, c.headTimed, c.lineRead = false, false, false
	switch {
	case c.br != nil && c.br.Buffered() > 0:
		return true // if the server stops, the response says close
	case c.srv.closing.Load() && !first:
		return c.lastLook(stateActive)
	}
	now := time.Now()
	c.extendReadAt(now, d)
	c.limitAnswers(time.Time{})
	c.since.Store(int64(now.Sub(c.srv.begun)))
	resting := stateIdle
	if first {
		resting = stateFresh
	}
	c.state.Store(resting)
	if c.srv.closing.Load() { // Shutdown may have missed the state
		if !first {
			return c.lastLook(resting)
		}
		c.limitFresh()
	}
	err := c.firstRead()
	switch {
	case err == nil && c.state.CompareAndSwap(resting, stateActive):
		return true
	case err == nil:
		return c.lastRequest()
	}
	return errors.Is(err, os.ErrDeadlineExceeded) && c.lastLook(resting)
}

// lastMoment is how long a connection that is to be closed, idle for too long or because
// the server stops, still waits for a request that is on its way.
const lastMoment = 5 * time.Millisecond

// lastLook waits for lastMoment, and reports whether there is a request.
func (c *conn) lastLook(state int32) bool {
	if !c.state.CompareAndSwap(state, stateClosing) {
		c.awaitShutdown()
	}
	c.readBy(lastMoment)
	err := c.firstRead()
	if errors.Is(err, os.ErrDeadlineExceeded) && hasCome(c.nc) { // where the moment passed before the read began
		c.readBy(freshTime)
		err = c.firstRead()
	}
	return err == nil && c.lastRequest()
}

// lastRequest readies a connection that is to end for the request that has come.
func (c *conn) lastRequest() bool {
	c.awaitShutdown()
	c.state.Store(stateActive)
	c.readTill = time.Time{}
	c.nc.SetReadDeadline(c.readTill)
	c.extendRead(c.times.Head)
	c.limitAnswers(time.Time{})
	return true
}

// awaitShutdown waits until Shutdown or GiveWay, which has set the state, has set the past
// deadline too, so that the caller can replace it.
func (c *conn) awaitShutdown() {
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
}

// onlyEmptyLine discards an empty line with nothing behind it, which some clients add to
// a body (RFC 9112 §2.2), and reports whether there was one: then no request has begun.
func (c *conn) onlyEmptyLine() bool {
	if b, _ := c.br.Peek(1); b[0] != '\r' {
		return false
	}
	if b, err := c.br.Peek(2); err != nil || b[1] != '\n' || c.br.Buffered() > 2 {
		return false
	}
	c.br.Discard(2)
	return true
}

// firstRead waits until something comes on an idle connection and puts it into c.br. The
// connection holds no buffer meanwhile.
func (c *conn) firstRead() error {
	if c.sock != nil {
		if err := c.sock.raw.Read(c.readOnce); err != nil {
			return err
		}
		return c.readOnceErr
	}
	// Without a descriptor, one byte is all the room an idle connection needs.
	if c.br != nil {
		putReader(c.br)
		c.br = nil
	}
	if _, err := io.ReadFull(c.rw, c.first[:]); err != nil {
		return err
	}
	c.hasFirst = true
	c.br = getReader(c)
	_, err := c.br.Peek(1)
	return err
}

// tryRead fills a buffer from the descriptor and gives it back if nothing is
// there yet.
func (c *conn) tryRead(fd uintptr) (done bool) {
	if c.br == nil {
		c.br = getReader(c)
	}
	c.fd, c.polling = fd, true
	_, c.readOnceErr = c.br.Peek(1)
	c.polling = false
	if c.readOnceErr == errWouldBlock {
		putReader(c.br)
		c.br = nil
		return false
	}
	return true
}
