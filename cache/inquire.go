package cache

import (
	"io"
	"net/http"
)

// inquire asks the origin about a response that is stored, to see how long it
// takes: the body goes through a spool and is not kept.
func (c *Cache) inquire(q *query, found finding, next http.RoundTripper) *flight {
	outgoing := c.outgoing(q, finding{})
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.launch(q, q.everybody, outgoing, next, func(f *flight) {
		if f.resp.StatusCode != found.e.status || c.changed(q, found.e, f) {
			return
		}
		c.mu.Lock()
		f.spool = c.newSpool(f)
		c.mu.Unlock()
		f.first = f.spool.reader(q.ctx, nil, func() { c.leave(f) })
	})
	if c.asking[f.k] == nil {
		c.asking[f.k] = f
	}
	return f
}

// beingAsked returns the inquiry under way about a key, with the caller
// interested in it, or nil.
func (c *Cache) beingAsked(k key) *flight {
	c.mu.Lock()
	f := c.asking[k]
	c.mu.Unlock()
	if f == nil || !c.join(f) {
		return nil
	}
	return f
}

// seen returns how long the leader of a flight has waited, now that it goes on.
func (c *Cache) seen(f *flight) timing {
	now := c.now()
	return timing{head: now.Sub(f.start), at: now}
}

func (c *Cache) newSpool(f *flight) *spool {
	o := c.options.Load()
	return &spool{limit: o.Object, start: f.at, now: c.now, resize: func(by int64) bool {
		return c.inflight.Add(by) > flightBudget(o)
	}}
}

// shadow reveals a stored response at the speed of an inquiry's body.
func (c *Cache) shadow(q *query, found finding, f *flight, real io.ReadCloser) *http.Response {
	resp := c.reveal(q, found)
	switch {
	case real == nil:
		c.leave(f)
	case resp.Body == http.NoBody || found.repeat:
		real.Close()
	default:
		resp.Body = &shadowBody{ReadCloser: resp.Body, real: real}
	}
	return resp
}

// changed reports whether the origin now gives another client something
// else than e, and e is therefore not to be given out.
func (c *Cache) changed(q *query, e *entry, f *flight) bool {
	h := f.resp.Header
	if h.Get("Etag") == e.etag && h.Get("Location") == e.header.Get("Location") {
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

// reveal gives a client a response that it has not used before.
func (c *Cache) reveal(q *query, found finding) *http.Response {
	now := c.now()
	c.mu.Lock()
	c.counters.Pretended++
	if found.e.held != nil {
		c.store.view(found.e, q.client, now)
	}
	c.mu.Unlock()
	return c.serve(q, found.e, now)
}
