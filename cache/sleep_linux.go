package cache

import (
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A fineTimer is a descriptor that becomes readable when its time comes: who waits
// is woken by the poller, as by a socket. Its system calls never block, and the scheduler is
// not told of them: that wakes its watcher after each pause.
type fineTimer struct {
	file *os.File
	raw  syscall.RawConn
	try  func(fd uintptr) bool // t.tryOnce, kept

	left time.Duration // to be waited; 0 once the timer is set
	err  error
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
	if err := timer.sleep(d); err != nil {
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
	t := &fineTimer{file: os.NewFile(uintptr(fd), "timer")}
	if t.raw, err = t.file.SyscallConn(); err != nil {
		t.file.Close()
		return nil
	}
	t.try = t.tryOnce
	return t
}

func (t *fineTimer) sleep(d time.Duration) error {
	t.left, t.err = max(d, 1), nil // by 0 it would not be set, and who waits never wake
	if err := t.raw.Read(t.try); err != nil {
		return err
	}
	return t.err
}

// tryOnce sets the timer at first, and reads it once it has been woken for.
func (t *fineTimer) tryOnce(fd uintptr) (done bool) {
	var errno syscall.Errno
	if t.left > 0 {
		at := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(t.left))}
		t.left = 0
		_, _, errno = unix.RawSyscall6(unix.SYS_TIMERFD_SETTIME, fd, 0, uintptr(unsafe.Pointer(&at)), 0, 0, 0)
		done = errno != 0
	} else {
		var expired [8]byte
		_, _, errno = unix.RawSyscall(unix.SYS_READ, fd, uintptr(unsafe.Pointer(&expired)), uintptr(len(expired)))
		done = errno != unix.EAGAIN
	}
	if done && errno != 0 {
		t.err = errno
	}
	return done
}
