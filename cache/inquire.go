package cache

import (
	"net/http"
	"slices"
	"time"
)

// inquire asks the origin about a response that is stored, to see how long it
// takes: the body goes through a spool and is not kept.
func (c *Cache) inquire(q *query, found finding, by *transport) *flight {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, _ := q.flightKey(found)
	f := c.prepare(q, k, found.without(q), by)
	f.about, f.asks, f.head = found.e, found.kind(), make(chan struct{})
	c.takeOff(f)
	f.about.asked++
	if r := f.about.held; r != nil {
		c.store.need(r, 1)
	}
	if own := q.own(); c.asking[own] == nil {
		c.asking[own] = f
	}
	c.beside(func() { c.fly(f) })
	return f
}

// heed forgets, in Disguised, the times of an origin that failed or refused to answer.
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

// confirm reports whether the answer to an inquiry looks to its client like what is stored. If
// not, it is used like a fetch's.
func (c *Cache) confirm(f *flight) bool {
	q, e := f.leader, f.about
	now := c.saidNow(f)
	if now == nil || !e.lasts(f.at) || now.status != e.status || !now.forOthers() || f.trace.interim() || !now.looksAs(e, f.at) {
		return false
	}
	unchanged := f.resp.StatusCode == http.StatusNotModified
	if unchanged {
		f.resp.Body.Close()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	f.confirmed = true
	f.k = q.everybody // requests with the same cookies cannot join any more, see settle
	if unchanged {
		c.keepTime(f, validated, habit{})
		if f.found.e.usedBy(q.client) { // else see replace
			c.view(e, q, f.given)
			c.replaceFor(q.client, f.wording, e)
		}
		return true
	}
	e.manner.head = c.keepTime(f, anew, e.manner.head)
	f.asks, f.spool = anew, c.newSpool(f) // even if a 304 could have come
	c.recently.note(f.id, true)
	c.view(e, q, f.given)
	c.seat(f)
	return true
}

// saidNow returns what the answer to an inquiry would be stored as, nil for nothing.
func (c *Cache) saidNow(f *flight) *entry {
	q, e := f.leader, f.about
	if !q.validates(f.found) || f.resp.StatusCode != http.StatusNotModified {
		now, _ := c.storable(q, f.resp, f.start, f.at)
		if c.changed(f) || !c.mayHold(f.resp.ContentLength, c.options.Load()) {
			return nil
		}
		return now
	}
	if !e.validatedBy(f.resp.Header) {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return e.renewed(f)
}

// looksAs reports whether a client who starts to use e at the given time is told the same
// lifetime as with o. Some lifetimes count down to a moment, such as what is left of another
// cache's.
func (e *entry) looksAs(o *entry, at time.Time) bool {
	mine, other := e.header.header(), o.header.header()
	e.disguise(mine, at)
	o.disguise(other, at)
	return e.told(at) == o.told(at) && slices.Equal(mine["Cache-Control"], other["Cache-Control"]) && slices.Equal(mine["Expires"], other["Expires"])
}

// inquiryAbout returns the inquiry of q's client about e that is under way and that q joins, or
// nil. The caller holds c.mu.
func (c *Cache) inquiryAbout(q *query, e *entry) *flight {
	f := c.asking[q.own()]
	if f == nil || f.about != e || !c.joins(q, c.nameOf(f.wanted())) {
		return nil
	}
	return f
}

// asksAbout reports whether q's client has an inquiry about e under way that q can join, as it
// could a fetch, even if new clients may not get e any more. The caller holds c.mu.
func (c *Cache) asksAbout(q *query, e *entry) bool {
	f := c.inquiryAbout(q, e)
	return f != nil && !f.doomed && !q.latest
}

// beingAsked returns the client's inquiry of the same kind under way about an entry,
// with the caller interested in it, or nil.
func (c *Cache) beingAsked(q *query, found *finding) *flight {
	c.mu.Lock()
	f := c.inquiryAbout(q, found.e)
	fits := f != nil && f.asks == found.kind()
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

// changed reports whether the origin now gives another client something else than what the
// inquiry f is about, and that is therefore not to be given out.
func (c *Cache) changed(f *flight) bool {
	q, e, h := f.leader, f.about, f.resp.Header
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
