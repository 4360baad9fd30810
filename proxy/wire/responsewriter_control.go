package wire

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"time"
)

// Hijack implements [http.Hijacker]. A head that was written is sent first.
// The reader holds what the client sent already and nothing else; reading from
// the connection without asking it for its Buffered bytes loses them.
func (w *responseWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	if w.hijacked {
		return nil, nil, http.ErrHijacked
	}
	if w.wroteHeader {
		if err := w.flush(); err != nil {
			return nil, nil, err
		}
	}
	if w.body != nil && !w.body.disown() {
		return nil, nil, errBodyInUse
	}
	w.hijacked = true
	w.free()
	nc, early := w.c.detach()
	size := len(early.data)
	br := bufio.NewReaderSize(early, max(size, 16))
	br.Peek(size)
	return nc, bufio.NewReadWriter(br, bufio.NewWriterSize(nc, 16)), nil // no handler here uses the writer
}

// askWhetherRead sends a 100 (Continue), which every client of HTTP/1.1 must be able to
// parse (RFC 9110 §15.2), to a client that has ended its sending half: if it has closed the
// connection, its system answers with a reset. It reports false if that cannot be sent. It
// takes no lock that is held, since [Server.watch] calls it.
func (w *responseWriter) askWhetherRead() bool {
	c := w.c
	if w.r.ProtoMinor == 0 || w.r.Method == http.MethodConnect || !c.mu.TryLock() {
		return false
	}
	defer c.mu.Unlock()
	if w.wroteHeader || w.awaited || w.hijacked || w.done || w.err != nil || c.manual {
		return false
	}
	c.nc.SetWriteDeadline(time.Now().Add(flushDelay))
	_, err := io.WriteString(c.rw, continueHead)
	c.writeTill = time.Time{}
	c.nc.SetWriteDeadline(c.writeTill)
	w.fail(withoutAddress(err))
	return err == nil
}

// SetReadDeadline, for [http.ResponseController], replaces the deadlines that
// the server gives to reads of the body.
func (w *responseWriter) SetReadDeadline(t time.Time) error {
	return w.c.setReadDeadline(t)
}

// SetWriteDeadline, for [http.ResponseController], replaces the deadlines that
// the server gives to writes of this response.
func (w *responseWriter) SetWriteDeadline(t time.Time) error {
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	w.c.manual = true
	return w.c.nc.SetWriteDeadline(t)
}

// EnableFullDuplex is for [http.ResponseController]; it is always so.
func (w *responseWriter) EnableFullDuplex() error { return nil }
