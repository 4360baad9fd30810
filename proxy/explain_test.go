package proxy

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"guise/proxy/egress"
	"guise/proxy/wire"
)

// explained returns what Explain says of a request with a head, from this machine.
func explained(t *testing.T, o Options, head string) Explanation {
	t.Helper()
	r, err := wire.ParseHead(head)
	if err != nil {
		t.Fatalf("%q: %v", head, err)
	}
	e, err := Explain(o, r, netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatalf("%q: %v", head, err)
	}
	return e
}

// TestExplainSaysWhatIsSent compares what Explain says that an origin gets with
// what one got.
func TestExplainSaysWhatIsSent(t *testing.T) {
	const (
		page    = "Accept: text/html,application/xhtml+xml,*/*;q=0.8"
		browser = "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
		chunked = "Transfer-Encoding: chunked"
	)
	var options Options
	proxy := serveProxy(t, func(o *Options) { options = *o })
	for _, c := range []struct {
		line   string // method and path
		fields []string
		body   string
	}{
		{line: "GET /"},
		{line: "HEAD /a?b=%7e&utm_source=mail", fields: []string{page, "Cookie: a=b", "X-Forwarded-For: 192.0.2.7"}},
		{line: "GET /a|b?", fields: []string{page, "Referer: http://else.example/a"}},
		{line: "POST /"},
		{line: "POST /", fields: []string{"Content-Length: 0"}},
		{line: "DELETE /", fields: []string{"Content-Length: 0"}},
		{line: "GET /", fields: []string{"Content-Length: 0"}},
		{line: "POST /", fields: []string{"Content-Type: application/json; a=b", "Content-Length: 2"}, body: "{}"},
		{line: "POST /", fields: []string{chunked, "Trailer: Digest, X-Mine", "TE: trailers"}, body: "2\r\nab\r\n0\r\n\r\n"},
		{line: "PUT /", fields: []string{"Cache-Control: public, max-age=61", "Content-Length: 2"}, body: "ab"},
		{line: "GET /", fields: []string{"Expect: 100-continue"}},
		{line: "GET /", fields: []string{`If-None-Match: "a"`}},
		{line: "GET /", fields: []string{page, "If-Modified-Since: Sat, 29 Oct 1994 19:43:31 GMT"}},
		{line: "GET /", fields: []string{"Authorization: Basic YTpi", `If-None-Match: "a"`}},
		{line: "PUT /", fields: []string{`If-Match: "a"`, `If-None-Match: "b"`, "Content-Length: 2"}, body: "ab"},
		{line: "GET /", fields: []string{"X-Api-Key: 9f86d081884c7d65", `If-None-Match: "a"`}},
		{line: "GET /", fields: []string{"Range: bytes=0-1", `If-Range: "a"`}},
		{line: "GET /", fields: []string{browser, "Cache-Control: no-cache", "Pragma: no-cache"}},
		{line: "GET /", fields: []string{"Cache-Control: max-age=0"}},
		{line: "OPTIONS /", fields: []string{"Max-Forwards: 3"}},
		{line: "PROPFIND /a", fields: []string{"Depth: 1", "X-Twice: 1", "x-twice: 2", "Via: 1.1 a"}},
		{line: "GET /", fields: []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Origin: http://a.example"}},
	} {
		o := serveOrigin(t, answer(hello))
		method, path, _ := strings.Cut(c.line, " ")
		head := method + " http://" + o.address + path + " HTTP/1.1\r\nHost: " + o.address + "\r\n"
		for _, field := range c.fields {
			head += field + "\r\n"
		}
		conn := dial(t, proxy)
		if _, err := conn.Write([]byte(head + "\r\n" + c.body)); err != nil {
			t.Fatal(err)
		}
		until(t, "the origin has the request", func() bool { return strings.Contains(o.saw(), "\r\n\r\n") })
		conn.Close()
		sent, _, _ := strings.Cut(o.saw(), "\r\n\r\n")

		if e := explained(t, options, head); e.Head != sent+"\r\n" {
			t.Errorf("%s %q: explained as\n%s%s\nand sent\n%s", c.line, c.fields, e.Head, e.Blocked, sent)
		}
	}
}

// TestExplainWarnsNobodyWithoutALog: of a list in which lines name no host.
func TestExplainWarnsNobodyWithoutALog(t *testing.T) {
	list := filepath.Join(t.TempDir(), "hosts.txt")
	if err := os.WriteFile(list, []byte("||ads.example^\nnot a host\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	head := "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n"
	if e := explained(t, Options{Egress: egress.Options{DenyLists: []string{list}}}, head); e.Head == "" {
		t.Errorf("%+v", e)
	}
}

// TestExplainSaysWhatIsNotSent: what the proxy answers itself has no head.
func TestExplainSaysWhatIsNotSent(t *testing.T) {
	for _, line := range []string{"OPTIONS http://a.example/ HTTP/1.1\r\nHost: a.example\r\nMax-Forwards: 0\r\n", "TRACE http://a.example/ HTTP/1.1\r\nHost: a.example\r\n", "GET http://10.0.0.1/ HTTP/1.1\r\nHost: a.example\r\n"} {
		if e := explained(t, Options{}, line); e.Blocked == "" || e.Head != "" {
			t.Errorf("%s: %+v", line, e)
		}
	}
}
