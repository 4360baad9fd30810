package wire

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http2/hpack"
)

// An http2Response is the [http.ResponseWriter] of one request over HTTP/2.
// Like its HTTP/1.1 sibling it adds no field but Date, and ends the connection if
// Connection says so.
type http2Response struct {
	st     *http2Stream
	r      *http.Request
	header http.Header

	status   int
	length   int64 // declared, or -1
	written  int64
	trailers []string
	trails   bool // the client takes trailers, which the handler may set unannounced
	empty    bool // the response has no body, whatever is written

	wroteHeader bool
	done        bool
}

func (w *http2Response) init(st *http2Stream, r *http.Request) {
	w.st, w.r, w.length = st, r, -1
	w.trails = len(r.Header["Te"]) > 0 // "trailers" is all that it may say (RFC 9113 §8.2.2)
}

// Header returns the fields to send. Changes after WriteHeader count for
// trailers alone.
func (w *http2Response) Header() http.Header {
	if w.header == nil {
		w.header = make(http.Header, 16)
	}
	return w.header
}

// WriteHeader sets the status, which must be between 100 and 999. Those below
// 200 are sent at once, with the fields set so far, as often as called; 101
// means nothing in HTTP/2 (RFC 9113 §8.6), so it is an error.
func (w *http2Response) WriteHeader(status int) {
	w.st.h.mu.Lock()
	defer w.st.h.mu.Unlock()
	w.writeHeader(status)
}

func (w *http2Response) writeHeader(status int) {
	if status < 100 || status > 999 || status == http.StatusSwitchingProtocols {
		panic("wire: invalid status " + strconv.Itoa(status))
	}
	if w.wroteHeader {
		return
	}
	if status < 200 {
		w.interim(status)
		return
	}
	w.wroteHeader = true
	w.status = status
	w.length = declaredLength(w.header)
	tunnel, noLength := opensTunnel(w.r.Method, status), contentless(w.r.Method, status)
	w.empty = w.r.Method == http.MethodHead || noLength || resets(status)
	if resets(status) {
		w.length = 0
	}
	if !w.empty {
		w.trailers = announcedNames(w.header, w.st.h.c.limits.Fields)
	}
	if !w.st.waitForRoom() {
		return
	}
	if hasToken(w.header["Connection"], "close") {
		w.st.h.leave() // before the head, so that the client's next request goes elsewhere
	}
	end := (w.empty || w.length == 0 && len(w.trailers) == 0) && !tunnel // gRPC takes an answer without a body for no other (its "Trailers-Only")
	w.st.h.sendHead(w.st.id, end, func(emit func(name, value string)) {
		emit(":status", strconv.Itoa(status))
		w.fields(emit)
		if w.length >= 0 && !noLength {
			emit("content-length", strconv.FormatInt(w.length, 10))
		}
		if _, ok := w.header["Date"]; !ok && !tunnel {
			emit("date", httpDate())
		}
	})
	if end {
		w.st.endLocal()
	}
	w.st.h.wakeSoon()
}

// fields emits the handler's fields, sorted by name, but for those that frame
// the message.
func (w *http2Response) fields(emit func(name, value string)) {
	var room [few]entry
	for _, f := range sortedEntries(w.header, room[:0]) {
		if f.name == "Content-Length" || f.name == "Trailer" || strings.HasPrefix(f.name, http.TrailerPrefix) {
			continue
		}
		for _, v := range f.values {
			emit(f.name, v)
		}
	}
	if len(w.trailers) > 0 {
		emit("trailer", strings.Join(w.trailers, ", "))
	}
}

// interim sends a 1xx response. One for which there is no room is left out: it
// may be for a fetch that others wait for as well, and these must not wait for
// a client that does not read.
func (w *http2Response) interim(status int) {
	if w.wroteHeader || w.st.err != nil || w.st.h.dead {
		return
	}
	switch {
	case status != http.StatusContinue:
		if len(w.st.h.out) >= maxHeads {
			return
		}
	case w.st.expects && !w.st.awaited: // it has one, by the handler or by the first read
		return
	default:
		w.st.awaited = false
	}
	w.st.h.sendHead(w.st.id, false, func(emit func(name, value string)) {
		emit(":status", strconv.Itoa(status))
		if status != http.StatusContinue {
			w.fields(emit)
		}
	})
	w.st.h.wake()
}

// Write sends p.
func (w *http2Response) Write(p []byte) (int, error) {
	w.st.h.mu.Lock()
	defer w.st.h.mu.Unlock()
	return w.put(p)
}

// WriteString implements [io.StringWriter].
func (w *http2Response) WriteString(s string) (int, error) { return w.Write([]byte(s)) }

func (w *http2Response) put(p []byte) (int, error) {
	if w.st.hijacked {
		return 0, http.ErrHijacked
	}
	if w.done {
		return 0, errHandlerDone
	}
	w.writeHeader(http.StatusOK)
	switch {
	case w.st.err != nil:
		return 0, w.st.err
	case w.empty && w.r.Method != http.MethodHead && !resets(w.status) && len(p) > 0:
		return 0, http.ErrBodyNotAllowed
	case w.empty:
		return len(p), nil
	case w.length >= 0 && w.written+int64(len(p)) > w.length:
		return 0, http.ErrContentLength
	case len(p) == 0:
		return 0, nil
	}
	w.written += int64(len(p))
	end := w.written == w.length && len(w.trailers) == 0 && !w.trails
	n, err := w.st.write(p, end, true, w.st.h.times.Write)
	if err == errSlow {
		w.st.abort(codeCancel)
	}
	return n, err
}

// ReadFrom implements [io.ReaderFrom]: what src returns is sent as it comes.
func (w *http2Response) ReadFrom(src io.Reader) (total int64, err error) {
	w.st.h.mu.Lock()
	length := w.length
	w.st.h.mu.Unlock()
	var b lent
	b.takeFor(length)
	defer b.giveBack()
	for {
		p := (*b.buf)[:cap(*b.buf)]
		n, err := src.Read(p)
		if n > 0 {
			m, werr := w.Write(p[:n])
			total += int64(m)
			if werr != nil {
				return total, werr
			}
		}
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
		if total != length {
			b.fit(n)
		}
	}
}

// Flush sends what waits.
func (w *http2Response) Flush() { w.FlushError() }

// FlushError is Flush for [http.ResponseController].
func (w *http2Response) FlushError() error {
	w.st.h.mu.Lock()
	defer w.st.h.mu.Unlock()
	if w.st.hijacked {
		return http.ErrHijacked
	}
	if w.done {
		return errHandlerDone
	}
	w.writeHeader(http.StatusOK)
	w.st.h.wake()
	return w.st.err
}

// end sends the rest of the response. It returns false if the handler left it
// incomplete.
func (w *http2Response) end() bool {
	w.writeHeader(http.StatusOK)
	w.done = true
	h := w.st.h
	if w.st.localDone || w.st.err != nil || h.dead {
		h.wake()
		return true
	}
	if w.length >= 0 && w.written != w.length {
		return false
	}
	trailer := trailerSection(w.header, w.trailers)
	if len(trailer) == 0 {
		_, err := w.st.write(nil, true, false, 0)
		return err == nil
	}
	if !w.st.waitForRoom() {
		return false
	}
	h.sendHead(w.st.id, true, func(emit func(name, value string)) {
		for _, f := range sortedEntries(trailer, nil) {
			for _, v := range f.values {
				emit(f.name, v)
			}
		}
	})
	w.st.endLocal()
	h.wake()
	return true
}

// End sends the rest of the response, as its HTTP/1.1 sibling does.
func (w *http2Response) End() bool {
	w.st.h.mu.Lock()
	defer w.st.h.mu.Unlock()
	return !w.st.hijacked && !w.done && w.end()
}

// Hijack implements [http.Hijacker]: the handler takes the stream over, after
// it wrote a 2xx head in answer to CONNECT.
func (w *http2Response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	h := w.st.h
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case w.st.hijacked:
		return nil, nil, http.ErrHijacked
	case !w.wroteHeader || !opensTunnel(w.r.Method, w.status):
		return nil, nil, http.ErrNotSupported
	case w.st.err != nil:
		return nil, nil, w.st.err
	}
	w.st.hijacked = true
	w.r, w.header = nil, nil // a tunnel may last for hours
	h.wake()
	conn := &http2Tunnel{w.st}
	return conn, bufio.NewReadWriter(bufio.NewReaderSize(conn, 16), bufio.NewWriterSize(conn, 16)), nil
}

// SetReadDeadline, for [http.ResponseController], replaces the deadlines that
// the server gives to reads of the body.
func (w *http2Response) SetReadDeadline(t time.Time) error {
	return (&http2Tunnel{w.st}).SetReadDeadline(t)
}

// SetWriteDeadline, for [http.ResponseController], replaces the deadlines that
// the server gives to writes of this response.
func (w *http2Response) SetWriteDeadline(t time.Time) error {
	return (&http2Tunnel{w.st}).SetWriteDeadline(t)
}

// EnableFullDuplex is for [http.ResponseController]; it is always so.
func (w *http2Response) EnableFullDuplex() error { return nil }

// waitForRoom waits while out is too full for a head, and tells whether the stream can
// still send. Bodies wait earlier, and leave room for heads, which need no window: a head
// does not queue behind them.
func (st *http2Stream) waitForRoom() bool {
	h := st.h
	for len(h.out) >= maxHeads && st.writeError() == nil {
		if !st.headWaits {
			st.headWaits = true
			h.heads = append(h.heads, st)
		}
		h.wake()
		st.cond.Wait()
	}
	return st.writeError() == nil
}

// sendHead appends a HEADERS frame, and as many CONTINUATION frames as it takes, without
// connectionFields. Heads are encoded when they are appended, since the dynamic table of
// HPACK makes their order matter.
func (h *http2Conn) sendHead(stream uint32, end bool, fields func(emit func(name, value string))) {
	h.encoded.Reset()
	fields(func(name, value string) {
		if !strings.HasPrefix(name, ":") && !validToken(name) {
			return
		}
		if name = strings.ToLower(name); connectionFields[name] {
			return
		}
		h.encoder.WriteField(hpack.HeaderField{
			Name:      name,
			Value:     cleanValue(value),
			Sensitive: name == "set-cookie", // RFC 7541 §7.1.3
		})
	})
	var flags uint8
	if end {
		flags = flagEndStream
	}
	h.out = appendBlock(h.output(), stream, h.encoded.Bytes(), flags)
	if h.encoded.Cap() > 4*smallBuffer {
		h.encoded = bytes.Buffer{}
	}
}

var (
	_ http.Flusher    = (*http2Response)(nil)
	_ http.Hijacker   = (*http2Response)(nil)
	_ io.ReaderFrom   = (*http2Response)(nil)
	_ io.StringWriter = (*http2Response)(nil)
)
