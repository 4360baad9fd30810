package filters

import (
	"net/http"
	"testing"
)

// Browsers of different years list the same fields in their own ways.
func TestPreflightsAskInOneForm(t *testing.T) {
	for _, lines := range [][]string{
		{"authorization,content-type,x-b"}, {"Content-Type, x-b, authorization"}, {"x-b", "content-type,\tAuthorization"}, {"x-b,,x-b, authorization ,content-type"},
	} {
		h := http.Header{"User-Agent": {"Mozilla/5.0"}, "Origin": {"https://a.example"}, "Access-Control-Request-Method": {"PUT"}, requestHeaders: lines}
		scrubbed(t, newSet(t, Options{}), newRequest(t, "OPTIONS", "https://api.example/", h))
		if got := h[requestHeaders]; len(got) != 1 || got[0] != "authorization,content-type,x-b" {
			t.Errorf("%q became %q", lines, got)
		}
	}
	h := http.Header{"Origin": {"https://a.example"}, "Access-Control-Request-Method": {"PUT"}, requestHeaders: {"x-b, x-a"}}
	if scrubbed(t, newSet(t, Options{Persona: "off"}), newRequest(t, "OPTIONS", "https://api.example/", h)); h.Get(requestHeaders) != "x-b, x-a" {
		t.Errorf("without a persona: got %q", h[requestHeaders])
	}
}
