package cache

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// heldBy says what of some paths a client is answered at once.
func (s *scene) heldBy(client, fields string, paths ...string) (found string) {
	s.t.Helper()
	for _, path := range paths {
		resp, _ := s.step(0, step{as: client, do: "GET " + path + "\nCache-Control: only-if-cached" + fields})
		if resp.StatusCode == http.StatusOK {
			found += " " + path
		}
	}
	return found
}

// Who fills the store cannot see by what that leaves whether another uses the same, or
// has used it before: what it finds again is what it would alone.
func TestFloodsTellNothing(t *testing.T) {
	const page = 4 << 10
	give := "200\nCache-Control: max-age=86400\n\n" + strings.Repeat("x", page)
	type kind struct {
		sharing Sharing
		flood   int
	}
	var kinds []kind
	for _, flood := range []int{0, 1, 8, 14, 20, 40, 100} {
		kinds = append(kinds, kind{Disguised, flood}, kind{PerClient, flood})
	}
	for _, k := range kinds {
		var alone string
		for _, other := range []string{"", "before", "meanwhile", "often"} {
			s := newScene(t, Options{Sharing: k.sharing, Memory: 64 * (page + 3000), Object: 4 * page})
			load := func(client string, path string, n ...any) {
				s.run(step{after: time.Second, as: client, do: "GET " + fmt.Sprintf(path, n...), give: give})
			}
			again := func() {
				resp, err := s.rt.RoundTrip(s.request(step{as: "victim", do: "GET /secret"}))
				if err != nil {
					t.Fatal(err)
				}
				drain(resp.Body, page)
				s.c.settled()
			}
			if other == "before" || other == "often" {
				load("victim", "/secret")
			}
			for i := range 120 {
				load("mallory", "/fill/%d", i)
			}
			load("mallory", "/secret")
			s.give = give
			if other == "meanwhile" || other == "often" {
				again()
				again()
			}
			for i := range k.flood {
				load("mallory", "/flood/%d", i)
			}
			if other == "often" {
				again()
			}
			s.c.audit(t)
			found := s.heldBy("mallory", "", "/secret", "/fill/119", "/fill/118", "/fill/110", "/flood/0")
			if other == "" {
				alone = found
			} else if found != alone {
				t.Errorf("mode %d, %d pages later: %q finds%s, and if another asks %s%s", k.sharing, k.flood, "mallory", alone, other, found)
			}
		}
	}
}

// Nor by what it finds once it has something newer in the place of what it had, from a fetch
// that only seems to be made.
func TestNewerVersionsTellNothing(t *testing.T) {
	const page = 4 << 10
	give := "200\nCache-Control: max-age=1000\n\n" + strings.Repeat("x", page)
	for _, drawn := range []bool{false, true} {
		for _, flood := range []int{8, 12, 13, 14, 15, 16, 20} {
			var alone string
			for _, visited := range []bool{false, true} {
				s := newScene(t, Options{Memory: 64 * (page + 3000), Object: 4 * page})
				s.c.model.float = func() float64 { return 0.5 }
				s.letBodiesCome()
				s.give = give
				load := func(client string, path string, n ...any) {
					s.clock.advance(time.Second)
					resp, err := s.rt.RoundTrip(s.request(step{as: client, do: "GET " + fmt.Sprintf(path, n...)}))
					if err != nil {
						t.Fatal(err)
					}
					drain(resp.Body, page)
					s.c.settled()
				}
				load("mallory", "/secret")
				s.clock.advance(480 * time.Second)
				for i := range 4 {
					load("mallory", "/fill/%d", i)
				}
				load("mallory", "/secret") // which is what it used last
				s.clock.advance(20 * time.Second)
				if visited {
					load("victim", "/secret")
				}
				if drawn {
					for range 2 * maxSamples {
						s.c.model.record("http://origin.example", anew, 0, s.clock.Now(), habit{}) // as it took
					}
				}
				s.mu.Lock()
				s.asked = nil
				s.mu.Unlock()
				load("mallory", "/secret")
				if visited && drawn == (len(s.asked) > 0) {
					t.Fatalf("drawn is %v, and the origin was asked %d times", drawn, len(s.asked))
				}
				for i := range flood {
					load("mallory", "/flood/%d", i)
				}
				s.c.audit(t)
				found := s.heldBy("mallory", "", "/secret", "/fill/0", "/fill/1", "/fill/2", "/fill/3", "/flood/0")
				if !visited {
					alone = found
				} else if found != alone {
					t.Errorf("%d pages later, %q finds%s, and if another has it%s; drawn is %v", flood, "mallory", alone, found, drawn)
				}
			}
		}
	}
}

// What one client asks for takes nothing from another.
func TestFloodsTakeNothingOfOthers(t *testing.T) {
	const memory, page = 1 << 20, 8 << 10
	s := newScene(t, Options{Memory: memory})
	load := func(client, path string) {
		s.run(step{after: time.Second, as: client, do: "GET " + path,
			give: "200\nCache-Control: max-age=86400\n\n" + strings.Repeat("x", page)})
	}
	mine := []string{"/mine/0", "/mine/1", "/mine/2"}
	for _, path := range mine {
		load("a", path)
	}
	load("a", "/both")
	for i := range 4 * memory / page {
		load("b", fmt.Sprint("/flood/", i))
		s.c.audit(t)
	}
	load("b", "/both")
	if got := s.heldBy("a", "", append(mine, "/both")...); got != " /mine/0 /mine/1 /mine/2 /both" {
		t.Errorf("left:%s", got)
	}
	if got := s.c.Stats().Bytes; got > memory || got < memory*3/4 {
		t.Errorf("%d bytes are held", got) // what nobody claims stays while there is room
	}
	// Nor does it keep what it used itself for longer than what it used since.
	if got := s.heldBy("b", "", "/flood/0", "/flood/511", "/both"); got != " /flood/511 /both" {
		t.Errorf("left:%s", got)
	}
}

// However many clients have the same, each finds it again.
func TestManyClientsTakeNothingOfOthers(t *testing.T) {
	s := newScene(t, disguised)
	s.give = "200\nCache-Control: max-age=600\n\na"
	const clients = maxViews + 9
	for n := range clients {
		resp, err := s.rt.RoundTrip(s.request(step{as: fmt.Sprint(n)}))
		if err != nil {
			t.Fatal(err)
		}
		drain(resp.Body, 10)
		s.c.settled()
	}
	for n := range clients {
		if got := s.heldBy(fmt.Sprint(n), "", "/"); got != " /" {
			t.Fatalf("client %d finds%s", n, got)
		}
	}
}

// How many variants of a resource a client finds again does not tell whether another has one.
func TestVariantsTellNothing(t *testing.T) {
	var alone string
	for _, other := range []bool{false, true} {
		s := newScene(t, disguised)
		load := func(client string, n int) {
			s.run(step{after: time.Second, as: client, do: fmt.Sprintf("GET /\nFoo: %d", n),
				give: fmt.Sprintf("200\nCache-Control: max-age=600\nVary: Foo\n\n%d", n)})
		}
		for n := range maxVariants - 1 {
			load("mallory", n)
		}
		if other {
			load("victim", 100)
			load("victim", 101)
		}
		load("mallory", 99)
		s.c.audit(t)
		found := ""
		for n := range maxVariants {
			found += s.heldBy("mallory", fmt.Sprintf("\nFoo: %d", n), "/")
		}
		if !other {
			alone = found
		} else if found != alone || found == "" {
			t.Errorf("%q has%s, beside another%s", "mallory", alone, found)
		}
	}
}

// While bodies on their way leave no room for more, a response is not kept, and said to be
// fresh for as long as the origin says. A client who sees to it that there is none learns
// nothing of what is stored: it gets the same of what is.
func TestWantOfRoomTellsNothing(t *testing.T) {
	const memory, object = 1 << 20, 512 << 10
	for _, test := range []struct{ when, more string }{{"before", ""}, {"meanwhile", ""}, {"meanwhile", "\nAge: @age"}, {"meanwhile", "\nExpires: @60s"}} {
		when := test.when
		var alone string
		for _, visited := range []bool{false, true} {
			stage(t, Options{Memory: memory, Object: object}, func(th *theatre) {
				th.c.model.float = func() float64 { return 0.5 }
				begun, took := time.Now(), 100*time.Millisecond
				answer := func() {
					cl := th.call()
					time.AfterFunc(took, func() {
						more := strings.NewReplacer("@60s", formatDate(time.Now().Add(time.Minute)), "@age", fmt.Sprint(7+int(time.Since(begun).Seconds()))).Replace(test.more)
						cl.answer(storableFields+"\nDate: "+formatDate(time.Now())+more, "body")
					})
				}
				if visited {
					v := th.visitAs("victim", "/secret", "")
					answer()
					th.expectAll(v, "body")
				}
				time.Sleep(20 * time.Second)
				for range maxSamples / 2 {
					th.c.model.record("http://origin.example", anew, took, time.Now(), habit{})
				}
				var filler *call
				fill := func() { filler = th.fill(object, 1) }
				if when == "before" {
					fill()
				}
				v := th.visitAs("mallory", "/secret", "")
				if len(th.origin.calls) > 0 {
					answer()
				}
				if when == "meanwhile" {
					time.Sleep(took / 2)
					fill()
				}
				<-v.done
				if got := v.resp.Header.Get("Cache-Control"); got != storableFields[len("Cache-Control: "):] {
					th.t.Errorf("told %q, %s, visited %v", got, when, visited)
				}
				th.expectAll(v, "body")
				filler.answerBody("x")
				again := th.visitAs("mallory", "/secret", "")
				select {
				case <-again.done:
					th.t.Errorf("it is there at once, %s, visited %v", when, visited)
				default:
				}
				for len(th.origin.calls) > 0 {
					answer()
				}
				<-again.done
				date, _ := parseDate(v.resp.Header.Get("Date"), time.Now())
				in := expiresIn(v.resp.Header.Get("Expires"), date, time.Now())
				seen := fmt.Sprint(v.resp.StatusCode, v.resp.Header["Age"], in, again.resp.Header["Cache-Control"])
				th.expectAll(again, "body")
				if !visited {
					alone = seen
				} else if seen != alone {
					th.t.Errorf("%s: alone %s, after another's visit %s", when, alone, seen)
				}
			})
		}
	}
}

// fill has a client bring a body of that size to all but its rest, and read it as it comes.
func (th *theatre) fill(size int64, rest int) *call {
	v := th.visitAs("mallory", "/large", "")
	cl := th.call()
	cl.respond(storableFields, size)
	<-v.done
	go io.Copy(io.Discard, v.resp.Body)
	io.WriteString(cl.body, strings.Repeat("x", int(size)-rest))
	synctest.Wait()
	return cl
}

// Nor of what comes with no length: that there is no room shows only while the body comes.
func TestWantOfRoomForAnUnknownLengthTellsNothing(t *testing.T) {
	const memory, object = 1 << 20, 512 << 10
	page := strings.Repeat("page", 10<<10)
	for _, when := range []string{"before", "meanwhile"} {
		var alone string
		for _, visited := range []bool{false, true} {
			stage(t, Options{Memory: memory, Object: object}, func(th *theatre) {
				th.c.model.float = func() float64 { return 0.5 }
				const took = 100 * time.Millisecond
				answer := func() {
					cl := th.call()
					time.AfterFunc(took, func() {
						cl.respond(storableFields, -1)
						cl.answerBody(page)
					})
				}
				if visited {
					v := th.visitAs("victim", "/secret", "")
					answer()
					th.expectAll(v, page)
				}
				time.Sleep(20 * time.Second)
				var filler *call
				fill := func() { filler = th.fill(object, len(page)/2) }
				if when == "before" {
					fill()
				}
				for range maxSamples / 2 {
					th.c.model.record("http://origin.example", anew, took, time.Now(), habit{})
				}
				v := th.visitAs("mallory", "/secret", "")
				if len(th.origin.calls) > 0 {
					answer()
				}
				if when == "meanwhile" {
					time.Sleep(took / 2)
					fill()
				}
				<-v.done
				seen := fmt.Sprint(v.resp.Header["Cache-Control"], v.resp.ContentLength)
				th.expectAll(v, page)
				filler.answerBody(strings.Repeat("x", len(page)/2))
				again := th.visitAs("mallory", "/secret", "")
				select {
				case <-again.done:
					seen += ", there at once"
				default:
				}
				for len(th.origin.calls) > 0 {
					answer()
				}
				th.expectAll(again, page)
				if !visited {
					alone = seen
				} else if seen != alone {
					th.t.Errorf("%s: alone %s, after another's visit %s", when, alone, seen)
				}
			})
		}
	}
}
