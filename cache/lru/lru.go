// Package lru makes LRUs that are bounded by their number of entries.
package lru

import "github.com/hashicorp/golang-lru/v2/simplelru"

// New returns an LRU of at most size entries, which is above 0. It is not safe for
// concurrent use.
func New[K comparable, V any](size int) *simplelru.LRU[K, V] {
	lru, err := simplelru.NewLRU[K, V](size, nil)
	if err != nil {
		panic(err) // only for a size below 1
	}
	return lru
}
