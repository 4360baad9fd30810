package filters

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// Every persona file says where it is from, and is whole: it speaks of kinds
// that exist, and each kind's order has a place for each field that is sent.
func TestPersonaFiles(t *testing.T) {
	if got := Personas(); !slices.Equal(got, []string{"chrome", "firefox", "off"}) {
		t.Fatalf("got %q", got)
	}
	known := func(kind string) bool {
		return slices.ContainsFunc(kinds[:], func(k struct {
			name  string
			dests []string
			plain Kind
		}) bool {
			return k.name == kind
		})
	}
	for _, name := range Personas() {
		text, err := personaFiles.ReadFile("personas/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var file personaFile
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&file); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := time.Parse(time.DateOnly, file.Taken); err != nil || file.Browser == "" || file.Platform == "" || file.Source == "" {
			t.Errorf("%s: does not say what it is, and from when: %v", name, err)
		}
		for _, field := range file.Fields {
			for _, kind := range slices.Concat(field.Kinds, field.Except) {
				if !known(kind) {
					t.Errorf("%s: %s speaks of kind %q", name, field.Name, kind)
				}
			}
		}
		p, err := loadPersona(name, "en-US")
		if err != nil {
			t.Fatal(err)
		}
		for k := range kinds {
			order := p.orders[k]
			if order.star < 0 || len(order.listed) == 0 || len(order.known) != len(order.listed) {
				t.Errorf("%s: the order of %s has no place for other fields, or lists one twice, or nothing", name, Kind(k))
			}
			for _, sheet := range []sheet{p.sheets[k][0][0], p.sheets[k][1][1]} {
				for _, field := range sheet.names {
					if !order.known[field] {
						t.Errorf("%s: the order of %s leaves out %s", name, Kind(k), field)
					}
				}
			}
		}
	}
}

func TestAcceptLanguage(t *testing.T) {
	for tag, want := range map[string]string{
		"en-US": "en-US,en;q=0.9",
		"en-GB": "en-GB,en;q=0.9",
		"en":    "en",
		"de-DE": "de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7",
		"fr":    "fr,en-US;q=0.9,en;q=0.8",
	} {
		if got, err := acceptLanguage(tag); err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", tag, got, err, want)
		}
	}
	for _, tag := range []string{"e", "english-language", "de_DE", "de-", "en;q=1", "*", "x\r\n"} {
		if got, err := acceptLanguage(tag); err == nil {
			t.Errorf("%q: got %q", tag, got)
		}
	}
}

// What the personas send does not contradict itself.
func TestPersonasAreCoherent(t *testing.T) {
	request := func(persona, method, url string, h http.Header) http.Header {
		s := newSet(t, Options{Persona: persona, Language: "de-DE"})
		m := s.Read(newRequest(t, method, url, h), netip.Addr{})
		s.Request(m, nil)
		return m.Request.Header
	}
	for _, persona := range []string{"firefox", "chrome"} {
		plain := request(persona, "GET", "http://site.example/", http.Header{"Accept": {"text/html,application/xhtml+xml,*/*"}, "Sec-Fetch-Site": {"none"}})
		for name := range plain {
			if strings.HasPrefix(name, "Sec-Fetch-") || strings.HasPrefix(name, "Sec-Ch-") {
				t.Errorf("%s sends %s to plain http", persona, name)
			}
		}
		if got := plain.Get("Accept-Encoding"); got != "gzip, deflate" {
			t.Errorf("%s accepts %q on plain http", persona, got)
		}
		if got := plain.Get("Accept-Language"); !strings.HasPrefix(got, "de-DE,de;q=0.9") {
			t.Errorf("%s wants %q", persona, got)
		}
		if plain.Get("Upgrade-Insecure-Requests") != "1" || plain.Get("Connection") != "keep-alive" {
			t.Errorf("%s navigates without Upgrade-Insecure-Requests or keep-alive", persona)
		}

		secure := request(persona, "GET", "https://site.example/", http.Header{"Sec-Fetch-Dest": {"document"}})
		if got := secure.Get("Accept-Encoding"); got != "gzip, deflate, br, zstd" {
			t.Errorf("%s accepts %q on https", persona, got)
		}
		if got := secure.Get("Sec-Fetch-User"); got != "?1" {
			t.Errorf("%s navigates without a user: %q", persona, got)
		}
		if chrome := persona == "chrome"; chrome != (secure.Get("Sec-Ch-Ua-Platform") == `"Windows"`) || chrome == (secure.Get("Priority") != "") {
			t.Errorf("%s mixes browsers: %v", persona, secure)
		}

		part := request(persona, "GET", "https://site.example/film", http.Header{"Range": {"bytes=5-"}})
		if got := part.Get("Accept-Encoding"); got != "identity" {
			t.Errorf("%s asks for a part in coding %q", persona, got)
		}
		if part.Get("Upgrade-Insecure-Requests") != "" {
			t.Errorf("%s fetches with Upgrade-Insecure-Requests", persona)
		}
	}
}

func TestPersonaOffPassesTheClientsOwn(t *testing.T) {
	h := http.Header{"User-Agent": {"tool/1.0"}, "Accept": {"text/x-made-up"}, "Accept-Language": {"fr"}, "Dnt": {"1"}}
	s := newSet(t, Options{Persona: "off"})
	m := s.Read(newRequest(t, "GET", "http://site.example/", h), netip.Addr{})
	s.Request(m, nil)
	for name, want := range map[string]string{"User-Agent": "tool/1.0", "Accept": "text/x-made-up", "Accept-Language": "fr", "Dnt": "1"} {
		if got := m.Request.Header.Get(name); got != want {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

// What a persona's browser would add or leave out stays as the client has it.
func TestPersonaOffLeavesOriginsAndPages(t *testing.T) {
	s := newSet(t, Options{Persona: "off"})
	for _, test := range []struct {
		method, origin, referer, dest string
	}{
		{"GET", "https://site.example", "https://site.example/", "empty"}, {"GET", "https://site.example", "https://site.example/", "image"},
		{"GET", "", "https://site.example/", "track"}, {"GET", "", "https://page.example/", "font"}, {"POST", "", "https://site.example/", "empty"},
	} {
		h := http.Header{"User-Agent": {"Mozilla/5.0"}, "Sec-Fetch-Dest": {test.dest}, "Referer": {test.referer}}
		if test.origin != "" {
			h["Origin"] = []string{test.origin}
		}
		scrubbed(t, s, newRequest(t, test.method, "https://site.example/a", h))
		if got := h.Get("Origin"); got != test.origin {
			t.Errorf("%s %s: Origin %q became %q", test.method, test.dest, test.origin, got)
		}
		if own := test.referer == "https://site.example/"; own != (h["Referer"] != nil) {
			t.Errorf("%s %s: Referer %s became %q", test.method, test.dest, test.referer, h["Referer"])
		}
	}
}

// The personas' requests, byte for byte as their browsers were recorded.
func TestPersonasWriteWhatTheirBrowserWrites(t *testing.T) {
	for _, test := range []struct {
		persona, url string
		h            http.Header
		want         string
	}{
		{"firefox", "http://site.example/", http.Header{"Accept": {"text/html,application/xhtml+xml,*/*"}}, `
User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:153.0) Gecko/20100101 Firefox/153.0
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8
Accept-Language: en-US,en;q=0.9
Accept-Encoding: gzip, deflate
Sec-GPC: 1
Connection: keep-alive
Upgrade-Insecure-Requests: 1
Priority: u=0, i
`},
		{"firefox", "https://site.example/i.png", http.Header{"Sec-Fetch-Dest": {"image"}, "Sec-Fetch-Site": {"cross-site"}}, `
User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:153.0) Gecko/20100101 Firefox/153.0
Accept: image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5
Accept-Language: en-US,en;q=0.9
Accept-Encoding: gzip, deflate, br, zstd
Sec-Fetch-Storage-Access: none
Sec-GPC: 1
Connection: keep-alive
Sec-Fetch-Dest: image
Sec-Fetch-Mode: no-cors
Sec-Fetch-Site: cross-site
Priority: u=5, i
`},
		{"firefox", "https://site.example/api", http.Header{"Sec-Fetch-Dest": {"empty"}, "X-Api-Key": {"k"}, "Content-Type": {"application/json"}, "Origin": {"https://app.example"}, "Accept": {"application/json"}}, `
User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:153.0) Gecko/20100101 Firefox/153.0
Accept: application/json
Accept-Language: en-US,en;q=0.9
Accept-Encoding: gzip, deflate, br, zstd
X-Api-Key: k
Content-Type: application/json
Origin: https://app.example
Sec-GPC: 1
Connection: keep-alive
Sec-Fetch-Dest: empty
Sec-Fetch-Mode: cors
Sec-Fetch-Site: cross-site
Priority: u=4
`},
		{"chrome", "https://site.example/", http.Header{"Sec-Fetch-Dest": {"document"}, "Cookie": {"k=v"}}, `
Connection: keep-alive
sec-ch-ua: "Not:A-Brand";v="8", "Chromium";v="156", "Google Chrome";v="156"
sec-ch-ua-mobile: ?0
sec-ch-ua-platform: "Windows"
Upgrade-Insecure-Requests: 1
User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/jxl,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7
Sec-Fetch-Site: none
Sec-Fetch-Mode: navigate
Sec-Fetch-User: ?1
Sec-Fetch-Dest: document
Accept-Encoding: gzip, deflate, br, zstd
Accept-Language: en-US,en;q=0.9
Cookie: k=v
`},
		{"chrome", "https://site.example/f.woff2", http.Header{"Sec-Fetch-Dest": {"font"}, "Sec-Fetch-Site": {"same-origin"}, "Referer": {"https://site.example/a"}}, `
Connection: keep-alive
Origin: https://site.example
sec-ch-ua-platform: "Windows"
User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36
sec-ch-ua: "Not:A-Brand";v="8", "Chromium";v="156", "Google Chrome";v="156"
sec-ch-ua-mobile: ?0
Accept: */*
Sec-Fetch-Site: same-origin
Sec-Fetch-Mode: cors
Sec-Fetch-Dest: font
Referer: https://site.example/
Accept-Encoding: gzip, deflate, br, zstd
Accept-Language: en-US,en;q=0.9
`},
		{"firefox", "https://site.example/a.mp4", http.Header{"Sec-Fetch-Dest": {"video"}, "Sec-Fetch-Site": {"cross-site"}, "Range": {"bytes=0-"}}, `
User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:153.0) Gecko/20100101 Firefox/153.0
Accept: video/webm,video/ogg,video/*;q=0.9,application/ogg;q=0.7,audio/*;q=0.6,*/*;q=0.5
Accept-Language: en-US,en;q=0.9
Range: bytes=0-
Sec-Fetch-Storage-Access: none
Sec-GPC: 1
Connection: keep-alive
Sec-Fetch-Dest: video
Sec-Fetch-Mode: no-cors
Sec-Fetch-Site: cross-site
Accept-Encoding: identity
Priority: u=4
`},
		{"chrome", "https://site.example/w.js", http.Header{"Sec-Fetch-Dest": {"worker"}, "Sec-Fetch-Site": {"same-origin"}, "Referer": {"https://site.example/a"}}, `
Connection: keep-alive
Accept: */*
Sec-Fetch-Site: same-origin
Sec-Fetch-Mode: same-origin
Sec-Fetch-Dest: worker
Referer: https://site.example/
User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36
Accept-Encoding: gzip, deflate, br, zstd
Accept-Language: en-US,en;q=0.9
`},
	} {
		got := scrubbed(t, newSet(t, Options{Persona: test.persona}), newRequest(t, "GET", test.url, test.h))
		if _, fields, _ := strings.Cut(got, "\n"); "\n"+fields != test.want {
			t.Errorf("%s to %s:\n%s\nwant%s", test.persona, test.url, fields, test.want)
		}
	}
}

func TestBrowsersTEGoes(t *testing.T) {
	s := newSet(t, Options{})
	for _, h := range []http.Header{
		{"Te": {"trailers"}, "User-Agent": {"Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"}},
		{"Te": {"trailers"}, "Sec-Fetch-Dest": {"document"}},
	} {
		m := s.Read(newRequest(t, "GET", "https://site.example/", h), netip.Addr{})
		s.Request(m, nil)
		if m.Request.Header["Te"] != nil {
			t.Errorf("it passes with %v", h)
		}
	}
}
