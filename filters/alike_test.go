package filters

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"testing"
)

// What is left of an answer is the same for all requests of the same look, site and purpose:
// caches give it to all of them.
func TestAnswersAreAlikeWhereRequestsAre(t *testing.T) {
	s := newSet(t, Options{})
	draw := rand.New(rand.NewPCG(1, 1))
	one := func(values ...string) string { return values[draw.IntN(len(values))] }
	type outcome struct{ sent, left string }
	seen := map[string]outcome{}
	again := 0
	for range 20000 {
		h := http.Header{}
		for name, value := range map[string]string{
			"User-Agent":     one("", "curl/8.5.0", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
			"Accept":         one("*/*", "text/html", "image/webp,*/*", "text/css,*/*;q=0.1"),
			"Sec-Fetch-Dest": one("", "document", "image", "style", "empty"),
			"Sec-Fetch-Mode": one("", "no-cors", "navigate"),
			"Sec-Fetch-Site": one("", "same-origin", "cross-site"),
			"Referer":        one("", "https://site.example/", "https://other.example/"),
			"Origin":         one("", "", "https://site.example", "null"),
		} {
			if value != "" {
				h[name] = []string{value}
			}
		}
		r, err := http.NewRequest("GET", one("http", "https")+"://site.example/"+one("", "x.png"), nil)
		if err != nil {
			t.Fatal(err)
		}
		sent := fmt.Sprint(r.URL, h)
		r.Header = h
		m, _ := s.Scrub(new(Recent), r, netip.MustParseAddr("192.0.2.9"), nil)
		look := fmt.Sprint(r.URL, r.Header, m.Visit.Site, m.Visit.Adrift(), m.Visit.OfPage())
		m.Response = &http.Response{StatusCode: http.StatusFound, Request: r, Header: http.Header{
			"Location": {"https://www.facebook.com/?fref=1&gclid=2"}, "Refresh": {"0; url=/?fbclid=1"},
			"Clear-Site-Data": {`"cookies"`}, "Set-Login": {"logged-in"}, "Set-Cookie": {"a=b"}, "Link": {"</x>; rel=preload"},
		}}
		s.Response(&m, nil)
		left := fmt.Sprint(m.Response.Header)
		before, known := seen[look]
		switch {
		case !known:
			seen[look] = outcome{sent, left}
		case before.left != left:
			t.Fatalf("of the same look %s:\n%s left\n%s, and\n%s\n%s", look, before.sent, before.left, sent, left)
		case before.sent != sent:
			again++
		}
	}
	if again == 0 {
		t.Error("no two requests come to look alike")
	}
}
