package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"iter"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"
)

// How long a connection that is being closed is still read, so that the answer is not
// lost to the reset that unread bytes would cause (RFC 9112 §9.6): many clients send all
// that they have before they read an answer.
const (
	lingerPause = 2 * time.Second  // without a byte
	lingerTime  = 30 * time.Second // in all
	yieldTime   = time.Second      // in all, after [Server.GiveWay] gave its place away
)

// refuse answers a request that failed with err before a handler saw it, unless
// the connection broke, and closes the connection. r is nil unless the method is known.
func (c *conn) refuse(err error, r *http.Request) {
	bad, ok := errors.AsType[*ProtocolError](err)
	switch {
	case ok:
	case errors.Is(err, os.ErrDeadlineExceeded):
		bad = &ProtocolError{http.StatusRequestTimeout, "head not received in time"}
	default:
		c.close(false)
		return
	}
	fields := c.srv.refused(bad.Status)
	if bad.Status == http.StatusRequestURITooLong || bad.Status == http.StatusRequestHeaderFieldsTooLarge {
		c.srv.tellSpeaks(c.nc)
	}
	text := bad.answer()
	c.mu.Lock()
	b := appendStatusLine(nil, bad.Status, "")
	b = appendDate(b)
	for _, f := range sortedEntries(fields, nil) {
		for _, v := range f.values {
			b = appendFieldLine(b, f.name, v)
		}
	}
	b = append(b, "Content-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(text)), 10)
	b = append(b, "\r\n\r\n"...)
	if r == nil || r.Method != http.MethodHead {
		b = append(b, text...)
	}
	err = c.writePieces(b)
	c.mu.Unlock()
	c.close(err == nil)
}

// close closes the connection. Lingering, it first waits for the client to
// have read the answer.
func (c *conn) close(linger bool) {
	c.release()
	if linger {
		c.linger(c.nc)
	}
	c.nc.Close()
}

// hasMore tells whether the client has sent more than was read. Then Close would reset the
// connection, and the client could lose the end of the answer.
func (c *conn) hasMore() bool {
	more := c.br.Buffered() > 0
	if !more && c.sock != nil {
		c.sock.raw.Control(func(fd uintptr) { more = !asleep(fd) })
	}
	return more
}

// linger closes the sending half of nc, and reads on for a while.
func (c *conn) linger(nc net.Conn) {
	half, ok := nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	buf := smallBuffers.Get().(*[]byte) // most send nothing, and all may wait at once
	defer smallBuffers.Put(buf)
	pause, most := lingerPause, lingerTime
	if c.yields {
		pause, most = yieldTime, yieldTime
	}
	var till time.Time
	for end := time.Now().Add(most); till.Before(end); {
		if renew(&till, pause) {
			nc.SetReadDeadline(till)
		}
		if _, err := nc.Read((*buf)[:cap(*buf)]); err != nil {
			return
		}
	}
}

// cut closes the connection so that the client sees that the response is not whole,
// under TLS by the missing close_notify. If more may come from the client, it lingers
// first: the reset that unread bytes cause could reach the client before it has read
// what was sent.
func (c *conn) cut(untilClose, more bool) {
	c.release()
	nc := c.nc
	if tc, ok := nc.(*tls.Conn); ok {
		nc = tc.NetConn()
	}
	if more && !untilClose {
		c.linger(nc)
	}
	nc.Close()
}

// endsByReset sets whether closing the connection resets it, even if the process ends. By
// that alone the client of a response that ends with the connection (RFC 9112 §6.3) can
// tell that it was cut short.
func (c *conn) endsByReset(reset bool) {
	seconds := -1 // the system's way
	if reset {
		seconds = 0
	}
	if tcp, ok := below(c.nc).(interface{ SetLinger(sec int) error }); ok {
		tcp.SetLinger(seconds)
	}
}

// layers returns nc, and one below the other the connections that carry it.
func layers(nc net.Conn) iter.Seq[net.Conn] {
	return func(yield func(net.Conn) bool) {
		for yield(nc) {
			outer, ok := nc.(interface{ NetConn() net.Conn })
			if !ok {
				return
			}
			nc = outer.NetConn()
		}
	}
}

// below returns the connection that carries nc, which may be nc.
func below(nc net.Conn) net.Conn {
	for nc = range layers(nc) {
	}
	return nc
}

// overTLS reports whether TLS carries what is spoken on nc.
func overTLS(nc net.Conn) bool {
	for nc := range layers(nc) {
		if _, ok := nc.(*tls.Conn); ok {
			return true
		}
	}
	return false
}

// release gives the read buffer back and stops the timer.
func (c *conn) release() {
	if c.br != nil {
		putReader(c.br)
		c.br = nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timer != nil {
		c.timer.Stop()
	}
}

// freshTime is how long a connection that was just accepted has to send a request while
// the server stops.
const freshTime = time.Second

func (c *conn) limitFresh() { c.accepted.SetReadDeadline(time.Now().Add(freshTime)) }

// closeIdle ends the connection if no request is running on it.
func (c *conn) closeIdle() {
	if h := c.http2.Load(); h != nil {
		h.shutdown()
		return
	}
	switch c.state.Load() {
	case stateOpening, stateFresh:
		c.limitFresh()
		return
	}
	if c.state.CompareAndSwap(stateIdle, stateClosing) {
		c.accepted.SetReadDeadline(longAgo)
	}
}

// abort closes the connection, whatever goes on.
func (c *conn) abort() {
	if x := c.running.Load(); x != nil {
		x.ctx.Cancel(context.Canceled)
	}
	c.accepted.Close()
}

// detach hands the connection to a handler that takes it over, together with
// what the client sent already; c.mu is held.
func (c *conn) detach() (net.Conn, *earlyReader) {
	early := &earlyReader{nc: c.nc}
	if n := c.br.Buffered(); n > 0 {
		early.data = make([]byte, n)
		io.ReadFull(c.br, early.data)
	}
	putReader(c.br)
	c.br = nil
	if c.timer != nil {
		c.timer.Stop()
	}
	c.nc.SetDeadline(time.Time{})
	c.srv.removeConn(c)
	return c.nc, early
}

// An earlyReader reads data, then nc.
type earlyReader struct {
	data []byte
	nc   net.Conn
}

func (e *earlyReader) Read(p []byte) (int, error) {
	if len(e.data) > 0 {
		n := copy(p, e.data)
		if e.data = e.data[n:]; len(e.data) == 0 {
			e.data = nil
		}
		return n, nil
	}
	return e.nc.Read(p)
}
