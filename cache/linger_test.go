package cache

import (
	"io"
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

// Who reads a part only once that has freshened the whole, which is as long, reads the part:
// what grows under one tag has such.
func TestLateReaderOfAPartGetsThat(t *testing.T) {
	const fields = "\nCache-Control: max-age=60\nETag: \"1\""
	for _, o := range []Options{shared, disguised, apart} {
		for _, where := range []string{"5-9/10", "5-9/*", "5-8/10"} {
			s := newScene(t, o)
			s.run(step{as: "a", give: "200" + fields + "\n\n01234", want: "200\n\n01234"})
			s.mu.Lock()
			s.give = "206" + fields + "\nContent-Range: bytes " + where + "\n\n56789"
			s.mu.Unlock()
			resp, err := s.rt.RoundTrip(s.request(step{as: "a", do: "GET /\nRange: bytes=5-\nCache-Control: no-cache"}))
			if err != nil {
				t.Fatal(err)
			}
			s.c.settled()
			if body, err := io.ReadAll(resp.Body); string(body) != "56789" || err != nil {
				t.Errorf("%s: %q, %v", where, body, err)
			}
			resp.Body.Close()
		}
	}
}

// A body that is stored does not count once more for who reads it, though a part has
// freshened it meanwhile.
func TestWhatAPartFreshensIsHeldOnce(t *testing.T) {
	const fields = "\nCache-Control: max-age=60\nETag: \"1\""
	for _, o := range []Options{shared, disguised, apart} {
		s := newScene(t, o)
		s.run(step{as: "a", give: "200" + fields + "\n\n01234", want: "200\n\n01234"})
		resp, err := s.rt.RoundTrip(s.request(step{as: "a"}))
		if err != nil {
			t.Fatal(err)
		}
		s.run(step{as: "a", do: "GET /\nRange: bytes=0-0\nCache-Control: no-cache", give: "206" + fields + "\nContent-Range: bytes 0-0/5\n\n0", want: "206\n\n0"})
		if got := s.c.Stats().Lingering; got != 0 {
			t.Errorf("%d bytes count twice", got)
		}
		resp.Body.Close()
		s.c.PurgeAll()
		if got := s.c.Stats(); got.Lingering != 0 || got.Bytes != 0 {
			t.Errorf("%+v", got)
		}
	}
}
