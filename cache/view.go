package cache

import (
	"maps"
	"net/http"
	"sync/atomic"
	"time"
)

// A view is one client's use of an entry. In Disguised every client has its own; elsewhere an
// entry has one for all, and in PerClient the client's own is only its claim.
type view struct {
	since time.Time // what the client sees as the time of the response
	// header is what the client sees on a hit, without Age but with room for
	// it. It is made on the first one.
	header atomic.Pointer[http.Header]
	cost   int64 // guarded by the store's lock
	// confirmed says that two requests of the client that sent the origin no
	// validator brought the same ones: so they are not made for each visitor.
	// Guarded by the store's lock.
	confirmed bool
	// pretence is the fetch that it seems to come from, while that is under way.
	// Guarded by the store's lock.
	pretence *pretence

	// Guarded by the store's lock, of a view of what is stored:
	e            *entry
	of           *claims // its client's; nil if it does not count there
	older, newer *view   // of the same client
	bytes        int64   // what it counts there
}

func newView(since time.Time) *view { return &view{since: since, cost: viewOverhead} }

// usedBy reports whether e, which can be nil, is stored, and a client has a view of it. The
// caller holds the store's lock.
func (e *entry) usedBy(client string) bool {
	return e != nil && e.held != nil && e.views.of(client) != nil
}

// everyones returns the view that all clients have outside of Disguised. The caller
// holds the store's lock.
func (e *entry) everyones() *view {
	if e.all == nil {
		e.all = newView(e.received)
	}
	return e.all
}

// hitHeader returns the header of a hit, without Age: the caller's own map
// with lines that nobody writes to in place.
func (c *Cache) hitHeader(q *query, e *entry, v *view) http.Header {
	if h := v.header.Load(); h != nil {
		return maps.Clone(*h)
	}
	h := e.header.header()
	c.dress(q, e, h, v.since)
	delete(h, "Age")
	if q.sharing == Shared {
		// Elsewhere a site could read in it what its visitor saw before.
		addStatus(h, "guise; hit")
	}
	h = withRoom(h)
	if v.header.CompareAndSwap(nil, &h) {
		c.mu.Lock()
		c.store.weighView(e, q.client, v, costBeside(h, e.header))
		c.mu.Unlock()
	}
	return maps.Clone(h)
}

// costBeside returns what h takes beside stored, with which it has text in common.
func costBeside(h http.Header, stored fields) int64 {
	n := fieldsCost(len(h))
	for name, lines := range h {
		n += int64(len(lines)) * lineOverhead
		if stored.equal(name, lines) {
			continue
		}
		for _, line := range lines {
			n += int64(len(line)) + lineOverhead
		}
	}
	return n
}

// withRoom copies a header so that one more field fits without growing it, in the copy
// and in its clones: growing costs more than a clone.
func withRoom(h http.Header) http.Header {
	roomy := make(http.Header, len(h)+1)
	maps.Copy(roomy, h)
	return roomy
}
