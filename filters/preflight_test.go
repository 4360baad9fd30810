package filters

import (
	"net/http"
	"net/netip"
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

// Firefox asks for a User-Agent that a script sets, which Chromium does not send, and
// Safari for what is its own; the origin gets none of these.
func TestPreflightsAskForNothingThatNeverGoes(t *testing.T) {
	for asked, test := range map[string]struct{ want, allowed, told string }{
		"authorization,user-agent":                {"authorization", "Authorization", "Authorization, user-agent"},
		"accept-encoding, dnt, x-b":               {"x-b", "*", "*, accept-encoding, dnt"},
		"x-forwarded-for":                         {"", "", "x-forwarded-for"},
		"accept,cache-control,content-type,x-b":   {"accept,cache-control,content-type,x-b", "x-b", "x-b"},
		"x-user-id,x-idempotency-key,x-client-id": {"x-client-id,x-idempotency-key,x-user-id", "", ""},
	} {
		s := newSet(t, Options{})
		h := http.Header{"User-Agent": {"Mozilla/5.0"}, "Origin": {"https://a.example"}, "Access-Control-Request-Method": {"PUT"}, requestHeaders: {asked}}
		m := s.Read(newRequest(t, "OPTIONS", "https://api.example/", h), netip.Addr{})
		s.Request(m, nil)
		if got := h.Get(requestHeaders); got != test.want || got == "" && h[requestHeaders] != nil {
			t.Errorf("%q became %q", asked, h[requestHeaders])
		}
		m.Response = &http.Response{Header: http.Header{"Access-Control-Allow-Origin": {"*"}}}
		if test.allowed != "" {
			m.Response.Header[allowHeaders] = []string{test.allowed}
		}
		s.Response(m, nil)
		if got := m.Response.Header.Get(allowHeaders); got != test.told {
			t.Errorf("%q: the browser is told that it may send %q", asked, got)
		}
	}
}
