package proxy

import (
	"cmp"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// addressedToSelf tells whether a request over HTTP/2 is for the proxy: there
// is no origin-form that would say so. It is if its authority is where the
// connection ends, or over TLS the name that the client asked for there. No
// client sends a request for an https URL to a proxy but in a tunnel.
func addressedToSelf(r *http.Request) bool {
	if r.ProtoMajor != 2 || r.Method == http.MethodConnect {
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
	local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	if !ok || port != strconv.Itoa(local.Port) {
		return false
	}
	at := local.AddrPort().Addr().Unmap()
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
	if u.Path == "" {
		u.Path, own.RequestURI = "*", "*"
	}
	own.URL = &u
	return &own
}
