package proxy

import (
	"bufio"
	"encoding/base64"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"testing"
)

// TestOriginsNeverLearnAHandshakesKey, of which 16 bytes are the client's choice: each
// origin gets another, those with the same the same, and the client the answer to its own.
func TestOriginsNeverLearnAHandshakesKey(t *testing.T) {
	const key = "Y2FuYXJ5LWNhbmFyeS0xMQ==" // canary-canary-11
	origins := map[string]bool{}           // by the key they got
	all := t                               // until the end, so that no two have one port
	for _, c := range []struct {
		name, sent string
		accept     func(key string) string // what the origin answers, from the key it got
		want       string
	}{
		{"a right answer", key, webSocketAccept, webSocketAccept(key)},
		{"a wrong one is for the client to judge", key, func(string) string { return "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" }, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="},
		{"no key", "", func(key string) string { return "none:" + key }, "none:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			keys := make(chan string, 2)
			o := serveOrigin(all, func(conn net.Conn, r *bufio.Reader) {
				req, err := http.ReadRequest(r)
				if err != nil {
					return
				}
				got := req.Header.Get("Sec-Websocket-Key")
				keys <- got
				io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "+c.accept(got)+"\r\n\r\n")
			})
			proxy := serveProxy(t, nil)
			head := "GET http://" + o.address + "/ HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
			if c.sent != "" {
				head += "Sec-WebSocket-Key: " + c.sent + "\r\n"
			}
			seen := map[string]bool{}
			for range 2 {
				conn := dial(t, proxy)
				io.WriteString(conn, head+"\r\n")
				resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil || resp.StatusCode != 101 || resp.Header.Get("Sec-Websocket-Accept") != c.want {
					t.Fatalf("%v, %v", resp, err)
				}
				got := <-keys
				if raw, _ := base64.StdEncoding.DecodeString(got); got == key || (len(raw) == 16) != (c.sent != "") {
					t.Errorf("the origin got the key %q", got)
				}
				seen[got] = true
			}
			if len(seen) != 1 {
				t.Errorf("two who ask the same are told apart: %v", seen)
			}
			if c.sent != "" && len(origins) > 0 && origins[slices.Collect(maps.Keys(seen))[0]] {
				t.Error("two origins get the same")
			}
			maps.Copy(origins, seen)
		})
	}
}
