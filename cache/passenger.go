package cache

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"guise/cache/ending"
)

// join makes a client interested in a flight. It reports false if it is over
// or must not be used any more.
func (c *Cache) join(f *flight) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.finished || f.doomed || f.ctx.Err() != nil {
		return false
	}
	f.interested++
	return true
}

// leave is the opposite of join. When the last one leaves, a flight that cannot
// be stored ends. A response without a spool was for the leader alone; if the
// leader has gone before reading it, whoever leaves last closes it.
func (c *Cache) leave(f *flight) {
	if c.left(f) {
		f.resp.Body.Close()
		f.cancel(errNobody)
	}
}

// left takes one from those who are interested, and reports whether that was the
// last one and the flight has a response that nobody reads any more.
func (c *Cache) left(f *flight) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	f.interested--
	switch {
	case f.interested > 0:
	case f.finished:
		return f.err == nil && f.spool == nil
	case f.spool != nil && !f.doomed && f.worthFinishing():
		timer := time.AfterFunc(orphanTime, func() { c.orphaned(f) })
		f.ctx.AfterFunc(func() { timer.Stop() })
	default:
		f.cancel(errNobody)
		if f.confirmed && f.spool != nil && f.stored == nil {
			c.unviewSince(f.about, f.client, f.given) // a fetch would leave nothing
		}
	}
	return false
}

// worthFinishing reports whether a body that nobody reads should still be fetched: its end is
// known and near. For an inquiry, this is what it would be for a fetch.
func (f *flight) worthFinishing() bool {
	e := f.entry
	if f.confirmed {
		e = f.about
	}
	f.spool.mu.Lock()
	defer f.spool.mu.Unlock()
	return !f.spool.sliding && e.length >= 0
}

// orphaned ends a flight that has gone on for the store for long enough, unless somebody
// has joined it since.
func (c *Cache) orphaned(f *flight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.interested == 0 {
		f.cancel(errNobody)
	}
}

// await waits for the head of a flight. On an error the caller has left.
func (c *Cache) await(q *query, f *flight) error {
	select {
	case <-f.head:
		if f.err != nil {
			c.leave(f)
			return f.err
		}
		return nil
	case <-q.ctx.Done():
		if f.leader == q {
			c.desert(f)
		} else {
			c.leave(f)
		}
		return context.Cause(q.ctx)
	}
}

// seat gives a flight's leader its reader, before the first byte can slide out of
// the spool. A leader who has left gets none: nobody would ever close it, and the
// spool would hold the body for it.
func (c *Cache) seat(f *flight) {
	if !f.deserted {
		f.first = f.spool.reader(f.leader.ctx, nil, func() { c.leave(f) })
		f.spool.leader = f.first // nobody else knows of the spool yet
	}
}

// desert is leave for a leader who has not got the response.
func (c *Cache) desert(f *flight) {
	c.mu.Lock()
	first := f.first
	f.deserted = true
	c.mu.Unlock()
	if first != nil {
		first.Close() // leaves
		return
	}
	c.leave(f)
}

// startOf returns when the request began, as a client sees it, that joins a flight at
// the given time. In Disguised it sees what it would see of another fetch that takes as
// long: when two requests end together, the time between their answers is that
// between the requests, which tells whether the origin worked then.
func (f *flight) startOf(joined time.Time) time.Time {
	if f.beats {
		return joined
	}
	return f.start
}

// joined returns a reader of a flight's body for a client whose request seems
// to have begun at start, or nil if the body's own start is gone.
func (c *Cache) joined(q *query, f *flight, trailer http.Header, start time.Time) io.ReadCloser {
	r := f.spool.reader(q.ctx, trailer, func() { c.leave(f) })
	if r == nil {
		return nil
	}
	return c.spooled(q, f, r, start)
}

// spooled returns what a client reads of a flight's body.
func (c *Cache) spooled(q *query, f *flight, r *spoolReader, start time.Time) io.ReadCloser {
	if !f.beats {
		return r
	}
	return c.inBeats(q, r, f.course(r), start)
}

// course returns when what r reads of f's body came.
func (f *flight) course(r *spoolReader) course { return spoolCourse{r, f.at.Sub(f.start)} }

// waitUntil sleeps if the time has not come.
func (c *Cache) waitUntil(ctx context.Context, at time.Time) error {
	wait := at.Sub(c.now())
	if wait <= 0 {
		return nil
	}
	return c.sleep(ctx, wait)
}

// waitGiven waits until a client gets the head of a flight that it sees beginning at
// start, and returns when that is.
func (c *Cache) waitGiven(q *query, f *flight, start time.Time) (given time.Time, err error) {
	given = start.Add(f.given.Sub(f.start))
	if f.beats || !q.plain() {
		return given, c.waitBeat(q, start, given)
	}
	return given, c.waitUntil(q.ctx, given)
}

// direct returns the body of an unspooled response for its leader: closing
// it, or the end of the leader's request, ends the flight.
func (c *Cache) direct(f *flight) io.ReadCloser {
	b := &f.direct
	b.ReadCloser, b.f = f.resp.Body, f
	b.watched = ending.Of(f.leader.ctx, b)
	return b
}

type directBody struct {
	io.ReadCloser
	f       *flight
	watched ending.Watch // of the leader's request
	once    sync.Once
}

// Source returns what the body is read from, as it is.
func (b *directBody) Source() io.ReadCloser { return b.ReadCloser }

// Ended ends the flight with the leader's request.
func (b *directBody) Ended() { b.f.cancel(context.Cause(b.f.leader.ctx)) }

func (b *directBody) Close() error {
	err := b.ReadCloser.Close()
	b.once.Do(b.end)
	return err
}

func (b *directBody) end() {
	b.watched.Stop()
	b.f.c.leave(b.f)
	b.f.cancel(nil)
}
