package wire

import (
	"encoding/binary"
	"errors"
	"math"
	"net/http"
	"strings"

	"golang.org/x/net/http2/hpack"
)

// A responseBlock is the fieldBlock of a response.
type responseBlock struct {
	fieldBlock
	status string
}

// add takes one field.
func (b *responseBlock) add(f hpack.HeaderField) {
	b.size += len(f.Name) + len(f.Value)
	b.count++
	if b.size > b.limits.Head || b.count > b.limits.Fields {
		b.full = true
		return
	}
	if strings.HasPrefix(f.Name, ":") {
		if f.Name != ":status" || b.status != "" || f.Value == "" || len(b.header) > 0 {
			b.malformed("invalid pseudo field")
		}
		b.status = f.Value
		return
	}
	key, ok := http2Name(f.Name)
	switch {
	case !ok:
		b.malformed("invalid field name")
	case key == "Transfer-Encoding":
		b.malformed("transfer coding in HTTP/2")
	case connectionFields[f.Name]: // malformed by RFC 9113 §8.2.2, but browsers ignore it
	case validValue(f.Value):
		b.header[key] = append(b.header[key], trimSpace(f.Value))
	default:
		switch repaired, ok := repairValue(key, f.Value); {
		case !ok:
			b.malformed("control in a field value")
		case repaired != "":
			b.header[key] = append(b.header[key], repaired)
		}
	}
}

// code returns the status, or a [*ProtocolError] if the head is not valid.
func (b *responseBlock) code() (int, error) {
	if b.wrong != "" {
		return 0, malformed(b.wrong)
	}
	if b.full {
		return 0, malformed(headTooLarge)
	}
	code, err := statusCode(b.status)
	if code == http.StatusSwitchingProtocols { // RFC 9113 §8.6
		return 0, malformed("bad status")
	}
	return code, err
}

// read reads frames until the connection ends, and says why.
func (c *HTTP2Conn) read() (err error) {
	defer c.t.contain(&err)
	for {
		b, err := c.br.Peek(frameHeaderLen)
		if err != nil {
			return err
		}
		f := parseFrameHead(b)
		c.br.Discard(frameHeaderLen)
		err = c.frame(f)
		if fault := ofStream(err); fault != nil {
			err = c.reset(fault)
		}
		if err != nil {
			return c.during(err, f.stream)
		}
	}
}

// during returns err; if that is an http2Fault, with the stream whose frame caused it.
func (c *HTTP2Conn) during(err error, stream uint32) error {
	fault, ok := err.(*http2Fault)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !ok || stream >= c.next || stream%2 == 0 { // no stream of ours
		return err
	}
	noted := *fault
	noted.during = stream
	return &noted
}

// frame reads the rest of a frame and does what it says.
func (c *HTTP2Conn) frame(f frameHead) error {
	if err := c.block.takes(f, c.greeted); err != nil {
		if ofStream(err) != nil {
			_, skipped := c.br.Discard(f.length)
			return errors.Join(skipped, err)
		}
		return err
	}
	if err := c.note(f); err != nil {
		return err
	}
	var err error
	switch f.kind {
	case frameData:
		return c.data(f)
	case frameHeaders, frameContinuation:
		return c.head(f)
	case framePing, frameReset, frameWindowUpdate: // act accounts for them
		return c.control(f)
	case framePriorityUpdate:
		return connFault(codeProtocol, "PRIORITY_UPDATE of a server's")
	case frameSettings, framePriority, frameGoAway:
		err = c.disturb()
	default: // of no known type
		err = c.bear()
	}
	switch {
	case err != nil:
		return err
	case f.kind == frameSettings:
		return c.setting(f)
	case f.kind == frameGoAway:
		return c.control(f)
	}
	_, err = c.br.Discard(f.length)
	return err
}

// note notes that a frame came, and refuses one on a stream that never began.
func (c *HTTP2Conn) note(f frameHead) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heard = true
	c.hears()
	if f.kind != framePing {
		c.asked = 0
	}
	if c.doubted {
		c.doubted = false
		c.changed.Broadcast()
	}
	never := f.stream >= c.next || f.stream != 0 && f.stream%2 == 0
	if never && f.kind <= frameContinuation && f.kind != framePriority {
		return connFault(codeProtocol, "stream that never was")
	}
	return nil
}

// bear accounts for a frame that is ignored.
func (c *HTTP2Conn) bear() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.answered(1)
}

// control reads a frame whose first 8 bytes say all, and acts on it.
func (c *HTTP2Conn) control(f frameHead) error {
	b, err := c.br.Peek(min(f.length, 8))
	if err != nil {
		return err
	}
	err = c.act(f, b)
	if err != nil && ofStream(err) == nil {
		return err
	}
	_, skipped := c.br.Discard(f.length)
	return errors.Join(skipped, err) // the other streams go on behind it
}

// act does what the frame f says; b are the first bytes of its payload.
func (c *HTTP2Conn) act(f frameHead, b []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	value := binary.BigEndian.Uint32(b)
	switch f.kind {
	case framePing:
		if f.has(flagAck) {
			return c.disturb()
		}
		if err := c.answered(pingCosts); err != nil {
			return err
		}
		return c.answer(append(appendFrameHead(c.output(), frameHead{length: 8, kind: framePing, flags: flagAck}), b...))
	case frameGoAway:
		c.goAway(value&^(1<<31), http2Code(binary.BigEndian.Uint32(b[4:])))
	case frameReset:
		st := c.streams[f.stream]
		if st == nil {
			return c.late()
		}
		st.wasReset(http2Code(value))
	case frameWindowUpdate:
		return c.windowUpdate(f, int64(value&^(1<<31)))
	}
	return nil
}

// answer sends out, to which the answer to a frame of the origin's was appended.
func (c *HTTP2Conn) answer(out []byte) error {
	c.out = out
	if len(c.out) > maxUnsent {
		return connFault(codeEnhanceYourCalm, "answers are not read")
	}
	c.wake()
	return nil
}

// goAway ends the streams after last, which the origin has not processed (RFC 9113 §6.8).
func (c *HTTP2Conn) goAway(last uint32, code http2Code) {
	c.going = true
	unheard := ErrNotProcessed
	if code == codeHTTP11Required {
		unheard = ErrWantsHTTP1
	}
	for id, st := range c.streams {
		if id > last {
			st.fail(unheard)
			c.forget(st, true)
		}
	}
	c.rest()
}

func (c *HTTP2Conn) windowUpdate(f frameHead, n int64) error {
	if err := c.answered(1); err != nil {
		return err
	}
	if f.stream == 0 {
		if err := widen(&c.window, n, 0); err != nil {
			return err
		}
		c.wakeSenders()
		return nil
	}
	st := c.streams[f.stream]
	if st == nil {
		return nil
	}
	if err := widen(&st.window, n, f.stream); err != nil {
		return err
	}
	st.cond.Broadcast()
	return nil
}

func (c *HTTP2Conn) setting(f frameHead) error {
	if f.has(flagAck) {
		return nil
	}
	b, err := c.br.Peek(f.length)
	if err != nil {
		return err
	}
	defer c.br.Discard(f.length)
	c.mu.Lock()
	defer c.mu.Unlock()
	initial, most := c.initial, -1
	if !c.greeted {
		most = originStreams
	}
	for name, value := range settingsIn(b) {
		if err := checkSetting(name, value); err != nil {
			return err
		}
		switch name {
		case settingHeaderTableSize:
			c.encoder.SetMaxDynamicTableSize(min(value, headerTable))
		case settingEnablePush:
			if value != 0 {
				return connFault(codeProtocol, "push by an origin")
			}
		case settingMaxStreams:
			most = int(min(value, math.MaxInt32))
		case settingInitialWindow:
			initial = int64(value)
		}
	}
	for _, st := range c.streams {
		if err := regauge(&st.window, initial-c.initial, &st.cond); err != nil {
			return err
		}
	}
	c.initial = initial
	if most >= 0 {
		c.most = most
		c.changed.Broadcast()
	}
	if !c.greeted {
		c.greeted = true
		c.health.Reset(originSilence)
	}
	return c.answer(appendFrameHead(c.output(), frameHead{kind: frameSettings, flags: flagAck}))
}

// data passes a DATA frame on to its stream.
func (c *HTTP2Conn) data(f frameHead) error {
	length, padding, err := readPadding(c.br, f)
	if err != nil {
		return err
	}
	if length == 0 && !f.has(flagEndStream) {
		if err := c.disturb(); err != nil { // CVE-2019-9518
			return err
		}
	}
	c.mu.Lock()
	if length >= narrowPiece {
		c.answers++
	}
	st := c.streams[f.stream]
	switch {
	case st != nil:
		err = st.takes(f, length)
	case length > 0: // some send an empty frame behind a HEADERS that ended the stream
		err = c.pastEnd(f.stream)
	}
	c.mu.Unlock()
	if err != nil && ofStream(err) == nil {
		return err
	}
	unread := length + padding
	if st != nil && err == nil {
		if err := eachPiece(c.br, length, func(piece []byte) error {
			c.mu.Lock()
			defer c.mu.Unlock()
			st.accept(piece)
			return nil
		}); err != nil {
			return err
		}
		unread = padding
	}
	if _, err := c.br.Discard(unread); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.credit(f.length)
	if st == nil || err != nil {
		return err
	}
	st.credit(f.length - length)
	if f.has(flagEndStream) {
		st.endRemote()
	}
	return nil
}

// credit gives n bytes back to the connection's window; c.mu is held.
func (c *HTTP2Conn) credit(n int) {
	c.received += n
	if c.received < c.whole/4 || c.err != nil {
		return
	}
	c.out = appendWindowUpdate(c.output(), 0, c.received)
	c.received = 0
	c.wake()
}

// head reads a HEADERS or CONTINUATION frame into the field block, and acts on the
// block when it is whole.
func (c *HTTP2Conn) head(f frameHead) error {
	length, padding := f.length, 0
	b := &c.block
	if f.kind == frameHeaders {
		var err error
		if length, padding, _, err = readHeadersStart(c.br, f); err != nil {
			return err
		}
		*b = responseBlock{fieldBlock: beginBlock(f, &c.t.Limits)}
		c.decoder.SetEmitEnabled(true)
	} else if b.frames++; b.frames > maxContinued {
		return connFault(codeEnhanceYourCalm, "too many CONTINUATION frames")
	}
	if b.bytes += length; b.bytes > maxBlock(c.t.Limits) {
		return connFault(codeEnhanceYourCalm, headTooLarge)
	}
	if err := decodeFields(c.br, c.decoder, length, &b.full); err != nil {
		return err
	}
	if _, err := c.br.Discard(padding); err != nil || !f.has(flagEndHeaders) {
		return err
	}
	b.open = false
	if c.decoder.Close() != nil {
		return connFault(codeCompression, "field block is cut")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if st := c.streams[b.stream]; st != nil {
		return st.head(b)
	}
	if err := c.pastEnd(b.stream); err != nil {
		return err
	}
	return c.late()
}

// pastEnd refuses a frame on a stream that the origin itself has ended (RFC 9113 §5.1).
func (c *HTTP2Conn) pastEnd(stream uint32) error {
	if reset, known := c.over.find(stream); known && !reset {
		return connFault(codeStreamClosed, "frame behind the end")
	}
	return nil
}

// late accounts for a frame on a stream that is over. As many as may have crossed our
// resets do not count as frames to no purpose.
func (c *HTTP2Conn) late() error {
	if c.crossing > 0 {
		c.crossing--
		return nil
	}
	return c.disturb()
}

// reset ends one stream for a fault of the origin's.
func (c *HTTP2Conn) reset(f *http2Fault) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if st := c.streams[f.stream]; st != nil {
		st.abort(f.code, f.protocol())
	} else if f.stream < c.next && f.stream%2 == 1 && c.err == nil { // a stream that has begun
		c.out = appendReset(c.output(), f.stream, f.code)
		c.wake()
	}
	return c.disturb()
}
