package cache

import (
	"testing"
	"time"
	"unsafe"
)

// What was stored before the machine slept, or its clock was set, is as old as the clock
// says that went further.
func TestSleepIsAge(t *testing.T) {
	then := time.Now()
	later := then.Add(time.Minute) // by the clock that stops in sleep, which both readings have
	slept := later
	setWall(&slept, 8*hour)
	if got := elapsed(then, slept); got != 8*hour+minute {
		t.Errorf("after eight hours of sleep: %v", got)
	}
	set := later
	setWall(&set, -8*hour)
	if got := elapsed(then, set); got != minute {
		t.Errorf("with the clock set back: %v", got)
	}
	if got := initialAge(nil, time.Time{}, then, slept); got != 8*hour+minute {
		t.Errorf("that began to be fetched before it: %v", got)
	}
	if got := elapsed(later, then); got != 0 {
		t.Errorf("before it began: %v", got)
	}
}

// setWall moves the time of day of t and not its monotonic reading, as the system does.
func setWall(t *time.Time, by time.Duration) {
	const seconds = 30 // bits of nanoseconds below them, see the source of package time
	*(*uint64)(unsafe.Pointer(t)) += uint64(int64(by/time.Second) << seconds)
}
