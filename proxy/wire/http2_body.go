package wire

import (
	"net/http"
	"time"
)

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

// An http2Body is the body of a request.
type http2Body struct{ st *http2Stream }

func (b http2Body) Read(p []byte) (int, error) {
	h := b.st.h
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	if b.st.awaited {
		b.st.w.interim(http.StatusContinue)
		b.st.awaited = false
	}
	return b.st.read(p, h.times.Body)
}

func (b http2Body) Close() error {
	b.st.h.mu.Lock()
	defer b.st.h.mu.Unlock()
	b.st.drop()
	b.st.cond.Broadcast()
	return nil
}
