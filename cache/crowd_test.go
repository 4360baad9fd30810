package cache

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// A client's requests for an origin that wait at the same time get what comes in coarse
// beats, whether they are made or pretended; another client does not.
func TestCrowdsGetCoarseBeats(t *testing.T) {
	const took, apart, jitter = 1500 * time.Microsecond, 500 * time.Microsecond, crowdJitter / 4
	one, coarse := beat(took), crowdBeat+jitter
	type request struct {
		client, path string
		after        time.Duration // from its own beginning to the head
	}
	for name, test := range map[string]struct {
		visited  string // which the client has not, but another
		requests []request
	}{
		"one":                    {"", []request{{"a", "/x", one}}},
		"one, pretended":         {"/x", []request{{"a", "/x", one}}},
		"two":                    {"", []request{{"a", "/x", coarse}, {"a", "/y", coarse}}},
		"two, one pretended":     {"/x", []request{{"a", "/x", coarse}, {"a", "/y", coarse}}},
		"two, another pretended": {"/y", []request{{"a", "/x", coarse}, {"a", "/y", coarse}}},
		"the same twice":         {"", []request{{"a", "/x", coarse}, {"a", "/x", coarse}}},
		"that pretended":         {"/x", []request{{"a", "/x", coarse}, {"a", "/x", coarse}}},
		"two clients":            {"", []request{{"a", "/x", one}, {"b", "/y", one}}},
		"two clients, the same":  {"", []request{{"a", "/x", one}, {"b", "/x", one}}},
		"two origins":            {"", []request{{"a", "/x", one}, {"a", "//other.example/y", one}}},
	} {
		t.Run(name, func(t *testing.T) {
			stage(t, Options{}, func(th *theatre) {
				th.c.model.float = func() float64 { return 0.25 }
				ask := func(client, path string) *visit {
					ctx, cancel := context.WithCancel(WithVisitor(th.t.Context(), Visitor{Client: client}))
					return th.visitTo(ctx, cancel, path, "")
				}
				answer := func() {
					for len(th.origin.calls) > 0 {
						cl := th.call()
						go func() {
							time.Sleep(took)
							cl.respond(storableFields, 0)
							cl.body.Close()
						}()
					}
				}
				for i := range enough + 1 { // now it is known how long the origin takes
					path := "/known" + string(rune('0'+i))
					if i == 0 && test.visited != "" {
						path = test.visited
					}
					v := ask("victim", path)
					answer()
					th.expect(v, "")
					th.end(v)
				}
				time.Sleep(10 * time.Millisecond)
				took := make([]time.Duration, len(test.requests))
				for i, r := range test.requests {
					begun := time.Now()
					v := ask(r.client, r.path)
					answer()
					go func() {
						<-v.done
						took[i] = time.Since(begun)
						v.resp.Body.Close()
					}()
					time.Sleep(apart)
				}
				time.Sleep(time.Second)
				synctest.Wait()
				for i, r := range test.requests {
					if took[i] != r.after {
						t.Errorf("request %d took %v, want %v", i+1, took[i], r.after)
					}
				}
				if len(th.c.crowds) > 0 {
					t.Error("a crowd is left")
				}
			})
		})
	}
}
