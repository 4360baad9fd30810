package cache

import (
	"hash/maphash"
	"sync/atomic"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"guise/cache/lru"
)

// maxDrops bounds how many drops are remembered. One counts for requests that were under way
// then.
const maxDrops = 4096

// drops remember what clients dropped of late, by an unsafe request or a rotation. A request of
// theirs that was under way at the time must not give them a view of that: they would find
// again what they dropped. The cache's lock guards everything but now.
type drops struct {
	latest atomic.Uint64 // number of the last one
	seed   maphash.Seed
	of     *simplelru.LRU[uint64, uint64] // by hash: URLs can be long
}

// A dropped is what a client does not have any more: one URL, or if that is "" all.
type dropped struct{ client, url string }

func newDrops() *drops {
	return &drops{seed: maphash.MakeSeed(), of: lru.New[uint64, uint64](maxDrops)}
}

// now returns the present moment, to be passed to since later.
func (d *drops) now() uint64 { return d.latest.Load() }

func (d *drops) note(client, url string) { d.of.Add(d.id(client, url), d.latest.Add(1)) }

func (d *drops) id(client, url string) uint64 {
	return maphash.Comparable(d.seed, dropped{client, url})
}

// noteAll begins a new moment, for a purge. It names no client, and since does not report it:
// what was under way is doomed and gives nobody a view. A response to POST is not a flight; it
// is stored only if its moment is still the present one.
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
