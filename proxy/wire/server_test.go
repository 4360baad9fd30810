package wire

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// startServer serves h, with whatever change does to the server, until the
// test ends, and returns its address.
func startServer(t testing.TB, h http.HandlerFunc, change func(*Server)) string {
	t.Helper()
	s := &Server{Handler: h, flushDelay: time.Minute} // however long the machine halts
	if change != nil {
		change(s)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, l, s)
	return l.Addr().String()
}

// serveOn has s serve l until the test ends.
func serveOn(t testing.TB, l net.Listener, s *Server) {
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-served; err != http.ErrServerClosed {
			t.Errorf("Serve returned %v", err)
		}
	})
}

// dial connects; nothing on the connection takes longer than ten seconds.
func dial(t testing.TB, addr string) *net.TCPConn {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(30 * time.Second))
	return nc.(*net.TCPConn)
}

// talk sends raw and returns all that comes until the server closes.
func talk(t testing.TB, addr, raw string) string {
	t.Helper()
	nc := dial(t, addr)
	if _, err := io.WriteString(nc, raw); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(nc)
	if err != nil {
		t.Fatalf("after %q: %v", b, err)
	}
	return string(b)
}

// talkTooLong sends a head that does not end, and returns all that comes until the server
// closes. Its time is a bubble's, in which what was sent at once is there in time.
func talkTooLong(t *testing.T, raw string) (got string) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{Handler: http.HandlerFunc(echo), Timeouts: Timeouts{Head: time.Second}}
		defer s.Close()
		client, server := net.Pipe()
		defer client.Close()
		if err := s.ServeConn(server); err != nil {
			t.Fatal(err)
		}
		io.WriteString(client, raw)
		b, err := io.ReadAll(client)
		if err != nil {
			t.Fatalf("after %q: %v", b, err)
		}
		got = string(b)
	})
	return got
}

// statusOf returns the status of the first response in raw.
func statusOf(raw string) string {
	_, rest, _ := strings.Cut(raw, " ")
	code, _, _ := strings.Cut(rest, " ")
	return code
}

// echo answers with what it saw.
func echo(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%s %s %s host=%s body=%q err=%v", r.Method, r.RequestURI, r.URL, r.Host, b, err)
}

// manyNames is a list of n names.
func manyNames(n int) string {
	var list strings.Builder
	for i := range n {
		fmt.Fprintf(&list, "x-%d,", i)
	}
	return list.String()
}

func TestServerRefuses(t *testing.T) {
	const get = "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n"
	const post = "POST http://a.example/ HTTP/1.1\r\nHost: a.example\r\n"
	tests := []struct{ name, raw, status string }{
		{"folded line", get + "A: b\r\n c\r\n\r\n", "400"},
		{"folded line with a tab", get + "A: b\r\n\tc\r\n\r\n", "400"},
		{"folded first line", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", "400"},
		{"bare LF after a field", get + "A: b\nC: d\r\n\r\n", "400"},
		{"bare LF after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", "400"},
		{"byte for a CR after the request line", "GET / HTTP/1.1x\nHost: a\r\n\r\n", "400"},
		{"bare LF at the end", get + "\n", "400"},
		{"bare LFs throughout", "GET / HTTP/1.1\nHost: a\n\n", "400"},
		{"bare CR in a value", get + "A: b\rc\r\n\r\n", "400"},
		{"bare CR in a name", get + "A\rB: c\r\n\r\n", "400"},
		{"bare CR in the request line", "GET /\r HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"CR CR LF", get + "A: b\r\r\n\r\n", "400"},
		{"NUL in a value", get + "A: b\x00c\r\n\r\n", "400"},
		{"NUL in a name", get + "A\x00: c\r\n\r\n", "400"},
		{"control in a value", get + "A: b\x01c\r\n\r\n", "400"},
		{"DEL in a value", get + "A: b\x7fc\r\n\r\n", "400"},
		{"vertical tab before a value", get + "A:\x0bc\r\n\r\n", "400"},
		{"space before the colon", get + "A : b\r\n\r\n", "400"},
		{"tab before the colon", get + "A\t: b\r\n\r\n", "400"},
		{"no colon", get + "A\r\n\r\n", "400"},
		{"empty name", get + ": b\r\n\r\n", "400"},
		{"name with a slash", get + "A/B: c\r\n\r\n", "400"},
		{"name beyond ASCII", get + "\xc3\xa4: c\r\n\r\n", "400"},

		{"empty request line twice", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"HTTP/0.9", "GET /\r\n", "400"},
		{"HTTP/0.9 with an empty line", "GET /\r\n\r\n", "400"},
		{"no method", " / HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"method alone", "GET\r\n\r\n", "400"},
		{"method with a bracket", "G(T / HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"two spaces before the target", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"two spaces before the version", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"tab for a space", "GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"space after the version", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", "400"},
		{"space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"DEL in the target", "GET /?\x7f HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"byte beyond ASCII in the target", "GET /\xe4 HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"fragment", "GET /#a HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"bad escape in the path", "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"cut escape in the path", "GET http://a/%4 HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"escape in the authority", "GET http://%61.example/ HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"IPv4 address in brackets", "GET http://[127.0.0.1]/ HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"zone in the authority", "GET http://[::1%25lo]/ HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"port out of range", "GET http://a:65536/ HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"port zero", "GET http://a:0/ HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"port of six digits", "GET http://a:000080/ HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"port with a sign", "GET http://a:+80/ HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"empty authority", "GET http:///a HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"scheme without authority", "GET http:a HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"relative path", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"authority-form without CONNECT", "GET a:443 HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"asterisk-form without OPTIONS", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"CONNECT without a port", "CONNECT a.example HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"CONNECT without a host", "CONNECT :443 HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"CONNECT with a path", "CONNECT a:443/ HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"CONNECT with userinfo", "CONNECT u@a:443 HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"CONNECT of a URL", "CONNECT http://a:443/ HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		{"CONNECT with a length", "CONNECT a:443 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx", "400"},
		{"CONNECT with chunks", "CONNECT a:443 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
		{"version in lower case", "GET / http/1.1\r\nHost: a\r\n\r\n", "400"},
		{"version of two digits", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", "400"},
		{"version with a leading zero", "GET / HTTP/01.1\r\nHost: a\r\n\r\n", "400"},
		{"version without a minor", "GET / HTTP/1\r\nHost: a\r\n\r\n", "400"},
		{"another protocol", "GET / HTCPCP/1.0\r\nHost: a\r\n\r\n", "400"},
		{"HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", "400"},
		{"HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", "400"},
		{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400"},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "400"},

		{"no Host", "GET / HTTP/1.1\r\n\r\n", "400"},
		{"no Host with a URL", "GET http://a/ HTTP/1.1\r\n\r\n", "400"},
		{"two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"},
		{"two equal Hosts", "GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", "400"},
		{"two Hosts in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", "400"},
		{"Host with a space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "400"},
		{"list in Host", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", "400"},
		{"path in Host", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "400"},
		{"userinfo in Host", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", "400"},
		{"bad Host with a URL", "GET http://a/ HTTP/1.1\r\nHost: a@b\r\n\r\n", "400"},
		{"bad port in Host", "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", "400"},
		{"port alone in Host", "GET / HTTP/1.1\r\nHost: :80\r\n\r\n", "400"},

		{"length with a plus", post + "Content-Length: +5\r\n\r\nhello", "400"},
		{"length with a minus", post + "Content-Length: -5\r\n\r\nhello", "400"},
		{"list of lengths", post + "Content-Length: 5,5\r\n\r\nhello", "400"},
		{"padded length", post + "Content-Length:  5 \r\n\r\nhello", "400"},
		{"length before a space", post + "Content-Length: 5 \r\n\r\nhello", "400"},
		{"length after a tab", post + "Content-Length:\t5\r\n\r\nhello", "400"},
		{"hexadecimal length", post + "Content-Length: 0x5\r\n\r\nhello", "400"},
		{"length with a point", post + "Content-Length: 5.0\r\n\r\nhello", "400"},
		{"length with an underscore", post + "Content-Length: 1_0\r\n\r\nhello", "400"},
		{"empty length", post + "Content-Length:\r\n\r\nhello", "400"},
		{"length out of range", post + "Content-Length: 9223372036854775808\r\n\r\nhello", "400"},
		{"differing lengths", post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "400"},
		{"equal lengths", post + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", "400"},
		{"length and chunked", post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
		{"chunked and length", post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", "400"},
		{"length on GET and chunked", get + "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
		{"chunked twice", post + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", "400"},
		{"chunked in two fields", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
		{"gzip and chunked", post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "400"},
		{"chunked not last", post + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", "400"},
		{"identity", post + "Transfer-Encoding: identity\r\n\r\n", "400"},
		{"unknown coding", post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "400"},
		{"Kelvin sign for a k", post + "Transfer-Encoding: chun\u212aed\r\n\r\n0\r\n\r\n", "400"},
		{"chunked with a parameter", post + "Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n", "400"},
		{"quoted chunked", post + "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", "400"},
		{"chunked after a vertical tab", post + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", "400"},
		{"chunked before a tab", post + "Transfer-Encoding: chunked\t\r\n\r\n0\r\n\r\n", "400"},
		{"chunked after a tab", post + "Transfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n", "400"},
		{"empty coding", post + "Transfer-Encoding:\r\n\r\n", "400"},
		{"chunked in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
		{"name in Trailer that is none", post + "Transfer-Encoding: chunked\r\nTrailer: a b\r\n\r\n0\r\n\r\n", "400"},

		{"unknown expectation", post + "Expect: the-unexpected\r\nContent-Length: 1\r\n\r\nx", "417"},
		{"unknown expectation beside a known one", post + "Expect: 100-continue, more\r\nContent-Length: 1\r\n\r\nx", "417"},
		{"known expectation with a parameter", post + "Expect: 100-continue;a=b\r\nContent-Length: 1\r\n\r\nx", "417"},
		{"target too long", "GET /" + strings.Repeat("a", 20<<10) + " HTTP/1.1\r\nHost: a\r\n\r\n", "414"},
		{"target that does not end", "GET /" + strings.Repeat("a", 20<<10), "414"},
		{"method that does not end", strings.Repeat("A", 20<<10), "400"},
		{"field too long", get + "A: " + strings.Repeat("a", 70<<10) + "\r\n\r\n", "431"},
		{"field that does not end", get + "A: " + strings.Repeat("a", 70<<10), "431"},
		{"too many trailers announced", post + "Transfer-Encoding: chunked\r\nTrailer: " + manyNames(300) + "\r\n\r\n0\r\n\r\n", "431"},
		{"too many fields", get + strings.Repeat("A: b\r\n", 300) + "\r\n", "431"},
	}
	addr := startServer(t, func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("the handler saw %s %s", r.Method, r.RequestURI)
	}, nil)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			// What follows must never be taken for a request.
			got := talk(t, addr, test.raw)
			if statusOf(got) != test.status {
				t.Errorf("status %s, want %s", statusOf(got), test.status)
			}
			if !strings.Contains(got, "\r\nConnection: close\r\n") {
				t.Errorf("the answer does not close: %q", got)
			}
			if n := strings.Count(got, "HTTP/1.1 "); n != 1 {
				t.Errorf("%d answers", n)
			}
		})
	}
}

func TestServerAccepts(t *testing.T) {
	tests := []struct{ name, raw, want string }{
		{"absolute-form", "GET http://a.example/b?c HTTP/1.1\r\nHost: a.example\r\n", `GET http://a.example/b?c http://a.example/b?c host=a.example body="" err=<nil>`},
		{"authority over Host", "GET http://a.example:81/ HTTP/1.1\r\nHost: b.example\r\n", `GET http://a.example:81/ http://a.example:81/ host=a.example:81 body="" err=<nil>`},
		{"upper-case scheme", "GET HTTP://a/ HTTP/1.1\r\nHost: a\r\n", `GET HTTP://a/ http://a/ host=a body="" err=<nil>`},
		{"userinfo", "GET http://u:p@a/ HTTP/1.1\r\nHost: a\r\n", `GET http://u:p@a/ http://u:p@a/ host=a body="" err=<nil>`},
		{"no path", "GET http://a?b HTTP/1.1\r\nHost: a\r\n", `GET http://a?b http://a?b host=a body="" err=<nil>`},
		{"IPv6", "GET http://[::1]:8/ HTTP/1.1\r\nHost: [::1]:8\r\n", `GET http://[::1]:8/ http://[::1]:8/ host=[::1]:8 body="" err=<nil>`},
		{"origin-form", "GET /a%20b HTTP/1.1\r\nHost: a\r\n", `GET /a%20b /a%20b host=a body="" err=<nil>`},
		{"bad escape in the query", "GET /?a=100% HTTP/1.1\r\nHost: a\r\n", `GET /?a=100% /?a=100% host=a body="" err=<nil>`},
		{"asterisk-form", "OPTIONS * HTTP/1.1\r\nHost: a\r\n", `OPTIONS * * host=a body="" err=<nil>`},
		{"empty Host", "GET / HTTP/1.1\r\nHost:\r\n", `GET / / host= body="" err=<nil>`},
		{"HTTP/1.0 without Host", "GET / HTTP/1.0\r\n", `GET / / host= body="" err=<nil>`},
		{"empty line first", "\r\nGET / HTTP/1.1\r\nHost: a\r\n", `GET / / host=a body="" err=<nil>`},
		{"white space around values", "GET / HTTP/1.1\r\nHost: \t a \r\nA:\r\n", `GET / / host=a body="" err=<nil>`},
		{"unknown method", "get-it / HTTP/1.1\r\nHost: a\r\n", `get-it / / host=a body="" err=<nil>`},
		{"expectations that are none", "GET / HTTP/1.1\r\nHost: a\r\nExpect: ,\r\nExpect:\r\n", `GET / / host=a body="" err=<nil>`}, // RFC 9110 §5.6.1.2
		{"lower-case names", "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n", `POST / / host=a body="hi" err=<nil>`},
	}
	addr := startServer(t, echo, nil)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			body := ""
			if strings.Contains(test.raw, "content-length: 2") {
				body = "hi"
			}
			got := talk(t, addr, test.raw+"Connection: close\r\n\r\n"+body)
			if !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") || !strings.HasSuffix(got, "\r\n\r\n"+test.want) {
				t.Errorf("got %q", got)
			}
		})
	}
}

// HTTP/1.0 knows neither upgrades nor expectations (RFC 9110 §7.8, §10.1.1).
func TestHTTP10AsksForNothingNew(t *testing.T) {
	addr := startServer(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, len(r.Header["Upgrade"]), len(r.Header["Expect"]))
	}, nil)
	for _, test := range []struct{ version, want string }{{"1.0", "0 0"}, {"1.1", "1 1"}} {
		got := talk(t, addr, "GET / HTTP/"+test.version+"\r\nHost: a\r\nUpgrade: websocket\r\nExpect: 100-continue\r\nConnection: upgrade, close\r\n\r\n")
		if !strings.HasSuffix(got, "\r\n\r\n"+test.want) {
			t.Errorf("HTTP/%s: %q", test.version, got)
		}
	}
}

// A request that is refused is answered as its method wants it, if that could be read
// (RFC 9110 §9.3.2).
func TestRefusedHeadHasNoContent(t *testing.T) {
	addr := startServer(t, echo, nil)
	for _, test := range []struct{ status, raw string }{
		{"417", "HEAD / HTTP/1.1\r\nHost: a\r\nExpect: more\r\n\r\n"},
		{"400", "HEAD / HTTP/1.1\r\nHost: a b\r\n\r\n"},
		{"400", "HEAD / HTTP/1.1\nHost: a\r\n\r\n"},
		{"400", "\r\nHEAD / HTTP/1.1\r\nHost: \x01"},
		{"408", "HEAD / HTTP/1.1\r\nHo"},
		{"408", "HEAD / HTTP/1.1\r\nA: " + strings.Repeat("a", 20<<10)},
		{"414", "HEAD /" + strings.Repeat("a", 20<<10)},
		{"431", "HEAD / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("A: b\r\n", 300) + "\r\n"},
		{"431", "HEAD / HTTP/1.1\r\nHost: a\r\nA: " + strings.Repeat("a", 70<<10) + "\r\n\r\n"},
	} {
		var got string
		if test.status == "408" {
			got = talkTooLong(t, test.raw)
		} else {
			got = talk(t, addr, test.raw)
		}
		if statusOf(got) != test.status || !strings.HasSuffix(got, "\r\n\r\n") {
			t.Errorf("%.40q: got %q", test.raw, got)
		}
	}
}

// A head may arrive in any pieces.
func TestServerSlowHead(t *testing.T) {
	addr := startServer(t, echo, nil)
	nc := dial(t, addr)
	nc.SetNoDelay(true)
	for _, b := range "POST http://a.example/ HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi" {
		if _, err := nc.Write([]byte{byte(b)}); err != nil {
			t.Fatal(err)
		}
	}
	b, err := io.ReadAll(nc)
	if err != nil || !strings.HasSuffix(string(b), `body="hi" err=<nil>`) {
		t.Errorf("got %q, %v", b, err)
	}
}

// A head larger than any buffer is read like a small one, with what follows.
func TestServerLargeHead(t *testing.T) {
	for _, size := range []int{3000, 4000, 4096, 5000, 20000, 60000} {
		value := strings.Repeat("v", size)
		addr := startServer(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("A") != value {
				t.Error("value changed")
			}
			echo(w, r)
		}, nil)
		got := talk(t, addr, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nA: "+value+"\r\n\r\nhi"+
			"GET /2 HTTP/1.1\r\nHost: a\r\nA: "+value+"\r\nConnection: close\r\n\r\n")
		if !strings.Contains(got, `body="hi" err=<nil>`) || !strings.Contains(got, "GET /2") {
			t.Errorf("%d: got %q", size, got)
		}
	}
}

func TestServerTimeouts(t *testing.T) {
	// Each sets the one timeout that it is about: the rest may take its time.
	with := func(timeouts Timeouts) string {
		return startServer(t, echo, func(s *Server) { s.Timeouts = timeouts })
	}
	const short = 50 * time.Millisecond
	if got := talkTooLong(t, "GET / HTTP/1.1\r\nHo"); statusOf(got) != "408" {
		t.Errorf("slow head: %q", got)
	}
	if got := talk(t, with(Timeouts{Head: short}), ""); got != "" {
		t.Errorf("silent connection: %q", got)
	}
	if got := talk(t, with(Timeouts{KeepAlive: short}), "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); strings.Count(got, "HTTP/1.1 ") != 1 {
		t.Errorf("idle connection: %q", got)
	}
	if got := talk(t, with(Timeouts{Body: short}), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel"); !strings.Contains(got, "i/o timeout") {
		t.Errorf("slow body: %q", got)
	}
}

// TestDialogueOutlastsSilence: a client that has said what it wants to hear of may be silent
// while it hears it, over HTTP/1.1 as over HTTP/2, but not once it has heard all.
func TestDialogueOutlastsSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		result := make(chan error, 1)
		s := &Server{Timeouts: Timeouts{Body: time.Second}, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			go func() {
				_, err := io.ReadAll(r.Body)
				result <- err
			}()
			for range 5 {
				time.Sleep(700 * time.Millisecond)
				io.WriteString(w, "event")
			}
			select {
			case err := <-result:
				t.Errorf("cut while it listened: %v", err)
			default:
				w.(*responseWriter).End()
				if err := <-result; !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("%v, want %v", err, os.ErrDeadlineExceeded)
				}
			}
		})}
		defer s.Close()
		client, server := net.Pipe()
		defer client.Close()
		if err := s.ServeConn(server); err != nil {
			t.Fatal(err)
		}
		go io.Copy(io.Discard, client)
		io.WriteString(client, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nwatch\r\n")
		time.Sleep(10 * time.Second)
	})
}

func TestServerPipelines(t *testing.T) {
	addr := startServer(t, echo, nil)
	var raw strings.Builder
	for i := range 50 {
		fmt.Fprintf(&raw, "POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n%03d", i, i)
		fmt.Fprintf(&raw, "POST /%d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\n%03d\r\n0\r\n\r\n", i, i)
	}
	nc := dial(t, addr)
	go io.WriteString(nc, raw.String())
	br := bufio.NewReader(nc)
	for i := range 100 {
		resp, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		want := fmt.Sprintf(`POST /%d /%d host=a body="%03d" err=<nil>`, i/2, i/2, i/2)
		if err != nil || string(b) != want {
			t.Fatalf("%d: got %q, %v", i, b, err)
		}
	}
}

func TestServerBodyErrors(t *testing.T) {
	chunked := "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
	tests := []struct {
		name, raw string
		malformed bool // else cut
	}{
		{"cut length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel", false},
		{"cut before the first chunk", chunked, false},
		{"cut size", chunked + "5", false},
		{"cut size line", chunked + "5\r", false},
		{"cut chunk", chunked + "5\r\nhel", false},
		{"cut after the data", chunked + "5\r\nhello", false},
		{"cut before the last chunk", chunked + "5\r\nhello\r\n", false},
		{"cut chunk as large as a number can be", chunked + "5\r\nhello\r\n7fffffffffffffff\r\nworld", false},
		{"cut trailer", chunked + "5\r\nhello\r\n0\r\nA: b\r\n", false},
		{"cut end", chunked + "5\r\nhello\r\n0\r\n\r", false},
		{"sign", chunked + "+5\r\nhello\r\n0\r\n\r\n", true},
		{"minus", chunked + "-5\r\nhello\r\n0\r\n\r\n", true},
		{"0x", chunked + "0x5\r\nhello\r\n0\r\n\r\n", true},
		{"underscore", chunked + "1_0\r\nhello\r\n0\r\n\r\n", true},
		{"leading space", chunked + " 5\r\nhello\r\n0\r\n\r\n", true},
		{"trailing space", chunked + "5 \r\nhello\r\n0\r\n\r\n", true},
		{"no size", chunked + "\r\nhello\r\n0\r\n\r\n", true},
		{"no size but an extension", chunked + ";a\r\nhello\r\n0\r\n\r\n", true},
		{"no size, and then the end", chunked + "\r\n\r\n", true},
		{"no size but an extension, and then the end", chunked + ";a\r\n\r\n", true},
		{"overflow", chunked + "10000000000000005\r\nhello\r\n0\r\n\r\n", true},
		{"overflow of the sign", chunked + "8000000000000000\r\nhello\r\n0\r\n\r\n", true},
		{"overflow of the sign, and then the end", chunked + "8000000000000000\r\n\r\n", true},
		{"many zeros", chunked + "00000000000000005\r\nhello\r\n0\r\n\r\n", true},
		{"bare LF after the size", chunked + "5\nhello\r\n0\r\n\r\n", true},
		{"bare CR after the size", chunked + "5\rhello\r\n0\r\n\r\n", true},
		{"byte for an LF after the size", chunked + "5\rxhello\r\n0\r\n\r\n", true},
		{"bare LF after the data", chunked + "5\r\nhello\n0\r\n\r\n", true},
		{"data longer than the size", chunked + "5\r\nhello!\r\n0\r\n\r\n", true},
		{"bare LF after the last size", chunked + "0\n\r\n", true},
		{"bare LF at the end", chunked + "0\r\n\n", true},
		{"bare LF in an extension", chunked + "5;a\nhello\r\n0\r\n\r\n", true},
		{"quoted LF in an extension", chunked + "5;a=\"\n\"\r\nhello\r\n0\r\n\r\n", true},
		{"bare CR in an extension", chunked + "5;a\rb\r\nhello\r\n0\r\n\r\n", true},
		{"extension without a name", chunked + "5;=a\r\nhello\r\n0\r\n\r\n", true},
		{"extension without a value", chunked + "5;a=\r\nhello\r\n0\r\n\r\n", true},
		{"extension too long", chunked + "5;a=" + strings.Repeat("a", 300) + "\r\nhello\r\n0\r\n\r\n", true},
		{"extensions too long together", chunked + strings.Repeat("1;a="+strings.Repeat("a", 200)+"\r\nx\r\n", 100) + "0\r\n\r\n", true},
		{"folded trailer", chunked + "0\r\nA: b\r\n c\r\n\r\n", true},
		{"trailer too long", chunked + "0\r\nA: " + strings.Repeat("b", 10000) + "\r\n\r\n", true},
		{"too many trailers", chunked + "0\r\n" + strings.Repeat("A: b\r\n", 300) + "\r\n", true},
		{"trailer without a colon", chunked + "0\r\nA\r\n\r\n", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			result := make(chan error, 2)
			addr := startServer(t, func(w http.ResponseWriter, r *http.Request) {
				_, err := io.Copy(io.Discard, r.Body)
				result <- err
			}, nil)
			nc := dial(t, addr)
			io.WriteString(nc, test.raw)
			if !test.malformed {
				nc.CloseWrite()
			}
			err := <-result
			var bad *ProtocolError
			if test.malformed && !errors.As(err, &bad) || !test.malformed && err != io.ErrUnexpectedEOF {
				t.Errorf("the handler got %v", err)
			}
			if test.malformed {
				io.WriteString(nc, "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
			}
			if got, err := io.ReadAll(nc); err != nil || strings.Count(string(got), "HTTP/1.1 ") != 1 || !strings.Contains(string(got), "Connection: close") {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestServerReadsChunks(t *testing.T) {
	var trailer http.Header
	addr := startServer(t, func(w http.ResponseWriter, r *http.Request) {
		if _, ok := r.Trailer["Announced"]; !ok || len(r.Header["Trailer"]) > 0 {
			t.Error("announced trailer not there")
		}
		echo(w, r)
		trailer = r.Trailer
	}, nil)
	got := talk(t, addr, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\nTrailer: announced\r\nConnection: close\r\n\r\n"+
		"5\r\nhello\r\n06;a;b=c ; d = \"e\\\"f;\"\r\n world\r\nA\r\n0123456789\r\n000\r\nAnnounced: 1\r\nOther: 2\r\nContent-Length: 5\r\n\r\n")
	if !strings.HasSuffix(got, `body="hello world0123456789" err=<nil>`) {
		t.Errorf("got %q", got)
	}
	if want := "map[Announced:[1] Other:[2]]"; fmt.Sprint(trailer) != want {
		t.Errorf("trailer %v, want %v", trailer, want)
	}
}

// However many requests run and connections rest, there is one goroutine for each
// connection and no other.
func TestServerHasOneGoroutineAConnection(t *testing.T) {
	const n = 50
	release, running := make(chan struct{}), make(chan struct{}, n)
	addr := startServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			running <- struct{}{}
			<-release
		}
		io.Copy(w, r.Body)
	}, nil)
	defer close(release)
	first := dial(t, addr)
	io.WriteString(first, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	first.Read(make([]byte, 100)) // what a server needs once is there
	before := runtime.NumGoroutine()
	for range n {
		resting, asking := dial(t, addr), dial(t, addr)
		io.WriteString(resting, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		resting.Read(make([]byte, 100))
		io.WriteString(asking, "POST /wait HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nsome")
		<-running
	}
	if more := runtime.NumGoroutine() - before; more > 2*n {
		t.Errorf("%d connections have %d goroutines", 2*n, more)
	}
}

// What Connection names is no trailer of the message (RFC 9110 §7.6.1).
func TestServerDropsTrailersOfTheHop(t *testing.T) {
	addr := startServer(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, r.Trailer)
	}, nil)
	got := talk(t, addr, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: x-hop, close\r\n\r\n0\r\nX-Hop: 1\r\nX-End: 2\r\n\r\n")
	if !strings.HasSuffix(got, "\r\n\r\nmap[X-End:[2]]") {
		t.Errorf("got %q", got)
	}
}

func TestServerLimitsLines(t *testing.T) {
	addr := startServer(t, echo, func(s *Server) { s.Limits.Line = 1000 })
	for size, status := range map[int]string{900: "200", 1000: "431"} {
		raw := "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nA: " + strings.Repeat("a", size) + "\r\n\r\n"
		if got := talk(t, addr, raw); statusOf(got) != status {
			t.Errorf("%d bytes: %s, want %s", size, statusOf(got), status)
		}
	}
}

// A head may be as large as its limit, and no larger; so may a target.
func TestServerLimitsHeadAndTarget(t *testing.T) {
	addr := startServer(t, echo, func(s *Server) { s.Limits.Head, s.Limits.Target = 1000, 100 })
	head := func(target, size int) string {
		begin := "GET /" + strings.Repeat("a", target-1) + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\nA: "
		return begin + strings.Repeat("a", size-len(begin)-len("\r\n\r\n")) + "\r\n\r\n"
	}
	for raw, status := range map[string]string{head(100, 1000): "200", head(101, 500): "414", head(50, 1001): "431"} {
		if got := talk(t, addr, raw); statusOf(got) != status {
			t.Errorf("%d bytes: %s, want %s", len(raw), statusOf(got), status)
		}
	}
}

// A client that adds an empty line to a body (RFC 9112 §2.2) rests afterwards as
// any other: for as long, and no shutdown waits for it.
func TestServerRestsAfterAnEmptyLine(t *testing.T) {
	var s *Server
	addr := startServer(t, echo, func(of *Server) { s = of })
	resting := func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		for c := range s.conns {
			return c.state.Load() == stateIdle
		}
		return false
	}
	nc := dial(t, addr)
	br := bufio.NewReader(nc)
	for _, raw := range []string{
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx\r\n",
		"\r\nPOST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
	} {
		io.WriteString(nc, raw)
		resp, err := http.ReadResponse(br, nil)
		if err != nil || resp.StatusCode != 200 {
			t.Fatal(resp, err)
		}
		io.Copy(io.Discard, resp.Body)
		for end := time.Now().Add(5 * time.Second); !resting(); runtime.Gosched() {
			if time.Now().After(end) {
				t.Fatalf("after %q: the connection does not rest", raw)
			}
		}
	}
}

func TestServerShutdown(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	entered, leave := make(chan bool), make(chan bool)
	s := &Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			entered <- true
			<-leave
		}
		io.WriteString(w, "done")
	})}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	idle, used, busy := dial(t, l.Addr().String()), dial(t, l.Addr().String()), dial(t, l.Addr().String())
	io.WriteString(used, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	usedReader := bufio.NewReader(used)
	if resp, err := http.ReadResponse(usedReader, nil); err != nil || resp.ContentLength != 4 {
		t.Fatal(resp, err)
	}
	usedReader.Discard(4)
	io.WriteString(busy, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
	<-entered

	expired, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Shutdown(expired); err != context.Canceled {
		t.Errorf("Shutdown returned %v with a request running", err)
	}
	if err := <-served; err != http.ErrServerClosed {
		t.Errorf("Serve returned %v", err)
	}
	for name, r := range map[string]io.Reader{"idle": idle, "used": usedReader} {
		if b, err := io.ReadAll(r); err != nil || len(b) > 0 {
			t.Errorf("%s connection: %q, %v", name, b, err)
		}
	}
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(context.Background()) }()
	leave <- true
	if err := <-done; err != nil {
		t.Error(err)
	}
	if b, err := io.ReadAll(busy); err != nil || !strings.Contains(string(b), "Connection: close") || !strings.HasSuffix(string(b), "done") {
		t.Errorf("running request: %q, %v", b, err)
	}
	if err := s.Serve(l); err != http.ErrServerClosed {
		t.Errorf("Serve after Shutdown returned %v", err)
	}
}

// TestShutdownAnswersWhatHasCome: requests that came before it began, on connections
// that rested, have their answers, also over TLS.
func TestShutdownAnswersWhatHasCome(t *testing.T) {
	certified := httptest.NewTLSServer(nil) // for its certificate
	certified.Close()
	for name, on := range map[string]struct{ secure, halted bool }{
		"plain": {}, "TLS": {secure: true}, "plain, halted": {halted: true}, "TLS, halted": {secure: true, halted: true},
	} {
		t.Run(name, func(t *testing.T) {
			if on.halted && runtime.GOOS != "linux" {
				t.Skip("what has come cannot be told from what has not")
			}
			s := &Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "whole") })}
			var l net.Listener
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			address := l.Addr().String()
			if on.halted {
				l = haltedListener{l}
			}
			if on.secure {
				l = tls.NewListener(l, &tls.Config{Certificates: certified.TLS.Certificates})
			}
			serveOn(t, l, s)
			const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
			var conns []net.Conn
			for range 50 {
				var c net.Conn = dial(t, address)
				if on.secure {
					c = tls.Client(c, &tls.Config{InsecureSkipVerify: true})
				}
				io.WriteString(c, get)
				if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || resp.Close {
					t.Fatal(resp, err)
				}
				conns = append(conns, c)
			}
			for _, c := range conns {
				io.WriteString(c, get)
			}
			if err := s.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
			for i, c := range conns {
				if b, err := io.ReadAll(c); err != nil || !strings.HasSuffix(string(b), "whole") {
					t.Errorf("connection %d: %q, %v", i, b, err)
				}
			}
		})
	}
}

// A haltedListener accepts connections on a machine that has no time for who is about to
// read, as long as there is a moment for it.
type haltedListener struct{ net.Listener }

func (l haltedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return haltedConn{c}, err
}

type haltedConn struct{ net.Conn }

func (c haltedConn) NetConn() net.Conn { return c.Conn }

func (c haltedConn) SetReadDeadline(t time.Time) error {
	err := c.Conn.SetReadDeadline(t)
	if left := time.Until(t); left > 0 && left <= lastMoment {
		<-time.After(left)
	}
	return err
}

// TestServeConnDuringShutdown: one more request is answered on it.
func TestServeConnDuringShutdown(t *testing.T) {
	entered, leave := make(chan bool), make(chan bool)
	s := &Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			entered <- true
			<-leave
		}
		io.WriteString(w, "whole")
	})}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, l, s)
	io.WriteString(dial(t, l.Addr().String()), "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
	<-entered
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(t.Context()) }()
	for !s.closing.Load() {
		runtime.Gosched()
	}
	client, server := net.Pipe()
	if err := s.ServeConn(server); err != nil {
		t.Error(err)
	}
	io.WriteString(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if b, err := io.ReadAll(client); err != nil || !strings.Contains(string(b), "Connection: close") || !strings.HasSuffix(string(b), "whole") {
		t.Errorf("%q, %v", b, err)
	}
	leave <- true
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A handler that gives up may leave a goroutine behind that still reads the
// body. It must be out of the connection's buffer before another gets that.
func TestAbortedHandlerLeavesNoReader(t *testing.T) {
	got := make(chan error, 1)
	address := startServer(t, func(w http.ResponseWriter, r *http.Request) {
		var first [1]byte
		if _, err := io.ReadFull(r.Body, first[:]); err != nil {
			t.Errorf("read a byte of the body: %v", err)
		}
		reading := make(chan struct{})
		go func() {
			close(reading)
			_, err := io.ReadAll(r.Body)
			got <- err
		}()
		<-reading
		panic(http.ErrAbortHandler)
	}, nil)
	for range 50 {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nx"); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-got:
			if err == nil {
				t.Error("a body that was never sent ended whole")
			}
		case <-time.After(5 * time.Second):
			t.Fatal("the body is still being read after its request ended")
		}
		c.Close()
	}
}

// TestAcceptsGoOnAfterAFailure: that one connection could not be had, or that
// there was no memory for it, keeps no later one out. That there is no listener
// does.
func TestAcceptsGoOnAfterAFailure(t *testing.T) {
	for _, test := range []struct {
		err  syscall.Errno
		ends bool
	}{{syscall.EMFILE, false}, {syscall.ENOBUFS, false}, {syscall.ENOMEM, false}, {syscall.EPERM, false}, {syscall.EPROTO, false}, {syscall.EINVAL, true}} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s := &Server{Handler: http.HandlerFunc(echo)}
		served := make(chan error, 1)
		go func() { served <- s.Serve(&failingOnce{Listener: l, err: test.err}) }()
		if test.ends {
			if err := <-served; !errors.Is(err, test.err) {
				t.Errorf("%v: %v", test.err, err)
			}
			s.Close()
			continue
		}
		if got := talk(t, l.Addr().String(), "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); statusOf(got) != "200" {
			t.Errorf("after %v: %q", test.err, got)
		}
		s.Close()
		if err := <-served; err != http.ErrServerClosed {
			t.Errorf("%v: %v", test.err, err)
		}
	}
}

// A failingOnce is a listener whose first accept fails.
type failingOnce struct {
	net.Listener
	err    syscall.Errno
	failed bool
}

func (l *failingOnce) Accept() (net.Conn, error) {
	if l.failed {
		return l.Listener.Accept()
	}
	l.failed = true
	return nil, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", l.err)}
}

// TestPanicAtTheDoorEndsOnlyItsConnection: what goes wrong where connections are
// accepted keeps nobody else out.
func TestPanicAtTheDoorEndsOnlyItsConnection(t *testing.T) {
	var panicked atomic.Bool
	addr := startServer(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }, func(s *Server) {
		s.Admit = func(net.Conn) (func(), bool) {
			if !panicked.Swap(true) {
				panic("on purpose")
			}
			return nil, true
		}
	})
	if b, err := io.ReadAll(dial(t, addr)); len(b) > 0 || err != nil {
		t.Errorf("got %q, %v", b, err)
	}
	if got := talk(t, addr, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); !strings.HasSuffix(got, "hello") {
		t.Errorf("the next connection: %q", got)
	}
}

// TestPanicBesideAHandlerEndsOnlyItsConnection: what goes wrong before the
// first request, or between two, is nobody else's business.
func TestPanicBesideAHandlerEndsOnlyItsConnection(t *testing.T) {
	var panicked atomic.Bool
	left := make(chan struct{})
	addr := startServer(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }, func(s *Server) {
		s.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
			if !panicked.Swap(true) {
				panic("on purpose")
			}
			return ctx
		}
		leave := sync.OnceFunc(func() { close(left) })
		s.Admit = func(net.Conn) (func(), bool) { return leave, true }
	})
	if b, err := io.ReadAll(dial(t, addr)); len(b) > 0 || err != nil {
		t.Errorf("got %q, %v", b, err)
	}
	<-left
	if got := talk(t, addr, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); !strings.HasSuffix(got, "hello") {
		t.Errorf("the next connection: %q", got)
	}
}

// An opening is a connection that opens to itself, or not at all.
type opening struct {
	net.Conn
	left *atomic.Int32
	err  error
}

func (o opening) Open(context.Context, func() bool) (Opened, error) {
	return Opened{Conn: o.Conn, Leave: func() { o.left.Add(1) }}, o.err
}

type openings struct {
	net.Listener
	left *atomic.Int32
	err  error
}

func (l openings) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return opening{conn, l.left, l.err}, nil
}

// TestWhoAdmitsWhenOpeningIsToldOfTheEnd, once, whether it opens or not.
func TestWhoAdmitsWhenOpeningIsToldOfTheEnd(t *testing.T) {
	for _, fails := range []error{nil, errors.New("no")} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		var left atomic.Int32
		s := &Server{Handler: http.NotFoundHandler()}
		serveOn(t, openings{l, &left, fails}, s)
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		io.Copy(io.Discard, conn)
		conn.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		if err := s.Shutdown(ctx); err != nil { // after it no connection is left
			t.Error(err)
		}
		for ctx.Err() == nil && left.Load() == 0 { // who is told may be told after Shutdown
			runtime.Gosched()
		}
		cancel()
		if n := left.Load(); n != 1 {
			t.Errorf("opening fails with %v: told %d times", fails, n)
		}
	}
}
