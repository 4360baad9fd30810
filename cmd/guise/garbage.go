package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// garbageRoom is how much garbage may collect beyond what is in use. A
// proxy's own data is small and each request leaves some kilobytes behind, so
// that by the runtime's rule alone, as much garbage as data, collecting would
// go on all the time: with the cache empty, 30 times a second at 30,000
// requests/s. This much room makes that 4, and the slowest requests twice as
// fast, for at most so much more memory.
const garbageRoom = 32 << 20

// relaxCollector gives the garbage collector room from now on, unless the environment
// says by GOGC or GOMEMLIMIT what it is to do.
func relaxCollector() {
	for _, name := range []string{"GOGC", "GOMEMLIMIT"} {
		if _, set := os.LookupEnv(name); set {
			return
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
}

// collectAt returns the percentage that leaves garbageRoom beside live bytes
// in use, and as much again as they are.
func collectAt(live uint64) int {
	return 100 + int(100*garbageRoom/max(live, 1<<20))
}

func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
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
