package filters

import (
	"maps"
	"net/http"
	"slices"
	"testing"
)

func TestHopByHop(t *testing.T) {
	for _, test := range []struct {
		name      string
		sent, got http.Header
	}{
		{"Connection and what it names",
			http.Header{"Connection": {"close, X-Foo", "x-bar"}, "X-Foo": {"1"}, "X-Bar": {"2"}, "X-Baz": {"3"}},
			http.Header{"X-Baz": {"3"}}},
		{"Proxy-Connection names too",
			http.Header{"Proxy-Connection": {"keep-alive, X-Foo"}, "X-Foo": {"1"}}, http.Header{}},
		{"an option cannot remove what the message needs",
			http.Header{"Connection": {"Content-Length, Content-Type, Transfer-Encoding, Authorization, Cookie, Range, If-Match, Origin, Host"},
				"Content-Length": {"3"}, "Content-Type": {"text/plain"}, "Authorization": {"Basic YTpi"}, "Cookie": {"a=b"},
				"Range": {"bytes=0-1"}, "If-Match": {"*"}, "Origin": {"null"}, "Transfer-Encoding": {"chunked"}},
			http.Header{"Content-Length": {"3"}, "Content-Type": {"text/plain"}, "Authorization": {"Basic YTpi"}, "Cookie": {"a=b"},
				"Range": {"bytes=0-1"}, "If-Match": {"*"}, "Origin": {"null"}, "Transfer-Encoding": {"chunked"}}},
		{"nor what describes its content, conditions or handshake",
			http.Header{"Connection": {"Content-Profile, If-Acme, Sec-WebSocket-Key"}, "Content-Profile": {"a"}, "If-Acme": {"b"}, "Sec-Websocket-Key": {"c"}},
			http.Header{"Content-Profile": {"a"}, "If-Acme": {"b"}, "Sec-Websocket-Key": {"c"}}},
		{"every Proxy field",
			http.Header{"Proxy-Authorization": {"Basic YTpi"}, "Proxy-Anything": {"x"}, "Proxy": {"http://x"}, "Proxy_Connection": {"close"}, "proxy-foo": {"x"}},
			http.Header{}},
		{"TE keeps trailers alone", http.Header{"Te": {"deflate;q=0.5, Trailers", "gzip"}}, http.Header{"Te": {"trailers"}}},
		{"TE without trailers goes", http.Header{"Te": {"gzip;q=canary"}}, http.Header{}},
		{"Upgrade to h2c goes", http.Header{"Connection": {"Upgrade, HTTP2-Settings"}, "Upgrade": {"h2c"}, "Http2-Settings": {"AAMAAABk"}}, http.Header{}},
		{"the long s is no s", http.Header{"Connection": {"Upgrade"}, "Upgrade": {"web\u017focket"}}, http.Header{}},
		{"a WebSocket handshake stays, in one form",
			http.Header{"Connection": {"keep-alive, upgrade"}, "Upgrade": {"WebSocket, canary/1"}, "Sec-Websocket-Key": {"k"}},
			http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Key": {"k"}}},
		{"Upgrade that Connection does not name goes", http.Header{"Upgrade": {"websocket"}}, http.Header{}},
		{"a WebSocket version in Upgrade is no WebSocket", http.Header{"Connection": {"upgrade"}, "Upgrade": {"websocket/canary"}}, http.Header{}},
		{"Keep-Alive and garbled Connection go", http.Header{"Keep-Alive": {"timeout=5, canary"}, "Cneonction": {"close"}, "X-Cnection": {"close"}}, http.Header{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := &Message{Request: &http.Request{Header: test.sent}}
			hopByHop{}.Apply(m, nil)
			if !maps.EqualFunc(m.Request.Header, test.got, slices.Equal) {
				t.Errorf("got %v, want %v", m.Request.Header, test.got)
			}
			if log := (hopByHop{}).Apply(m, nil); len(log) > 0 {
				t.Errorf("a second time it changed %v", log)
			}
		})
	}
}
