package filters

import (
	"runtime"
	"syscall"
	"testing"
	"time"
)

// spent returns the processor's time that f takes: however busy a machine is, that is
// f's alone.
func spent(t *testing.T, f func()) time.Duration {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	used := func() time.Duration {
		const ofThread = 1 // RUSAGE_THREAD
		var all syscall.Rusage
		if err := syscall.Getrusage(ofThread, &all); err != nil {
			t.Fatal(err)
		}
		return time.Duration(all.Utime.Nano() + all.Stime.Nano())
	}
	before := used()
	f()
	return used() - before
}
