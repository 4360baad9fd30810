package cache

import (
	"hash/maphash"
	"sync/atomic"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// maxDrops bounds how many drops are remembered. One counts for as long as a
// request takes that was under way.
const maxDrops = 4096

// Drops remember what clients dropped of late: a request of theirs that was under
// way then brings them no view of it. The cache's lock guards it, but for now.
type drops struct {
	latest atomic.Uint64 // number of the last one
	seed   maphash.Seed
	of     *simplelru.LRU[uint64, uint64] // by hash: URLs can be long
}

// A dropped is what a client does not have any more: one URL, or if that is "" all.
type dropped struct{ client, url string }

func newDrops() *drops {
	return &drops{seed: maphash.MakeSeed(), of: newLRU[uint64, uint64](maxDrops)}
}

// now returns what to pass to since.
func (d *drops) now() uint64 { return d.latest.Load() }

func (d *drops) note(client, url string) { d.of.Add(d.id(client, url), d.latest.Add(1)) }

func (d *drops) id(client, url string) uint64 {
	return maphash.Comparable(d.seed, dropped{client, url})
}

// noteAll notes that what some URLs had is gone for all.
func (d *drops) noteAll() { d.latest.Add(1) }

// since reports whether a client dropped a URL after the given moment.
func (d *drops) since(moment uint64, client, url string) bool {
	if moment == d.now() {
		return false
	}
	one, _ := d.of.Peek(d.id(client, url))
	all, _ := d.of.Peek(d.id(client, ""))
	return max(one, all) > moment
}
