package filters

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

func TestOwnAddressLeavesQueries(t *testing.T) {
	const browser = "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"
	page := http.Header{"User-Agent": {browser}, "Accept": {"text/html,application/xhtml+xml,*/*;q=0.8"}}
	part := http.Header{"User-Agent": {browser}, "Accept": {"*/*"}, "Sec-Fetch-Dest": {"empty"}, "Sec-Fetch-Mode": {"cors"}}
	for _, test := range []struct {
		client, method string
		header         http.Header
		sent, left     string // "" is as sent
	}{
		{"198.51.100.7", "GET", nil, "http://x.example/?ip=198.51.100.7", "http://x.example/"},
		{"198.51.100.7", "GET", nil, "http://x.example/p?a=1&u=198.51.100.7&b=%20", "http://x.example/p?a=1&b=%20"},
		{"198.51.100.7", "HEAD", nil, "http://x.example/?u=%3A%3Affff%3A198.51.100.7", "http://x.example/"},
		{"::ffff:198.51.100.7", "GET", nil, "http://x.example/?u=3325256711", "http://x.example/"},
		{"198.51.100.7", "GET", nil, "http://x.example/?u=0xc6336407", "http://x.example/"},
		{"198.51.100.7", "GET", nil, "http://x.example/?u=%31%39%38.51.100.7", "http://x.example/"},
		{"198.51.100.7", "GET", nil, "http://x.example/?d=%7B%22i%22%3A%22198.51.100.7%22%2C%22n%22%3A1%7D", "http://x.example/"},
		{"198.51.100.7", "GET", nil, "http://x.example/?d=eyJpIjoiMTk4LjUxLjEwMC43In0%3D", "http://x.example/"},
		{"198.51.100.7", "GET", nil, "http://x.example/?h=1b2f8dc5dc1dd4ad2be67dd0e1b8b96d&a", "http://x.example/?h=1b2f8dc5dc1dd4ad2be67dd0e1b8b96d&a"}, // another's digest
		{"198.51.100.7", "GET", nil, "http://x.example/?u=http://a.example/?ip=198.51.100.7", "http://x.example/"},
		{"2001:db8::17", "GET", nil, "http://x.example/?u=2001:db8:0:0:0:0:0:17&a", "http://x.example/?a"},

		{"198.51.100.7", "GET", nil, "http://r.stripe.example/?ip=198.51.100.7", "http://r.stripe.example/"},
		{"198.51.100.7", "GET", nil, "http://bf1.dynatrace.example/?ip=198.51.100.7", "http://bf1.dynatrace.example/"},

		// Not the client's own.
		{"198.51.100.7", "GET", nil, "http://x.example/?ip=198.51.100.8", ""},
		{"198.51.100.7", "GET", nil, "http://x.example/?ip=1198.51.100.7", ""},
		{"127.0.0.1", "GET", nil, "http://x.example/?ip=127.0.0.1", ""},
		{"::1", "GET", nil, "http://x.example/?ip=::1", ""},
		{"::ffff:127.0.0.2", "GET", nil, "http://x.example/?ip=127.0.0.2", ""},
		{"10.0.0.5", "GET", nil, "http://x.example/?bbox=10,0,0,5&b=10%2C0%2C0%2C5", ""},
		{"10.0.0.5", "GET", nil, "http://x.example/?v=10.0.0.5&appVersion=10.0.0.5", ""},

		// Signed, or a credential's.
		{"198.51.100.7", "GET", nil, "http://x.example/?ip=198.51.100.7&sig=a", ""},
		{"198.51.100.7", "GET", http.Header{"Authorization": {`Digest username="a", uri="/?ip=198.51.100.7"`}}, "http://x.example/?ip=198.51.100.7", ""},
		{"198.51.100.7", "GET", nil, "http://x.example/?access_token=198.51.100.7.a", ""},

		// A page's, which could try many.
		{"198.51.100.7", "GET", part, "http://x.example/?a=198.51.100.6&b=198.51.100.7", ""},
		{"198.51.100.7", "POST", http.Header{"User-Agent": {browser}}, "http://x.example/?u=198.51.100.7&a", ""},

		// Asked about, or wanted there.
		{"198.51.100.7", "GET", page, "http://x.example/?ip=198.51.100.7", ""},
		{"198.51.100.7", "GET", nil, "http://x.example/?q=198.51.100.7", ""},
		{"198.51.100.7", "GET", nil, "http://x.example/whois?a=198.51.100.7", ""},
		{"198.51.100.7", "GET", nil, "http://x.example/geoip.php?a=198.51.100.7", ""},
		{"198.51.100.7", "GET", nil, "http://ip-api.example/json?a=198.51.100.7", ""},
		{"198.51.100.7", "GET", nil, "http://ip2location.example/?a=198.51.100.7", ""},
		{"198.51.100.7", "GET", nil, "http://checkip4.example/?a=198.51.100.7", ""},
		{"198.51.100.7", "GET", nil, "http://whatismyipaddress.example/?a=198.51.100.7", ""},
		{"198.51.100.7", "GET", nil, "http://api.abuseipdb.example/?a=198.51.100.7", ""},
		{"198.51.100.7", "GET", nil, "http://freedns.example/?a=198.51.100.7", ""},
		{"198.51.100.7", "GET", nil, "http://members.example/nic/update?hostname=h&myip=198.51.100.7", ""},
		{"198.51.100.7", "GET", nil, "http://198.51.100.7/?a=198.51.100.7", ""},
		{"198.51.100.7", "GET", nil, "http://x.example/198.51.100.7?a=198.51.100.7", ""},
		{"198.51.100.7", "GET", nil, "http://x.example/?redirect_uri=http%3A%2F%2F198.51.100.7%3A8123%2Fauth", ""},
		{"198.51.100.7", "GET", nil, "http://x.example/dns-query?dns=AAABAAABAAAAAAAAATcDMTAwAjUxAzE5OAdpbi1hZGRyBGFycGEAAAwAAQ", ""},
		{"198.51.100.7", "PUT", http.Header{"User-Agent": {"curl/8"}}, "http://x.example/?ip=198.51.100.7", ""},
	} {
		if test.left == "" {
			test.left = test.sent
		}
		h := test.header.Clone()
		if h == nil {
			h = http.Header{}
		}
		r := newRequest(t, test.method, test.sent, h)
		s := newSet(t, Options{})
		m := s.Read(r, netip.MustParseAddr(test.client))
		log := cleanURL{}.Apply(m, nil)
		if got := r.URL.String(); got != test.left {
			t.Errorf("%s of %s: %s became %s, want %s", test.method, test.client, test.sent, got, test.left)
		}
		if len(log) > 0 != (test.sent != test.left) {
			t.Errorf("%s: logged %v", test.sent, log)
		}
	}
}

// Where an answer leads, and what follows it, is the same for all clients.
func TestAnswersLeadAllClientsToTheSame(t *testing.T) {
	s := newSet(t, Options{})
	left := func(client string) string {
		r := newRequest(t, "GET", "http://site.example/", http.Header{"Accept": {"*/*"}})
		m, _ := s.Scrub(new(Recent), r, netip.MustParseAddr(client), nil)
		m.Response = &http.Response{StatusCode: http.StatusFound, Request: r, Header: http.Header{
			"Location": {"/?a=192.168.1.6&b=192.168.1.7&c=3232235783"}}}
		s.Response(&m, nil)
		trailer := http.Header{"X-T": {"192.168.1.7"}}
		s.Trailer(&m, trailer, nil)
		return fmt.Sprint(m.Response.Header, trailer)
	}
	if one, other := left("192.168.1.6"), left("192.168.1.7"); one != other {
		t.Errorf("to one %s, to another %s", one, other)
	}
}

func BenchmarkOwnAddressInQuery(b *testing.B) {
	for name, query := range map[string]string{
		"short": "a=1&page=2&sort=name", "usual": "id=4711&title=some-title-of-a-thing&callback=jQuery1234567890_1700000000000&_=1700000000001",
		"long": "d=" + strings.Repeat("aGVsbG8gd29ybGQ%3D", 400),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m := &Message{Client: netip.MustParseAddr("198.51.100.7"), Request: &http.Request{Method: "GET", URL: &url.URL{Scheme: "http", Host: "x.example", Path: "/", RawQuery: query}, Header: http.Header{}}}
				cleanURL{}.Apply(m, nil)
			}
		})
	}
}
