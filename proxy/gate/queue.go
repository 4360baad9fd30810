package gate

import (
	"cmp"
	"context"
	"net/netip"
	"runtime"
	"sync"
	"time"
)

// HalfProcessors is how many goroutines may compute at once what strangers cause: half
// of the processors that the program began with. How many it uses may change.
var HalfProcessors = max(1, runtime.GOMAXPROCS(0)/2)

// Bounds on the password checks that wait.
const (
	sourceWaiting = 16 // different ones: there may be a house behind an address
	allWaiting    = 1024
	allJoined     = 4096 // requests that wait for another's check; each takes some 10 KB
	checkPatience = 10 * time.Second
)

// A queue holds checks that wait for leave to run. It is safe for concurrent use.
type queue struct {
	running chan struct{} // one token for each check that may run at once

	mu      sync.Mutex
	waiting map[netip.Addr]int // checks that wait, by source
	all     int                // the sum
	joined  int                // requests that wait for another's check
}

func newQueue(atOnce int) *queue {
	return &queue{running: make(chan struct{}, atOnce), waiting: make(map[netip.Addr]int)}
}

// errChecksFull refuses a check where too many wait.
var errChecksFull = &Over{Limit: "attempts", Total: true, Retry: time.Second}

// join waits for another request's check of the same proof; done is closed at its end.
func (q *queue) join(ctx context.Context, done <-chan struct{}) error {
	q.mu.Lock()
	if q.joined >= allJoined {
		q.mu.Unlock()
		return errChecksFull
	}
	q.joined++
	q.mu.Unlock()
	defer func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.joined--
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// turn waits for leave to check a password: all checks together have a part of the
// processors.
func (q *queue) turn(ctx context.Context, source netip.Addr) (done func(), err error) {
	q.mu.Lock()
	if q.waiting[source] >= sourceWaiting || q.all >= allWaiting {
		q.mu.Unlock()
		return nil, errChecksFull
	}
	q.waiting[source]++
	q.all++
	q.mu.Unlock()
	defer func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.all--
		if q.waiting[source]--; q.waiting[source] == 0 {
			delete(q.waiting, source)
		}
	}()
	done, ok := takeTurn(ctx, q.running, checkPatience)
	if !ok {
		return nil, cmp.Or[error](context.Cause(ctx), errChecksFull)
	}
	return done, nil
}

// takeTurn waits until running has room, takes a place, and returns what frees it again.
// If ok is false, there was no room for as long as patience, or ctx has ended.
func takeTurn(ctx context.Context, running chan struct{}, patience time.Duration) (done func(), ok bool) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case running <- struct{}{}:
		return func() { <-running }, true
	case <-ctx.Done():
	case <-timer.C:
	}
	return nil, false
}
