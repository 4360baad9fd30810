package cache

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// A pretended fetch takes no more than twice what was seen of late, or of the
// resource itself: of an origin that is now fast, now slow, hours could be drawn.
func TestDrawnTimesAreBounded(t *testing.T) {
	const fast, slow, origin = 5 * time.Millisecond, 500 * time.Millisecond, "http://origin.example"
	m, now := newLatencyModel(rand.Float64), time.Now()
	for i := range 6 {
		took := fast
		if i%2 == 0 {
			took = slow
		}
		m.record(origin, anew, took, now, habit{})
		m.recordBody(origin, timing{tail: 4 * took, size: bulk, at: now}, habit{})
	}
	e := &entry{timing: timing{head: time.Millisecond, tail: 2 * time.Second, size: bulk}}
	var h manner
	for range 1000 {
		took, _, ok := m.draw(origin, anew, e, h, now)
		if !ok {
			t.Fatal("nothing was drawn")
		}
		if took.head > 2*slow || took.tail > 2*e.timing.tail {
			t.Fatalf("drawn: %v to the head and %v to the end", took.head, took.tail)
		}
	}
	h.head = habit{1, outlying} // nothing like the others
	if took, _, _ := m.draw(origin, anew, e, h, now); took.head > 2*slow {
		t.Errorf("drawn: %v", took.head)
	}
}

// Drawn times are as far apart as measured ones, however few those were: who breaks off
// before most answers come does not find a page again more often for it. And no
// measured time comes again.
func TestDrawnTimesScatterAsMeasuredOnes(t *testing.T) {
	const trials, origin, spread = 6000, "http://origin.example", 0.25
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{minSamples, 8, maxSamples} {
		drawn, early, again := 0.0, 0.0, 0.0
		for range trials {
			m, now := newLatencyModel(r.Float64), time.Now()
			var measured []float64
			for range n {
				x := spread * r.NormFloat64()
				measured = append(measured, x)
				m.record(origin, anew, time.Duration(1e7*math.Exp(x)), now, habit{})
			}
			took, _, ok := m.draw(origin, anew, &entry{timing: timing{head: 1e7}}, manner{}, now)
			if !ok {
				continue
			}
			drawn++
			x := math.Log(float64(took.head) / 1e7)
			if x < -1.96*spread { // as 2.5 % of measured ones
				early++
			}
			if slices.ContainsFunc(measured, func(y float64) bool { return math.Abs(x-y) < spread/100 }) {
				again++ // as 4 % of measured ones for 8, and less for fewer
			}
		}
		t.Logf("of %d times: %.0f drawn, %.1f %% early, %.1f %% again", n, drawn, 100*early/drawn, 100*again/drawn)
		if drawn < trials*3/4 || early > 0.05*drawn || again > 0.065*drawn && n <= 8 {
			t.Errorf("of %d times: %.0f drawn, %.1f %% early, %.1f %% again", n, drawn, 100*early/drawn, 100*again/drawn)
		}
	}
}

// Times that depend on the ones before them are not drawn: who has just measured
// one knows more of the next.
func TestRestlessOriginsAreAsked(t *testing.T) {
	const origin = "http://origin.example"
	r := rand.New(rand.NewPCG(1, 2))
	for name, level := range map[string]func(i int) float64{
		"steady":              func(int) float64 { return 0 },
		"a load that changes": func(i int) float64 { return float64(i / 3 * 7 % 5) },
		"one that just did":   func(i int) float64 { return float64(i / (maxSamples - 1)) },
	} {
		drawn := 0
		const trials = 200
		for range trials {
			m, now := newLatencyModel(r.Float64), time.Now()
			for i := range maxSamples {
				x := 3*level(i) + 0.3*r.NormFloat64()
				m.record(origin, anew, time.Duration(1e7*math.Exp(x)), now, habit{})
			}
			if _, _, ok := m.draw(origin, anew, &entry{timing: timing{head: 1e7}}, manner{}, now); ok {
				drawn++
			}
		}
		if name == "steady" && drawn < trials*3/4 || name != "steady" && drawn > trials/20 {
			t.Errorf("%s: drawn %d times of %d", name, drawn, trials)
		}
	}
}

// A resource that takes another time than all others of its origin is asked about, and in a
// rush, when that would be too often, the time of its own is drawn.
func TestWhatIsUnlikeOthersIsAskedAbout(t *testing.T) {
	const origin, usual, trials = "http://origin.example", 1e7, 300
	r := rand.New(rand.NewPCG(1, 2))
	for _, times := range []float64{0.1, 1, 6} {
		for _, known := range []string{"how much it differed", "no more than what it took"} {
			asked, off := 0, 0
			for i := range trials {
				m, now := newLatencyModel(r.Float64), time.Now()
				e := &entry{timing: timing{head: time.Duration(times * usual)}}
				for i := range maxSamples {
					took := time.Duration(usual * math.Exp(0.1*r.NormFloat64()))
					m.record(origin, anew, took, now, habit{})
					if i == maxSamples/2 && known == "how much it differed" {
						e.manner.head = m.record(origin, anew, e.timing.head, now, habit{})
					}
				}
				if i%2 == 0 {
					m.of(origin).counted = now // it was just asked often
				}
				took, _, ok := m.draw(origin, anew, e, e.manner, now)
				switch {
				case !ok && i%2 == 1:
					asked++
				case ok && math.Abs(math.Log(float64(took.head)/float64(e.timing.head))) > 0.5:
					off++
				}
			}
			if off > trials/20 || times == 1 && asked > trials/4 || times != 1 && asked < trials/2 {
				t.Errorf("%v times as long, known is %s: asked %d times of %d, far off %d", times, known, asked, trials/2, off)
			}
		}
	}
}

// An origin that has some answers at hand and has to make others takes one time or the
// other, and what is drawn does, too: who breaks off between the two, or looks whether anything comes
// then, sees no difference.
func TestNothingIsDrawnBetweenKindsOfTimes(t *testing.T) {
	const origin, fast, slow, trials = "http://origin.example", 2e6, 25e6, 2000
	r := rand.New(rand.NewPCG(1, 2))
	oneTime := func() time.Duration {
		if r.IntN(2) == 0 {
			return time.Duration(fast * math.Exp(0.1*r.NormFloat64()))
		}
		return time.Duration(slow * math.Exp(0.1*r.NormFloat64()))
	}
	for _, n := range []int{minSamples, 8, maxSamples} {
		drawn, between := 0, 0
		for range trials {
			m, now := newLatencyModel(r.Float64), time.Now()
			for range n {
				m.record(origin, anew, oneTime(), now, habit{})
			}
			took, _, ok := m.draw(origin, anew, &entry{timing: timing{head: oneTime()}}, manner{}, now)
			if !ok {
				continue
			}
			drawn++
			if took.head > 3*time.Millisecond && took.head < 17*time.Millisecond {
				between++
			}
		}
		t.Logf("of %d times: %d drawn, %d between", n, drawn, between)
		if drawn < trials/4 || between > drawn/8 {
			t.Errorf("of %d times: %d drawn, %d between", n, drawn, between)
		}
	}
}

// In a rush even a restless origin is not asked each time.
func TestRestlessOriginsAreSavedInARush(t *testing.T) {
	const origin = "http://origin.example"
	m, now := newLatencyModel(rand.Float64), time.Now()
	for i := range maxSamples {
		m.record(origin, anew, time.Duration(1+i/(maxSamples-1)*99)*time.Millisecond, now, habit{})
	}
	asked := 0
	for i := range 1000 {
		if _, _, ok := m.draw(origin, anew, &entry{}, manner{}, now.Add(time.Duration(i)*time.Millisecond)); !ok {
			asked++
		}
	}
	if asked < maxAsks || asked > 2*maxAsks {
		t.Errorf("asked %d times in a second", asked)
	}
}

// How long a body takes that comes visibly after its head is not known from its head's
// time, nor from the bodies of others that come at once.
func TestSlowBodiesAreMeasured(t *testing.T) {
	const origin = "http://origin.example"
	m, now := newLatencyModel(rand.Float64), time.Now()
	slow := timing{head: time.Millisecond, tail: 50 * time.Millisecond, size: 6000, at: now}
	e := &entry{timing: slow}
	for range minSamples {
		m.record(origin, anew, time.Millisecond, now, habit{})
		m.recordBody(origin, timing{tail: firstBeat / 4, size: 6000, at: now}, habit{})
	}
	if took, _, ok := m.draw(origin, anew, e, manner{}, now); ok {
		t.Errorf("drawn: %v", took)
	}
	for range minSamples {
		m.recordBody(origin, slow, habit{})
	}
	if took, _, ok := m.draw(origin, anew, e, manner{}, now); !ok || (took.tail-slow.tail).Abs() > time.Microsecond {
		t.Errorf("drawn: %v, %v", took, ok)
	}
}

// While an origin fails, a first use asks it: who has just seen that it does would see by an
// answer that it was there.
func TestOriginsThatFailAreAsked(t *testing.T) {
	const give = "200\nCache-Control: max-age=600\n\na"
	for failure, want := range map[string]string{"error": "error", "429\n\nno": "429\n\nno", "403\n\nno": "403\n\nno", "500\n\nno": "500\n\nno", "404\n\nno": ""} {
		s := newScene(t, disguised)
		s.c.model.float = func() float64 { return 0.5 }
		s.letBodiesCome()
		for i := range 2 * minSamples {
			s.run(step{as: "a", do: fmt.Sprintf("GET /%d", i), give: give})
		}
		s.run(step{as: "b", do: "GET /1", want: "200\n\na"})
		failed := step{as: "b", do: "GET /other", give: failure, want: failure}
		s.run(failed)
		first := step{as: "b", do: "GET /2", give: failure, want: want}
		if want == "" {
			first.give, first.want = "", "200\n\na"
		}
		s.run(first)
	}
}
