package main

import (
	"runtime"
	"testing"
	"time"
)

// The collector may let as much garbage collect as is in use, and the room
// beside it; a large cache does not multiply.
func TestCollectorLeavesBoundedGarbage(t *testing.T) {
	for _, live := range []uint64{1 << 20, 5 << 20, 64 << 20, 1 << 30} {
		heap := live + live/100*uint64(collectAt(live))
		if most := 2*live + garbageRoom; heap > most+most/50 {
			t.Errorf("with %d MiB in use the heap may grow to %d MiB, want at most %d", live>>20, heap>>20, most>>20)
		}
		if least := live + garbageRoom; heap < least-least/50 {
			t.Errorf("with %d MiB in use there is room for %d MiB only", live>>20, heap>>20)
		}
	}
}

// What requests left is collected once they stop, and not again until there
// is more; while they come it is the collector's own business.
func TestGarbageIsCollectedAtRest(t *testing.T) {
	var r rest
	wait := func() { // until the next collection may be
		for range restApart {
			if r.due(r.seen) {
				t.Error("collected for nothing")
			}
		}
	}
	for i, look := range []struct {
		allocated uint64 // since the look before
		due       bool
	}{
		{64 << 20, false}, {1 << 20, false}, {restLittle - 1, true}, {0, false}, {restLittle - 1, false},
		{restWorth, false}, {0, true}, {restLittle, false}, {0, false},
	} {
		if due := r.due(r.seen + look.allocated); due != look.due {
			t.Errorf("look %d: %v, want %v", i, due, look.due)
		}
		if look.due {
			wait()
		}
	}
	r.due(r.seen + restWorth)
	if !r.due(r.seen) {
		t.Error("not collected")
	}
	r.due(r.seen + restWorth)
	for i := range restApart - 2 {
		if r.due(r.seen) {
			t.Errorf("collected again after %d looks", i+2)
		}
	}
	if !r.due(r.seen) {
		t.Error("never collected again")
	}
}

func TestAfterEachCollection(t *testing.T) {
	calls := make(chan struct{}, 16)
	afterCollection(func() {
		select {
		case calls <- struct{}{}:
		default:
		}
	})
	for range 3 {
		runtime.GC()
		select {
		case <-calls:
		case <-time.After(10 * time.Second):
			t.Fatal("not called after a collection")
		}
	}
}
