package filters

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

func TestFetchMetadata(t *testing.T) {
	type fields struct{ dest, mode, site, user, storage string }
	for _, test := range []struct {
		name string
		url  string
		h    http.Header
		want fields
	}{
		{"plain http has none", "http://site.example/", http.Header{"Sec-Fetch-Dest": {"document"}, "Sec-Fetch-Site": {"none"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-User": {"?1"}}, fields{}},
		{"a browser that sends none", "https://site.example/", http.Header{"Accept": {"text/html,application/xhtml+xml,*/*"}}, fields{"document", "navigate", "none", "?1", ""}},
		{"a browser that sends all", "https://site.example/", http.Header{"Sec-Fetch-Dest": {"document"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Site": {"none"}, "Sec-Fetch-User": {"?1"}}, fields{"document", "navigate", "none", "?1", ""}},
		{"a page that Chromium renders in advance", "https://site.example/", http.Header{"Sec-Fetch-Dest": {"document"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Site": {"same-origin"}, "Sec-Purpose": {"prefetch;prerender"}, "Referer": {"https://site.example/a"}}, fields{"document", "navigate", "same-origin", "", ""}},
		{"a link of the site", "https://site.example/", http.Header{"Sec-Fetch-Dest": {"document"}, "Sec-Fetch-Site": {"same-origin"}, "Referer": {"https://site.example/a"}}, fields{"document", "navigate", "same-origin", "?1", ""}},
		{"a forged navigation stays visible", "https://site.example/", http.Header{"Sec-Fetch-Dest": {"document"}, "Sec-Fetch-Site": {"cross-site"}}, fields{"document", "navigate", "cross-site", "?1", ""}},
		{"a forged form stays visible", "https://site.example/", http.Header{"Accept": {"text/html,application/xhtml+xml,*/*"}, "Origin": {"https://evil.example"}}, fields{"document", "navigate", "cross-site", "?1", ""}},
		{"an API client", "https://api.example/", http.Header{"Accept": {"application/json"}}, fields{"empty", "cors", "same-origin", "", ""}},
		{"a beacon", "https://track.example/", http.Header{"Sec-Fetch-Dest": {"empty"}, "Sec-Fetch-Mode": {"no-cors"}, "Sec-Fetch-Site": {"cross-site"}}, fields{"empty", "no-cors", "cross-site", "", "none"}},
		{"an image of another site", "https://cdn.example/", http.Header{"Sec-Fetch-Dest": {"image"}, "Sec-Fetch-Mode": {"no-cors"}, "Sec-Fetch-Site": {"cross-site"}}, fields{"image", "no-cors", "cross-site", "", "none"}},
		{"an image of a sibling", "https://cdn.site.example/", http.Header{"Sec-Fetch-Dest": {"image"}, "Sec-Fetch-Mode": {"no-cors"}, "Sec-Fetch-Site": {"same-site"}}, fields{"image", "no-cors", "same-site", "", ""}},
		{"an image by CORS", "https://cdn.example/", http.Header{"Sec-Fetch-Dest": {"image"}, "Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://site.example"}}, fields{"image", "cors", "cross-site", "", ""}},
		{"a handshake with another site", "https://chat.example/", http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Origin": {"https://site.example"}}, fields{"empty", "websocket", "cross-site", "", "none"}},
		{"a handshake with the page's own site", "https://site.example/", http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Origin": {"https://site.example"}}, fields{"empty", "websocket", "same-origin", "", ""}},
		{"a frame of another site", "https://ads.example/", http.Header{"Sec-Fetch-Dest": {"iframe"}, "Sec-Fetch-Site": {"cross-site"}}, fields{"iframe", "navigate", "cross-site", "", "none"}},
		{"a film in a plug-in's place", "https://ads.example/", http.Header{"Sec-Fetch-Dest": {"object"}, "Sec-Fetch-Site": {"cross-site"}}, fields{"object", "navigate", "cross-site", "", "none"}},
		{"a handshake with it, port and all", "https://site.example:443/", http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Origin": {"https://site.example"}}, fields{"empty", "websocket", "same-origin", "", ""}},
		{"a frame of the page's own site", "https://site.example/", http.Header{"Sec-Fetch-Dest": {"iframe"}, "Sec-Fetch-Site": {"same-origin"}}, fields{"iframe", "navigate", "same-origin", "", ""}},
		{"made-up tokens", "https://site.example/", http.Header{"Sec-Fetch-Dest": {"font"}, "Sec-Fetch-Mode": {"me"}, "Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-User": {"me"}}, fields{"font", "cors", "same-origin", "", ""}},
		{"a claim that Origin contradicts", "https://site.example/", http.Header{"Sec-Fetch-Dest": {"image"}, "Sec-Fetch-Site": {"same-origin"}, "Origin": {"https://evil.example"}}, fields{"image", "cors", "cross-site", "", ""}},
		{"an icon that nobody asked for", "https://site.example/favicon.ico", http.Header{"Sec-Fetch-Dest": {"image"}, "Sec-Fetch-Site": {"none"}}, fields{"image", "no-cors", "same-origin", "", ""}},
		{"an extension's request", "https://site.example/", http.Header{"Sec-Fetch-Dest": {"empty"}, "Sec-Fetch-Site": {"none"}}, fields{"empty", "cors", "same-origin", "", ""}},
		{"a form under no-referrer, of a browser that sends none", "POST https://site.example/", http.Header{"Accept": {"text/html,application/xhtml+xml,*/*"}, "Origin": {"null"}}, fields{"document", "navigate", "same-origin", "?1", ""}},
		{"a form under no-referrer", "POST https://site.example/", http.Header{"Sec-Fetch-Dest": {"document"}, "Sec-Fetch-Site": {"same-origin"}, "Origin": {"null"}}, fields{"document", "navigate", "same-origin", "?1", ""}},
		{"what a service worker's module imports", "https://site.example/", http.Header{"Sec-Fetch-Dest": {"serviceworker"}, "Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Site": {"same-origin"}}, fields{"worker", "cors", "same-origin", "", ""}},
		{"what a shared worker's imports", "https://site.example/", http.Header{"Sec-Fetch-Dest": {"sharedworker"}, "Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Site": {"same-origin"}}, fields{"worker", "cors", "same-origin", "", ""}},
		{"a part that a service worker hands on", "https://site.example/a.png", http.Header{"Sec-Fetch-Dest": {"empty"}, "Sec-Fetch-Mode": {"no-cors"}, "Sec-Fetch-Site": {"same-origin"}}, fields{"empty", "no-cors", "same-origin", "", ""}},
		{"a font that WebKit's hands on", "https://site.example/a.woff2", http.Header{"Sec-Fetch-Dest": {"empty"}, "Sec-Fetch-Mode": {"no-cors"}, "Sec-Fetch-Site": {"same-origin"}}, fields{"empty", "cors", "same-origin", "", ""}},
		{"a service worker", "https://site.example/", http.Header{"Sec-Fetch-Dest": {"serviceworker"}, "Sec-Fetch-Site": {"same-origin"}}, fields{"serviceworker", "same-origin", "same-origin", "", ""}},
		{"a sibling", "https://api.site.example/", http.Header{"Accept": {"*/*"}, "Origin": {"https://site.example"}}, fields{"empty", "cors", "same-site", "", ""}},
	} {
		s := newSet(t, Options{})
		method, url, posts := strings.Cut(test.url, " ")
		if !posts {
			method, url = "GET", test.url
		}
		m := s.Read(newRequest(t, method, url, test.h), netip.Addr{})
		s.Request(m, nil)
		h := m.Request.Header
		got := fields{h.Get("Sec-Fetch-Dest"), h.Get("Sec-Fetch-Mode"), h.Get("Sec-Fetch-Site"), h.Get("Sec-Fetch-User"), h.Get("Sec-Fetch-Storage-Access")}
		if got != test.want {
			t.Errorf("%s:\n got %+v\nwant %+v", test.name, got, test.want)
		}
	}
}

// TestDownloadsLookAlike: of a link with "download" Firefox says that it is a page's, and
// Chromium neither what it is for nor what it takes.
func TestDownloadsLookAlike(t *testing.T) {
	for _, persona := range []string{"firefox", "chrome"} {
		s := newSet(t, Options{Persona: persona})
		var got []string
		for _, h := range []http.Header{
			{"Sec-Fetch-Dest": {"document"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-User": {"?1"}, "Accept": {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}, "Upgrade-Insecure-Requests": {"1"}},
			{"Sec-Fetch-Dest": {"empty"}, "Sec-Fetch-Mode": {"navigate"}},
		} {
			h["User-Agent"], h["Cookie"] = []string{"Mozilla/5.0"}, []string{"a=b"}
			h["Sec-Fetch-Site"], h["Referer"] = []string{"same-origin"}, []string{"https://site.example/files"}
			got = append(got, scrubbed(t, s, newRequest(t, "GET", "https://site.example/a.bin", h)))
		}
		if got[0] != got[1] {
			t.Errorf("%s: Firefox's\n%s\nChromium's\n%s", persona, got[0], got[1])
		}
	}
}

// TestDownloadsOverPlainHTTPLookAlike: Chromium says there by nothing but that it names no
// type that it goes to what a page links to.
func TestDownloadsOverPlainHTTPLookAlike(t *testing.T) {
	const chromium = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"
	form := func(more ...string) string {
		h := http.Header{"User-Agent": {chromium}, "Referer": {"http://site.example/files"}, "Cookie": {"a=b"}}
		for i := 0; i < len(more); i += 2 {
			if h.Set(more[i], more[i+1]); more[i+1] == "" {
				h.Del(more[i])
			}
		}
		return scrubbed(t, newSet(t, Options{}), newRequest(t, "GET", "http://site.example/a.bin", h))
	}
	page := form("User-Agent", firefoxAgent, "Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "Upgrade-Insecure-Requests", "1", "Priority", "u=0, i")
	if got := form(); got != page {
		t.Errorf("Chromium's\n%s\nFirefox's\n%s", got, page)
	}
	for _, program := range [][]string{{"Referer", ""}, {"User-Agent", "curl/8"}, {"Origin", "http://site.example"}, {"X-Acme-Mode", "1"}} {
		if got := form(program...); !strings.Contains(got, "Accept: */*\n") {
			t.Errorf("what no page links to, with %q, goes out as\n%s", program, got)
		}
	}
}

// TestPagesFetchedAnewLookAlike: what a service worker answers for with a fetch of the same
// goes as if there was none, with what the worker adds.
func TestPagesFetchedAnewLookAlike(t *testing.T) {
	for _, persona := range []string{"firefox", "chrome"} {
		for _, method := range []string{"GET", "POST"} {
			var first string
			for _, told := range []http.Header{
				{"Sec-Fetch-Dest": {"document"}, "Sec-Fetch-Mode": {"navigate"}, "Upgrade-Insecure-Requests": {"1"}},
				{"Sec-Fetch-Dest": {"empty"}, "Sec-Fetch-Mode": {"navigate"}, "Upgrade-Insecure-Requests": {"1"}},                         // Chromium
				{"Sec-Fetch-Dest": {"empty"}, "Sec-Fetch-Mode": {"navigate"}},                                                             // WebKit
				{"Sec-Fetch-Dest": {"empty"}, "Sec-Fetch-Mode": {"same-origin"}, "Upgrade-Insecure-Requests": {"1"}, "Priority": {"u=2"}}, // Firefox
			} {
				told["User-Agent"], told["Cookie"] = []string{"Mozilla/5.0"}, []string{"a=b"}
				if told.Get("Sec-Fetch-Mode") == "same-origin" {
					told["User-Agent"] = []string{firefoxAgent}
				}
				told["Accept"] = []string{"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
				told["Sec-Fetch-Site"], told["Referer"] = []string{"same-origin"}, []string{"https://site.example/files"}
				if method == "POST" {
					told["Origin"], told["Content-Type"] = []string{"https://site.example"}, []string{"application/x-www-form-urlencoded"}
				}
				r := newRequest(t, method, "https://site.example/", told)
				if method == "POST" {
					r.ContentLength = 5
				}
				got := scrubbed(t, newSet(t, Options{Persona: persona}), r)
				if first == "" {
					first = got
				}
				if got != first || !strings.Contains(got, "Cookie: a=b") {
					t.Errorf("%s: %s:\n%s\nnot\n%s", persona, method, got, first)
				}
			}
		}
	}
	h := http.Header{"User-Agent": {firefoxAgent}, "Sec-Fetch-Dest": {"empty"}, "Sec-Fetch-Mode": {"same-origin"}, "Sec-Fetch-Site": {"same-origin"}, "Upgrade-Insecure-Requests": {"1"},
		"Accept": {"text/html,application/xhtml+xml,*/*"}, "Authorization": {"Bearer eyJhbGciOiJub25lIn0.e30."}, "X-App-Version": {"3"}}
	scrubbed(t, newSet(t, Options{}), newRequest(t, "GET", "https://site.example/", h))
	if h.Get("Authorization") == "" || h.Get("X-App-Version") != "3" {
		t.Errorf("a service worker's own fields go out as %v", h)
	}
	// A script of a frame in another site's page may ask so itself.
	h = http.Header{"User-Agent": {"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36"},
		"Sec-Fetch-Dest": {"empty"}, "Sec-Fetch-Mode": {"same-origin"}, "Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-Storage-Access": {"none"}, "Upgrade-Insecure-Requests": {"1"},
		"Accept": {"text/html,application/xhtml+xml,*/*"}, "Referer": {"https://site.example/frame"}, "Cookie": {"a=b"}}
	if got := scrubbed(t, newSet(t, Options{}), newRequest(t, "GET", "https://site.example/", h)); strings.Contains(got, "Cookie:") || !strings.Contains(got, "Sec-Fetch-Dest: empty") {
		t.Errorf("a frame's script that poses as a service worker's goes out as\n%s", got)
	}
}

// TestStyleSheetsOfOthersLookAlike: with what a sheet imports or shows Firefox names the
// sheet's relation to the target, Chromium the page's.
func TestStyleSheetsOfOthersLookAlike(t *testing.T) {
	s := newSet(t, Options{})
	for _, test := range []struct{ dest, claim, access, referer, want string }{
		{"image", "cross-site", "none", "https://cdn.example/a.css?v=1", "same-origin"}, // Chromium
		{"image", "same-origin", "none", "https://cdn.example/a.css?v=1", "same-origin"},
		{"style", "same-site", "", "https://cdn.example/a.css", "same-origin"},
		{"image", "cross-site", "none", "https://other.example/a.css", "cross-site"},
		{"image", "cross-site", "none", "https://cdn.example/page", "cross-site"},
		{"script", "cross-site", "none", "https://cdn.example/a.css", "cross-site"},
	} {
		h := http.Header{"User-Agent": {"Mozilla/5.0"}, "Sec-Fetch-Dest": {test.dest}, "Sec-Fetch-Mode": {"no-cors"}, "Sec-Fetch-Site": {test.claim}, "Referer": {test.referer}, "Cookie": {"a=b"}}
		if test.access != "" {
			h["Sec-Fetch-Storage-Access"] = []string{test.access}
		}
		scrubbed(t, s, newRequest(t, "GET", "https://cdn.example/a", h))
		access := ""
		if test.want == "cross-site" {
			access = "none"
		}
		if site, got := h.Get("Sec-Fetch-Site"), h.Get("Sec-Fetch-Storage-Access"); site != test.want || got != access || test.access != "" && h["Cookie"] != nil {
			t.Errorf("%+v: %s, storage access %q, cookie %q", test, site, got, h["Cookie"])
		}
	}
}

// Browsers differ in the mode that they name for beacons, prefetches and
// reports, and old ones name none.
func TestModeFollowsFromTheRequest(t *testing.T) {
	s := newSet(t, Options{})
	for _, test := range []struct {
		name, method string
		h            http.Header
		dest, mode   string
	}{
		{"a beacon", "POST", http.Header{"Content-Type": {"text/plain;charset=UTF-8"}, "Origin": {"https://site.example"}}, "empty", "cors"},
		{"a beacon to another site", "POST", http.Header{"Content-Type": {"text/plain;charset=UTF-8"}, "Origin": {"https://page.example"}}, "empty", "cors"},
		{"a ping", "POST", http.Header{"Content-Type": {"text/ping"}, "Origin": {"https://site.example"}}, "empty", "no-cors"},
		{"a report of a policy", "POST", http.Header{"Content-Type": {"application/csp-report"}, "Origin": {"https://site.example"}}, "report", "no-cors"},
		{"reports", "POST", http.Header{"Content-Type": {"application/reports+json; charset=utf-8"}, "Origin": {"https://site.example"}}, "report", "cors"},
		{"a prefetch", "GET", http.Header{"Referer": {"https://site.example/"}}, "empty", "cors"},
		{"a prefetch from another site", "GET", http.Header{"Referer": {"https://page.example/"}}, "empty", "no-cors"},
	} {
		for _, claim := range []string{"", "cors", "no-cors", "same-origin", "canary"} {
			h := test.h.Clone()
			h["User-Agent"] = []string{"Mozilla/5.0"}
			if claim != "" {
				h["Sec-Fetch-Mode"] = []string{claim}
			}
			scrubbed(t, s, newRequest(t, test.method, "https://site.example/a", h))
			if dest, mode := h.Get("Sec-Fetch-Dest"), h.Get("Sec-Fetch-Mode"); dest != test.dest || mode != test.mode {
				t.Errorf("%s that says %q: %s, %s, want %s, %s", test.name, claim, dest, mode, test.dest, test.mode)
			}
		}
	}
}

// TestFieldsOfFetchMetadataAreTheStandards: of a name that browsers may send one day,
// or somebody made up, nothing passes; nor is of a site's frames said that they have no
// cookies where they have.
func TestFieldsOfFetchMetadataAreTheStandards(t *testing.T) {
	s := newSet(t, Options{Cookies: CookiesPass})
	image := http.Header{"Sec-Fetch-Dest": {"image"}, "Sec-Fetch-Mode": {"no-cors"}, "Sec-Fetch-Site": {"cross-site"}, "User-Agent": {"Mozilla/5.0"}}
	for cookie, want := range map[string]string{"": "none", "a=b": ""} {
		h := image.Clone()
		if cookie != "" {
			h["Cookie"] = []string{cookie}
		}
		m := s.Read(newRequest(t, "GET", "https://cdn.example/a.png", h), netip.Addr{})
		s.Request(m, nil)
		if got := m.Request.Header.Get("Sec-Fetch-Storage-Access"); got != want {
			t.Errorf("with the cookie %q, Sec-Fetch-Storage-Access is %q", cookie, got)
		}
	}
	m := s.Read(newRequest(t, "GET", "https://api.example/", http.Header{"Accept": {"application/json"}, "Sec-Fetch-Visitor": {"?1"}}), netip.Addr{})
	s.Request(m, nil)
	if got := m.Request.Header["Sec-Fetch-Visitor"]; got != nil {
		t.Errorf("Sec-Fetch-Visitor passes: %q", got)
	}
}

// TestClaimsThatDifferAreTheStrictest: on a page, where a missing claim would have
// others decide.
func TestClaimsThatDifferAreTheStrictest(t *testing.T) {
	h := http.Header{"Sec-Fetch-Site": {"same-origin", "none"}, "Sec-Fetch-Dest": {"empty"}, "Accept": {"*/*"}}
	v := newSet(t, Options{}).Read(newRequest(t, "GET", "https://shop.example/", h), netip.Addr{}).Visit
	if !v.ThirdParty {
		t.Error("a request that says two things of its site is a first party's")
	}
}

// TestPartsByCORSSayTheirMode: modules, masks and shapes come by CORS from the page's own
// origin too, and symbols from there alone. All browsers of today say so; a persona of
// Chromium sends Origin with the former. What contradicts the rest is not believed.
func TestPartsByCORSSayTheirMode(t *testing.T) {
	const page, own = "https://other.example", "https://site.example"
	for _, test := range []struct{ dest, told, origin, mode, chromium string }{
		{"script", "cors", "", "cors", own}, // Firefox's
		{"script", "cors", own, "cors", own},
		{"script", "no-cors", "", "no-cors", ""},
		{"script", "", own, "no-cors", ""}, // before 2019
		{"script", "cors", page, "cors", page},
		{"script", "no-cors", page, "cors", page},
		{"audioworklet", "cors", "", "cors", own},
		{"style", "cors", "", "cors", own},
		{"image", "cors", "", "cors", own},
		{"image", "same-origin", "", "same-origin", ""},
		{"image", "navigate", "", "no-cors", ""},
		{"track", "", "", "same-origin", ""},
		{"track", "no-cors", "", "same-origin", ""},
		{"track", "cors", "", "cors", own},
		{"worker", "same-origin", "", "same-origin", ""},
		{"worker", "cors", "", "cors", own}, // what a module of one imports
		{"json", "cors", "", "cors", own},
		{"text", "no-cors", "", "cors", own},
		{"manifest", "cors", "", "cors", ""},
		{"empty", "same-origin", "", "cors", ""},
	} {
		for _, persona := range []string{"firefox", "chrome"} {
			h := http.Header{"User-Agent": {"Mozilla/5.0"}, "Sec-Fetch-Dest": {test.dest}, "Referer": {"https://site.example/a"}}
			want := test.chromium
			if persona == "firefox" && want == own {
				want = ""
			}
			if test.told != "" {
				h["Sec-Fetch-Mode"] = []string{test.told}
			}
			if test.origin != "" {
				h["Origin"] = []string{test.origin}
			}
			scrubbed(t, newSet(t, Options{Persona: persona}), newRequest(t, "GET", "https://site.example/a", h))
			if mode, origin := h.Get("Sec-Fetch-Mode"), h.Get("Origin"); mode != test.mode || origin != want {
				t.Errorf("%s: %+v: mode %q, Origin %q", persona, test, mode, origin)
			}
		}
	}
}

// TestBeaconsAndPrefetchesGoAsThePersonas: over https all browsers of today say which these
// are.
func TestBeaconsAndPrefetchesGoAsThePersonas(t *testing.T) {
	s := newSet(t, Options{})
	for _, test := range []struct {
		name, method string
		h            http.Header
		priority     string
	}{
		{"a beacon", "POST", http.Header{"Content-Type": {"text/plain;charset=UTF-8"}, "Sec-Fetch-Mode": {"no-cors"}}, "u=6"},
		{"a beacon to another site", "POST", http.Header{"Origin": {"https://page.example"}, "Sec-Fetch-Mode": {"no-cors"}}, "u=6"},
		{"a ping", "POST", http.Header{"Content-Type": {"text/ping"}}, "u=6"},
		{"a prefetched page", "GET", http.Header{"Accept": {"text/html,application/xhtml+xml,*/*;q=0.8"}, "Sec-Purpose": {"prefetch"}, "Sec-Fetch-Mode": {"no-cors"}}, "u=6"},
		{"a prefetched page for Chromium 87", "GET", http.Header{"Accept": {"application/signed-exchange;v=b3;q=0.9,*/*;q=0.8"}, "Purpose": {"prefetch"}, "Sec-Fetch-Mode": {"no-cors"}}, "u=6"},
		{"a page that Inertia prefetches", "GET", http.Header{"Accept": {"text/html, application/xhtml+xml"}, "Purpose": {"prefetch"}, "X-Inertia": {"true"}, "Sec-Fetch-Mode": {"cors"}}, "u=4"},
		{"what a script prefetches", "GET", http.Header{"Accept": {"*/*"}, "Purpose": {"prefetch"}, "Sec-Fetch-Mode": {"cors"}}, "u=4"},
		{"what a script sends", "POST", http.Header{"Content-Type": {"text/plain;charset=UTF-8"}, "Sec-Fetch-Mode": {"cors"}}, "u=4"},
	} {
		h := test.h
		h["User-Agent"], h["Sec-Fetch-Dest"], h["Referer"] = []string{"Mozilla/5.0"}, []string{"empty"}, []string{"https://site.example/"}
		scrubbed(t, s, newRequest(t, test.method, "https://site.example/a", h))
		want := "cors"
		if test.priority == "u=6" {
			want = "no-cors"
		}
		if got := h.Get("Priority"); got != test.priority || h.Get("Sec-Fetch-Mode") != want {
			t.Errorf("%s: Priority %q, mode %q", test.name, got, h.Get("Sec-Fetch-Mode"))
		}
	}
	for _, accept := range []string{"text/html,application/xhtml+xml,*/*;q=0.8", "application/signed-exchange;v=b3;q=0.7,*/*;q=0.8"} {
		h := http.Header{"User-Agent": {"Mozilla/5.0"}, "Accept": {accept}, "Sec-Purpose": {"prefetch"}}
		scrubbed(t, s, newRequest(t, "GET", "http://site.example/a", h))
		if h.Get("Priority") != "u=6" || h["Upgrade-Insecure-Requests"] != nil {
			t.Errorf("%s on plain http: %v", accept, h)
		}
	}
	h := http.Header{"User-Agent": {"Mozilla/5.0"}, "Accept": {"text/html, application/xhtml+xml"}, "Purpose": {"prefetch"}, "X-Inertia": {"true"}}
	scrubbed(t, s, newRequest(t, "GET", "http://site.example/a", h))
	if h.Get("X-Inertia") == "" {
		t.Errorf("a framework's prefetch is taken for the browser's: %v", h)
	}
}
