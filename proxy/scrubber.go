package proxy

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"guise/filters"
	"guise/proxy/calls"
	"guise/proxy/inspect"
)

// A scrubber hands responses on without what identifies or follows the
// client, and requests without what only the cache needed. It stands below the
// cache: a stored response is clean.
type scrubber struct {
	next    http.RoundTripper
	filters *filters.Set
	hsts    *inspect.HSTS
	log     *slog.Logger
}

// explanations are logs of what filters did. Only [Explain] wants to know that;
// elsewhere they are written, since filters write one, and thrown away.
var explanations = sync.Pool{New: func() any { return new([]filters.Change) }}

// recycle empties log for the next request.
func recycle(log *[]filters.Change) {
	clear(*log)
	*log = (*log)[:0]
	explanations.Put(log)
}

// errPanicked is what a panic below the cache becomes.
var errPanicked = errors.New("panic below the cache")

// contain makes a panic *err. Defer it.
func (s scrubber) contain(err *error) {
	if recover() != nil { // what it holds may be the client's
		s.log.Error("panic below the cache", "stack", string(calls.Stack()))
		*err = errPanicked
	}
}

// RoundTrip turns a panic into an error: it may run on a goroutine of the
// cache, where a panic would end every client's requests.
func (s scrubber) RoundTrip(r *http.Request) (_ *http.Response, err error) {
	defer s.contain(&err)
	e := exchangeOf(r.Context())
	m := e.message // a copy: the client's own goroutine may still read the original
	m.Request = r
	s.filters.Onward(&m, nil)
	resp, err := s.next.RoundTrip(m.Request)
	if err != nil {
		return nil, err
	}
	m.Response, m.Now = resp, time.Now()
	if query, back := filters.LeadsBack(&m); back {
		if !s.filters.GivesFirstCookie(&m) {
			if resp, err = s.insist(m.Request, resp, query); err != nil {
				return nil, err
			}
		} // else the client comes back with the cookie, and the site may look for it
		resp.Header["Cache-Control"] = []string{"no-store"} // the redirect is about this request alone
	}
	if r.URL.Scheme == "https" {
		s.noteHSTS(&m, e.visit.Isolation, resp.Header)
	}
	m.Response = resp
	log := explanations.Get().(*[]filters.Change)
	*log = s.filters.Response(&m, *log)
	recycle(log)
	if resp.StatusCode != http.StatusSwitchingProtocols && (resp.ContentLength < 0 || resp.Trailer != nil) {
		resp.Body = &scrubbedBody{trailerBody{resp.Body, func() { s.filters.Trailer(&m, resp.Trailer, nil) }}, s}
	}
	return resp, nil
}

// insist follows a redirect that leads back to r with a query that filters would take
// from the client's next request. The answer keeps the redirect's cookies and HSTS.
func (s scrubber) insist(r *http.Request, redirect *http.Response, query string) (*http.Response, error) {
	redirect.Body.Close()
	again, u := *r, *r.URL
	u.RawQuery, again.URL = query, &u
	resp, err := s.next.RoundTrip(&again)
	if err != nil {
		return nil, err
	}
	if set := redirect.Header["Set-Cookie"]; set != nil {
		resp.Header["Set-Cookie"] = slices.Concat(set, resp.Header["Set-Cookie"])
	}
	if says := redirect.Header["Strict-Transport-Security"]; says != nil && resp.Header["Strict-Transport-Security"] == nil {
		resp.Header["Strict-Transport-Security"] = says
	}
	return resp, nil
}

// noteHSTS remembers what a host says of Strict-Transport-Security, and lets pass of it
// what may. What is said with the parts of a page counts for nothing: with as many hosts
// as it wants, a page could write a number with them, and read it at another visit
// (WebKit, "Protecting Against HSTS Abuse", mitigation 1).
func (s scrubber) noteHSTS(m *filters.Message, apart string, h http.Header) {
	onward := ""
	if !m.Visit.OfPage() {
		onward = s.hsts.Note(apart, m.Request.URL.Hostname(), h["Strict-Transport-Security"])
	}
	if onward != "" {
		h["Strict-Transport-Security"] = []string{onward}
	} else {
		delete(h, "Strict-Transport-Security")
	}
}

// A scrubbedBody is the body of a response that may have trailers. As with
// RoundTrip, a panic in it is an error.
type scrubbedBody struct {
	trailerBody
	scrubber scrubber
}

func (b *scrubbedBody) Read(p []byte) (n int, err error) {
	defer b.scrubber.contain(&err)
	return b.trailerBody.Read(p)
}

// A trailerBody calls atEnd once the body is whole and its trailers are there.
type trailerBody struct {
	io.ReadCloser
	atEnd func()
}

func (b *trailerBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF && b.atEnd != nil {
		b.atEnd()
		b.atEnd = nil
	}
	return n, err
}
