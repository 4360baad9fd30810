package cache

import (
	"context"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"
)

// A closing is a body whose end is known before its closing has come to an end, as that of a
// TLS connection which takes its time.
type closing struct {
	io.Reader
	begun, end chan struct{}
	once       sync.Once
}

func (b *closing) Close() error {
	b.once.Do(func() { close(b.begun) })
	<-b.end
	return nil
}

// Who leaves once all has come has it, whether it was fetched or the origin was asked about
// what another had, and whatever is still to be tidied up.
func TestWhatHasComeIsKept(t *testing.T) {
	for name, others := range map[string]bool{"alone": false, "among others": true} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, disguised)
			const give = "200\nCache-Control: max-age=100\n\nbody"
			var body *closing
			s.rt = s.c.Transport(roundTripper(func(r *http.Request) (*http.Response, error) {
				resp, err := s.origin(r)
				if err == nil && body != nil {
					body.Reader = resp.Body
					resp.Body, resp.ContentLength, resp.Close = body, -1, true
				} else if err == nil {
					resp.ContentLength, resp.Close = -1, true
				}
				return resp, err
			}))
			if others {
				s.run(step{as: "a", give: give, want: "200\n\nbody"})
			}
			body = &closing{begun: make(chan struct{}), end: make(chan struct{})}
			s.c.sleep = func(ctx context.Context, d time.Duration) error {
				<-body.begun
				return s.clock.sleep(ctx, d)
			}
			s.give = give
			resp, err := s.rt.RoundTrip(s.request(step{as: "b", do: "GET /\nIf-None-Match: *"}))
			if err != nil || resp.StatusCode != http.StatusNotModified {
				t.Fatal(resp, err)
			}
			resp.Body.Close()
			close(body.end)
			s.c.settled()
			s.run(step{as: "b", want: "200\nAge: 0\n\nbody"})
		})
	}
}
