package cache

import (
	"context"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"
)

// Whoever asks while another is given the same, once or again, and stays or leaves, sees
// of a fetch and of what only seems to be one the same times, dates and ages.
func TestJoiningLooksAlike(t *testing.T) {
	type request struct {
		at     time.Duration
		client string
		leaves time.Duration // so long after it asked; 0 means that it stays
	}
	const ms = time.Millisecond
	for name, requests := range map[string][]request{
		"one again":              {{0, "b", 0}, {2100 * ms, "b", 0}, {6 * time.Second, "b", 0}, {20 * time.Second, "b", 0}},
		"another again":          {{0, "b", 0}, {100 * ms, "c", 0}, {200 * ms, "c", 0}, {5500 * ms, "c", 0}},
		"another leaves":         {{0, "b", 0}, {100 * ms, "c", 300 * ms}, {500 * ms, "c", 0}},
		"another leaves, later":  {{0, "b", 0}, {1000 * ms, "c", 300 * ms}, {5300 * ms, "b", 0}, {20 * time.Second, "b", 0}},
		"another, and the first": {{0, "b", 0}, {1000 * ms, "c", 0}, {5300 * ms, "b", 0}, {5400 * ms, "c", 0}, {8 * time.Second, "c", 0}},
	} {
		t.Run(name, func(t *testing.T) {
			stage(t, Options{}, func(th *theatre) {
				th.c.model.float = func() float64 { return 0.5 }
				const took = 5 * time.Second
				look := func(path string, fetched bool) string {
					time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
					begun := time.Now()
					th.c.model.origins.Purge()
					for range enough { // whoever comes when it is over waits as long, too
						th.c.model.record("http://origin.example", anew, took, begun.Add(took), habit{})
					}
					seen := make([]string, len(requests))
					if fetched {
						go func() {
							cl := <-th.origin.calls
							time.Sleep(took)
							cl.respond(storableFields, 4)
							io.WriteString(cl.body, "body")
							cl.body.Close()
						}()
					}
					for i, r := range requests {
						time.Sleep(time.Until(begun.Add(r.at)))
						ctx, cancel := context.WithCancel(WithVisitor(th.t.Context(), Visitor{Client: r.client}))
						v := th.visitTo(ctx, cancel, path, "")
						if r.leaves > 0 {
							time.AfterFunc(r.leaves, cancel)
						}
						go func() {
							<-v.done
							if v.err != nil {
								seen[i] = fmt.Sprint(v.err)
								return
							}
							date, _ := parseDate(v.resp.Header.Get("Date"), time.Now())
							seen[i] = fmt.Sprint(time.Since(begun), date.Sub(begun.Truncate(time.Second)), v.resp.Header["Age"])
							io.ReadAll(v.resp.Body)
							v.resp.Body.Close()
						}()
					}
					time.Sleep(time.Minute)
					synctest.Wait()
					th.quiet()
					return fmt.Sprintf("%q", seen)
				}
				want := look("/a", true)
				e := th.c.store.index[key{url: "http://origin.example/a"}].entries[0]
				clear(e.views)
				e.closed, e.lead = false, pretence{}
				e.received = time.Now() // as of another's fetch
				if got := look("/a", false); got != want {
					th.t.Errorf("a fetch is like %s\na pretence like %s", want, got)
				}
			})
		})
	}
}
