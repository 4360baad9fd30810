package filters

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

func TestReferer(t *testing.T) {
	for _, test := range []struct{ url, referer, want string }{
		{"http://www.site.example/", "http://www.site.example/private?of=me#here", "http://www.site.example/"},
		{"http://api.site.example/", "http://www.site.example:8080/a", "http://www.site.example:8080/"},
		{"https://www.site.example/", "http://www.site.example/", "http://www.site.example/"},
		{"http://www.site.example/", "https://www.site.example/a", ""},
		{"http://other.example/", "http://www.site.example/a", ""},
		{"http://www.site.example/", "http://user:password@www.site.example/a", "http://www.site.example/"},
		{"http://www.site.example/", "HTTP://WWW.Site.Example:80/a", "http://www.site.example/"},
		{"http://[2001:db8::1]/", "http://[2001:DB8::1]:81/a", "http://[2001:db8::1]:81/"},
		{"http://www.site.example/", "android-app://www.site.example/", ""},
		{"http://www.site.example/", "about:blank", ""},
		{"http://www.site.example/", "/relative", ""},
		{"http://www.site.example/", "http://www.site.example@evil.example/", ""},
		{"http://a.github.io/", "http://b.github.io/x", ""},
	} {
		m := newSet(t, Options{}).Read(newRequest(t, "GET", test.url, http.Header{"Referer": {test.referer}, "Accept": {"text/html,application/xhtml+xml,*/*"}}), netip.Addr{})
		referer{&persona{}}.Apply(m, nil)
		if got := strings.Join(m.Request.Header["Referer"], "|"); got != test.want {
			t.Errorf("%s to %s: got %q, want %q", test.referer, test.url, got, test.want)
		}
	}
}

// TestPartsNameTheirOrigin: of what a worker from a blob fetches, and of dictionaries,
// Chromium names no page, Firefox does; some people have none named anywhere.
func TestPartsNameTheirOrigin(t *testing.T) {
	s := newSet(t, Options{})
	for _, test := range []struct{ dest, site, want string }{
		{"empty", "same-origin", "https://www.site.example/"},
		{"image", "same-origin", "https://www.site.example/"},
		{"iframe", "same-origin", "https://www.site.example/"},
		{"empty", "same-site", ""},  // of which origin is not told
		{"image", "cross-site", ""}, // a sandbox may be of the same
		{"document", "same-origin", ""},
		{"track", "same-origin", ""},
	} {
		forms := map[string]bool{}
		for _, referer := range []string{"", test.want} {
			h := http.Header{"User-Agent": {"Mozilla/5.0"}, "Accept": {"*/*"}, "Sec-Fetch-Dest": {test.dest}, "Sec-Fetch-Mode": {"no-cors"}, "Sec-Fetch-Site": {test.site}}
			if referer != "" {
				h.Set("Referer", referer+"page")
			}
			r := newRequest(t, "GET", "https://www.site.example/a", h)
			forms[scrubbed(t, s, r)] = true
			if got := h.Get("Referer"); got != test.want {
				t.Errorf("%s, %s, named as %q: got %q, want %q", test.dest, test.site, referer, got, test.want)
			}
		}
		if len(forms) != 1 {
			t.Errorf("%s, %s goes out in %d forms", test.dest, test.site, len(forms))
		}
	}
}

func TestOriginPassesWhereTheStandardSendsIt(t *testing.T) {
	const u = "https://site.example/"
	for _, test := range []struct {
		method string
		url    string
		origin []string
		want   string
	}{
		{"GET", u, []string{"https://app.example"}, "https://app.example"},
		{"GET", u, []string{"null"}, "null"},
		{"POST", u, []string{"https://site.example"}, "https://site.example"},
		{"GET", u, []string{"https://site.example"}, ""},
		{"GET", u, []string{"http://site.example"}, "http://site.example"},
		{"GET", u, []string{"capacitor://localhost"}, "capacitor://localhost"},
		{"GET", u, []string{"moz-extension://3a7b3c1e-8a5e-4c0e-9c33-1d1e0d0c5b6a"}, ""},
		{"GET", u, []string{"safari-web-extension://A1B2"}, ""},
		{"POST", u, []string{"https://site.example/path"}, ""},
		{"POST", u, []string{"https://me@site.example"}, ""},
		{"POST", u, []string{"me"}, ""},
		{"POST", u, []string{"HTTPS://App.Example:443"}, "https://app.example"},
		{"POST", u, []string{"http://app.example:8080"}, "http://app.example:8080"},
		{"POST", u, []string{"https://[2001:DB8::1]:8443"}, "https://[2001:db8::1]:8443"},
		{"POST", u, []string{"https://a.example", "https://b.example"}, ""},
	} {
		m := newSet(t, Options{}).Read(newRequest(t, test.method, test.url, http.Header{"Origin": test.origin}), netip.Addr{})
		originField{&persona{identity: true}}.Apply(m, nil)
		if got := strings.Join(m.Request.Header["Origin"], "|"); got != test.want {
			t.Errorf("%s with %q: got %q, want %q", test.method, test.origin, got, test.want)
		}
	}
}

// TestOriginForStorageAccessGoes: Chromium 156 and Firefox 153 name the page in requests for
// a part of another site's, or for its frame, that might have its cookies there.
func TestOriginForStorageAccessGoes(t *testing.T) {
	s := newSet(t, Options{})
	for _, test := range []struct{ dest, mode, status, want, wantMode string }{
		{"image", "no-cors", "inactive", "", "no-cors"},
		{"empty", "no-cors", "active", "", "no-cors"},
		{"iframe", "navigate", "inactive", "", "navigate"},
		{"script", "cors", "inactive", "https://page.example", "cors"},
		{"empty", "cors", "none", "https://page.example", "cors"},
		{"image", "no-cors", "", "https://page.example", "cors"}, // of a browser that says what is not so
	} {
		h := http.Header{"User-Agent": {"Mozilla/5.0"}, "Accept": {"*/*"}, "Origin": {"https://page.example"}, "Referer": {"https://page.example/"},
			"Sec-Fetch-Dest": {test.dest}, "Sec-Fetch-Mode": {test.mode}, "Sec-Fetch-Site": {"cross-site"}}
		if test.status != "" {
			h["Sec-Fetch-Storage-Access"] = []string{test.status}
		}
		scrubbed(t, s, newRequest(t, "GET", "https://site.example/a", h))
		if got, mode := h.Get("Origin"), h.Get("Sec-Fetch-Mode"); got != test.want || mode != test.wantMode {
			t.Errorf("%s by %s, %q: Origin %q, %s, want %q, %s", test.dest, test.mode, test.status, got, mode, test.want, test.wantMode)
		}
	}
}

// TestOriginOfPlainFramesGoes: Chromium 156 names the page there, too, and says nothing else.
// A script's or program's wish for a page may be CORS.
func TestOriginOfPlainFramesGoes(t *testing.T) {
	s := newSet(t, Options{})
	for _, test := range []struct{ name, method, agent, upgrade, want string }{
		{"a frame", "GET", "Mozilla/5.0", "1", ""},
		{"a form", "POST", "Mozilla/5.0", "1", "http://page.example"},
		{"a script", "GET", "Mozilla/5.0", "", "http://page.example"},
		{"a program", "GET", "app/1.0", "1", "http://page.example"},
	} {
		h := http.Header{"User-Agent": {test.agent}, "Accept": {"text/html,application/xhtml+xml,*/*;q=0.8"}, "Origin": {"http://page.example"}}
		if test.upgrade != "" {
			h["Upgrade-Insecure-Requests"] = []string{test.upgrade}
		}
		r := newRequest(t, test.method, "http://site.example/a", h)
		m := s.Read(r, netip.Addr{})
		s.Request(m, nil)
		if got := h.Get("Origin"); got != test.want || !m.Visit.ThirdParty {
			t.Errorf("%s: Origin %q, want %q; third party: %t", test.name, got, test.want, m.Visit.ThirdParty)
		}
	}
}

// TestOriginNamesNoPageOfTheClientsNetwork: what a router, a disk station or a home server
// shows loads fonts, which come by CORS, from the world.
func TestOriginNamesNoPageOfTheClientsNetwork(t *testing.T) {
	s := newSet(t, Options{})
	for _, test := range []struct{ origin, target, want string }{
		{"http://192.168.1.23:8123", "http://site.example/font.woff2", "null"},
		{"http://100.101.102.103", "http://site.example/", "null"},
		{"http://[fd12::1]:5000", "http://site.example/", "null"},
		{"http://nas", "https://site.example/", "null"},
		{"http://169.254.7.8", "http://site.example/", "null"},
		{"http://Anns-Nas.local:5000", "http://site.example/", "null"},
		{"https://wiki.corp", "https://site.example/", "null"},
		{"http://homeassistant.fritz.box:8123", "https://site.example/", "null"},
		{"http://203.0.113.7:8000", "http://site.example/", "null"}, // the client's own
		{"http://203-0-113-7.dyn.isp.example", "http://site.example/", "null"},
		{"http://203.0.113.8", "http://site.example/", "http://203.0.113.8"},
		{"http://localhost:3000", "http://site.example/", "http://localhost:3000"},
		{"http://Localhost", "http://site.example/", "http://localhost"},
		{"http://127.0.0.1:5500", "http://site.example/", "http://127.0.0.1:5500"},
		{"http://nas.local:5000", "http://nas.local/", "http://nas.local:5000"},
		{"http://nas.local:5000", "http://192.168.1.9/", "http://nas.local:5000"},
		{"http://nas.local:5000", "http://127.0.0.1/", "http://nas.local:5000"},
		{"http://203.0.113.7:8000", "http://203.0.113.7/", "http://203.0.113.7:8000"},
	} {
		h := http.Header{"User-Agent": {"Mozilla/5.0"}, "Accept": {"*/*"}, "Origin": {test.origin}}
		r := newRequest(t, "GET", test.target, h)
		m := s.Read(r, netip.MustParseAddr("203.0.113.7"))
		s.Request(m, nil)
		page := ""
		if test.want == "null" {
			page = test.origin
		}
		if got := strings.Join(h["Origin"], "|"); got != test.want || m.Visit.Page() != page || len(h["Referer"]) > 0 && test.want == "null" {
			t.Errorf("%s to %s: got %q, Referer %q, page %q; want %q", test.origin, test.target, got, h["Referer"], m.Visit.Page(), test.want)
		}
	}
}

func TestFormsHaveTheirOrigin(t *testing.T) {
	s := newSet(t, Options{})
	for _, test := range []struct {
		name, method string
		h            http.Header
		want         string
	}{
		{"an old browser's form", "POST", http.Header{"User-Agent": {"Mozilla/5.0"}, "Referer": {"http://site.example/form"}}, "http://site.example"},
		{"one without Referer", "POST", http.Header{"User-Agent": {"Mozilla/5.0"}, "Sec-Fetch-Site": {"same-origin"}}, "http://site.example"},
		{"one that says nothing", "POST", http.Header{"User-Agent": {"Mozilla/5.0"}}, ""},
		{"one of another origin", "POST", http.Header{"User-Agent": {"Mozilla/5.0"}, "Referer": {"http://www.site.example/"}}, ""},
		{"one that hides its origin", "POST", http.Header{"User-Agent": {"Mozilla/5.0"}, "Origin": {"null"}, "Sec-Fetch-Site": {"same-origin"}}, "null"},
		{"a page", "GET", http.Header{"User-Agent": {"Mozilla/5.0"}, "Referer": {"http://site.example/form"}}, ""},
		{"an API client", "POST", http.Header{"Referer": {"http://site.example/form"}}, ""},
	} {
		r := newRequest(t, test.method, "http://site.example/save", test.h)
		scrubbed(t, s, r)
		if got := r.Header.Get("Origin"); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

// Whether a browser tells the page beside its origin shows in nothing.
func TestRefererFollowsFromOrigin(t *testing.T) {
	s := newSet(t, Options{})
	for _, test := range []struct {
		name, method string
		h            http.Header
		want         string
	}{
		{"a preflight of Chrome 62", "OPTIONS", http.Header{"Origin": {"https://shop.site.example"}, "Access-Control-Request-Method": {"PUT"}}, "https://shop.site.example/"},
		{"a form", "POST", http.Header{"Origin": {"https://www.site.example"}}, "https://www.site.example/"},
		{"a form of another site", "POST", http.Header{"Origin": {"https://page.example"}}, ""},
		{"a form that hides its origin", "POST", http.Header{"Origin": {"null"}}, ""},
		{"a handshake", "GET", http.Header{"Origin": {"https://www.site.example"}, "Upgrade": {"websocket"}, "Connection": {"Upgrade"}}, ""},
	} {
		test.h["User-Agent"] = []string{"Mozilla/5.0"}
		scrubbed(t, s, newRequest(t, test.method, "https://www.site.example/a", test.h))
		if got := test.h.Get("Referer"); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

// Firefox tells no page for subtitles and service workers.
func TestRefererOfSubtitlesAndServiceWorkersGoes(t *testing.T) {
	for _, persona := range []string{"firefox", "chrome"} {
		s := newSet(t, Options{Persona: persona})
		for _, scheme := range []string{"http", "https"} {
			for path, field := range map[string]string{"/a.vtt": "", "/sw.js": "Service-Worker: script"} {
				var got []string
				for _, referer := range []string{scheme + "://site.example/page", ""} {
					h := http.Header{"User-Agent": {"Mozilla/5.0"}, "Accept": {"*/*"}, "Cookie": {"a=b"}}
					if name, value, ok := strings.Cut(field, ": "); ok {
						h[name] = []string{value}
					}
					if scheme == "https" {
						h["Sec-Fetch-Dest"], h["Sec-Fetch-Site"] = []string{map[string]string{"/a.vtt": "track", "/sw.js": "serviceworker"}[path]}, []string{"same-origin"}
					}
					if referer != "" {
						h["Referer"] = []string{referer}
					}
					got = append(got, scrubbed(t, s, newRequest(t, "GET", scheme+"://site.example"+path, h)))
				}
				if got[0] != got[1] {
					t.Errorf("%s: with a Referer\n%s\nwithout\n%s", persona, got[0], got[1])
				}
			}
		}
	}
}

// WebKitGTK asks for fonts of other origins without saying whose page wants them.
func TestFontsOfOtherOriginsHaveTheirPages(t *testing.T) {
	s := newSet(t, Options{})
	for _, test := range []struct{ dest, referer, want string }{
		{"font", "https://page.example/", "https://page.example"}, {"font", "https://cdn.site.example/", "https://cdn.site.example"},
		{"font", "https://www.site.example/a", ""}, {"font", "", ""}, {"image", "https://page.example/", ""},
	} {
		h := http.Header{"User-Agent": {"Mozilla/5.0"}, "Accept": {"*/*"}, "Sec-Fetch-Dest": {test.dest}, "Sec-Fetch-Mode": {"no-cors"}}
		if test.referer != "" {
			h["Referer"] = []string{test.referer}
		}
		scrubbed(t, s, newRequest(t, "GET", "https://www.site.example/f", h))
		if got := h.Get("Origin"); got != test.want {
			t.Errorf("%s for %q: got %q, want %q", test.dest, test.referer, got, test.want)
		}
	}
}
