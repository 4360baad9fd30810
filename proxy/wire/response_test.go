package wire

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// readWhole reads a response as the transport does, body included, and
// returns what follows it.
func readWhole(wire []byte, method string) (resp *http.Response, content, rest string, err error) {
	br := bufio.NewReader(bytes.NewReader(wire))
	limits := Limits{}.withDefaults()
	r := &http.Request{Method: method}
	resp, kind, err := readResponse(br, r, &limits)
	if err != nil {
		return nil, "", "", err
	}
	defer func() {
		b, _ := io.ReadAll(br)
		rest = string(b)
	}()
	if kind == noBody {
		return resp, "", "", nil
	}
	// The body, without the exchange that would end with it.
	b := body{x: &exchange{c: &originConn{br: br}}, resp: resp, kind: kind, left: resp.ContentLength}
	if kind == chunkedBody {
		b.chunks = newChunkedReader(br, limits)
		b.chunks.padded = true
	}
	for p := make([]byte, 100); err == nil; {
		var n int
		n, err = b.read(p)
		content += string(p[:n])
	}
	if err == io.EOF {
		err = nil
	}
	return resp, content, "", err
}

func TestReadResponse(t *testing.T) {
	resp, body, rest, err := readWhole([]byte("HTTP/1.1 203 As It  Is\r\nset-cookie: a\r\nSet-Cookie: b\r\n"+
		"Transfer-Encoding: Chunked\r\nTrailer: x-sum, Content-Length\r\n\r\n"+
		"3;x=y\r\nabc\r\n00002\r\nde\r\n0\r\nX-Sum: 5\r\nContent-Length: 3\r\n\r\nrest"), "GET")
	if err != nil || body != "abcde" || rest != "rest" {
		t.Fatalf("%q, %q, %v", body, rest, err)
	}
	if resp.Status != "203 As It  Is" || resp.StatusCode != 203 || resp.Proto != "HTTP/1.1" || resp.ProtoMinor != 1 {
		t.Errorf("%+v", resp)
	}
	if want := (http.Header{"Set-Cookie": {"a", "b"}}); !reflect.DeepEqual(resp.Header, want) {
		t.Errorf("header %v", resp.Header)
	}
	if want := (http.Header{"X-Sum": {"5"}}); !reflect.DeepEqual(resp.Trailer, want) {
		t.Errorf("trailer %v", resp.Trailer)
	}
}

// Radio stations have a name of their own for HTTP/1.0.
func TestReadResponseOfARadioStation(t *testing.T) {
	resp, body, rest, err := readWhole([]byte("ICY 200 OK\r\nicy-name: A\r\ncontent-type: audio/mpeg\r\n\r\nsound"), "GET")
	if err != nil || body != "sound" || rest != "" || resp.StatusCode != 200 || resp.Proto != "HTTP/1.0" || !resp.Close || resp.Header.Get("Icy-Name") != "A" {
		t.Errorf("%+v, %q, %v", resp, body, err)
	}
	for _, wire := range []string{"ICY\r\n\r\n", "ICY  200 OK\r\n\r\n", "icy 200 OK\r\n\r\n", "ICY/1.0 200 OK\r\n\r\n", "ICY 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"} {
		if _, _, _, err := readWhole([]byte(wire), "GET"); err == nil {
			t.Errorf("%q is taken", wire)
		}
	}
}

// A head of any size up to the limit is read, wherever a read ends.
func TestReadResponseLargeHead(t *testing.T) {
	for _, size := range []int{100, readBuffer - 10, readBuffer, readBuffer + 1, 3 * readBuffer, 60 << 10} {
		value := strings.Repeat("v", size)
		wire := "HTTP/1.1 200 OK\r\nA: " + value + "\r\nContent-Length: 2\r\n\r\nokrest"
		resp, body, rest, err := readWhole([]byte(wire), "GET")
		if err != nil || body != "ok" || rest != "rest" || resp.Header.Get("A") != value {
			t.Errorf("%d bytes: %q, %q, %v", size, body, rest, err)
		}
	}
}

// net/http takes spaces there and no tab; a proxy must take both.
var tabBeforeColon = regexp.MustCompile("\t *:")

// hasControl tells whether there is a control in the head: net/http takes none in a value.
func hasControl(wire []byte) bool {
	head, _, _ := bytes.Cut(wire, []byte("\r\n\r\n"))
	return bytes.ContainsFunc(head, func(c rune) bool { return c < ' ' && !strings.ContainsRune("\t\r\n", c) || c == 0x7f })
}

// What both this reader and net/http take, they read alike, up to the
// byte where the next response begins.
func FuzzReadResponse(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\n2;x\r\nok\r\n0\r\nA: b\r\n\r\nrest",
		"HTTP/1.0 200 OK\r\nConnection: keep-alive, x\r\n\r\nuntil the end",
		"HTTP/1.1 204 \r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 205 Reset Content\r\n\r\nuntil the end",
		"HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 5\r\n\r\n",
		"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 200\r\nA:b\r\nA: \t c \r\n\r\n",
		"HTTP/1.1 200 OK\r\nA: b\x01c\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\n  c\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\n   \r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.0 200 \r\nSet-Cookie:a \r\n b\r\n \r\n c\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA : b\r\nTransfer-Encoding: chunked\r\n\r\n2  \r\nok\r\n0 \r\n\r\n",
	} {
		for method := range 2 {
			f.Add([]byte(s), method == 0)
		}
	}
	f.Fuzz(func(t *testing.T, wire []byte, head bool) {
		method := "GET"
		if head {
			method = "HEAD"
		}
		resp, body, rest, err := readWhole(wire, method)
		if err != nil || resp.StatusCode < 200 || tabBeforeColon.Match(wire) || hasControl(wire) || bytes.HasPrefix(wire, []byte(shoutcast)) {
			return
		}
		br := bufio.NewReaderSize(bytes.NewReader(wire), len(wire)+16)
		other, err := http.ReadResponse(br, &http.Request{Method: method})
		if err != nil {
			t.Fatalf("net/http refuses it: %v", err)
		}
		if resp.StatusCode == http.StatusResetContent { // net/http reads what is not waited for here
			if body != "" || !resp.Close && !head && other.ContentLength != 0 {
				t.Fatalf("%q, and the connection is kept; net/http reads %d bytes more", body, other.ContentLength)
			}
			return
		}
		otherBody, err := io.ReadAll(other.Body)
		if err != nil {
			t.Fatalf("net/http refuses the body: %v", err)
		}
		otherRest, _ := io.ReadAll(br)
		if resp.StatusCode != other.StatusCode || body != string(otherBody) || rest != string(otherRest) {
			t.Fatalf("%d %q %q, net/http reads %d %q %q", resp.StatusCode, body, rest, other.StatusCode, otherBody, otherRest)
		}
		if hasSpaces(other.Header) {
			return // net/http leaves them in the names, and knows none of those
		}
		delete(other.Header, "Trailer") // stays there if no trailer section can follow
		for i, cookie := range other.Header["Set-Cookie"] {
			other.Header["Set-Cookie"][i] = strings.Trim(cookie, " ") // a fold with nothing behind it leaves one there
		}
		if !reflect.DeepEqual(resp.Header, other.Header) {
			t.Fatalf("header %q, net/http reads %q", resp.Header, other.Header)
		}
		if resp.ContentLength != other.ContentLength {
			t.Fatalf("length %d, net/http reads %d", resp.ContentLength, other.ContentLength)
		}
		if other.Close && !resp.Close {
			t.Fatal("net/http would close the connection")
		}
	})
}

// hasSpaces tells whether white space stood before a colon.
func hasSpaces(h http.Header) bool {
	for name := range h {
		if strings.TrimRight(name, " \t") != name {
			return true
		}
	}
	return false
}
