package console

import (
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// A Store is what the forms empty. Its methods do not say what was in it: that would
// tell what others have read.
type Store interface {
	PurgeURL(url string)
	PurgeHost(host string)
	PurgeAll()
	Forget(client netip.Addr) // and nothing of what others fetched
}

// Purge returns the handler of the purge form: a POST whose field "what" is a URL or a
// host, or "*" for everything. Who may purge is for the caller to check; it refuses forms
// on other sites' pages.
func Purge(s Store) http.HandlerFunc { return purging(s, tell) }

// What the forms did, as their senders are told.
const (
	dropped   = "Dropped from the cache, if it was there."
	forgotten = "Forgotten. Clear the browser’s own data as well."
)

// tell says what was done.
func tell(w http.ResponseWriter, _ *http.Request, done string) {
	own(w.Header(), "text/plain; charset=utf-8")
	io.WriteString(w, done+"\n")
}

// show redirects a browser to the page with the form, which says what was done: to reload
// that does not send the form again. Other clients get what tell says.
func show(w http.ResponseWriter, r *http.Request, done string) {
	if !wantsPage(r) {
		tell(w, r, done)
		return
	}
	own(w.Header(), "text/plain; charset=utf-8")
	http.Redirect(w, r, "/?done="+r.URL.Path[1:]+"#"+r.URL.Path[1:], http.StatusSeeOther)
}

// purging returns the handler of the purge form, which says by answer what was done.
func purging(s Store, answer func(w http.ResponseWriter, r *http.Request, done string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !byOwnPage(r) {
			http.Error(w, "This form belongs to guise's own page.", http.StatusForbidden)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
		if !purge(s, strings.TrimSpace(r.PostFormValue("what"))) {
			http.Error(w, "Name a URL such as http://example.com/page, a host, or * for everything.", http.StatusBadRequest)
			return
		}
		answer(w, r, dropped)
	}
}

// forget returns the handler of the form that has s forget its sender.
func forget(now func() State, s Store) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		client, err := netip.ParseAddrPort(r.RemoteAddr)
		switch {
		case err != nil || now().Accounts:
			http.NotFound(w, r)
		case !byOwnPage(r):
			http.Error(w, "This form belongs to guise's own page.", http.StatusForbidden)
		default:
			s.Forget(client.Addr().Unmap())
			show(w, r, forgotten)
		}
	}
}

// purge drops what is named, and reports whether that is a name of something.
func purge(s Store, what string) bool {
	if what == "*" {
		s.PurgeAll()
		return true
	}
	if strings.Contains(what, "://") {
		u, err := url.Parse(what)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return false
		}
		s.PurgeURL(what)
		return true
	}
	host := strings.TrimSuffix(hostOf(what), ".")
	if host == "" || strings.ContainsAny(host, " /?#@") {
		return false
	}
	s.PurgeHost(host)
	return true
}

// byOwnPage reports whether r comes from no page, as of curl, or from one of this
// very address. The address must not be a name that a site could have led here (DNS
// rebinding): such a page has the same origin.
func byOwnPage(r *http.Request) bool {
	from, origins := r.Header.Get("Sec-Fetch-Site"), r.Header["Origin"]
	if from == "" && len(origins) == 0 {
		return true
	}
	return (from == "" || from == "same-origin") &&
		(len(origins) == 0 || len(origins) == 1 && origins[0] == scheme(r)+"://"+r.Host) && literal(r.Host)
}

// hostOf returns a host without a port and brackets.
func hostOf(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.Trim(host, "[]")
}

// literal reports whether a Host is an address or localhost.
func literal(host string) bool {
	host = hostOf(host)
	_, err := netip.ParseAddr(host)
	return err == nil || strings.EqualFold(host, "localhost")
}

// onThisMachine reports whether the client is on this machine, and reached it by its
// address or as localhost.
func onThisMachine(r *http.Request) bool {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && at.Addr().Unmap().IsLoopback() && literal(r.Host)
}
