package proxy

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"guise/cache"
	"guise/filters"
	"guise/proxy/inspect"
)

// TestPanicEndsItsRequestAlone: the cache fetches on goroutines of its own,
// where nobody else would catch it.
func TestPanicEndsItsRequestAlone(t *testing.T) {
	var log strings.Builder
	address, store := serveOver(t, func(*http.Request) (*http.Response, error) { panic("canary.example") }, &log)
	defer store.Close()
	o := serveOrigin(t, answer(hello))
	resp, _ := get(t, address, "http://"+o.address+"/")
	if got := resp.Header.Get("Proxy-Status"); resp.StatusCode != 500 || got != "guise;error=proxy_internal_error" {
		t.Errorf("got %d %q", resp.StatusCode, got)
	}
	if !strings.Contains(log.String(), "panic below the cache") || strings.Contains(log.String(), "canary") {
		t.Errorf("logged %q", log.String())
	}
}

// TestPanicInABodyEndsItsRequestAlone: the cache reads bodies where nobody else
// would catch it, and a part never passes for the whole.
func TestPanicInABodyEndsItsRequestAlone(t *testing.T) {
	var log strings.Builder
	body := io.MultiReader(strings.NewReader("part"), readerFunc(func([]byte) (int, error) { panic("canary.example") }))
	address, store := serveOver(t, func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: make(http.Header), ContentLength: -1, Body: io.NopCloser(body), Request: r}, nil
	}, &log)
	got, _ := exchangeRaw(t, address, "GET http://127.0.0.1:9/ HTTP/1.1\r\nHost: a\r\n\r\n")
	store.Close()
	if !strings.Contains(got, "part") || strings.HasSuffix(got, "0\r\n\r\n") {
		t.Errorf("got %q", got)
	}
	if !strings.Contains(log.String(), "panic below the cache") || strings.Contains(log.String(), "canary") {
		t.Errorf("logged %q", log.String())
	}
}

// TestSiteThatInsistsOnACampaignIsReached: some redirect to themselves until their address has
// one, which is taken from it each time.
func TestSiteThatInsistsOnACampaignIsReached(t *testing.T) {
	const page = "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0\r\nAccept: text/html\r\nPriority: u=0, i"
	for _, c := range []struct{ method, path, location, want, fields string }{
		{"GET", "/donate", "/donate?utm_source=web#top", "200 a=1; b=2", ""},
		{"HEAD", "/donate?id=1", "?id=1&gclid=4f0a", "200 a=1; b=2", ""},
		{"GET", "/donate", "/donate?utm_source=web&utm_campaign=Spring sale \u2014 'now'", "200 a=1; b=2", ""},
		{"GET", "/donate?q=a%20b", "/donate?q=a b&utm_source=web", "200 a=1; b=2", ""},
		{"GET", "/", "HTTP://ORIGIN?utm_source=web", "200 a=1; b=2", ""},
		{"GET", "/donate", "http://me@ORIGIN/donate?utm_source=web", "302 a=1", ""}, // as somebody else
		{"GET", "/donate", "/donate?utm_source=web&step=2", "302 a=1", ""},          // elsewhere
		{"GET", "/donate", "/other?utm_source=web", "302 a=1", ""},
		{"GET", "/donate", "http://other.example/donate?utm_source=web", "302 a=1", ""},
		{"GET", "/donate", "/donate", "302 a=1", ""}, // without end for everybody
		{"POST", "/donate", "/donate?utm_source=web", "302 a=1", ""},
		{"GET", "/donate", "/donate?utm_source=web", "302 a=1", page}, // it comes back with the cookie
		{"GET", "/donate", "/donate?utm_source=web", "200 a=1; b=2", page + "\r\nCookie: a=1"},
	} {
		o := serveOrigin(t, answerBy(func(r *http.Request) string {
			if q := r.URL.RawQuery; strings.Contains(q, "utm_source=web") || strings.Contains(q, "gclid=4f0a") {
				return "HTTP/1.1 200 OK\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n"
			}
			return "HTTP/1.1 302 Found\r\nLocation: " + strings.ReplaceAll(c.location, "ORIGIN", r.Host) + "\r\nSet-Cookie: a=1\r\nContent-Length: 0\r\n\r\n"
		}))
		resp, _ := send(t, serveProxy(t, nil), c.method, "http://"+o.address+c.path, "", cmp.Or(c.fields, "Accept: */*"))
		got := fmt.Sprint(resp.StatusCode, " ", strings.Join(resp.Header["Set-Cookie"], "; "))
		if got != c.want {
			t.Errorf("%s %s, redirected to %s: got %s, want %s", c.method, c.path, c.location, got, c.want)
		}
	}
}

// TestRedirectBackIsFollowedForItsRequestAlone: the site may lead another one elsewhere, and
// what it leads to is stored under the address of neither.
func TestRedirectBackIsFollowedForItsRequestAlone(t *testing.T) {
	o := serveOrigin(t, answerBy(func(r *http.Request) string {
		switch {
		case r.URL.RawQuery != "":
			return "HTTP/1.1 200 OK\r\nCache-Control: max-age=3600\r\nContent-Length: 6\r\n\r\npublic"
		case r.Header["Cookie"] != nil:
			return "HTTP/1.1 200 OK\r\nCache-Control: private\r\nContent-Length: 7\r\n\r\nmembers"
		}
		return "HTTP/1.1 301 Moved Permanently\r\nCache-Control: no-store\r\nLocation: /?utm_source=web\r\nContent-Length: 0\r\n\r\n"
	}))
	address := serveProxy(t, nil)
	for _, c := range []struct{ fields, want string }{{"Accept: */*", "public"}, {"Cookie: id=1", "members"}} {
		if _, got := send(t, address, "GET", "http://"+o.address+"/", "", c.fields); got != c.want {
			t.Errorf("%s: got %q, want %q", c.fields, got, c.want)
		}
	}
}

// TestRedirectBackHasItsHSTSCount: a site may say so with its redirects alone.
func TestRedirectBackHasItsHSTSCount(t *testing.T) {
	for _, c := range []struct{ redirect, page, want string }{
		{"max-age=9", "", "max-age=9"},
		{"max-age=9", "max-age=0", "max-age=0"},
		{"", "max-age=9", "max-age=9"},
		{"", "", ""},
	} {
		answerWith := func(says string) *http.Response {
			h := make(http.Header)
			if says != "" {
				h.Set("Strict-Transport-Security", says)
			}
			return &http.Response{StatusCode: 200, Header: h, Body: http.NoBody}
		}
		s := scrubber{next: roundTripper(func(*http.Request) (*http.Response, error) { return answerWith(c.page), nil })}
		r, err := http.NewRequest("GET", "https://site.example/", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := s.insist(r, answerWith(c.redirect), "utm_source=web")
		if err != nil {
			t.Fatal(err)
		}
		if got := resp.Header.Get("Strict-Transport-Security"); got != c.want {
			t.Errorf("redirect %q, page %q: got %q", c.redirect, c.page, got)
		}
	}
}

// TestHSTSOfPartsCountsForNothing: a page could write a number with the hosts of its
// parts.
func TestHSTSOfPartsCountsForNothing(t *testing.T) {
	set, err := filters.New(filters.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		dest  string
		noted bool
	}{{"", true}, {"document", true}, {"image", false}, {"empty", false}, {"iframe", false}} {
		r, err := http.NewRequest("GET", "https://tracker.example/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if c.dest != "" {
			r.Header.Set("Sec-Fetch-Dest", c.dest)
		}
		s := scrubber{hsts: inspect.NewHSTS()}
		h := http.Header{"Strict-Transport-Security": {"max-age=9; includeSubDomains"}}
		s.noteHSTS(set.Read(r, netip.Addr{}), "", h)
		if passed := h["Strict-Transport-Security"] != nil; passed != c.noted || s.hsts.Applies("", "tracker.example") != c.noted {
			t.Errorf("%q: passed on %t, noted %t", c.dest, passed, !passed)
		}
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// serveOver runs a proxy whose answers come from origin, scrubbed, by a cache that is for
// the caller to close.
func serveOver(t *testing.T, origin roundTripper, log io.Writer) (address string, store *cache.Cache) {
	t.Helper()
	proxy, address := newProxy(t, nil)
	store = cache.New(cache.Options{})
	a := proxy.current.Load()
	a.way = store.Transport(scrubber{origin, a.filters, inspect.NewHSTS(), slog.New(slog.NewTextHandler(log, nil))})
	return address, store
}

// TestPageWithoutANameReadsWhatItMay: the origin lets who is no page of its own read, and
// hears of no name in the client's network, nor does another page, by way of the cache.
func TestPageWithoutANameReadsWhatItMay(t *testing.T) {
	var origins []string
	address, store := serveOver(t, func(r *http.Request) (*http.Response, error) {
		origins = append(origins, r.Header.Get("Origin"))
		h := http.Header{"Access-Control-Allow-Origin": {r.Header.Get("Origin")}, "Vary": {"Origin"}, "Cache-Control": {"max-age=3600"},
			"Date": {time.Now().UTC().Format(http.TimeFormat)}}
		return &http.Response{StatusCode: 200, Header: h, ContentLength: 2, Body: io.NopCloser(strings.NewReader("hi")), Request: r}, nil
	}, io.Discard)
	defer store.Close()
	for _, page := range []string{"http://a.nas.local:5000", "http://b.nas.local", "http://a.nas.local:5000", "http://app.example"} {
		got, _ := exchangeRaw(t, address, "GET http://site.example/font HTTP/1.1\r\nHost: site.example\r\nOrigin: "+page+"\r\nConnection: close\r\n\r\n")
		if !strings.Contains(got, "\r\nAccess-Control-Allow-Origin: "+page+"\r\n") {
			t.Errorf("%s got %q", page, got)
		}
	}
	if want := []string{"null", "http://app.example"}; !slices.Equal(origins, want) {
		t.Errorf("the origin saw %q, want %q", origins, want)
	}
}
