package wire

import (
	"errors"
	"io"
	"os"
	"syscall"

	"guise/proxy/pipe"
)

// A Splicer is a body that can go from its socket to another one inside the kernel,
// by splice(2).
type Splicer interface {
	io.Reader
	// SpliceTo reads into p, which has to be empty, and returns how many bytes are in it.
	// The error is that of Read, or [errors.ErrUnsupported] if what comes next can only be
	// read; then nothing was moved.
	SpliceTo(p *pipe.Pipe) (n int, err error)
}

// worthSplicing is how much of a body must be left for it to be spliced: a pipe has to be
// made first.
const worthSplicing = pipe.Size

// SpliceTo implements [Splicer].
func (b *body) SpliceTo(p *pipe.Pipe) (n int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed.Load():
		return 0, errBodyClosed
	case b.err != nil:
		return 0, b.err
	case b.kind != sizedBody || b.x.c.br.Buffered() > 0:
		return 0, errors.ErrUnsupported
	}
	if n, err = b.x.c.spliceTo(p, b.left); err == errors.ErrUnsupported {
		return 0, err
	}
	if err = b.sized(n, err); err != nil {
		b.end(err)
	}
	return n, err
}

// spliceTo is Read into a pipe, of at most most bytes.
func (c *originConn) spliceTo(p *pipe.Pipe, most int64) (n int, err error) {
	if c.plain == nil {
		return 0, errors.ErrUnsupported
	}
	c.renewRead()
	var failed error
	fill := func(fd uintptr) bool {
		n, failed = p.Fill(fd, int(min(most, pipe.Size)))
		return failed != syscall.EAGAIN
	}
	if err = c.plain.raw.Read(fill); c.mayLook(err) {
		c.plain.raw.Control(func(fd uintptr) {
			if fill(fd) {
				err = nil
			}
		})
	}
	switch {
	case err != nil:
	case failed == errors.ErrUnsupported:
		return 0, failed
	case failed == io.EOF:
		err = failed
	default:
		err = os.NewSyscallError("splice", failed)
	}
	return c.afterRead(n, err)
}

// spliceFrom splices from src as long as that comes in large pieces. It returns the number
// of bytes, and nil if the rest is better read, io.EOF at src's end, or the error of src or
// of a write. What was read of src before must have been sent.
func (w *responseWriter) spliceFrom(src io.Reader) (n int64, err error) {
	from, ok := src.(Splicer)
	if !ok || w.length-w.written < worthSplicing || w.empty || w.c.sock == nil {
		return 0, nil
	}
	p := pipe.Get()
	if p == nil {
		return 0, nil
	}
	defer p.Release()
	for err == nil {
		var m int
		m, err = w.spliceUnlocked(from, p)
		if err == errors.ErrUnsupported {
			return n, nil
		}
		if m > 0 {
			if failed := w.drain(p); failed != nil {
				return n, failed
			}
			n += int64(m)
		}
		if m < copyBuffer {
			return n, err // small pieces are cheaper to read
		}
	}
	return n, err
}

// spliceUnlocked splices a piece from a body without the lock, so that others may send what
// waits.
func (w *responseWriter) spliceUnlocked(from Splicer, p *pipe.Pipe) (int, error) {
	w.c.mu.Unlock()
	defer w.c.mu.Lock()
	return from.SpliceTo(p)
}

// drain sends what is in a pipe.
func (w *responseWriter) drain(p *pipe.Pipe) error {
	if err := w.take(p.Len()); err != nil {
		return err
	}
	w.c.beforeWrite()
	moved := 0
	var failed error
	err := w.c.sock.raw.Write(func(fd uintptr) bool {
		var n int
		n, failed = p.Drain(fd)
		if moved += n; moved >= maxWrite {
			moved = 0
			w.c.beforeWrite()
		}
		return failed != syscall.EAGAIN
	})
	if err == nil {
		err = os.NewSyscallError("splice", failed)
	}
	w.fail(withoutAddress(err))
	return w.err
}

var _ Splicer = (*body)(nil)
