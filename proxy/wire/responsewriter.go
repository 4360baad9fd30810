package wire

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"
)

const flushDelay = 5 * time.Millisecond // written data waits no longer for more

// A responseWriter is the [http.ResponseWriter] of one request. All of it is
// guarded by the connection's mutex, as the timer that sends what waits, and
// the body's reader that sends 100 (Continue), use it beside the handler.
//
// The head is written out at WriteHeader, but for the fields that frame the
// body: those follow when the first bytes are sent, since by then the whole
// body may be known.
type responseWriter struct {
	c      *conn
	r      *http.Request
	ctx    *requestContext
	body   *requestBody // nil without one
	header http.Header

	head *[]byte // head, not sent yet; pooled
	data *[]byte // body, not sent yet; pooled

	status   int
	length   int64 // declared, or -1
	written  int64 // bytes of body from the handler
	trailers []string
	options  []string // the handler's Connection options
	err      error    // of a write to the client

	wroteHeader bool
	framed      bool // the head is complete
	empty       bool // the response has no body, whatever is written
	expects     bool // the client waits for 100 (Continue)
	awaited     bool // and that was not sent yet
	chunked     bool
	untilClose  bool // the connection's end is the body's
	closeAfter  bool
	promised    bool // the head said that the connection persists, before it was known how much of the request's body stays unread
	asked       bool // the client asked for closeAfter
	armed       bool // the timer runs
	hijacked    bool
	reading     bool // the request's body is read on after the response's end; see End
	done        bool // nothing more is written
	whole       bool // the response was sent as a whole
}

func (w *responseWriter) init(c *conn, r *http.Request, ctx *requestContext) {
	w.c, w.r, w.ctx, w.length = c, r, ctx, -1
	// The keep-alive of HTTP/1.0 may come from a proxy that does not know it and has
	// passed its own client's field on (RFC 9112 §9.3).
	byProxy := r.ProtoMinor == 0 && r.URL.Host != ""
	w.asked = !persistent(r.Header, r.ProtoMinor) || byProxy
	w.closeAfter = w.asked
}

var (
	errHandlerDone = errors.New("wire: write after the handler returned")
	errBodyInUse   = errors.New("wire: hijack while the request body is being read")
)

// Header returns the fields to send. Changes after WriteHeader count for
// trailers alone.
func (w *responseWriter) Header() http.Header {
	if w.header == nil {
		w.header = make(http.Header, 16)
	}
	return w.header
}

// SetHeader makes h what Header returns, which saves a handler that has the
// fields already from copying them. It has no effect after WriteHeader.
func (w *responseWriter) SetHeader(h http.Header) {
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	if !w.wroteHeader {
		w.header = h
	}
}

// WriteHeader sets the status, which must be between 100 and 999. Those below
// 200 but 101 are sent at once, with the fields set so far, as often as called.
func (w *responseWriter) WriteHeader(status int) { w.WriteStatus(status, "") }

// WriteStatus is WriteHeader with a reason of its own, unless that is "".
func (w *responseWriter) WriteStatus(status int, reason string) {
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	w.writeHeader(status, reason)
}

func (w *responseWriter) writeHeader(status int, reason string) {
	if status < 100 || status > 999 {
		panic("wire: invalid status " + strconv.Itoa(status))
	}
	if w.hijacked || w.wroteHeader {
		return
	}
	if status < 200 && status != http.StatusSwitchingProtocols {
		w.interim(status)
		return
	}
	w.wroteHeader = true
	w.status = status
	w.begin(reason)
	w.arm()
}

// Write sends p, or keeps it for a moment if it is small.
func (w *responseWriter) Write(p []byte) (int, error) {
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	if err := w.take(len(p)); err != nil || w.empty {
		return len(p), err
	}
	return len(p), w.put(p)
}

// WriteString implements [io.StringWriter].
func (w *responseWriter) WriteString(s string) (int, error) { return w.Write([]byte(s)) }

// take accounts for n bytes of body from the handler.
func (w *responseWriter) take(n int) error {
	if w.hijacked {
		return http.ErrHijacked
	}
	if w.done {
		return errHandlerDone
	}
	if w.writeHeader(http.StatusOK, ""); w.err != nil {
		return w.err
	}
	if resets(w.status) {
		return nil
	}
	if w.empty && w.r.Method != http.MethodHead && n > 0 {
		return http.ErrBodyNotAllowed
	}
	if w.length >= 0 && w.written+int64(n) > w.length {
		return http.ErrContentLength
	}
	w.written += int64(n)
	return nil
}

// put appends p to the waiting data, or sends both.
func (w *responseWriter) put(p []byte) error {
	if w.data == nil {
		w.data = smallBuffers.Get().(*[]byte)
	}
	if len(*w.data)+len(p) <= cap(*w.data) {
		*w.data = append(*w.data, p...)
		w.arm()
		return nil
	}
	return w.send(p, nil)
}

// Flush sends what waits.
func (w *responseWriter) Flush() { w.FlushError() }

// FlushError is Flush for [http.ResponseController].
func (w *responseWriter) FlushError() error {
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	if w.hijacked {
		return http.ErrHijacked
	}
	w.writeHeader(http.StatusOK, "")
	return w.flush()
}

func (w *responseWriter) flush() error {
	if w.head == nil && (w.data == nil || len(*w.data) == 0) {
		return w.err
	}
	return w.send(nil, nil)
}

// ReadFrom implements [io.ReaderFrom]. It sends each piece of src as it comes, and the head
// no later than flushDelay after the call, even if src has nothing yet. If src is a
// [Splicer], what comes fast of it is spliced.
func (w *responseWriter) ReadFrom(src io.Reader) (n int64, err error) {
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	if err := w.take(0); err != nil {
		return 0, err
	}
	var b lent
	b.takeFor(w.length)
	defer b.giveBack()
	for {
		p := (*b.buf)[:cap(*b.buf)]
		m, err := w.readUnlocked(src, p)
		if m > 0 {
			if err := w.take(m); err != nil {
				return n, err
			}
			n += int64(m)
			if err := w.pass(p[:m], err == io.EOF); err != nil {
				return n, err
			}
		}
		if err == nil && (m >= copyBuffer || m == len(p) && m > smallBuffer) {
			var spliced int64
			spliced, err = w.spliceFrom(src)
			n += spliced
		}
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		if w.written != w.length {
			b.fit(m)
		}
	}
}

// readUnlocked reads while others may send what waits.
func (w *responseWriter) readUnlocked(src io.Reader, p []byte) (int, error) {
	w.c.mu.Unlock()
	defer w.c.mu.Lock()
	return src.Read(p)
}

// pass sends p, or if it is the last piece, leaves it to put, so that it goes out with the
// end of the body.
func (w *responseWriter) pass(p []byte, last bool) error {
	if w.empty {
		return nil
	}
	if last {
		return w.put(p)
	}
	return w.send(p, nil)
}

// arm starts the timer that sends what waits, unless it runs.
func (w *responseWriter) arm() {
	if w.armed {
		return
	}
	w.armed = true
	c := w.c
	if c.timer == nil {
		c.timer = time.AfterFunc(c.srv.flushesAfter(), c.flushLate)
		return
	}
	c.timer.Reset(c.srv.flushesAfter())
}

// flushLate is what the timer runs. It may be late for the response it was set
// for; the one it then meets is sent a little early.
func (c *conn) flushLate() {
	x := c.running.Load()
	if x == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if x.w.wroteHeader && !x.w.hijacked && !x.w.done {
		x.w.armed = false
		x.w.flush()
	}
}

// finish sends the rest of the response. It returns false if the handler left
// the response incomplete, or the client did not take it.
func (w *responseWriter) finish() bool {
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	if !w.hijacked && !w.done {
		if !w.framed && !w.closeAfter && !w.awaited && w.body != nil {
			w.done = true // nothing is sent meanwhile
			w.c.mu.Unlock()
			w.body.measure()
			w.c.mu.Lock()
		}
		w.complete()
	}
	return w.hijacked || w.whole
}

// complete sends the rest of the response.
func (w *responseWriter) complete() {
	w.writeHeader(http.StatusOK, "")
	defer w.free()
	w.done = true
	if w.length >= 0 && !w.empty && w.written != w.length {
		w.flush()
		return
	}
	if !w.framed {
		w.frame(true)
	}
	if w.chunked {
		w.whole = w.send(nil, trailerSection(w.header, w.trailers)) == nil
	} else {
		w.whole = w.flush() == nil
	}
	if w.untilClose && w.whole {
		w.c.endsByReset(false)
	}
}

// End sends the rest of the response before the handler returns, while others read on in
// the request's body. It reports false if the response is not whole, or only the end of
// the connection will tell the client that it is.
func (w *responseWriter) End() bool {
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	if w.hijacked || w.done {
		return false
	}
	w.reading = true
	w.complete()
	return w.whole && !w.untilClose
}

// Withdraw takes back a response of which nothing was sent yet, so that another
// can be written in its place, and reports whether it could.
func (w *responseWriter) Withdraw() bool {
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	if w.framed || w.hijacked || w.done || w.err != nil {
		return false
	}
	w.free()
	*w = responseWriter{
		c: w.c, r: w.r, ctx: w.ctx, body: w.body, length: -1,
		expects: w.expects, awaited: w.awaited, asked: w.asked, closeAfter: w.asked,
	}
	return true
}

// hasEnded completes a response that the handler gave up, and reports true, if the client
// has all of the length that its head declared: cutting the connection would not tell the
// client that the response was given up, only that the connection ended without notice.
func (w *responseWriter) hasEnded() bool {
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	if w.hijacked || w.done || !w.framed || w.length < 0 || w.written != w.length {
		return false
	}
	w.complete()
	return w.whole
}

// abandon gives the response up where it is.
func (w *responseWriter) abandon() {
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	w.done = true
	w.free()
}

// free gives the buffers back.
func (w *responseWriter) free() {
	if w.armed {
		w.c.timer.Stop()
	}
	for _, b := range []**[]byte{&w.head, &w.data} {
		if *b != nil {
			putSmall(*b)
			*b = nil
		}
	}
}

// putSmall gives back a buffer that may have grown, unless it grew large.
func putSmall(b *[]byte) {
	if cap(*b) <= 4*smallBuffer {
		*b = (*b)[:0]
		smallBuffers.Put(b)
	}
}

const continueHead = "HTTP/1.1 100 Continue\r\n\r\n"

// sendContinue tells a waiting client to send its body.
func (w *responseWriter) sendContinue() {
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	if !w.wroteHeader && !w.hijacked && !w.done {
		w.interim(http.StatusContinue)
	}
}

// neverAsked reports whether the client waits for a 100 (Continue) that was never sent.
func (w *responseWriter) neverAsked() bool {
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	return w.awaited
}

// fail keeps the first error of a write. Nobody waits for this response any
// more, so the request's context ends.
func (w *responseWriter) fail(err error) {
	if err != nil && w.err == nil {
		w.err = err
		w.closeAfter = true
		w.ctx.Cancel(context.Canceled)
	}
}

var (
	_ http.Flusher    = (*responseWriter)(nil)
	_ http.Hijacker   = (*responseWriter)(nil)
	_ io.ReaderFrom   = (*responseWriter)(nil)
	_ io.StringWriter = (*responseWriter)(nil)
)
