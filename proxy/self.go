package proxy

import (
	"cmp"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// addressedToSelf reports whether a request to an absolute URL is for the proxy itself:
// the URL has the address where the connection ends, or over TLS the name that the client
// asked for there. HTTP/2 has no origin-form, so all requests to the proxy look so. Over
// HTTP/1.1 they come from a device that has guise as its proxy, when somebody opens
// guise's own address there; but not from guise's own machine: browsers bypass proxies
// for it, and other programs have no business with these pages.
//
// Requests for https URLs of origins come in tunnels alone.
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
