package proxy

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/elazarl/goproxy"

	"guise/cache"
	"guise/filters"
	"guise/proxy/egress"
	"guise/proxy/gate"
	"guise/proxy/pipe"
	"guise/proxy/wire"
)

// An exchange is one request and its response on their way through the
// pipeline. It is the ResponseWriter that goproxy writes to and the round
// tripper that goproxy asks, so that it learns how both ended.
type exchange struct {
	http.ResponseWriter
	ctx      exchangeContext
	assembly *assembly
	visit    *visit
	target   egress.Target
	message  filters.Message // set by the scrub step
	order    []string        // of the request's fields, set with it
	owner    uint64          // of the request's content; see [wire.OwnerKey]
	accepts  []string        // Accept-Encoding as the client sent it
	sentTags string          // If-Match or If-None-Match as the client sent it, if a tag is of a decoded response
	upload   *upload         // the request's body; nil without one
	goesOn   bool            // the origin has answered, and still wants the rest of upload
	html     bool            // a person will look at a failure
	tells    bool            // the client says how it fetches (Sec-Fetch-Mode)
	hints    bool            // early hints are for the client

	request http.Request  // as goproxy gets it
	asked   requestLine   // withheld from goproxy until the first step
	visitor cache.Visitor // whom the cache answers
	header  http.Header   // of the final response, until it is written
	body    storedBody    // of the final response
	copying bool          // goproxy copies the body: the head is written

	interim sync.Mutex // held while a 1xx is written
	final   bool       // the final response is known; guarded by interim

	broken  breakage       // of the response body
	keys    *handshakeKeys // of a WebSocket's handshake; nil for none
	upgrade *wire.Upgraded // the origin's side after a 101
}

// serve carries one exchange through the pipeline.
func (a *assembly) serve(w http.ResponseWriter, r *http.Request, v *visit) *exchange {
	e := &exchange{
		ResponseWriter: w,
		assembly:       a,
		visit:          v,
		accepts:        r.Header["Accept-Encoding"],
		html:           wantsHTML(r),
		tells:          len(r.Header["Sec-Fetch-Mode"]) > 0,
	}
	e.ctx = exchangeContext{r.Context(), e}
	e.request = *r.WithContext(&e.ctx) // in one piece of memory with the rest
	r = &e.request
	if r.Body != http.NoBody {
		if v.use.Metered() || v.seen != nil {
			r.Body = &meteredBody{r.Body, r.Context(), v.use, v.seen}
		}
		e.upload = newUpload(r.Body)
		r.Body = e.upload
	}
	e.asked = withhold(r)
	a.pipeline.ServeHTTP(e, r)
	return e
}

// A requestLine is what goproxy formats of each request for its log. Nobody reads
// that log, and formatting a URL costs a tenth of an exchange.
type requestLine struct {
	method, host string
	url          *url.URL
}

// noURL is absolute, as goproxy wants it.
var noURL = &url.URL{Scheme: "http"}

// withhold takes the request line out of r, so that goproxy has little to format;
// giveBack puts it back before anything looks at it.
func withhold(r *http.Request) requestLine {
	line := requestLine{r.Method, r.Host, r.URL}
	r.Method, r.Host, r.URL = "", "", noURL
	return line
}

// giveBack is the first step. See withhold.
func giveBack(e *exchange, r *http.Request) (*http.Request, *failure) {
	r.Method, r.Host, r.URL = e.asked.method, e.asked.host, e.asked.url
	return r, nil
}

// RoundTrip answers from the cache or the origin. It returns no error: what
// goes wrong becomes an answer that says so.
func (e *exchange) RoundTrip(r *http.Request, _ *goproxy.ProxyCtx) (*http.Response, error) {
	arrived, ok := e.assembly.nesting.enter(r)
	if !ok {
		return looped.response(r, e.html), nil
	}
	e.hints = e.takesHints(r)
	resp, err := func() (*http.Response, error) {
		defer arrived() // also after a panic
		return e.ask(r)
	}()
	e.endInterim()
	switch {
	case err != nil:
		if in := e.visit.inner(); in != nil {
			in.failed(err)
		}
		return failureOf(err).response(r, e.html), nil
	case e.refusesWebSocket(resp):
		resp.Body.Close()
		return noWebSocket.response(r, e.html), nil
	case resp.StatusCode == http.StatusSwitchingProtocols:
		return e.switchProtocols(r, resp), nil
	case resp.StatusCode == http.StatusProxyAuthRequired && e.visit.Account != "":
		resp.Body.Close()
		return askedByOrigin.response(r, e.html), nil
	}
	e.judgeUpload(resp)
	e.body.responseBody = responseBody{resp.Body, &e.broken, r.Context(), e.visit.use}
	if stored, ok := resp.Body.(io.WriterTo); ok && !e.visit.use.Metered() {
		e.body.stored = stored
		resp.Body = &e.body
	} else {
		resp.Body = &e.body.responseBody
	}
	return resp, nil
}

// interimFields are the fields that have a meaning before the final response: Link
// (RFC 8297) with the policies that say what of it a browser may fetch and how (HTML
// standard, "process early hint headers"), and in a 104 what says where and from what point
// on an upload can be taken up again (draft-ietf-httpbis-resumable-upload).
func interimFields(code int) []string {
	if code == 104 {
		return []string{"Location", "Upload-Offset", "Upload-Limit", "Upload-Draft-Interop-Version"}
	}
	return []string{"Link", "Content-Security-Policy", "Cross-Origin-Embedder-Policy", "Integrity-Policy", "Referrer-Policy"}
}

// takesHints reports whether a 103 that answers r, the request as it is sent, may go to
// the client. Origins send one to browsers that navigate. Where only guise's persona
// makes r a navigation, it is guise that asked for it (RFC 9110 §15.2): many HTTP/1.1
// programs, such as Python's http.client, take a 103 for the answer, and the answer for
// that to their next request (RFC 8297 §3).
func (e *exchange) takesHints(r *http.Request) bool {
	return e.tells || e.request.ProtoMajor > 1 || r.Header.Get("Sec-Fetch-Mode") != "navigate"
}

// passInterim lets 1xx responses reach the client.
func (e *exchange) passInterim(code int, header textproto.MIMEHeader) error {
	e.interim.Lock()
	defer e.interim.Unlock()
	if e.final || code == http.StatusEarlyHints && !e.hints {
		return nil
	}
	names := interimFields(code)
	scrubbed := e.scrubInterim(code, header, names)
	for _, name := range names {
		if lines := scrubbed[name]; len(lines) > 0 {
			e.ResponseWriter.Header()[name] = lines
			defer delete(e.ResponseWriter.Header(), name)
		}
	}
	e.ResponseWriter.WriteHeader(code)
	return nil
}

// scrubInterim returns the named fields of a 1xx as a final response could have them.
func (e *exchange) scrubInterim(code int, header textproto.MIMEHeader, names []string) http.Header {
	h := make(http.Header, len(names))
	for _, name := range names {
		if lines := header[name]; len(lines) > 0 {
			h[name] = lines
		}
	}
	if len(h) == 0 {
		return h
	}
	m := e.message // a copy: the client's own goroutine may still read the original
	m.Response = &http.Response{StatusCode: code, Header: h}
	e.assembly.filters.Response(&m, nil)
	return h
}

// endInterim lets no 1xx pass from now on: a fetch that other clients wait for
// may still be running when this exchange has its answer.
func (e *exchange) endInterim() {
	e.interim.Lock()
	e.final = true
	e.interim.Unlock()
}

// admitPage names the page that asks in an answer that lets null read it, if null is all
// that the origin was told of the page (see [filters.Visit.Page]). Stored answers name
// none.
func admitPage(e *exchange, resp *http.Response) *http.Response {
	const name = "Access-Control-Allow-Origin"
	if page := e.message.Visit.Page(); page != "" && slices.Equal(resp.Header[name], []string{"null"}) {
		resp.Header[name] = []string{page}
	}
	return resp
}

// handOver takes the header of the final response from goproxy, which would copy it field
// by field, and the status line, which it would log. It has to be the last step. Without
// a header goproxy sees no WebSocket, which it would copy without half-close or idle
// timeout: an upgrade becomes a tunnel after the pipeline is done.
func handOver(e *exchange, resp *http.Response) *http.Response {
	e.header, resp.Header, resp.Status = resp.Header, nil, ""
	return resp
}

// Header implements [http.ResponseWriter]. While goproxy copies the body, it finds
// no header: it would look there whether to flush each piece, which the wire does
// anyway. It calls Flush before it adds trailers, and finds the header again.
func (e *exchange) Header() http.Header {
	switch {
	case e.header != nil:
		return e.header
	case e.copying:
		return nil
	}
	return e.ResponseWriter.Header()
}

// WriteHeader implements [http.ResponseWriter].
func (e *exchange) WriteHeader(status int) {
	h := e.header
	e.header, e.copying = nil, true
	if w, ok := e.ResponseWriter.(interface{ SetHeader(http.Header) }); ok && h != nil {
		w.SetHeader(h)
	} else {
		maps.Copy(e.ResponseWriter.Header(), h)
	}
	e.ResponseWriter.WriteHeader(status)
	if len(h["Trailer"]) > 0 {
		// goproxy adds the trailer fields to what is here.
		clear(e.ResponseWriter.Header())
	}
}

// ReadFrom lets the wire read the body itself. The wrapper hides that body
// may be a WriterTo.
func (e *exchange) ReadFrom(body io.Reader) (int64, error) {
	return io.Copy(e.ResponseWriter, body)
}

// Flush implements [http.Flusher].
func (e *exchange) Flush() {
	e.copying = false
	http.NewResponseController(e.ResponseWriter).Flush()
}

// switchProtocols keeps the origin's side of an upgrade for a tunnel. Only a
// WebSocket is ever asked for.
func (e *exchange) switchProtocols(r *http.Request, resp *http.Response) *http.Response {
	conn, ok := resp.Body.(*wire.Upgraded)
	if !ok || !strings.EqualFold(resp.Header.Get("Upgrade"), "websocket") || !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		resp.Body.Close()
		return unknownUpgrade.response(r, e.html)
	}
	if err := e.assembly.beginTunnel(e.visit); err != nil {
		resp.Body.Close()
		return e.assembly.refusal(err).response(r, e.html)
	}
	e.upgrade = conn
	e.keys.answerClient(resp)
	resp.Body = http.NoBody // goproxy closes what it gets
	return resp
}

// A breakage is the error that a response's body ended with. It is safe for
// concurrent use.
type breakage struct{ err atomic.Pointer[error] }

// note keeps err if it is the first.
func (b *breakage) note(err error) { b.err.CompareAndSwap(nil, &err) }

// cause returns what was noted, nil for nothing.
func (b *breakage) cause() error {
	if err := b.err.Load(); err != nil {
		return *err
	}
	return nil
}

// A responseBody notes whether it broke off: goproxy would end the response
// as if it were whole.
type responseBody struct {
	io.ReadCloser
	broken *breakage
	ctx    context.Context
	use    *gate.Use
}

func (b *responseBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if over := paced(b.use.Down(b.ctx, n)); over != nil && err == nil {
		err = over
	}
	if err != nil && err != io.EOF {
		b.broken.note(err)
	}
	return n, err
}

// SpliceTo implements [wire.Splicer].
func (b *responseBody) SpliceTo(p *pipe.Pipe) (int, error) {
	body := b.ReadCloser
	if direct, ok := body.(interface{ Source() io.ReadCloser }); ok {
		body = direct.Source()
	}
	from, ok := body.(wire.Splicer)
	if !ok || b.use.Metered() {
		return 0, errors.ErrUnsupported
	}
	n, err := from.SpliceTo(p)
	if err != nil && err != io.EOF && err != errors.ErrUnsupported {
		b.broken.note(err)
	}
	return n, err
}

// A storedBody is a responseBody that is in memory as a whole.
type storedBody struct {
	responseBody
	stored io.WriterTo
}

// WriteTo spares the copy.
func (b *storedBody) WriteTo(w io.Writer) (int64, error) {
	n, err := b.stored.WriteTo(w)
	if err != nil {
		b.broken.note(err)
	}
	return n, err
}
