package cache

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A panic on the way of a fetch, wherever it is, ends that fetch: not the program, no
// later request, and who waits for it does not wait for ever.
func TestPanicEndsOneFetch(t *testing.T) {
	type panicking struct{ calls, at atomic.Int64 }
	for _, sharing := range []Sharing{Disguised, Shared} {
		for nth := int64(1); nth < 40; nth++ {
			var p panicking
			step := func() {
				if p.calls.Add(1) == p.at.Load() {
					panic("step")
				}
			}
			c := New(Options{Sharing: sharing, Now: func() time.Time { step(); return time.Now() }})
			rt := c.Transport(roundTripper(func(r *http.Request) (*http.Response, error) {
				step()
				resp := parseResponse("200\nCache-Control: max-age=60\nETag: \"1\"", r)
				if r.Header.Get("If-None-Match") != "" {
					resp.StatusCode, resp.Body = http.StatusNotModified, http.NoBody
					return resp, nil
				}
				resp.Body, resp.ContentLength = &stepping{step: step, left: 4}, 4
				return resp, nil
			}))
			var own atomic.Int64 // panics in a request's own goroutine, whose handler's they are
			ask := func(client, path, fields string) {
				defer func() {
					if recover() != nil {
						own.Add(1)
					}
				}()
				r, err := http.NewRequestWithContext(WithVisitor(t.Context(), Visitor{Client: client}), "GET", "http://origin.example"+path, nil)
				if err != nil {
					t.Error(err)
					return
				}
				if fields != "" {
					r.Header.Set("Cache-Control", fields)
				}
				if resp, err := rt.RoundTrip(r); err == nil {
					defer resp.Body.Close()
					got, err := io.ReadAll(resp.Body)
					if err == nil && string(got) != "xxxx" {
						t.Errorf("%d: %q", nth, got)
					}
				}
			}
			p.at.Store(nth)
			var all sync.WaitGroup
			for i := range 3 {
				all.Go(func() { ask(fmt.Sprint(i), "/", "") })
			}
			all.Wait()
			ask("0", "/", "no-cache")
			ask("0", "/", "no-cache")
			p.at.Store(0)
			c.settled()
			if s := c.Stats(); own.Load() == 0 && (s.FlightSize != 0 || s.Lingering != 0 || len(c.aloft)+len(c.flights)+len(c.asking)+len(c.crowds) > 0) {
				t.Errorf("mode %d, step %d: %+v, %d aloft", sharing, nth, s, len(c.aloft))
			}
			ask("a", "/after", "")
			if own.Load() > 1 {
				t.Errorf("mode %d, step %d: a later request panics", sharing, nth)
			}
			c.settled()
			c.Close()
		}
	}
}

// A body whose end panics half-way has not ended: who waits for it hears of the next try.
func TestPanicAtEndOfBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		s := &spool{limit: 8, most: 8, scarce: func() bool { return false }, now: func() time.Time {
			if calls++; calls == 1 {
				panic("clock")
			}
			return time.Now()
		}}
		r := s.reader(t.Context(), nil, func() {})
		ended := make(chan error)
		go func() {
			_, err := r.Read(make([]byte, 1))
			ended <- err
		}()
		synctest.Wait()
		func() {
			defer func() { recover() }()
			s.finish(nil, nil)
		}()
		s.finish(errPanicked, nil)
		if err := <-ended; err != errPanicked {
			t.Errorf("the reader got %v", err)
		}
	})
}

// A stepping body has a byte at each step.
type stepping struct {
	step func()
	left int
}

func (s *stepping) Read(p []byte) (int, error) {
	s.step()
	if s.left == 0 {
		return 0, io.EOF
	}
	s.left--
	p[0] = 'x'
	return 1, nil
}

func (s *stepping) Close() error {
	s.step()
	return nil
}
