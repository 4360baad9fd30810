package cache

import (
	"sync"
	"testing"
	"time"
)

// A wait whose time comes just as it begins ends.
func TestNoTimeIsWaitedFor(t *testing.T) {
	if !sleepFine(time.Now()) || !sleepFine(time.Now().Add(-time.Hour)) {
		t.Error("there was no timer")
	}
}

// However many wait, connections keep their descriptors.
func TestTimersAreBounded(t *testing.T) {
	var waiting sync.WaitGroup
	for range 4 * mostTimers {
		waiting.Go(func() {
			due := time.Now().Add(5 * time.Millisecond)
			if err := sleepFor(t.Context(), time.Until(due)); err != nil || time.Now().Before(due) {
				t.Errorf("%v, %v early", err, time.Until(due))
			}
		})
	}
	waiting.Wait()
	if open := openTimers.Load(); open != int32(len(fineTimers)) || open > mostTimers {
		t.Errorf("%d timers are open, %d of them unused", open, len(fineTimers))
	}
}
