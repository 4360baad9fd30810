package proxy

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"guise/proxy/inspect"
)

// TestPersonaOverHTTP2 sends what browsers send over both versions to origins of
// both: what the persona's browser adds to HTTP/2 is there alone, and once.
func TestPersonaOverHTTP2(t *testing.T) {
	const doc, fetch = "document", "empty"
	for _, c := range []struct {
		persona, protocol, dest string
		te, priority            string // "" for none
	}{
		{"firefox", "h2", doc, "trailers", "u=0, i"},
		{"firefox", "h2", fetch, "trailers", "u=4"},
		{"firefox", "http/1.1", doc, "", "u=0, i"},
		{"chrome", "h2", doc, "", "u=0, i"},
		{"chrome", "h2", fetch, "", "u=1, i"},
		{"chrome", "http/1.1", doc, "", ""},
		{"off", "h2", doc, "", ""},
	} {
		o := serveSecure(t, func(http.ResponseWriter, *http.Request) {}, nil, c.protocol)
		proxy := serveProxy(t, func(o *Options) {
			inspecting(inspect.Always)(o)
			o.Filters.Persona = c.persona
		})
		v := visitor(t, proxy, trusting(testAuthority()), true)
		for _, own := range []string{"", "trailers"} { // a program's is not sent twice
			r, err := http.NewRequest("GET", o.URL+"/", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Sec-Fetch-Dest", c.dest)
			r.Header.Set("User-Agent", "tool/1")
			if own != "" {
				r.Header.Set("Te", own)
			}
			resp, err := v.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			saw := o.saw()
			got := saw[len(saw)-1]
			te := c.te
			if own != "" && (c.dest == fetch || c.persona == "off") {
				te = own
			}
			if h := got.Header; len(h["Te"]) > 1 || h.Get("Te") != te || len(h["Priority"]) > 1 || h.Get("Priority") != c.priority {
				t.Errorf("%s, %s, %s, TE %q: %s with TE %q, Priority %q", c.persona, c.protocol, c.dest, own, got.Proto, h["Te"], h["Priority"])
			}
		}
	}
}

// TestPersonaBeginsHTTP2: what an origin sees before the first field, in the form of
// Akamai's fingerprint, is the persona's browser too.
func TestPersonaBeginsHTTP2(t *testing.T) {
	for persona, want := range map[string]struct {
		start           string
		first           uint32
		document, fetch http2.PriorityParam
	}{
		"firefox": {"1:65536;2:0;4:131072;5:16384|12517377", 3, http2.PriorityParam{Weight: 41}, http2.PriorityParam{Weight: 21}},
		"chrome":  {"1:65536;2:0;4:6291456;6:262144|15663105", 1, http2.PriorityParam{Weight: 255, Exclusive: true}, http2.PriorityParam{Weight: 219, Exclusive: true}},
	} {
		first := make(chan uint32, 2)
		o, client := insideFramed(t, func(s *framedStream) { first <- s.id; s.head(true, ":status: 204") }, func(o *Options) { o.Filters.Persona = persona })
		for dest, priority := range map[string]http2.PriorityParam{"document": want.document, "empty": want.fetch} {
			if _, _, err := read(client, "https://"+o.address+"/", "Sec-Fetch-Dest", dest); err != nil {
				t.Fatal(err)
			}
			o.mu.Lock()
			if o.priority != priority {
				t.Errorf("%s: the stream of a %s has the priority %+v", persona, dest, o.priority)
			}
			o.mu.Unlock()
		}
		if id := <-first; id != want.first {
			t.Errorf("%s: the first stream is %d", persona, id)
		}
		o.mu.Lock()
		var got []string
		for _, s := range o.settings {
			got = append(got, fmt.Sprintf("%d:%d", s.ID, s.Val))
		}
		if start := fmt.Sprintf("%s|%d", strings.Join(got, ";"), o.widened); start != want.start {
			t.Errorf("%s: a connection begins with %s", persona, start)
		}
		o.mu.Unlock()
	}
}
