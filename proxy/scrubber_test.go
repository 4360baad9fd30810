package proxy

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"guise/cache"
	"guise/filters"
	"guise/proxy/inspect"
)

// TestPanicEndsItsRequestAlone: the cache fetches on goroutines of its own,
// where nobody else would catch it.
func TestPanicEndsItsRequestAlone(t *testing.T) {
	set, err := filters.New(filters.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	panics := roundTripper(func(*http.Request) (*http.Response, error) { panic("canary.example") })
	store := cache.New(cache.Options{})
	defer store.Close()
	way := store.Transport(scrubber{panics, set, inspect.NewHSTS(), slog.New(slog.NewTextHandler(&log, nil))})

	o := serveOrigin(t, answer(hello))
	proxy, address := newProxy(t, nil)
	proxy.current.Load().way = way
	resp, _ := get(t, address, "http://"+o.address+"/")
	if got := resp.Header.Get("Proxy-Status"); resp.StatusCode != 500 || got != "guise;error=proxy_internal_error" {
		t.Errorf("got %d %q", resp.StatusCode, got)
	}
	if !strings.Contains(log.String(), "panic below the cache") || strings.Contains(log.String(), "canary") {
		t.Errorf("logged %q", log.String())
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
