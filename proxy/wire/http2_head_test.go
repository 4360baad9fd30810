package wire

import (
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"

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
