package cache

import (
	"os"
	"sync/atomic"
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

	due time.Time
	err error
}

// mostTimers bounds the descriptors that timers take from connections. Where more wait, some
// timer is due at any moment, and those of the runtime are on time as well.
const mostTimers = 128

var (
	// fineTimers holds those that are not in use: opening and closing one takes more system
	// calls than using it.
	fineTimers = make(chan *fineTimer, mostTimers)
	// openTimers counts these and those in use.
	openTimers atomic.Int32
)

// sleepFine waits until the given time by a fineTimer. It reports false if it could not
// wait, such as when no descriptor is left.
func sleepFine(due time.Time) bool {
	timer := takeFineTimer()
	if timer == nil {
		return false
	}
	if err := timer.sleep(due); err != nil {
		timer.file.Close()
		openTimers.Add(-1)
		return false
	}
	fineTimers <- timer // has room for all
	return true
}

// takeFineTimer returns a timer, or nil.
func takeFineTimer() *fineTimer {
	select {
	case timer := <-fineTimers:
		return timer
	default:
	}
	if openTimers.Add(1) <= mostTimers {
		if t := openFineTimer(); t != nil {
			return t
		}
	}
	openTimers.Add(-1)
	return nil
}

func openFineTimer() *fineTimer {
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

func (t *fineTimer) sleep(due time.Time) error {
	t.due, t.err = due, nil
	if err := t.raw.Read(t.try); err != nil {
		return err
	}
	return t.err
}

// tryOnce reports whether the time has come, or else sets the timer. To set it discards what
// it has to say of an earlier time, which is never read.
func (t *fineTimer) tryOnce(fd uintptr) (done bool) {
	left := time.Until(t.due)
	if left <= 0 {
		return true
	}
	at := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(left))}
	if _, _, errno := unix.RawSyscall6(unix.SYS_TIMERFD_SETTIME, fd, 0, uintptr(unsafe.Pointer(&at)), 0, 0, 0); errno != 0 {
		t.err = errno
		return true
	}
	return false
}
