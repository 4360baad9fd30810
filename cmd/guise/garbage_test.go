package main

import (
	"runtime"
	"testing"
	"time"
)

// The collector may let as much garbage collect as is in use, and the room
// beside it, but not so much that a full cache and its garbage come to more than
// what the cache may hold allows; and never so little that it does nothing else.
func TestCollectorLeavesBoundedGarbage(t *testing.T) {
	const mib = 1 << 20
	for _, test := range []struct{ cache, live, scanned, room uint64 }{ // in MiB, the program itself taking 5
		{64, 1, 1, 33}, {64, 5, 5, 37}, {64, 20, 20, 52},
		{64, 40, 30, 46}, {64, 69, 20, 14}, {64, 69, 60, 18}, {64, 75, 4, 7}, {64, 90, 4, 4}, {64, 800, 400, 100},
		{1024, 5, 5, 37}, {1024, 200, 100, 232}, {1024, 1029, 800, 284},
		{16, 5, 5, 20}, {16, 21, 15, 4}, {1, 6, 6, 4},
		{0, 5, 5, 37}, {0, 100, 90, 132}, // without a cache nothing is promised
	} {
		c := &collector{}
		c.cache.Store(test.cache * mib)
		if got := c.room(test.live*mib, test.scanned*mib) / mib; got != test.room {
			t.Errorf("with %d MiB of %d in use there is room for %d MiB, want %d", test.live, test.cache, got, test.room)
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
