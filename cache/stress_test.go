package cache

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Many clients at once, some of whom leave early, at an origin that is slow,
// fails, breaks off and changes: whoever reads to the end has read a body of
// the origin's, and nothing is left behind.
func TestStress(t *testing.T) {
	for _, sharing := range []Sharing{Disguised, Shared, PerClient} {
		t.Run(fmt.Sprintf("mode %d", sharing), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { stress(t, sharing) })
		})
	}
}

func stress(t *testing.T, sharing Sharing) {
	c := New(Options{Sharing: sharing, Memory: 1 << 20, Object: 64 << 10})
	c.sleep = sleepTimer
	rt := c.Transport(roundTripper(func(r *http.Request) (*http.Response, error) {
		if err := sleepTimer(r.Context(), time.Duration(rand.IntN(50))*time.Millisecond); err != nil {
			return nil, err
		}
		if rand.IntN(20) == 0 {
			return nil, errOrigin
		}
		var n int
		fmt.Sscanf(r.URL.Path, "/%d", &n)
		body := strings.Repeat(fmt.Sprintf("%s@%d;", r.URL.Path, rand.IntN(3)), 1+n*n*n)
		give := []string{"max-age=1", "max-age=60", "no-store", "max-age=5, stale-while-revalidate=60"}[rand.IntN(4)]
		resp := parseResponse("200\nCache-Control: "+give+"\nETag: \"1\"\n\n", r)
		resp.ContentLength = int64(len(body))
		if rand.IntN(2) == 0 {
			resp.ContentLength = -1
		}
		var end error = io.EOF
		if rand.IntN(10) == 0 {
			body, end = body[:len(body)/2], io.ErrUnexpectedEOF
		}
		resp.Body = io.NopCloser(io.MultiReader(&moodyReader{strings.NewReader(body), r.Context(), time.Millisecond}, failing{end}))
		return resp, nil
	}))
	var group sync.WaitGroup
	for client := range 16 {
		group.Go(func() {
			for range 150 {
				ctx, cancel := context.WithCancel(WithVisitor(t.Context(), Visitor{Client: fmt.Sprint(client % 8)}))
				if rand.IntN(5) == 0 {
					time.AfterFunc(time.Duration(rand.IntN(60))*time.Millisecond, cancel)
				}
				visitOnce(t, ctx, rt, rand.IntN(25), rand.IntN(6) == 0)
				cancel()
				c.audit(t)
			}
		})
	}
	group.Wait()
	c.Close()
	synctest.Wait()
	if got := c.Stats(); got.FlightSize != 0 || len(c.flights)+len(c.aloft)+len(c.asking) != 0 || got.Hits == 0 {
		t.Errorf("left behind: %+v, %d flights", got, len(c.aloft))
	}
	c.idle(t)
}

func visitOnce(t *testing.T, ctx context.Context, rt http.RoundTripper, n int, leaves bool) {
	path := fmt.Sprintf("/%d", n)
	r, err := http.NewRequestWithContext(ctx, "GET", "http://origin.example"+path, nil)
	if err != nil {
		t.Error(err)
		return
	}
	resp, err := rt.RoundTrip(r)
	if err != nil {
		return
	}
	defer resp.Body.Close()
	if leaves {
		return
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return
	}
	one := len(path) + len("@0;")
	if len(body) < one {
		t.Errorf("%s: %q", path, body)
		return
	}
	if string(body) != strings.Repeat(string(body[:one]), 1+n*n*n) || !strings.HasPrefix(string(body), path+"@") {
		t.Errorf("%s: %d bytes, want %d", path, len(body), one*(1+n*n*n))
	}
}
