package proxy

import (
	"context"
	"crypto/tls"
	"net/url"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// TestBrowserOverTLS runs Chromium with an https proxy, to which it speaks
// HTTP/2, and with a SOCKS proxy.
func TestBrowserOverTLS(t *testing.T) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("no chromium: install Debian's package, as scripts/test does")
	}
	w, hop := serveWeb(t)
	p, _ := newProxy(t, func(o *Options) { o.Egress.Chain = []*url.URL{hop} })
	var two, others atomic.Int64
	config, _, _ := newTLS(t)
	config.VerifyConnection = func(s tls.ConnectionState) error {
		if s.NegotiatedProtocol == "h2" {
			two.Add(1)
		} else {
			others.Add(1)
		}
		return nil
	}
	for _, c := range []struct {
		what, proxy string
		two         bool
	}{
		{"https", "https://" + serveAs(t, p, Listening{Protocol: HTTPS, TLS: config}), true},
		{"socks", "socks5://" + serveAs(t, p, Listening{Protocol: SOCKS5}), false},
	} {
		t.Run(c.what, func(t *testing.T) {
			allocator, cancel := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:],
				chromedp.ExecPath(path),
				chromedp.UserDataDir(t.TempDir()),
				chromedp.NoSandbox,
				chromedp.DisableGPU,
				chromedp.Flag("disable-quic", true),
				chromedp.Flag("disable-component-update", true),
				chromedp.Flag("ignore-certificate-errors", true),
				chromedp.Flag("proxy-server", c.proxy),
			)...)
			defer cancel()
			browser, cancel := chromedp.NewContext(allocator)
			defer cancel()
			if err := chromedp.Do(browser); err != nil {
				t.Fatalf("start chromium: %v", err)
			}
			for _, page := range []string{"http://" + c.what + "-plain.example/", "https://" + c.what + "-secure.example/"} {
				limited, cancel := context.WithTimeout(browser, time.Minute)
				defer cancel()
				if err := chromedp.Do(limited, chromedp.Navigate(page)); err != nil {
					t.Fatalf("%s: %v", page, err)
				}
				got, err := chromedp.Run(limited, chromedp.Title())
				if want := strings.Trim(strings.SplitN(page, ":", 2)[1], "/"); err != nil || got != want {
					t.Errorf("%s: title %q, %v", page, got, err)
				}
			}
			plain := w.requests(c.what + "-plain.example")
			if len(plain) < 3 || len(w.requests(c.what+"-secure.example")) == 0 {
				t.Errorf("%d plain requests, and %d in tunnels", len(plain), len(w.requests(c.what+"-secure.example")))
			}
			for _, r := range plain {
				if strings.Contains(r.UserAgent(), "Headless") {
					t.Errorf("the filters did not see %s", r.URL)
				}
			}
			if c.two && (two.Load() == 0 || others.Load() > 0) {
				t.Errorf("%d connections of HTTP/2, %d others", two.Load(), others.Load())
			}
		})
	}
}
