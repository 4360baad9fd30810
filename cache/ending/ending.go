// Package ending holds the end of a context of our own making: it costs nothing before somebody
// asks for it, and next to nothing to wait for. Unlike that of [context.WithCancel] it can be a
// part of a larger struct.
package ending

import (
	"context"
	"slices"
	"sync"
)

// An End is the end of something, which comes once. Done and Err are what a
// [context.Context] needs of it; with AfterFunc, the context package starts no
// goroutine to wait for it. The zero End is ready.
type End struct {
	mu     sync.Mutex
	done   chan struct{} // made when asked for
	err    error
	first  Watcher // as most have no more than one
	others []Watcher
}

// A Watcher is told of an end, on a goroutine of its own. It is known by its
// identity, so it is a pointer.
type Watcher interface{ Ended() }

// Done implements [context.Context].
func (e *End) Done() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.done == nil {
		e.done = make(chan struct{})
		if e.err != nil {
			close(e.done)
		}
	}
	return e.done
}

// Err returns what Cancel was first called with. It serves as the cause too:
// [context.Cause] of a foreign context is its Err.
func (e *End) Err() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}

// Cancel ends e because of err, unless it has ended; nil stands for [context.Canceled].
func (e *End) Cancel(err error) {
	if err == nil {
		err = context.Canceled
	}
	e.mu.Lock()
	if e.err != nil {
		e.mu.Unlock()
		return
	}
	e.err = err
	if e.done != nil {
		close(e.done)
	}
	first, others := e.first, e.others
	e.first, e.others = nil, nil
	e.mu.Unlock()
	if first != nil {
		go first.Ended()
	}
	for _, w := range others {
		go w.Ended()
	}
}

// Watch has w told of the end, even if that has come. A second Watch of the same w is another
// one.
func (e *End) Watch(w Watcher) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.err != nil:
		go w.Ended()
	case e.first == nil:
		e.first = w
	default:
		e.others = append(e.others, w)
	}
}

// Unwatch reports whether w was waiting; if so, it is not told any more.
func (e *End) Unwatch(w Watcher) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.first == w {
		e.first = nil
		return true
	}
	at := slices.Index(e.others, w)
	if at < 0 {
		return false
	}
	e.others = slices.Delete(e.others, at, at+1)
	return true
}

// AfterFunc runs f after the end, unless stop is called before; the context package looks for
// it.
func (e *End) AfterFunc(f func()) (stop func() bool) {
	w := &call{f}
	e.Watch(w)
	return func() bool { return e.Unwatch(w) }
}

type call struct{ f func() }

func (c *call) Ended() { c.f() }

// Ending returns e, for [Of].
func (e *End) Ending() *End { return e }

// A Watch waits for the end of a context. The zero Watch waits for none.
type Watch struct {
	end  *End
	w    Watcher
	stop func() bool // instead, for a context that has no End
}

// Of has w told of the end of ctx. It allocates nothing if ctx has a method Ending that returns
// its own [End], and not nil.
func Of(ctx context.Context, w Watcher) Watch {
	if own, ok := ctx.(interface{ Ending() *End }); ok {
		if end := own.Ending(); end != nil {
			end.Watch(w)
			return Watch{end: end, w: w}
		}
	}
	if ctx.Done() == nil {
		return Watch{}
	}
	return Watch{stop: context.AfterFunc(ctx, w.Ended)}
}

// Stop ends the watch. It reports false if the watcher is told or was, or if
// the watch was stopped before.
func (w Watch) Stop() bool {
	switch {
	case w.end != nil:
		return w.end.Unwatch(w.w)
	case w.stop != nil:
		return w.stop()
	}
	return true
}
