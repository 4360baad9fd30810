package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"guise/proxy/egress"
)

// TestWebSocketsThroughAnUpstreamProxy: by a tunnel, since most proxies pass no
// upgrade on, and as it is to those that let no tunnel go there.
func TestWebSocketsThroughAnUpstreamProxy(t *testing.T) {
	const switched = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n"
	for name, upstream := range map[string]func() string{
		"tunnels alone": func() string {
			return serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
				req, err := http.ReadRequest(r)
				if err != nil || req.Method != http.MethodConnect {
					io.WriteString(conn, "HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\n\r\n")
					return
				}
				tunnelTo(req.Host, conn, r)
			}).address
		},
		"no tunnels": func() string {
			return serveProxy(t, func(o *Options) { o.Egress.ConnectPorts = []egress.PortRange{{First: 443, Last: 443}} })
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
				if req, err := http.ReadRequest(r); err != nil || req.Header.Get("Upgrade") == "" {
					return
				}
				io.WriteString(conn, switched+"early")
			})
			hop := &url.URL{Scheme: "http", Host: upstream()}
			proxy := serveProxy(t, func(o *Options) { o.Egress.Chain = []*url.URL{hop} })
			got, _ := exchangeRaw(t, proxy, "GET http://"+o.address+"/chat HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
				"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
			if !strings.HasPrefix(got, "HTTP/1.1 101 ") || !strings.HasSuffix(got, "\r\n\r\nearly") {
				t.Errorf("got %q", got)
			}
			if saw := o.saw(); !strings.HasPrefix(saw, "GET /chat HTTP/1.1\r\n") {
				t.Errorf("the origin saw %q", saw)
			}
		})
	}
}
