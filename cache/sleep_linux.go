package cache

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A fineTimer is a descriptor that becomes readable when its time comes: who waits
// is woken by the poller, as by a socket.
type fineTimer struct {
	fd   int
	file *os.File
}

// fineTimers are those that nobody waits by: opening and closing one takes as many
// system calls as using it.
var fineTimers = make(chan *fineTimer, 64)

// sleepFine waits by a fineTimer. It reports false if it could not wait, such as
// when no descriptor is left.
func sleepFine(d time.Duration) bool {
	timer := takeFineTimer()
	if timer == nil {
		return false
	}
	// Nothing would stop the timer, and who waits for it would never wake.
	at := unix.ItimerSpec{Value: unix.NsecToTimespec(max(int64(d), 1))}
	err := unix.TimerfdSettime(timer.fd, 0, &at, nil)
	if err == nil {
		var expired [8]byte
		_, err = timer.file.Read(expired[:])
	}
	if err != nil {
		timer.file.Close()
		return false
	}
	select {
	case fineTimers <- timer:
	default:
		timer.file.Close()
	}
	return true
}

// takeFineTimer returns a timer that is not set, or nil.
func takeFineTimer() *fineTimer {
	select {
	case timer := <-fineTimers:
		return timer
	default:
	}
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil
	}
	return &fineTimer{fd, os.NewFile(uintptr(fd), "timer")}
}
