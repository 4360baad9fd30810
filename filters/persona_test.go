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
			if order.star < 0 || len(order.known) != len(order.listed) {
				t.Errorf("%s: the order of %s has no place for other fields, or lists one twice", name, Kind(k))
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
