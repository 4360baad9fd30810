package main

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

// garbageRoom is how much garbage may collect beyond what is in use. A
// proxy's own data is small and each request leaves some kilobytes behind, so
// that by the runtime's rule alone, as much garbage as data, collecting would
// go on all the time: with the cache empty, 30 times a second at 30,000
// requests/s. This much room makes that 4, and the slowest requests twice as
// fast, for at most so much more memory.
const garbageRoom = 32 << 20

// relaxCollector gives the garbage collector room from now on, and has it
// clear up when the proxy is at rest, until stop is called. It does nothing if
// the environment says by GOGC or GOMEMLIMIT what the collector is to do.
func relaxCollector() (stop func()) {
	for _, name := range []string{"GOGC", "GOMEMLIMIT"} {
		if _, set := os.LookupEnv(name); set {
			return func() {}
		}
	}
	debug.FreeOSMemory() // what starting left behind would stay for long
	set := collectAt(liveHeap())
	debug.SetGCPercent(set)
	afterCollection(func() {
		// Setting it stops the world for a moment, so not for little.
		if now := collectAt(liveHeap()); now > set+set/8 || now < set-set/8 {
			set = now
			debug.SetGCPercent(set)
		}
	})
	return collectAtRest()
}

// collectAtRest collects garbage and gives its memory back whenever a while
// passes in which little happens: the room for garbage would stay full until
// requests come again. stop ends that.
func collectAtRest() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		tick := time.NewTicker(restEvery)
		defer tick.Stop()
		r := rest{collected: read("/gc/heap/allocs:bytes")}
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if r.due(read("/gc/heap/allocs:bytes")) {
				clearUp()
			}
		}
	})
	return func() {
		cancel()
		running.Wait()
	}
}

// clearUp gives back all memory that is not in use. A collection halves the
// stacks of goroutines that need little of them, once: those of clients' that
// wait for their next request have grown three times for the last one.
func clearUp() {
	runtime.GC()
	runtime.GC()
	debug.FreeOSMemory() // collects once more
}

const (
	restEvery  = 500 * time.Millisecond
	restLittle = 32 << 10 // bytes allocated in that time at rest
	restWorth  = 2 << 20  // bytes allocated that are worth a collection
	restApart  = 10       // looks from one collection to the next, at the least: a visitor who reads pauses every few seconds
)

// A rest tells by the bytes allocated so far when to collect.
type rest struct {
	seen, collected uint64
	wait            int // looks until the next collection may be
}

// due reports whether little was allocated since it was last asked, and much
// since it last said so.
func (r *rest) due(allocated uint64) bool {
	calm := allocated-r.seen < restLittle
	r.seen = allocated
	r.wait = max(r.wait-1, 0)
	if !calm || r.wait > 0 || allocated-r.collected < restWorth {
		return false
	}
	r.collected, r.wait = allocated, restApart
	return true
}

// collectAt returns the percentage that leaves garbageRoom beside live bytes
// in use, and as much again as they are.
func collectAt(live uint64) int {
	return 100 + int(100*garbageRoom/max(live, 1<<20))
}

func liveHeap() uint64 { return read("/gc/heap/live:bytes") }

// read returns one of the runtime's metrics.
func read(name string) uint64 {
	sample := []metrics.Sample{{Name: name}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// afterCollection calls f after each collection, on the runtime's goroutine
// for that: a finalizer that revives what it is for runs once a collection.
func afterCollection(f func()) {
	type sentinel struct{ f func() }
	var again func(*sentinel)
	again = func(s *sentinel) {
		s.f()
		runtime.SetFinalizer(s, again)
	}
	runtime.SetFinalizer(&sentinel{f}, again)
}
