package filters

import (
	"net/http"
	"strings"
)

// hopTable lists what speaks of one connection only and has no registration.
var hopTable = []group{
	{hop, "RFC 9110 §7.6.1", `proxy-*`},
	{hop, "CGI: read as HTTP_PROXY (httpoxy.org)", `proxy`},
	{hop, "Connection, garbled by middleboxes", `xonnection xroxy-connection x-connection x-cnection
		cneonction nncoection conection coonection cnonection x-proxy-connection wap-connection`},
	{hop, "MS-CHAP and NTLM over proxies", `x-proxy-authorization`},
}

// hopByHop removes what speaks of one connection only (RFC 9110 §7.6.1):
// Connection and every field it names, Proxy-*, TE except trailers, Keep-Alive
// and Upgrade. A WebSocket handshake keeps Upgrade and Connection in their
// canonical form. Transfer-Encoding and Trailer belong to the wire.
type hopByHop struct{}

// Apply implements [Filter].
func (hopByHop) Apply(m *Message, log []Change) []Change {
	h, n := m.Request.Header, len(log)
	for _, named := range [...][]string{h["Connection"], h["Proxy-Connection"]} {
		for option := range members(named) {
			log = dropOption(h, option, log)
		}
	}
	upgrade := upgradesToWebSocket(h)
	for name := range h {
		v := names.judge(name)
		if v.class != hop {
			continue
		}
		keep := ""
		switch name {
		case "Te":
			if hasToken(h[name], "trailers") {
				keep = "trailers"
			}
		case "Connection":
			if upgrade {
				keep = "Upgrade"
			}
		case "Upgrade":
			if upgrade {
				keep = "websocket"
			}
		}
		log = reduce(h, name, keep, v.why, log)
	}
	return sorted(log, n)
}

// dropOption removes the field that a connection option names. Options that
// name fields meant for the origin are void (RFC 9110 §7.6.1): taking those
// out would change what the request means, or cut its body loose.
func dropOption(h http.Header, option string, log []Change) []Change {
	if strings.EqualFold(option, "keep-alive") { // nearly every request's: gone with what is of the hop
		return log
	}
	name := http.CanonicalHeaderKey(option)
	if _, sent := h[name]; !sent {
		return log
	}
	switch v := names.judge(name); {
	case v.class == serves, v.class == registered, v.class == framing, v.class == hop:
		return log
	case name == "Cookie", name == "Range", name == "Expect":
		return log
	case strings.HasPrefix(name, "Content-"), strings.HasPrefix(name, "If-"),
		strings.HasPrefix(name, "Sec-Websocket-"):
		return log
	}
	return drop(h, name, "RFC 9110 §7.6.1: named by Connection", log)
}

// upgradesToWebSocket reports whether h asks for a WebSocket (RFC 6455 §4.1).
func upgradesToWebSocket(h http.Header) bool {
	return hasToken(h["Upgrade"], "websocket") && hasToken(h["Connection"], "upgrade")
}
