package cache

import (
	"context"
	"net/http"
)

// A transport is a cache in front of what asks the origin.
type transport struct {
	c      *Cache
	next   http.RoundTripper
	number uint64 // of those of c, from 0
}

var _ http.RoundTripper = (*transport)(nil)

// Transport returns a round tripper that answers from c where RFC 9111
// allows it, and asks next where it does not. Requests come as the request
// filters left them, next returns what the response filters left: c stores
// that. next is called from goroutines of c; the values of a request's
// context reach it, its end does not while others want the response.
func (c *Cache) Transport(next http.RoundTripper) http.RoundTripper {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &transport{c, next, c.transports}
	c.transports++
	return t
}

// Renew drops everything, and has c store from now on only what comes through first, which
// [Cache.Transport] must have returned, and transports made after it. Requests still under way
// in older ones may go where none may go by now.
func (c *Cache) Renew(first http.RoundTripper) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.first = first.(*transport).number
	c.drop(everything)
}

// outdated reports whether what t brings is not to be stored any more. The caller holds
// c.mu.
func (t *transport) outdated() bool { return t.number < t.c.first }

// RoundTrip answers r. A body that breaks off at the origin ends with an
// error here as well.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	o := t.c.options.Load()
	q, ok := t.c.ask(r, o)
	if !ok {
		return t.pass(r, o)
	}
	resp, err := t.answer(q)
	if err == nil {
		t.c.nameAsAsked(&q, resp.Header, resp.StatusCode)
	}
	return resp, err
}

// answer answers q from the store, or by a fetch.
func (t *transport) answer(q query) (*http.Response, error) {
	found := t.c.find(&q)
	if resp := t.stored(&q, found); resp != nil {
		return resp, nil
	}
	asking := q // for longer than this call, and so on the heap, which hits are spared
	return t.bring(&asking, found)
}

// stored answers q with what it may have at once, or with nil. It keeps nothing of q.
func (t *transport) stored(q *query, found finding) *http.Response {
	switch found.verdict {
	case refreshIt:
		t.refresh(q, found)
		fallthrough
	case serveIt:
		return t.c.hit(q, found.e, found.view)
	case refuseIt:
		return gatewayTimeout(q.r)
	}
	return nil
}

// bring answers q by a fetch, or by what seems to be one.
func (t *transport) bring(q *query, found finding) (*http.Response, error) {
	if q.sharing == Disguised && q.place.crowd == nil {
		defer t.c.scatter(t.c.gather(q))
	}
	if found.verdict == pretendIt {
		return t.pretend(q, found)
	}
	return t.fetch(q, found)
}

// pass sends a request on that the cache cannot answer, and drops what it
// makes doubtful (RFC 9111 §4, §4.4).
func (t *transport) pass(r *http.Request, o *Options) (*http.Response, error) {
	requested := o.Now()
	uri, ok := targetURI(r.URL)
	v := visitorOf(r.Context())
	if ok && o.Sharing != Shared {
		r = t.c.openConditions(unrecognised(r), v.Site, uri)
	}
	resp, err := t.next.RoundTrip(r)
	if err != nil || !ok {
		return resp, err
	}
	if !safe(r.Method) {
		t.c.invalidate(r, uri, resp)
	}
	if r.Method == http.MethodPost {
		t.describesTarget(r, resp, o, requested)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		hopByHop(resp.Header)
		// No cache sends back the tag of an answer to another method, and an upload in
		// parts is put together by the tags that its origin gave.
		if o.Sharing != Shared && !knownTo(r) && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
			t.c.sealTag(resp.Header, v.Site, uri)
		}
	}
	return resp, nil
}

// unrecognised takes from a request for a representation the validators by which an
// origin would know its client again: without them it gets the whole.
func unrecognised(r *http.Request) *http.Request {
	if r.Method != http.MethodGet && r.Method != http.MethodHead || knownTo(r) {
		return r
	}
	r = r.Clone(r.Context())
	if len(r.Header["If-Range"]) > 0 {
		r.Header.Del("Range")
	}
	for _, name := range []string{"If-None-Match", "If-Modified-Since", "If-Range"} {
		r.Header.Del(name)
	}
	return r
}

func knownTo(r *http.Request) bool {
	return len(r.Header["Cookie"]) > 0 || len(r.Header["Authorization"]) > 0 || visitorOf(r.Context()).Personal
}

// A refreshing is a stale entry's refresh under way.
type refreshing struct {
	e      *entry
	client string
}

// refresh validates a stale entry in the background (RFC 5861 §3), unless
// somebody does already.
func (t *transport) refresh(q *query, found finding) {
	c, e := t.c, found.e
	mine := refreshing{e: e}
	if q.sharing == Disguised {
		mine.client = q.client // one client's refresh must not depend on another's
	}
	if !c.begins(q, found, mine) {
		return
	}
	ctx := context.WithoutCancel(q.ctx)
	behind := *q
	behind.r = q.r.Clone(ctx)
	behind.conditions = conditions{}
	behind.head, behind.ranged = false, false
	behind.latest = true
	behind.r.Method = http.MethodGet
	for _, name := range []string{"Range", "If-Range", "If-None-Match", "If-Modified-Since"} {
		behind.r.Header.Del(name)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.beside(func() {
		defer func() {
			recover() // it ends the refresh alone
			c.mu.Lock()
			delete(c.behind, mine)
			c.mu.Unlock()
		}()
		ctx, cancel := context.WithTimeout(ctx, orphanTime)
		defer cancel()
		stop := context.AfterFunc(c.ctx, cancel)
		defer stop()
		behind.ctx = ctx
		if resp, err := t.fetch(&behind, finding{verdict: validateIt, e: e, telling: found.telling}); err == nil {
			drain(resp.Body, c.options.Load().Object)
		}
	})
}

// begins notes that a refresh is under way, unless one is, or has ended since the store
// was looked at.
func (c *Cache) begins(q *query, found finding, r refreshing) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, busy := c.flights[c.wantedBy(q, r.e.flightKey(q))]
	gone := r.e.held == nil || found.view != r.e.all && found.view != r.e.views.of(q.client)
	if _, begun := c.behind[r]; begun || busy || gone {
		return false
	}
	c.behind[r] = struct{}{}
	return true
}
