package filters

import (
	"net/http"
	"net/netip"
	"testing"
)

// TestReloadStaysHere: an origin does not learn that a visitor reloads, and
// an API client's directives reach it.
func TestReloadStaysHere(t *testing.T) {
	s, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	const browser = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	for _, c := range []struct {
		name, method, agent, accept string
		want                        string
	}{
		{"reloaded page", "GET", browser, "text/html", ""},
		{"page without a known browser", "GET", "", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", ""},
		{"reloaded image", "GET", browser, "image/avif,image/webp,*/*;q=0.8", ""},
		{"reloaded script on plain http", "GET", browser, "*/*", ""},
		{"form", "POST", browser, "text/html", ""},
		{"a script's upload while the page is reloaded", "PUT", browser, "*/*", ""},
		{"EventSource, whether its page is reloaded or not", "GET", browser, "text/event-stream", "no-cache"},
		{"API client", "GET", "curl/8.0", "*/*", "no-cache"},
		{"API client without a name", "GET", "", "application/json", "no-cache"},
	} {
		r, err := http.NewRequest(c.method, "http://example.com/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{"User-Agent": {c.agent}, "Accept": {c.accept}, "Cache-Control": {"no-cache"}, "Pragma": {"no-cache"}}
		m := s.Read(r, netip.Addr{})
		s.Request(m, nil)
		if got := m.Request.Header.Get("Cache-Control"); got != "no-cache" {
			t.Errorf("%s: the cache sees %q", c.name, got)
		}
		log := s.Onward(m, nil)
		if got := m.Request.Header.Get("Cache-Control"); got != c.want || m.Request.Header.Get("Pragma") != c.want {
			t.Errorf("%s: the origin sees %q, want %q", c.name, got, c.want)
		}
		if again := s.Onward(m, nil); len(again) != 0 || (c.want == "") != (len(log) == 2) {
			t.Errorf("%s: changes %v, then %v", c.name, log, again)
		}
	}
}

// What a script wants stored with its upload has no Pragma beside it.
func TestUploadsKeepTheCacheControlThatIsStored(t *testing.T) {
	s := newSet(t, Options{})
	h := http.Header{"User-Agent": {"Mozilla/5.0"}, "Sec-Fetch-Dest": {"empty"}, "Cache-Control": {"no-cache"}}
	m := s.Read(newRequest(t, "PUT", "https://b.example/index.html", h), netip.Addr{})
	if s.Onward(m, s.Request(m, nil)); m.Request.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("got %v", m.Request.Header)
	}
}

// The persona's browser forbids caches to answer a handshake.
func TestHandshakeKeepsThePersonasDirectives(t *testing.T) {
	s := newSet(t, Options{})
	m := s.Read(newRequest(t, "GET", "http://site.example/", http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}}), netip.Addr{})
	if s.Onward(m, s.Request(m, nil)); m.Request.Header.Get("Cache-Control") != "no-cache" || m.Request.Header.Get("Pragma") != "no-cache" {
		t.Errorf("got %v", m.Request.Header)
	}
}

// Others may read a request while it leaves the cache.
func TestOnwardChangesNoRequestInPlace(t *testing.T) {
	s := newSet(t, Options{})
	r := newRequest(t, "GET", "http://site.example/", http.Header{"User-Agent": {"Mozilla/5.0 (me)"}, "Cache-Control": {"no-cache"}, "Pragma": {"no-cache"}})
	m := s.Read(r, netip.Addr{})
	s.Request(m, nil)
	if s.Onward(m, nil); m.Request.Header["Cache-Control"] != nil || r.Header.Get("Cache-Control") != "no-cache" || r.Header.Get("Pragma") != "no-cache" {
		t.Errorf("%v became %v", r.Header, m.Request.Header)
	}
}
