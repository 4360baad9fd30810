package proxy

import (
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"guise/cache"
)

// probes is the variable that says how many probes the long form of
// TestProbing sends of each kind; without it a few are sent, and no time counts.
const probes = "GUISE_PROBES"

// A probing is an attack over sockets: mallory tries to tell whether the victim has
// visited a URL.
type probing struct {
	manner
	load     float64       // the origin's changes up to so many times, before each look
	controls int           // URLs that nobody visited, which mallory looks at first
	second   time.Duration // mallory asks again so long after it asked; 0 means it does not
	fresh    bool          // a connection for each look
	beside   bool          // what it asks then is another URL, which nobody visited
	within   bool          // mallory is in one process with the origin
}

var probings = map[string]probing{
	"0.1 ms, 2 kB":            {manner: manner{median: 100 * time.Microsecond, size: 2000, pieces: 1}, controls: 5},
	"0.1 ms, 70 kB":           {manner: manner{median: 100 * time.Microsecond, size: 70000, pieces: 1}, controls: 5},
	"0.1 ms, 20 kB chunked":   {manner: manner{median: 100 * time.Microsecond, size: 20000, pieces: 1, chunked: true}, controls: 5},
	"0.1 ms, 1 MB":            {manner: manner{median: 100 * time.Microsecond, size: 1 << 20, pieces: 1}, controls: 5},
	"0.1 ms, new connections": {manner: manner{median: 100 * time.Microsecond, size: 2000, pieces: 1}, controls: 5, fresh: true},
	"0.1 ms, a second request 0.5 ms after the first":           {manner: manner{median: 100 * time.Microsecond, size: 2000, pieces: 1}, controls: 5, second: 500 * time.Microsecond},
	"0.1 ms, the same, in the origin's process":                 {manner: manner{median: 100 * time.Microsecond, size: 2000, pieces: 1}, controls: 5, second: 500 * time.Microsecond, within: true},
	"0.1 ms, a request for another 0.5 ms after the first":      {manner: manner{median: 100 * time.Microsecond, size: 2000, pieces: 1}, controls: 5, second: 500 * time.Microsecond, beside: true},
	"0.1 ms, that in the origin's process":                      {manner: manner{median: 100 * time.Microsecond, size: 2000, pieces: 1}, controls: 5, second: 500 * time.Microsecond, beside: true, within: true},
	"1 ms":                                                      {manner: manner{median: time.Millisecond, spread: 0.25, size: 2000, pieces: 1}, controls: 5},
	"5 ms":                                                      {manner: manner{median: 5 * time.Millisecond, spread: 0.25, size: 2000, pieces: 1}, controls: 5},
	"20 ms":                                                     {manner: manner{median: 20 * time.Millisecond, spread: 0.25, size: 2000, pieces: 1}, controls: 5},
	"5 ms, in the origin's process":                             {manner: manner{median: 5 * time.Millisecond, spread: 0.25, size: 2000, pieces: 1}, controls: 5, within: true},
	"5 ms, no control":                                          {manner: manner{median: 5 * time.Millisecond, spread: 0.25, size: 2000, pieces: 1}},
	"2.5 to 12.5 ms":                                            {manner: manner{median: 2500 * time.Microsecond, spread: 0.1, size: 2000, pieces: 1}, load: 5, controls: 5},
	"2.5 to 12.5 ms, one control":                               {manner: manner{median: 2500 * time.Microsecond, spread: 0.1, size: 2000, pieces: 1}, load: 5, controls: 1},
	"2.5 to 12.5 ms, two controls":                              {manner: manner{median: 2500 * time.Microsecond, spread: 0.1, size: 2000, pieces: 1}, load: 5, controls: 2},
	"6 ms by resource":                                          {manner: manner{median: 6 * time.Millisecond, spread: 0.1, byResource: 0.4, size: 2000, pieces: 1}, controls: 5},
	"3 ms, then six pieces a millisecond apart":                 {manner: manner{median: 3 * time.Millisecond, spread: 0.25, size: 60000, pieces: 6, gap: time.Millisecond}, controls: 5},
	"3 ms, then twelve pieces five milliseconds apart":          {manner: manner{median: 3 * time.Millisecond, spread: 0.25, size: 6000, pieces: 12, gap: 5 * time.Millisecond}, controls: 5},
	"0.1 ms, nothing":                                           {manner: manner{median: 100 * time.Microsecond, pieces: 1}, controls: 5},
	"3 ms, then six pieces two milliseconds apart, chunked":     {manner: manner{median: 3 * time.Millisecond, spread: 0.25, size: 60000, pieces: 6, gap: 2 * time.Millisecond, chunked: true}, controls: 5},
	"3 ms, then a hundred pieces two milliseconds apart":        {manner: manner{median: 3 * time.Millisecond, spread: 0.25, size: 20000, pieces: 100, gap: 2 * time.Millisecond}, controls: 5},
	"3 to 15 ms, then six pieces two to ten milliseconds apart": {manner: manner{median: 3 * time.Millisecond, spread: 0.25, size: 60000, pieces: 6, gap: 2 * time.Millisecond}, load: 5, controls: 2},
}

// try is one trial: what mallory sees of a URL that the victim has visited, or has not.
func (a probing) try(t *testing.T, g *probingGround, n int, visited bool) (times, forms map[string]float64) {
	uri := func(name string) string { return g.origin + a.path(fmt.Sprint(n, name)) }
	load := func() {
		if a.load > 0 {
			g.order(math.Pow(a.load, g.rand.Float64()))
		}
	}
	load()
	if visited {
		g.victim.look(t, uri("secret"))
	} else {
		g.victim.look(t, uri("another"))
	}
	load()
	var controls []view
	for i := range a.controls {
		controls = append(controls, g.mallory.look(t, uri(fmt.Sprint("control", i))))
	}
	if a.fresh {
		g.mallory.leave()
	}
	begun := g.mallory.ask(t, uri("secret"))
	var again view
	done := make(chan struct{})
	go func() {
		defer close(done)
		if a.second > 0 {
			time.Sleep(a.second - time.Since(begun))
			what := "secret"
			if a.beside {
				what = "beside"
			}
			again = g.twin.look(t, uri(what))
		}
	}()
	seen := g.mallory.see(t, begun)
	<-done
	times, forms = seen.times(), seen.forms()
	if a.second > 0 {
		for name, x := range again.times() {
			times["second "+name] = x
		}
		times["second against first"] = times["second end"] - times["end"]
	}
	compare := func(by string, with ...view) {
		for _, name := range []string{"head", "tail", "end"} {
			mean := 0.0
			for _, v := range with {
				mean += v.times()[name] / float64(len(with))
			}
			x := math.Log((times[name] + 1e-3) / (mean + 1e-3))
			times[name+" against "+by], times["strange "+name+" against "+by] = x, math.Abs(x)
		}
	}
	if len(controls) > 0 {
		compare("all before", controls...)
		compare("the last", controls[len(controls)-1])
	}
	compare("the next", g.mallory.look(t, uri("after")))
	return times, forms
}

// Over sockets and between processes, a client cannot tell what another has visited,
// unless responses are shared openly. What a response looks like must not tell
// in a single trial; what its times tell depends on the machine, and is measured in the long form.
func TestProbing(t *testing.T) {
	trials, _ := strconv.Atoi(os.Getenv(probes))
	measuring := trials > 0
	names := slices.Sorted(maps.Keys(probings))
	if !measuring {
		trials, names = 10, []string{"5 ms", "0.1 ms, 20 kB chunked"}
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			for _, sharing := range []cache.Sharing{cache.Disguised, cache.PerClient, cache.Shared} {
				n := trials
				if sharing == cache.Shared {
					n = min(n, 20)
				}
				a := probings[name]
				g := newProbingGround(t, sharing, a.within)
				times, forms := map[string][2][]float64{}, map[string][2][]float64{}
				for i := range n {
					kind := i % 2
					if measuring {
						kind = g.rand.IntN(2)
					}
					seen, looks := a.try(t, g, i, kind == 0)
					gather(times, seen, kind)
					gather(forms, looks, kind)
				}
				form, byForm := best(forms)
				time, byTime := best(times)
				t.Logf("%-10v best %.2f by %s, all %.2f; forms %.2f by %s", modes[sharing], time, byTime, together(times), form, byForm)
				if measuring && sharing == cache.Disguised {
					t.Log(ranked(times))
				}
				if sharing == cache.Shared && form < 0.95 {
					t.Errorf("shared: %.2f: the attack does not work", form)
				}
				if sharing != cache.Shared && form > 0.5 && !measuring {
					t.Errorf("%s: %s tells: %.2f", modes[sharing], byForm, form)
				}
			}
		})
	}
}

var modes = map[cache.Sharing]string{cache.Disguised: "disguised", cache.PerClient: "per-client", cache.Shared: "shared"}
