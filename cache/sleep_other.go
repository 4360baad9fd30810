//go:build !linux

package cache

import "time"

// sleepFine is for systems whose descriptors cannot be timers: it leaves the
// wait to a runtime timer.
func sleepFine(time.Time) bool { return false }
