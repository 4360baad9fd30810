package cache

import (
	"maps"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"guise/cache/lru"
)

const (
	// maxVariants bounds the responses stored under one key: looking through
	// them is linear.
	maxVariants = 32
	// maxViews bounds the clients who share an entry. The next one fetches another.
	maxViews = 1024
)

// A resource is what is stored under one key: variants by Vary, and in
// Disguised also older responses that some clients still use. Newest last.
type resource struct {
	key     key
	hash    uint64
	entries []*entry
	only    [1]*entry // backs entries while there is one
	earlier *resource // the one of the same URL that came before it; nil for none
	later   *resource // the one that came after it
	bytes   int64
	in      *segment
	needed  int    // views of it, and inquiries about it
	added   uint64 // store.adds when the last entry came
}

// A segment is a list of resources, least recently used first, that counts
// bytes instead of entries.
type segment struct {
	lru   *simplelru.LRU[*resource, struct{}] // by address: a key is long, and hashed for the index already
	bytes int64
}

func newSegment() *segment {
	// simplelru bounds the count, we the bytes: the count has no bound.
	return &segment{lru: lru.New[*resource, struct{}](math.MaxInt)}
}

// A store holds resources within a budget of bytes. What is new enters a
// small window; on leaving it, it must have been asked for more often than
// what it would displace (W-TinyLFU), so that a scan of things wanted once
// displaces nothing. What clients claim is apart from that, see claims. Not safe
// for concurrent use: the cache locks it.
type store struct {
	budget    int64
	share     int64        // of the budget, that one client may claim
	lingering atomic.Int64 // held by readers of what is not stored any more
	inflight  atomic.Int64 // held by bodies on their way into the store
	index     map[key]*resource
	most      int                  // resources that index held at once: maps keep their slots
	byURL     map[string]*resource // the last that came; see resource.earlier
	window    *segment             // new
	probation *segment             // admitted
	protected *segment             // admitted and used since
	needed    *segment             // what somebody has a view of, or asks about
	claimants *simplelru.LRU[string, *claims]
	claimed   int64 // by all
	counts    *sketch
	adds      uint64 // entries that came so far
	evicted   uint64
	rejected  uint64 // by the admission rule
}

func newStore(budget int64) *store {
	return &store{
		budget:    budget,
		index:     map[key]*resource{},
		byURL:     map[string]*resource{},
		window:    newSegment(),
		probation: newSegment(),
		protected: newSegment(),
		needed:    newSegment(),
		claimants: lru.New[string, *claims](math.MaxInt),
		counts:    newSketch(keysIn(budget)),
	}
}

func (s *store) bytes() int64 {
	return s.window.bytes + s.probation.bytes + s.protected.bytes + s.needed.bytes
}

// full reports whether there is more than the budget allows, with bodies on their
// way, what is still read of those that are gone, and slots that nothing is in.
func (s *store) full() bool {
	unused := int64(max(0, s.most-len(s.index))) * slotOverhead
	return s.bytes()+unused+s.lingering.Load()+s.inflight.Load() > s.budget
}

// get returns what is stored under k, or nil, and counts the request.
func (s *store) get(k key) *resource {
	r := s.index[k]
	if r == nil {
		s.counts.add(s.counts.hash(k))
		return nil
	}
	s.counts.add(r.hash)
	r.in.lru.Get(r)
	if r.in == s.probation {
		s.move(r, s.protected)
		for s.protected.bytes > s.budget/5*4 {
			oldest, _, ok := s.protected.lru.GetOldest()
			if !ok {
				break
			}
			s.move(oldest, s.probation)
		}
	}
	return r
}

// add stores e under k beside what is there, and makes room.
func (s *store) add(k key, e *entry) {
	r := s.index[k]
	if r == nil {
		k.site, k.owner = strings.Clone(k.site), strings.Clone(k.owner) // see detach
		r = &resource{key: k, hash: s.counts.hash(k), in: s.window}
		r.entries = r.only[:0]
		r.bytes = int64(len(k.site) + len(k.owner) + len(k.url))
		s.index[k] = r
		s.most = max(s.most, len(s.index))
		s.link(r)
		s.window.lru.Add(r, struct{}{})
		s.window.bytes += r.bytes
	}
	if len(r.entries) >= maxVariants {
		s.remove(r.entries[max(0, slices.IndexFunc(r.entries, unneeded))])
	}
	e.held = r
	s.adds++
	r.added = s.adds
	if size := e.content(); e.hold == nil || e.hold.size != size {
		e.hold = &hold{size: size, lingering: &s.lingering}
	}
	e.hold.use(storedUser)
	s.grow(r, r.costBeside(e))
	if r.entries = append(r.entries, e); len(r.entries) > 1 {
		r.only[0] = nil // the list has another place now
	}
	for client := range e.views.clients() {
		s.claim(e, client, e.views.of(client))
	}
	s.fit()
}

func unneeded(e *entry) bool { return e.views.count() == 0 && e.asked == 0 }

// costBeside returns what e takes beside the others in r: of those with the same body, that
// is held once.
func (r *resource) costBeside(e *entry) int64 {
	n := e.cost + e.viewed
	for _, o := range r.entries {
		if o.hold == e.hold {
			return n - e.content()
		}
	}
	return n
}

// remove drops e, and its resource if nothing else is in it.
func (s *store) remove(e *entry) {
	r := e.held
	if r == nil {
		return
	}
	s.unstore(e)
	r.entries = slices.DeleteFunc(r.entries, func(o *entry) bool { return o == e })
	s.grow(r, -r.costBeside(e))
	if len(r.entries) == 0 {
		s.drop(r)
	}
}

// unstore ends the views of e, the inquiries about it, and its use of the body.
func (s *store) unstore(e *entry) {
	for client := range e.views.clients() {
		s.release(e.views.of(client))
	}
	s.need(e.held, -e.asked)
	e.held = nil
	e.hold.use(-storedUser)
}

// drop removes a resource with everything in it.
func (s *store) drop(r *resource) {
	for _, e := range r.entries {
		s.unstore(e)
	}
	r.entries = nil
	r.in.bytes -= r.bytes
	r.in.lru.Remove(r)
	r.in = nil
	delete(s.index, r.key)
	s.unlink(r)
}

// link adds r to the resources of its URL.
func (s *store) link(r *resource) {
	r.earlier = s.byURL[r.key.url]
	if r.earlier != nil {
		r.earlier.later = r
	}
	s.byURL[r.key.url] = r
}

// unlink removes r from the resources of its URL. Those can be as many as the store
// holds: by its cookies, each client has some of its own.
func (s *store) unlink(r *resource) {
	if r.earlier != nil {
		r.earlier.later = r.later
	}
	switch {
	case r.later != nil:
		r.later.earlier = r.earlier
	case r.earlier != nil:
		s.byURL[r.key.url] = r.earlier
	default:
		delete(s.byURL, r.key.url)
	}
	r.earlier, r.later = nil, nil
}

// ofURL returns the resources of a URL, for a loop that may drop them.
func (s *store) ofURL(url string) (list []*resource) {
	for r := s.byURL[url]; r != nil; r = r.earlier {
		list = append(list, r)
	}
	return list
}

// view notes that client uses e since the given time. By it the store may exceed its budget,
// and e be dropped.
func (s *store) view(e *entry, client string, since time.Time) *view {
	s.unview(e, client)
	v := newView(since)
	v.cost += int64(len(client))
	e.views.add(client, v)
	e.viewed += v.cost
	if e.held != nil {
		s.grow(e.held, v.cost)
		s.claim(e, client, v)
		s.fit()
	}
	return v
}

// unview forgets that client uses e.
func (s *store) unview(e *entry, client string) {
	v := e.views.of(client)
	if v == nil {
		return
	}
	e.views.remove(client)
	e.viewed -= v.cost
	if e.held != nil {
		s.grow(e.held, -v.cost)
		s.release(v)
	}
}

// weighView counts what a client's view of e has grown by.
func (s *store) weighView(e *entry, client string, v *view, by int64) {
	if v != e.all && e.views.of(client) != v {
		return // dropped meanwhile
	}
	v.cost += by
	e.viewed += by
	if e.held != nil {
		s.grow(e.held, by)
		s.fit()
	}
}

func (s *store) grow(r *resource, by int64) {
	r.bytes += by
	r.in.bytes += by
}

func (s *store) move(r *resource, to *segment) {
	r.in.lru.Remove(r)
	r.in.bytes -= r.bytes
	r.in = to
	to.lru.Add(r, struct{}{})
	to.bytes += r.bytes
}

// fit brings the store back within its budget.
func (s *store) fit() {
	for s.claimed > s.budget-s.lingering.Load()-s.inflight.Load() && s.disclaimOne() {
	}
	for s.window.bytes > s.budget/16 {
		candidate, _, ok := s.window.lru.GetOldest()
		if !ok {
			break
		}
		s.admit(candidate)
	}
	// Whatever is over now has grown where it is.
	for s.full() && s.evict() {
	}
}

// evict drops what is worth least, or a claim if all is needed. It reports false if there is
// neither.
func (s *store) evict() bool {
	victim := s.victim()
	if victim == nil {
		victim, _, _ = s.window.lru.GetOldest()
	}
	if victim == nil {
		return s.disclaimOne()
	}
	s.drop(victim)
	s.evicted++
	return true
}

// admit moves a candidate out of the window, or drops it.
func (s *store) admit(candidate *resource) {
	wanted := s.counts.count(candidate.hash)
	for s.full() {
		victim := s.victim()
		if victim == nil || s.counts.count(victim.hash) >= wanted {
			s.drop(candidate)
			s.rejected++
			return
		}
		s.drop(victim)
		s.evicted++
	}
	s.move(candidate, s.probation)
}

// victim returns the resource that has gone unused longest, of those outside the window that
// nobody needs; nil for none.
func (s *store) victim() *resource {
	if r, _, ok := s.probation.lru.GetOldest(); ok {
		return r
	}
	r, _, _ := s.protected.lru.GetOldest()
	return r
}

// setBudget changes how much may be held. The maps are made anew, with no more slots than
// they need: those of a larger store would take up what a smaller one may hold.
func (s *store) setBudget(n int64) {
	s.budget = n
	s.counts = s.counts.sized(keysIn(n))
	s.most = 0 // what is unused ends with the maps, so nothing gives way to it
	s.fit()
	s.index, s.byURL = fitted(s.index), fitted(s.byURL)
	s.most = len(s.index)
}

// fitted returns a copy of m with as many slots as it needs.
func fitted[K comparable, V any](m map[K]V) map[K]V {
	own := make(map[K]V, len(m))
	maps.Copy(own, m)
	return own
}

// keysIn returns how many keys a store that holds n bytes may have to count.
func keysIn(n int64) int { return int(min(max(n, 0)/(4<<10), 1<<20)) }
