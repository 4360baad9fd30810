package wire

import (
	"crypto/tls"
	"net/http"
	"time"
)

// send sends what waits, then p; with a trailer, which may be empty but not
// nil, also the end of a chunked body. All of it is one write where the system
// can do that.
func (w *responseWriter) send(p []byte, trailer http.Header) error {
	if w.err != nil {
		return w.err
	}
	if w.armed {
		w.c.timer.Stop()
		w.armed = false
	}
	if !w.framed {
		w.frame(false)
	}
	if w.head == nil {
		w.head = smallBuffers.Get().(*[]byte)
	}
	head := *w.head
	var data []byte
	if w.data != nil {
		data = *w.data
	}
	var tail []byte
	if w.chunked {
		var room [64]byte
		tail = room[:0]
		if n := len(data) + len(p); n > 0 {
			head = appendChunkSize(head, n)
			tail = append(tail, "\r\n"...)
		}
		if trailer != nil {
			tail = appendLastChunk(tail, trailer)
		}
	}
	err := w.c.writeAll(head, data, p, tail)
	*w.head = head
	putSmall(w.head)
	w.head = nil
	if w.data != nil {
		*w.data = data[:0]
	}
	w.fail(err)
	return w.err
}

const (
	// maxWrite is how many bytes the client has to take within one write timeout.
	maxWrite = 128 << 10
	// maxCall is how many bytes go into one system call: copying them takes a fraction
	// of a millisecond, in which this thread does nothing else.
	maxCall = 1 << 20
)

// writeAll writes four pieces, in one system call or TLS record if possible;
// c.mu is held. It may write into the capacity of head beyond its length.
func (c *conn) writeAll(head, data, p, tail []byte) error {
	total := len(head) + len(data) + len(p) + len(tail)
	if total <= cap(head) {
		head = append(append(append(head, data...), p...), tail...)
		return c.writePieces(head)
	}
	if _, ok := c.nc.(*tls.Conn); ok && total <= copyBuffer {
		buf := copyBuffers.Get().(*[]byte)
		defer copyBuffers.Put(buf)
		return c.writePieces(append(append(append(append((*buf)[:0], head...), data...), p...), tail...))
	}
	if len(p) <= maxWrite {
		return c.writePieces(head, data, p, tail)
	}
	most := maxWrite
	if c.sock != nil {
		most = maxCall
		c.sock.moved = c.beforeWrite
		defer func() { c.sock.moved = nil }()
	}
	for ; len(p) > most; p = p[most:] {
		if err := c.writePieces(head, data, p[:most], nil); err != nil {
			return err
		}
		head, data = nil, nil
	}
	return c.writePieces(head, data, p, tail)
}

// writePieces writes up to four pieces within the write timeout; c.mu is held.
func (c *conn) writePieces(pieces ...[]byte) error {
	c.beforeWrite()
	c.bufs = c.vec[:0]
	for _, b := range pieces {
		if len(b) > 0 {
			c.bufs = append(c.bufs, b)
		}
	}
	var err error
	if c.sock != nil {
		_, err = c.sock.writePieces(c.bufs)
	} else {
		_, err = c.bufs.WriteTo(c.nc)
	}
	clear(c.vec[:])
	if c.overTLS && !c.manual && !c.writeTill.IsZero() {
		c.writeTill = time.Time{}
		c.nc.SetWriteDeadline(time.Now().Add(leisure))
	}
	return withoutAddress(err)
}

func (c *conn) beforeWrite() {
	c.watched.writes.Add(1)
	if !c.manual && c.times.Write > 0 && renew(&c.writeTill, c.times.Write) {
		c.nc.SetWriteDeadline(c.writeTill)
	}
}
