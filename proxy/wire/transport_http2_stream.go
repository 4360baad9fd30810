package wire

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strconv"
	"sync"
	"time"
)

// An originStream is one request and its response on an HTTP2Conn, whose lock
// guards all of it.
type originStream struct {
	c       *HTTP2Conn
	id      uint32
	r       *http.Request
	urgency int         // of the response, as r's head says
	cond    sync.Cond   // anything changed
	unwatch func() bool // ends the watch on the request's context
	err     error       // why nothing passes any more, either way

	// From the origin.
	interims   []*responseBlock // not passed on yet
	informed   patience         // bears interim responses; zero before the first
	hinted     int              // bytes of their heads
	resp       *http.Response   // nil until its head came
	in         http2Input
	length     int64 // of the body, as announced; -1 if it was not
	got        int64 // of the body, so far
	allowed    int   // the window that we give
	first      int   // the window before narrow shrank it, which the origin may not know of yet; 0 if it did not
	received   int   // bytes of it that came and are not given back
	unacked    int   // bytes that were read, and are to be given back
	trailer    http.Header
	remoteDone bool // the response is whole
	closed     bool // nobody reads any more
	reading    streamTimer

	// To the origin.
	window    int64 // bytes that we may send
	sending   bool  // a sender waits for room
	proceed   verdict
	localDone bool // the request was sent
	writing   streamTimer
}

// A verdict is what the origin answered to Expect: 100-continue.
type verdict uint8

const (
	unasked  verdict = iota // the request has no such field
	awaited                 // no answer yet
	wanted                  // the body is to be sent: a 100 came, or the time is over
	unwanted                // a final response came instead
)

// A streamTimer aborts a stream on which a read, or a write, waits for too long.
type streamTimer struct {
	timer *time.Timer
	till  time.Time // zero while nobody waits
	slow  error     // what the stream is aborted with
}

// limit starts the timer anew.
func (t *streamTimer) limit(st *originStream, d time.Duration, slow error) {
	t.till, t.slow = time.Now().Add(d), slow
	if t.timer != nil {
		t.timer.Reset(d)
		return
	}
	t.timer = time.AfterFunc(d, func() {
		st.c.mu.Lock()
		defer st.c.mu.Unlock()
		switch left := time.Until(t.till); {
		case t.till.IsZero():
		case left > 0:
			t.timer.Reset(left)
		default:
			if isTimeout(t.slow) {
				st.c.doubt()
			}
			st.abort(codeCancel, t.slow)
		}
	})
}

// renew has the time begin anew, if it runs and its end means slow.
func (t *streamTimer) renew(d time.Duration, slow error) {
	if !t.till.IsZero() && t.slow == slow {
		t.till = time.Now().Add(d)
	}
}

// lift stops the timer.
func (t *streamTimer) lift() {
	if t.timer != nil {
		t.timer.Stop()
	}
	t.till = time.Time{}
}

// RoundTrip sends r on the stream that Reserve or Wait set aside. It does what
// [Transport.RoundTrip] does, but sends nothing twice. Errors are of the same types, or
// [ErrNotProcessed] or [ErrWantsHTTP1].
func (c *HTTP2Conn) RoundTrip(r *http.Request) (*http.Response, error) {
	p, err := c.t.plan(r)
	if err != nil {
		c.Release()
		closeBody(r.Body)
		return nil, err
	}
	fields, err := p.http2Fields()
	if err != nil {
		c.Release()
		closeBody(p.body)
		return nil, err
	}
	st, err := c.open(p, fields)
	if err != nil {
		closeBody(p.body)
		return nil, err
	}
	if p.body != nil {
		go st.send(p)
	}
	return st.await()
}

// await passes interim responses on, and returns the final one.
func (st *originStream) await() (*http.Response, error) {
	trace := httptrace.ContextClientTrace(st.r.Context())
	c := st.c
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		switch {
		case len(st.interims) > 0:
			b := st.interims[0]
			st.interims = st.interims[1:]
			if trace == nil || trace.Got1xxResponse == nil {
				continue
			}
			if err := st.inform(trace, b); err != nil {
				st.abort(codeCancel, err)
				st.drop()
				return nil, err
			}
		case st.resp != nil:
			return st.resp, nil
		case st.err != nil:
			return nil, st.err
		default:
			st.cond.Wait()
		}
	}
}

// inform passes an interim response on, without the lock meanwhile. It has the
// lock again also after a panic, for await to give back.
func (st *originStream) inform(trace *httptrace.ClientTrace, b *responseBlock) error {
	st.c.mu.Unlock()
	defer st.c.mu.Lock()
	code, _ := b.code()
	return trace.Got1xxResponse(code, textproto.MIMEHeader(b.header))
}

// streamError is what the end of a connection, for err, means to streams.
func streamError(err error) error {
	if fault, ok := err.(*http2Fault); ok {
		return fault.protocol()
	}
	return err
}

// lost is what the end of the connection, for err, means to the stream.
func (st *originStream) lost(err error) error {
	if fault, ok := err.(*http2Fault); ok && fault.during != 0 && fault.during != st.id {
		err = ErrNoResponse // the fault is another stream's
	}
	if err == ErrNoResponse && (st.resp != nil || !st.informed.at.IsZero()) {
		return ErrIncomplete
	}
	return streamError(err)
}

// cancel ends the stream for its request's context.
func (st *originStream) cancel(cause error) {
	st.c.mu.Lock()
	defer st.c.mu.Unlock()
	st.giveUp(cause)
}

// giveUp resets the stream. If only END_STREAM is missing, it waits lastWords for that first:
// some origins send it in a frame of its own, as Apache does after the response to a HEAD,
// and count a reset that crosses it as an attack (CVE-2023-44487).
func (st *originStream) giveUp(err error) {
	if st.closed && st.resp != nil && st.localDone && st.got == st.length {
		st.reading.limit(st, lastWords, err)
		return
	}
	st.abort(codeCancel, err)
}

// abort resets the stream, unless it is over.
func (st *originStream) abort(code http2Code, err error) {
	c := st.c
	if c.streams[st.id] != st {
		return
	}
	st.fail(err)
	c.crossing += 2 // a head, and trailers or a reset, may be on their way
	c.worn = c.worn || c.givenUp.ends()
	c.out = appendReset(c.output(), st.id, code)
	c.wake()
	c.forget(st, true)
}

// fail ends both directions with err; what has come already can still be read.
func (st *originStream) fail(err error) {
	if st.err == nil {
		st.err = err
	}
	st.reading.lift()
	st.writing.lift()
	st.cond.Broadcast()
}

// forget removes a stream that is over; reset says that we have ended it, not the origin.
func (c *HTTP2Conn) forget(st *originStream, reset bool) {
	if c.streams[st.id] != st {
		return
	}
	delete(c.streams, st.id)
	c.over.note(st.id, reset)
	c.lent -= st.allowed - st.in.left()
	st.reading.lift()
	st.writing.lift()
	if st.unwatch != nil {
		st.unwatch()
	}
	c.rest()
}

// wasReset ends a stream that the origin has reset with code.
func (st *originStream) wasReset(code http2Code) {
	err := error(errStreamReset)
	switch {
	case st.resp != nil:
		err = ErrIncomplete // not seen if the response had ended: then it only stops the request (RFC 9113 §8.1)
	case code == codeRefused:
		err = ErrNotProcessed
	case code == codeHTTP11Required:
		err = ErrWantsHTTP1
	case code == codeEnhanceYourCalm:
		st.c.worn = true // Node's server may take nothing more on it, however long it rests (its maxSessionMemory)
	}
	st.fail(err)
	st.c.forget(st, false)
}

// head takes a head, or the trailer section.
func (st *originStream) head(b *responseBlock) error {
	switch {
	case st.remoteDone:
		return streamFault(st.id, codeStreamClosed, "head after the end")
	case st.resp != nil:
		return st.trailers(b)
	}
	code, err := b.code()
	if err != nil {
		return streamFault(st.id, codeProtocol, err.(*ProtocolError).What)
	}
	if code >= 200 {
		return st.final(code, b)
	}
	if st.informed.at.IsZero() {
		st.informed = newPatience(maxInterim, interimsPerSecond)
	}
	if b.end || st.informed.ends() {
		return streamFault(st.id, codeProtocol, "interim response that ends, or one too many")
	}
	if st.hinted += b.size; st.hinted > st.c.t.Limits.Head { // all are kept while the client reads none
		return streamFault(st.id, codeEnhanceYourCalm, "interim responses too large")
	}
	if code == http.StatusContinue && st.proceed == awaited {
		st.proceed = wanted
	}
	if st.localDone && worksOn(code) {
		st.reading.limit(st, st.c.t.ResponseTimeout, ErrResponseTimeout)
	}
	interim := *b
	st.interims = append(st.interims, &interim)
	st.cond.Broadcast()
	return nil
}

var zeroLength = []string{"0"}

// final makes the response of its head.
func (st *originStream) final(code int, b *responseBlock) error {
	length, err := contentLength(b.header["Content-Length"])
	if err != nil {
		return streamFault(st.id, codeProtocol, "invalid Content-Length")
	}
	trailer, err := announcedTrailers(b.header["Trailer"], st.c.t.Limits.Fields)
	if err != nil {
		return streamFault(st.id, codeProtocol, "invalid Trailer")
	}
	delete(b.header, "Trailer")
	state := st.c.nc.ConnectionState()
	resp := &http.Response{
		Status:     strconv.Itoa(code) + " " + http.StatusText(code),
		StatusCode: code,
		Proto:      "HTTP/2.0",
		ProtoMajor: 2,
		Header:     b.header,
		Body:       http.NoBody,
		Request:    st.r,
		TLS:        &state,
	}
	switch {
	case st.r.Method == http.MethodHead:
		resp.ContentLength, st.length = length, 0
	case code == http.StatusNoContent, code == http.StatusNotModified:
		st.length = 0
	case b.end && length > 0:
		return streamFault(st.id, codeProtocol, "body of another length than announced")
	case b.end:
		st.length = 0
		b.header["Content-Length"] = zeroLength // so that whoever passes it on knows at once
	default:
		// trailer is never nil: copies of resp that are made before the trailers come
		// get them by this map.
		st.length = length
		if length == 0 && len(st.r.Header["Te"]) > 0 { // trailers may come; with that length it would be passed on as a head alone
			delete(b.header, "Content-Length")
			length = -1
		}
		resp.ContentLength, resp.Trailer, resp.Body = length, trailer, originBody{st}
	}
	if st.proceed == awaited && (code >= 300 || b.end) { // else it may still want the body (RFC 9110 §10.1.1)
		st.proceed = unwanted
	}
	st.resp = resp
	st.reading.lift()
	if resp.Body == http.NoBody {
		st.closed = true
		st.reading.limit(st, st.c.t.BodyTimeout, ErrBodyTimeout)
	}
	st.cond.Broadcast()
	if b.end {
		st.endRemote()
	}
	return nil
}

// trailers takes the trailer section, which ends the response.
func (st *originStream) trailers(b *responseBlock) error {
	switch {
	case !b.end:
		return streamFault(st.id, codeProtocol, "trailers that end nothing")
	case b.wrong != "" || b.status != "":
		return streamFault(st.id, codeProtocol, "malformed trailers")
	case b.full || b.size > st.c.t.Limits.Trailer:
		return streamFault(st.id, codeEnhanceYourCalm, "trailers too large")
	case st.length >= 0 && st.got != st.length:
		return streamFault(st.id, codeProtocol, "body of another length than announced")
	}
	dropForbidden(b.header)
	st.trailer = b.header
	st.endRemote()
	return nil
}

// takes accounts for a DATA frame, and refuses one that breaks a rule or the window.
func (st *originStream) takes(f frameHead, length int) error {
	switch st.received += f.length; {
	case st.resp == nil:
		return streamFault(st.id, codeProtocol, "data before a head")
	case st.remoteDone:
		return streamFault(st.id, codeStreamClosed, "data after the end")
	case st.received > max(st.allowed, st.first):
		return streamFault(st.id, codeFlowControl, "more data than the window")
	}
	st.got += int64(length)
	if st.length >= 0 && (st.got > st.length || f.has(flagEndStream) && st.got != st.length) {
		return streamFault(st.id, codeProtocol, "body of another length than announced")
	}
	return nil
}

// accept takes bytes of the body.
func (st *originStream) accept(b []byte) {
	if st.closed || st.err != nil {
		return
	}
	st.in.add(b)
	st.cond.Broadcast()
}

// credit gives n bytes back to the stream's window, which grows where it is
// read as fast as it comes, as [http2Stream.credit] has it.
func (st *originStream) credit(n int) {
	c := st.c
	if st.unacked += n; st.unacked < st.allowed/4 || st.remoteDone || st.err != nil {
		return
	}
	grown := st.in.windowGrowth(st.allowed, originGrown, originLarge-c.lent)
	st.allowed += grown
	c.lent += grown
	c.out = appendWindowUpdate(c.output(), st.id, st.unacked+grown)
	st.received -= st.unacked
	st.unacked = 0
	c.wake()
}

// taken notes that n bytes were read, or discarded. HTTP2Conn.lent counts a stream's window
// until it is over, and from then on what is unread.
func (st *originStream) taken(n int) {
	if c := st.c; c.streams[st.id] != st {
		c.lent -= n
		c.changed.Broadcast()
	}
}

// endRemote notes that the response is whole, unless the stream was given up while its
// last frame came: accept has dropped the rest of that.
func (st *originStream) endRemote() {
	if st.err != nil {
		return
	}
	st.remoteDone = true
	st.reading.lift()
	st.cond.Broadcast()
	switch {
	case st.localDone:
		st.c.forget(st, false)
	case st.proceed == unwanted, st.proceed == awaited:
		st.abort(codeCancel, errNotSent)
	}
}

// watch cancels the stream when the request's context ends.
func (st *originStream) watch() {
	if ctx := st.r.Context(); ctx.Done() != nil {
		st.unwatch = context.AfterFunc(ctx, func() { st.cancel(context.Cause(ctx)) })
	}
}
