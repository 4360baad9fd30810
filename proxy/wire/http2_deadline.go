package wire

import "time"

// An http2Deadline interrupts waits on a stream.
type http2Deadline struct {
	timer  *time.Timer
	set    bool
	passed bool
}

func (d *http2Deadline) start(st *http2Stream, wait time.Duration) {
	d.stop()
	d.set = true
	if wait <= 0 {
		d.passed = true
		st.cond.Broadcast()
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(wait, func() {
		st.h.mu.Lock()
		defer st.h.mu.Unlock()
		if d.timer == timer {
			d.passed = true
			st.cond.Broadcast()
		}
	})
	d.timer = timer
}

func (d *http2Deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.set, d.passed = false, false
}

// at sets the deadline for [net.Conn]; the zero time lifts it.
func (d *http2Deadline) at(st *http2Stream, t time.Time) {
	if t.IsZero() {
		d.stop()
		return
	}
	d.start(st, time.Until(t))
}
