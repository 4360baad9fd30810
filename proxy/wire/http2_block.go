package wire

import (
	"errors"
	"net/http"
)

// head takes a HEADERS or CONTINUATION frame into the block of fields, and
// acts when that is whole.
func (h *http2Conn) head(f frameHead) error {
	length, padding := f.length, 0
	if f.kind == frameHeaders {
		var err error
		if length, padding, err = h.openBlock(f); err != nil {
			return err
		}
	} else if !h.block.open {
		return connFault(codeProtocol, "CONTINUATION of nothing")
	} else if h.block.frames++; h.block.frames > maxContinued {
		return connFault(codeEnhanceYourCalm, "too many CONTINUATION frames")
	}
	b := &h.block
	if b.bytes += length; b.bytes > 2*h.c.limits.Head+ownMaxFrame {
		return connFault(codeEnhanceYourCalm, "head too large")
	}
	if err := decodeFields(h.c.br, h.decoder, length, &b.full); err != nil {
		return err
	}
	if err := h.skip(padding); err != nil {
		return err
	}
	if !f.has(flagEndHeaders) {
		return nil
	}
	b.open = false
	if h.decoder.Close() != nil {
		return connFault(codeCompression, "field block is cut")
	}
	return h.headDone()
}

// openBlock starts the block of fields that a HEADERS frame begins.
func (h *http2Conn) openBlock(f frameHead) (length, padding int, err error) {
	length, padding, parent, err := readHeadersStart(h.c.br, f)
	if err != nil {
		return 0, 0, err
	}
	h.block.reset(f, &h.c.limits)
	h.decoder.SetEmitEnabled(true)
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
		e, ok := h.remembered(b.stream)
		switch {
		case e.reset:
			return h.disturb() // trailers that were on their way
		case ok:
			return connFault(codeStreamClosed, "head on a stream that has ended")
		}
		return connFault(codeProtocol, "stream older than the last")
	}
	h.begun = b.stream
	if h.going {
		h.note(b.stream, true) // GOAWAY says that it was not taken, and its body may be on its way
		return nil
	}
	h.last = b.stream
	// A handler may run for a moment longer than its stream, whose place the client
	// may take again at once.
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
	if bad != nil { // it is answered here, and no handler counts it
		if err := h.disturb(); err != nil {
			return err
		}
	}
	st.open(r, b.end)
	h.start(st, r, bad)
	return nil
}
