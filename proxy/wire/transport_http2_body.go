package wire

import "io"

// An originBody is the body of a response.
type originBody struct{ st *originStream }

func (b originBody) Read(p []byte) (int, error) {
	st, c := b.st, b.st.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	if st.waits() {
		// Once: what wakes it may be about other streams.
		st.reading.limit(st, c.t.BodyTimeout, ErrBodyTimeout)
		for st.waits() {
			st.cond.Wait()
		}
		if !st.closed { // else the stream has its time to end
			st.reading.lift()
		}
	}
	switch {
	case st.in.left() > 0:
	case st.closed:
		return 0, errBodyClosed
	case st.remoteDone:
		return 0, st.deliver()
	default:
		return 0, st.err
	}
	n := st.in.read(p)
	st.taken(n)
	st.credit(n)
	if st.in.left() == 0 && st.remoteDone {
		return n, st.deliver()
	}
	return n, nil
}

// waits reports whether there is nothing to read, but may be.
func (st *originStream) waits() bool {
	return st.in.left() == 0 && !st.closed && !st.remoteDone && st.err == nil
}

// deliver hands the trailers over, once.
func (st *originStream) deliver() error {
	deliver(st.resp, st.trailer)
	st.trailer = nil
	return io.EOF
}

// Close resets the stream if the response has not ended.
func (b originBody) Close() error {
	st := b.st
	st.c.mu.Lock()
	defer st.c.mu.Unlock()
	if !st.closed {
		st.drop()
	}
	return nil
}

// drop discards what has come, and gives up the rest.
func (st *originStream) drop() {
	st.closed = true
	st.taken(st.in.left())
	st.in.free()
	st.cond.Broadcast()
	if !st.remoteDone {
		st.giveUp(errBodyClosed)
	}
}

var _ io.ReadCloser = originBody{}
