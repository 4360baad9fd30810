package cache

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A move is a wish whose time is counted from the beginning: others may be under way.
type move struct {
	at     time.Duration
	as     string
	do     string
	leaves time.Duration // so long after it asked; 0 means that it stays
}

func drawMove(r *rand.Rand) move {
	m := move{at: time.Duration(r.IntN(40000)) * time.Millisecond, as: one(r, "c", "a", "b"),
		do: one(r, "GET", "GET", "GET", "GET", "GET", "HEAD", "PUT") + " /" + one(r, "0", "0", "1")}
	for _, field := range []string{"Foo: " + one(r, "1", "2"), "Accept: " + one(r, "*/*", "text/html"), "Cookie: " + one(r, "x=1", "x=2"),
		"Cache-Control: " + one(r, "no-cache", "max-age=0", "max-stale", "no-store", "only-if-cached"), "If-None-Match: *", "Range: bytes=0-1"} {
		if r.IntN(8) == 0 {
			m.do += "\n" + field
		}
	}
	if r.IntN(6) == 0 {
		m.leaves = time.Duration(1+r.IntN(2500)) * time.Millisecond
	}
	if strings.HasPrefix(m.do, "PUT") {
		m.do += "\n\nx"
	}
	return m
}

// watchOverlapping has the moves of some clients made, at an origin that takes its time,
// and returns all that c sees, and when.
func watchOverlapping(t *testing.T, sayings []saying, seal *sealer, moves []move, length, also bool) (seen []string) {
	synctest.Test(t, func(t *testing.T) {
		s := &scene{t: t, clock: newClock(), c: New(disguised)}
		s.c.sealer, s.c.sleep = seal, sleepTimer // tags of the same look, the bubble's clock
		s.c.model.float = func() float64 { return 0.5 }
		s.rt = s.c.Transport(roundTripper(func(r *http.Request) (*http.Response, error) {
			if err := sleepTimer(r.Context(), 700370*time.Microsecond); err != nil {
				return nil, err
			}
			now := time.Now()
			s.clock.advance(now.Sub(s.clock.Now())) // for the dates that it says
			resp := sayings[r.URL.Path[1]-'0'].answer(s, r)
			if resp.StatusCode != http.StatusNotModified && r.Method == http.MethodGet {
				resp.Body = io.NopCloser(&moodyReader{resp.Body, r.Context(), 300210 * time.Microsecond})
				if !length {
					resp.ContentLength = -1
				}
			}
			return resp, nil
		}))
		time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(1500 * time.Millisecond)))
		begun := time.Now()
		sights := make([]string, len(moves))
		for i, m := range moves {
			if m.as != "c" && !also {
				continue
			}
			time.AfterFunc(m.at, func() { sights[i] = s.sight(begun, m) })
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		s.c.idle(t)
		s.c.Close()
		for i, m := range moves {
			if m.as == "c" {
				seen = append(seen, fmt.Sprintf("%v, for %v: %q %s", m.at, m.leaves, m.do, sights[i]))
			}
		}
	})
	return seen
}

// asIfAlone checks that c sees among others what it sees alone.
func asIfAlone(t *testing.T, sayings []saying, moves []move) {
	t.Helper()
	seal := newSealer()
	alone := watchOverlapping(t, sayings, seal, moves, true, false)
	among := watchOverlapping(t, sayings, seal, moves, true, true)
	for i := range alone {
		if alone[i] != among[i] {
			t.Errorf("alone  %s\namong %s", alone[i], among[i])
		}
	}
}

// sight makes a move and returns all that its client sees.
func (s *scene) sight(begun time.Time, m move) string {
	r := s.request(step{as: m.as, do: m.do})
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	if m.leaves > 0 {
		time.AfterFunc(m.leaves, cancel)
	}
	resp, err := s.rt.RoundTrip(r.WithContext(ctx))
	if err != nil {
		return fmt.Sprint(err, " after ", time.Since(begun))
	}
	sight := fmt.Sprintf("%d, %d bytes, after %v", resp.StatusCode, resp.ContentLength, time.Since(begun))
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	for _, name := range slices.Sorted(maps.Keys(resp.Header)) {
		sight += fmt.Sprintf("\n\t%s: %q", name, resp.Header[name])
	}
	return fmt.Sprintf("%s\n\t%s, %v after %v", sight, body, err, time.Since(begun))
}

// Whatever others ask for, however and at the same time: of resources that do not change a
// client sees what it would see alone, when it would.
func TestOverlappingAnswersAreAsIfAlone(t *testing.T) {
	plays := []uint64{5184, 7027, 10952, 13810, 14232, 17355, 17824, 18054, 19873, 21488, 23571, 12884, 17849, 202005, 202319, 27247, 100114, 241181, 249282} // which once differed
	for seed := range uint64(400) {
		plays = append(plays, seed)
	}
	for _, seed := range plays {
		r := rand.New(rand.NewPCG(seed, 11))
		sayings := []saying{drawSaying(r), drawSaying(r)}
		moves := make([]move, 30)
		for i := range moves {
			moves[i] = drawMove(r)
		}
		slices.SortFunc(moves, func(a, b move) int { return int(a.at - b.at) })
		for i := range moves {
			moves[i].at += time.Duration(i) * 7 * time.Microsecond // no two things at the same instant, whose order nobody knows
		}
		length, seal := r.IntN(2) == 0, newSealer()
		alone := watchOverlapping(t, sayings, seal, moves, length, false)
		among := watchOverlapping(t, sayings, seal, moves, length, true)
		for i := range alone {
			if alone[i] != among[i] {
				t.Fatalf("%d: of %+v\nalone  %s\namong %s\nof %+v", seed, sayings, alone[i], among[i], moves)
			}
		}
	}
}

// A client that asks again while its own request is under way sees what it would alone, too
// where what others fetched may not be given to who comes by then, and where what the client
// asked for before, in other words, could not be stored.
func TestOwnOverlapsAreAsIfAlone(t *testing.T) {
	again := []move{{at: 20129 * time.Millisecond, as: "c", do: "GET /0"}, {at: 20517 * time.Millisecond, as: "c", do: "GET /0"}, {at: 25025 * time.Millisecond, as: "c", do: "GET /0"}}
	for name, before := range map[string][]move{
		"it becomes too old": {{at: 10506 * time.Millisecond, as: "a", do: "GET /0"}},
		"another gets it":    {{at: 18760 * time.Millisecond, as: "a", do: "GET /0"}, {at: 19211 * time.Millisecond, as: "b", do: "GET /0"}},
		"another writes":     {{at: 15 * time.Second, as: "a", do: "GET /0"}, {at: 19500 * time.Millisecond, as: "b", do: "PUT /0\n\nx"}},
		"credentials before": {{at: 13 * time.Second, as: "a", do: "GET /0"}, {at: 15 * time.Second, as: "c", do: "GET /0\nAuthorization: Basic eA=="}},
	} {
		t.Run(name, func(t *testing.T) {
			asIfAlone(t, []saying{{fields: "Cache-Control: max-age=20", status: 200}}, slices.Concat(before, again))
		})
	}
}

// So does one that asks in other words meanwhile, or with other cookies: what it gets then is not
// there before its end, nor says that a validator came twice.
func TestOwnOverlapsInOtherWordsAreAsIfAlone(t *testing.T) {
	const plain, other, one, two, proven = "GET /0", "GET /0\nFoo: 1", "GET /0\nCookie: x=1", "GET /0\nCookie: x=2", "GET /0\nAuthorization: Basic eA=="
	times := func(before []move, does ...string) []move {
		for i, do := range does {
			before = append(before, move{at: []time.Duration{18517, 19329, 20149}[i] * time.Millisecond, as: "c", do: do})
		}
		return before
	}
	for name, moves := range map[string][]move{
		"both there":       {{at: 11 * time.Second, as: "a", do: plain}, {at: 14 * time.Second, as: "b", do: other}, {at: 18517 * time.Millisecond, as: "c", do: plain}, {at: 18629 * time.Millisecond, as: "c", do: other}, {at: 19683 * time.Millisecond, as: "c", do: other}},
		"one there":        times([]move{{at: 17 * time.Second, as: "a", do: other}}, plain, other, plain+"\nCache-Control: no-cache"),
		"other cookies":    times([]move{{at: 14 * time.Second, as: "a", do: plain}}, one, two, one),
		"the same cookies": times([]move{{at: 14 * time.Second, as: "a", do: plain}}, one, one, one),
		"about a copy":     {{at: 14 * time.Second, as: "a", do: plain}, {at: 18517 * time.Millisecond, as: "c", do: one}, {at: 18829 * time.Millisecond, as: "c", do: one + "\nIf-None-Match: *"}},
		"credentials":      times([]move{{at: 14 * time.Second, as: "a", do: plain}}, proven, proven, proven),
	} {
		for _, last := range []time.Duration{0, time.Second} {
			t.Run(fmt.Sprint(name, last), func(t *testing.T) {
				moves[len(moves)-1].at += last
				asIfAlone(t, []saying{{fields: "Cache-Control: public, max-age=20\nETag: \"1\"", status: 200}}, moves)
			})
		}
	}
}

// What it asked for in other words before, and comes to its end later, takes nothing of what it
// has got since.
func TestOwnOverlapThatEndsLaterIsAsIfAlone(t *testing.T) {
	asIfAlone(t, []saying{{fields: "Cache-Control: max-age=20\nETag: \"1\"", heeds: "Foo", status: 200}}, []move{
		{at: 2 * time.Second, as: "c", do: "GET /0"}, {at: 14011 * time.Millisecond, as: "c", do: "GET /0"}, // its validator came twice
		{at: 26 * time.Second, as: "a", do: "GET /0"},
		{at: 28011 * time.Millisecond, as: "c", do: "GET /0\nFoo: 1"}, {at: 28071 * time.Millisecond, as: "c", do: "GET /0"},
		{at: 38745 * time.Millisecond, as: "c", do: "HEAD /0"}})
}

// It joins what it asks for, though it was given something else, of a later date, before.
func TestOwnOverlapIsWhatWasGivenLast(t *testing.T) {
	asIfAlone(t, []saying{{fields: "Cache-Control: max-age=3\nETag: \"1\"", status: 200}}, []move{
		{at: 2 * time.Second, as: "c", do: "GET /0"}, {at: 27311 * time.Millisecond, as: "a", do: "GET /0"},
		{at: 28011 * time.Millisecond, as: "c", do: "GET /0\nFoo: 1"}, {at: 28911 * time.Millisecond, as: "c", do: "GET /0"},
		{at: 29829 * time.Millisecond, as: "c", do: "GET /0"}})
}

// Nor does what a client knew of it in parts.
func TestAWholeAfterAPartIsAsIfAlone(t *testing.T) {
	for _, visited := range []bool{false, true} {
		s := newScene(t, disguised)
		const fields = "\nCache-Control: max-age=60"
		if visited {
			s.run(step{as: "a", give: "200" + fields + "\n\nwhole"})
		}
		s.run(step{after: 10 * time.Second, as: "c", do: "GET /\nRange: bytes=0-1", give: "206" + fields + "\nContent-Range: bytes 0-1/5\n\nwh", want: "206"},
			step{after: 10 * time.Second, as: "c", give: "200" + fields + "\n\nwhole", want: "200\n\nwhole"},
			step{after: 5 * time.Second, as: "c", want: "200\nAge: 5\n\nwhole"})
	}
}

// Nor does what others get of it show that somebody asked for a part.
func TestAPartLeavesTheWholeAsItWas(t *testing.T) {
	const fields = "\nCache-Control: max-age=60\nETag: \"1\"\nContent-MD5: whole"
	newScene(t, disguised).run(
		step{as: "a", give: "200" + fields + "\nContent-Length: -1\n\nabcdef", want: "200"},
		step{after: 40 * time.Second, as: "a", do: "GET /\nRange: bytes=0-2", give: "206\nCache-Control: max-age=60\nETag: \"1\"\nContent-MD5: part\nContent-Range: bytes 0-2/6\n\nabc", want: "206"},
		step{as: "b", give: "200" + fields + "\nContent-Length: -1\n\nanother", want: "200\nContent-MD5: whole\nContent-Length: -1\n\nabcdef"})
}

// Nor do they get a whole that was put together of parts: it has the header of one of them.
func TestAWholeOfPartsIsForItsClientAlone(t *testing.T) {
	const fields = "\nCache-Control: max-age=60\nETag: \"1\"\nContent-Length: 3\nContent-Range: bytes "
	newScene(t, disguised).run(
		step{as: "a", do: "GET /\nRange: bytes=0-2", give: "206" + fields + "0-2/6\n\nabc", want: "206"},
		step{as: "a", do: "GET /\nRange: bytes=3-5", give: "206" + fields + "3-5/6\n\ndef", want: "206"},
		step{as: "b", give: "200\nCache-Control: max-age=60\nETag: \"1\"\nContent-Type: text/plain\n\nabcdef", want: "200\nContent-Type: text/plain\n\nabcdef"},
		step{after: time.Second, as: "a", want: "200\nContent-Length: 6\n\nabcdef"},
		step{as: "b", want: "200\nContent-Type: text/plain\n\nabcdef"})
}

// So does one that is given a response so late that what it is told of its lifetime would end
// behind the origin's, whether the time that it waits for is drawn or asked for.
func TestWhatIsGivenTooLateIsAsIfAlone(t *testing.T) {
	moves := []move{
		{at: 10 * time.Second, as: "a", do: "GET /0"},
		{at: 19900 * time.Millisecond, as: "c", do: "GET /0"},
		{at: 35300 * time.Millisecond, as: "c", do: "GET /0\nCache-Control: max-stale=5"},
	}
	var others []move
	for i := range minSamples {
		others = append(others, move{at: 18500*time.Millisecond + time.Duration(i)*10*time.Millisecond, as: "b", do: "GET /1\nCache-Control: no-cache"})
	}
	for name, before := range map[string][]move{"asked": nil, "drawn": others} {
		t.Run(name, func(t *testing.T) {
			asIfAlone(t, []saying{{fields: "Cache-Control: max-age=20", status: 200}, {fields: "Cache-Control: max-age=20", status: 200}}, slices.Concat(before, moves))
		})
	}
}
