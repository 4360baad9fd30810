package cache

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
)

// The strings of a message are parts of its head, most of which may be gone when it
// is stored. What stays keeps none of the rest, which nobody counts.
func TestStoredResponsesHoldNoHeads(t *testing.T) {
	const head, kept = 60 << 10, 200
	// within returns a part of a string that is as large as a head may be.
	within := func(s string) string { return (strings.Repeat("x", head) + s)[head:] }
	for name, with := range map[string]func(*http.Request, http.Header){
		"status":  func(*http.Request, http.Header) {},
		"value":   func(_ *http.Request, h http.Header) { h["X-Part"] = []string{within("value")} },
		"name":    func(_ *http.Request, h http.Header) { h[within("X-Part")] = []string{"value"} },
		"tag":     func(_ *http.Request, h http.Header) { h["Etag"] = []string{within(`"1"`)} },
		"private": func(_ *http.Request, h http.Header) { h["Cache-Control"] = []string{within(`max-age=60, private="a"`)} },
		"vary": func(r *http.Request, h http.Header) {
			h["Vary"] = []string{within("X-Part")}
			r.Header["X-Part"] = []string{within("value")}
		},
		"site": func(*http.Request, http.Header) {},
	} {
		t.Run(name, func(t *testing.T) {
			var add func(*http.Request, http.Header)
			c := New(shared)
			defer c.Close()
			rt := c.Transport(roundTripper(func(r *http.Request) (*http.Response, error) {
				resp := parseResponse("200\nCache-Control: max-age=60\n\na", r)
				if name == "status" {
					resp.Status = within("200 OK")
				}
				add(r, resp.Header)
				return resp, nil
			}))
			held := func() uint64 {
				runtime.GC()
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				return m.HeapAlloc
			}
			before := held()
			for i := range kept {
				v := Visitor{}
				if name == "site" {
					v.Site = within("site.example")
				}
				r, err := http.NewRequestWithContext(WithVisitor(t.Context(), v), "GET", fmt.Sprint("http://origin.example/", i), nil)
				if err != nil {
					t.Fatal(err)
				}
				with(r, http.Header{}) // what it does to the request
				add = func(_ *http.Request, h http.Header) { with(&http.Request{Header: http.Header{}}, h) }
				resp, err := rt.RoundTrip(r)
				if err != nil {
					t.Fatal(err)
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				c.settled()
			}
			if got := c.Stats(); got.Resources != kept {
				t.Fatalf("%+v", got)
			}
			if after := held(); after > before+kept*head/4 {
				t.Errorf("%d bytes for each", (after-before)/kept)
			}
			runtime.KeepAlive(c)
		})
	}
}
