package wire

import (
	"bytes"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// TestHTTP2CrumbsCostWhatTheyHold: a cookie in many pieces, most of which are one
// byte on the wire, makes no work beyond its size.
func TestHTTP2CrumbsCostWhatTheyHold(t *testing.T) {
	crumbs := []string{strings.Repeat("x", 40<<10)}
	for i := range 200 {
		crumbs = append(crumbs, strconv.Itoa(i))
	}
	limits := Limits{}.withDefaults()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var b headBlock
	b.reset(frameHead{stream: 1, flags: flagEndStream}, &limits)
	for _, line := range plainGet {
		name, value, _ := strings.Cut(line[1:], ": ")
		b.add(hpack.HeaderField{Name: ":" + name, Value: value})
	}
	for _, crumb := range crumbs {
		b.add(hpack.HeaderField{Name: "cookie", Value: crumb})
	}
	r, err := b.request(t.Context())
	runtime.ReadMemStats(&after)
	if err != nil || len(r.Header["Cookie"]) != 1 || r.Header["Cookie"][0] != strings.Join(crumbs, "; ") {
		t.Fatalf("%d fields, %v", len(r.Header["Cookie"]), err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("%d bytes were allocated for 40 KiB", n)
	}
}

// TestHTTP2HostMayNameTheDefaultPort: Host and :authority are compared as the scheme
// has them mean the same (RFC 9113 §8.3.1).
func TestHTTP2HostMayNameTheDefaultPort(t *testing.T) {
	limits := Limits{}.withDefaults()
	for _, c := range []struct {
		scheme, authority, host string
		same                    bool
	}{
		{"https", "a.example", "a.example:443", true},
		{"https", "A.example:443", "a.example", true},
		{"http", "a.example", "a.example:80", true},
		{"http", "a.example:", "a.example", true},
		{"https", "[2001:db8::1]", "[2001:db8::1]:443", true},
		{"http", "a.example", "a.example:443", false},
		{"https", "a.example", "a.example:80", false},
		{"https", "a.example:444", "a.example", false},
		{"https", "a.example", "b.example:443", false},
	} {
		var b headBlock
		b.reset(frameHead{stream: 1, flags: flagEndStream}, &limits)
		for _, f := range [][2]string{{":method", "GET"}, {":scheme", c.scheme}, {":authority", c.authority}, {":path", "/"}, {"host", c.host}} {
			b.add(hpack.HeaderField{Name: f[0], Value: f[1]})
		}
		r, err := b.request(t.Context())
		if same := err == nil; same != c.same || same && r.Host != c.authority {
			t.Errorf("%s, :authority %s, Host %s: %v, for %s", c.scheme, c.authority, c.host, err, r.Host)
		}
	}
}

// TestHTTP2Targets: OPTIONS asks the server as a whole, a scheme is one (RFC 3986 §3.1), and
// CONNECT names its destination itself (RFC 9113 §8.5).
func TestHTTP2Targets(t *testing.T) {
	limits := Limits{}.withDefaults()
	const bad = "refused"
	for _, c := range []struct{ method, scheme, authority, path, host, target string }{
		{"OPTIONS", "http", "a.example", "*", "", "http://a.example"},
		{"GET", "http", "a.example", "*", "", bad},
		{"GET", "ab+c-1.", "a.example", "/", "", "ab+c-1.://a.example/"},
		{"GET", "1a", "a.example", "/", "", bad},
		{"GET", "+a", "a.example", "/", "", bad},
		{"GET", "a_b", "a.example", "/", "", bad},
		{"CONNECT", "", "a.example:443", "", "a.example:443", "a.example:443"},
		{"CONNECT", "", "", "", "a.example:443", bad},
	} {
		var b headBlock
		b.reset(frameHead{stream: 1}, &limits)
		for _, f := range [][2]string{{":method", c.method}, {":scheme", c.scheme}, {":authority", c.authority}, {":path", c.path}, {"host", c.host}} {
			if f[1] != "" {
				b.add(hpack.HeaderField{Name: f[0], Value: f[1]})
			}
		}
		target := bad
		if r, err := b.request(t.Context()); err == nil {
			target = r.RequestURI
		}
		if target != c.target {
			t.Errorf("%q: %s", c, target)
		}
	}
}

// TestHTTP2TrailersInAnyCase: the one thing that TE may say is a word without case.
func TestHTTP2TrailersInAnyCase(t *testing.T) {
	limits := Limits{}.withDefaults()
	for value, ok := range map[string]bool{"trailers": true, "Trailers": true, "trailers, deflate": false, "deflate": false, "": false} {
		var b headBlock
		b.reset(frameHead{stream: 1, flags: flagEndStream}, &limits)
		for _, f := range [][2]string{{":method", "GET"}, {":scheme", "http"}, {":authority", "a.example"}, {":path", "/"}, {"te", value}} {
			b.add(hpack.HeaderField{Name: f[0], Value: f[1]})
		}
		if _, err := b.request(t.Context()); ok != (err == nil) {
			t.Errorf("TE %q: %v", value, err)
		}
	}
}

// TestHTTP2CookieIsOneField: browsers cut it into as many pieces as there are cookies,
// of which a site may set more than a head may have fields.
func TestHTTP2CookieIsOneField(t *testing.T) {
	addr, _ := startHTTP2(t, func(w http.ResponseWriter, r *http.Request) {
		if n := strings.Count(r.Header.Get("Cookie"), "; ") + 1; len(r.Header["Cookie"]) != 1 || n != 30 {
			t.Errorf("%d lines, %d cookies", len(r.Header["Cookie"]), n)
		}
	}, func(s *Server) { s.Limits.Fields = 10 })
	c := dialHTTP2(t, addr)
	defer c.Close()
	lines := plainGet[:4:4]
	for i := range 30 {
		lines = append(lines, "cookie: c"+strconv.Itoa(i)+"=v")
	}
	c.Head(1, true, lines...)
	if got := c.Outcome(1); got != "200" {
		t.Errorf("%d crumbs: %s", 30, got)
	}
}

// TestHTTP2LargeHeadCostsNoOther: the streams on a connection, such as a browser's
// tunnels, outlive a head of any size that a browser sends, though none is read after it.
func TestHTTP2LargeHeadCostsNoOther(t *testing.T) {
	const head = 4096
	for name, send := range map[string]func(c *rawHTTP2, lines []string){
		"long field": func(c *rawHTTP2, lines []string) {
			c.Head(3, true, append(lines, "x: "+strings.Repeat("a", 3*head))...)
		},
		"many frames": func(c *rawHTTP2, lines []string) {
			var block bytes.Buffer
			encoder := hpack.NewEncoder(&block)
			for _, line := range append(lines, "x: "+strings.Repeat("~", 2<<20)) { // no Huffman code is shorter
				name, value, _ := strings.Cut(line[1:], ": ")
				encoder.WriteField(hpack.HeaderField{Name: line[:1] + name, Value: value})
			}
			c.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: block.Next(ownMaxFrame), EndStream: true})
			for block.Len() > 0 {
				c.WriteContinuation(3, block.Len() <= ownMaxFrame, block.Next(ownMaxFrame))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			addr, _ := startHTTP2(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) }, func(s *Server) { s.Limits.Head = head })
			c := dialHTTP2(t, addr)
			c.Head(1, false, ":method: POST", ":scheme: http", ":authority: a.example", ":path: /")
			send(c, plainGet[:4:4])
			status, ends, goes := "", false, false
			c.Until(func(f http2.Frame) bool {
				switch f := f.(type) {
				case *http2.MetaHeadersFrame:
					status += f.PseudoValue("status")
				case *http2.GoAwayFrame:
					goes = f.LastStreamID == 3
				case *http2.DataFrame:
					ends = f.StreamID == 3 && f.StreamEnded()
				}
				return status != "" && ends && goes
			})
			if status != "431" {
				t.Errorf("it is answered %s", status)
			}
			c.Head(5, true, plainGet...) // which nobody can read
			c.WriteData(1, true, []byte("whole"))
			if got := c.Data(1); got != "whole" {
				t.Errorf("the stream before it got %q", got)
			}
			if rest, err := io.ReadAll(c.Conn); len(rest) > 0 || err != nil {
				t.Errorf("after that: %q %v", rest, err)
			}
		})
	}
}
