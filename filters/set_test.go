package filters

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestNewRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, o := range []Options{
		{Persona: "netscape"},
		{Language: "english, please"},
		{Sites: []Site{{Match: "*"}}},
		{Sites: []Site{{Match: ""}}},
		{Sites: []Site{{Match: "a.*.example"}}},
		{Sites: []Site{{Match: "https://a.example/"}}},
	} {
		if s, err := New(o); err == nil || s != nil {
			t.Errorf("%+v: got %v, %v", o, s, err)
		}
	}
	_, err := New(Options{Sites: []Site{{Match: "*"}, {Match: " "}}})
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) || len(joined.Unwrap()) != 2 {
		t.Errorf("got %v, want both problems", err)
	}
}

func TestFirstMatchingSiteDecides(t *testing.T) {
	s := newSet(t, Options{Cookies: CookiesBlock, Sites: []Site{
		{Match: "Bank.Example.", Cookies: CookiesPass},
		{Match: "*.bank.example", Cookies: CookiesFirstParty},
		{Match: "login.bank.example", Cookies: CookiesBlock},
		{Match: "[2001:db8::1]", Cookies: CookiesPass},
		{Match: "inherits.example"},
	}})
	for rawURL, passes := range map[string]bool{
		"http://bank.example/":         true,
		"http://BANK.example.:8080/":   true,
		"http://a.b.bank.example/":     true,
		"http://login.bank.example/":   true,
		"http://evilbank.example/":     false,
		"http://bank.example.evil.eu/": false,
		"http://[2001:db8::1]:81/":     true,
		"http://inherits.example/":     false,
	} {
		m := s.Read(newRequest(t, "GET", rawURL, http.Header{"Cookie": {"a=b"}}), netip.Addr{})
		s.Request(m, nil)
		if got := m.Request.Header["Cookie"] != nil; got != passes {
			t.Errorf("%s: cookies pass: %t", rawURL, got)
		}
	}
}

func TestSitesAllowFurtherFields(t *testing.T) {
	s := newSet(t, Options{Unknown: UnknownDrop, Sites: []Site{
		{Match: "api.example", Allow: []string{"x-acme-mode"}},
		{Match: "loose.example", Unknown: UnknownPass},
	}})
	for rawURL, passes := range map[string]bool{"http://api.example/": true, "http://loose.example/": true, "http://other.example/": false} {
		m := s.Read(newRequest(t, "GET", rawURL, http.Header{"X-Acme-Mode": {"fast"}}), netip.Addr{})
		s.Request(m, nil)
		if got := m.Request.Header["X-Acme-Mode"] != nil; got != passes {
			t.Errorf("%s: the field passes: %t", rawURL, got)
		}
	}
}

// Whatever a client sends, a second run finds nothing more to do that would
// show on the wire.
func TestScrubbingTwiceChangesNothing(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	names := append(slices.Clone(personaOnly), "Referer", "Origin", "Cookie", "Range", "Te", "Sec-Fetch-Dest", "Sec-Fetch-Site",
		"Sec-Fetch-Mode", "Upgrade", "Sec-Websocket-Key", "Sec-Websocket-Extensions", "X-Forwarded-For", "X-Api-Key", "Via", "Content-Type",
		"Origin", "Referer", "User-Agent", "Accept", "Last-Event-Id")
	values := []string{"*/*", "text/html,application/xhtml+xml,*/*;q=0.1", "application/json;q=0.3;x=y, text/html", "image", "document",
		"empty", "none", "cross-site", "same-origin", "cors", "websocket", "Upgrade", "keep-alive", "https://www.site.example/a?b",
		"http://other.example", "null", "bytes=0-", "a=b; c=d", "192.0.2.7", "permessage-deflate; client_max_window_bits",
		"dGhlIHNhbXBsZSBub25jZQ==", "trailers", "1", "Mozilla/5.0 (me)",
		"https://www.site.example", "https://a.site.example", "x-text/event-stream"}
	for _, persona := range Personas() {
		s := newSet(t, Options{Persona: persona})
		for range 10000 {
			h := http.Header{}
			for range random.IntN(10) {
				name := names[random.IntN(len(names))]
				h[name] = append(h[name], values[random.IntN(len(values))])
			}
			before := fmt.Sprint(h)
			rawURL := []string{"http://www.site.example/?utm_source=x&a=b", "https://site.example/"}[random.IntN(2)]
			method := []string{"GET", "GET", "POST"}[random.IntN(3)]
			m := s.Read(newRequest(t, method, rawURL, h), netip.MustParseAddr("192.0.2.7"))
			s.Request(m, nil)
			once := wire(t, s, m)
			s.Request(m, nil)
			if twice := wire(t, s, m); twice != once {
				t.Fatalf("%s, from %s:\nonce\n%s\ntwice\n%s", persona, before, once, twice)
			}
		}
	}
}

// Concurrent requests share nothing that they edit.
func TestRequestsDoNotShareValues(t *testing.T) {
	s := newSet(t, Options{})
	read := func() *Message {
		m := s.Read(newRequest(t, "GET", "http://site.example/", http.Header{}), netip.Addr{})
		s.Request(m, nil)
		return m
	}
	a := read()
	for _, lines := range a.Request.Header {
		lines[0] = "spoiled"
	}
	if b := read(); strings.Contains(wire(t, s, b), "spoiled") {
		t.Error("one request's edit shows in another")
	}
}

func BenchmarkRequest(b *testing.B) {
	s := newSet(b, Options{})
	u, err := url.Parse("http://www.site.example/a/b?c=d")
	if err != nil {
		b.Fatal(err)
	}
	client := netip.MustParseAddr("192.0.2.7")
	sent := http.Header{
		"User-Agent":      {"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"},
		"Accept":          {"image/jxl,image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"},
		"Accept-Encoding": {"gzip, deflate"}, "Accept-Language": {"de-DE,de;q=0.9"}, "Proxy-Connection": {"keep-alive"},
		"Referer": {"http://www.site.example/page"}, "Cookie": {"sid=31d4d96e407aad42; theme=dark"},
	}
	var log []Change
	b.ReportAllocs()
	for b.Loop() {
		h := make(http.Header, 16)
		for name, lines := range sent {
			h[name] = lines
		}
		m := s.Read(&http.Request{Method: "GET", URL: u, Host: u.Host, Header: h}, client)
		log = s.Request(m, log[:0])
		s.FieldOrder(m)
	}
}

func BenchmarkResponse(b *testing.B) {
	s := newSet(b, Options{})
	u, err := url.Parse("http://www.site.example/a/b?c=d")
	if err != nil {
		b.Fatal(err)
	}
	m := s.Read(&http.Request{Method: "GET", URL: u, Host: u.Host, Header: http.Header{}}, netip.MustParseAddr("192.0.2.7"))
	m.Response = &http.Response{StatusCode: 200, Header: http.Header{
		"Date": {"Mon, 23 Nov 2026 12:00:00 GMT"}, "Content-Type": {"text/html"}, "Content-Length": {"12345"}, "Etag": {`"abc"`},
		"Cache-Control": {"max-age=60"}, "Vary": {"Accept-Encoding"}, "Server": {"nginx"}, "X-Frame-Options": {"DENY"},
		"Strict-Transport-Security": {"max-age=3600"}, "Content-Encoding": {"gzip"},
	}}
	var log []Change
	b.ReportAllocs()
	for b.Loop() {
		log = s.Response(m, log[:0])
	}
}
