package proxy

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"guise/cache"
)

// The form of the start page empties the cache from a real browser, and a page of
// another site that sends the same does not.
func TestPurgeFormInABrowser(t *testing.T) {
	p, address := newProxy(t, func(o *Options) { o.Cache.Sharing = cache.Shared })
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<form method=post action="http://%s/purge"><input name=what value="*"></form><script>document.forms[0].submit()</script>`, address)
		http.NewResponseController(w).Flush() // chunked: it ends for a client once it is stored
	}))
	defer origin.Close()
	fill := func() {
		t.Helper()
		get(t, address, origin.URL)
		if n := p.cache.Stats().Resources; n != 1 {
			t.Fatalf("%d resources stored", n)
		}
	}
	tab, cancel := context.WithTimeout(startChromium(t, t.TempDir()), time.Minute)
	defer cancel()
	shown := func(where string, steps ...chromedp.Action[chromedp.Void]) string {
		t.Helper()
		if err := chromedp.Do(tab, steps...); err != nil {
			t.Fatal(err)
		}
		text, err := chromedp.Run(tab, chromedp.Text(where))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}

	fill()
	got := shown("pre", chromedp.Navigate(origin.URL), chromedp.WaitVisible("pre")) // how Chromium shows a text
	if n := p.cache.Stats().Resources; n != 1 {
		t.Errorf("another site's page emptied the cache; it got %q", got)
	}
	got = shown("p[role=status]", chromedp.Navigate("http://"+address+"/"), chromedp.SetValue("#what", "*"), chromedp.Click("form button"), chromedp.WaitVisible("p[role=status]"))
	if n := p.cache.Stats().Resources; n != 0 || !strings.Contains(got, "Dropped") {
		t.Errorf("%d resources left; the page says %q", n, got)
	}
}
