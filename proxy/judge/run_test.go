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

// routeNames are those fields on nobody's list that betray the route.
var routeNames = []string{"X-Acme-Client-Ip", "Wan-Addr", "Remote_host", "X-Geo-City", "Edge-Visitor-Country"}

// scrub removes every place of the class Route, and what shows a proxy.
func scrub(p *httputil.ProxyRequest) {
	rewrite(p)
	p.Out.URL.User = nil
	for name := range p.Out.Header {
		class := classOf(name)
		if class == Route || class == Visible || strings.HasPrefix(name, "X-Panel-") || slices.Contains(routeNames, name) {
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

// A forwarder that hides by breaking things is found out, thing by thing.
func TestBrokenFunctionsAreNamed(t *testing.T) {
	r := judged(t, forwarder(t, breakRequest, breakAnswer))
	for _, name := range []string{"(Range)", "(Accept)", "(Authorization)", "CORS preflight", "(CORS)", "form with a file", "If-Match",
		"Idempotency-Key", "WebSocket", "query", "without compression", "asked to log in", "redirect", "browsers need",
		"large download"} {
		if !slices.ContainsFunc(r.Broken, func(f Fault) bool { return strings.Contains(f.Probe, name) }) {
			t.Errorf("%s: not among %v", name, r.Broken)
		}
	}
	if r.Grade == Elite {
		t.Errorf("grade %v", r.Grade)
	}
}

func breakRequest(p *httputil.ProxyRequest) {
	rewrite(p)
	for _, name := range []string{"Range", "Accept", "Authorization", "Access-Control-Request-Headers", "Origin", "Content-Type",
		"If-Match", "Idempotency-Key", "Upgrade"} {
		p.Out.Header.Del(name)
	}
	p.Out.Header.Set("Accept-Encoding", "gzip")
	u := *p.In.URL
	u.RawQuery = u.Query().Encode()
	p.Out.URL = &u
}

func breakAnswer(r *http.Response) error {
	for _, name := range []string{"WWW-Authenticate", "Location", "SourceMap"} {
		r.Header.Del(name)
	}
	if r.ContentLength > 1<<19 && r.Request.Method == http.MethodGet {
		r.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(r.Body, 1<<16), r.Body}
	}
	return nil
}

// A forwarder that changes nothing breaks nothing: the checks themselves
// are right.
func TestHonestForwarderBreaksNothing(t *testing.T) {
	r := judged(t, forwarder(t, rewrite, nil))
	if len(r.Broken)+len(r.Off) > 0 || r.Works != r.Checks || r.Checks < 25 {
		t.Errorf("%d of %d work; %v, %v", r.Works, r.Checks, r.Broken, r.Off)
	}
	for _, where := range []string{"Alt-Svc", "Set-Cookie", "X-Panel-E", "If-None-Match", "Use-As-Dictionary", "ETag of an earlier visit", "Last-Modified of an earlier visit"} {
		if !slices.ContainsFunc(r.Leaks, func(l Leak) bool { return strings.HasPrefix(l.Where, where) }) {
			t.Errorf("no leak in %s", where)
		}
	}
	const edges = "Marks before an answer and behind it"
	if !slices.ContainsFunc(r.Leaks, func(l Leak) bool { return l.Probe == edges && l.Where == "NEL" }) {
		t.Errorf("no leak in %q", edges)
	}
}

// What was sent and seen is told for every probe, and planted things that
// arrive are counted.
func TestReportTellsEveryRequest(t *testing.T) {
	r := judged(t, forwarder(t, rewrite, nil))
	for _, x := range r.Requests {
		if len(x.Sent) < 1 || len(x.Seen) < 2 && x.Refused == 0 {
			t.Errorf("%s: sent %d fields, seen %d, refused %d", x.Name, len(x.Sent), len(x.Seen), x.Refused)
		}
	}
	if r.Planted < 300 || r.Hidden > r.Planted/2 {
		t.Errorf("%d of %d hidden", r.Hidden, r.Planted)
	}
	if len(r.Entropy) != len(crowds) || r.Entropy[0].Distinct < 8 {
		t.Errorf("entropy %v", r.Entropy)
	}
}
