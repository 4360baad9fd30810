package gate

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"
)

// TestAClientDecodesSoMuchAtOnce: what comes then waits for another's end, as long as its
// client does, and not for ever.
func TestAClientDecodesSoMuchAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := mustNew(t, Options{})
		decode := func(ctx context.Context, addr string) func() {
			end, ok := g.Decode(ctx, entrant(addr))
			if !ok {
				t.Fatalf("an answer to %s is not decoded", addr)
			}
			return end
		}
		var ends []func()
		for range decodingAtOnce {
			ends = append(ends, decode(t.Context(), "2001:db8::1"))
		}
		decode(t.Context(), "2001:db8:0:1::1")()

		begun := time.Now()
		if _, ok := g.Decode(t.Context(), entrant("2001:db8::2")); ok {
			t.Error("one more of the same /64 is decoded")
		}
		if waited := time.Since(begun); waited != decodingPatience {
			t.Errorf("it was refused after %v", waited)
		}
		begun = time.Now()
		ctx, leave := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, leave)
		if _, ok := g.Decode(ctx, entrant("2001:db8::1")); ok || time.Since(begun) != time.Second {
			t.Errorf("for a client that left it waits %v", time.Since(begun))
		}
		time.AfterFunc(time.Second, ends[0])
		ends[0] = decode(t.Context(), "2001:db8::1")

		for _, end := range ends {
			end()
		}
		if n := len(g.state.ledger.active); n != 0 {
			t.Errorf("%d clients are held when nothing is decoded", n)
		}
	})
}

// TestAClientLeavesOthersRoomToDecode: it could have its own origin send answers that never end.
func TestAClientLeavesOthersRoomToDecode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := mustNew(t, Options{})
		g.state.ledger.total.decoding = make(chan struct{}, 8)
		decoded := 0
		for range 8 {
			if _, ok := g.Decode(t.Context(), entrant("2001:db8::1")); ok {
				decoded++
			}
		}
		if decoded != 4 {
			t.Errorf("of 8 places, one client has %d", decoded)
		}
		if _, ok := g.Decode(t.Context(), entrant("2001:db8:0:1::1")); !ok {
			t.Error("another client's answer is not decoded")
		}
	})
}

// TestAllDecodeWithinMemory: many clients together would take more than there is.
func TestAllDecodeWithinMemory(t *testing.T) {
	for _, row := range []struct {
		limit int64
		want  int
	}{{1 << 20, 2}, {128 << 20, 2}, {512 << 20, 8}, {math.MaxInt64, decodingMost}} {
		if got := decodingInAll(row.limit); got != row.want {
			t.Errorf("of %d bytes, %d answers are decoded at once, want %d", row.limit, got, row.want)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		g := mustNew(t, Options{})
		g.state.ledger.total.decoding = make(chan struct{}, 1)
		end, ok := g.Decode(t.Context(), entrant("2001:db8::1"))
		if !ok {
			t.Fatal("the first is not decoded")
		}
		if _, ok := g.Decode(t.Context(), entrant("2001:db8:0:1::1")); ok {
			t.Error("another client's is decoded beside it")
		}
		time.AfterFunc(time.Second, end)
		end, ok = g.Decode(t.Context(), entrant("2001:db8:0:1::1"))
		if !ok {
			t.Fatal("it is not decoded when the first has ended")
		}
		end()
		synctest.Wait() // for the first one's
		if n := len(g.state.ledger.active); n != 0 {
			t.Errorf("%d clients are held when nothing is decoded", n)
		}
	})
}
