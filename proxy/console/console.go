// Package console serves what people and browsers open on the proxy's own
// address: the start page and the PAC file.
//
// [Handler] serves all of it. [PAC] returns the file alone, for a command to
// print, and [Purge] takes an operator's orders to empty the cache elsewhere.
package console

import (
	"html/template"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"

	_ "embed"
)

//go:embed start.html
var startHTML string

var startPage = template.Must(template.New("start").Parse(startHTML))

// A State is what the start page says of the proxy's configuration.
type State struct {
	Persona    bool   // all clients send one browser's fields
	Cookies    string // which cookies are hidden, as an item of a list that goes on; "" for none
	Validators bool   // origins' validators do not reach clients
	Inspects   bool   // TLS is inspected for clients that trust the authority
	Accounts   bool   // clients are told apart by account, not by address
	Passwords  bool   // accounts have a name and a password, or a token in its place
}

// Handler serves the start page at /, and the PAC file at /proxy.pac and
// /wpad.dat. Each names the proxy by the address that the client used to
// get here. now is called for each start page. One form on it purges s, if it is sent
// from this machine, another has s forget its sender. For other paths, the caller adds
// a handler at "/".
func Handler(now func() State, s Store) *http.ServeMux {
	mux := http.NewServeMux()
	purge := purging(s, show)
	mux.HandleFunc("POST /purge", func(w http.ResponseWriter, r *http.Request) {
		if !onThisMachine(r) {
			http.NotFound(w, r)
			return
		}
		purge(w, r)
	})
	mux.HandleFunc("POST /forget", forget(now, s))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { start(w, r, now()) })
	mux.HandleFunc("GET /proxy.pac", pac)
	mux.HandleFunc("GET /wpad.dat", pac)
	return mux
}

// ForOwnPages has browsers keep an answer with the header h from the pages of all other
// origins, which then see what they would see if nobody had answered (Fetch §3.7). Unlike
// [AskedByOthers] it works wherever the proxy is.
func ForOwnPages(h http.Header) { h["Cross-Origin-Resource-Policy"] = []string{"same-origin"} }

// AskedByOthers reports whether a page of another site makes a browser send r,
// other than by leading its visitor here. Browsers say so to addresses of their
// own machine (Fetch Metadata Request Headers, W3C, §2); elsewhere nobody knows.
func AskedByOthers(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "cross-site", "same-site":
		return r.Header.Get("Sec-Fetch-Mode") != "navigate" || r.Header.Get("Sec-Fetch-Dest") != "document"
	}
	return false
}

// MayBeLedHere reports whether r's Host is a name that its owner could have pointed at
// this very address (DNS rebinding): a page under it may read all that it gets.
// Names of the local network have no owner elsewhere, and over TLS the browser
// verifies the name.
func MayBeLedHere(r *http.Request) bool {
	name := strings.ToLower(strings.TrimSuffix(hostOf(r.Host), "."))
	return r.TLS == nil && !literal(r.Host) && strings.Contains(name, ".") &&
		!slices.ContainsFunc(houseDomains, func(domain string) bool { return strings.HasSuffix(name, "."+domain) })
}

func start(w http.ResponseWriter, r *http.Request, now State) {
	own(w.Header(), "text/html; charset=utf-8")
	w.Header().Set("Referrer-Policy", "same-origin") // under no-referrer a form's Origin is null
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'")
	var purged, forgot string
	switch r.URL.Query().Get("done") { // see show
	case "purge":
		purged = dropped
	case "forget":
		forgot = forgotten
	}
	if err := startPage.Execute(w, struct {
		State
		Scheme, Address, DataURL string
		Purges                   bool
		Purged, Forgotten        string // what a form just did
	}{now, scheme(r), address(r), PACDataURL(address(r), r.TLS != nil), onThisMachine(r), purged, forgot}); err != nil {
		panic(http.ErrAbortHandler) // the client is gone
	}
}

// wantsPage reports whether r is from a browser that wants a page to show.
func wantsPage(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept"), "text/html") }

// pac serves the PAC file, to a browser that wants to show it as text. It would download the
// usual media type, even in a frame, by which another site's page could tell that guise is
// here.
func pac(w http.ResponseWriter, r *http.Request) {
	own(w.Header(), pacType)
	if wantsPage(r) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	}
	io.WriteString(w, PAC(address(r), r.TLS != nil))
}

func own(h http.Header, contentType string) {
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
}

// scheme returns the scheme of the connection.
func scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// address is the host:port that the client used: what Host says, else where
// the connection ended.
func address(r *http.Request) string {
	if host := r.Host; host != "" && host == quoteJS(host) {
		if _, port, err := net.SplitHostPort(host); err == nil && port != "" {
			return host
		}
		port := "80"
		if r.TLS != nil {
			port = "443"
		}
		return net.JoinHostPort(hostOf(host), port)
	}
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		return local.String()
	}
	return "127.0.0.1:8118"
}
