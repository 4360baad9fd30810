package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"guise/cache"
	"guise/proxy/gate"
)

// stored is a response that ends for a client once it is stored.
const stored = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"

// TestPurgeKnowsWhatPeopleName: a URL as an address bar has it, and a host as
// somebody writes it, though neither was sent so.
func TestPurgeKnowsWhatPeopleName(t *testing.T) {
	// An upstream proxy has every name lead to one origin.
	hop := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			if line == "\r\n" {
				io.WriteString(conn, strings.Replace(stored, "max-age", "public, max-age", 1))
			}
		}
	})
	const signature = "Authorization: AWS4-HMAC-SHA256 Credential=AK/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=ab"
	p, address := newProxy(t, func(o *Options) {
		o.Cache.Sharing = cache.Shared
		o.Egress.Chain = []*url.URL{{Scheme: "http", Host: hop.address}}
	})
	for _, c := range []struct {
		asked, what string
		fields      []string
	}{
		{"http://site.example/b?utm_source=mail", "http://site.example/b?utm_source=mail", []string{signature}},
		{"http://site.example/a?q=1&utm_source=mail", "http://site.example/a?q=1&utm_source=mail", nil},
		{"http://site.example/a?q=1", "http://me:secret@SITE.example:80/a?q=1&fbclid=2#part", nil},
		{"http://xn--bcher-kva.example/", "http://bücher.example/", nil},
		{"http://xn--bcher-kva.example/", "Bücher.example", nil},
		{"http://8.8.8.8/", "8.8.8.8", nil},
		{"http://[2606:4700::1]/", "[2606:4700:0::1]", nil},
		{"http://site.example/", "site.example.", nil},
		{"http://site.example/", "*", nil},
	} {
		get(t, address, c.asked, c.fields...)
		if n := p.cache.Stats().Resources; n != 1 {
			t.Fatalf("%s: %d resources stored", c.asked, n)
		}
		r := httptest.NewRequest("POST", "/purge", strings.NewReader(url.Values{"what": {c.what}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		p.Purge(w, r)
		if n := p.cache.Stats().Resources; w.Code != 200 || n != 0 {
			t.Errorf("%q: %d, and %d resources left of %s", c.what, w.Code, n, c.asked)
			p.cache.PurgeAll()
		}
	}
}

// TestForgetEndsWhatIsTheClientsAlone, at the proxy's own address, without a word of
// who the client is: its partition would recognise it afterwards.
func TestForgetEndsWhatIsTheClientsAlone(t *testing.T) {
	o := serveOrigin(t, answer(stored))
	p, address := newProxy(t, func(o *Options) { o.Cache.Sharing = cache.PerClient })
	get(t, address, "http://"+o.address+"/")
	if n := p.cache.Stats().Resources; n != 1 {
		t.Fatalf("%d resources stored", n)
	}
	// A site that had its hosts become tunnels would know it by them, too.
	memory := p.current.Load().inspects.memory
	client := gate.Entrant{Address: netip.MustParseAddr("127.0.0.1")}.Visitor()
	memory.Refused(client, "site.example", 0)
	got, _ := exchangeRaw(t, address, "POST /forget HTTP/1.1\r\nHost: "+address+"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	if n := p.cache.Stats().Resources; n != 0 || !strings.HasPrefix(got, "HTTP/1.1 200 ") {
		t.Errorf("%d resources left after %q", n, got)
	}
	if _, left := memory.Fallback(client, "site.example"); left {
		t.Error("a host is still left alone for it")
	}
}

// TestClosedHostIsNotAnsweredFromTheCache: a reload closes what is stored as well, also
// where only a look-up would tell that the host is closed.
func TestClosedHostIsNotAnsweredFromTheCache(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "localhost"} {
		o := serveOrigin(t, answer(stored))
		_, port, _ := net.SplitHostPort(o.address)
		url := "http://" + host + ":" + port + "/"
		var options Options
		p, address := newProxy(t, func(p *Options) {
			p.Cache.Sharing = cache.Shared
			options = *p
		})
		reload := func() {
			if err := p.Reload(options); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if resp, _ := get(t, address, url); resp.StatusCode != 200 {
				t.Fatalf("%s before: %d", host, resp.StatusCode)
			}
			reload() // of the same
		}
		if n := strings.Count(o.saw(), "GET / "); n != 1 {
			t.Fatalf("%s was asked %d times, so nothing is stored", host, n)
		}
		options.Egress.Deny = []string{"127.0.0.1"}
		reload()
		if resp, body := get(t, address, url); resp.StatusCode != 403 {
			t.Errorf("%s after: %d %q", host, resp.StatusCode, body)
		}
	}
}
