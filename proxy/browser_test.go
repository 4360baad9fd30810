package proxy

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// A web stands for all origins: guise reaches it through an upstream proxy,
// so that every name resolves. It serves plain requests and CONNECT.
type web struct {
	mu   sync.Mutex
	seen []*http.Request
}

func serveWeb(t *testing.T) (*web, *url.URL) {
	w := &web{}
	secure := httptest.NewUnstartedServer(http.HandlerFunc(w.page))
	secure.TLS = &tls.Config{NextProtos: []string{"http/1.1"}}
	secure.StartTLS()
	t.Cleanup(secure.Close)
	hop := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			w.page(rw, r)
			return
		}
		origin, err := net.Dial("tcp", secure.Listener.Addr().String())
		if err != nil {
			http.Error(rw, "no origin", http.StatusBadGateway)
			return
		}
		defer origin.Close()
		conn, buffered, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
		go func() {
			io.Copy(origin, buffered)
			origin.Close()
		}()
		io.Copy(conn, origin)
	}))
	t.Cleanup(hop.Close)
	u, err := url.Parse(hop.URL)
	if err != nil {
		t.Fatal(err)
	}
	return w, u
}

func (w *web) page(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	w.seen = append(w.seen, r)
	w.mu.Unlock()
	rw.Header().Set("Content-Type", "text/html")
	fmt.Fprintf(rw, "<!DOCTYPE html><title>%s</title><h1>it works</h1><img src=/pixel><script src=/script></script>", r.Host)
}

func (w *web) requests(host string) []*http.Request {
	w.mu.Lock()
	defer w.mu.Unlock()
	var of []*http.Request
	for _, r := range w.seen {
		if r.Host == host {
			of = append(of, r)
		}
	}
	return of
}

// TestBrowserByPAC runs Chromium with nothing but the PAC URL.
func TestBrowserByPAC(t *testing.T) {
	w, hop := serveWeb(t)
	local := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		io.WriteString(rw, "<title>direct</title><h1>"+r.RemoteAddr+"</h1>")
	}))
	defer local.Close()
	_, address := newProxy(t, func(o *Options) { o.Egress.Chain = []*url.URL{hop} })

	tab := startChromium(t, t.TempDir(),
		chromedp.Flag("ignore-certificate-errors", true),
		chromedp.Flag("proxy-pac-url", "http://"+address+"/proxy.pac"),
	)
	if got := title(t, tab, "http://site.example/"); got != "site.example" {
		t.Errorf("plain page: title %q", got)
	}
	for _, url := range []string{
		"http://" + address + "/",
		"http://" + address + "/%zz",                           // malformed
		"http://" + address + "/" + strings.Repeat("x", 20000), // too long
		"http://100.64.0.1/",                                   // another site, which guise refuses
	} {
		probe := fmt.Sprintf(`fetch(%q, {mode: "no-cors"}).then(() => "guise", () => "nobody")`, url)
		if got, err := chromedp.Run(tab, chromedp.Evaluate[string](probe, chromedp.EvalAwaitPromise)); got != "nobody" || err != nil {
			t.Errorf("a page finds %q by %.60s: %v", got, url, err)
		}
	}
	if got := title(t, tab, "https://secure.example/"); got != "secure.example" {
		t.Errorf("tunnelled page: title %q", got)
	}
	if got := title(t, tab, local.URL); got != "direct" {
		t.Errorf("local page: title %q", got)
	}
	if got := title(t, tab, "http://"+address+"/"); got != "guise is running" {
		t.Errorf("start page: title %q", got)
	}

	plain := w.requests("site.example")
	if len(plain) < 3 {
		t.Fatalf("%d plain requests, want the page, its image and its script", len(plain))
	}
	for _, r := range plain {
		for name, values := range r.Header {
			if value := strings.Join(values, ","); strings.Contains(value, "Headless") || strings.Contains(value, "Linux") || strings.HasPrefix(name, "Sec-Ch-") {
				t.Errorf("%s tells of the browser: %s: %s", r.URL, name, value)
			}
		}
	}
	if len(w.requests("secure.example")) == 0 {
		t.Error("no request came through the tunnel")
	}
	if len(w.requests(strings.TrimPrefix(local.URL, "http://"))) != 0 {
		t.Error("a local page went through the proxy")
	}
}

// TestBrowserStaysBehindAProxyThatIsDown: with the PAC file in its URL, Chromium
// goes nowhere else when guise was never there to be asked for it.
func TestBrowserStaysBehindAProxyThatIsDown(t *testing.T) {
	site := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		io.WriteString(rw, "<title>direct</title>")
	}))
	defer site.Close()
	tab := startChromium(t, t.TempDir(),
		chromedp.Flag("host-resolver-rules", "MAP * "+site.Listener.Addr().String()+", EXCLUDE 127.0.0.1"),
		chromedp.Flag("proxy-pac-url", PACDataURL(refusing(t), false)),
	)
	if got := title(t, tab, "http://nas.home.arpa/"); got != "direct" {
		t.Errorf("a local page has the title %q", got)
	}
	limited, cancel := context.WithTimeout(tab, time.Minute)
	defer cancel()
	if err := chromedp.Do(limited, chromedp.Navigate("http://site.example/")); err == nil || !strings.Contains(err.Error(), "ERR_PROXY_CONNECTION_FAILED") {
		t.Errorf("a page that guise should carry: %v", err)
	}
}
