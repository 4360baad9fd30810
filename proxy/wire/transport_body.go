package wire

import (
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// A body is a response's body. A Read returns io.EOF only if the body is whole.
// Close may be called while a Read waits.
type body struct {
	x      *exchange
	resp   *http.Response // for the trailer fields
	kind   bodyKind
	left   int64 // of a sized body, or of a part that the connection's end closes
	chunks *chunkedReader
	closed atomic.Bool

	mu  sync.Mutex // held while reading, and while ending the exchange
	err error      // how the exchange has ended; nil if it has not
}

func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed.Load() {
		return 0, errBodyClosed
	}
	if b.err != nil || len(p) == 0 {
		return 0, b.err
	}
	n, err := b.read(p)
	if err != nil {
		b.end(err)
	}
	return n, err
}

// end ends the exchange: the body is whole, or err is why it is not.
func (b *body) end(err error) {
	b.err = err
	if err == io.EOF {
		b.x.finish()
	} else {
		b.x.abort()
	}
}

func (b *body) read(p []byte) (n int, err error) {
	switch b.kind {
	case chunkedBody:
		if n, err = b.chunks.Read(p); err == io.EOF {
			deliver(b.resp, b.chunks.trailer)
		} else if _, bad := err.(*ProtocolError); bad {
			err = &CodingError{err}
		}
	case sizedBody:
		p = p[:min(int64(len(p)), b.left)]
		early := b.x.c.br.Buffered()
		if n, err = b.x.c.br.Read(p); err == nil && n == early {
			// These bytes came with the head; the next may be here already.
			more := b.x.c.plain.atHand(p[n:])
			b.x.c.got += int64(more)
			n += more
		}
		err = b.sized(n, err)
	case untilClose:
		n, err = b.x.c.br.Read(p)
		b.left -= int64(n)
		if err == io.EOF && (b.left > 0 || b.x.c.cutShort() || b.x.sender != nil && b.x.c.wasBroken()) {
			err = ErrIncomplete
		}
	}
	if err == io.ErrUnexpectedEOF {
		err = ErrIncomplete
	}
	return n, err
}

// sized counts n bytes of a sized body, with which err came, and returns io.EOF at its end.
func (b *body) sized(n int, err error) error {
	switch b.left -= int64(n); {
	case b.left == 0:
		return io.EOF
	case err == io.EOF:
		return ErrIncomplete
	}
	return err
}

// deliver puts trailers where the caller looks for them.
func deliver(resp *http.Response, trailer http.Header) {
	switch {
	case len(trailer) == 0:
	case resp.Trailer == nil: // the caller has removed it
		resp.Trailer = trailer
	default:
		maps.Copy(resp.Trailer, trailer)
	}
}

// Close gives the connection back to the pool if the rest of the body can be read without
// waiting, and closes it otherwise.
func (b *body) Close() error {
	if b.closed.Swap(true) {
		return nil
	}
	if !b.mu.TryLock() {
		b.x.giveUp(errBodyClosed) // a Read may be waiting
		b.mu.Lock()
	}
	defer b.mu.Unlock()
	if b.err != nil {
		return nil
	}
	b.x.c.readNoMore()
	var scrap [512]byte
	var err error
	for err == nil {
		_, err = b.read(scrap[:])
	}
	b.end(err)
	return nil
}

// An Upgraded is the body of a 101 response: the connection, in the protocol
// that was switched to. It has no deadlines, and fails once the request's context
// ends.
type Upgraded struct {
	x     *exchange
	early []byte
	done  atomic.Bool
}

// Detach hands the connection over for good, a *tls.Conn or what Dial returned, with the
// bytes that arrived with the response head and belong before all that it reads. It no
// longer ends with the request's context or by Close; u is of no more use.
func (u *Upgraded) Detach() (conn net.Conn, early []byte) {
	u.done.Store(true)
	u.x.watched.Stop()
	return u.x.c.nc, u.early
}

func (u *Upgraded) Read(p []byte) (int, error) {
	if len(u.early) > 0 {
		n := copy(p, u.early)
		u.early = u.early[n:]
		return n, nil
	}
	n, err := u.x.c.nc.Read(p)
	if err != nil && err != io.EOF {
		err = u.x.c.failure("read", err)
	}
	return n, err
}

func (u *Upgraded) Write(p []byte) (int, error) {
	n, err := u.x.c.nc.Write(p)
	if err != nil {
		err = u.x.c.failure("write", err)
	}
	return n, err
}

// CloseWrite tells the origin that nothing more comes.
func (u *Upgraded) CloseWrite() error {
	if c, ok := u.x.c.nc.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Close closes the connection.
func (u *Upgraded) Close() error {
	if !u.done.Swap(true) {
		u.x.abort()
	}
	return nil
}

var _ io.ReadWriteCloser = (*Upgraded)(nil)
