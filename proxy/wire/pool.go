package wire

import (
	"slices"
	"sync"
	"time"
)

// A poolKey says which requests may share a connection: those to the same host and port,
// with or without TLS, of the same isolation. That holds for connections to the hop as
// well: some proxies, such as Tinyproxy, stay connected to the origin of the first request
// and would send it those for other origins.
type poolKey struct {
	hop       bool // the connection is to the hop
	tls       bool
	host      string
	port      string
	isolation string
	owner     uint64 // of the content that the connection has carried; see OwnerKey
}

// A pool holds connections between two exchanges. It is safe for
// concurrent use. It has no goroutine: a timer runs only while the pool
// holds something.
//
// A burst of requests leaves as many connections, and the next burst, a moment
// later, needs them again. So connections beyond perHost and total stay as well,
// for the time brief.
type pool struct {
	perHost int           // connections of one key that may stay for the time idle
	total   int           // connections of all keys that may
	idle    time.Duration // for how long an unused connection is kept
	brief   time.Duration // for how long one beyond perHost or total is; 0 keeps none

	mu     sync.Mutex
	hosts  map[poolKey]*idleHost
	order  idleList // all of them
	timer  *time.Timer
	due    time.Time // when timer fires
	looked time.Time // when reap last probed all connections
	closed bool
}

// An idleHost holds the idle connections of one key, the one used last at the end.
type idleHost struct{ conns []*originConn }

// get returns a live connection for k, or nil. With fresh above 0, only one
// that was used within that time. The one used last comes first: it is the
// least likely to have been closed, and the others can age. Without check, a
// plain connection is not probed: [socket.ask] does that.
func (p *pool) get(k poolKey, fresh time.Duration, check bool) *originConn {
	for {
		c := p.pop(k, fresh)
		if c == nil || !p.rested(c) && (c.plain != nil && !check || c.probe.quiet(true)) {
			return c
		}
		c.closeNow()
	}
}

// rested tells whether c was idle for longer than it is kept, but was not reaped yet: no
// timer runs while a machine sleeps, and when it wakes up in another network the connection
// is dead, and no probe can tell.
func (p *pool) rested(c *originConn) bool { return c.idled(time.Now()) > p.idleTime(c) }

// idled returns for how long c has been idle.
func (c *originConn) idled(now time.Time) time.Duration {
	return elapsed(c.idleAt, c.idleSince, now)
}

// elapsed returns how much time has passed since at by the wall clock, which goes on while a
// machine sleeps, or since on by the monotonic clock, if the wall clock was set back.
func elapsed(at, on, now time.Time) time.Duration {
	return max(now.Round(0).Sub(at), now.Sub(on))
}

// idleTime is how long c is kept. One with an owner is only for requests with content,
// most of which must not be sent twice; see unsafeReuse.
func (p *pool) idleTime(c *originConn) time.Duration {
	if c.key.owner != 0 {
		return min(p.idle, unsafeReuse)
	}
	return p.idle
}

func (p *pool) pop(k poolKey, fresh time.Duration) *originConn {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.hosts[k]
	if h == nil || len(h.conns) == 0 {
		return nil
	}
	last := len(h.conns) - 1
	c := h.conns[last]
	if fresh > 0 && c.idled(time.Now()) > fresh {
		return nil // all others are older
	}
	h.conns[last] = nil
	h.conns = h.conns[:last]
	p.order.remove(c)
	return c
}

// put takes c, idle from now on, and closes an older one if there are too
// many.
func (p *pool) put(c *originConn) {
	c.idleSince = time.Now()
	c.idleAt = c.idleSince.Round(0)
	if old := p.add(c); old != nil {
		old.closeIdle()
	}
}

// add takes c in, and returns the one that has to be closed for it, nil for none.
func (p *pool) add(c *originConn) (evicted *originConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return c
	}
	h := p.hosts[c.key]
	if h == nil {
		h = &idleHost{}
		if p.hosts == nil {
			p.hosts = make(map[poolKey]*idleHost)
		}
		p.hosts[c.key] = h
	}
	var oldest *originConn // if c is one too many
	if len(h.conns) >= p.perHost {
		oldest = h.conns[0]
	} else if p.order.length >= p.total {
		oldest = p.order.oldest
	}
	if oldest != nil && p.brief == 0 {
		p.remove(oldest)
		evicted = oldest
	}
	h.conns = append(h.conns, c)
	p.order.add(c)
	if p.timer == nil {
		p.looked = time.Now()
		p.due = p.looked.Add(p.tick())
		p.timer = time.AfterFunc(p.tick(), p.reap)
	}
	left := p.idleTime(c)
	if oldest != nil && p.brief > 0 {
		left = min(left, p.brief)
	}
	if left < p.tick() && left < time.Until(p.due) {
		p.due = time.Now().Add(left)
		p.timer.Reset(left)
	}
	return evicted
}

// surplus tells whether there are more connections, of c's key or in all, than may stay
// for long. The lock is held.
func (p *pool) surplus(c *originConn) bool {
	return len(p.hosts[c.key].conns) > p.perHost || p.order.length > p.total
}

// remove takes c out. The lock is held.
func (p *pool) remove(c *originConn) {
	// An empty list stays, since connections of its key are likely to come
	// back soon; reap deletes it.
	h := p.hosts[c.key]
	if i := slices.Index(h.conns, c); i == 0 { // mostly, as it is the oldest
		h.conns[0] = nil
		h.conns = h.conns[1:]
	} else if i > 0 {
		h.conns = slices.Delete(h.conns, i, i+1)
	}
	p.order.remove(c)
}

// tick is how often reap looks. More often than the idle time, so that
// connections closed by their origin do not hold descriptors for long.
func (p *pool) tick() time.Duration { return max(p.idle/4, time.Millisecond) }

// reap closes what is idle for too long, and, once a tick, what was closed by its
// origin.
func (p *pool) reap() {
	p.mu.Lock()
	var dead []*originConn
	now := time.Now()
	look := now.Sub(p.looked) >= p.tick()
	if look {
		p.looked = now
	}
	p.due = p.looked.Add(p.tick())
	for c := p.order.oldest; c != nil; {
		newer := c.newer
		left := p.idleTime(c)
		if p.surplus(c) {
			left = min(left, p.brief)
		}
		left -= c.idled(now)
		switch {
		case left <= 0, look && !c.probe.quiet(true):
			p.remove(c)
			dead = append(dead, c)
		case left < p.due.Sub(now):
			p.due = now.Add(left)
		}
		c = newer
	}
	for k, h := range p.hosts {
		if len(h.conns) == 0 {
			delete(p.hosts, k)
		}
	}
	switch {
	case p.closed:
	case p.order.length > 0:
		p.timer.Reset(max(p.due.Sub(now), time.Millisecond))
	default:
		p.timer = nil
	}
	p.mu.Unlock()
	for _, c := range dead {
		c.closeIdle()
	}
}

// clear closes all idle connections, and returns how many there were. With
// forGood, put closes those that come later.
func (p *pool) clear(forGood bool) int {
	p.mu.Lock()
	var all []*originConn
	for c := p.order.oldest; c != nil; c = c.newer {
		all = append(all, c)
	}
	p.order = idleList{}
	p.hosts = nil
	p.closed = p.closed || forGood
	if p.timer != nil && p.timer.Stop() {
		p.timer = nil
	}
	p.mu.Unlock()
	for _, c := range all {
		c.closeIdle()
	}
	return len(all)
}

// An idleList holds idle connections by when they were used last. They are
// linked to each other, so that to add one allocates nothing.
type idleList struct {
	oldest, newest *originConn
	length         int
}

// add takes in c, which was used last of all.
func (l *idleList) add(c *originConn) {
	c.older, c.newer = l.newest, nil
	if c.older != nil {
		c.older.newer = c
	} else {
		l.oldest = c
	}
	l.newest = c
	l.length++
}

// remove takes out c, which is in the list.
func (l *idleList) remove(c *originConn) {
	if c.older != nil {
		c.older.newer = c.newer
	} else {
		l.oldest = c.newer
	}
	if c.newer != nil {
		c.newer.older = c.older
	} else {
		l.newest = c.older
	}
	c.older, c.newer = nil, nil
	l.length--
}
