package cache

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// A trace is what is asked for, and by whom.
type ask struct {
	client int
	path   string
}

// zipf returns a trace of n requests of clients for pages whose popularity
// falls with their rank; scan is the share of pages that are asked for once.
func zipf(n, clients, pages int, scan float64) []ask {
	r := rand.New(rand.NewPCG(5, 6))
	z := rand.NewZipf(r, 1.1, 8, uint64(pages-1))
	trace := make([]ask, n)
	scanning := 0
	for i := range trace {
		trace[i] = ask{r.IntN(clients), fmt.Sprintf("/page/%d", z.Uint64())}
		if scanning == 0 && r.Float64() < scan/200 {
			scanning = 200 // scans come in runs
		}
		if scanning > 0 {
			scanning--
			trace[i].path = fmt.Sprintf("/once/%d", i)
		}
	}
	return trace
}

// A pace is how long an origin takes for heads and bodies, in medians.
type pace struct{ head, body time.Duration }

// replay returns the share of requests that the origin did not get.
func replay(t testing.TB, o Options, trace []ask, size int, origin pace) float64 {
	clk := newClock()
	r := rand.New(rand.NewPCG(3, 4))
	take := func(median time.Duration) {
		clk.advance(time.Duration(float64(median) * math.Exp(r.NormFloat64()/4)))
	}
	o.Now = clk.Now
	c := New(o)
	c.sleep = func(ctx context.Context, d time.Duration) error {
		c.settled() // a body that comes while the clock goes on would count as a slow one
		return clk.sleep(ctx, d)
	}
	c.model.float = rand.New(rand.NewPCG(5, 6)).Float64
	defer c.Close()
	body := strings.Repeat("x", size)
	asked := 0
	rt := c.Transport(roundTripper(func(r *http.Request) (*http.Response, error) {
		asked++
		take(origin.head)
		resp := parseResponse("200\nCache-Control: max-age=86400\n\n"+body, r)
		resp.Body = slowBody{resp.Body, func() { take(origin.body) }}
		return resp, nil
	}))
	for _, a := range trace {
		ctx := WithVisitor(t.Context(), Visitor{Client: fmt.Sprint(a.client), Site: "site"})
		r, err := http.NewRequestWithContext(ctx, "GET", "http://origin.example"+a.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := rt.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		drain(resp.Body, 1<<30)
		c.settled()
		clk.advance(20 * time.Millisecond)
	}
	return 1 - float64(asked)/float64(len(trace))
}

// A slowBody takes its time to the end.
type slowBody struct {
	io.ReadCloser
	take func()
}

func (b slowBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.take()
	}
	return n, err
}

// replayLRU is replay for a plain LRU of as many pages as fit.
func replayLRU(trace []ask, capacity int) float64 {
	lru, _ := simplelru.NewLRU[string, struct{}](capacity, nil)
	hits := 0
	for _, a := range trace {
		if _, ok := lru.Get(a.path); ok {
			hits++
			continue
		}
		lru.Add(a.path, struct{}{})
	}
	return float64(hits) / float64(len(trace))
}

// A scan of things wanted once must not empty the store.
func TestAdmissionBeatsPlainLRU(t *testing.T) {
	const size, capacity = 4 << 10, 400
	cost := int64(size + entryOverhead + 600)
	for _, scan := range []float64{0, 0.3} {
		trace := zipf(30000, 1, 8000, scan)
		plain := replayLRU(trace, capacity)
		ours := replay(t, Options{Sharing: Shared, Memory: cost * capacity}, trace, size, pace{})
		t.Logf("scan %2.0f %%: plain LRU %.1f %%, this store %.1f %%", 100*scan, 100*plain, 100*ours)
		if ours < plain-0.005 || scan >= 0.3 && ours < plain+0.02 {
			t.Errorf("scan %.0f %%: %.3f, plain LRU %.3f", 100*scan, ours, plain)
		}
	}
}

// The disguise must not cost what the cache is for.
func TestOriginIsSaved(t *testing.T) {
	trace := zipf(20000, 20, 1000, 0)
	for name, origin := range map[string]pace{
		"at once": {}, "20 ms": {20 * time.Millisecond, 0}, "20 ms and 10 ms": {20 * time.Millisecond, 10 * time.Millisecond},
	} {
		saved := map[Sharing]float64{}
		for _, sharing := range []Sharing{Shared, Disguised, PerClient} {
			saved[sharing] = replay(t, Options{Sharing: sharing, Memory: 256 << 20}, trace, 1<<10, origin)
			t.Logf("%s: mode %d: %.1f %% saved", name, sharing, 100*saved[sharing])
		}
		if saved[Disguised] < saved[PerClient]+0.75*(saved[Shared]-saved[PerClient]) {
			t.Errorf("%s: disguised saves %.3f, shared %.3f, separate %.3f", name, saved[Disguised], saved[Shared], saved[PerClient])
		}
	}
}

// remembered is what the cache takes itself for the latest keys (drops.go, differ.go).
const remembered = 1 << 20

// The heap, not just the sum of bodies, is what was asked for: all that belongs to
// what is stored is counted.
func TestMemory(t *testing.T) {
	const memory = 8 << 20
	fixed := func(n int) func(*rand.Rand) int { return func(*rand.Rand) int { return n } }
	for name, size := range map[string]func(*rand.Rand) int{
		"tiny":   func(r *rand.Rand) int { return r.IntN(200) },
		"4 KiB":  fixed(4 << 10),
		"5000":   fixed(5000), // what the allocator rounds up most
		"33,000": fixed(33000),
		"mixed":  func(r *rand.Rand) int { return 1 << r.IntN(18) },
		"large":  func(r *rand.Rand) int { return 1<<18 + r.IntN(1<<18) },
	} {
		t.Run(name, func(t *testing.T) {
			runtime.GC()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			r := rand.New(rand.NewPCG(7, 8))
			c := New(Options{Memory: memory})
			defer c.Close()
			c.sleep = func(context.Context, time.Duration) error { return nil }
			churn(t, c, func() int { return size(r) })
			runtime.GC()
			runtime.ReadMemStats(&after)
			heap, s := int64(after.HeapAlloc-before.HeapAlloc), c.Stats()
			t.Logf("heap %.2f of the budget, counted %.2f, %d resources", float64(heap)/memory, float64(s.Bytes)/memory, s.Resources)
			if heap > memory*105/100+remembered || s.Bytes > memory || s.FlightSize != 0 {
				t.Errorf("heap %d, %+v", heap, s)
			}
			if s.Bytes < memory*3/4 {
				t.Errorf("only %d bytes are used", s.Bytes)
			}
			runtime.KeepAlive(c)
		})
	}
}

// The maps of many small responses stay as they are when large ones come.
func TestMemoryAfterManySmallOnes(t *testing.T) {
	const memory = 8 << 20
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	c := New(Options{Memory: memory, Sharing: Shared})
	defer c.Close()
	churn(t, c, func() int { return 10 })
	small := c.Stats().Resources
	c.PurgeAll()
	churn(t, c, func() int { return 200 << 10 })
	runtime.GC()
	runtime.ReadMemStats(&after)
	heap, s := int64(after.HeapAlloc-before.HeapAlloc), c.Stats()
	t.Logf("heap %.2f of the budget, counted %.2f, %d resources after %d", float64(heap)/memory, float64(s.Bytes)/memory, s.Resources, small)
	if heap > memory*105/100+remembered {
		t.Errorf("heap %d, %+v", heap, s)
	}
	runtime.KeepAlive(c)
}

// churn has a cache fetch responses of the given sizes, four times what it may
// hold, and use some of them again.
func churn(t *testing.T, c *Cache, size func() int) {
	n := 0
	rt := c.Transport(roundTripper(func(req *http.Request) (*http.Response, error) {
		resp := parseResponse("200\nCache-Control: max-age=86400\nContent-Type: text/html\nETag: \"0123456789\"\nVary: Accept-Encoding\nX-Frame-Options: deny\n\n", req)
		resp.Body, resp.ContentLength = http.NoBody, 0
		if n > 0 {
			resp.Body = struct{ io.ReadCloser }{struct {
				*strings.Reader
				closer
			}{strings.NewReader(strings.Repeat("x", n)), closer{}}}
			resp.ContentLength = int64(n)
			if n%2 == 0 {
				resp.ContentLength = -1
			}
		}
		return resp, nil
	}))
	written := int64(0)
	for i := 0; written < 4*c.options.Load().Memory; i++ {
		n = size()
		ctx := WithVisitor(t.Context(), Visitor{Client: fmt.Sprint(i % 10), Site: fmt.Sprint(i % 7)})
		req, err := http.NewRequestWithContext(ctx, "GET", fmt.Sprintf("http://origin.example/%d/%d", n, i), nil)
		if err != nil {
			t.Fatal(err)
		}
		for range 1 + i%3/2 { // a hit has a header of its own
			resp, err := rt.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			drain(resp.Body, 1<<30)
			c.settled()
		}
		written += int64(n + entryOverhead)
	}
}

type closer struct{}

func (closer) Close() error { return nil }

// What is remembered of clients stays within the budget too, though nothing is stored.
func TestViewsAreBounded(t *testing.T) {
	o := Options{Memory: 32 << 10}
	s := newScene(t, o)
	for i := range 400 {
		s.give = "200\nCache-Control: max-age=600\n\na"
		ctx := WithVisitor(t.Context(), Visitor{Client: fmt.Sprint(i)})
		req, err := http.NewRequestWithContext(ctx, "GET", "http://origin.example/", nil)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second one is a hit, for which a header is made
			resp, err := s.rt.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			drain(resp.Body, 1<<10)
			s.c.settled()
		}
		if got := s.c.Stats().Bytes; got > o.Memory {
			t.Fatalf("%d bytes are held for %d clients", got, i+1)
		}
	}
}

// Bodies that slow readers keep count against the budget, whether the store has
// dropped them, never had them, or made copies; and no longer than they are kept.
func TestMemoryOfSlowReaders(t *testing.T) {
	const memory, size = 8 << 20, 1 << 18
	text := strings.Repeat("x", size)
	for _, sharing := range []Sharing{Shared, Disguised} {
		for name, kept := range map[string]func(get func(path, fields string) *http.Response, n int) []*http.Response{
			"stored": func(get func(path, fields string) *http.Response, n int) []*http.Response {
				path := fmt.Sprint("/", n)
				drain(get(path, "").Body, size)
				return []*http.Response{get(path, "")}
			},
			"fetched": func(get func(path, fields string) *http.Response, n int) []*http.Response {
				return []*http.Response{get(fmt.Sprint("/", n), "")}
			},
			"several ranges": func(get func(path, fields string) *http.Response, n int) []*http.Response {
				drain(get("/", "").Body, size)
				return []*http.Response{get("/", "bytes=0-100000, 100002-200000")}
			},
		} {
			t.Run(fmt.Sprint(name, sharing), func(t *testing.T) {
				heap := func() int64 {
					runtime.GC()
					var m runtime.MemStats
					runtime.ReadMemStats(&m)
					return int64(m.HeapAlloc)
				}
				before := heap()
				c := New(Options{Memory: memory, Sharing: sharing})
				defer c.Close()
				c.sleep = func(context.Context, time.Duration) error { return nil }
				asked := 0
				rt := c.Transport(roundTripper(func(r *http.Request) (*http.Response, error) {
					asked++
					resp := parseResponse("200\nCache-Control: max-age=86400\nETag: \"1\"", r)
					resp.Body, resp.ContentLength = io.NopCloser(strings.NewReader(text)), size
					return resp, nil
				}))
				get := func(path, fields string) *http.Response {
					r, err := http.NewRequestWithContext(WithVisitor(t.Context(), Visitor{Client: "a"}), "GET", "http://origin.example"+path, nil)
					if err != nil {
						t.Fatal(err)
					}
					if fields != "" {
						r.Header.Set("Range", fields)
					}
					resp, err := rt.RoundTrip(r)
					if err != nil {
						t.Fatal(err)
					}
					return resp
				}
				var slow []*http.Response
				for n := range 100 {
					slow = append(slow, kept(get, n)...)
					c.settled()
				}
				s := c.Stats()
				if s.Bytes+s.Lingering > memory+size || s.FlightSize != 0 { // the last one came while there was room
					t.Errorf("%d bytes stored, %d lingering, %d on their way", s.Bytes, s.Lingering, s.FlightSize)
				}
				if held := heap() - before; held > memory*13/10 {
					t.Errorf("%.2f of the budget", float64(held)/memory)
				}
				for _, resp := range slow {
					n := drain(resp.Body, size)
					if resp.StatusCode == http.StatusOK && n != size {
						t.Errorf("read %d bytes", n)
					}
					resp.Body.Close() // once more
				}
				if s := c.Stats(); s.Lingering != 0 {
					t.Errorf("%d bytes linger when nobody reads", s.Lingering)
				}
				drain(get("/after", "").Body, size)
				c.settled()
				asked = 0
				drain(get("/after", "").Body, size)
				if asked > 0 {
					t.Error("nothing is stored any more")
				}
			})
		}
	}
}

// Whatever an origin or its clients make large of what is stored, it is counted.
func TestMemoryOfHostileOrigins(t *testing.T) {
	const memory, large = 8 << 20, 60 << 10
	for name, test := range map[string]struct {
		responses, clients int // that use each
		fields, reason     string
	}{
		"a reason":        {400, 1, "Cache-Control: max-age=86400", strings.Repeat("r", large)},
		"a tag":           {400, 1, "Cache-Control: max-age=86400\nETag: \"" + strings.Repeat("t", large) + "\"", ""},
		"names of fields": {400, 1, "Cache-Control: max-age=86400, no-cache=\"" + strings.Repeat("a,", large/2) + "\"", ""},
		"private fields":  {400, 1, "Cache-Control: max-age=86400, private=\"" + strings.Repeat("a,", large/2) + "\"", ""},
		"clients":         {60, 1000, "Cache-Control: max-age=86400", ""},
	} {
		t.Run(name, func(t *testing.T) {
			runtime.GC()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			c := New(Options{Memory: memory})
			defer c.Close()
			c.sleep = func(context.Context, time.Duration) error { return nil }
			rt := c.Transport(roundTripper(func(r *http.Request) (*http.Response, error) {
				resp := parseResponse("200\n"+test.fields+"\n\na", r)
				resp.Status = "200 " + test.reason
				return resp, nil
			}))
			for i := range test.responses {
				for client := range test.clients {
					ctx := WithVisitor(t.Context(), Visitor{Client: fmt.Sprint("client ", client)})
					r, err := http.NewRequestWithContext(ctx, "GET", fmt.Sprint("http://origin.example/", i), nil)
					if err != nil {
						t.Fatal(err)
					}
					resp, err := rt.RoundTrip(r)
					if err != nil {
						t.Fatal(err)
					}
					drain(resp.Body, 10)
					c.settled()
				}
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			heap, s := int64(after.HeapAlloc-before.HeapAlloc), c.Stats()
			t.Logf("heap %.2f of the budget, counted %.2f, %d resources", float64(heap)/memory, float64(s.Bytes)/memory, s.Resources)
			if heap > memory*105/100+remembered {
				t.Errorf("heap %d, %+v", heap, s)
			}
			runtime.KeepAlive(c)
		})
	}
}
