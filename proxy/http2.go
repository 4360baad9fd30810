package proxy

import (
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
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
	host, port := r.URL.Hostname(), r.URL.Port()
	if r.TLS != nil && r.TLS.ServerName != "" && strings.EqualFold(host, r.TLS.ServerName) {
		return true
	}
	if port == "" {
		port = defaultPort
	}
	local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	if !ok {
		return false
	}
	at := local.AddrPort()
	if port != strconv.Itoa(local.Port) {
		return false
	}
	if strings.EqualFold(host, "localhost") {
		return at.Addr().Unmap().IsLoopback()
	}
	named, err := netip.ParseAddr(host)
	return err == nil && named.Unmap() == at.Addr().Unmap()
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

// webSocketGUID is what makes an answer one to a WebSocket's key (RFC 6455 §1.3).
const webSocketGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// fromExtendedConnect makes a WebSocket over HTTP/2 (RFC 8441) the upgrade
// that origins know, and w a writer that answers as HTTP/2 wants it. It
// returns an answer for other protocols.
func fromExtendedConnect(w http.ResponseWriter, r *http.Request, protocol string) (http.ResponseWriter, *http.Request, *failure) {
	if !strings.EqualFold(protocol, "websocket") {
		return w, r, &unknownProtocol
	}
	var nonce [16]byte
	rand.Read(nonce[:])
	key := base64.StdEncoding.EncodeToString(nonce[:])

	upgrade := *r
	upgrade.Method = http.MethodGet
	upgrade.Header = r.Header.Clone()
	delete(upgrade.Header, ":protocol")
	upgrade.Header["Upgrade"] = []string{"websocket"}
	upgrade.Header["Connection"] = []string{"Upgrade"}
	upgrade.Header["Sec-Websocket-Key"] = []string{key}
	upgrade.Body, upgrade.ContentLength = http.NoBody, 0 // what follows is for the tunnel
	return &webSocketAnswer{w, webSocketAccept(key)}, &upgrade, nil
}

// webSocketAccept is the answer to a key (RFC 6455 §4.2.2).
func webSocketAccept(key string) string {
	digest := sha1.Sum([]byte(key + webSocketGUID))
	return base64.StdEncoding.EncodeToString(digest[:])
}

// A webSocketAnswer turns the answer to an upgrade into one to an extended
// CONNECT, which 200 accepts (RFC 8441 §5).
type webSocketAnswer struct {
	http.ResponseWriter
	accept string
}

// Unwrap is for [http.ResponseController].
func (w *webSocketAnswer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// accepts tells whether resp is an answer to the key that was sent.
func (w *webSocketAnswer) accepts(resp *http.Response) bool {
	return resp.StatusCode == http.StatusSwitchingProtocols && resp.Header.Get("Sec-Websocket-Accept") == w.accept
}

func (w *webSocketAnswer) WriteHeader(status int) {
	if status == http.StatusSwitchingProtocols {
		for _, name := range []string{"Upgrade", "Connection", "Sec-Websocket-Accept"} {
			delete(w.Header(), name)
		}
		status = http.StatusOK
	}
	w.ResponseWriter.WriteHeader(status)
}
