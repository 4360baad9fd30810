package filters

import (
	_ "embed"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

//go:embed testdata/browsers.txt
var recordedBrowsers string

// recorded returns the header of each recorded request, by request ("GET
// https://www.site.example/a.css") and browser.
func recorded() map[string]map[string]http.Header {
	agents := map[string]string{}
	all := map[string]map[string]http.Header{}
	browser, scheme := "", ""
	var requests []string
	for line := range strings.Lines(recordedBrowsers) {
		line = strings.TrimSuffix(line, "\n")
		method, path, isRequest := strings.Cut(line, " /")
		name, value, isField := strings.Cut(line, ": ")
		switch {
		case line == "" || line[0] == '#':
		case strings.HasPrefix(line, "== "):
			fmt.Sscanf(line, "== %s %s", &browser, &scheme)
			requests = nil
		case browser == "":
			name, agent, _ := strings.Cut(line, " is ")
			agents[name] = agent
		case isRequest && method == strings.ToUpper(method) && !isField:
			url := scheme + "://www.site.example/" + path
			if rest, elsewhere := strings.CutPrefix(path, "/other/"); elsewhere {
				url = scheme + "://cdn.other.example/" + rest
			}
			request := method + " " + url
			if all[request] == nil {
				all[request] = map[string]http.Header{}
			}
			all[request][browser] = http.Header{"User-Agent": {agents[browser]}}
			requests = append(requests, request)
		default:
			for _, request := range requests {
				all[request][browser].Add(name, value)
			}
		}
	}
	return all
}

// Three engines of today ask for one page and its parts, each in its own words, and
// leave as one.
func TestRecordedBrowsersLookAlike(t *testing.T) {
	all := recorded()
	if len(all) < 60 {
		t.Fatalf("only %d requests", len(all))
	}
	for _, o := range []Options{{}, {Persona: "chrome"}, {Unknown: UnknownDrop, Cookies: CookiesBlock}} {
		s := newSet(t, o)
		for request, browsers := range all {
			method, url, _ := strings.Cut(request, " ")
			seen := map[string][]string{}
			for _, browser := range slices.Sorted(maps.Keys(browsers)) {
				r := newRequest(t, method, url, browsers[browser].Clone())
				if !safe(method) && method != http.MethodOptions {
					r.ContentLength = 5
				}
				m := s.Read(r, netip.MustParseAddr("192.0.2.7"))
				s.Request(m, nil)
				s.Onward(m, nil)
				got := wire(t, s, m)
				seen[got] = append(seen[got], browser)
			}
			if len(seen) != 1 {
				t.Errorf("%+v: %s goes out in %d forms:", o, request, len(seen))
				for form, who := range seen {
					t.Logf("%v\n%s", who, form)
				}
			}
		}
	}
}

// TestPersonasAreTheirBrowsers: what the persona's own browser sent leaves as it came,
// but for what tells of the visit or differs by browser.
func TestPersonasAreTheirBrowsers(t *testing.T) {
	unlike := map[string]bool{ // made by what only one browser says, or told apart by nothing that all say
		"GET https://www.site.example/m.js": true, "GET https://www.site.example/fb": true, "GET https://www.site.example/y1": true,
		"GET https://www.site.example/pf.woff2": true, "GET https://www.site.example/next?id=1": true,
		"GET https://cdn.other.example/c3": true, "GET https://cdn.other.example/es2": true,
		"GET https://www.site.example/mod2.mjs": true, "GET https://www.site.example/awl.js": true, // without a Priority, or another, in Firefox
		"GET https://www.site.example/mask.svg": true, "GET https://www.site.example/use.svg": true, // of another Priority, or Accept, in Firefox
		"GET https://www.site.example/modimp.mjs": true, "GET https://www.site.example/sheet.xsl": true, // of another Priority, or mode, in Chromium
		"POST https://www.site.example/y3": true, "POST https://www.site.example/y8": true, // XMLHttpRequest, without a Priority in Firefox
	}
	for persona, browser := range map[string]string{"firefox": "firefox", "chrome": "chromium"} {
		s, compared := newSet(t, Options{Persona: persona}), 0
		for request, browsers := range recorded() {
			sent := browsers[browser]
			if method, url, _ := strings.Cut(request, " "); sent != nil && strings.HasPrefix(url, "https") && !strings.Contains(url, "/sw") && !unlike[request] {
				r := newRequest(t, method, url, sent.Clone())
				m := s.Read(r, netip.MustParseAddr("192.0.2.7"))
				s.Request(m, nil)
				got := r.Header
				for _, line := range s.FieldOrder(m) {
					if name, value, over2 := strings.Cut(line, ": "); over2 && got[http.CanonicalHeaderKey(name)] == nil {
						got.Set(name, value)
					}
				}
				for _, name := range []string{"Accept", "Priority", "Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site", "Sec-Fetch-User", "Sec-Fetch-Storage-Access", "Te", "Upgrade-Insecure-Requests"} {
					if want := sent.Get(name); got.Get(name) != want {
						t.Errorf("%s: %s: %s: got %q, the browser sent %q", persona, request, name, got.Get(name), want)
					}
				}
				compared++
			}
		}
		if compared < 20 {
			t.Errorf("%s: only %d requests", persona, compared)
		}
	}
}
