package cache

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"
)

// fine is how long before its end a wait is made precise.
const fine = 2 * time.Millisecond

// lateness is how late a precise wait ends on this machine, on average, in
// nanoseconds; waits are made shorter by it. It is one for the process because
// it is the machine's. maxLateness bounds it.
var lateness atomic.Int64

const maxLateness = 200 * time.Microsecond

// sleepFor waits, or returns the context's error. It ends as precisely as the
// arrival of bytes from the network would: a runtime timer can be a
// millisecond late when the process is idle, and that would tell a pretended
// fetch from a real one.
func sleepFor(ctx context.Context, d time.Duration) error {
	due := time.Now().Add(d)
	if d > fine {
		if err := sleepTimer(ctx, d-fine); err != nil {
			return err
		}
	}
	if early := time.Duration(lateness.Load()); time.Until(due) > early {
		aim := due.Add(-early)
		if !sleepFine(time.Until(aim)) {
			return sleepTimer(ctx, time.Until(due))
		}
		// A sixteenth of what is new: one busy moment is not the rule.
		late := min(max(0, time.Since(aim)), maxLateness)
		lateness.Store(int64(early + (late-early)/16))
	}
	for time.Now().Before(due) {
		runtime.Gosched() // for less than maxLateness
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// sleepTimer waits by a runtime timer, or returns the context's error.
func sleepTimer(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
