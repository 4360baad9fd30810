package cache

import (
	"context"
	"time"
)

// fine is how long before its end a wait becomes precise: one for a beat is so from its start.
// That a client has left is noticed by up to so much later.
const fine = lastBeat

// sleepFor waits, or returns the context's error. It ends about as promptly as
// a read does when bytes come from the network: a runtime timer can be a
// millisecond late when the process is idle.
func sleepFor(ctx context.Context, d time.Duration) error {
	due := time.Now().Add(d)
	if d > fine {
		if err := sleepTimer(ctx, d-fine); err != nil {
			return err
		}
	}
	if !sleepFine(due) {
		return sleepTimer(ctx, time.Until(due))
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
