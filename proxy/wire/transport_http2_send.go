package wire

import (
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http2/hpack"
)

// pseudoOrder is Firefox's order of pseudo fields, for field orders without them.
var pseudoOrder = []string{":method", ":path", ":authority", ":scheme"}

// sharedFields are the fields whose values are the persona's, or few. They alone go
// into HPACK's dynamic table: what one client sends must not show in the size of
// what is sent for another (RFC 7541 §7.1).
var sharedFields = nameSet(`
		:authority :method :scheme accept accept-encoding accept-language
		cache-control dnt pragma priority sec-ch-ua sec-ch-ua-mobile
		sec-ch-ua-platform sec-fetch-dest sec-fetch-mode sec-fetch-site
		sec-fetch-storage-access sec-fetch-user sec-gpc te
		upgrade-insecure-requests user-agent`)

// http2Fields returns the head of the request as fields of HTTP/2: those that
// appendHead writes, in the same order, after the pseudo fields.
func (p *plan) http2Fields() ([]hpack.HeaderField, error) {
	r := p.r
	if !validToken(r.Method) {
		return nil, &RequestError{"a bad method"}
	}
	path, err := p.appendTarget(nil)
	if err != nil {
		return nil, err
	}
	order := fieldOrder(r.Context())
	out := make([]hpack.HeaderField, 0, len(r.Header)+8)
	add := func(name, value string) {
		out = append(out, hpack.HeaderField{Name: name, Value: value, Sensitive: !sharedFields[name]})
	}
	for _, name := range pseudoOf(order) {
		switch name {
		case ":method":
			add(name, r.Method)
		case ":path":
			add(name, string(path))
		case ":authority":
			add(name, p.authority)
		case ":scheme":
			add(name, r.URL.Scheme)
		}
	}
	for _, f := range p.orderedFields(make([]field, 0, len(r.Header)+6), order) {
		name := strings.ToLower(f.name)
		values := f.values
		if values == nil {
			values = []string{f.value}
		}
		if !validToken(name) {
			return nil, &RequestError{"a bad field name"}
		}
		for _, v := range values {
			switch v = trimSpace(v); {
			case !validValue(v):
				return nil, &RequestError{"a bad field value"}
			case name == "host", name == "te" && v != "trailers", connectionFields[name]:
			case name == "cookie":
				for crumb := range strings.SplitSeq(v, "; ") { // RFC 9113 §8.2.3, as browsers do
					add(name, trimSpace(crumb)) // a space at either end would be malformed (§8.2.1)
				}
			default:
				add(name, v)
			}
		}
	}
	return addMissing(out, order), nil
}

// addMissing appends the lines "name: value" with which order ends, except those whose name
// is among fields.
func addMissing(fields []hpack.HeaderField, order []string) []hpack.HeaderField {
	first := len(order)
	for first > 0 && strings.Contains(order[first-1], ": ") {
		first--
	}
	for _, line := range order[first:] {
		name, value, _ := strings.Cut(line, ": ")
		name = strings.ToLower(name)
		if !slices.ContainsFunc(fields, func(f hpack.HeaderField) bool { return f.Name == name }) {
			fields = append(fields, hpack.HeaderField{Name: name, Value: value, Sensitive: !sharedFields[name]})
		}
	}
	return fields
}

// pseudoOf returns the pseudo fields in the order that order begins with.
func pseudoOf(order []string) []string {
	n := 0
	for n < len(order) && strings.HasPrefix(order[n], ":") {
		n++
	}
	if n == len(pseudoOrder) {
		return order[:n]
	}
	return pseudoOrder
}

// open begins a stream with the request's head.
func (c *HTTP2Conn) open(p *plan, fields []hpack.HeaderField) (*originStream, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reserved--
	if !c.usable() || len(c.streams) >= c.most { // the origin may have lowered that since
		c.rest()
		return nil, ErrNotProcessed
	}
	st := &originStream{c: c, id: c.next, r: p.r, window: c.initial, length: -1, allowed: c.begin, urgency: urgencyOf(fields)}
	priority := c.priority(st.urgency)
	c.lent += st.allowed
	st.cond.L = &c.mu
	c.next += 2
	c.attend()
	c.idle.Stop()
	c.streams[st.id] = st
	c.answers += answersEach
	if p.body != nil && expectsContinue(p.r.Header) {
		st.proceed = awaited
	}
	c.sendHead(st, fields, p.body == nil, priority)
	st.watch()
	return st, nil
}

// sendHead appends a head, with priority in front of the fields if that is not empty (RFC
// 7540 §6.2). Heads are encoded when they are appended, since the dynamic table of HPACK
// makes their order matter.
func (c *HTTP2Conn) sendHead(st *originStream, fields []hpack.HeaderField, end bool, priority []byte) {
	var flags uint8
	if end {
		flags |= flagEndStream
	}
	c.encoded.Reset()
	if len(priority) > 0 {
		flags |= flagPriority
		c.encoded.Write(priority)
	}
	for _, f := range fields {
		c.encoder.WriteField(f)
	}
	c.out = appendBlock(c.output(), st.id, c.encoded.Bytes(), flags)
	c.wake()
	if end {
		st.endLocal()
	}
}

// endLocal notes that the request was sent.
func (st *originStream) endLocal() {
	st.localDone = true
	switch {
	case st.remoteDone:
		st.c.forget(st, false)
	case st.resp == nil:
		st.reading.limit(st, st.c.t.ResponseTimeout, ErrResponseTimeout)
	}
}

// send sends the body, each piece as it comes. If the body breaks off, the stream is
// reset, so that the origin cannot take what it received as whole.
func (st *originStream) send(p *plan) {
	defer p.body.Close()
	c := st.c
	if !st.mayProceed() {
		return
	}
	buf := sendBuffers.Get().(*[]byte)
	defer sendBuffers.Put(buf)
	left := p.length
	for {
		piece := (*buf)[:ownMaxFrame]
		if left > 0 && int64(len(piece)) > left {
			piece = piece[:left]
		}
		n, err := c.t.readBody(p.body, piece)
		switch {
		case left == 0 && n > 0: // this Read was for the end, and the trailers
			err = errLongBody
		case left > 0:
			left -= int64(n)
		}
		if err == io.EOF && left > 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil && err != io.EOF {
			c.mu.Lock()
			st.abort(codeCancel, &RequestBodyError{err})
			c.mu.Unlock()
			return
		}
		// Beside a length, trailers are known at the body's end only.
		end := err == io.EOF || left == 0 && len(p.r.Trailer) == 0
		if !st.write(piece[:n], end, p) || end {
			return
		}
	}
}

var errLongBody = errors.New("wire: body longer than announced")

// mayProceed waits for 100 (Continue), a final response or the time to do
// without (RFC 9110 §10.1.1).
func (st *originStream) mayProceed() bool {
	c := st.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if st.proceed != awaited {
		return st.proceed != unwanted
	}
	timer := time.AfterFunc(c.t.ContinueTimeout, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if st.proceed == awaited {
			st.proceed = wanted
			st.cond.Broadcast()
		}
	})
	defer timer.Stop()
	for st.proceed == awaited && st.err == nil {
		st.cond.Wait()
	}
	return st.proceed == wanted && st.err == nil
}

// write sends b as DATA, and the end with it. It waits for room, and returns
// false if the stream is over.
func (st *originStream) write(b []byte, end bool, p *plan) bool {
	c := st.c
	c.mu.Lock()
	defer c.mu.Unlock()
	waits, spent := false, int64(0)
	for len(b) > 0 {
		n := min(int64(len(b)), st.window, c.window, ownMaxFrame)
		if st.err != nil {
			return false
		}
		if n <= 0 || len(c.out) >= maxOutput {
			// The time starts anew if only other streams hold this one up: it has a window,
			// and the connection has one or others have sent meanwhile.
			if !waits || st.window > 0 && (c.window > 0 || c.spent != spent) {
				waits, spent = true, c.spent
				st.writing.limit(st, c.t.WriteTimeout, ErrWriteTimeout)
			}
			st.sending = true
			c.wake()
			st.cond.Wait()
			st.sending = false
			continue
		}
		if waits {
			waits = false
			st.writing.lift()
		}
		f := frameHead{length: int(n), kind: frameData, stream: st.id}
		last := end && int(n) == len(b) && len(p.r.Trailer) == 0
		if last {
			f.flags = flagEndStream
		}
		c.out = append(appendFrameHead(c.output(), f), b[:n]...)
		st.window -= n
		c.window -= n
		c.spent += n
		if int(n) == len(b) || n >= narrowPiece {
			c.answers += answersEach
		}
		b = b[n:]
		if last {
			st.endLocal()
		}
	}
	if st.err != nil {
		return false
	}
	st.reading.renew(c.t.BodyTimeout, ErrBodyTimeout) // as over HTTP/1.1; see [sender.write]
	if end && !st.localDone {
		st.finish(p)
	}
	c.wake()
	return true
}

// finish ends the request with its trailers, or with an empty frame.
func (st *originStream) finish(p *plan) {
	var fields []hpack.HeaderField
	for _, name := range trailerNames(p.r.Trailer) {
		for _, v := range p.r.Trailer[name] {
			if validValue(v) {
				fields = append(fields, hpack.HeaderField{Name: strings.ToLower(name), Value: trimSpace(v), Sensitive: true})
			}
		}
	}
	if len(fields) > 0 {
		st.c.sendHead(st, fields, true, nil)
		return
	}
	st.c.out = appendFrameHead(st.c.output(), frameHead{kind: frameData, flags: flagEndStream, stream: st.id})
	st.endLocal()
}
