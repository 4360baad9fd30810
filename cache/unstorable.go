package cache

import (
	"github.com/hashicorp/golang-lru/v2/simplelru"

	"guise/cache/lru"
)

// unstorables remembers keys whose last response could not be stored, so that
// requests for them do not wait for each other in vain. The cache's lock
// guards it.
type unstorables struct {
	keys *simplelru.LRU[uint64, struct{}]
}

func newUnstorables() *unstorables {
	return &unstorables{lru.New[uint64, struct{}](maxRemembered)}
}

// idFor returns a hash of what q wants, in its words. Where clients must not learn of one
// another it depends on the client: the way that a request takes can be timed.
func (c *Cache) idFor(q *query) uint64 {
	return c.nameOf(c.wantedBy(q, q.everybody))
}

func (u *unstorables) has(id uint64) bool { return u.keys.Contains(id) }

func (u *unstorables) note(id uint64, storable bool) {
	if storable {
		u.keys.Remove(id)
		return
	}
	u.keys.Add(id, struct{}{})
}
