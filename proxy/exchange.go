package proxy

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/elazarl/goproxy"

	"guise/filters"
	"guise/proxy/egress"
	"guise/proxy/gate"
	"guise/proxy/wire"
)

// An exchange is one request and its response on their way through the
// pipeline. It is the ResponseWriter that goproxy writes to and the round
// tripper that goproxy asks, so that it learns how both ended.
type exchange struct {
	http.ResponseWriter
	assembly *assembly
	visit    *visit
	target   egress.Target
	message  *filters.Message // set by the scrub step
	accepts  []string         // Accept-Encoding as the client sent it
	html     bool             // a person will look at a failure

	interim sync.Mutex // held while a 1xx is written
	final   bool       // the final response is known; guarded by interim

	broken  atomic.Bool    // the response body ended with an error
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
	}
	r = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, e))
	if v.use.Metered() && r.Body != http.NoBody {
		r.Body = &meteredBody{r.Body, r.Context(), v.use}
	}
	a.pipeline.ServeHTTP(e, r)
	return e
}

// RoundTrip answers from the cache or the origin. It returns no error: what
// goes wrong becomes an answer that says so.
func (e *exchange) RoundTrip(r *http.Request, _ *goproxy.ProxyCtx) (*http.Response, error) {
	arrived, ok := e.assembly.nesting.enter(r)
	if !ok {
		return looped.response(r, e.html), nil
	}
	resp, err := e.assembly.way.RoundTrip(r)
	arrived()
	e.endInterim()
	switch {
	case err != nil:
		return failureOf(err).response(r, e.html), nil
	case resp.StatusCode == http.StatusSwitchingProtocols:
		return e.switchProtocols(r, resp), nil
	}
	resp.Body = &responseBody{resp.Body, &e.broken, r.Context(), e.visit.use}
	return resp, nil
}

// passInterim returns a context under which 1xx responses reach the client.
// Of their fields only Link has a meaning before the final response (RFC 8297).
func (e *exchange) passInterim(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
			e.interim.Lock()
			defer e.interim.Unlock()
			if e.final || code == http.StatusContinue {
				return nil // the server sends 100 itself, when the body is first read
			}
			if links := header["Link"]; len(links) > 0 {
				e.ResponseWriter.Header()["Link"] = links
				defer delete(e.ResponseWriter.Header(), "Link")
			}
			e.ResponseWriter.WriteHeader(code)
			return nil
		},
	})
}

// endInterim lets no 1xx pass from now on: a fetch that other clients wait for
// may still be running when this exchange has its answer.
func (e *exchange) endInterim() {
	e.interim.Lock()
	e.final = true
	e.interim.Unlock()
}

// ReadFrom lets the wire read the body itself. The wrapper hides that body
// may be a WriterTo.
func (e *exchange) ReadFrom(body io.Reader) (int64, error) {
	return io.Copy(e.ResponseWriter, body)
}

// Flush implements [http.Flusher].
func (e *exchange) Flush() { http.NewResponseController(e.ResponseWriter).Flush() }

// Hijack refuses: goproxy would copy a WebSocket without half-close or idle
// timeout, so an upgrade becomes a tunnel after the pipeline is done.
func (e *exchange) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return nil, nil, errors.ErrUnsupported
}

// switchProtocols keeps the origin's side of an upgrade for a tunnel. Only a
// WebSocket is ever asked for.
func (e *exchange) switchProtocols(r *http.Request, resp *http.Response) *http.Response {
	conn, ok := resp.Body.(*wire.Upgraded)
	if !ok || !strings.EqualFold(resp.Header.Get("Upgrade"), "websocket") || !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		resp.Body.Close()
		return unknownUpgrade.response(r, e.html)
	}
	if err := e.visit.use.Tunnel(); err != nil {
		resp.Body.Close()
		return e.assembly.refusal(err).response(r, e.html)
	}
	e.upgrade = conn
	resp.Body = http.NoBody // goproxy closes what it gets
	return resp
}

// A responseBody notes whether it broke off: goproxy would end the response
// as if it were whole.
type responseBody struct {
	io.ReadCloser
	broken *atomic.Bool
	ctx    context.Context
	use    *gate.Use
}

func (b *responseBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if over := paced(b.use.Down(b.ctx, n)); over != nil && err == nil {
		err = over
	}
	if err != nil && err != io.EOF {
		b.broken.Store(true)
	}
	return n, err
}
