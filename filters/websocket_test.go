package filters

import (
	"net/http"
	"net/netip"
	"reflect"
	"strings"
	"testing"
)

func TestWebSocketHandshake(t *testing.T) {
	const key = "dGhlIHNhbXBsZSBub25jZQ=="
	for _, persona := range Personas() {
		s := newSet(t, Options{Persona: persona})
		h := http.Header{
			"Connection": {"keep-alive, Upgrade"}, "Upgrade": {"WebSocket"}, "Origin": {"http://site.example"},
			"Sec-Websocket-Key": {key}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Protocol": {"chat, superchat"},
			"Sec-Websocket-Extensions": {"permessage-deflate; client_max_window_bits"},
		}
		m := s.Read(newRequest(t, "GET", "http://site.example/ws", h), netip.Addr{})
		s.Request(m, nil)
		for name, want := range map[string]string{
			"Connection": "Upgrade", "Upgrade": "websocket", "Origin": "http://site.example", "Sec-Websocket-Key": key,
			"Sec-Websocket-Version": "13", "Sec-Websocket-Protocol": "chat, superchat", "Sec-Websocket-Extensions": "permessage-deflate",
		} {
			if got := strings.Join(m.Request.Header[name], "|"); got != want {
				t.Errorf("%s: %s: got %q, want %q", persona, name, got, want)
			}
		}
	}
}

// A browser's handshake selects nothing, and with Range the persona would ask for another coding, too.
func TestWebSocketHandshakesSelectNothing(t *testing.T) {
	plain := http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}}
	scrubbed(t, newSet(t, Options{}), newRequest(t, "GET", "http://site.example/ws", plain))
	for name, value := range map[string]string{
		"Range": "bytes=5-7", "If-Range": `"a"`, "If-Match": `"a"`, "If-None-Match": `"a"`,
		"If-Modified-Since": "Sat, 28 Nov 2026 01:00:00 GMT", "If-Unmodified-Since": "Sat, 28 Nov 2026 01:00:00 GMT",
	} {
		h := http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, name: {value}}
		scrubbed(t, newSet(t, Options{}), newRequest(t, "GET", "http://site.example/ws", h))
		if !reflect.DeepEqual(h, plain) {
			t.Errorf("with %s: %v, without %v", name, h, plain)
		}
	}
}

// Programs part the protocols that they speak in their own ways, browsers in one.
func TestWebSocketProtocolsAreWrittenAsBrowsersDo(t *testing.T) {
	for _, lines := range [][]string{{"chat, superchat"}, {"chat,superchat"}, {"chat", " superchat "}, {"chat ,, superchat,"}} {
		h := http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Protocol": lines}
		scrubbed(t, newSet(t, Options{}), newRequest(t, "GET", "http://site.example/ws", h))
		if got := h["Sec-Websocket-Protocol"]; len(got) != 1 || got[0] != "chat, superchat" {
			t.Errorf("%q became %q", lines, got)
		}
	}
}

func TestNoWebSocketProtocolIsTheClientsAddress(t *testing.T) {
	h := http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Protocol": {"chat, 192.0.2.7, ip-c0-00-02-07"}}
	s := newSet(t, Options{})
	s.Request(s.Read(newRequest(t, "GET", "http://site.example/ws", h), netip.MustParseAddr("192.0.2.7")), nil)
	if got := h.Get("Sec-Websocket-Protocol"); got != "chat" {
		t.Errorf("got %q", got)
	}
}

// A page names many addresses as protocols, to see which is missing.
func TestPagesProtocolsDoNotTellTheClientsAddress(t *testing.T) {
	const all = "192.0.2.6, 192.0.2.7, 3221225991"
	h := http.Header{"User-Agent": {firefoxAgent}, "Origin": {"http://site.example"}, "Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Protocol": {all}}
	s := newSet(t, Options{})
	s.Request(s.Read(newRequest(t, "GET", "http://site.example/ws", h), netip.MustParseAddr("192.0.2.7")), nil)
	if got := h.Get("Sec-Websocket-Protocol"); got != all {
		t.Errorf("got %q", got)
	}
}

func TestWebSocketCompressionIsOfferedWhereItsAnswerWillDo(t *testing.T) {
	for offer, want := range map[string]bool{
		"permessage-deflate":                                                            true,
		"permessage-deflate; client_max_window_bits":                                    true,
		"Permessage-Deflate ; client_no_context_takeover":                               true,
		"permessage-deflate; server_max_window_bits=15":                                 true,
		"permessage-deflate; server_max_window_bits=10":                                 false,
		"permessage-deflate; server_no_context_takeover":                                false,
		"permessage-deflate; server_no_context_takeover, permessage-deflate":            true,
		"x-webkit-deflate-frame":                                                        false,
		"x-visitor; id=4711":                                                            false,
		"permessage-bzip2, permessage-deflate; client_max_window_bits=12; visitor=4711": true,
		"": false,
	} {
		if got := offersCompression([]string{offer}); got != want {
			t.Errorf("%q: got %t", offer, got)
		}
	}
}

func TestWebSocketFieldsOutsideAHandshakeGo(t *testing.T) {
	s := newSet(t, Options{})
	m := s.Read(newRequest(t, "GET", "http://site.example/", http.Header{"Sec-Websocket-Key": {"me"}, "Sec-Websocket-Protocol": {"me"}}), netip.Addr{})
	s.Request(m, nil)
	for name := range m.Request.Header {
		if strings.HasPrefix(name, "Sec-Websocket") {
			t.Errorf("%s stays", name)
		}
	}
	bad := http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Key": {"visitor-4711"}}
	m = s.Read(newRequest(t, "GET", "http://site.example/", bad), netip.Addr{})
	s.Request(m, nil)
	if got := m.Request.Header.Get("Sec-Websocket-Key"); got != "" {
		t.Errorf("a key of another length passes: %q", got)
	}
}

// A script can add nothing to a handshake, a program its credentials.
func TestProgramsProveThemselvesInHandshakes(t *testing.T) {
	for agent, passes := range map[string]bool{"speech-sdk/1.40": true, "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0": false} {
		h := http.Header{
			"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="},
			"User-Agent": {agent}, "Ocp-Apim-Subscription-Key": {"0a1b2c3d4e5f"}, "X-Acme-Mode": {"fast"},
		}
		scrubbed(t, newSet(t, Options{}), newRequest(t, "GET", "https://speech.example/", h))
		if (h["Ocp-Apim-Subscription-Key"] != nil) != passes || h["X-Acme-Mode"] != nil {
			t.Errorf("%s: left %v", agent, h)
		}
	}
}
