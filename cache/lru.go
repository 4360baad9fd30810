package cache

import "github.com/hashicorp/golang-lru/v2/simplelru"

// newLRU returns an LRU of at most size entries. Like what it is part of, it is
// not safe for concurrent use.
func newLRU[K comparable, V any](size int) *simplelru.LRU[K, V] {
	lru, err := simplelru.NewLRU[K, V](size, nil)
	if err != nil {
		panic(err) // only for a size below 1
	}
	return lru
}
