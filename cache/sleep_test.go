package cache

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestSleep(t *testing.T) {
	for _, d := range []time.Duration{-1, 0, 300 * time.Microsecond, 1300 * time.Microsecond, 5700 * time.Microsecond} {
		begun := time.Now()
		if err := sleepFor(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		if got := time.Since(begun); got < d {
			t.Errorf("slept %v, want %v", got, d)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	left := errors.New("left")
	cancel(left)
	for _, d := range []time.Duration{0, time.Millisecond, time.Hour} {
		if err := sleepFor(ctx, d); !errors.Is(err, left) {
			t.Errorf("%v: %v", d, err)
		}
	}
}

// The lateness of a wait, in nanoseconds, beside that of a plain timer.
func BenchmarkSleep(b *testing.B) {
	for name, sleep := range map[string]func(context.Context, time.Duration) error{"fine": sleepFor, "timer": sleepTimer} {
		b.Run(name, func(b *testing.B) {
			const d = 1300 * time.Microsecond
			late := time.Duration(0)
			n := 0
			for ; b.Loop(); n++ {
				begun := time.Now()
				if err := sleep(context.Background(), d); err != nil {
					b.Fatal(err)
				}
				late += time.Since(begun) - d
			}
			b.ReportMetric(float64(late)/float64(n), "ns-late/op")
		})
	}
}
