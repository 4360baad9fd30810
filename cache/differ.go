package cache

import (
	"hash/maphash"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"guise/cache/lru"
)

// maxRemembered bounds how many keys differences and unstorables remember.
const maxRemembered = 4096

// differences remembers what one client was given for a request, to see
// whether another is given something else while that was still fresh. Then
// the content may carry an identifier. The cache's lock guards it.
type differences struct {
	seed  maphash.Seed
	given *simplelru.LRU[uint64, answer]
}

type answer struct {
	client  string
	print   uint64
	until   time.Time
	differs bool
}

func newDifferences() *differences {
	return &differences{seed: maphash.MakeSeed(), given: lru.New[uint64, answer](maxRemembered)}
}

// id returns a short name of a key, the same for all owners: keys can be long.
func (d *differences) id(k key) uint64 {
	k.owner = ""
	return maphash.Comparable(d.seed, k)
}

// longLived is the lifetime from which content can recognise a later visit.
const longLived = time.Hour

// print returns a hash of what e gave its client, 0 for what is not compared. Only what
// outlives a visit counts: permanent redirects and long-lived responses; and no part, which
// differs from the whole. It needs no lock, and a body can be long.
func (d *differences) print(e *entry) uint64 {
	if !whole(e) || !permanent(e.status) && e.life.operative < longLived {
		return 0
	}
	var h maphash.Hash
	h.SetSeed(d.seed)
	h.WriteString(e.varyKey)
	h.WriteString(e.header.get("Location"))
	h.WriteString(e.etag)
	h.WriteString(e.header.get("Last-Modified"))
	h.Write(e.body)
	return h.Sum64()
}

// see notes the print of what e gave its client, and reports whether another client was
// given something else before.
func (d *differences) see(id uint64, e *entry, print uint64) bool {
	if print == 0 {
		return false
	}
	before, ok := d.given.Get(id)
	differs := ok && before.client != e.client && before.print != print &&
		(e.received.Before(before.until) || permanent(e.status))
	until := e.received.Add(e.life.operative - e.initialAge)
	d.given.Add(id, answer{e.client, print, until, differs || before.differs})
	return differs
}

func permanent(status int) bool { return status == 301 || status == 308 }

// distrusted reports whether responses to k must not be used across clients.
// The caller holds c.mu.
func (c *Cache) distrusted(k key) bool {
	if !c.options.Load().Distrust {
		return false
	}
	a, ok := c.differ.given.Get(c.differ.id(k))
	return ok && a.differs
}
