package console

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

type recorded struct{ got string }

func (s *recorded) PurgeURL(url string)      { s.got = "url " + url }
func (s *recorded) PurgeHost(host string)    { s.got = "host " + host }
func (s *recorded) PurgeAll()                { s.got = "all" }
func (s *recorded) Forget(client netip.Addr) { s.got = "forget " + client.String() }

// The cache is emptied for who sits on this machine, and by no page of another site.
func TestPurge(t *testing.T) {
	const here, own = "127.0.0.1:8118", "Origin: http://127.0.0.1:8118\nSec-Fetch-Site: same-origin"
	for _, c := range []struct {
		what, from, host, fields string
		code                     int
		got                      string
	}{
		{"*", "127.0.0.1:5", here, own, 200, "all"},
		{"*", "[::1]:5", "[::1]:8118", "Origin: http://[::1]:8118", 200, "all"},
		{"*", "127.0.0.1:5", "localhost:8118", "Origin: http://localhost:8118", 200, "all"},
		{"*", "127.0.0.1:5", here, "", 200, "all"}, // curl
		{"*", "127.0.0.1:5", here, "Sec-Fetch-Site: same-origin", 200, "all"},
		{" http://example.com/a?b ", "127.0.0.1:5", here, own, 200, "url http://example.com/a?b"},
		{"https://example.com/", "127.0.0.1:5", here, own, 200, "url https://example.com/"},
		{"example.com", "127.0.0.1:5", here, own, 200, "host example.com"},
		{"[2001:db8::1]", "127.0.0.1:5", here, own, 200, "host 2001:db8::1"},
		{"2001:db8::1", "127.0.0.1:5", here, own, 200, "host 2001:db8::1"},
		{"[2001:db8::1]:8080", "127.0.0.1:5", here, own, 200, "host 2001:db8::1"},
		{"example.com:8080", "127.0.0.1:5", here, own, 200, "host example.com"}, // whatever the port
		{"example.com.", "127.0.0.1:5", here, own, 200, "host example.com"},

		{"", "127.0.0.1:5", here, own, 400, ""},
		{strings.Repeat("a", 20<<10), "127.0.0.1:5", here, own, 400, ""}, // more than a name
		{"ftp://example.com/", "127.0.0.1:5", here, own, 400, ""},
		{"http:///page", "127.0.0.1:5", here, own, 400, ""},
		{"example.com/a", "127.0.0.1:5", here, own, 400, ""},
		{"*", "192.0.2.1:5", here, "", 404, ""},
		{"*", "192.0.2.1:5", here, own, 404, ""},
		{"*", "127.0.0.1:5", here, "Origin: http://evil.example", 403, ""},
		{"*", "127.0.0.1:5", here, "Origin: null", 403, ""},
		{"*", "127.0.0.1:5", here, "Origin: http://127.0.0.1:8118\nOrigin: http://evil.example", 403, ""},
		{"*", "127.0.0.1:5", here, "Origin: http://127.0.0.1:8119\nSec-Fetch-Site: same-site", 403, ""},
		{"*", "127.0.0.1:5", here, "Sec-Fetch-Site: cross-site", 403, ""},
		{"*", "127.0.0.1:5", here, "Sec-Fetch-Site: none", 403, ""},
		// A name that leads here: its page has the same origin.
		{"*", "127.0.0.1:5", "evil.example:8118", "Origin: http://evil.example:8118\nSec-Fetch-Site: same-origin", 404, ""},
	} {
		s := &recorded{}
		r := httptest.NewRequest("POST", "/purge", strings.NewReader("what="+strings.ReplaceAll(c.what, "?", "%3F")))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.RemoteAddr, r.Host = c.from, c.host
		for line := range strings.Lines(c.fields) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
			r.Header.Add(name, value)
		}
		w := httptest.NewRecorder()
		Handler(func() State { return State{} }, s).ServeHTTP(w, r)
		if w.Code != c.code || s.got != c.got {
			t.Errorf("%q from %s at %s with %q: %d %q, %q", c.what, c.from, c.host, c.fields, w.Code, w.Body, s.got)
		}
	}
}

// The form is shown to nobody else.
func TestPurgeIsOfferedHere(t *testing.T) {
	for from, want := range map[string]bool{"127.0.0.1:5": true, "192.0.2.1:5": false} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr, r.Host = from, "127.0.0.1:8118"
		w := httptest.NewRecorder()
		Handler(func() State { return State{} }, nil).ServeHTTP(w, r)
		if got := strings.Contains(w.Body.String(), `action="/purge"`); got != want {
			t.Errorf("from %s: %t", from, got)
		}
	}
}

// Whoever is known by address can have it forgotten, and nobody else's; no page of
// another site can.
func TestForget(t *testing.T) {
	for _, c := range []struct {
		from, fields string
		accounts     bool
		code         int
		got          string
	}{
		{"127.0.0.1:5", "", false, 200, "forget 127.0.0.1"},
		{"[::ffff:192.0.2.1]:5", "Origin: http://127.0.0.1:8118", false, 200, "forget 192.0.2.1"},
		{"[2001:db8::1]:5", "", false, 200, "forget 2001:db8::1"},
		{"127.0.0.1:5", "Origin: http://evil.example", false, 403, ""},
		{"127.0.0.1:5", "Sec-Fetch-Site: cross-site", false, 403, ""},
		{"127.0.0.1:5", "", true, 404, ""},
	} {
		s := &recorded{}
		now := func() State { return State{Accounts: c.accounts} }
		for _, method := range []string{"GET", "POST"} {
			r := httptest.NewRequest(method, map[string]string{"GET": "/", "POST": "/forget"}[method], nil)
			r.RemoteAddr, r.Host = c.from, "127.0.0.1:8118"
			if name, value, ok := strings.Cut(c.fields, ": "); ok && method == "POST" {
				r.Header.Set(name, value)
			}
			w := httptest.NewRecorder()
			Handler(now, s).ServeHTTP(w, r)
			if method == "GET" {
				if got := strings.Contains(w.Body.String(), `action="/forget"`); got == c.accounts {
					t.Errorf("offered where accounts is %t: %t", c.accounts, got)
				}
				continue
			}
			if w.Code != c.code || s.got != c.got {
				t.Errorf("from %s with %q: %d, %q", c.from, c.fields, w.Code, s.got)
			}
		}
	}
}

// TestNamesThatAreLedHereOrderNothing: a page under one has the same origin as the
// proxy's own, so that its name alone tells them apart.
func TestNamesThatAreLedHereOrderNothing(t *testing.T) {
	for host, code := range map[string]int{"evil.example:8118": 403, "127.0.0.1:8118": 200, "[::1]:8118": 200, "localhost:8118": 200} {
		for path, h := range map[string]func(Store) http.Handler{
			"/forget": func(s Store) http.Handler { return Handler(func() State { return State{} }, s) },
			"/purge":  func(s Store) http.Handler { return Purge(s) }, // the operator's, who may come from elsewhere
		} {
			s := &recorded{}
			r := httptest.NewRequest("POST", path, strings.NewReader("what=*"))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Origin", "http://"+host)
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			r.RemoteAddr, r.Host = "127.0.0.1:5", host
			w := httptest.NewRecorder()
			h(s).ServeHTTP(w, r)
			if w.Code != code || (s.got == "") != (code != 200) {
				t.Errorf("%s at %s: %d, %q", path, host, w.Code, s.got)
			}
		}
	}
}

// TestOperatorsToolsGiveOrdersByName: what comes from no page may name a server in front.
func TestOperatorsToolsGiveOrdersByName(t *testing.T) {
	s := &recorded{}
	r := httptest.NewRequest("POST", "/purge", strings.NewReader("what=*"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Host = "proxy.example"
	w := httptest.NewRecorder()
	Purge(s)(w, r)
	if w.Code != 200 || s.got != "all" || w.Body.String() != dropped+"\n" || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d %q %v, %q", w.Code, w.Body, w.Header(), s.got)
	}
}

// TestFormsLeadBackToTheirPage, in a browser; it says what was done. Nobody else's words
// come to stand there.
func TestFormsLeadBackToTheirPage(t *testing.T) {
	h := Handler(func() State { return State{} }, &recorded{})
	for path, want := range map[string]string{"/purge": dropped, "/forget": forgotten} {
		r := httptest.NewRequest("POST", path, strings.NewReader("what=*"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Accept", "text/html,*/*;q=0.8")
		r.Header.Set("Origin", "http://127.0.0.1:8118")
		r.RemoteAddr, r.Host = "127.0.0.1:5", "127.0.0.1:8118"
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		to := w.Header().Get("Location")
		if w.Code != 303 || !strings.HasPrefix(to, "/?done=") || !strings.HasSuffix(to, "#"+path[1:]) {
			t.Fatalf("%s: %d to %q", path, w.Code, to)
		}
		said := func(target string) bool {
			target, _, _ = strings.Cut(target, "#") // as browsers do
			r := httptest.NewRequest("GET", target, nil)
			r.RemoteAddr, r.Host = "127.0.0.1:5", "127.0.0.1:8118"
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if strings.Contains(w.Body.String(), "words") {
				t.Errorf("%s: the page holds what its URL says", target)
			}
			return strings.Contains(w.Body.String(), want)
		}
		if !said(to) || said("/") || said("/?done=words") {
			t.Errorf("%s: said there %t, elsewhere %t", path, said(to), said("/"))
		}
	}
}
