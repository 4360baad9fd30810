package proxy

import (
	"bufio"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestMalformedRequestsAreRefused expects one exact status for each and that
// the origin saw nothing. ORIGIN stands for the origin's address.
func TestMalformedRequestsAreRefused(t *testing.T) {
	o := serveOrigin(t, answer(hello))
	usual := serveProxy(t, nil)
	hasty := serveProxy(t, func(o *Options) { o.Timeouts.Head = 500 * time.Millisecond })
	const get = "GET http://ORIGIN/ HTTP/1.1\r\nHost: ORIGIN\r\n"
	const post = "POST http://ORIGIN/ HTTP/1.1\r\nHost: ORIGIN\r\n"
	for _, c := range []struct {
		name, raw string
		status    int
	}{
		{"space before colon", get + "A : b\r\n\r\n", 400},
		{"folded field", get + "A: b\r\n c\r\n\r\n", 400},
		{"bare CR in a value", get + "A: b\rc\r\n\r\n", 400},
		{"bare LF", "GET http://ORIGIN/ HTTP/1.1\nHost: ORIGIN\n\n", 400},
		{"NUL in a value", get + "A: b\x00c\r\n\r\n", 400},
		{"control in a value", get + "A: b\x01c\r\n\r\n", 400},
		{"control in a name", get + "A\x01: b\r\n\r\n", 400},
		{"empty name", get + ": b\r\n\r\n", 400},
		{"no colon", get + "Ab\r\n\r\n", 400},
		{"no Host", "GET http://ORIGIN/ HTTP/1.1\r\n\r\n", 400},
		{"two Hosts", get + "Host: ORIGIN\r\n\r\n", 400},
		{"differing lengths", post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400},
		{"length list", post + "Content-Length: 5, 5\r\n\r\nhello", 400},
		{"signed length", post + "Content-Length: +5\r\n\r\nhello", 400},
		{"length and coding", post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		{"unknown coding", post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400},
		{"coding of 1.0", "POST http://ORIGIN/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		{"wrong version case", "GET http://ORIGIN/ http/1.1\r\nHost: ORIGIN\r\n\r\n", 400},
		{"space in the target", "GET http://ORIGIN/a b HTTP/1.1\r\nHost: ORIGIN\r\n\r\n", 400},
		{"control in the target", "GET http://ORIGIN/\x01 HTTP/1.1\r\nHost: ORIGIN\r\n\r\n", 400},
		{"CONNECT without port", "CONNECT ORIGIN_HOST HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		{"TRACE", "TRACE http://ORIGIN/ HTTP/1.1\r\nHost: ORIGIN\r\n\r\n", 405},
		{"OPTIONS that ends here", "OPTIONS http://ORIGIN/ HTTP/1.1\r\nHost: ORIGIN\r\nMax-Forwards: 0\r\nConnection: close\r\n\r\n", 204},
		{"too large a head", get + "A: " + strings.Repeat("a", 70_000) + "\r\n\r\n", 431},
		{"too many fields", get + strings.Repeat("A: b\r\n", 5000) + "\r\n", 431},
		{"slow head", get, 408},
	} {
		t.Run(c.name, func(t *testing.T) {
			raw := strings.ReplaceAll(c.raw, "ORIGIN_HOST", "127.0.0.1")
			proxy := usual
			if c.status == 408 {
				proxy = hasty
			}
			conn := dial(t, proxy)
			io.WriteString(conn, strings.ReplaceAll(raw, "ORIGIN", o.address))
			if resp, _ := readAnswer(t, bufio.NewReader(conn), "GET"); resp.StatusCode != c.status {
				t.Errorf("got %d, want %d", resp.StatusCode, c.status)
			}
			if saw := o.saw(); saw != "" {
				t.Errorf("the origin saw %q", saw)
			}
		})
	}
}

// TestBadChunkEndsTheRequest: what came before a bad chunk may be on its way
// already, but the origin never gets a whole body, and nothing behind it.
func TestBadChunkEndsTheRequest(t *testing.T) {
	for _, chunk := range []string{"-1\r\n", "+1\r\na\r\n", "0x1\r\na\r\n", "1\na\n", "fffffffffffffffff\r\na", "\r\n", "1 \r\na\r\n", "1\r\nab\r\n"} {
		o := serveOrigin(t, answer(hello))
		got, _ := exchangeRaw(t, serveProxy(t, nil), "POST http://"+o.address+"/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"+
			chunk+"0\r\n\r\nGET http://"+o.address+"/smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
		if !strings.HasPrefix(got, "HTTP/1.1 400 ") || strings.Count(got, "HTTP/1.1 ") != 1 {
			t.Errorf("chunk %q: got %q, want one 400", chunk, got)
		}
		if saw := o.saw(); strings.Contains(saw, "0\r\n\r\n") || strings.Contains(saw, "smuggled") {
			t.Errorf("chunk %q: the origin saw %q", chunk, saw)
		}
	}
}

// TestPipelinedRequestsAreAnsweredInOrder sends three requests at once.
func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	o := serveOrigin(t, answerBy(func(r *http.Request) string { return "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + r.URL.Path }))
	conn := dial(t, serveProxy(t, nil))
	var raw string
	for i := range 3 {
		raw += "GET http://" + o.address + "/" + strconv.Itoa(i) + " HTTP/1.1\r\nHost: x\r\n\r\n"
	}
	io.WriteString(conn, raw)
	r := bufio.NewReader(conn)
	for i := range 3 {
		_, body := readAnswer(t, r, "GET")
		if want := "/" + strconv.Itoa(i); body != want {
			t.Errorf("answer %d is %q", i, body)
		}
	}
}

// TestHostIsTheTargetsAuthority: RFC 9112 §3.2.2.
func TestHostIsTheTargetsAuthority(t *testing.T) {
	o := serveOrigin(t, answer(hello))
	exchangeRaw(t, serveProxy(t, nil), "GET http://"+o.address+"/ HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\n\r\n")
	if saw := o.saw(); !strings.Contains(saw, "\r\nHost: "+o.address+"\r\n") || strings.Contains(saw, "other.example") {
		t.Errorf("the origin saw %q", saw)
	}
}
