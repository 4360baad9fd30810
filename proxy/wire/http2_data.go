package wire

// data passes a DATA frame on to its stream.
func (h *http2Conn) data(f frameHead) error {
	c := h.c
	c.perRead = true
	length, padding, err := readPadding(c.br, f)
	if err != nil {
		return err
	}
	h.mu.Lock()
	st, err := h.dataStream(f, length)
	h.credit()
	if st != nil && err == nil {
		st.credit(f.length - length)
	}
	h.mu.Unlock()
	if st == nil || err != nil {
		return h.skipFor(length+padding, err)
	}
	if err := eachPiece(c.br, length, func(piece []byte) error {
		h.mu.Lock()
		defer h.mu.Unlock()
		st.accept(piece)
		return nil
	}); err != nil {
		return err
	}
	if err := h.skip(padding); err != nil {
		return err
	}
	if !f.has(flagEndStream) {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return st.endRemote()
}

// dataStream accounts for a DATA frame and returns the stream that it is for, nil if
// that was reset while the frame was on its way; h.mu is held.
func (h *http2Conn) dataStream(f frameHead, length int) (*http2Stream, error) {
	h.received += f.length
	if f.stream > h.begun || f.stream%2 == 0 {
		return nil, connFault(codeProtocol, "data on a stream that never was")
	}
	if length == 0 && !f.has(flagEndStream) {
		if err := h.disturb(); err != nil { // CVE-2019-9518
			return nil, err
		}
	}
	st := h.streams[f.stream]
	if st == nil {
		if reset, _ := h.ended.find(f.stream); reset {
			return nil, nil
		}
		return nil, streamFault(f.stream, codeStreamClosed, "data on a stream that has ended")
	}
	if st.remoteDone {
		return nil, streamFault(f.stream, codeStreamClosed, "data after the end")
	}
	if st.received += f.length; st.received > st.allowed {
		return nil, streamFault(f.stream, codeFlowControl, "more data than the window")
	}
	if length >= narrowPiece {
		h.answers++
	}
	st.got += int64(length)
	if st.length >= 0 && (st.got > st.length || f.has(flagEndStream) && st.got != st.length) {
		return nil, streamFault(f.stream, codeProtocol, "body of another length than announced")
	}
	return st, nil
}
