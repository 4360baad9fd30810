package cache

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"
	"weak"
)

// A pretence is a fetch that only seems to be made, or one that was: if its client
// asks again before its end, it gets the same times.
type pretence struct {
	client     string
	wording    wording
	name       uint64 // of what is wanted
	begun      time.Time
	took       timing
	kind       kind
	own        weak.Pointer[entry] // what it would validate, if validated; weak, so as not to keep it
	made       bool
	interested int   // requests that wait or read; guarded by the store's lock
	instead    *view // the view that it replaces in the end, which claims nothing meanwhile; nil for none
}

// seems notes that p is how its client got e. The caller holds the store's lock.
func (e *entry) seems(p *pretence) {
	if v := e.views.of(p.client); v != nil {
		v.pretence = p
	}
}

// underWay reports whether it seems to last at the given time.
func (p *pretence) underWay(now time.Time) bool {
	return now.Sub(p.begun) < beat(p.took.head+p.took.tail)
}

// wants returns the name of what p wants at the given time. A request with cookies turns out,
// with its head, to be for all, and requests with cookies cannot join it any more, see settle.
func (p *pretence) wants(now time.Time) uint64 {
	if p.wording.cookies && now.Sub(p.begun) >= p.took.head {
		return 0
	}
	return p.name
}

// pretend answers from what others fetched, at the time at which the origin's
// answer would have come if it had been asked now. That time is an inquiry's that
// is under way, else one drawn from what the origin took of late, else that of an
// inquiry made for it.
func (t *transport) pretend(q *query, found finding) (*http.Response, error) {
	c, e := t.c, found.e
	begun := c.now()
	if !q.latest {
		if f := c.beingAsked(q, &found); f != nil {
			resp, done, err := t.joinInquiry(q, found, f, begun)
			if done {
				return resp, err
			}
			q.waited(err, c.now())
			return t.lookAgain(q)
		}
	}
	p, ok := c.imagine(q, found, begun)
	switch {
	case !ok && found.view != nil:
		return c.hit(q, e, found.view), nil // its own fetch has come to an end meanwhile
	case !ok:
		return t.pretendByAsking(q, found)
	}
	// A client that leaves does so at once, as with a fetch; a wait ends a moment later.
	forgo := sync.OnceFunc(func() { c.forgo(e, p) })
	stop := context.AfterFunc(q.ctx, forgo)
	// As in a fetch, what there is to do is done when the head comes, and not at its beat.
	given := begun.Add(beat(p.took.head))
	if err := c.waitUntil(q.ctx, begun.Add(p.took.head)); err != nil {
		forgo()
		return nil, err
	}
	c.settlePretence(q, e, p, given)
	resp := c.serve(q, e, given)
	if err := c.waitBeat(q, begun, given); err != nil {
		resp.Body.Close()
		forgo()
		return nil, err
	}
	if resp.StatusCode == http.StatusNotModified || p.kind != anew {
		stop()
		forgo()
		return resp, nil
	}
	resp.Body = &pretendedBody{beatBody: c.inBeats(q, resp.Body, e.rehearse(p.took), begun), forgo: forgo, stop: stop}
	return resp, nil
}

// settlePretence decides, when q's client gets the head of p, whether it has a view of e from
// then on, as settle does for a fetch.
func (c *Cache) settlePretence(q *query, e *entry, p *pretence, given time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counters.Pretended++
	switch v := e.views.of(q.client); {
	case (v == nil || v.pretence == p) && p.kind == anew && !p.made && !c.mayHoldAgain(e):
		q.cramped = !c.mayHold(e.length, c.options.Load()) // else only the body would show it
		c.unpretend(e, p)                                  // a fetch would leave nothing
	case p.kind == validated && !p.own.Value().usedBy(q.client): // see replace
		c.unpretend(e, p)
	case v == nil:
		c.view(e, q, given)
	}
}

// A pretendedBody calls forgo when its client closes it. It embeds a beatBody, so that it is
// written like a fetched body: another way would cut it into other pieces.
type pretendedBody struct {
	*beatBody
	forgo func()
	stop  func() bool // from forgoing it with the end of the request
}

func (b *pretendedBody) Close() error {
	b.stop()
	b.forgo()
	return b.beatBody.Close()
}

// forgo is leave for a pretended fetch. When nobody is left, its client loses the view: of a
// flight that ends so it would have nothing either.
func (c *Cache) forgo(e *entry, p *pretence) {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.made {
		return
	}
	p.interested--
	passed := now.Sub(p.begun)
	over := passed >= p.took.head && e.length >= 0 || passed >= p.took.head+p.took.tail // see worthFinishing
	if v := e.views.of(p.client); p.interested == 0 && !over && v != nil && v.pretence == p {
		c.unpretend(e, p)
	}
}

// unpretend takes from a client the view that it has of e from a pretence. The caller holds c.mu.
func (c *Cache) unpretend(e *entry, p *pretence) {
	c.store.unview(e, p.client)
	if v := p.instead; v != nil && v.of != nil {
		c.store.reclaim(v, v.e.claim())
	}
}

// unviewSince takes from a client the view of e that it has from a fetch which gave it e
// at the given time, or would. The caller holds c.mu.
func (c *Cache) unviewSince(e *entry, client string, given time.Time) {
	if v := e.views.of(client); v != nil && !v.since.Before(given) {
		c.store.unview(e, client)
	}
}

// imagine returns a fetch that was not made. A client who asks again while its own seems to
// be under way is told the same times, from when it asks, as with a real one. It
// reports false if nobody knows how long the origin takes, or if e would come too late.
func (c *Cache) imagine(q *query, found finding, begun time.Time) (*pretence, bool) {
	e := found.e
	c.mu.Lock()
	defer c.mu.Unlock()
	if v := e.views.of(q.client); v != nil && v.pretence != nil && v.pretence.underWay(begun) {
		v.pretence.interested++
		return v.pretence, true
	}
	if found.view != nil || e.mayRunDown() {
		return nil, false
	}
	took, known, ok := c.model.draw(originOf(q.everybody.url), found.kind(), e, e.manner, begun)
	if !ok || !e.lasts(begun.Add(took.head)) {
		return nil, false
	}
	e.manner = known
	if found.kind() == anew {
		c.recently.note(c.idFor(q), true) // as a fetch would
	}
	w, _ := c.wants(q)
	p := &pretence{client: q.client, wording: w.wording, name: c.nameOf(w), begun: begun, took: took, kind: found.kind(), own: weak.Make(found.own), interested: 1}
	c.view(e, q, begun.Add(beat(took.head)))
	e.seems(p)
	if p.instead = found.instead; p.instead != nil {
		c.store.reclaim(p.instead, 0)
	}
	return p, true
}

// view notes that a client is given e, from a time on that may be still to
// come; not if it has dropped it since it asked. The caller holds c.mu.
func (c *Cache) view(e *entry, q *query, since time.Time) {
	if e.held != nil && !c.dropped.since(q.moment, q.client, q.everybody.url) {
		confirmed := c.confirms(e.held, e, q.client, since, !q.known) // e may have been fetched without cookies
		c.store.view(e, q.client, since).confirmed = confirmed
	}
}

// kind returns the kind of answer that the origin would give to a client that has f.own.
func (f *finding) kind() kind {
	if f.own != nil && !f.telling && whole(f.own) && f.own.status == http.StatusOK && f.own.sameAs(f.e) { // RFC 9110 §13.2.1
		return validated
	}
	return anew
}

// confirms reports whether an earlier request of the client, sent without a validator, got the
// validators that e, of r, has: then the origin does not make new ones for each request. blind
// says that e's own request, at the given time, had none either. Entries whose fetch seems to
// be still under way do not count. The caller holds c.mu.
func (c *Cache) confirms(r *resource, e *entry, client string, at time.Time, blind bool) bool {
	for _, old := range r.entries {
		if v := old.views.of(client); v != nil && old.varyKey == e.varyKey && (old == e || !c.seemsToCome(old, client, v)) &&
			(v.confirmed || blind && (v.since.Before(at) || old != e && v.since.Equal(at))) && old.sameValidators(e) {
			return true
		}
	}
	return false
}

func (e *entry) sameValidators(o *entry) bool {
	return e.etag == o.etag && e.header.get("Last-Modified") == o.header.get("Last-Modified")
}

// sameAs reports whether two entries have the same validator.
func (e *entry) sameAs(o *entry) bool {
	if e.etag != "" || o.etag != "" {
		return e.etag == o.etag
	}
	modified := e.header.get("Last-Modified")
	return modified != "" && modified == o.header.get("Last-Modified")
}

// pretendByAsking makes an inquiry to see how long the origin takes at present, and
// answers from the store, so that all clients get the same content and it cannot
// tell them apart. If the origin has something else by now, that is passed on.
func (t *transport) pretendByAsking(q *query, found finding) (*http.Response, error) {
	c := t.c
	f := c.inquire(q, found, t)
	defer f.trace.silence()
	if err := c.await(q, f); err != nil {
		return t.failed(q, f.found, f, err)
	}
	if !f.confirmed {
		return t.arrived(f)
	}
	return t.afterInquiry(q, found, f, f.first, f.start)
}

// joinInquiry is pretendByAsking for a client that comes while an inquiry is under way. It
// reports false if that turned out to be of no use, such as when it failed: an inquiry of its
// own may succeed.
func (t *transport) joinInquiry(q *query, found finding, f *flight, begun time.Time) (*http.Response, bool, error) {
	c := t.c
	if err := c.await(q, f); err != nil {
		return nil, q.ctx.Err() != nil, err
	}
	if !f.confirmed {
		return t.share(q, f.found, f, begun)
	}
	var r *spoolReader
	if f.spool != nil {
		r = f.spool.reader(q.ctx, nil, func() { c.leave(f) })
	}
	resp, err := t.afterInquiry(q, found, f, r, f.startOf(begun))
	return resp, true, err
}

// afterInquiry gives out a stored response at the speed of an inquiry, which the
// caller has joined. r reads the inquiry's body, for its times alone; it is nil if
// there is none to be read.
func (t *transport) afterInquiry(q *query, found finding, f *flight, r *spoolReader, start time.Time) (*http.Response, error) {
	c := t.c
	leave := func() {
		if r == nil {
			c.leave(f)
		} else {
			r.Close()
		}
	}
	given, err := c.waitGiven(q, f, start)
	if err != nil {
		leave()
		return nil, err
	}
	c.count(&c.counters.Pretended)
	resp := c.serve(q, found.e, given)
	if resp.StatusCode == http.StatusNotModified || r == nil {
		leave()
		return resp, nil
	}
	resp.Body = c.inBeats(q, &shadowBody{ReadCloser: resp.Body, real: r}, f.course(r), start)
	return resp, nil
}

// A shadowBody reads the origin's own body beside a stored one, byte for byte, and gives
// out the latter. An error of the origin is one here too.
type shadowBody struct {
	io.ReadCloser
	real io.ReadCloser
	over bool
}

func (b *shadowBody) Read(p []byte) (int, error) {
	if !b.over {
		n, err := b.real.Read(p)
		if err != nil && err != io.EOF {
			return 0, err
		}
		b.over = err == io.EOF
		if n > 0 {
			p = p[:n]
		} else if !b.over {
			return 0, nil
		}
	}
	return b.ReadCloser.Read(p)
}

func (b *shadowBody) Close() error {
	b.real.Close()
	return b.ReadCloser.Close()
}
