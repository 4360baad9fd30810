package cache

import "hash/maphash"

// A sketch counts how often keys were asked for, roughly and in little space:
// a count-min sketch whose counters are halved from time to time, so that it
// tells what is popular now (TinyLFU). Not safe for concurrent use.
type sketch struct {
	seed  maphash.Seed
	rows  [4][]uint8
	mask  uint64
	added int // since the counters were halved
}

const maxCount = 15

// newSketch returns a sketch for about n keys.
func newSketch(n int) *sketch {
	width := 256
	for width < n {
		width *= 2
	}
	s := &sketch{seed: maphash.MakeSeed(), mask: uint64(width - 1)}
	for i := range s.rows {
		s.rows[i] = make([]uint8, width)
	}
	return s
}

// sized returns a sketch for about n keys that has counted nothing, with the same hashes.
func (s *sketch) sized(n int) *sketch {
	other := newSketch(n)
	other.seed = s.seed
	return other
}

func (s *sketch) hash(k key) uint64 { return maphash.Comparable(s.seed, k) }

// add counts one request.
func (s *sketch) add(hash uint64) {
	for i := range s.rows {
		if c := &s.rows[i][s.slot(hash, i)]; *c < maxCount {
			*c++
		}
	}
	if s.added++; s.added >= 8*len(s.rows[0]) {
		s.halve()
	}
}

// count returns how often a key was asked for, at most [maxCount].
func (s *sketch) count(hash uint64) uint8 {
	least := uint8(maxCount)
	for i := range s.rows {
		least = min(least, s.rows[i][s.slot(hash, i)])
	}
	return least
}

// slot derives the row's own hash from two halves of one hash.
func (s *sketch) slot(hash uint64, row int) uint64 {
	return (hash + uint64(row)*(hash>>32|1)) & s.mask
}

func (s *sketch) halve() {
	s.added = 0
	for _, row := range s.rows {
		for i := range row {
			row[i] /= 2
		}
	}
}
