package wire

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// headOf returns the head that a transport would write for r.
func headOf(tr *Transport, r *http.Request) (string, error) {
	tr.once.Do(tr.init)
	p, err := tr.plan(r)
	if err != nil {
		return "", err
	}
	b, err := p.appendHead(nil)
	return string(b), err
}

func TestRequestHead(t *testing.T) {
	const body = "body"
	for name, c := range map[string]struct {
		method, url string
		header      http.Header
		body        string
		length      int64
		order       []string
		close       bool
		hop         bool
		want        string
	}{
		"nothing is added":        {url: "http://a.test/x?y", want: "GET /x?y HTTP/1.1\nHost: a.test\n"},
		"an empty path":           {url: "http://a.test", want: "GET / HTTP/1.1\nHost: a.test\n"},
		"an empty query":          {url: "http://a.test/?", want: "GET /? HTTP/1.1\nHost: a.test\n"},
		"a query alone":           {url: "http://a.test?x", want: "GET /?x HTTP/1.1\nHost: a.test\n"},
		"two slashes":             {url: "http://a.test//b.test/", want: "GET //b.test/ HTTP/1.1\nHost: a.test\n"},
		"escapes stay":            {url: "http://a.test/%2f%41?%20", want: "GET /%2f%41?%20 HTTP/1.1\nHost: a.test\n"},
		"bare bytes stay":         {url: "http://a.test/a|b^c`{}\"<>%7C?|", want: "GET /a|b^c`{}\"<>%7C?| HTTP/1.1\nHost: a.test\n"},
		"userinfo and fragment":   {url: "http://me:pw@a.test/#here", want: "GET / HTTP/1.1\nHost: a.test\n"},
		"a port":                  {url: "http://a.test:81/", want: "GET / HTTP/1.1\nHost: a.test:81\n"},
		"the scheme's port":       {url: "http://a.test:80/", want: "GET / HTTP/1.1\nHost: a.test\n"},
		"the other scheme's port": {url: "https://a.test:80/", want: "GET / HTTP/1.1\nHost: a.test:80\n"},
		"https's port":            {url: "https://a.test:443/", want: "GET / HTTP/1.1\nHost: a.test\n"},
		"an empty port":           {url: "http://a.test:/", want: "GET / HTTP/1.1\nHost: a.test\n"},
		"IPv6":                    {url: "http://[2001:db8::1]:81/", want: "GET / HTTP/1.1\nHost: [2001:db8::1]:81\n"},
		"IPv6 without a port":     {url: "http://[2001:db8::1]/", want: "GET / HTTP/1.1\nHost: [2001:db8::1]\n"},
		"the URL's authority wins": {url: "http://a.test/", header: http.Header{"Host": {"evil.test"}, "host": {"evil.test"}},
			want: "GET / HTTP/1.1\nHost: a.test\n"},

		"the server as a whole":          {method: "OPTIONS", url: "http://a.test", want: "OPTIONS * HTTP/1.1\nHost: a.test\n"},
		"an empty query of the server":   {method: "OPTIONS", url: "http://a.test?", want: "OPTIONS /? HTTP/1.1\nHost: a.test\n"},
		"its asterisk":                   {method: "OPTIONS", url: "http://a.test/*", want: "OPTIONS /* HTTP/1.1\nHost: a.test\n"},
		"a resource":                     {method: "OPTIONS", url: "http://a.test/", want: "OPTIONS / HTTP/1.1\nHost: a.test\n"},
		"the server by a hop":            {method: "OPTIONS", url: "http://a.test", hop: true, want: "OPTIONS http://a.test HTTP/1.1\nHost: a.test\nProxy-Authorization: Basic eA==\n"},
		"absolute-form to a hop":         {url: "http://me@a.test:81/x?y", hop: true, want: "GET http://a.test:81/x?y HTTP/1.1\nHost: a.test:81\nProxy-Authorization: Basic eA==\n"},
		"https does not go by the hop":   {url: "https://a.test/", hop: true, want: "GET / HTTP/1.1\nHost: a.test\n"},
		"one credential to a hop":        {url: "http://a.test/", hop: true, header: http.Header{"Proxy-Authorization": {"x"}}, want: "GET http://a.test/ HTTP/1.1\nHost: a.test\nProxy-Authorization: Basic eA==\n"},
		"an asterisk as path":            {method: "OPTIONS", url: "*", want: "OPTIONS * HTTP/1.1\nHost: a.test\n"},
		"an asterisk as path, by a hop":  {method: "OPTIONS", url: "*", hop: true, want: "OPTIONS http://a.test HTTP/1.1\nHost: a.test\nProxy-Authorization: Basic eA==\n"},
		"an odd method":                  {method: "M-SEARCH", url: "http://a.test/", want: "M-SEARCH / HTTP/1.1\nHost: a.test\n"},
		"POST without a body":            {method: "POST", url: "http://a.test/", want: "POST / HTTP/1.1\nHost: a.test\nContent-Length: 0\n"},
		"DELETE without a body":          {method: "DELETE", url: "http://a.test/", want: "DELETE / HTTP/1.1\nHost: a.test\n"},
		"a body of known length":         {method: "POST", url: "http://a.test/", body: body, length: 4, want: "POST / HTTP/1.1\nHost: a.test\nContent-Length: 4\n"},
		"GET with a body":                {url: "http://a.test/", body: body, length: 4, want: "GET / HTTP/1.1\nHost: a.test\nContent-Length: 4\n"},
		"a body of unknown length":       {method: "PUT", url: "http://a.test/", body: body, length: -1, want: "PUT / HTTP/1.1\nHost: a.test\nTransfer-Encoding: chunked\n"},
		"a body of length 0 has a byte":  {method: "PUT", url: "http://a.test/", body: body, want: "PUT / HTTP/1.1\nHost: a.test\nTransfer-Encoding: chunked\n"},
		"a body of length 0 has none":    {url: "http://a.test/", body: "-", want: "GET / HTTP/1.1\nHost: a.test\n"},
		"framing is not the caller's":    {url: "http://a.test/", header: http.Header{"Content-Length": {"7"}, "content-length": {"8"}, "Transfer-Encoding": {"x"}, "Trailer": {"X"}}, want: "GET / HTTP/1.1\nHost: a.test\n"},
		"no expectation without a body":  {url: "http://a.test/", header: http.Header{"Expect": {"100-continue"}}, want: "GET / HTTP/1.1\nHost: a.test\n"},
		"sorted without an order":        {url: "http://a.test/", header: http.Header{"B": {"1"}, "A": {"2", "3"}, "C": {}, "D": {""}}, want: "GET / HTTP/1.1\nHost: a.test\nA: 2\nA: 3\nB: 1\nD: \n"},
		"white space around values goes": {url: "http://a.test/", header: http.Header{"A": {" \tb c\t "}}, want: "GET / HTTP/1.1\nHost: a.test\nA: b c\n"},
		"obs-text stays":                 {url: "http://a.test/", header: http.Header{"A": {"caf\xe9"}}, want: "GET / HTTP/1.1\nHost: a.test\nA: caf\xe9\n"},
		"Connection as given":            {url: "http://a.test/", header: http.Header{"Connection": {"Upgrade"}}, want: "GET / HTTP/1.1\nHost: a.test\nConnection: Upgrade\n"},
		"TE is the connection's":         {url: "http://a.test/", header: http.Header{"Te": {"trailers"}}, want: "GET / HTTP/1.1\nHost: a.test\nConnection: TE\nTe: trailers\n"},
		"TE as given":                    {url: "http://a.test/", header: http.Header{"Te": {"trailers"}, "Connection": {"te, x"}}, want: "GET / HTTP/1.1\nHost: a.test\nConnection: te, x\nTe: trailers\n"},
		"TE and Close":                   {url: "http://a.test/", close: true, header: http.Header{"Te": {"trailers"}}, want: "GET / HTTP/1.1\nHost: a.test\nConnection: close, TE\nTe: trailers\n"},
		"Close":                          {url: "http://a.test/", close: true, header: http.Header{"Connection": {"keep-alive"}}, want: "GET / HTTP/1.1\nHost: a.test\nConnection: close\n"},

		"order and case": {
			url:    "http://a.test/",
			header: http.Header{"Accept": {"*/*"}, "User-Agent": {"x"}, "Sec-Ch-Ua": {"y"}, "X-Rest": {"1"}, "Dnt": {"1"}, "A-Rest": {"2"}},
			order:  []string{"User-Agent", "host", "Missing", "sec-ch-ua", "Connection", "DNT", "accept"},
			want:   "GET / HTTP/1.1\nUser-Agent: x\nhost: a.test\nsec-ch-ua: y\nConnection: keep-alive\nDNT: 1\naccept: */*\nA-Rest: 2\nX-Rest: 1\n",
		},
		"TE in order": {
			url:    "http://a.test/",
			header: http.Header{"Accept": {"*/*"}, "Te": {"trailers"}},
			order:  []string{"Host", "TE", "Connection", "Accept"},
			want:   "GET / HTTP/1.1\nHost: a.test\nTE: trailers\nConnection: keep-alive, TE\nAccept: */*\n",
		},
		"framing in order": {
			method: "POST", url: "http://a.test/", body: body, length: 4,
			header: http.Header{"Accept": {"*/*"}, "Zebra": {"x"}},
			order:  []string{"Host", "Content-Length", "Accept"},
			want:   "POST / HTTP/1.1\nHost: a.test\nContent-Length: 4\nAccept: */*\nZebra: x\n",
		},
		"framing among the rest": {
			method: "POST", url: "http://a.test/", body: body, length: 4,
			header: http.Header{"Accept": {"*/*"}, "Zebra": {"x"}},
			order:  []string{"Host"},
			want:   "POST / HTTP/1.1\nHost: a.test\nAccept: */*\nContent-Length: 4\nZebra: x\n",
		},
		"listed twice, written once": {
			url:    "http://a.test/",
			header: http.Header{"Accept": {"*/*"}, "Connection": {"close"}},
			order:  []string{"Accept", "Host", "host", "accept", "Connection", "connection"},
			want:   "GET / HTTP/1.1\nAccept: */*\nHost: a.test\nConnection: close\n",
		},
		"a name in another case than the map's": {
			url:    "http://a.test/",
			header: http.Header{"x-low": {"1"}, "X-Low": {"2"}},
			order:  []string{"Host", "x-low"},
			want:   "GET / HTTP/1.1\nHost: a.test\nx-low: 2\nx-low: 1\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			tr := &Transport{HopAuthorization: "Basic eA=="}
			if c.hop {
				tr.DialHop = noDialHop
			}
			r := &http.Request{Method: c.method, Header: c.header, Close: c.close, ContentLength: c.length}
			if r.Method == "" {
				r.Method = "GET"
			}
			if r.URL, _ = url.Parse(c.url); c.url == "*" {
				r.URL = &url.URL{Scheme: "http", Host: "a.test", Path: "*"}
			}
			if c.body != "" {
				r.Body = io.NopCloser(strings.NewReader(strings.TrimPrefix(c.body, "-")))
			}
			r = r.WithContext(WithFieldOrder(t.Context(), c.order))
			got, err := headOf(tr, r)
			if want := strings.ReplaceAll(c.want+"\n", "\n", "\r\n"); got != want || err != nil {
				t.Errorf("got %q, %v\nwant %q", got, err, want)
			}
		})
	}
}

func noDialHop(context.Context) (net.Conn, error) { return nil, net.ErrClosed }

// What would be read as something else on the wire is not written.
func TestRequestHeadRefuses(t *testing.T) {
	base := url.URL{Scheme: "http", Host: "a.test", Path: "/"}
	for name, edit := range map[string]func(*http.Request){
		"no URL":               func(r *http.Request) { r.URL = nil },
		"no host":              func(r *http.Request) { r.URL.Host = "" },
		"only a port":          func(r *http.Request) { r.URL.Host = ":80" },
		"another scheme":       func(r *http.Request) { r.URL.Scheme = "ftp" },
		"CONNECT":              func(r *http.Request) { r.Method = "CONNECT" },
		"no method":            func(r *http.Request) { r.Method = "" },
		"a method of two":      func(r *http.Request) { r.Method = "GET /x" },
		"CRLF in the method":   func(r *http.Request) { r.Method = "GET\r\nA:" },
		"CRLF in the host":     func(r *http.Request) { r.URL.Host = "a.test\r\nA: b" },
		"a space in the host":  func(r *http.Request) { r.URL.Host = "a test" },
		"userinfo in the host": func(r *http.Request) { r.URL.Host = "me@a.test" },
		"a path in the host":   func(r *http.Request) { r.URL.Host = "a.test/x" },
		"a zone":               func(r *http.Request) { r.URL.Host = "[fe80::1%25lo]" },
		"a port too high":      func(r *http.Request) { r.URL.Host = "a.test:65536" },
		"port 0":               func(r *http.Request) { r.URL.Host = "a.test:0" },
		"a signed port":        func(r *http.Request) { r.URL.Host = "a.test:+80" },
		"a padded port":        func(r *http.Request) { r.URL.Host = "a.test:0080" },
		"opaque":               func(r *http.Request) { r.URL.Opaque = "/x" },
		"CRLF in the query":    func(r *http.Request) { r.URL.RawQuery = "x\r\nA: b" },
		"a space in the query": func(r *http.Request) { r.URL.RawQuery = "x HTTP/1.1" },
		"# in the query":       func(r *http.Request) { r.URL.RawQuery = "x#y" },
		"obs-text in a query":  func(r *http.Request) { r.URL.RawQuery = "caf\xe9" },
		"CRLF in a value":      func(r *http.Request) { r.Header["A"] = []string{"b\r\nC: d"} },
		"LF in a value":        func(r *http.Request) { r.Header["A"] = []string{"ok", "b\nC: d"} },
		"NUL in a value":       func(r *http.Request) { r.Header["A"] = []string{"b\x00"} },
		"CR at the end":        func(r *http.Request) { r.Header["A"] = []string{"b\r"} },
		"CRLF in a name":       func(r *http.Request) { r.Header["A: b\r\nC"] = []string{"d"} },
		"a space in a name":    func(r *http.Request) { r.Header["A "] = []string{"d"} },
		"no name":              func(r *http.Request) { r.Header[""] = []string{"d"} },
		"a length but no body": func(r *http.Request) { r.ContentLength = 5 },
		"CRLF in the order": func(r *http.Request) {
			r.Header["A"] = []string{"b"}
			*r = *r.WithContext(WithFieldOrder(r.Context(), []string{"Host\r\nX"}))
			r.Header["Host\r\nx"] = []string{"d"}
		},
	} {
		u := base
		r := (&http.Request{Method: "GET", URL: &u, Header: http.Header{}}).WithContext(t.Context())
		edit(r)
		head, err := headOf(&Transport{}, r)
		if _, ok := errors.AsType[*RequestError](err); !ok {
			t.Errorf("%s: wrote %q, %v", name, head, err)
		}
	}
}

func TestRequestTrailers(t *testing.T) {
	got := make(chan http.Header, 1)
	o := startOrigin(t, func(p *peer) {
		// net/http takes no trailer section longer than the buffer.
		r, err := http.ReadRequest(bufio.NewReaderSize(p.br, 64<<10))
		if err != nil {
			t.Error(err)
			return
		}
		io.Copy(io.Discard, r.Body)
		got <- r.Trailer
		p.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	})
	tr := newTransport(t, o.addr)
	r := request(t, "POST", "http://a.test/", onlyReader{strings.NewReader("x")})
	r.ContentLength = -1
	long := strings.Repeat("x", 40<<10) // more than the send buffer holds
	r.Trailer = http.Header{"X-Sum": {"1"}, "X-Long": {long}, "Content-Length": {"5"}, "transfer-encoding": {"x"}, "Bad\r\nName": {"x"}}
	mustFetch(t, tr, r)
	if h := <-got; len(h) != 2 || h.Get("X-Sum") != "1" || h.Get("X-Long") != long {
		t.Errorf("trailer of %d fields", len(h))
	}
}

// Whatever is written, net/http reads as what was asked for.
func FuzzRequestHead(f *testing.F) {
	f.Add("GET", "a.test", "/x", "y=z", "Accept", "*/*", "accept")
	f.Add("POST", "a.test:81", "//", "", "X-A", " b\t", "Host")
	f.Add("OPTIONS", "[::1]", "", "", "Connection", "close", "connection")
	f.Fuzz(func(t *testing.T, method, host, path, query, name, value, order string) {
		u := &url.URL{Scheme: "http", Host: host, Path: path, RawQuery: query}
		r := &http.Request{Method: method, URL: u, Header: http.Header{name: {value}}}
		r = r.WithContext(WithFieldOrder(t.Context(), []string{order}))
		head, err := headOf(&Transport{}, r)
		if err != nil {
			return
		}
		br := bufio.NewReader(strings.NewReader(head))
		got, err := http.ReadRequest(br)
		if err != nil {
			t.Fatalf("%q: %v", head, err)
		}
		if got.Method != method || br.Buffered() != 0 || len(got.Header) > 2 {
			t.Fatalf("%q is read as %+v", head, got)
		}
		if h := strings.TrimSuffix(strings.TrimSuffix(host, ":80"), ":"); got.Host != h {
			t.Fatalf("%q: host %q", head, got.Host)
		}
		if n := bytes.Count([]byte(head), []byte("\n")); n > 5 {
			t.Fatalf("%q: %d lines", head, n)
		}
	})
}
