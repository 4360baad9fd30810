package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"guise/proxy/gate"
	"guise/proxy/inspect"
)

// TestPagesAboutInspection: the certificate to import, and what was left alone.
func TestPagesAboutInspection(t *testing.T) {
	p, proxy := newProxy(t, inspecting(inspect.Auto))
	p.current.Load().inspects.memory.Left(inspect.Pinned)
	page := func(path string) string {
		got, _ := exchangeRaw(t, proxy, "GET "+path+" HTTP/1.1\r\nHost: "+proxy+"\r\nConnection: close\r\n\r\n")
		return got
	}
	if got := page("/ca.pem"); !strings.Contains(got, "BEGIN CERTIFICATE") || strings.Contains(got, "PRIVATE") {
		t.Errorf("got %.300q", got)
	}
	if got := page("/ca.mobileconfig"); !strings.Contains(got, "application/x-apple-aspen-config") {
		t.Errorf("got %.300q", got)
	}
	if got := page("/inspection"); !strings.Contains(got, "1 left as tunnels: the client refuses guise's certificate") {
		t.Errorf("got %q", got)
	}
	if got := page("/"); !strings.Contains(got, "guise is running") || !strings.Contains(got, `href="/ca.mobileconfig"`) {
		t.Errorf("the start page leads nobody to the certificate: %q", got)
	}
	if got, _ := exchangeRaw(t, proxy, "POST /ca.pem HTTP/1.1\r\nHost: "+proxy+"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"); strings.Contains(got, "CERTIFICATE") || !strings.HasPrefix(got, "HTTP/1.1 4") {
		t.Errorf("to POST: %.100q", got)
	}
	off := serveProxy(t, nil)
	if got, _ := exchangeRaw(t, off, "GET / HTTP/1.1\r\nHost: x:1\r\nConnection: close\r\n\r\n"); !strings.Contains(got, "encrypted tunnel") || strings.Contains(got, "/ca.pem") {
		t.Errorf("without inspection the start page says %q", got)
	}
	if got, _ := exchangeRaw(t, off, "GET /ca.pem HTTP/1.1\r\nHost: x:1\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 404") || !strings.Contains(got, "inspection.enabled") {
		t.Errorf("without inspection: %q", got)
	}
}

// TestSitesDoNotReadTheCertificate: it tells one house from all others, and a
// site's name may lead to the proxy (DNS rebinding).
func TestSitesDoNotReadTheCertificate(t *testing.T) {
	proxy := serveProxy(t, inspecting(inspect.Auto))
	for host, status := range map[string]string{proxy: "200", "box.lan:8118": "200", "site.example:8118": "403"} {
		for _, path := range []string{"/ca.pem", "/ca.der", "/ca.mobileconfig", "/inspection"} {
			got, _ := exchangeRaw(t, proxy, "GET "+path+" HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n")
			if !strings.HasPrefix(got, "HTTP/1.1 "+status) || status != "200" && strings.Contains(got, "CERTIFICATE") {
				t.Errorf("%s at %s: %.60q, want %s", path, host, got, status)
			}
			if head, _, _ := strings.Cut(got, "\r\n\r\n"); !strings.Contains(head, "\r\nCache-Control: no-store") || !strings.Contains(head, "\r\nX-Content-Type-Options: nosniff") {
				t.Errorf("%s at %s may be kept, or taken for something else: %q", path, host, head)
			}
		}
	}
}

// TestCountsAreForWhoSitsHere: others would see by them when somebody else comes.
func TestCountsAreForWhoSitsHere(t *testing.T) {
	p, _ := newProxy(t, inspecting(inspect.Auto))
	for from, status := range map[string]int{"127.0.0.1:5": 200, "[::1]:5": 200, "[::ffff:192.168.1.1]:5": 200, "192.168.1.2:5": 404} {
		c := &connection{local: netip.MustParseAddrPort("192.168.1.1:8118")}
		r := httptest.NewRequestWithContext(context.WithValue(t.Context(), connectionKey{}, c), "GET", "/inspection", nil)
		r.RemoteAddr, r.Host = from, "192.168.1.1:8118"
		w := httptest.NewRecorder()
		p.ownPage(p.current.Load(), w, r)
		if w.Code != status {
			t.Errorf("from %s: %d", from, w.Code)
		}
	}
}

// TestWhoIsInside: requests inside are of whoever proved to be there by the
// CONNECT, and end with the right to be.
func TestWhoIsInside(t *testing.T) {
	o := serveSecure(t, greet, nil, "http/1.1")
	users := withUsers(t)
	var options Options
	p, proxy := newProxy(t, func(edit *Options) {
		inspecting(inspect.Always)(edit)
		users(edit)
		options = *edit
	})
	conn := dial(t, proxy)
	io.WriteString(conn, "CONNECT "+o.address+" HTTP/1.1\r\nHost: x\r\n"+authorization("ann", "secret")+"\r\n\r\n")
	if resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: "CONNECT"}); err != nil || resp.StatusCode != 200 {
		t.Fatal(resp, err)
	}
	tc := tls.Client(conn, &tls.Config{RootCAs: trusting(testAuthority()), ServerName: "127.0.0.1"})
	ask := func() (*http.Response, error) {
		io.WriteString(tc, "GET / HTTP/1.1\r\nHost: "+o.address+"\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(tc), nil)
		if err == nil {
			io.Copy(io.Discard, resp.Body)
		}
		return resp, err
	}
	if resp, err := ask(); err != nil || resp.StatusCode != 200 {
		t.Fatal(resp, err)
	}
	for _, r := range o.saw() {
		if r.Header.Get("Proxy-Authorization") != "" {
			t.Error("credentials reach the origin")
		}
	}
	if err := gate.RemoveUser(options.Gate.Users, "ann"); err != nil {
		t.Fatal(err)
	}
	if err := p.Reload(options); err != nil {
		t.Fatal(err)
	}
	if resp, err := ask(); err == nil {
		t.Errorf("a user who is no more: %d", resp.StatusCode)
	}
	if n := len(o.saw()); n != 1 {
		t.Errorf("%d requests reached the origin", n)
	}
}

// TestAlertsAreTold, whether they come within the handshake or, as in TLS 1.3 from an
// origin that wants a client's certificate, after it (RFC 9209 §2.3.15).
func TestAlertsAreTold(t *testing.T) {
	for name, c := range map[string]struct {
		version uint16
		alert   string
	}{
		"within": {tls.VersionTLS12, "tls_alert_received;alert-id=40"},
		"after":  {tls.VersionTLS13, "tls_alert_received;alert-id=116"},
	} {
		for _, protocol := range []string{"http/1.1", "h2"} {
			t.Run(name+" "+protocol, func(t *testing.T) {
				o := serveSecure(t, func(http.ResponseWriter, *http.Request) {}, func(config *tls.Config) {
					config.ClientAuth, config.MaxVersion = tls.RequireAnyClientCert, c.version
				}, protocol)
				client := visitor(t, serveProxy(t, inspecting(inspect.Always)), trusting(testAuthority()), false)
				resp, _, err := read(client, "https://"+o.address+"/")
				if err != nil || resp.StatusCode != 502 || resp.Header.Get("Proxy-Status") != "guise;error="+c.alert {
					t.Errorf("%v, %v; want %s", resp, err, c.alert)
				}
			})
		}
	}
}
