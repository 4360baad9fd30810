package cache

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A client's requests for an origin that wait at the same time get what comes in coarse
// beats, whether they are made or pretended, and so does what is asked for in a form in which
// nothing is shared; another client does not.
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
		"a HEAD":                 {"", []request{{"a", "HEAD /own", took}}},
		"beside one":             {"", []request{{"a", "HEAD /own", coarse}, {"a", "/x", coarse}}},
		"beside a pretended one": {"/x", []request{{"a", "HEAD /own", coarse}, {"a", "/x", coarse}}},
		"two that nobody shares": {"", []request{{"a", "/own", took}, {"a", "/own2", took}}},
	} {
		t.Run(name, func(t *testing.T) {
			stage(t, Options{}, func(th *theatre) {
				th.c.model.float = func() float64 { return 0.25 }
				ask := func(client, path string) *visit { return th.visitAs(client, path, "") }
				answer := func() {
					for len(th.origin.calls) > 0 {
						cl := th.call()
						fields := storableFields
						if strings.HasPrefix(cl.r.URL.Path, "/own") {
							fields = "Cache-Control: no-store"
						}
						go func() {
							time.Sleep(took)
							cl.respond(fields, 0)
							cl.body.Close()
						}()
					}
				}
				for i := range minSamples + 1 { // now it is known how long the origin takes
					path := "/known" + string(rune('0'+i))
					if i == 0 && test.visited != "" {
						path = test.visited
					}
					v := ask("victim", path)
					answer()
					th.expectAll(v, "")
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
