package cache

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// told returns for how long a client who starts to use a disguised entry at
// the given time may use it: half its lifetime, in whole seconds.
//
// A client who is given a stored response must not see how old it is. If its
// max-age were shortened by its age, that would tell. So everybody, the
// first client too, is told the same: half the lifetime. For the first half an
// entry may be given to new clients, and what they were told ends before the
// origin's own date does. How long the fetch took does not enter either.
// Where the origin sends Age, a fetch now would bring a higher one.
func (e *entry) told(at time.Time) time.Duration {
	told := e.bound() / 2
	if age := ageValue(e.header); age > 0 {
		told = (e.bound() - age - max(0, at.Sub(e.received).Truncate(time.Second))) / 2
	} else {
		told = min(told, e.bound()-e.initialAge)
	}
	return max(0, told.Truncate(time.Second))
}

// bound returns the lifetime that no cache downstream outlives.
func (e *entry) bound() time.Duration {
	if e.life.shortest > 0 {
		return min(e.life.operative, e.life.shortest)
	}
	return e.life.operative
}

// disguise rewrites the header of a response under e so that it looks as if
// the origin had made it at the given time. A fresh response and one that
// somebody else fetched come out alike.
func (e *entry) disguise(h http.Header, at time.Time) {
	delete(h, "Age")
	h["Date"] = []string{formatDate(at)}
	if !e.life.explicit || e.directives.noCache {
		return
	}
	less := seconds((e.bound() - e.told(at)) / time.Second)
	if lines := h["Cache-Control"]; len(lines) > 0 {
		shortened := make([]string, len(lines))
		for i, line := range lines {
			shortened[i] = shortenLifetimes(line, less)
		}
		h["Cache-Control"] = shortened
	}
	if lines := h["Expires"]; len(lines) > 0 {
		// One in the past, or "0", stays what it is.
		if in := expiresIn(lines[0], e.date, e.received); in > 0 {
			h["Expires"] = []string{formatDate(at.Add(max(0, in-less.duration())))}
		}
	}
}

// shortenLifetimes subtracts from the max-age and s-maxage of a Cache-Control line.
func shortenLifetimes(line string, less seconds) string {
	var b strings.Builder
	for line != "" {
		var item string
		if item, line = cutItem(line); item == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		name, value, _ := cutDirective(item)
		if !equalFold(name, "max-age") && !equalFold(name, "s-maxage") {
			b.WriteString(item)
			continue
		}
		n, _ := parseSeconds(unquote(value))
		b.WriteString(name)
		b.WriteByte('=')
		b.WriteString(strconv.FormatInt(int64(max(0, n-less)), 10))
	}
	return b.String()
}

// A pacedBody gives out a body as slowly as an origin would. Its pieces end
// where the pieces of the first fetch ended.
type pacedBody struct {
	io.ReadCloser
	ctx    context.Context
	sleep  func(context.Context, time.Duration) error
	now    func() time.Time
	start  time.Time // when the head was given out
	pieces []piece
	scale  float64 // of the pieces' times
	at     int64
}

func (b *pacedBody) Read(p []byte) (int, error) {
	for len(b.pieces) > 0 && b.at >= b.pieces[0].to {
		b.pieces = b.pieces[1:]
	}
	if len(b.pieces) > 0 {
		due := b.start.Add(time.Duration(float64(b.pieces[0].after) * b.scale))
		if wait := due.Sub(b.now()); wait > instant {
			if err := b.sleep(b.ctx, wait); err != nil {
				return 0, err
			}
		}
		if left := b.pieces[0].to - b.at; int64(len(p)) > left {
			p = p[:left]
		}
	}
	n, err := b.ReadCloser.Read(p)
	b.at += int64(n)
	return n, err
}

// instant is a wait too short to be seen beside what it takes to wake a reader.
const instant = 150 * time.Microsecond

// pace wraps the body of e so that it takes as long as t says, from start on.
func (c *Cache) pace(ctx context.Context, body io.ReadCloser, e *entry, t timing, start time.Time) io.ReadCloser {
	if len(e.pieces) == 0 {
		return body
	}
	scale := 1.0
	if last := e.pieces[len(e.pieces)-1].after; last > 0 {
		scale = float64(t.tail) / float64(last)
	}
	return &pacedBody{
		ReadCloser: body, ctx: ctx, sleep: c.sleep, now: c.now, start: start,
		pieces: e.pieces, scale: scale,
	}
}

// A lateBody gives out what a spool holds as much later than it came as its
// client came after the first.
type lateBody struct {
	*spoolReader
	sleep func(context.Context, time.Duration) error
	shift time.Duration
}

// late returns a reader of a flight's body for a client who came at the given
// time, or nil if the body's start is gone.
func (c *Cache) late(q *query, f *flight, trailer http.Header, came time.Time) io.ReadCloser {
	r := f.spool.reader(q.ctx, trailer, func() { c.leave(f) })
	if r == nil {
		return nil
	}
	return &lateBody{r, c.sleep, came.Sub(f.start)}
}

func (b *lateBody) Read(p []byte) (int, error) {
	end, _ := b.s.arrival(b.at)
	if left := end - b.at; left > 0 && int64(len(p)) > left {
		p = p[:left]
	}
	n, err := b.spoolReader.Read(p)
	_, came := b.s.arrival(b.at - 1)
	if err == io.EOF {
		came = b.s.finishedAt()
	}
	if wait := came.Add(b.shift).Sub(b.s.now()); wait > 0 && !came.IsZero() {
		if err := b.sleep(b.ctx, wait); err != nil {
			return n, err
		}
	}
	return n, err
}

// A shadowBody gives out a stored body as fast as the origin's own comes, byte
// for byte. An error of the origin is one here too.
type shadowBody struct {
	io.ReadCloser
	real io.ReadCloser
	over bool
}

func (b *shadowBody) Read(p []byte) (int, error) {
	if !b.over {
		n, err := b.real.Read(p)
		if err != nil && err != io.EOF {
			return 0, err
		}
		b.over = err == io.EOF
		if n > 0 {
			p = p[:n]
		} else if !b.over {
			return 0, nil
		}
	}
	return b.ReadCloser.Read(p)
}

func (b *shadowBody) Close() error {
	b.real.Close()
	return b.ReadCloser.Close()
}
