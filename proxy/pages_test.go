package proxy

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"guise/proxy/gate"
)

// TestSitesDoNotFindTheProxy: a page that a browser shows cannot ask whether
// guise runs beside it. Who opens the start page, or is led there, sees it.
func TestSitesDoNotFindTheProxy(t *testing.T) {
	for _, console := range []bool{true, false} {
		proxy := serveProxy(t, func(o *Options) { o.Console = console })
		for _, c := range []struct {
			what, request, fields string
			answered              bool
		}{
			{"no browser", "GET /", "", true},
			{"typed in", "GET /", "Sec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n", true},
			{"a link of the start page", "GET /ca.pem", "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n", true},
			{"a link elsewhere", "GET /", "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n", true},
			{"fetch", "GET /", "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: empty\r\n", false},
			{"a script", "GET /proxy.pac", "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: script\r\n", false},
			{"an image", "GET /nothing", "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image\r\n", false},
			{"a frame", "GET /", "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\n", false},
			{"a preflight", "OPTIONS /", "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n", false},
			{"another port of this machine", "GET /", "Sec-Fetch-Site: same-site\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n", false},
		} {
			got, _ := exchangeRaw(t, proxy, c.request+" HTTP/1.1\r\nHost: "+proxy+"\r\n"+c.fields+"Connection: close\r\n\r\n")
			if strings.HasPrefix(got, "HTTP/1.1 ") != c.answered || !c.answered && got != "" {
				t.Errorf("%s, with console %t: got %.60q", c.what, console, got)
			}
		}
	}
}

// TestOwnAddressOpensOwnPagesThroughTheProxy: phones ask their proxy for addresses of the
// house, too, and so for its own when somebody gets the certificate there.
func TestOwnAddressOpensOwnPagesThroughTheProxy(t *testing.T) {
	p, _ := newProxy(t, nil)
	for _, c := range []struct {
		local, url string
		status     int
		want       string
	}{
		{"192.168.1.1:8118", "http://192.168.1.1:8118/", 200, "http://192.168.1.1:8118/proxy.pac"},
		{"192.168.1.1:8118", "http://192.168.1.1:8118", 200, "http://192.168.1.1:8118/proxy.pac"},
		{"192.168.1.1:8118", "http://192.168.1.1:8118/proxy.pac", 200, `"PROXY 192.168.1.1:8118"`},
		{"[fd00::1]:80", "http://[fd00::1]/proxy.pac", 200, `"PROXY [fd00::1]:80"`},
		{"192.168.1.1:8118", "http://192.168.1.1:8118/ca.der", 404, "inspection"},
		{"192.168.1.1:8118", "http://192.168.1.1:8119/proxy.pac", 403, "destination refused"},
		{"192.168.1.1:8118", "http://192.168.1.2:8118/proxy.pac", 403, "destination refused"},
	} {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET " + c.url + " HTTP/1.1\r\nHost: x\r\n\r\n")))
		if err != nil {
			t.Fatal(err)
		}
		r.RemoteAddr = "127.0.0.1:1234"
		at := &connection{local: netip.MustParseAddrPort(c.local), shown: new(gate.Shown)}
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r.WithContext(context.WithValue(t.Context(), connectionKey{}, at)))
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s, to %s: %d, %.400q", c.url, c.local, w.Code, w.Body)
		}
	}
}

// TestWhatIsNotThereSaysWhatThisIs, with its pages and without them: a program that is told
// of a proxy, and asks it as it would a site, hears how to ask.
func TestWhatIsNotThereSaysWhatThisIs(t *testing.T) {
	for _, console := range []bool{true, false} {
		proxy := serveProxy(t, func(o *Options) { o.Console = console })
		for _, request := range []string{"GET /api?x=1", "POST /api", "POST /"} {
			got, _ := exchangeRaw(t, proxy, request+" HTTP/1.1\r\nHost: site.example\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			if !strings.HasPrefix(got, "HTTP/1.1 404 ") || !strings.Contains(got, "This is a proxy.") || !strings.Contains(got, "the whole URL") {
				t.Errorf("%s, with console %t: got %q", request, console, got)
			}
		}
	}
}

// TestProxysOwnOptions: an asterisk means the server that is asked (RFC 9110 §9.3.7).
func TestProxysOwnOptions(t *testing.T) {
	got, _ := exchangeRaw(t, serveProxy(t, nil), "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	if !strings.HasPrefix(got, "HTTP/1.1 204 ") || !strings.Contains(got, "\r\nAllow: GET, HEAD, ") {
		t.Errorf("got %q", got)
	}
}

// TestAnswersOfOurOwnAreForNoOtherPage, wherever the proxy is: a browser keeps them
// from it, as if nobody had answered, if they say so. A page can have it ask for
// what is malformed or too long as well, and for a site that fails.
func TestAnswersOfOurOwnAreForNoOtherPage(t *testing.T) {
	proxy := serveProxy(t, nil)
	for _, c := range []struct{ what, target, status string }{
		{"a page", "/proxy.pac", "200"},
		{"none", "/nothing", "404"},
		{"malformed", "/%zz", "400"},
		{"too long", "/" + strings.Repeat("x", 20<<10), "414"},
		{"a site that is closed", "http://10.0.0.1/", "403"},
		{"a site that cannot be", "http://a..b/", "400"},
	} {
		got, _ := exchangeRaw(t, proxy, "GET "+c.target+" HTTP/1.1\r\nHost: "+proxy+"\r\nConnection: close\r\n\r\n")
		if !strings.HasPrefix(got, "HTTP/1.1 "+c.status+" ") || !strings.Contains(got, "\r\nCross-Origin-Resource-Policy: same-origin\r\n") {
			t.Errorf("%s: got %.300q", c.what, got)
		}
	}
	led := failure{status: 307, title: "Secure only"}.response(&http.Request{}, false)
	if got := led.Header["Cross-Origin-Resource-Policy"]; got != nil {
		t.Errorf("a page of another site may not be led to https: %q", got)
	}
}
