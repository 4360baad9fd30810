package main

import (
	"context"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"time"

	"guise/config"
)

// garbageRoom is how much garbage may collect beyond what is in use. A
// proxy's own data is small and each request leaves some kilobytes behind, so
// that by the runtime's rule alone, as much garbage as data, collecting would
// go on all the time: with the cache empty, 30 times a second at 30,000
// requests/s. This much room makes that 4, and the slowest requests twice as
// fast, for at most so much more memory.
const garbageRoom = 32 << 20

// A full cache leaves less: the heap, garbage and all, is to keep within 1.3 times
// cache.memory beside ownHeap. A collection starts at 1.2 to 1.3 times cache.memory,
// sooner with large bodies: they make it cheap, as it need not look through them, and come
// while it runs. But the room is never less than a quarter of what is looked through, nor
// than leastRoom: else collecting would be most of the work.
const (
	ownHeap   = 5 << 20 // what the program takes itself
	leastRoom = 4 << 20
)

// A collector has the runtime collect garbage when the heap has grown as large
// as it may. It is safe for concurrent use.
type collector struct {
	cache atomic.Uint64 // bytes that the cache may hold
	set   atomic.Int64  // the percentage (GOGC) that is set
}

// relax gives the garbage collector room from now on, by what the cache may hold,
// and has it clear up when the proxy is at rest, until stop is called. It does
// nothing if the environment says by GOGC or GOMEMLIMIT what the collector is to do.
func (c *collector) relax(cache config.Bytes) (stop func()) {
	for _, name := range []string{"GOGC", "GOMEMLIMIT"} {
		if _, set := os.LookupEnv(name); set {
			return func() {}
		}
	}
	debug.FreeOSMemory() // what starting left behind would stay for long
	c.follow(cache)
	c.set.Store(math.MaxInt64)
	c.adjust()
	afterCollection(c.adjust)
	return collectAtRest()
}

// follow tells how much the cache may hold from now on.
func (c *collector) follow(cache config.Bytes) { c.cache.Store(uint64(cache)) }

// adjust sets the percentage by what is in use.
func (c *collector) adjust() {
	live := readMetric("/gc/heap/live:bytes")
	room := c.room(live, readMetric("/gc/scan/heap:bytes"))
	// The percentage counts stacks and globals too; the heap grows to 4 MiB times it at least.
	all := live + readMetric("/gc/scan/stack:bytes") + readMetric("/gc/scan/globals:bytes")
	now := int64(max(1, min(100*room/max(all, 1<<20), 100*(live+room)/(4<<20))))
	// Setting it stops the world for a moment, so not for little more.
	if set := c.set.Load(); now < set || now > set+set/32 {
		c.set.Store(now)
		debug.SetGCPercent(int(now))
	}
}

// room returns how many bytes of garbage may collect beside live ones in use, of which
// scanned are looked through.
func (c *collector) room(live, scanned uint64) uint64 {
	room := live + garbageRoom
	if cache := c.cache.Load(); cache > 0 {
		limit := ownHeap + cache/10*12 + cache/10*scanned/max(live, 1)
		room = min(room, limit-min(live, limit))
	}
	return max(room, scanned/4, leastRoom)
}

// collectAtRest collects garbage and gives its memory back whenever little happens for a
// while: else garbage would fill its room until requests come again. stop ends that.
func collectAtRest() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		tick := time.NewTicker(restEvery)
		defer tick.Stop()
		r := rest{collected: readMetric("/gc/heap/allocs:bytes")}
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if r.due(readMetric("/gc/heap/allocs:bytes")) {
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
	restApart  = 10       // the fewest looks between collections: a visitor who reads pauses every few seconds
)

// A rest tells by the bytes allocated so far when to collect.
type rest struct {
	seen, collected uint64
	wait            int // looks before the next collection
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

// readMetric returns one of the runtime's metrics.
func readMetric(name string) uint64 {
	sample := []metrics.Sample{{Name: name}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// afterCollection calls f after each collection, on the runtime's goroutine for
// finalizers: a finalizer that sets itself again runs once a collection.
func afterCollection(f func()) {
	type sentinel struct{ f func() }
	var again func(*sentinel)
	again = func(s *sentinel) {
		s.f()
		runtime.SetFinalizer(s, again)
	}
	runtime.SetFinalizer(&sentinel{f}, again)
}
