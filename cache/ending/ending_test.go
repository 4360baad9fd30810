package ending

import (
	"context"
	"errors"
	"testing"
)

// own is a context of the kind that End is for.
type own struct {
	context.Context
	End
}

func (o *own) Done() <-chan struct{} { return o.End.Done() }
func (o *own) Err() error            { return o.End.Err() }

type below struct{}

type watcher struct{ told chan struct{} }

func newWatcher() *watcher { return &watcher{make(chan struct{}, 9)} }
func (w *watcher) Ended()  { w.told <- struct{}{} }
func (w *watcher) awaited(t *testing.T) {
	t.Helper()
	select {
	case <-w.told:
	case <-t.Context().Done():
		t.Fatal("not told")
	}
}

var errOver = errors.New("over")

func contexts() map[string]func() (context.Context, func()) {
	return map[string]func() (context.Context, func()){
		"own": func() (context.Context, func()) {
			o := &own{Context: context.Background()}
			return o, func() { o.Cancel(errOver) }
		},
		"value below own": func() (context.Context, func()) {
			o := &own{Context: context.Background()}
			return context.WithValue(o, below{}, true), func() { o.Cancel(errOver) }
		},
		"foreign": func() (context.Context, func()) {
			ctx, cancel := context.WithCancelCause(context.Background())
			return ctx, func() { cancel(errOver) }
		},
	}
}

func TestWatchersAreToldOnce(t *testing.T) {
	for name, begin := range contexts() {
		t.Run(name, func(t *testing.T) {
			ctx, end := begin()
			first, second, stopped, late := newWatcher(), newWatcher(), newWatcher(), newWatcher()
			Of(ctx, first)
			w := Of(ctx, stopped)
			over := Of(ctx, second)
			if !w.Stop() || w.Stop() {
				t.Error("a watch is stopped once")
			}
			end()
			end()
			first.awaited(t)
			second.awaited(t)
			Of(ctx, late)
			late.awaited(t)
			if over.Stop() {
				t.Error("stopped after it was told")
			}
			if len(first.told)+len(second.told)+len(stopped.told)+len(late.told) > 0 {
				t.Error("told although stopped, or twice")
			}
			if context.Cause(ctx) != errOver {
				t.Errorf("cause: %v", context.Cause(ctx))
			}
			<-ctx.Done()
		})
	}
}

// A slot that is free again must not be taken for the one that was in it before.
func TestStoppedWatchLeavesTheNextAlone(t *testing.T) {
	o := &own{Context: context.Background()}
	before, after := newWatcher(), newWatcher()
	w := Of(o, before)
	w.Stop()
	Of(o, after)
	if w.Stop() {
		t.Error("stopped another's watch")
	}
	o.Cancel(nil)
	after.awaited(t)
	if o.Err() != context.Canceled {
		t.Errorf("nil stands for %v", o.Err())
	}
}

func TestContextsBelowEndWithIt(t *testing.T) {
	o := &own{Context: context.Background()}
	ctx, cancel := context.WithCancel(o)
	defer cancel()
	o.Cancel(errOver)
	<-ctx.Done()
	if context.Cause(ctx) != errOver {
		t.Errorf("cause: %v", context.Cause(ctx))
	}
}

func TestEndlessContextNeedsNoWatch(t *testing.T) {
	if !Of(context.Background(), newWatcher()).Stop() {
		t.Error("nothing ended")
	}
}

func TestWatchingCostsNothing(t *testing.T) {
	o := &own{Context: context.Background()}
	w := newWatcher()
	if n := testing.AllocsPerRun(100, func() { Of(o, w).Stop() }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
