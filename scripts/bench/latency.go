//go:build linux

package main

import (
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const latencyRate = 2000 // requests a second

// openLoop sends requests at fixed times, whether or not the earlier ones are
// answered, and returns percentiles of how long the answers took. A request
// waits for nobody: if all connections are busy there is one more.
func openLoop(p *plan, r *running) ([]float64, error) {
	s := r.series("fresh", sizes[0])
	if err := warm(r, s); err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var idle []*user
	var took []time.Duration
	var failed error
	var group sync.WaitGroup
	one := func(i int, begin time.Time) {
		mu.Lock()
		var u *user
		if n := len(idle); n > 0 {
			u, idle = idle[n-1], idle[:n-1]
		}
		mu.Unlock()
		if u == nil {
			u = &user{proxy: r.listen}
		}
		err := u.ask(s.requests[i%objects], s.bodies[i%objects])
		d := time.Since(begin)
		mu.Lock()
		defer mu.Unlock()
		took = append(took, d)
		idle = append(idle, u)
		if err != nil && failed == nil {
			failed = err
		}
	}

	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0) // for sleepUntil
	n := max(int(p.length.Seconds()*latencyRate), 20)
	first := time.Now()
	for i := range n {
		sleepUntil(first.Add(time.Duration(i) * time.Second / latencyRate))
		begin := time.Now() // that this thread overslept is no fault of the proxy's
		group.Go(func() { one(i, begin) })
	}
	group.Wait()
	for _, u := range idle {
		u.close()
	}
	if failed != nil {
		return nil, failed
	}
	slices.Sort(took)
	at := func(q float64) float64 { return micros(took[min(len(took)-1, int(q*float64(len(took))))]) }
	return []float64{at(0.5), at(0.99), at(0.999)}, nil
}

// sleepUntil has this thread sleep, which is good to a few microseconds: the runtime's
// timers are good to a millisecond.
func sleepUntil(due time.Time) {
	for left := time.Until(due); left > 0; left = time.Until(due) {
		pause := unix.NsecToTimespec(int64(left))
		unix.Nanosleep(&pause, nil)
	}
}
