package cache

import (
	"net/http"
	"time"
)

// offline is how stale a response may be that stands in for an origin that
// cannot be reached, if nobody has said anything about that.
const offline = 24 * time.Hour

// serverFailed reports whether a status is an error that RFC 5861 §4 speaks of.
func serverFailed(status int) bool {
	switch status {
	case 500, 502, 503, 504:
		return true
	}
	return false
}

// staleInstead reports whether a stale response may stand in for a failure
// of the origin: stale-if-error allows it, in the response or the request
// (RFC 5861 §4), or, in shared, that the origin cannot be reached at all; no directive
// forbids it (RFC 9111 §4.2.4); and nobody dropped it while f, which failed, asked about it.
func (c *Cache) staleInstead(q *query, found finding, f *flight, unreachable bool) bool {
	e := found.e
	if found.verdict != validateIt || found.view == nil || e.strict() || q.directives.noCache ||
		q.directives.maxAge != absent || q.directives.minFresh != absent {
		return false
	}
	c.mu.Lock()
	dropped := f.doomed
	c.mu.Unlock()
	if dropped {
		return false
	}
	now := c.now() // the origin may have taken its time to fail
	age, life := e.age(now), e.life.operative
	if q.sharing == Disguised && !e.personal {
		age, life = e.seen(found.view, now)
	}
	allowed := max(e.directives.staleIfError, q.directives.staleIfError, 0).duration()
	if unreachable && q.sharing == Shared {
		allowed = max(allowed, offline)
	}
	return allowed > 0 && age-life <= allowed
}

// serveStale answers from the store in place of a failure; status is the origin's, or 0 if it
// could not be asked.
func (c *Cache) serveStale(q *query, found finding, status int) *http.Response {
	c.count(&c.counters.Stale)
	q.now = c.now()
	resp := c.hit(q, found.e, found.view)
	if q.sharing == Shared && status != 0 {
		lines := resp.Header["Cache-Status"]
		resp.Header["Cache-Status"] = lines[:len(lines)-1] // what went forward is no hit (RFC 9211 §2.1)
		q.addStatus(resp.Header, found, fwdStatus(status))
	}
	return resp
}
