package cache

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A changing origin has numbered versions of each path, says in the field V which it
// answers with, and takes its time, fails and breaks off.
type changing struct {
	mu      sync.Mutex
	version map[string]int
}

func (o *changing) content(path string, version int) string {
	return strings.Repeat(fmt.Sprintf("%s@%d;", path, version), 1+version%7*100)
}

func (o *changing) RoundTrip(r *http.Request) (*http.Response, error) {
	// No two answers come at the same time, which would leave open which of them is newer.
	if err := sleepTimer(r.Context(), time.Duration(rand.IntN(400_000_000))); err != nil {
		return nil, err
	}
	o.mu.Lock()
	if r.Method == http.MethodPut || rand.IntN(10) == 0 {
		o.version[r.URL.Path]++
	}
	version := o.version[r.URL.Path]
	o.mu.Unlock()
	if rand.IntN(25) == 0 {
		return nil, errOrigin
	}
	body := o.content(r.URL.Path, version)
	fields := one(rand.New(rand.NewPCG(rand.Uint64(), 1)), "max-age=2", "max-age=60", "no-cache", "max-age=3, stale-while-revalidate=60", "max-age=3, stale-if-error=60")
	resp := parseResponse(fmt.Sprintf("200\nCache-Control: %s\nETag: \"%d\"\nV: %d", fields, version, version), r)
	if r.Method == http.MethodPut {
		return parseResponse("204", r), nil
	}
	c := conditionsOf(r.Header, time.Now())
	if c.notModified(resp.Header, time.Now()) {
		return notModified(resp), nil
	}
	if ranges, ok := parseRanges(r.Header.Get("Range")); ok && r.Method == http.MethodGet && rangeStands(r.Header.Get("If-Range"), resp.Header, time.Now()) {
		if from, to, ok := ranges[0].within(int64(len(body))); ok {
			resp.Header.Set("Content-Range", contentRange{from, to - 1, int64(len(body))}.String())
			resp.StatusCode, resp.Status, body = 206, "206 Part", body[from:to]
		}
	}
	resp.ContentLength = int64(len(body))
	if r.Method == http.MethodHead {
		return resp, nil
	}
	if rand.IntN(2) == 0 && resp.StatusCode == 200 {
		resp.ContentLength = -1
	}
	var end error = io.EOF
	if rand.IntN(12) == 0 {
		body, end = body[:len(body)/2], io.ErrUnexpectedEOF
	}
	resp.Body = io.NopCloser(io.MultiReader(&moodyReader{strings.NewReader(body), r.Context(), time.Duration(rand.IntN(300)) * time.Millisecond}, failing{end}))
	return resp, nil
}

// A chaos is clients who ask in all ways at the same time, of whom it knows what they had last.
type chaos struct {
	t      *testing.T
	c      *Cache
	rt     http.RoundTripper
	origin *changing
	anyone bool // what one has had all have

	mu     sync.Mutex
	latest map[string]int // version, by client and path
	anew   map[string]int // how often a client began anew
}

// Whatever clients ask for at the same time, whoever leaves, writes, purges or begins
// anew, and however the origin fails: every body is one that the origin had, nobody sees
// an older one than before, and all that is held is counted.
func TestChaos(t *testing.T) {
	for _, sharing := range []Sharing{Disguised, Shared, PerClient} {
		for _, memory := range []int64{64 << 20, 100 << 10} {
			t.Run(fmt.Sprintf("mode %d, %d bytes", sharing, memory), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					x := &chaos{t: t, c: New(Options{Sharing: sharing, Memory: memory}), latest: map[string]int{}, anew: map[string]int{},
						origin: &changing{version: map[string]int{}}, anyone: sharing == Shared}
					x.c.sleep = sleepTimer
					x.rt = x.c.Transport(x.origin)
					x.run(memory > 1<<20)
				})
			})
		}
	}
}

func (x *chaos) run(ample bool) {
	var group sync.WaitGroup
	for i := range 12 {
		client := strconv.Itoa(i % 4)
		group.Go(func() {
			for range 120 {
				time.Sleep(time.Duration(rand.IntN(2000)) * time.Millisecond)
				x.act(client, "/"+strconv.Itoa(rand.IntN(4)), ample)
				x.c.audit(x.t)
			}
		})
	}
	group.Wait()
	x.c.settled()
	synctest.Wait()
	x.c.idle(x.t)
	x.c.Close()
}

func (x *chaos) act(client, path string, ample bool) {
	switch rand.IntN(60) {
	case 0:
		if ample {
			return // what was asked for before is not kept
		}
		x.c.PurgeURL("http://origin.example" + path)
		return
	case 1:
		x.mu.Lock()
		x.c.Forget(client)
		x.anew[client]++
		for known := range x.latest {
			if strings.HasPrefix(known, client+"/") {
				delete(x.latest, known)
			}
		}
		x.mu.Unlock()
		return
	case 2:
		if !ample {
			o := *x.c.options.Load()
			o.Memory = int64(50+rand.IntN(100)) << 10
			x.c.SetOptions(o)
		}
		return
	}
	ctx, cancel := context.WithCancel(WithVisitor(x.t.Context(), Visitor{Client: client}))
	defer cancel()
	if rand.IntN(5) == 0 {
		time.AfterFunc(time.Duration(rand.IntN(800))*time.Millisecond, cancel)
	}
	method, fields := http.MethodGet, ""
	switch rand.IntN(12) {
	case 0:
		method = http.MethodHead
	case 1:
		if !ample {
			method = http.MethodPut
		}
	case 2, 3:
		fields = fmt.Sprintf("bytes=%d-%d", rand.IntN(300), 300+rand.IntN(300))
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://origin.example"+path, nil)
	if err != nil {
		x.t.Error(err)
		return
	}
	if fields != "" {
		r.Header.Set("Range", fields)
	}
	if rand.IntN(6) == 0 {
		r.Header.Set("Cache-Control", "no-cache")
	}
	who := client
	if x.anyone {
		who = ""
	}
	x.mu.Lock()
	before, anew := x.latest[who+path], x.anew[client]
	x.mu.Unlock()
	resp, err := x.rt.RoundTrip(r)
	if err != nil {
		return
	}
	defer resp.Body.Close()
	if method != http.MethodGet || rand.IntN(8) == 0 {
		return
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return
	}
	x.judge(r, resp, string(body))
	if version, err := strconv.Atoi(resp.Header.Get("V")); err == nil && ample && fields == "" {
		x.mu.Lock()
		defer x.mu.Unlock()
		if version < before {
			x.t.Errorf("%s%s: version %d after %d: %v %v", client, path, version, before, r.Header, resp.Header)
		}
		if anew == x.anew[client] {
			x.latest[who+path] = max(x.latest[who+path], version)
		}
	}
}

func (x *chaos) judge(r *http.Request, resp *http.Response, body string) {
	version, err := strconv.Atoi(resp.Header.Get("V"))
	if err != nil {
		x.t.Errorf("nobody said %d %v", resp.StatusCode, resp.Header)
		return
	}
	if resp.StatusCode == http.StatusRequestedRangeNotSatisfiable {
		return
	}
	want := x.origin.content(r.URL.Path, version)
	if where, ok := parseContentRange(resp.Header.Get("Content-Range")); ok {
		want = want[where.first : where.last+1]
	}
	if body != want {
		x.t.Errorf("%s %v: %d %v: %d bytes, want %d of version %d", r.URL.Path, r.Header, resp.StatusCode, resp.Header, len(body), len(want), version)
	}
}
