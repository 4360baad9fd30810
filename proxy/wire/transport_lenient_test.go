package wire

import (
	"net/http"
	"reflect"
	"testing"
	"time"
)

// What servers send although no grammar has it, and only one thing can be meant, is
// taken for that, and the connection serves on.
func TestTransportTakesWhatServersSend(t *testing.T) {
	const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
	for name, c := range map[string]struct {
		answer  string
		header  http.Header
		trailer http.Header
	}{
		"padded chunk sizes":     {chunked + "\r\n2   \r\nok\r\n0\t \r\n\r\n", http.Header{}, http.Header{}},
		"space before the colon": {"HTTP/1.1 200 OK\r\nX-A : b\r\nX-C\t :d\r\nContent-Length: 2\r\n\r\nok", http.Header{"X-A": {"b"}, "X-C": {"d"}, "Content-Length": {"2"}}, nil},                                                                                             // RFC 9112 §5.1
		"controls in values":     {"HTTP/1.1 200 OK\r\nX-A: b\x01c\x7f\r\nX-D: \x1b\r\nSet-Cookie: ___utmva=EnS\x01okWd; path=/\r\nSet-Cookie: e=f\r\nContent-Length: 2\r\n\r\nok", http.Header{"X-A": {"b c"}, "Set-Cookie": {"e=f"}, "Content-Length": {"2"}}, nil},          // RFC 9110 §5.5
		"controls in a tag":      {"HTTP/1.1 200 OK\r\nETag: \"a\x01\"\r\nContent-Length: 2\r\n\r\nok", http.Header{"Content-Length": {"2"}}, nil},                                                                                                                             // RFC 9110 §8.8.3
		"a folded cookie":        {"HTTP/1.1 200 OK\r\nset-cookie: ___utmvb=pZI\r\n    XlsOLalm: ttA;\r\n\tpath=/ \r\nSet-Cookie: e=f\r\nContent-Length: 2\r\n\r\nok", http.Header{"Set-Cookie": {"___utmvb=pZI XlsOLalm: ttA; path=/", "e=f"}, "Content-Length": {"2"}}, nil}, // RFC 9112 §5.2
		"trailers of the hop":    {chunked + "Connection: keep-alive, x-a\r\n\r\n2\r\nok\r\n0\r\nX-A: b\r\nX-C: d\r\n\r\n", http.Header{"Connection": {"keep-alive, x-a"}}, http.Header{"X-C": {"d"}}},                                                                         // RFC 9110 §7.6.1
	} {
		t.Run(name, func(t *testing.T) {
			o := startOrigin(t, always(c.answer))
			tr := newTransport(t, o.addr)
			for range 2 {
				resp, body, err := fetch(tr, request(t, "GET", "http://a.test/", nil))
				if err != nil || body != "ok" {
					t.Fatalf("%q, %v", body, err)
				}
				if !reflect.DeepEqual(resp.Header, c.header) || !reflect.DeepEqual(resp.Trailer, c.trailer) {
					t.Errorf("fields %v, trailers %v", resp.Header, resp.Trailer)
				}
			}
			if n := o.conns.Load(); n != 1 {
				t.Errorf("%d connections, want 1", n)
			}
		})
	}
}

// Of a framing field the same may be somebody's way to hide it, and in a folded line, too,
// what readers part ways at is.
func TestTransportRefusesOddFraming(t *testing.T) {
	for _, field := range []string{
		"Content-Length : 2", "content-length\t: 2", "Transfer-Encoding : chunked",
		"Content-Length:\r\n 2", "Set-Cookie: a=b\r\n c\n d\r\nContent-Length: 2", "Set-Cookie: a=b\r\nX: y\r\n z\r\nContent-Length: 2",
		"Content-Length: \x0b2", "Content-Length: 2\x01", "Transfer-Encoding: \x0cchunked",
	} {
		o := startOrigin(t, always("HTTP/1.1 200 OK\r\n"+field+"\r\n\r\n0\r\n\r\n"))
		if _, _, err := fetch(newTransport(t, o.addr), request(t, "GET", "http://a.test/", nil)); !isProtocol(err) {
			t.Errorf("%q: %v", field, err)
		}
	}
}

// What goes on for long may be told of for as long.
func TestPatienceComesBack(t *testing.T) {
	p := newPatience(maxInterim, interimsPerSecond)
	for range maxInterim {
		if p.ends() {
			t.Fatal("ends too soon")
		}
	}
	p.at = p.at.Add(-10 * time.Second)
	for range 10 {
		if p.ends() {
			t.Fatal("ends although time has passed")
		}
	}
	if !p.ends() {
		t.Error("never ends")
	}
}
