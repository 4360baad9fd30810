package cache

import (
	"testing"
	"time"
)

// Who goes before the head comes never reads the body: nothing of it counts as held
// by a reader once those who stayed have it.
func TestWhoLeavesBeforeTheHeadHoldsNothing(t *testing.T) {
	for name, o := range map[string]Options{"shared": shared, "disguised": disguised} {
		t.Run(name, func(t *testing.T) {
			stage(t, o, func(th *theatre) {
				leader := th.visit("a", "")
				follower := th.visit("a", "")
				cl := th.call()
				leader.stop()
				<-leader.done
				cl.answer(storableFields, "all")
				th.expectAll(follower, "all")
				th.c.PurgeAll()
				if got := th.c.Stats(); got.Lingering != 0 || got.FlightSize != 0 {
					t.Errorf("%+v", got)
				}
			})
		})
	}
}

// The same of who leaves an inquiry that others have joined.
func TestWhoLeavesAnInquiryHoldsNothing(t *testing.T) {
	stage(t, disguised, func(th *theatre) {
		a := th.visit("a", "")
		cl := th.call()
		cl.answer(storableFields, "body")
		th.expectAll(a, "body")
		time.Sleep(time.Second)

		b, c := th.visit("b", ""), th.visit("b", "")
		cl = th.call()
		b.stop()
		<-b.done
		cl.answer(storableFields, "body")
		th.expectAll(c, "body")
		th.c.PurgeAll()
		if got := th.c.Stats(); got.Lingering != 0 || got.FlightSize != 0 {
			t.Errorf("%+v", got)
		}
	})
}
