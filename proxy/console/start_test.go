package console

import (
	"crypto/tls"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestStartPageSaysWhatIs: the page promises nothing that the configuration
// turns off, and leads to the certificate where it is of use.
func TestStartPageSaysWhatIs(t *testing.T) {
	for _, c := range []struct {
		now       State
		has, lack []string
	}{
		{State{}, []string{"encrypted tunnel", "http://proxy.example:8118/proxy.pac", "ftp_proxy=$http_proxy all_proxy=$http_proxy"}, []string{"your browser, system", "cookies", "/ca.pem", "-U NAME"}},
		{State{Persona: true, Cookies: "third-party cookies, ", Validators: true}, []string{"your browser, system", "third-party cookies, Referer", "used as cookies"}, []string{"/ca.pem"}},
		{State{Accounts: true, Passwords: true}, []string{"curl -x http://proxy.example:8118 -U NAME http"}, []string{"/forget"}},
		{State{Inspects: true}, []string{`href="/ca.pem"`, `href="/ca.der"`, `href="/ca.mobileconfig"`}, []string{"encrypted tunnel"}},
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = "proxy.example:8118"
		Handler(func() State { return c.now }, nil).ServeHTTP(w, r)
		if policy := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; ") || strings.Contains(policy, "script") || !strings.Contains(policy, "frame-ancestors 'none'") {
			t.Errorf("its policy is %q", policy)
		}
		if policy := w.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "form-action 'self'") || !strings.Contains(policy, "base-uri 'none'") || w.Header().Get("Referrer-Policy") != "same-origin" {
			t.Errorf("its forms lead elsewhere, or name no origin: %q, %q", policy, w.Header().Get("Referrer-Policy"))
		}
		if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("its fields are %v", w.Header())
		}
		page := w.Body.String()
		for _, text := range c.has {
			if !strings.Contains(page, text) {
				t.Errorf("%+v: the page lacks %q", c.now, text)
			}
		}
		for _, text := range append(c.lack, "src=", "http://127", "@import") { // and nothing from elsewhere
			if strings.Contains(page, text) {
				t.Errorf("%+v: the page has %q", c.now, text)
			}
		}
	}
}

// TestNamesThatMayBeLedHere: those that have an owner elsewhere.
func TestNamesThatMayBeLedHere(t *testing.T) {
	for host, want := range map[string]bool{
		"192.0.2.1:8118": false, "192.0.2.1": false, "[::1]:8118": false, "LOCALHOST:8118": false, "box:8118": false,
		"box.lan": false, "box.home": false, "box.corp.:8118": false, "box.local": false, "box.internal": false, "Box.Home.Arpa.:8118": false, "a.localhost": false,
		"site.example:8118": true, "site.example": true, "lan.example:8118": true, "notlan.": false, "not.alan": true,
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = host
		if got := MayBeLedHere(r); got != want {
			t.Errorf("%s: %t", host, got)
		}
		r.TLS = new(tls.ConnectionState)
		if MayBeLedHere(r) {
			t.Errorf("%s: its certificate was looked at", host)
		}
	}
}

// TestOnlyVisitorsAreLedHere: of what a page of another site makes a browser send, a
// visit alone is answered.
func TestOnlyVisitorsAreLedHere(t *testing.T) {
	for _, c := range []struct {
		site, mode, dest string
		byOthers         bool
	}{
		{"cross-site", "navigate", "document", false},
		{"same-site", "navigate", "document", false},
		{"cross-site", "navigate", "iframe", true},
		{"cross-site", "no-cors", "document", true},
		{"cross-site", "no-cors", "image", true},
		{"same-site", "cors", "empty", true},
		{"same-origin", "cors", "empty", false},
		{"none", "navigate", "document", false},
		{"", "", "", false},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		for name, value := range map[string]string{"Sec-Fetch-Site": c.site, "Sec-Fetch-Mode": c.mode, "Sec-Fetch-Dest": c.dest} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		if got := AskedByOthers(r); got != c.byOthers {
			t.Errorf("%+v: %t", c, got)
		}
	}
}
