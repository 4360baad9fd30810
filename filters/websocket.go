package filters

import (
	"encoding/base64"
	"slices"
	"strings"
)

// webSocket rebuilds the handshake of RFC 6455 §4.1: version 13, a key of 16
// bytes, the protocols in one line and none that is the client's address, and of
// the extensions only compression, in the one form whose answer every client that
// offers it understands. A page may name any addresses as protocols: by which of many
// had gone, its site would know the client's.
type webSocket struct{}

const whyWebSocket = "RFC 6455 §4.1"

// Apply implements [Filter].
func (webSocket) Apply(m *Message, log []Change) []Change {
	h := m.Request.Header
	if m.Visit.Kind != WebSocket {
		for _, name := range [...]string{"Sec-Websocket-Key", "Sec-Websocket-Version", "Sec-Websocket-Extensions", "Sec-Websocket-Protocol"} {
			log = put(h, name, "", "RFC 6455 §11.3; not a handshake", log)
		}
		return log
	}
	log = put(h, "Connection", "Upgrade", whyWebSocket, log)
	log = put(h, "Upgrade", "websocket", whyWebSocket, log)
	log = put(h, "Sec-Websocket-Version", "13", whyWebSocket, log)
	key := single(h["Sec-Websocket-Key"])
	if b, err := base64.StdEncoding.Strict().DecodeString(key); err != nil || len(b) != 16 {
		key = ""
	}
	log = put(h, "Sec-Websocket-Key", key, whyWebSocket, log)

	protocols := slices.DeleteFunc(slices.Collect(members(h["Sec-Websocket-Protocol"])), func(protocol string) bool {
		return !m.Visit.browser && m.Client.IsValid() && formsOf(m.Client).inText(protocol) // what is coded is a token
	})
	log = put(h, "Sec-Websocket-Protocol", strings.Join(protocols, ", "), whyWebSocket+"; as browsers write it, without the client's address", log)

	compression := ""
	if offersCompression(h["Sec-Websocket-Extensions"]) {
		compression = "permessage-deflate"
	}
	return put(h, "Sec-Websocket-Extensions", compression, "RFC 7692 §7.1; one form for all", log)
}

// offersCompression reports whether one of the offers is satisfied by an
// answer to a plain "permessage-deflate". One that limits what the server may
// do (server_no_context_takeover, a window below 15 bits) is not: its client
// could not read the answer (RFC 7692 §7.1.1, §7.1.2.1).
func offersCompression(lines []string) bool {
	for offer := range members(lines) {
		name, parameters, _ := strings.Cut(offer, ";")
		if strings.EqualFold(strings.Trim(name, " \t"), "permessage-deflate") && leavesServerFree(parameters) {
			return true
		}
	}
	return false
}

// leavesServerFree reports whether an offer does not limit what the server may do.
func leavesServerFree(parameters string) bool {
	for parameter := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(parameter, "=")
		switch strings.ToLower(strings.Trim(name, " \t")) {
		case "server_no_context_takeover":
			return false
		case "server_max_window_bits":
			if strings.Trim(value, " \t\"") != "15" {
				return false
			}
		}
	}
	return true
}
