package proxy

import (
	"cmp"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// addressedToSelf tells whether a request over HTTP/2 is for the proxy: there
// is no origin-form that would say so. It is if its authority is where the
// connection ends, or over TLS the name that the client asked for there. No
// client sends a request for an https URL to a proxy but in a tunnel.
//
// Over HTTP/1.1 a device that has guise as its proxy asks so when somebody opens guise's
// own address on it. Browsers ask no proxy for that of their own machine, and what is no
// browser has no business with its pages by way of the proxy.
func addressedToSelf(c *connection, r *http.Request) bool {
	at := c.local.Addr().Unmap()
	if r.Method == http.MethodConnect || r.ProtoMajor != 2 && at.IsLoopback() {
		return false
	}
	scheme, defaultPort := "http", "80"
	if r.TLS != nil {
		scheme, defaultPort = "https", "443"
	}
	if r.URL.Scheme != scheme {
		return false
	}
	host, port := r.URL.Hostname(), cmp.Or(r.URL.Port(), defaultPort)
	if r.TLS != nil && r.TLS.ServerName != "" && strings.EqualFold(host, r.TLS.ServerName) {
		return true
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || uint16(n) != c.local.Port() {
		return false
	}
	if strings.EqualFold(host, "localhost") {
		return at.IsLoopback()
	}
	named, err := netip.ParseAddr(host)
	return err == nil && named.Unmap() == at
}

// toOriginForm is r as HTTP/1.1 would have asked the proxy itself.
func toOriginForm(r *http.Request) *http.Request {
	own := *r
	u := *r.URL
	u.Scheme, u.Host = "", ""
	switch {
	case u.Path == "" && r.Method == http.MethodOptions: // RFC 9112 §3.2.4
		u.Path, own.RequestURI = "*", "*"
	case u.Path == "":
		u.Path, own.RequestURI = "/", "/"
	}
	own.URL = &u
	return &own
}
