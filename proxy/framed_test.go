package proxy

import (
	"net/http"
	"strings"
	"testing"

	"guise/proxy/inspect"
)

// TestMalformedHTTP2Answers: what is no answer by RFC 9113 §8.1.1 becomes a
// 502, and is nobody's end but its own. The proxy lives on.
func TestMalformedHTTP2Answers(t *testing.T) {
	for name, answer := range map[string]func(*framedStream){
		"101": func(s *framedStream) { s.head(true, ":status: 101") },
	} {
		t.Run(name, func(t *testing.T) {
			o := serveFramed(t, answer)
			proxy := serveProxy(t, inspecting(inspect.Always))
			c := visitor(t, proxy, trusting(testAuthority()), true)
			resp, _, err := read(c, "https://"+o.address+"/")
			if err != nil || resp.StatusCode != http.StatusBadGateway || !strings.Contains(resp.Header.Get("Proxy-Status"), "http_protocol_error") {
				t.Errorf("%v %v", resp, err)
			}
		})
	}
}
