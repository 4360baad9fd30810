package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// TestForwardingKeepsTheStandard holds what RFC 9110 and RFC 9112 ask of a proxy that
// forwards a message, rule by rule. What they want refused is in
// [TestMalformedRequestsAreRefused] and [TestUpstreamFaultsAreNamed]; how the caches
// of RFC 9111 behave, in package cache. Via (RFC 9110 §7.6.3) is left out on purpose.
func TestForwardingKeepsTheStandard(t *testing.T) {
	const (
		fields = " HTTP/1.1\r\nHost: ORIGIN\r\nConnection: close\r\n"
		get    = "GET http://ORIGIN/" + fields
		head   = "HEAD http://ORIGIN/" + fields
		put    = "PUT http://ORIGIN/" + fields
		post   = "POST http://ORIGIN/" + fields
		ok     = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
		fine   = ok + "\r\nok"
	)
	for _, c := range []struct {
		section, rule string
		request       string // ORIGIN is the origin's address
		answer        string // the origin's; what is before a | comes before it reads content
		saw, got      has    // of the bytes at either end
	}{
		{"9112 §2.3", "its own version to the origin", "GET http://ORIGIN/ HTTP/1.0\r\n\r\n", fine, has{"GET / HTTP/1.1"}, has{"HTTP/1.1 200 "}},
		{"9112 §2.3", "its own version to the client", get + "\r\n", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", nil, has{"HTTP/1.1 200 "}},
		{"9112 §3.2.1", "an empty path is /", "GET http://ORIGIN" + fields + "\r\n", fine, has{"GET / HTTP/1.1"}, nil},
		{"9112 §3.2.1", "also before a query", "GET http://ORIGIN?a=b" + fields + "\r\n", fine, has{"GET /?a=b HTTP/1.1"}, nil},
		{"9112 §3.2.4", "OPTIONS of no path is of the server", "OPTIONS http://ORIGIN" + fields + "\r\n", fine, has{"OPTIONS * HTTP/1.1"}, nil},
		{"9112 §3.2.4", "but not with a query", "OPTIONS http://ORIGIN?a" + fields + "\r\n", fine, has{"OPTIONS /?a HTTP/1.1"}, nil},
		{"9112 §3.2.4", "nor with a path", "OPTIONS http://ORIGIN/" + fields + "\r\n", fine, has{"OPTIONS / HTTP/1.1"}, nil},
		{"9112 §4", "a space before no reason", get + "\r\n", "HTTP/1.1 799\r\nContent-Length: 2\r\n\r\nok", nil, has{"HTTP/1.1 799 "}},
		{"9112 §5.1", "no white space before a response's colon", get + "\r\n", ok + "X-Total : 1\r\n\r\nok", nil, has{"X-Total: 1"}},
		{"9112 §5.2", "a folded line is told of", get + "\r\n", ok + "A: b\r\n c\r\n\r\nok", nil, has{"HTTP/1.1 502 ", "folded line"}},
		{"9112 §5.2", "but a cookie's is joined", get + "\r\n", ok + "Set-Cookie: a=b\r\n    c: d; path=/\r\n\r\nok", nil, has{"HTTP/1.1 200 ", "\r\nSet-Cookie: a=b c: d; path=/\r\n"}},
		{"9112 §6.1", "no transfer coding for HTTP/1.0", "GET http://ORIGIN/ HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", nil, has{"- Transfer-Encoding", "\r\n\r\nok"}},
		{"9112 §6.1", "none with a 204", get + "\r\n", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", nil, has{"HTTP/1.1 204 ", "- Transfer-Encoding", "- Content-Length"}},
		{"9112 §6.2", "a length stays a length", post + "Content-Length: 2\r\n\r\nhi", fine, has{"Content-Length: 2", "- Transfer-Encoding"}, has{"Content-Length: 2", "- Transfer-Encoding"}},
		{"9112 §6.2", "no length beside a coding", post + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", has{"Transfer-Encoding: chunked", "- Content-Length"}, has{"Content-Length: 2", "- Transfer-Encoding"}},
		{"9112 §6.3", "nothing is read behind a 304", get + "If-None-Match: \"a\"\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\nno", nil, has{"HTTP/1.1 304 ", "- \r\n\r\nno"}},
		{"9112 §7.1.1", "unknown chunk extensions are ignored", post + "Transfer-Encoding: chunked\r\n\r\n2;a=b\r\nhi\r\n0;c\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;d=\"e;f\"\r\nok\r\n0\r\n\r\n", has{"2\r\nhi\r\n0\r\n\r\n"}, has{"\r\n\r\nok"}},
		{"9112 §7.1.2", "trailers stay trailers", get + "\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nContent-Digest: sha-256=:AA==:\r\n\r\n", nil, has{"2\r\nok\r\n0\r\nContent-Digest: sha-256=:AA==:\r\n\r\n"}},
		{"9112 §8", "an incomplete request is no whole one", post + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\nno", fine, has{"- 0\r\n\r\n"}, has{"HTTP/1.1 400 ", "the origin did not get all of it"}},
		{"9112 §9.3", "HTTP/1.0 clients are told that it closes", "GET http://ORIGIN/ HTTP/1.0\r\nConnection: keep-alive\r\nProxy-Connection: keep-alive\r\n\r\n", fine, nil, has{"Connection: close", "- keep-alive"}},
		{"9112 §9.6", "nothing is done behind close", get + "\r\nGET http://ORIGIN/late" + fields + "\r\n", fine, has{"- /late"}, has{"Connection: close"}},

		{"9110 §4.2.4", "userinfo goes nowhere", "GET http://me:secret@ORIGIN/" + fields + "\r\n", fine, has{"GET / HTTP/1.1", "- secret"}, nil},
		{"9110 §5.3", "lines of one field keep their order", get + "If-Match: \"b\"\r\nIf-Match: \"a\"\r\n\r\n", ok + "Link: </b>\r\nLink: </a>\r\n\r\nok", has{"If-Match: \"b\", \"a\"\r\n"}, has{"Link: </b>\r\nLink: </a>\r\n"}},
		{"9110 §5.5", "a control in a response's value is a space", get + "\r\n", ok + "X-Total: 1\x012\r\nSet-Cookie: a=b\x01c\r\n\r\nok", nil, has{"\r\nX-Total: 1 2\r\n", "- Set-Cookie"}},
		{"9110 §5.5", "but for one that may end it", get + "\r\n", ok + "X-Total: 1\x00\r\n\r\nok", nil, has{"HTTP/1.1 502 ", "control in a "}},
		{"9110 §5.6.1", "empty elements of a list are none", post + "Expect: , \r\nContent-Length: 2\r\n\r\nhi", fine, has{"\r\n\r\nhi"}, has{"HTTP/1.1 200 "}},
		{"9110 §6.6.1", "Date is added", get + "\r\n", fine, nil, has{"\r\nDate: "}},
		{"9110 §6.6.1", "and kept", get + "\r\n", ok + "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\nok", nil, has{"\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"}},
		{"9110 §7.2", "Host comes first", get + "\r\n", fine, has{"HTTP/1.1\r\nHost: ORIGIN\r\n"}, nil},
		{"9110 §7.6.1", "what Connection names ends here", get + "Connection: x-total, te\r\nX-Total: 1\r\nKeep-Alive: 9\r\n\r\n", ok + "Connection: x-page\r\nX-Page: 7\r\nKeep-Alive: timeout=5\r\n\r\nok", has{"- X-Total", "- Keep-Alive: 9"}, has{"- X-Page", "- Keep-Alive"}},
		{"9110 §7.6.1", "also beside a switch of protocols", "GET http://ORIGIN/ HTTP/1.1\r\nHost: ORIGIN\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", "HTTP/1.1 101 On\r\nConnection: keep-alive, upgrade, x-page\r\nUpgrade: websocket\r\nX-Page: 7\r\n\r\n", has{"Connection: Upgrade\r\n"}, has{"HTTP/1.1 101 ", "\r\nConnection: Upgrade\r\n", "- -Page", "- -page", "- keep-alive"}},
		{"9110 §7.6.1", "and in an interim answer", get + "\r\n", "HTTP/1.1 103 Early Hints\r\nConnection: link\r\nLink: </a>\r\n\r\n" + fine, nil, has{"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 ", "- </a>"}},
		{"9110 §7.6.1", "but nothing that is for all", get + "Connection: range\r\nRange: bytes=0-1\r\n\r\n", ok + "Connection: cache-control, content-type\r\nCache-Control: no-store\r\nContent-Type: text/css\r\n\r\nok", has{"\r\nRange: bytes=0-1\r\n"}, has{"\r\nCache-Control: no-store\r\n", "\r\nContent-Type: text/css\r\n"}},
		{"9110 §7.6.2", "GET counts no hops", get + "Max-Forwards: 0\r\n\r\n", fine, has{"GET / HTTP/1.1"}, has{"HTTP/1.1 200 "}},
		{"9110 §7.6.2", "OPTIONS does", "OPTIONS http://ORIGIN/" + fields + "Max-Forwards: 2\r\n\r\n", fine, has{"Max-Forwards: 1\r\n"}, has{"HTTP/1.1 200 "}},
		{"9110 §7.7", "path and query keep their bytes", "GET http://ORIGIN/a%2fb%41//c/../d;e=f|?g=%zz&&h" + fields + "\r\n", fine, has{"GET /a%2fb%41//c/../d;e=f|?g=%zz&&h HTTP/1.1"}, nil},
		{"9110 §7.8", "HTTP/1.0 upgrades nothing", "GET http://ORIGIN/ HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", fine, has{"- websocket"}, has{"HTTP/1.1 200 "}},
		{"9110 §7.8", "an offer is for one connection", get + "\r\n", ok + "Connection: upgrade\r\nUpgrade: h2c\r\n\r\nok", nil, has{"- h2c"}},
		{"9110 §15.5.22", "but what a 426 wants", get + "\r\n", "HTTP/1.1 426 Upgrade Required\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n", nil, has{"Upgrade: websocket", "Connection: Upgrade, close"}},
		{"9110 §8.6", "no length with a 204", get + "\r\n", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", nil, has{"HTTP/1.1 204 ", "- Content-Length"}},
		{"9110 §8.6", "the length of what HEAD asks about", head + "\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", nil, has{"Content-Length: 7\r\n"}},
		{"9110 §9.3.2", "no content for HEAD", head + "\r\n", ok + "\r\nno", nil, has{"- \r\n\r\nno"}},
		{"9110 §10.1.1", "an expectation is passed on, and its answer", post + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nhi", "HTTP/1.1 100 Continue\r\n\r\n|" + fine, has{"Expect: 100-continue", "\r\n\r\nhi"}, has{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 "}},
		{"9110 §10.1.1", "also before an answer right behind it", post + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nhi", "HTTP/1.1 100 Continue\r\n\r\n" + ok + "\r\n|ok", has{"\r\n\r\nhi"}, has{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 "}},
		{"9110 §10.1.1", "also that it is not met", post + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n", "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n|", has{"Expect: 100-continue"}, has{"HTTP/1.1 417 ", "Connection: close", "- 100 Continue"}},
		{"9110 §10.1.1", "none without content", get + "Expect: 100-continue\r\n\r\n", fine, has{"- Expect"}, has{"HTTP/1.1 200 "}},
		{"9110 §10.2.1", "Allow stays as it is", get + "\r\n", "HTTP/1.1 405 No\r\nAllow: GET,  brew,\r\nContent-Length: 0\r\n\r\n", nil, has{"\r\nAllow: GET,  brew,\r\n"}},
		{"9110 §11.6.1", "so do challenges", get + "\r\n", "HTTP/1.1 401 No\r\nWWW-Authenticate: Newauth realm=\"apps\", type=1, title=\"Login to \\\"apps\\\"\", Basic realm=\"simple\"\r\nContent-Length: 0\r\n\r\n", nil, has{"uthenticate: Newauth realm=\"apps\", type=1, title=\"Login to \\\"apps\\\"\", Basic realm=\"simple\"\r\n"}},
		{"9110 §11.6.2", "and credentials", get + "Authorization: Newauth a=\"b\",c ,d=e\r\n\r\n", fine, has{"Authorization: Newauth a=\"b\",c ,d=e\r\n"}, nil},
		{"9110 §13.2.1", "conditions are the origin's to evaluate", put + "If-Match: \"a\"\r\nIf-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 2\r\n\r\nhi", "HTTP/1.1 412 No\r\nContent-Length: 0\r\n\r\n", has{"If-Match: \"a\"\r\n", "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n"}, has{"HTTP/1.1 412 "}},
		{"9110 §15", "a status that nobody knows", get + "\r\n", "HTTP/1.1 299 Odd\r\nContent-Length: 2\r\n\r\nok", nil, has{"HTTP/1.1 299 ", "\r\n\r\nok"}},
		{"9110 §15.2", "interim answers are passed on", get + "\r\n", "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + fine, nil, has{"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 "}},
		{"9110 §15.2", "but not to HTTP/1.0", "GET http://ORIGIN/ HTTP/1.0\r\n\r\n", "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + fine, nil, has{"- 102", "- 100 "}},
		{"9110 §15.2", "and lead nowhere past the proxy", get + "\r\n", "HTTP/1.1 103 Early Hints\r\nLink: <ftp://a/>; rel=preload, </b>\r\n\r\n" + fine, nil, has{"HTTP/1.1 103 Early Hints\r\nLink: </b>\r\n\r\nHTTP/1.1 200 ", "- ftp"}},
		{"9110 §15.5.6", "a 405 of ours says what is allowed", "TRACE http://ORIGIN/" + fields + "\r\n", fine, has{"- TRACE"}, has{"HTTP/1.1 405 ", "\r\nAllow: "}},
	} {
		t.Run("RFC "+c.section+", "+c.rule, func(t *testing.T) {
			o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
				req, err := http.ReadRequest(r)
				if err != nil {
					return
				}
				early, answer, found := strings.Cut(c.answer, "|")
				if !found {
					early, answer = "", early
				}
				io.WriteString(conn, early)
				io.Copy(io.Discard, req.Body)
				io.WriteString(conn, answer)
			})
			proxy, got := serveProxy(t, nil), ""
			for range 10 {
				var err error
				if got, err = exchangeRaw(t, proxy, strings.ReplaceAll(c.request, "ORIGIN", o.address)); err != nil {
					t.Error(err)
				}
				if !strings.Contains(c.answer, "chunked") || !strings.Contains(got, "chunked") {
					break // else the head may have gone ahead, while the machine halted
				}
			}
			for i, part := range c.saw {
				c.saw[i] = strings.ReplaceAll(part, "ORIGIN", o.address)
			}
			c.saw.check(t, "origin saw", o.saw())
			c.got.check(t, "client got", got)
		})
	}
}

// A has is what a text is to hold, and what it is not to, which begins with "- ".
type has []string

func (h has) check(t *testing.T, who, text string) {
	t.Helper()
	for _, part := range h {
		without, absent := strings.CutPrefix(part, "- ")
		if strings.Contains(text, without) == absent {
			t.Errorf("the %s %q, want %q", who, text, part)
		}
	}
}
