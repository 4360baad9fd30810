package cache

import (
	"context"
	"io"
	"time"
)

const (
	// firstBeat and lastBeat bound the time between two beats.
	firstBeat = time.Millisecond
	lastBeat  = 32 * time.Millisecond
	// margin is what a goroutine may need to see that bytes have come.
	margin = firstBeat / 8
)

// beat rounds d, a time since the beginning of a request, up to the beat at which what came
// then goes on to the client. In Disguised all that clients may share goes out in beats,
// fetched or pretended: this hides what cannot be imitated below a beat, such as how a machine
// that fetches wakes up, and in how many pieces it reads. Beats are a millisecond apart at
// first, later an eighth to a quarter of the time that has passed, and at most lastBeat.
func beat(d time.Duration) time.Duration {
	d += margin
	apart := firstBeat
	for apart < lastBeat && d > 8*apart {
		apart *= 2
	}
	return (d + apart - 1) / apart * apart
}

// A course is when the bytes of a body come, counted from the beginning of
// the request that brings them.
type course interface {
	// came returns when the byte at an offset comes, or the body's end if
	// that is before it; it waits until that is known.
	came(at int64) (time.Duration, error)
	// by returns how many bytes had come by then, all of which can be read.
	by(d time.Duration) int64
}

// A beatBody gives out a body in beats, along a course.
type beatBody struct {
	io.ReadCloser
	ctx   context.Context
	sleep func(context.Context, time.Duration) error
	now   func() time.Time
	start time.Time // of the request, as its client sees it
	place place
	course
	at, until int64 // read so far, and due
}

// inBeats wraps a body that a client gets for a request that it made at start.
func (c *Cache) inBeats(q *query, body io.ReadCloser, along course, start time.Time) *beatBody {
	return &beatBody{ReadCloser: body, ctx: q.ctx, place: q.place, sleep: c.sleep, now: c.now, start: start, course: along}
}

func (b *beatBody) Read(p []byte) (int, error) {
	if b.at >= b.until {
		if err := b.wait(); err != nil {
			return 0, err
		}
	}
	return b.read(p)
}

// wait waits for the beat with which more is due, or the end. It wakes when bytes come, and not
// only at their beat, also along the course of a stored body: a machine that has just been
// awake sends them sooner.
func (b *beatBody) wait() error {
	came, err := b.came(b.at)
	if err != nil {
		return err
	}
	due := b.place.due(beat(came))
	for _, at := range [...]time.Duration{came, due} {
		if wait := b.start.Add(at).Sub(b.now()); wait > 0 {
			if err := b.sleep(b.ctx, wait); err != nil {
				return err
			}
		}
	}
	b.until = b.by(due)
	return nil
}

// read reads no more than is due.
func (b *beatBody) read(p []byte) (int, error) {
	if left := b.until - b.at; left > 0 && int64(len(p)) > left {
		p = p[:left]
	}
	n, err := b.ReadCloser.Read(p)
	b.at += int64(n)
	return n, err
}

// WriteTo holds no buffer while it waits.
func (b *beatBody) WriteTo(w io.Writer) (n int64, err error) {
	for {
		if err := b.wait(); err != nil {
			return n, err
		}
		due := dueBody{body: b}
		m, err := io.Copy(w, &due)
		n += m
		if err != nil || due.ended {
			return n, err
		}
	}
}

// A dueBody is the part of a body that is due.
type dueBody struct {
	body  *beatBody
	begun bool
	ended bool // with the body
}

func (d *dueBody) Read(p []byte) (int, error) {
	if d.begun && d.body.at >= d.body.until {
		return 0, io.EOF
	}
	d.begun = true
	n, err := d.body.read(p)
	d.ended = err == io.EOF
	return n, err
}

// A rehearsal is the course of a stored body: that of its fetch, at another pace.
type rehearsal struct {
	pieces []piece
	scale  float64       // of the pieces' times
	head   time.Duration // when the head comes
	end    time.Duration // when the body ends
}

func (e *entry) rehearse(t timing) *rehearsal {
	r := &rehearsal{pieces: e.pieces, head: t.head, end: t.head + t.tail}
	if e.timing.tail > 0 {
		r.scale = float64(t.tail) / float64(e.timing.tail)
	}
	return r
}

func (r *rehearsal) when(p piece) time.Duration {
	return r.head + time.Duration(float64(p.after)*r.scale)
}

func (r *rehearsal) came(at int64) (time.Duration, error) {
	for _, p := range r.pieces {
		if at < p.to {
			return r.when(p), nil
		}
	}
	return r.end, nil
}

func (r *rehearsal) by(d time.Duration) int64 {
	var to int64
	for _, p := range r.pieces {
		if r.when(p) > d {
			break
		}
		to = p.to
	}
	return to
}
