package cache

import (
	"sync/atomic"
	"time"
)

// A crowd is the requests of one client to one origin that wait at the same time.
//
// In Disguised a pretended request neither wakes the origin for the next one nor competes with
// it, which a client with two at once could measure. So requests that were in a crowd of
// several are answered in beats far enough apart to hide that, each a little later by chance:
// how soon a busy machine reads the second request tells, too. That goes for forms of which
// nothing is shared, such as HEAD, as well: they would measure the others. Other clients'
// requests do not count: their presence must not show.
type crowd struct {
	waiting int         // guarded by the cache's lock
	several atomic.Bool // there were two at a time
}

const (
	crowdBeat   = 4 * firstBeat
	crowdJitter = firstBeat
)

// A gathering says whose requests a crowd is of, and where to.
type gathering struct{ client, origin string }

// A place is one request's in a crowd. The zero value is in none.
type place struct {
	*crowd
	jitter time.Duration
}

// gather adds q to the crowd of its client's requests, until scatter.
func (c *Cache) gather(q *query) gathering {
	g := gathering{q.client, originOf(q.everybody.url)}
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.crowds[g]
	if w == nil {
		w = &crowd{}
		c.crowds[g] = w
	}
	if w.waiting++; w.waiting > 1 {
		w.several.Store(true)
	}
	q.place = place{w, time.Duration(c.model.float() * float64(crowdJitter))}
	return g
}

// scatter takes a request out of its crowd.
func (c *Cache) scatter(g gathering) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.crowds[g]
	if w.waiting--; w.waiting == 0 {
		delete(c.crowds, g)
	}
}

// due returns when what is for the beat at d after a request's beginning is sent.
func (p place) due(d time.Duration) time.Duration {
	if p.crowd == nil || !p.several.Load() {
		return d
	}
	return (d+crowdBeat-1)/crowdBeat*crowdBeat + p.jitter
}

// waitBeat waits until what is for the beat at the given time is sent to q, whose request seems
// to have begun at start.
func (c *Cache) waitBeat(q *query, start, at time.Time) error {
	for {
		due := q.place.due(at.Sub(start))
		if err := c.waitUntil(q.ctx, start.Add(due)); err != nil {
			return err
		}
		if q.place.due(at.Sub(start)) == due { // else it has become one of several while it waited
			return nil
		}
	}
}
