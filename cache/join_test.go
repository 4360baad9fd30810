package cache

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// A timed request is made so long after a scene begins.
type timed struct {
	at     time.Duration
	client string
	leaves time.Duration // so long after it asked; 0 means that it stays
	fields string        // of the request, one a line
}

// slowly is how long the origin takes in what follows, and trickling for the body.
const slowly, trickling = 5 * time.Second, 2 * time.Second

// act has requests for a path made, which the origin answers slowly, and returns what
// each sees: when, with which date, and as old as what. It begins with a whole second, and with the
// origin's times known.
func (th *theatre) act(path string, length int64, requests []timed) (seen []string, asked int) {
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
	begun := time.Now()
	th.c.model.float = func() float64 { return 0.5 }
	th.c.model.origins.Purge()
	for range minSamples {
		at := begun.Add(slowly)
		th.c.model.record("http://origin.example", anew, slowly, at, habit{})
		th.c.model.recordBody("http://origin.example", timing{tail: trickling, size: 4, at: at}, habit{})
	}
	seen = make([]string, len(requests))
	over := make(chan struct{})
	go func() {
		for {
			select {
			case cl := <-th.origin.calls:
				asked++
				go func() {
					time.Sleep(slowly)
					cl.respond(storableFields, length)
					time.Sleep(trickling)
					cl.answerBody("body")
				}()
			case <-over:
				return
			}
		}
	}()
	for i, r := range requests {
		time.Sleep(time.Until(begun.Add(r.at)))
		v := th.visitAs(r.client, path, r.fields)
		if r.leaves > 0 {
			time.AfterFunc(r.leaves, v.stop)
		}
		go func() {
			<-v.done
			if v.err != nil {
				seen[i] = fmt.Sprint(v.err)
				return
			}
			date, _ := parseDate(v.resp.Header.Get("Date"), time.Now())
			body, err := io.ReadAll(v.resp.Body)
			if err != nil {
				body = []byte(err.Error())
			}
			v.resp.Body.Close()
			seen[i] = fmt.Sprint(time.Since(begun), date.Sub(begun), v.resp.Header["Age"], string(body))
		}()
	}
	time.Sleep(time.Minute)
	close(over)
	synctest.Wait()
	return seen, asked
}

// Whoever asks while another is given the same, once or again, and stays or leaves, sees
// of a fetch and of what only seems to be one the same times, dates and ages.
func TestJoiningLooksAlike(t *testing.T) {
	const ms = time.Millisecond
	for name, requests := range map[string][]timed{
		"one again":              {{0, "b", 0, ""}, {2100 * ms, "b", 0, ""}, {6000 * ms, "b", 0, ""}, {20000 * ms, "b", 0, ""}},
		"another again":          {{0, "b", 0, ""}, {100 * ms, "c", 0, ""}, {200 * ms, "c", 0, ""}, {5500 * ms, "c", 0, ""}},
		"the first leaves":       {{0, "b", 300 * ms, ""}, {6000 * ms, "b", 0, ""}, {20000 * ms, "b", 0, ""}},
		"the first leaves late":  {{0, "b", 6000 * ms, ""}, {9000 * ms, "b", 0, ""}, {20000 * ms, "b", 0, ""}},
		"the first leaves it":    {{0, "b", 6000 * ms, ""}, {100 * ms, "c", 0, ""}, {9000 * ms, "b", 0, ""}},
		"both leave":             {{0, "b", 6000 * ms, ""}, {100 * ms, "c", 3000 * ms, ""}, {9000 * ms, "b", 0, ""}, {9500 * ms, "c", 0, ""}},
		"the first leaves alone": {{0, "b", 300 * ms, ""}, {1000 * ms, "c", 0, ""}, {3000 * ms, "b", 0, ""}},
		"a part meanwhile":       {{0, "b", 0, ""}, {1000 * ms, "b", 0, "Range: bytes=0-1"}, {8100 * ms, "b", 0, "Range: bytes=0-1"}},
		"a part of it":           {{0, "b", 0, ""}, {6000 * ms, "b", 0, "Range: bytes=0-1"}, {9000 * ms, "b", 0, ""}},
		"asked for what is here": {{0, "b", 0, ""}, {1000 * ms, "b", 0, "Cache-Control: only-if-cached"}, {6000 * ms, "b", 0, "Cache-Control: only-if-cached"}, {8000 * ms, "b", 0, "Cache-Control: only-if-cached"}},
		"reloaded meanwhile":     {{0, "b", 0, ""}, {1000 * ms, "b", 0, "Cache-Control: no-cache"}, {9000 * ms, "b", 0, ""}},
		"reloaded by another":    {{0, "b", 0, ""}, {1000 * ms, "c", 0, "Cache-Control: no-cache"}, {3000 * ms, "b", 0, ""}, {9000 * ms, "b", 0, ""}, {20000 * ms, "c", 0, ""}},
		"conditions":             {{0, "b", 0, "If-None-Match: *"}, {1000 * ms, "b", 0, ""}, {8000 * ms, "b", 0, "If-None-Match: *"}},
		"conditions, left":       {{0, "b", 300 * ms, "If-None-Match: *"}, {1000 * ms, "b", 0, ""}, {8000 * ms, "b", 0, "If-None-Match: *"}},
		"another leaves":         {{0, "b", 0, ""}, {100 * ms, "c", 300 * ms, ""}, {500 * ms, "c", 0, ""}},
		"another leaves, later":  {{0, "b", 0, ""}, {1000 * ms, "c", 300 * ms, ""}, {5300 * ms, "b", 0, ""}, {20000 * ms, "b", 0, ""}},
		"another, and the first": {{0, "b", 0, ""}, {1000 * ms, "c", 0, ""}, {5300 * ms, "b", 0, ""}, {5400 * ms, "c", 0, ""}, {8000 * ms, "c", 0, ""}},
	} {
		for _, length := range []int64{4, -1} {
			t.Run(fmt.Sprint(name, length), func(t *testing.T) { compareWithPretence(t, length, requests) })
		}
	}
}

// compareWithPretence compares what is seen of a fetch and of what seems to be one.
func compareWithPretence(t *testing.T, length int64, requests []timed) {
	stage(t, Options{}, func(th *theatre) {
		want, _ := th.act("/a", length, requests)
		e := th.c.store.index[key{url: "http://origin.example/a"}].entries[0]
		e.views = views{}
		e.closed = false
		e.received = time.Now() // as of another's fetch
		got, asked := th.act("/a", length, requests)
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("asked %d times; a fetch is like %q\na pretence like %q", asked, want, got)
		}
	})
}

// A client sees the same whether it alone asks for something or another did before.
func TestOthersAreNotSeen(t *testing.T) {
	const ms = time.Millisecond
	for name, own := range map[string][]timed{
		"once":                     {{1000 * ms, "c", 0, ""}, {20000 * ms, "c", 0, ""}},
		"again when the other has": {{1000 * ms, "c", 0, ""}, {5500 * ms, "c", 0, ""}, {7000 * ms, "c", 0, ""}, {11000 * ms, "c", 0, ""}},
		"gone, and again":          {{1000 * ms, "c", 300 * ms, ""}, {3000 * ms, "c", 0, ""}, {12000 * ms, "c", 0, ""}},
		"gone when the other has":  {{1000 * ms, "c", 5500 * ms, ""}, {6700 * ms, "c", 0, ""}, {8100 * ms, "c", 0, ""}, {20000 * ms, "c", 0, ""}},
		"gone between":             {{1000 * ms, "c", 4700 * ms, ""}, {7500 * ms, "c", 0, ""}, {20000 * ms, "c", 0, ""}},
		"again before":             {{1000 * ms, "c", 0, ""}, {3000 * ms, "c", 0, ""}, {7000 * ms, "c", 0, ""}},
		"again and again":          {{1000 * ms, "c", 0, ""}, {5010 * ms, "c", 0, ""}, {5030 * ms, "c", 0, ""}, {6010 * ms, "c", 0, ""}, {6030 * ms, "c", 0, ""}},
	} {
		for what, others := range map[string][]timed{
			"one":         {{0, "b", 0, ""}},
			"who leaves":  {{0, "b", 300 * ms, ""}},
			"who is late": {{900 * ms, "b", 0, ""}},
			"two":         {{0, "b", 0, ""}, {900 * ms, "d", 0, ""}},
		} {
			t.Run(name+", "+what, func(t *testing.T) {
				stage(t, Options{}, func(th *theatre) {
					want, _ := th.act("/alone", 4, own)
					got, _ := th.act("/other", 4, append(slices.Clone(others), own...))
					if got = got[len(others):]; fmt.Sprint(got) != fmt.Sprint(want) {
						t.Errorf("alone it is like %q\nwith others %q", want, got)
					}
				})
			})
		}
	}
}

// Who leaves what seems to be fetched has nothing of it, though a wait of its goes on until
// all would have come.
func TestLeavingDoesNotWait(t *testing.T) {
	stage(t, Options{}, func(th *theatre) {
		th.act("/", -1, []timed{{0, "a", 0, ""}})
		th.c.store.index[key{url: "http://origin.example/"}].entries[0].received = time.Now()
		th.c.sleep = func(ctx context.Context, d time.Duration) error {
			time.Sleep(d)
			return ctx.Err()
		}
		th.c.model.origins.Purge()
		for range minSamples {
			th.c.model.record("http://origin.example", anew, slowly, time.Now(), habit{})
			th.c.model.recordBody("http://origin.example", timing{tail: trickling, size: 4, at: time.Now()}, habit{})
		}
		v := th.visit("b", "")
		<-v.done
		read := make(chan error)
		go func() {
			_, err := io.ReadAll(v.resp.Body)
			v.resp.Body.Close()
			read <- err
		}()
		time.Sleep(trickling - 2*lastBeat)
		th.quiet()
		v.stop()
		if err := <-read; err == nil {
			t.Error("all was read")
		}
		again := th.visit("b", "")
		go th.call().answer(storableFields, "body") // it is asked for the time alone
		th.expect(again, "body")
		if age := again.resp.Header["Age"]; age != nil {
			t.Errorf("it has it since %s seconds", age)
		}
		th.end(again)
	})
}

// A body that breaks off, and an answer that comes just as its client leaves, leave nothing to
// be found again, whether another has the same or not.
func TestWhatDoesNotComeWholeIsNotFoundAgain(t *testing.T) {
	const give = "Cache-Control: max-age=600"
	for _, visited := range []bool{false, true} {
		for _, how := range []string{"breaks off", "breaks off with its head", "comes late"} {
			t.Run(fmt.Sprint(how, visited), func(t *testing.T) {
				stage(t, disguised, func(th *theatre) {
					if visited {
						a := th.visit("a", "")
						go th.call().answer(give, "body")
						th.expectAll(a, "body")
					}
					time.Sleep(maxSampleAge + time.Second)
					asked := th.rt
					if how == "comes late" {
						th.rt = th.c.Transport(roundTripper(func(r *http.Request) (*http.Response, error) {
							<-r.Context().Done()
							return parseResponse("200\n"+give+"\n\nbody", r), nil
						}))
					}
					b := th.visit("b", "")
					switch how {
					case "comes late":
						b.stop()
						<-b.done
					default:
						cl := th.call()
						cl.respond(give, 4)
						if how == "breaks off" {
							<-b.done
						}
						io.WriteString(cl.body, "bo")
						cl.body.CloseWithError(errOrigin)
						<-b.done
						if _, err := io.ReadAll(b.resp.Body); err == nil {
							t.Error("it did not break off")
						}
						b.resp.Body.Close()
					}
					synctest.Wait()
					th.rt = asked
					again := th.visit("b", "")
					go th.call().answer(give, "body")
					th.expectAll(again, "body")
				})
			})
		}
	}
}

// Where the origin does not say any more what another has, who asks twice is told the same
// twice, as late after each as a fetch takes.
func TestOwnRequestsShareWhatBecomesAFetch(t *testing.T) {
	stage(t, disguised, func(th *theatre) {
		a := th.visit("a", "")
		go th.call().answer("Cache-Control: max-age=600", "old")
		th.expectAll(a, "old")
		time.Sleep(maxSampleAge + time.Second)
		first := th.visit("b", "")
		time.Sleep(100 * time.Millisecond)
		second, begun := th.visit("b", ""), time.Now()
		time.Sleep(400 * time.Millisecond)
		go th.call().answer(storableFields, "new")
		for _, v := range []*visit{first, second} {
			th.expectAll(v, "new")
		}
		th.quiet()
		if took := time.Since(begun); took < 500*time.Millisecond || took > 532*time.Millisecond {
			t.Errorf("it took %v", took)
		}
	})
}

// That a reload's answer may not be given to who asks with it again says nothing of others:
// they wait for each other as before.
func TestRequestsAreCollapsedAfterAReload(t *testing.T) {
	for name, o := range map[string]Options{"shared": shared, "disguised": disguised, "per client": apart} {
		t.Run(name, func(t *testing.T) {
			stage(t, o, func(th *theatre) {
				reload := th.visit("a", "Cache-Control: no-cache")
				go th.call().answer("Cache-Control: max-age=20", "old")
				th.expectAll(reload, "old")
				time.Sleep(time.Minute)
				first := th.visit("a", "")
				cl := th.call()
				second := th.visit("a", "")
				th.quiet()
				go cl.answer("Cache-Control: max-age=20", "new")
				th.expectAll(first, "new")
				th.expectAll(second, "new")
			})
		})
	}
}
