package cache

import "testing"

// A wait whose time comes just as it begins ends.
func TestNoTimeIsWaitedFor(t *testing.T) {
	if !sleepFine(0) || !sleepFine(-1) {
		t.Error("there was no timer")
	}
}
