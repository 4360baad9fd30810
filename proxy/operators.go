package proxy

import (
	"net"
	"net/http"
	"strconv"

	"guise/proxy/console"
)

// ForOperators wraps h for a listener of the operator's: it answers no page in a browser,
// neither one of another site nor one whose name was led to this machine (DNS rebinding)
// to read how much happens here. Tools behind a reverse proxy may send its name as Host.
func ForOperators(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if console.AskedByOthers(r) || ledToLoopback(r) {
			panic(http.ErrAbortHandler)
		}
		console.ForOwnPages(w.Header())
		h.ServeHTTP(w, r)
	})
}

// ledToLoopback reports whether r asks for a name at the very port of this machine
// that it came to.
func ledToLoopback(r *http.Request) bool {
	local, isTCP := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	_, port, err := net.SplitHostPort(r.Host)
	if err != nil { // browsers leave out that of http
		port = "80"
	}
	return isTCP && local.IP.IsLoopback() && port == strconv.Itoa(local.Port) && console.MayBeLedHere(r)
}
