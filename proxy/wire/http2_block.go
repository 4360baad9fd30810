package wire

import (
	"errors"
	"net/http"

	"golang.org/x/net/http2/hpack"
)

// head reads a HEADERS or CONTINUATION frame into the field block, and acts on the
// block when it is whole.
func (h *http2Conn) head(f frameHead) error {
	length, padding := f.length, 0
	if f.kind == frameHeaders {
		var err error
		if length, padding, err = h.openBlock(f); err != nil {
			return err
		}
	} else if h.block.frames++; h.block.frames > maxContinued+h.block.bytes/ownMaxFrame {
		return connFault(codeEnhanceYourCalm, "too many CONTINUATION frames")
	}
	if err := h.fields(length); err != nil {
		return err
	}
	if err := h.skip(padding); err != nil {
		return err
	}
	if !f.has(flagEndHeaders) {
		return nil
	}
	h.block.open = false
	if !h.deaf {
		if h.decoder.Close() != nil {
			return connFault(codeCompression, "field block is cut")
		}
		return h.headDone()
	}
	err := h.headDone()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.goAway()
	return err
}

// fields reads the next n bytes of a field block. One that is too large is not decoded to
// its end, so the dynamic table is lost (RFC 9113 §4.3) and no later head can be decoded:
// the request is answered, and the connection takes no more. Its other streams go on; they
// may be all the tunnels of a browser that was led to a long URL.
func (h *http2Conn) fields(n int) error {
	b := &h.block
	b.bytes += n
	switch {
	case b.bytes > maxSkipped:
		return connFault(codeEnhanceYourCalm, headTooLarge)
	case !h.deaf && b.bytes <= 2*h.c.limits.Head+ownMaxFrame:
		if err := decodeFields(h.c.br, h.decoder, n, &b.full); err != errFieldTooLarge {
			return err
		}
		n = 0
	}
	h.deaf, b.full = true, true
	h.decoder = hpack.NewDecoder(0, b.add) // frees the old one's table
	return h.skip(n)
}

// openBlock starts the block of fields that a HEADERS frame begins.
func (h *http2Conn) openBlock(f frameHead) (length, padding int, err error) {
	length, padding, parent, err := readHeadersStart(h.c.br, f)
	if err != nil {
		return 0, 0, err
	}
	h.block.reset(f, &h.c.limits)
	h.decoder.SetEmitEnabled(true)
	if h.deaf {
		h.block.malformed("head that is not read")
	}
	if parent == f.stream {
		h.block.malformed("stream that depends on itself")
	}
	return length, padding, nil
}

// headDone acts on a whole head: that of a request, or a trailer section.
func (h *http2Conn) headDone() error {
	b := &h.block
	h.mu.Lock()
	defer h.mu.Unlock()
	if st := h.streams[b.stream]; st != nil {
		if st.remoteDone {
			return streamFault(b.stream, codeStreamClosed, "head after the end")
		}
		return st.trailers(b)
	}
	if b.stream%2 == 0 {
		return connFault(codeProtocol, "stream of the server's")
	}
	if b.stream <= h.begun {
		return h.lateHead(b.stream)
	}
	h.begun = b.stream
	if h.going {
		h.ended.note(b.stream, true) // GOAWAY tells the client that it was not taken, but its body may be on its way
		return nil
	}
	h.last = b.stream
	// A handler may run on for a moment after its stream has ended, while the client opens
	// the next one: hence twice as many handlers as streams.
	if most := h.c.limits.Streams; len(h.streams) >= most || h.running >= 2*most {
		if err := h.disturb(); err != nil {
			return err
		}
		return streamFault(b.stream, codeRefused, "too many streams")
	}
	h.times = h.c.srv.current().timeouts
	h.c.times = h.times
	st := newHTTP2Stream(h, b.stream)
	r, err := b.request(&st.ctx)
	bad, _ := errors.AsType[*ProtocolError](err)
	if bad != nil && bad.Status == http.StatusBadRequest {
		return streamFault(b.stream, codeProtocol, bad.What)
	}
	if bad != nil { // it is answered without a handler, which might count it
		if err := h.disturb(); err != nil {
			return err
		}
	}
	st.open(r, b.end)
	h.start(st, r, bad)
	return nil
}

// lateHead judges a head on a stream that is over; h.mu is held.
func (h *http2Conn) lateHead(stream uint32) error {
	switch reset, known := h.ended.find(stream); {
	case reset:
		return h.disturb() // trailers that were on their way
	case known:
		return connFault(codeStreamClosed, "head on a stream that has ended")
	}
	return connFault(codeProtocol, "stream older than the last")
}
