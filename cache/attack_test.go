package cache

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A moodyOrigin is an origin whose speed depends on a load that changes.
type moodyOrigin struct {
	mu   sync.Mutex
	rand *rand.Rand
	load float64
}

func (o *moodyOrigin) noise() float64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return math.Exp(0.3 * o.rand.NormFloat64())
}

const moodyBody = 40 << 10

var moodyText = strings.Repeat("x", moodyBody)

func (o *moodyOrigin) RoundTrip(r *http.Request) (*http.Response, error) {
	usual := 40e6
	if strings.HasSuffix(r.URL.Path, "/slow") {
		usual *= 8
	}
	if err := sleepTimer(r.Context(), time.Duration(usual*o.load*o.noise())); err != nil {
		return nil, err
	}
	body := moodyText
	resp := parseResponse("200\nCache-Control: max-age=3600\nETag: \"one\"\nContent-Type: text/plain\nAccept-Ranges: bytes\nLast-Modified: Wed, 01 Jan 2020 00:00:00 GMT", r)
	resp.Header["Date"] = []string{formatDate(time.Now())}
	if r.Header.Get("If-None-Match") == `"one"` || r.Header.Get("If-Modified-Since") != "" {
		resp.StatusCode, resp.Status, resp.Body, resp.ContentLength = 304, "304 Not Modified", http.NoBody, 0
		return resp, nil
	}
	if r.Header.Get("Range") != "" {
		resp.StatusCode, resp.Status = 206, "206 Partial Content"
		resp.Header.Set("Content-Range", "bytes 0-99/"+strconv.Itoa(moodyBody))
		body = body[:100]
	}
	resp.Header.Set("Content-Length", strconv.Itoa(len(body)))
	resp.ContentLength = int64(len(body))
	if r.Method != http.MethodHead {
		resp.Body = io.NopCloser(&moodyReader{strings.NewReader(body), r.Context(), time.Duration(1e6 * o.load * o.noise())})
	}
	return resp, nil
}

type moodyReader struct {
	io.Reader
	ctx   context.Context
	pause time.Duration
}

func (m *moodyReader) Read(p []byte) (int, error) {
	if err := sleepTimer(m.ctx, m.pause); err != nil {
		return 0, err
	}
	return m.Reader.Read(p[:min(len(p), 8<<10)])
}

// A sighting is all that a client can see of a response.
type sighting struct {
	head, tail float64 // milliseconds
	pieces     float64
	status     float64
	header     http.Header
}

func look(t *testing.T, rt http.RoundTripper, client, uri, form string) sighting {
	t.Helper()
	method, fields, _ := strings.Cut(form, "\n")
	ctx := WithVisitor(t.Context(), Visitor{Client: client, Site: "site"})
	r, err := http.NewRequestWithContext(ctx, method, uri, nil)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(fields) {
		name, value, _ := strings.Cut(line, ":")
		r.Header.Set(name, strings.TrimSpace(value))
	}
	begun := time.Now()
	resp, err := rt.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	s := sighting{head: ms(time.Since(begun)), header: resp.Header, status: float64(resp.StatusCode)}
	buf := make([]byte, 32<<10)
	for {
		n, err := resp.Body.Read(buf)
		if n > 0 {
			s.pieces++
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	resp.Body.Close()
	s.tail = ms(time.Since(begun)) - s.head
	return s
}

func ms(d time.Duration) float64 { return float64(d) / 1e6 }

// features are what an attacker looks at, each as a number.
func (s sighting) features(control sighting) map[string]float64 {
	age := -1.0
	if a := s.header.Get("Age"); a != "" {
		age, _ = strconv.ParseFloat(a, 64)
	}
	date, _ := parseDate(s.header.Get("Date"), time.Now())
	lifetime := parseDirectives(s.header["Cache-Control"]).maxAge
	f := map[string]float64{
		"head": s.head, "tail": s.tail, "pieces": s.pieces, "status": s.status, "age": age,
		"date": time.Since(date).Truncate(time.Second).Seconds(), "max-age": float64(lifetime),
		"fields": float64(len(s.header)), "etag": float64(len(s.header.Get("ETag"))),
		"head against control": math.Log((s.head + 1e-3) / (control.head + 1e-3)),
		"tail against control": math.Log((s.tail + 1e-3) / (control.tail + 1e-3)),
	}
	f["strange head"] = math.Abs(f["head against control"])
	f["strange tail"] = math.Abs(f["tail against control"])
	return f
}

// auc returns the probability that a value of one kind is larger than one of
// the other, or smaller, whichever tells more: 0.5 is guessing, 1 is certain.
func auc(with, without []float64) float64 {
	wins := 0.0
	for _, a := range with {
		for _, b := range without {
			switch {
			case a > b:
				wins++
			case a == b:
				wins += 0.5
			}
		}
	}
	p := wins / float64(len(with)*len(without))
	return max(p, 1-p)
}

var forms = map[string]string{
	"plain":                     "GET",
	"If-None-Match, right":      "GET\nIf-None-Match: \"one\"",
	"If-None-Match, wrong":      "GET\nIf-None-Match: \"two\"",
	"If-None-Match, *":          "GET\nIf-None-Match: *",
	"If-Modified-Since":         "GET\nIf-Modified-Since: Wed, 01 Jan 2020 00:00:00 GMT",
	"If-Modified-Since, before": "GET\nIf-Modified-Since: Tue, 01 Jan 2019 00:00:00 GMT",
	"Range":                     "GET\nRange: bytes=0-99",
	"Range, If-Range":           "GET\nRange: bytes=0-99\nIf-Range: \"one\"",
	"HEAD":                      "HEAD",
	"only-if-cached":            "GET\nCache-Control: only-if-cached",
	"max-stale":                 "GET\nCache-Control: max-stale=99999",
	"no-cache":                  "GET\nCache-Control: no-cache",
	"max-age=0":                 "GET\nCache-Control: max-age=0",
	"min-fresh":                 "GET\nCache-Control: min-fresh=1000",
}

// An attack is one trial: what two colluding clients see of a URL that a
// victim has or has not visited, beside URLs that nobody has.
type attack struct {
	form     string
	page     string
	controls int  // looks at other URLs of the origin before the probe
	other    bool // a second attacker looks after the first; its sighting counts
	together bool // a second attacker looks at the same time
}

func (a attack) try(t *testing.T, rt http.RoundTripper, o *moodyOrigin, n int, visited bool) map[string]float64 {
	uri := func(path string) string { return fmt.Sprintf("http://o%d.example/%s", n, path) }
	o.load = 0.5 + 2*o.rand.Float64()
	if visited {
		look(t, rt, "victim", uri(a.page), "GET")
	}
	time.Sleep(time.Duration(1+o.rand.IntN(600)) * time.Second)
	o.load = 0.5 + 2*o.rand.Float64()
	for i := range a.controls {
		look(t, rt, "mallory", uri("control"+strconv.Itoa(i)), "GET")
	}
	if a.together {
		var both [2]sighting
		var group sync.WaitGroup
		for i, client := range []string{"mallory", "trudy"} {
			group.Go(func() { both[i] = look(t, rt, client, uri(a.page), a.form) })
			synctest.Wait() // so that it is always the same one who is first
		}
		group.Wait()
		return both[1].features(both[0])
	}
	seen := look(t, rt, "mallory", uri(a.page), a.form)
	if a.other {
		first := seen
		seen = look(t, rt, "trudy", uri(a.page), a.form)
		return seen.features(first)
	}
	return seen.features(look(t, rt, "mallory", uri("after"), a.form))
}

// measure returns the best feature's AUC over a number of trials.
func (a attack) measure(t *testing.T, sharing Sharing, trials int) (best float64, by string) {
	synctest.Test(t, func(t *testing.T) {
		o := &moodyOrigin{rand: rand.New(rand.NewPCG(1, 2))}
		c := New(Options{Sharing: sharing, Memory: 1 << 30})
		c.sleep = sleepTimer // the bubble's clock
		c.model.float = rand.New(rand.NewPCG(3, 4)).Float64
		rt := c.Transport(o)
		values := map[string][2][]float64{}
		for n := range trials {
			for name, v := range a.try(t, rt, o, n, n%2 == 0) {
				pair := values[name]
				pair[n%2] = append(pair[n%2], v)
				values[name] = pair
			}
		}
		c.Close()
		for _, name := range slices.Sorted(keys(values)) {
			if p := auc(values[name][0], values[name][1]); p > best {
				best, by = p, name
			}
		}
	})
	return best, by
}

func keys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for name := range m {
			if !yield(name) {
				return
			}
		}
	}
}

// Two clients: one tries to tell whether the other has visited a URL. Where
// clients are kept apart it can only guess; in Shared it can tell, which shows
// that the attack works.
func TestAttack(t *testing.T) {
	trials := 240
	if raceEnabled {
		trials = 80 // five times as slow, and not what it looks for
	}
	// The largest of a dozen AUCs of pure chance stays below this.
	limit := 0.5 + 4.2/math.Sqrt(12*float64(trials)/4)
	attacks := map[string]attack{
		"without controls":              {form: "GET"},
		"a second attacker":             {form: "GET", controls: 6, other: true},
		"a second, without controls":    {form: "GET", other: true},
		"two at once":                   {form: "GET", controls: 8, together: true},
		"two at once, without controls": {form: "GET", together: true},
		"few controls":                  {form: "GET", controls: 2},
		"a page unlike others":          {form: "GET", page: "slow", controls: 8},
		"that, with few controls":       {form: "GET", page: "slow", controls: 2},
	}
	for name, form := range forms {
		attacks[name] = attack{form: form, controls: 8}
	}
	for _, name := range slices.Sorted(keys(attacks)) {
		a := attacks[name]
		a.page = cmp.Or(a.page, "secret")
		t.Run(name, func(t *testing.T) {
			for _, sharing := range []Sharing{Disguised, PerClient} {
				got, by := a.measure(t, sharing, trials)
				t.Logf("mode %d: AUC %.2f by %s", sharing, got, by)
				if got > limit {
					t.Errorf("mode %d: AUC %.2f by %s, want below %.2f", sharing, got, by, limit)
				}
			}
			got, by := a.measure(t, Shared, 40)
			t.Logf("mode %d: AUC %.2f by %s", Shared, got, by)
			if got < 0.95 && !strings.Contains(a.form, "no-cache") && !strings.Contains(a.form, "=0") && !a.other && !a.together {
				t.Errorf("shared: AUC %.2f: the attack does not work", got)
			}
		})
	}
}
