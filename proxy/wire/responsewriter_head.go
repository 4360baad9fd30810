package wire

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// begin writes the head but for its framing into w.head.
func (w *responseWriter) begin(reason string) {
	w.head = smallBuffers.Get().(*[]byte)
	b := appendStatusLine(*w.head, w.status, reason)
	w.empty = w.r.Method == http.MethodHead || contentless(w.r.Method, w.status) || resets(w.status)
	w.length = declaredLength(w.header)
	if w.header["Transfer-Encoding"] != nil {
		w.length = -1 // the body is framed here, as chunks if it must
	}
	if resets(w.status) {
		w.length = 0
	}
	w.options = w.header["Connection"]
	if len(w.header["Upgrade"]) > 0 && !hasToken(w.options, "upgrade") { // RFC 9110 §7.8
		w.options = append(slices.Clip(w.options), "Upgrade")
	}
	if hasToken(w.options, "close") {
		w.closeAfter = true
	}
	w.announce()
	if _, ok := w.header["Date"]; !ok && w.status >= 200 {
		b = appendDate(b)
	}
	*w.head = w.appendFields(b)
}

// contentless tells whether a response has no content and is sent without a
// Content-Length: RFC 9110 §8.6 forbids that or, in a 304, makes it that of the 200.
func contentless(method string, status int) bool {
	switch status {
	case http.StatusNoContent, http.StatusNotModified, http.StatusSwitchingProtocols:
		return true
	}
	return opensTunnel(method, status)
}

// resets tells whether a response is a 205, which has no content and is sent with a length
// of 0 (RFC 9110 §15.3.6). Content that an origin sends with it is dropped: browsers know
// by the status alone that there is none, and would read it as the beginning of the next
// response on the connection, perhaps another origin's.
func resets(status int) bool { return status == http.StatusResetContent }

// opensTunnel tells whether the connection, or stream, is a tunnel after the
// response (RFC 9110 §9.3.6).
func opensTunnel(method string, status int) bool {
	return method == http.MethodConnect && status/100 == 2
}

// declaredLength returns the handler's Content-Length, or -1 if that is none.
func declaredLength(h http.Header) int64 {
	if n, err := contentLength(h["Content-Length"]); err == nil {
		return n
	}
	return -1
}

// announce notes the names in the handler's Trailer, unless the response cannot have
// trailers.
func (w *responseWriter) announce() {
	if w.empty || w.length >= 0 || w.r.ProtoMinor == 0 {
		return
	}
	w.trailers = announcedNames(w.header, w.c.limits.Fields)
}

// appendFields appends the handler's fields, sorted by name, but for those
// that frame the message or belong to the connection.
func (w *responseWriter) appendFields(b []byte) []byte {
	var room [16]entry
	for _, f := range sortedEntries(w.header, room[:0]) {
		switch f.name {
		case "Content-Length", "Transfer-Encoding", "Connection", "Trailer":
			continue
		}
		if strings.HasPrefix(f.name, http.TrailerPrefix) {
			continue
		}
		for _, v := range f.values {
			b = appendFieldLine(b, f.name, v)
		}
	}
	if len(w.trailers) > 0 {
		b = appendFieldLine(b, "Trailer", strings.Join(w.trailers, ", "))
	}
	return b
}

// frame decides how the client finds the body's end (RFC 9112 §6) and
// completes the head. last says that the handler is done and w.data holds the
// whole body.
func (w *responseWriter) frame(last bool) {
	w.framed = true
	if last && w.length < 0 && !w.wantsTrailer() && (w.r.Method != http.MethodHead || w.written > 0) {
		w.length = w.written
	}
	b := *w.head
	switch {
	case contentless(w.r.Method, w.status):
	case w.length >= 0:
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, w.length, 10)
		b = append(b, "\r\n"...)
	case w.empty: // HEAD, of a response of unknown length
	case w.r.ProtoMinor > 0:
		w.chunked = true
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	default:
		w.untilClose, w.closeAfter = true, true
		w.c.endsByReset(true)
	}
	*w.head = append(w.appendConnection(b, last), "\r\n"...)
}

// wantsTrailer tells whether a trailer section is, or may be, to be sent.
func (w *responseWriter) wantsTrailer() bool {
	if w.r.ProtoMinor == 0 {
		return false
	}
	for name := range w.header {
		if strings.HasPrefix(name, http.TrailerPrefix) {
			return true
		}
	}
	return len(w.trailers) > 0
}

// appendConnection appends Connection: what the handler said, and whether the
// connection persists.
func (w *responseWriter) appendConnection(b []byte, last bool) []byte {
	if w.status == http.StatusSwitchingProtocols {
		w.closeAfter = true // unless hijacked
		// Other options of the handler's are about another connection (RFC 9110 §7.6.1).
		return appendFieldLine(b, "Connection", "Upgrade")
	}
	if opensTunnel(w.r.Method, w.status) {
		w.closeAfter = true // unless hijacked
		return b
	}
	// A client that waits for a 100 and gets this response instead may send its body
	// or not: what comes next could be the body or a request.
	done := last && !w.reading
	if w.c.srv.closing.Load() || w.c.yields || w.awaited || w.refusesTunnel() || w.body != nil && !w.body.mayPersist(done) {
		w.closeAfter = true
	}
	w.promised = !w.closeAfter && !done
	var options []string
	for _, v := range w.options {
		for option := range strings.SplitSeq(v, ",") {
			option = trimSpace(option)
			if option != "" && !sameToken(option, "close") && !sameToken(option, "keep-alive") {
				options = append(options, option)
			}
		}
	}
	if w.closeAfter {
		options = append(options, "close")
	} else if w.r.ProtoMinor == 0 {
		options = append(options, "keep-alive")
	}
	if len(options) == 0 {
		return b
	}
	return appendFieldLine(b, "Connection", strings.Join(options, ", "))
}

// refusesTunnel tells whether this is a refusal of CONNECT after which the connection has
// to close. Some clients send what is meant for the tunnel before they have the answer, on
// behalf of others that they do not trust, and it must not be taken for a request
// (RFC 9931). After a 407 the connection may stay, unless something has come already: no
// request is served before the client has authenticated.
func (w *responseWriter) refusesTunnel() bool {
	return w.r.Method == http.MethodConnect && (w.status != http.StatusProxyAuthRequired || w.c.br.Buffered() > 0)
}

// interim sends a 1xx response, but not to HTTP/1.0, which does not know them. A client that
// waits for 100 (Continue) gets only one, be it the handler's or that of the first read.
func (w *responseWriter) interim(status int) {
	if w.r.ProtoMinor == 0 || w.err != nil {
		return
	}
	if status == http.StatusContinue && w.expects {
		if !w.awaited {
			return
		}
		w.awaited = false
	}
	buf := smallBuffers.Get().(*[]byte)
	defer putSmall(buf)
	b := appendStatusLine(*buf, status, "")
	if status != http.StatusContinue {
		b = w.appendFields(b)
	}
	*buf = append(b, "\r\n"...)
	w.fail(w.c.writePieces(*buf))
}

// trailerSection returns the trailer section of a response, never nil: of the
// handler's fields, in h, those that were announced and those with
// [http.TrailerPrefix], without forbiddenTrailer.
func trailerSection(h http.Header, announced []string) http.Header {
	t := make(http.Header)
	for _, name := range announced {
		if v := h[name]; len(v) > 0 {
			t[name] = v
		}
	}
	for name, v := range h {
		if name, ok := strings.CutPrefix(name, http.TrailerPrefix); ok {
			if name, ok := canonicalName(name); ok && !forbiddenTrailer[name] {
				t[name] = append(t[name], v...)
			}
		}
	}
	return t
}

// appendStatusLine appends a status line, with the usual reason if that is "".
func appendStatusLine(b []byte, status int, reason string) []byte {
	if reason == "" {
		reason = statusText(status)
	}
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, ' ')
	b = append(b, reason...)
	return append(b, "\r\n"...)
}

// statusText returns the reason that RFC 9110 §15 has for a status; net/http keeps a few of
// RFC 2616 and RFC 4918.
func statusText(status int) string {
	switch status {
	case http.StatusRequestEntityTooLarge:
		return "Content Too Large"
	case http.StatusRequestURITooLong:
		return "URI Too Long"
	case http.StatusRequestedRangeNotSatisfiable:
		return "Range Not Satisfiable"
	case http.StatusUnprocessableEntity:
		return "Unprocessable Content"
	}
	return http.StatusText(status)
}

// dateValue is the value of Date during one second.
type dateValue struct {
	unix int64
	text string
}

// lastDate is kept because formatting it costs more than all the rest of a head.
var lastDate atomic.Pointer[dateValue]

// httpDate returns the value of Date for a response that is written now.
func httpDate() string {
	now := time.Now()
	d := lastDate.Load()
	if d == nil || d.unix != now.Unix() {
		d = &dateValue{unix: now.Unix(), text: now.UTC().Format(http.TimeFormat)}
		lastDate.Store(d)
	}
	return d.text
}

func appendDate(b []byte) []byte {
	b = append(b, "Date: "...)
	b = append(b, httpDate()...)
	return append(b, "\r\n"...)
}
