package judge

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"slices"
	"strings"
	"testing"
)

var quiet = log.New(io.Discard, "", 0)

// A forwarder that adds what proxies used to add is transparent.
func TestForwarderThatNamesTheClientIsTransparent(t *testing.T) {
	r := judged(t, forwarder(t, func(p *httputil.ProxyRequest) {
		rewrite(p)
		p.SetXForwarded()
		p.Out.Header.Add("Via", "1.1 old")
	}, nil))
	if r.Grade != Transparent {
		t.Errorf("grade %v, want transparent", r.Grade)
	}
	for _, where := range []string{"X-Forwarded-For", "Via", "X-UIDH", "requests of different visitors"} {
		if !leaked(r, where) {
			t.Errorf("no leak in %s", where)
		}
	}
}

// scrub removes every place of the class Route, and nothing else.
func scrub(p *httputil.ProxyRequest) {
	rewrite(p)
	p.Out.URL.User = nil
	for name := range p.Out.Header {
		if class := classOf(name); class == Route || class == Visible || fold(name)[:min(8, len(name))] == "x-panel-" {
			p.Out.Header.Del(name)
		}
	}
	p.Out.Trailer = nil
}

// A forwarder that removes the route, but misses the rest, is anonymous.
func TestForwarderThatMissesIdentityIsAnonymous(t *testing.T) {
	r := judged(t, forwarder(t, scrub, nil))
	for _, l := range r.Leaks {
		if l.Class == Route {
			t.Errorf("a route leak: %s in %s", l, l.Probe)
		}
	}
	if r.Grade != Anonymous {
		t.Errorf("grade %v, want anonymous", r.Grade)
	}
	if !leaked(r, "X-UIDH") {
		t.Error("X-UIDH passed unseen")
	}
}

// A proxy that lets nothing through hides everything, and gets no grade.
func TestProxyThatRefusesEverythingGetsNoGrade(t *testing.T) {
	r := judged(t, forwarder(t, func(p *httputil.ProxyRequest) { p.Out.URL.Host = "127.0.0.1:1" }, nil))
	if r.Grade == Elite || r.Clean() {
		t.Errorf("grade %v", r.Grade)
	}
}

func TestProxyThatCannotBeReachedIsAnError(t *testing.T) {
	o := &Origin{Record: true}
	if _, err := Run(context.Background(), Options{Proxy: "127.0.0.1:1", Origin: o, Address: "127.0.0.1:2"}); err == nil {
		t.Error("no error")
	}
}

// A forwarder that hides by breaking things is found out, one by one.
func TestBrokenFunctionsAreNamed(t *testing.T) {
	for _, c := range []struct {
		fault  string // a part of the probe's name
		edit   func(*httputil.ProxyRequest)
		answer func(*http.Response) error
	}{
		{"(Range)", without("Range"), nil},
		{"(Accept)", without("Accept"), nil},
		{"(Authorization)", without("Authorization"), nil},
		{"CORS preflight", without("Access-Control-Request-Headers"), nil},
		{"(CORS)", without("Origin"), nil},
		{"form with a file", without("Content-Type"), nil},
		{"If-Match", without("If-Match"), nil},
		{"Idempotency-Key", without("Idempotency-Key"), nil},
		{"WebSocket", without("Upgrade"), nil},
		{"query", func(p *httputil.ProxyRequest) {
			rewrite(p)
			u := *p.In.URL
			u.RawQuery = u.Query().Encode()
			p.Out.URL = &u
		}, nil},
		{"without compression", func(p *httputil.ProxyRequest) {
			rewrite(p)
			p.Out.Header.Set("Accept-Encoding", "gzip")
		}, nil},
		{"log in", nil, func(r *http.Response) error { r.Header.Del("WWW-Authenticate"); return nil }},
		{"redirect", nil, func(r *http.Response) error { r.Header.Del("Location"); return nil }},
		{"browsers need", nil, func(r *http.Response) error { r.Header.Del("SourceMap"); return nil }},
		{"large download", nil, func(r *http.Response) error {
			r.Body = struct {
				io.Reader
				io.Closer
			}{io.LimitReader(r.Body, 1<<16), r.Body}
			return nil
		}},
	} {
		edit := c.edit
		if edit == nil {
			edit = rewrite
		}
		r := judged(t, forwarder(t, edit, c.answer))
		found := slices.ContainsFunc(r.Broken, func(f Fault) bool { return strings.Contains(f.Probe, c.fault) })
		if !found {
			t.Errorf("%s: not among %v", c.fault, r.Broken)
		}
	}
}

func without(name string) func(*httputil.ProxyRequest) {
	return func(p *httputil.ProxyRequest) {
		rewrite(p)
		p.Out.Header.Del(name)
	}
}

// A forwarder that changes nothing breaks nothing: the checks themselves
// are right.
func TestHonestForwarderBreaksNothing(t *testing.T) {
	r := judged(t, forwarder(t, rewrite, nil))
	if len(r.Broken)+len(r.Off) > 0 || r.Works != r.Checks || r.Checks < 25 {
		t.Errorf("%d of %d work; %v, %v", r.Works, r.Checks, r.Broken, r.Off)
	}
	for _, where := range []string{"Alt-Svc", "Set-Cookie", "X-Panel-E", "If-None-Match"} {
		if !slices.ContainsFunc(r.Leaks, func(l Leak) bool { return strings.HasPrefix(l.Where, where) }) {
			t.Errorf("no leak in %s", where)
		}
	}
}

// What was sent and seen is told for every probe, and planted things that
// arrive are counted.
func TestReportTellsEveryRequest(t *testing.T) {
	r := judged(t, forwarder(t, rewrite, nil))
	for _, x := range r.Requests {
		if len(x.Sent) < 2 || len(x.Seen) < 2 && x.Refused == 0 {
			t.Errorf("%s: sent %d fields, seen %d, refused %d", x.Name, len(x.Sent), len(x.Seen), x.Refused)
		}
	}
	if r.Planted < 300 || r.Hidden > r.Planted/2 {
		t.Errorf("%d of %d hidden", r.Hidden, r.Planted)
	}
	if len(r.Entropy) != len(kinds) || r.Entropy[0].Distinct < 8 {
		t.Errorf("entropy %v", r.Entropy)
	}
}
