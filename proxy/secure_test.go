package proxy

import (
	"net/http"
	"strings"
	"testing"

	"guise/proxy/inspect"
	"guise/proxy/wire"
)

// TestWhatMayBeRepeated: what the origin says it did nothing about; and else what
// means the same twice, where a connection that worked before was lost.
func TestWhatMayBeRepeated(t *testing.T) {
	lost := &wire.ConnError{Op: "read", Err: http.ErrHandlerTimeout}
	for _, c := range []struct {
		method, body string
		err          error
		used, silent bool
		want         bool
	}{
		{"POST", "a", wire.ErrNotProcessed, false, false, true},
		{"POST", "a", wire.ErrWantsHTTP1, false, false, true},
		{"GET", "", wire.ErrNoResponse, true, false, true},
		{"GET", "", lost, true, false, true},
		{"GET", "", lost, false, false, false},
		{"GET", "a", lost, true, false, false},
		{"POST", "", lost, true, false, false},
		{"GET", "", wire.ErrResponseTimeout, true, false, false},
		{"GET", "", wire.ErrResponseTimeout, true, true, true},
		{"POST", "", wire.ErrResponseTimeout, true, true, false},
		{"GET", "", wire.ErrResponseTimeout, false, true, false},
	} {
		r, _ := http.NewRequest(c.method, "https://a.example/", nil)
		if c.body != "" {
			r, _ = http.NewRequest(c.method, "https://a.example/", strings.NewReader(c.body))
		}
		if got := mayRepeat(r, c.err, c.used, c.silent); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// TestUnusedConnectionsAreBounded however many origins are visited within a minute.
func TestUnusedConnectionsAreBounded(t *testing.T) {
	o := serveSecure(t, greet, nil, "h2")
	p, proxy := newProxy(t, inspecting(inspect.Always))
	secure := p.current.Load().secure
	secure.most = 1
	client := visitor(t, proxy, trusting(testAuthority()), false)
	for n, host := range []string{"127.0.0.1", "localhost", "127.0.0.1", "127.0.0.1"} {
		resp, _, err := read(client, strings.Replace(o.URL, "127.0.0.1", host, 1))
		if err != nil || resp.StatusCode != 200 {
			t.Fatal(resp, err)
		}
		if got, want := o.connections(), min(n+1, 3); got != want { // the last one is still there
			t.Errorf("request %d: %d connections, want %d", n+1, got, want)
		}
		until(t, "the connection before to be closed", func() bool {
			secure.mu.Lock()
			defer secure.mu.Unlock()
			return secure.alive == 1
		})
	}
}
