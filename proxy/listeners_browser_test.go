package proxy

import (
	"crypto/tls"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestBrowserOverTLS runs Chromium with an https proxy, to which it speaks
// HTTP/2, and with a SOCKS proxy.
func TestBrowserOverTLS(t *testing.T) {
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
			tab := startChromium(t, t.TempDir(),
				chromedp.Flag("ignore-certificate-errors", true),
				chromedp.Flag("proxy-server", c.proxy),
			)
			for scheme, host := range map[string]string{"http": c.what + "-plain.example", "https": c.what + "-secure.example"} {
				if got := title(t, tab, scheme+"://"+host+"/"); got != host {
					t.Errorf("%s page: title %q", scheme, got)
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
