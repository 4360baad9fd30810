package wire

import (
	"io"
	"net"
	"net/http"
	"time"
)

// An http2Tunnel is a stream that a handler took over, as a connection. Its
// halves close on their own, as those of a TCP connection do (RFC 9113 §8.5).
type http2Tunnel struct{ st *http2Stream }

// Read returns what the client sent; io.EOF says that it ended its half, and
// io.ErrUnexpectedEOF that the stream was reset.
func (t *http2Tunnel) Read(p []byte) (int, error) {
	t.st.h.mu.Lock()
	defer t.st.h.mu.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	n, err := t.st.read(p, 0)
	if err == io.EOF && n > 0 {
		err = nil
	}
	if err == http.ErrBodyReadAfterClose {
		err = net.ErrClosed
	}
	return n, err
}

// WaitRead waits until Read would not. It needs no buffer meanwhile.
func (t *http2Tunnel) WaitRead() {
	st := t.st
	st.h.mu.Lock()
	defer st.h.mu.Unlock()
	for st.in.left() == 0 && !st.closed && !st.remoteDone && st.err == nil && !st.readTill.passed {
		st.cond.Wait()
	}
}

// Write sends p within the flow control of stream and connection.
func (t *http2Tunnel) Write(p []byte) (int, error) {
	t.st.h.mu.Lock()
	defer t.st.h.mu.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	return t.st.write(p, false, false, 0)
}

// CloseWrite ends our half.
func (t *http2Tunnel) CloseWrite() error {
	t.st.h.mu.Lock()
	defer t.st.h.mu.Unlock()
	if t.st.localDone {
		return nil
	}
	_, err := t.st.write(nil, true, false, 0)
	return err
}

// Close resets the stream unless both halves have ended.
func (t *http2Tunnel) Close() error {
	t.st.h.mu.Lock()
	defer t.st.h.mu.Unlock()
	if !t.st.localDone || !t.st.remoteDone {
		t.st.abort(codeConnect)
	}
	t.st.drop()
	t.st.fail(net.ErrClosed)
	return nil
}

func (t *http2Tunnel) LocalAddr() net.Addr  { return t.st.h.c.nc.LocalAddr() }
func (t *http2Tunnel) RemoteAddr() net.Addr { return t.st.h.c.nc.RemoteAddr() }

func (t *http2Tunnel) SetDeadline(d time.Time) error {
	t.SetReadDeadline(d)
	return t.SetWriteDeadline(d)
}

func (t *http2Tunnel) SetReadDeadline(d time.Time) error {
	t.st.h.mu.Lock()
	defer t.st.h.mu.Unlock()
	t.st.readTill.at(t.st, d)
	return nil
}

func (t *http2Tunnel) SetWriteDeadline(d time.Time) error {
	t.st.h.mu.Lock()
	defer t.st.h.mu.Unlock()
	t.st.writeTill.at(t.st, d)
	return nil
}
