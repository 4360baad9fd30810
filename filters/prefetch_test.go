package filters

import (
	"net/http"
	"testing"
)

// However a browser says that it fetches in advance, the origin reads the same.
func TestPrefetchesLookAlike(t *testing.T) {
	s := newSet(t, Options{})
	page := func(method, name, value string) string {
		h := http.Header{"User-Agent": {"Mozilla/5.0"}, "Accept": {"*/*"}}
		if name != "" {
			h[name] = []string{value}
		}
		return scrubbed(t, s, newRequest(t, method, "https://site.example/next", h))
	}
	want := page("GET", "Sec-Purpose", "prefetch")
	for _, sent := range [][2]string{
		{"Purpose", "prefetch"}, {"X-Moz", "prefetch"}, {"X-Purpose", "preview"}, {"Sec-Purpose", "prefetch;prerender"},
		{"Sec-Purpose", "Prefetch; anonymous-client-ip"}, {"Purpose", "prerender"},
	} {
		if got := page("GET", sent[0], sent[1]); got != want {
			t.Errorf("%v: got\n%s\nwant\n%s", sent, got, want)
		}
	}
	for _, sent := range [][2]string{{"Purpose", "canary"}, {"Sec-Purpose", "canary"}, {"X-Moz", ""}} {
		if got := page("GET", sent[0], sent[1]); got != page("GET", "", "") {
			t.Errorf("%v: got\n%s", sent, got)
		}
	}
	if page("POST", "Purpose", "prefetch") != page("POST", "", "") {
		t.Error("a change is made in advance")
	}
}
