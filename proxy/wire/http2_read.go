package wire

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"runtime"
)

// errQuit ends the reading of a connection that has nothing more to do.
var errQuit = errors.New("wire: no stream is left")

// read reads frames until the connection ends, and says why.
func (h *http2Conn) read() error {
	if err := h.readPreface(); err != nil {
		return err
	}
	for {
		f, err := h.next()
		if err == nil {
			err = h.frame(f)
		}
		if fault := ofStream(err); fault != nil {
			err = h.reset(fault)
		}
		if h.cut.Load() {
			return errNotCalm
		}
		if err != nil {
			return err
		}
	}
}

func (h *http2Conn) readPreface() error {
	c := h.c
	h.limitHead()
	b, err := c.br.Peek(len(http2Preface))
	if err != nil {
		return err
	}
	if string(b) != http2Preface {
		return connFault(codeProtocol, "invalid preface")
	}
	c.br.Discard(len(b))
	c.srv.tellSpeaks(c.nc)
	return nil
}

// limitHead has all reads from now on fail after timeouts.Head.
func (h *http2Conn) limitHead() {
	if d := h.c.times.Head; d > 0 {
		h.c.readBy(d)
	}
}

// next waits for a frame and returns its head. Nothing limits the wait as long
// as there are streams; what has begun to come has timeouts.Head.
func (h *http2Conn) next() (frameHead, error) {
	c := h.c
	timed := !h.greeted || h.block.open // the whole greeting, or head, has its deadline
	if c.br.Buffered() == 0 && !timed {
		putReader(c.br)
		c.br = nil
		c.perRead = false
		c.extendRead(-1)
		h.mu.Lock()
		quitting := h.quitting
		h.mu.Unlock()
		switch { // either may have cut a deadline that is lifted now
		case quitting:
			return frameHead{}, errQuit
		case h.cut.Load():
			return frameHead{}, errNotCalm
		}
		if err := c.firstRead(); err != nil {
			return frameHead{}, err
		}
	}
	if c.br.Buffered() < frameHeaderLen && !timed {
		h.limitHead()
	}
	b, err := c.br.Peek(frameHeaderLen)
	if err != nil {
		return frameHead{}, err
	}
	f := parseFrameHead(b)
	c.br.Discard(frameHeaderLen)
	return f, nil
}

// frame reads the rest of a frame and does what it says.
func (h *http2Conn) frame(f frameHead) error {
	if err := h.block.takes(f, h.greeted); err != nil {
		if ofStream(err) != nil {
			return h.skipFor(f.length, err)
		}
		return err
	}
	if f.kind == frameData {
		return h.data(f)
	}
	starts := f.kind == frameHeaders && !f.has(flagEndHeaders)
	if h.greeted && !h.block.open && (starts || h.c.br.Buffered() < f.length) {
		h.limitHead()
	}
	switch f.kind {
	case frameHeaders, frameContinuation:
		err := h.head(f)
		// Let handlers that were started run first: requests are read faster than that, and
		// tens of thousands on many connections would take their memory all at once.
		runtime.Gosched()
		return err
	case frameSettings:
		return h.setting(f)
	case framePing:
		return h.pinged(f)
	case frameReset:
		return h.wasReset(f)
	case frameWindowUpdate:
		return h.windowUpdate(f)
	case framePriority:
		return h.priority(f)
	case framePriorityUpdate:
		return h.priorityUpdate(f)
	}
	if err := h.bear(); err != nil {
		return err
	}
	return h.skip(f.length) // GOAWAY, whose sender closes when it is done; and unknown types
}

// bear accounts for a frame that is ignored.
func (h *http2Conn) bear() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.answered(1)
}

func (h *http2Conn) skip(n int) error {
	_, err := h.c.br.Discard(n)
	return err
}

// skipFor discards n bytes, which have timeouts.Head to come, and returns why, or the
// error of reading them.
func (h *http2Conn) skipFor(n int, why error) error {
	h.limitHead()
	if err := h.skip(n); err != nil {
		return err
	}
	return why
}

// take reads n bytes, no more than the reader holds; they are valid until the next read.
func (h *http2Conn) take(n int) ([]byte, error) {
	b, err := h.c.br.Peek(n)
	if err != nil {
		return nil, err
	}
	h.c.br.Discard(n)
	return b, nil
}

func (h *http2Conn) setting(f frameHead) error {
	if err := h.disturb(); err != nil {
		return err
	}
	if f.has(flagAck) {
		return nil
	}
	b, err := h.take(f.length)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	initial := h.initial
	for name, value := range settingsIn(b) {
		if err := checkSetting(name, value); err != nil {
			return err
		}
		switch name {
		case settingHeaderTableSize:
			h.encoder.SetMaxDynamicTableSize(min(value, headerTable))
		case settingEnablePush, settingNoRFC7540Priority: // we never push
			if value > 1 {
				return connFault(codeProtocol, "setting that is neither 0 nor 1")
			}
		case settingInitialWindow:
			initial = int64(value)
		}
	}
	for _, st := range h.streams { // once for all that the frame says
		if err := regauge(&st.window, initial-h.initial, &st.cond); err != nil {
			return err
		}
	}
	h.initial = initial
	h.greeted = true
	return h.answer(func(b []byte) []byte {
		return appendFrameHead(b, frameHead{kind: frameSettings, flags: flagAck})
	})
}

func (h *http2Conn) pinged(f frameHead) error {
	b, err := h.take(8)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if f.has(flagAck) {
		return h.hasRead(binary.BigEndian.Uint64(b))
	}
	if err := h.answered(pingCosts); err != nil {
		return err
	}
	return h.answer(func(out []byte) []byte {
		return append(appendFrameHead(out, frameHead{length: 8, kind: framePing, flags: flagAck}), b...)
	})
}

// priority ignores what RFC 9113 §5.3.2 deprecates, once it is valid.
func (h *http2Conn) priority(f frameHead) error {
	b, err := h.take(5)
	if err != nil {
		return err
	}
	if binary.BigEndian.Uint32(b)&^(1<<31) == f.stream {
		return streamFault(f.stream, codeProtocol, "stream that depends on itself")
	}
	return h.bear()
}

func (h *http2Conn) wasReset(f frameHead) error {
	if _, err := h.take(4); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if f.stream > h.begun || f.stream%2 == 0 {
		return connFault(codeProtocol, "reset of a stream that never was")
	}
	st := h.streams[f.stream]
	if st == nil {
		return h.answered(1) // the client may not have known that it has ended
	}
	done := st.localDone
	st.fail(errClientGone)
	h.forget(st, false)
	if done {
		return nil // the whole answer was on its way
	}
	return h.disturb()
}

func (h *http2Conn) windowUpdate(f frameHead) error {
	b, err := h.take(4)
	if err != nil {
		return err
	}
	n := int64(binary.BigEndian.Uint32(b) &^ (1 << 31))
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.answered(1); err != nil {
		return err
	}
	if f.stream == 0 {
		if err := widen(&h.window, n, 0); err != nil {
			return err
		}
		h.admit()
		return nil
	}
	if f.stream > h.begun || f.stream%2 == 0 {
		return connFault(codeProtocol, "WINDOW_UPDATE of a stream that never was")
	}
	st := h.streams[f.stream]
	if st == nil {
		return nil // it may come for long after the end (RFC 9113 §5.1)
	}
	if err := widen(&st.window, n, f.stream); err != nil {
		return err
	}
	st.cond.Broadcast()
	return nil
}

// reset ends one stream for a fault of the client's.
func (h *http2Conn) reset(f *http2Fault) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if f.code != codeRefused {
		if err := h.disturb(); err != nil {
			return err
		}
	}
	if st := h.streams[f.stream]; st != nil {
		st.fail(errClientGone)
		h.forget(st, true)
	} else {
		h.ended.note(f.stream, true)
	}
	return h.answer(func(b []byte) []byte { return appendReset(b, f.stream, f.code) })
}

// errClientGone is what reads and writes return on a stream that the client has ended, or
// that was reset for a fault of the client's.
var errClientGone = io.ErrUnexpectedEOF

// errSlow is returned where the client did not send, or take, in time.
var errSlow = os.ErrDeadlineExceeded
