// Package cache is a shared HTTP cache (RFC 9111) that does not tell one
// client what another has read.
//
// Start with [New] and [Cache.Transport]; say for whom a request is made by a
// [Visitor] in its context. The README beside this file holds the conformance
// table and what the modes of sharing hide.
package cache

import (
	"cmp"
	"context"
	"hash/maphash"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Sharing says who may learn what from whom.
type Sharing uint8

// The modes of sharing.
const (
	Disguised Sharing = iota // responses are shared; a client's first use looks like a miss
	Shared                   // plain RFC 9111
	PerClient                // one partition for each client
)

// Options configures a [Cache]. The zero value is ready to use.
type Options struct {
	Memory  int64            // bytes held: bodies, headers and bookkeeping; 0 means 64 MiB, negative stores nothing
	Object  int64            // largest body stored, in bytes; 0 means 8 MiB
	Sharing Sharing          // zero means Disguised
	Now     func() time.Time // nil means time.Now

	// Distrust keeps a response from being used across clients once two
	// clients got different answers to the same request while the first one
	// was still fresh: such content can carry an identifier from one visit
	// to the next. False only counts them, in [Stats].
	Distrust bool
}

func (o Options) withDefaults() Options {
	o.Memory = cmp.Or(o.Memory, 64<<20)
	if o.Object <= 0 {
		o.Object = 8 << 20
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// A Cache holds responses. It is safe for concurrent use.
type Cache struct {
	options atomic.Pointer[Options]
	sealer  *sealer
	words   maphash.Seed // of wordings and names, see nameOf
	model   *latencyModel
	tight   atomic.Pointer[time.Time] // when Relieve was last called
	sleep   func(context.Context, time.Duration) error

	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	fetches sync.WaitGroup

	mu       sync.Mutex // guards what follows, and what entries and flights say it guards
	store    *store
	flights  map[wanted]*flight // those that others can join
	asking   map[key]*flight    // inquiries
	aloft    map[*flight]struct{}
	crowds   map[gathering]*crowd
	behind   map[refreshing]struct{} // refreshes under way
	differ   *differences
	dropped  *drops
	recently *unstorables
	counters Stats

	transports uint64 // how many Transport has made
	first      uint64 // number of the first of them that may store, see Renew
}

// New returns an empty cache.
func New(o Options) *Cache {
	o = o.withDefaults()
	c := &Cache{
		sealer:   newSealer(),
		words:    maphash.MakeSeed(),
		model:    newLatencyModel(rand.Float64),
		sleep:    sleepFor,
		store:    newStore(o.Memory),
		flights:  map[wanted]*flight{},
		asking:   map[key]*flight{},
		aloft:    map[*flight]struct{}{},
		crowds:   map[gathering]*crowd{},
		behind:   map[refreshing]struct{}{},
		differ:   newDifferences(),
		dropped:  newDrops(),
		recently: newUnstorables(),
	}
	c.options.Store(&o)
	c.store.share = shareOf(&o)
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// SetOptions changes the options of a running cache. A smaller Memory drops
// what no longer fits. Another Sharing drops everything: what was stored under
// one rule must not be found under another.
func (c *Cache) SetOptions(o Options) {
	o = o.withDefaults()
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.options.Swap(&o)
	if old.Sharing != o.Sharing {
		c.drop(everything)
	}
	c.store.setShare(shareOf(&o))
	if old.Memory != o.Memory {
		c.store.setBudget(o.Memory)
	}
}

// Relieve drops a quarter of what is stored, for a process whose memory runs short, or nothing,
// and returns false, if that is less than worth bytes. For a second after the call, hardly any
// bodies are stored.
func (c *Cache) Relieve(worth int64) bool {
	now := time.Now()
	c.tight.Store(&now)
	c.mu.Lock()
	defer c.mu.Unlock()
	held := c.store.bytes()
	if held < 4*max(worth, 1) {
		return false
	}
	for c.store.bytes() > held/4*3 && c.store.evict() {
	}
	return true
}

// Close ends the cache's own fetches and waits for them.
func (c *Cache) Close() error {
	c.mu.Lock()
	c.cancel()
	for f := range c.aloft {
		f.cancel(context.Canceled)
	}
	c.mu.Unlock()
	c.fetches.Wait()
	return nil
}

// beside runs do on a goroutine of its own, which Close waits for. What begins while Close
// waits finds its flight, or the cache's context, ended. The caller holds c.mu.
func (c *Cache) beside(do func()) {
	if c.ctx.Err() != nil {
		go do()
		return
	}
	c.fetches.Go(do)
}

func (c *Cache) now() time.Time { return c.options.Load().Now() }

// Stats are counters since New, and what is held at present. None of them
// names a client or a destination.
type Stats struct {
	Hits       uint64 // answered from the store at once
	Misses     uint64 // answered by the origin
	Validated  uint64 // answered from the store after a 304
	Pretended  uint64 // answered from the store, disguised as a miss
	Collapsed  uint64 // answered by another request's fetch
	Stale      uint64 // answered stale because the origin failed
	Stored     uint64 // responses put into the store
	Evicted    uint64 // resources dropped for want of memory
	Rejected   uint64 // resources not admitted: wanted less often than what they would displace
	Invalid    uint64 // responses dropped because of an unsafe request
	Differing  uint64 // fresh responses that another client got differently; see [Options]
	Resources  int    // stored URLs, by site and owner
	Bytes      int64  // held in the store
	FlightSize int64  // held by bodies on their way
	Lingering  int64  // held by clients who still read what is not stored any more
}

// Stats returns the present counters.
func (c *Cache) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.counters
	s.Evicted, s.Rejected = c.store.evicted, c.store.rejected
	s.Resources, s.Bytes = len(c.store.index), c.store.bytes()
	s.FlightSize, s.Lingering = c.store.inflight.Load(), c.store.lingering.Load()
	return s
}

// count adds one to a counter of c.counters.
func (c *Cache) count(counter *uint64) {
	c.mu.Lock()
	*counter++
	c.mu.Unlock()
}
