package judge

import (
	"context"
	"io"
	"log"
	"net/http/httputil"
	"os"
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
	if os.Getenv("SHOW") != "" {
		r.Write(os.Stdout, View{Verbose: os.Getenv("SHOW") == "2"})
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
