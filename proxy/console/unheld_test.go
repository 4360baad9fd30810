package console

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestPACNamesNoHostThatWasNotAsked: of a Host that no URL holds, what is left of it
// may be somebody else's name.
func TestPACNamesNoHostThatWasNotAsked(t *testing.T) {
	here := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 8118}
	for host, want := range map[string]string{
		"proxy.lan:8118": "PROXY proxy.lan:8118", "proxy.lan": "PROXY proxy.lan:80", "": "PROXY 192.0.2.1:8118",
		"evil.exa mple:8118": "PROXY 192.0.2.1:8118", `a";b:1`: "PROXY 192.0.2.1:8118",
	} {
		r := httptest.NewRequest("GET", "/proxy.pac", nil)
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, here))
		r.Host = host
		w := httptest.NewRecorder()
		Handler(func() State { return State{} }, nil).ServeHTTP(w, r)
		if !strings.Contains(w.Body.String(), `"`+want+`"`) {
			t.Errorf("at %q it does not say %q", host, want)
		}
		if w.Header().Get("Referrer-Policy") != "no-referrer" || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("its fields are %v", w.Header())
		}
	}
	r := httptest.NewRequest("GET", "/proxy.pac", nil)
	r.Host, r.TLS = "proxy.example", new(tls.ConnectionState)
	w := httptest.NewRecorder()
	Handler(func() State { return State{} }, nil).ServeHTTP(w, r)
	if !strings.Contains(w.Body.String(), `"HTTPS proxy.example:443"`) {
		t.Error("over TLS the port is not TLS's")
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
