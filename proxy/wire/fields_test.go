package wire

import (
	"bufio"
	"io"
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

func TestParseFields(t *testing.T) {
	h, err := parseFields("host: a\r\nX-ONE:1\r\nx-one: \t 2 \t\r\nEmpty:\r\nSec-CH-UA: \"\xe4\"\r\nDNT: 1\r\n", fieldRules{count: 9, line: 99})
	want := http.Header{"Host": {"a"}, "X-One": {"1", "2"}, "Empty": {""}, "Sec-Ch-Ua": {"\"\xe4\""}, "Dnt": {"1"}}
	if err != nil || !reflect.DeepEqual(h, want) {
		t.Errorf("got %v, %v", h, err)
	}
}

func TestParseFieldsLimits(t *testing.T) {
	for section, ok := range map[string]bool{
		"A: b\r\nC: d\r\n":         true,
		"A: b\r\nC: d\r\nE: f\r\n": false,
		"A: 23456789\r\n":          true,
		"A: 234567890\r\n":         false,
	} {
		if _, err := parseFields(section, fieldRules{count: 2, line: 12}); (err == nil) != ok {
			t.Errorf("%q: %v", section, err)
		}
	}
}

// Interned names are in canonical form, or lookups by others would miss them.
func TestCommonNamesAreCanonical(t *testing.T) {
	for name := range commonNames {
		if textproto.CanonicalMIMEHeaderKey(name) != name {
			t.Error(name)
		}
	}
	for name := range forbiddenTrailer {
		if textproto.CanonicalMIMEHeaderKey(name) != name {
			t.Error(name)
		}
	}
}

// An error says what is wrong and never repeats what came.
func TestProtocolErrorsHoldNoInput(t *testing.T) {
	for _, raw := range []string{"GET /s3cret HTTP/3.0\r\n\r\n", "s3cret s3cret s3cret\r\n\r\n", "GET / HTTP/1.1\r\ns3cret\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: s3cret@s3cret\r\n\r\n", "GET s3cret://%s3cret HTTP/1.1\r\n\r\n"} {
		head, err := readHead(bufio.NewReader(strings.NewReader(raw)), 1000, isValue, nil)
		if err == nil {
			limits := Limits{}.withDefaults()
			_, err = parseRequest(t.Context(), string(head), &limits)
		}
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

func FuzzParseFields(f *testing.F) {
	f.Add("Host: a\r\nContent-length: 5\r\n")
	f.Add("a:\t\x80 \r\nA:b\r\n")
	f.Fuzz(func(t *testing.T, section string) {
		h, err := parseFields(section, fieldRules{count: 1000, line: 1 << 20})
		if err != nil {
			return
		}
		std, err := textproto.NewReader(bufio.NewReader(strings.NewReader(section + "\r\n"))).ReadMIMEHeader()
		if err != nil {
			t.Fatalf("net/textproto refuses %q: %v", section, err)
		}
		if !reflect.DeepEqual(h, http.Header(std)) {
			t.Errorf("%q: %v, net/textproto %v", section, h, std)
		}
	})
}

// Whatever both this parser and net/http take for a request, they read alike.
func FuzzRequest(f *testing.F) {
	for _, seed := range []string{
		"GET http://a.example/b?c HTTP/1.1\r\nHost: a.example\r\nAccept: */*\r\n\r\n",
		"POST /a HTTP/1.1\r\nhost: b\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\n",
		"POST / HTTP/1.1\r\nHost: b:8\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\n5;a=\"b\"\r\nhello\r\n0\r\nA: b\r\n\r\nrest",
		"CONNECT [::1]:443 HTTP/1.1\r\nHost: a\r\n\r\n",
		"OPTIONS * HTTP/1.0\r\n\r\n",
		"PUT http://u:p@h:/%41//?# HTTP/1.1\r\nHost:\r\n\r\n",
		"GET //a HTTP/1.1\r\nHost: [::1]\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		limits := Limits{}.withDefaults()
		// In pieces, so that all paths of readHead are tried.
		var src io.Reader = strings.NewReader(string(raw))
		if len(raw)%2 == 1 {
			src = iotest.OneByteReader(src)
		}
		br := bufio.NewReaderSize(src, 16+len(raw)%64)
		head, err := readHead(br, limits.Head, isValue, nil)
		if err != nil {
			return
		}
		r, err := parseRequest(t.Context(), string(head), &limits)
		if err != nil {
			return
		}
		stdReader := bufio.NewReader(strings.NewReader(string(raw)))
		std, err := http.ReadRequest(stdReader)
		if err != nil {
			t.Fatalf("net/http refuses %q: %v", raw, err)
		}
		if r.Method != std.Method || r.RequestURI != std.RequestURI || r.Host != std.Host || r.Proto != std.Proto || r.ProtoMinor != std.ProtoMinor {
			t.Fatalf("%q: %v, net/http %v", raw, r, std)
		}
		if !reflect.DeepEqual(r.URL, std.URL) {
			t.Fatalf("%q: %#v, net/http %#v", raw, r.URL, std.URL)
		}
		std.Header.Del("Host")
		if std.Header.Get("Pragma") == "no-cache" && r.Header["Cache-Control"] == nil {
			std.Header.Del("Cache-Control") // net/http adds it
		}
		if !reflect.DeepEqual(r.Header, std.Header) || r.ContentLength != std.ContentLength {
			t.Fatalf("%q: %v %d, net/http %v %d", raw, r.Header, r.ContentLength, std.Header, std.ContentLength)
		}
		sameBody(t, raw, br, r, stdReader, std)
	})
}

// sameBody compares two readings of a body, and what they leave behind.
func sameBody(t *testing.T, raw []byte, br *bufio.Reader, r *http.Request, stdReader *bufio.Reader, std *http.Request) {
	if r.ContentLength == 0 {
		return
	}
	b := &requestBody{r: br, left: r.ContentLength}
	if r.ContentLength < 0 {
		b.left, b.into, b.chunks = 0, r.Trailer, newChunkedReader(br, Limits{})
	}
	got, err := io.ReadAll(b)
	want, stdErr := io.ReadAll(std.Body)
	if err != nil {
		return
	}
	if stdErr != nil || string(got) != string(want) {
		t.Fatalf("%q: body %q, net/http %q, %v", raw, got, want, stdErr)
	}
	maps.DeleteFunc(std.Trailer, func(name string, _ []string) bool { return forbiddenTrailer[name] })
	if len(r.Trailer)+len(std.Trailer) > 0 && !reflect.DeepEqual(r.Trailer, std.Trailer) {
		t.Fatalf("%q: trailer %v, net/http %v", raw, r.Trailer, std.Trailer)
	}
	rest, _ := io.ReadAll(br)
	stdRest, _ := io.ReadAll(stdReader)
	if string(rest) != string(stdRest) {
		t.Fatalf("%q: rest %q, net/http %q", raw, rest, stdRest)
	}
}

// plainURL is a short cut to what net/url says, never another opinion.
func FuzzPlainURL(f *testing.F) {
	f.Add("http://a.example:80/b/c?d=e&f")
	f.Add("//a?")
	f.Add("http://[2001:db8::1]:80/a")
	f.Add("/npm/@a/b@1.2:c/d;e,f+g=$h&i?j")
	f.Fuzz(func(t *testing.T, target string) {
		if !validTarget(target) {
			return
		}
		if u, ok := plainURL(target); ok {
			if std, err := url.ParseRequestURI(target); err != nil || !reflect.DeepEqual(&u, std) {
				t.Errorf("%q: %#v, net/url %#v, %v", target, &u, std, err)
			}
		}
	})
}
