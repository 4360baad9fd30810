package cache

import (
	"bytes"
	"context"
	"errors"
	"hash/maphash"
	"io"
	"net/http"
	"sync"
	"time"

	"guise/cache/ending"
)

// errPanicked ends a fetch that panicked. It does not hold the panic's value, which may be a
// client's data.
var errPanicked = errors.New("cache: a fetch ended in a panic")

// errNobody ends a fetch that nobody waits for and that cannot be stored.
var errNobody = errors.New("cache: nobody waits for the response")

// orphanTime bounds how long a fetch goes on for the store alone.
const orphanTime = time.Minute

// A flight is one request to the origin. It belongs to the cache, not to the
// client who caused it: others can join it, and it goes on when that client
// leaves.
type flight struct {
	c         *Cache
	k         key
	id        uint64 // see idFor
	wording   wording
	client    string  // who caused it
	leader    *query  // whose request it is
	found     finding // what of the store that request speaks of
	rangeSpec string  // the request's Range field
	start     time.Time
	ctx       flightContext
	trace     guardedTrace
	request   http.Request
	by        *transport // whose next sends request
	alone     bool       // nobody else can join
	direct    directBody // the leader's body, of a response without a spool

	head    chan struct{} // closed once the fields below are known; nil if nobody else can join
	arrived bool          // they are known
	err     error
	resp    *http.Response // the origin's, header unchanged
	status  int            // the origin's, before complete made a 200 of it
	passed  http.Response  // resp as it is passed on to the leader, if it is not stored
	at      time.Time      // when the head came
	given   time.Time      // when the clients get the head: at once, or with a beat
	beats   bool           // clients get the body in beats

	// Of an inquiry:
	about     *entry // the stored response that it is about
	asks      kind   // what the origin answers if nothing has changed
	confirmed bool   // nothing has changed

	// entry is what the response will be stored as, without its body, which
	// then goes through spool; nil if it is not to be stored. An inquiry has a
	// spool and no entry.
	entry      *entry
	spool      *spool
	first      *spoolReader // the leader's; nil if it has left. See seat
	trailers   []string     // announced; nil if none can come
	fresh      *entry       // the stored response that a 304 has just freshened
	mismatched bool         // a 304 or 206 that does not fit what is stored: ask again, without condition

	// Guarded by the cache's lock.
	interested int    // clients who wait or read
	deserted   bool   // the leader is not one of them any more
	doomed     bool   // not to be stored: what it answers was invalidated or purged meanwhile
	closed     bool   // to be stored for its client alone: another one's unsafe request came meanwhile
	stored     *entry // entry with its body, once it is in the store; of an inquiry what that is about, once all has come
	finished   bool
	counted    bool // its body is counted as stored, not as on its way
}

// wanted is equal for requests that can join each other. In Disguised these are one client's:
// who waited for another's fetch, and got nothing because its response is not for both, would
// see that the other asked.
type wanted struct {
	key
	wording
	client string // in Disguised
}

func (c *Cache) wantedBy(q *query, k key) wanted {
	w := wanted{key: k, wording: c.wordingOf(q)}
	if q.sharing == Disguised {
		w.client = q.client
	}
	return w
}

// wants returns what q wants, and whether it may join others that do.
func (c *Cache) wants(q *query) (w wanted, shareable bool) {
	k, shareable := q.flightKey(finding{})
	return c.wantedBy(q, k), shareable
}

// nameOf returns a hash of what is wanted: URLs can be long.
func (c *Cache) nameOf(w wanted) uint64 { return maphash.Comparable(c.words, w) }

// joins reports whether q may join a request whose wanted has the given name.
func (c *Cache) joins(q *query, name uint64) bool {
	w, shareable := c.wants(q)
	return shareable && c.nameOf(w) == name
}

func (f *flight) wanted() wanted { return f.c.wantedBy(f.leader, f.k) }

// list lets others join an inquiry as a fetch, which it is from now on.
func (c *Cache) list(f *flight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w, shareable := c.wants(f.leader)
	if shareable && !f.leader.latest && !f.doomed && c.flights[w] == nil {
		c.flights[w] = f
	}
}

// unlist keeps others from joining a flight. The caller holds c.mu.
func (c *Cache) unlist(f *flight) {
	if c.flights[f.wanted()] == f {
		delete(c.flights, f.wanted())
	}
}

// fly sends a prepared flight's request, and brings in its answer to the end of
// the body.
func (c *Cache) fly(f *flight) {
	defer c.land(f)
	if c.send(f) {
		c.pump(f)
	}
}

// prepare makes a flight for q's request, whose response belongs under k; found is the entry
// that it is about, if any. The caller counts as interested.
func (c *Cache) prepare(q *query, k key, found finding, by *transport) *flight {
	f := &flight{c: c, k: k, id: c.idFor(q), wording: c.wordingOf(q), client: q.client, leader: q, found: found, rangeSpec: q.rng.spec, start: c.now(), by: by, interested: 1}
	f.ctx.leader, f.ctx.trace = q.ctx, &f.trace
	f.request = *q.r.WithContext(&f.ctx) // in one piece of memory with the rest
	f.request.Header = c.outgoing(q, found)
	return f
}

// lead starts a prepared flight and returns when its head is there. On an error
// the leader has left it. If nobody can join, the request is made on the
// leader's own goroutine, which would only wait for another one.
func (c *Cache) lead(f *flight) error {
	q := f.leader
	if !f.alone {
		c.mu.Lock()
		c.beside(func() { c.fly(f) })
		c.mu.Unlock()
		return c.await(q, f)
	}
	watch := ending.Of(q.ctx, (*leaving)(f))
	if c.send(f) {
		c.mu.Lock()
		c.beside(func() {
			defer c.land(f)
			c.pump(f)
		})
		c.mu.Unlock()
	} else {
		c.land(f)
	}
	switch {
	case !watch.Stop():
		if f.err == nil && f.spool == nil {
			f.resp.Body.Close()
			f.cancel(errNobody)
		}
		return context.Cause(q.ctx)
	case f.err != nil:
		c.leave(f)
		return f.err
	}
	return nil
}

// A leaving is a flight as the [ending.Watcher] of its leader's request: when
// that ends, the leader leaves.
type leaving flight

func (l *leaving) Ended() {
	f := (*flight)(l)
	f.c.desert(f)
}

// cancel ends what is under way.
func (f *flight) cancel(cause error) { f.ctx.Cancel(cause) }

// send gets the head of a flight, and reports whether the body is to be pumped
// into the spool.
func (c *Cache) send(f *flight) (spooled bool) {
	defer func() {
		if recover() != nil {
			c.crash(f)
		}
	}()
	f.resp, f.err = f.by.next.RoundTrip(&f.request)
	f.at = c.now()
	f.given = f.at
	c.heed(f, f.err)
	if f.err != nil {
		f.cancel(f.err)
		f.arrive()
		return false
	}
	if f.resp.Trailer != nil { // others may come than were announced
		f.trailers = make([]string, 0, len(f.resp.Trailer))
	}
	for name := range f.resp.Trailer {
		f.trailers = append(f.trailers, name)
	}
	switch {
	case f.about == nil:
		c.settle(f)
	case !c.confirm(f):
		c.list(f)
		c.settle(f)
	}
	if f.spool == nil {
		c.offer(f)
		return false
	}
	f.arrive()
	return true
}

// arrive wakes those who wait for the head. A flight that failed is unlisted first, so that
// they find the one that takes its place.
func (f *flight) arrive() {
	f.arrived = true
	if f.head == nil {
		return
	}
	if f.err != nil {
		f.c.mu.Lock()
		f.c.unlist(f)
		f.c.mu.Unlock()
	}
	close(f.head)
}

// crash fails a flight that panicked before its head was there, for all who wait for it.
// Readers of a body learn of the panic by the end of the flight's context.
func (c *Cache) crash(f *flight) {
	defer f.cancel(errPanicked)
	if f.arrived {
		return
	}
	c.mu.Lock()
	f.err, f.entry, f.spool, f.first, f.fresh = errPanicked, nil, nil, nil, nil
	c.mu.Unlock()
	f.arrive()
}

// offer leaves an unspooled response to the leader, or closes it if the
// leader has gone.
func (c *Cache) offer(f *flight) {
	c.mu.Lock()
	gone := f.interested == 0
	c.mu.Unlock()
	f.arrive()
	if gone {
		f.resp.Body.Close()
		f.cancel(errNobody)
	}
}

// buffers hold what is between the origin and a spool.
var buffers = sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}

// pump moves the body from the origin into the spool and, if it is whole,
// into the store.
func (c *Cache) pump(f *flight) {
	defer func() {
		if recover() != nil {
			f.spool.finish(errPanicked, nil)
		}
	}()
	defer f.resp.Body.Close()
	defer f.cancel(nil)
	spare := buffers.Get().(*[]byte)
	defer buffers.Put(spare)
	for {
		err := f.spool.fill(&f.ctx, f.resp.Body, *spare)
		if ended := f.ctx.Err(); err == io.EOF && ended != nil {
			err = ended // nobody wants it any more, though the rest was here already
		}
		c.makeRoom()
		switch {
		case err == io.EOF:
			c.keep(f, nil)
			f.spool.finish(nil, f.resp.Trailer)
			return
		case err != nil:
			if err == errNobody {
				f.cancel(err) // it is not the origin that failed
			}
			c.heed(f, err)
			c.keep(f, err)
			f.spool.finish(err, nil)
			return
		}
	}
}

// makeRoom evicts stored responses for bodies on their way, once these take more than a 32nd of
// the memory.
func (c *Cache) makeRoom() {
	if c.store.inflight.Load() <= c.options.Load().Memory/32 {
		return
	}
	c.mu.Lock()
	c.store.fit()
	c.mu.Unlock()
}

// land is the end of a flight.
func (c *Cache) land(f *flight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f.finished = true
	if !f.alone {
		c.unlist(f)
		if own := f.leader.own(); c.asking[own] == f {
			delete(c.asking, own)
		}
	}
	delete(c.aloft, f)
	if e := f.about; e != nil {
		e.asked--
		e.closed = e.closed || !f.confirmed && f.err == nil // it is outdated: no new client may get it
		if e.held != nil {
			c.store.need(e.held, -1)
			c.store.letGo(e)
		}
	}
	if f.spool != nil {
		c.linger(f)
	}
}

// linger accounts for the body of a flight that has ended and still has readers.
// If the body was stored, they read the stored bytes from now on, so that it is
// held once. The caller holds c.mu.
func (c *Cache) linger(f *flight) {
	s := f.spool
	s.mu.Lock()
	defer s.mu.Unlock()
	size := int64(cap(s.buf))
	if len(s.readers) > 0 {
		if e := f.stored; e != nil && e.part == nil && bytes.Equal(e.body, s.buf) { // what f brought can be a part of e
			s.buf, s.hold = e.body, e.hold
		} else {
			s.hold = &hold{size: size, lingering: &c.store.lingering}
		}
		s.hold.use(1)
	}
	if !f.counted {
		c.store.inflight.Add(-size)
	}
}

// keepTime makes a flight's response go out in beats, and records how long the origin took for
// a response of that kind.
func (c *Cache) keepTime(f *flight, kind kind, h habit) habit {
	took := f.at.Sub(f.start)
	f.beats, f.given = true, f.start.Add(beat(took))
	return c.model.record(originOf(f.k.url), kind, took, f.at, h)
}
