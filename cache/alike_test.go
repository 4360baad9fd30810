package cache

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A saying is what an origin says of a resource that stays as it is.
type saying struct {
	fields  string // one a line, dates as a step writes them
	aged    bool   // it has an Age that grows, and a Date that stays
	heeds   string // a field that decides what comes, whether Vary says so or not
	cookies bool   // it sets one for who has none
	status  int
}

func one[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func drawSaying(r *rand.Rand) saying {
	return saying{
		fields: strings.Join(slices.DeleteFunc([]string{
			"Cache-Control: " + one(r, "max-age=20", "max-age=60", "max-age=60", "max-age=5", "max-age=0", "max-age=1", "no-cache", "no-cache, max-age=20",
				"no-store", "private, max-age=60", "public, max-age=20", "public, max-age=100", "s-maxage=30, max-age=5", "public",
				"max-age=10, stale-while-revalidate=20", "max-age=20, must-revalidate", "max-age=20, immutable", "max-age=40, private=\"X\"", "x"),
			one(r, "", "", "Vary: Foo", "Vary: Foo, Bar", "Vary: *", "Vary: Cookie", "Vary: Origin"),
			one(r, "", "ETag: \"1\"", "ETag: \"1\"", "ETag: W/\"1\""),
			one(r, "", "Last-Modified: Wed, 28 Feb 2024 12:00:00 GMT"),
			one(r, "", "", "Expires: @30s", "Expires: @0s", "Expires: @-10s"),
			one(r, "", "Date: @0s", "Date: @0s", "Date: @-4s", "Date: @15s", "Date: @-50s"),
		}, func(field string) bool { return field == "" }), "\n"),
		aged: r.IntN(4) == 0, cookies: r.IntN(4) == 0,
		heeds:  one(r, "", "", "Foo", "Accept", "Origin"),
		status: one(r, 200, 200, 200, 200, 203, 299, 301, 302, 308, 404, 416, 429),
	}
}

// answer is what the origin says to r.
func (o saying) answer(s *scene, r *http.Request) *http.Response {
	body := r.URL.Path + r.Header.Get(o.heeds)
	for _, name := range []string{"Foo", "Origin"} {
		if strings.Contains(o.fields, name) {
			body += r.Header.Get(name)
		}
	}
	fields := strings.ReplaceAll(o.fields, "\"1\"", fmt.Sprintf("\"%x\"", body))
	resp := parseResponse(s.dated(strconv.Itoa(o.status)+"\n"+fields+"\n\n"+body), r)
	h := resp.Header
	if o.heeds != "" {
		h.Del("Last-Modified") // the same for all, and no validator of one
	}
	if o.aged {
		h.Del("Expires")
		h["Age"] = []string{formatInt(3 + int64(s.clock.Now().Sub(newClock().Now())/time.Second))}
		h["Date"] = []string{formatDate(newClock().Now().Add(-3 * time.Second))}
	}
	if o.cookies && len(r.Header["Cookie"]) == 0 {
		h["Set-Cookie"] = []string{"a=b"}
	}
	c := conditionsOf(r.Header, s.clock.Now())
	switch {
	case r.Method == http.MethodPut:
		return parseResponse("204", r)
	case o.status == 200 && c.set && !c.since.IsZero() == (h.Get("Last-Modified") != "") && c.notModified(h, s.clock.Now()):
		resp = notModified(resp)
	case r.Method == http.MethodHead:
		resp.Body = http.NoBody
	}
	return resp
}

// A wish is one request of a play, and when it is made.
type wish struct {
	after time.Duration
	as    string
	do    string
	again bool // it has the client's tag as If-None-Match
}

func drawWish(r *rand.Rand) wish {
	w := wish{after: time.Duration(1+r.IntN(6)) * time.Second, as: one(r, "c", "a", "b"), again: r.IntN(5) == 0,
		do: one(r, "GET", "GET", "GET", "GET", "GET", "GET", "HEAD", "PUT") + " /" + one(r, "0", "0", "1")}
	for _, field := range []string{"Foo: " + one(r, "1", "2"), "Accept: " + one(r, "*/*", "text/html"), "Origin: " + one(r, "http://a", "http://b"),
		"Cookie: " + one(r, "x=1", "x=2"), "Authorization: Basic eA==", "Cache-Control: " + one(r, "no-cache", "max-age=0", "max-age=6", "max-stale",
			"min-fresh=4", "no-store", "only-if-cached"), "If-Modified-Since: @" + one(r, "-10s", "-90000s"), "If-None-Match: *"} {
		if r.IntN(7) == 0 {
			w.do += "\n" + field
		}
	}
	if strings.HasPrefix(w.do, "PUT") {
		w.do += "\n\nx"
	} else if strings.Contains(w.do, "If-None-Match") {
		w.again = false
	}
	return w
}

// A spell is a time in which an origin says the same, or fails.
type spell struct {
	until   time.Duration // since the beginning; the last one has no end
	sayings []saying
	fails   string // what it answers instead, or "error"; "" if it does not
}

func drawSpells(r *rand.Rand, sayings []saying) (spells []spell) {
	for until := time.Duration(0); until < 5*time.Minute; {
		until += time.Duration(5+r.IntN(40)) * time.Second
		spells = append(spells, spell{until, slices.Clone(sayings), one(r, "", "", "", "503\n\ndown", "error")})
		switch of, other := &sayings[r.IntN(len(sayings))], drawSaying(r); r.IntN(3) {
		case 0:
			_, rest, _ := strings.Cut(of.fields, "\n")
			now, _, _ := strings.Cut(other.fields, "\n")
			of.fields = now + "\n" + rest // fresh for another time
		case 1:
			if !strings.Contains(of.fields, "Last-Modified") && !strings.Contains(of.fields, "ETag") { // a 304 would speak of the status before
				of.status = other.status
			}
		}
	}
	return spells
}

// say is what the origin answers to r after the given time.
func say(spells []spell, since time.Duration, s *scene, r *http.Request) (*http.Response, error) {
	now := spells[0]
	for _, now = range spells {
		if since < now.until {
			break
		}
	}
	switch now.fails {
	case "":
		return now.sayings[r.URL.Path[1]-'0'].answer(s, r), nil
	case "error":
		return nil, errOrigin
	}
	return parseResponse(now.fails, r), nil
}

// watch has the wishes of some clients made, and returns all that c sees.
func watch(t *testing.T, spells []spell, seal *sealer, wishes []wish, also bool) (seen []string) {
	s := newScene(t, disguised)
	defer s.c.Close()
	s.c.sealer = seal // tags of the same look
	s.c.sleep = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	begun := s.clock.Now()
	s.rt = s.c.Transport(roundTripper(func(r *http.Request) (*http.Response, error) {
		return say(spells, s.clock.Now().Sub(begun), s, r)
	}))
	s.clock.advance(500 * time.Millisecond) // no second ends with a beat
	tags := map[string]string{}
	for _, w := range wishes {
		s.clock.advance(w.after)
		if w.as != "c" && !also {
			continue
		}
		r := s.request(step{as: w.as, do: w.do})
		if tag := tags[w.as+r.URL.Path]; w.again && tag != "" && r.Method != http.MethodPut {
			r.Header["If-None-Match"] = []string{tag}
		}
		resp, err := s.rt.RoundTrip(r)
		if err != nil {
			if w.as == "c" {
				seen = append(seen, fmt.Sprintf("%q: %v", w.do, err))
			}
			continue
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		s.c.settled()
		s.c.audit(t)
		tags[w.as+r.URL.Path] = resp.Header.Get("ETag")
		if w.as == "c" {
			sight := fmt.Sprintf("%q %v: %d, %d bytes", w.do, r.Header["If-None-Match"], resp.StatusCode, resp.ContentLength)
			for _, name := range slices.Sorted(maps.Keys(resp.Header)) {
				sight += fmt.Sprintf("\n\t%s: %q", name, resp.Header[name])
			}
			seen = append(seen, sight+"\n\t"+string(body))
		}
	}
	return seen
}

// Whatever others ask for, and however: of resources that do not change, a client sees in
// every answer what it would see alone.
func TestAnswersAreAsIfAlone(t *testing.T) {
	const seeds = 300
	for seed := range uint64(seeds) {
		r := rand.New(rand.NewPCG(seed, 9))
		sayings := []saying{drawSaying(r), drawSaying(r)}
		wishes := make([]wish, 40)
		for i := range wishes {
			wishes[i] = drawWish(r)
		}
		compareAlone(t, seed, []spell{{sayings: sayings}}, wishes)
	}
}

// So it does of resources that answer with another status or lifetime than before, or fail;
// what they contain stays.
func TestAnswersOfWhatChangesAreAsIfAlone(t *testing.T) {
	plays := []uint64{1379, 1436} // which once differed
	for seed := range uint64(300) {
		plays = append(plays, seed)
	}
	for _, seed := range plays {
		r := rand.New(rand.NewPCG(seed, 13))
		sayings := []saying{drawSaying(r), drawSaying(r)}
		for i := range sayings {
			if r.IntN(2) == 0 {
				sayings[i].fields = strings.Replace(sayings[i].fields, "max-age=", "stale-if-error=60, max-age=", 1)
			}
		}
		spells, wishes := drawSpells(r, sayings), make([]wish, 60)
		for i := range wishes {
			if wishes[i] = drawWish(r); r.IntN(3) > 0 && !strings.HasPrefix(wishes[i].do, "PUT") {
				wishes[i].do, _, _ = strings.Cut(wishes[i].do, "\n")
			}
		}
		compareAlone(t, seed, spells, wishes)
	}
}

// compareAlone fails if what one client sees of its wishes depends on those of others.
func compareAlone(t *testing.T, seed uint64, spells []spell, wishes []wish) {
	t.Helper()
	seal := newSealer()
	alone, among := watch(t, spells, seal, wishes, false), watch(t, spells, seal, wishes, true)
	for i := range alone {
		if alone[i] != among[i] {
			t.Fatalf("%d: of %+v\nalone  %s\namong %s\nof %+v", seed, spells, alone[i], among[i], wishes)
		}
	}
}
