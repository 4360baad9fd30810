package filters

import (
	"math/rand/v2"
	"net/http"
	"net/netip"
	"reflect"
	"strings"
	"testing"
)

// Whatever came before on a connection, a request is scrubbed as if it was
// the first, and what is done to it shows in no later one.
func TestRecentRequestsDecideNothing(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	one := func(list ...string) string { return list[random.IntN(len(list))] }
	sets := []*Set{newSet(t, Options{}), newSet(t, Options{Persona: "off", Cookies: CookiesPass,
		Sites: []Site{{Match: "b.example", Cookies: CookiesBlock}}})}
	clients := []netip.Addr{netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("192.0.2.8")}
	fields := map[string][]string{ // values of one weight
		"User-Agent": {"Mozilla/5.0 (a)", "Mozilla/5.0 (b)"}, "Accept": {"*/*", "a/b"}, "Cookie": {"a=b", "a=c"},
		"Referer": {"http://a.example/", "http://b.example/"}, "Sec-Fetch-Site": {"none"}, "X-Node": {"192.0.2.7", "192.0.2.8"},
		"X-Api-Version": {"1", "2"}, "Origin": {"http://a.example", "http://b.example"}, "Range": {"bytes=0-", "bytes=9-"},
		"X-Forwarded-For": {"192.0.2.7"}, "Connection": {"keep-alive", "x-api-mode"}, "Accept-Language": {"de", "en"},
	}
	repeated := 0
	for range 120 {
		recent := new(Recent)
		var names []string
		for name := range fields {
			if random.IntN(3) == 0 {
				names = append(names, name)
			}
		}
		for range 60 {
			h := http.Header{}
			for _, name := range names {
				if random.IntN(20) > 0 {
					h[name] = []string{fields[name][min(random.IntN(8), len(fields[name])-1)]}
				}
			}
			s, client := sets[random.IntN(8)/7], clients[random.IntN(8)/7]
			method := one("GET", "GET", "GET", "GET", "HEAD", "POST")
			target := [...]string{"http://", "https://"}[random.IntN(20)/19] + one("a.example", "a.example", "a.example", "b.example") +
				one("/", "/x", "/y/z", "/w", "/a.js", "/b.js", "/", "/x", "/y/z", "/w", "/u", "/f.woff2", "/favicon.ico", "/x/favicon.ico", "/a.png", "/a.ico", "/x%2Fy", "/?q=1", "/?utm_source=z", "/#x")

			want := s.Read(newRequest(t, method, target, h.Clone()), client)
			s.Request(want, nil)
			r := newRequest(t, method, target, h)
			if recent.outcome.Load().isOf(s, r, client) {
				repeated++
			}
			got, _ := s.Scrub(recent, r, client, nil)
			if !reflect.DeepEqual(got.Visit, want.Visit) || wire(t, s, &got) != wire(t, s, want) {
				t.Fatalf("%s %s: got %+v\n%s\nwant %+v\n%s", method, target, got.Visit, wire(t, s, &got), want.Visit, wire(t, s, want))
			}
			r.Header["Accept"] = []string{"spoiled"}
			delete(r.Header, "User-Agent")
		}
	}
	if repeated < 400 {
		t.Errorf("%d requests said what one before them did, too few to tell", repeated)
	}
}

// A connection that waits keeps no head that is large, also where its target is what
// is large in it.
func TestRecentRemembersNothingLarge(t *testing.T) {
	s := newSet(t, Options{})
	for path, remembers := range map[string]bool{"/": true, "/" + strings.Repeat("a", maxRecent): false} {
		recent := new(Recent)
		for range 2 {
			r := newRequest(t, "GET", "http://a.example"+path, http.Header{"Accept": {"*/*"}})
			r.RequestURI = "http://a.example" + path
			s.Scrub(recent, r, netip.MustParseAddr("192.0.2.7"), nil)
		}
		if got := recent.outcome.Load() != nil; got != remembers {
			t.Errorf("after a path of %d bytes it remembers: %t", len(path), got)
		}
	}
}

// What a connection said once it mostly does not say again, nothing but its target
// included: then there is no outcome to keep while it waits.
func TestRecentRemembersNothingSaidOnce(t *testing.T) {
	s := newSet(t, Options{})
	for _, h := range []http.Header{{}, {"Accept": {"*/*"}}} {
		recent := new(Recent)
		for i, remembers := range []bool{false, true} {
			s.Scrub(recent, newRequest(t, "GET", "http://a.example/", h.Clone()), netip.MustParseAddr("192.0.2.7"), nil)
			if got := recent.outcome.Load() != nil; got != remembers {
				t.Errorf("after %v %d times it remembers: %t", h, i+1, got)
			}
		}
	}
}
