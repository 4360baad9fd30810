package filters

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

// wire renders a request as an origin reads it: the fields in FieldOrder, in
// its case.
func wire(t testing.TB, s *Set, m *Message) string {
	t.Helper()
	var out strings.Builder
	fmt.Fprintf(&out, "%s %s\n", m.Request.Method, m.Request.URL)
	sent := map[string]bool{}
	for _, name := range s.FieldOrder(m) {
		key := http.CanonicalHeaderKey(name)
		if sent[key] {
			t.Fatalf("FieldOrder lists %s twice", name)
		}
		sent[key] = true
		for _, line := range m.Request.Header[key] {
			fmt.Fprintf(&out, "%s: %s\n", name, line)
		}
	}
	for name := range m.Request.Header {
		if !sent[name] {
			t.Fatalf("FieldOrder leaves out %s", name)
		}
	}
	return out.String()
}

func newRequest(t testing.TB, method, rawURL string, h http.Header) *http.Request {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Request{Method: method, URL: u, Host: u.Host, Header: h, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
}

func newSet(t testing.TB, o Options) *Set {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// scrubbed runs a request through s and returns it as the origin reads it.
func scrubbed(t testing.TB, s *Set, r *http.Request) string {
	t.Helper()
	m := s.Read(r, netip.MustParseAddr("192.0.2.7"))
	s.Request(m, nil)
	return wire(t, s, m)
}

// What several hundred browsers send for the same thing leaves as one and the
// same request, on http with and without what browsers send to https only.
func TestAllBrowsersSendTheSameBytes(t *testing.T) {
	all := visitors()
	if len(all) < 500 {
		t.Fatalf("only %d visitors", len(all))
	}
	for _, persona := range []string{"firefox", "chrome"} {
		s := newSet(t, Options{Persona: persona})
		for _, scheme := range []string{"http", "https"} {
			for _, kind := range []Kind{Document, Frame, Image, Style, Script, Font, Audio, Video, Worker, Manifest, Track, Fetch} {
				t.Run(fmt.Sprintf("%s/%s/%s", persona, scheme, kind), func(t *testing.T) {
					seen := map[string]string{} // request: first visitor
					for _, v := range all {
						// Old releases send no Sec-Fetch-Dest: only Accept tells then,
						// and "*/*" tells nothing.
						if scheme == "https" && !v.fetchMetadata() && kind != Document && kind != Image && kind != Style && kind != Fetch {
							continue
						}
						for _, metadata := range []bool{false, true} {
							if scheme == "https" && !metadata {
								continue
							}
							h := v.header(kind, "same-origin", metadata)
							h["Cookie"] = []string{"sid=31d4d96e407aad42"}
							h["Referer"] = []string{scheme + "://www.site.example/page?of=mine"}
							if kind == Audio || kind == Video {
								h["Range"] = []string{"bytes=0-"}
							}
							if (kind == Font || kind == Script) && v.family == "chromium" {
								h["Origin"] = []string{scheme + "://www.site.example"}
							}
							got := scrubbed(t, s, newRequest(t, "GET", scheme+"://www.site.example/thing", h))
							if _, known := seen[got]; !known {
								seen[got] = v.name
							}
						}
					}
					if len(seen) != 1 {
						t.Errorf("%d different requests:", len(seen))
						for request, who := range seen {
							t.Logf("%s\n%s", who, request)
						}
					}
				})
			}
		}
	}
}

// Nothing that a client adds to a field of the persona's survives, however it
// is spelled or repeated.
func TestFieldsOfThePersonaCarryNothing(t *testing.T) {
	s := newSet(t, Options{})
	want := scrubbed(t, s, newRequest(t, "GET", "http://site.example/", http.Header{"Accept": {"text/html,application/xhtml+xml,*/*;q=0.1"}}))
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		h := http.Header{"Accept": {"text/html,application/xhtml+xml,*/*;q=0.1"}}
		for _, name := range personaOnly {
			if name == "Accept" {
				continue
			}
			for range random.IntN(3) {
				h[name] = append(h[name], fmt.Sprintf("x%d;q=0.%d", random.Int(), random.IntN(1000)))
			}
		}
		if got := scrubbed(t, s, newRequest(t, "GET", "http://site.example/", h)); got != want {
			t.Fatalf("got\n%s\nwant\n%s\nfrom %v", got, want, h)
		}
	}
}
