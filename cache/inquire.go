package cache

import (
	"context"
	"net/http"
)

// inquire asks the origin about a response that is stored, to see how long it
// takes: the body goes through a spool and is not kept.
func (c *Cache) inquire(q *query, found finding, next http.RoundTripper) *flight {
	have := finding{}
	if found.kind() == validated {
		have = finding{verdict: validateIt, e: found.own}
	}
	f := c.prepare(q, q.everybody, have, next)
	f.about, f.asks, f.head = found.e, found.kind(), make(chan struct{})
	c.mu.Lock()
	defer c.mu.Unlock()
	f.grounded = context.AfterFunc(c.ctx, func() { f.cancel(context.Canceled) })
	f.about.asked++
	if r := f.about.held; r != nil {
		c.store.need(r, 1)
	}
	if own := q.own(); c.asking[own] == nil {
		c.asking[own] = f
	}
	c.fetches.Go(func() { c.fly(f) })
	return f
}

// heed looks whether the origin of a flight fails, or refuses to answer.
func (c *Cache) heed(f *flight, err error) {
	failed := err != nil && f.ctx.Err() == nil
	if err == nil {
		status := f.resp.StatusCode
		failed = status == http.StatusForbidden || status == http.StatusTooManyRequests || status >= 500
	}
	if failed && f.leader.sharing == Disguised {
		c.model.forget(originOf(f.k.url))
	}
}

// compare looks whether the answer to an inquiry is of the same kind as what is stored.
func (c *Cache) compare(f *flight) {
	q, e := f.leader, f.about
	if q.validates(f.found) && f.resp.StatusCode == http.StatusNotModified {
		f.resp.Body.Close()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.keepTime(f, validated, habit{})
		f.confirmed = true
		c.view(e, q, f.given)
		c.replaceFor(q.client, e)
		return
	}
	if f.resp.StatusCode != e.status || c.changed(q, e, f) || !c.mayHold(f.resp.ContentLength, c.options.Load()) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e.manner.head = c.keepTime(f, anew, e.manner.head)
	f.asks, f.confirmed, f.spool = anew, true, c.newSpool(f) // also where it could have been a 304
	c.recently.note(f.id, true)
	c.view(e, q, f.given)
	c.seat(f)
}

// beingAsked returns the client's inquiry of the same kind under way about an entry,
// with the caller interested in it, or nil.
func (c *Cache) beingAsked(q *query, found *finding) *flight {
	c.mu.Lock()
	f := c.asking[q.own()]
	fits := f != nil && f.about == found.e && f.asks == found.kind() && f.wording == c.wordingOf(q)
	c.mu.Unlock()
	if !fits || !c.join(f) {
		return nil
	}
	return f
}

func (c *Cache) newSpool(f *flight) *spool {
	o := c.options.Load()
	most := o.Object
	n := f.resp.ContentLength
	sized := 0 <= n && n <= most
	if sized {
		most = n
	}
	return &spool{limit: o.Object, most: most, sized: sized, start: f.at, now: c.now, resize: func(by int64) bool {
		return c.store.inflight.Add(by) > c.flightRoom(o)
	}, scarce: func() bool {
		return c.store.inflight.Load() > 2*flightBudget(o)
	}}
}

// changed reports whether the origin now gives another client something
// else than e, and e is therefore not to be given out.
func (c *Cache) changed(q *query, e *entry, f *flight) bool {
	h := f.resp.Header
	if h.Get("Etag") == e.etag && h.Get("Location") == e.header.get("Location") {
		return false
	}
	if e.client == q.client || !permanent(e.status) && e.life.operative < longLived {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counters.Differing++
	c.differ.given.Add(c.differ.id(q.everybody), answer{client: q.client, differs: true, until: e.received.Add(e.life.operative)})
	return c.options.Load().Distrust
}
