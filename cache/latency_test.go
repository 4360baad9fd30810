package cache

import (
	"math/rand/v2"
	"testing"
	"time"
)

// A pretended fetch takes no more than twice what was seen of late, or of the
// resource itself: of an origin that is now fast, now slow, hours could be drawn.
func TestDrawnTimesAreBounded(t *testing.T) {
	const fast, slow, origin = 5 * time.Millisecond, 500 * time.Millisecond, "http://origin.example"
	m, now := newLatencyModel(rand.Float64), time.Now()
	for i := range 6 {
		took := fast
		if i%2 == 0 {
			took = slow
		}
		m.record(origin, anew, took, now, habit{})
	}
	e := &entry{timing: timing{head: time.Millisecond, tail: 2 * time.Second, size: bulk}}
	var h habit
	for range 1000 {
		took, _, ok := m.draw(origin, anew, e, h, now)
		if !ok {
			t.Fatal("nothing was drawn")
		}
		if took.head > 2*slow || took.tail > maxLoad*e.timing.tail {
			t.Fatalf("drawn: %v to the head and %v to the end", took.head, took.tail)
		}
	}
	h = habit{1, outlying} // nothing like the others
	if took, _, _ := m.draw(origin, anew, e, h, now); took.head > 2*slow {
		t.Errorf("drawn: %v", took.head)
	}
}
