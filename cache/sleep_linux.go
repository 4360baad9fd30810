package cache

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// sleepFine waits by a descriptor that becomes readable: the goroutine is
// woken by the poller, as it is by a socket. It reports false if it could not
// wait, such as when no descriptor is left.
func sleepFine(d time.Duration) bool {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return false
	}
	timer := os.NewFile(uintptr(fd), "timer")
	defer timer.Close()
	// Nothing would stop the timer, and who waits for it would never wake.
	at := unix.ItimerSpec{Value: unix.NsecToTimespec(max(int64(d), 1))}
	if err := unix.TimerfdSettime(fd, 0, &at, nil); err != nil {
		return false
	}
	var expired [8]byte
	_, err = timer.Read(expired[:])
	return err == nil
}
