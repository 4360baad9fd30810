package proxy

import (
	"net/url"
	"strings"
	"testing"
)

// TestUpstreamProxysFaultIsNamed: whoever mistyped its password or its port
// reads so.
func TestUpstreamProxysFaultIsNamed(t *testing.T) {
	for _, c := range []struct{ answer, request, want string }{
		{"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n", "GET http://a.example/", "It wants other credentials."},
		{"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n", "CONNECT a.example:443", "It wants other credentials."},
		{"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", "CONNECT a.example:443", "It answered CONNECT with 403."},
		{"SSH-2.0-x\r\n", "CONNECT a.example:443", "It does not answer in HTTP."},
	} {
		hop := serveOrigin(t, answer(c.answer))
		proxy := serveProxy(t, func(o *Options) { o.Egress.Chain = []*url.URL{{Scheme: "http", Host: hop.address}} })
		got, err := exchangeRaw(t, proxy, c.request+" HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n")
		if !strings.Contains(got, "The upstream proxy is at fault: "+c.want+"\n") || err != nil {
			t.Errorf("%q, %s: %q, %v", c.answer, c.request, got, err)
		}
	}
}
