package filters

import (
	"net/http"
	"net/netip"
	"testing"
)

// What is stored with an object is given out with it: a page that was uploaded to be
// kept for a year is not to be kept for an hour.
func TestWhatIsStoredKeepsItsLifetime(t *testing.T) {
	const (
		browser = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
		year    = "public, max-age=31535999, immutable"
		date    = "Thu, 01 Dec 2033 16:00:00 GMT"
	)
	for _, test := range []struct {
		name, method, agent, accept string
		control, expires            string // as sent
		wantControl, wantExpires    string
	}{
		{"an upload", "PUT", "aws-cli/2", "*/*", year, date, year, date},
		{"the first request of an upload in parts", "POST", "aws-cli/2", "*/*", "s-maxage=7, private", date, "s-maxage=7, private", date},
		{"a script's upload", "PUT", browser, "*/*", year, "", year, ""},
		{"a script's change", "PATCH", browser, "*/*", year, "", year, ""},
		{"a lifetime that is none", "PUT", "aws-cli/2", "*/*", "public, max-age=who4711", "", "", ""},
		{"a lifetime that is left open", "PUT", "aws-cli/2", "*/*", "public, max-age=", "", "", ""},
		{"a script's upload of a page", "PUT", browser, "*/*", "no-cache", "", "no-cache", ""},
		{"a script's upload in parts", "POST", browser, "*/*", "max-age=60", "", "max-age=60", ""},
		{"a request that a page made again", "POST", browser, "*/*", "max-age=0", "", "", ""},
		{"a form that was sent again", "POST", browser, "text/html,application/xhtml+xml,*/*;q=0.8", "max-age=0", "", "", ""},
		{"a form with more", "POST", browser, "text/html,application/xhtml+xml,*/*;q=0.8", year, "", "", ""},
		{"a directive that nobody knows", "PUT", "aws-cli/2", "*/*", "public, visitor=4711", "", "", ""},
		{"a directive that comes twice", "PUT", "aws-cli/2", "*/*", "max-age=60, max-age=4711", "", "max-age=60", ""},
		{"no date", "PUT", "aws-cli/2", "*/*", "", "visitor 4711", "", ""},
		{"a download", "GET", "aws-cli/2", "*/*", year, date, "max-age=31532400", ""},
		{"a page", "GET", browser, "text/html,application/xhtml+xml,*/*;q=0.8", year, date, "", ""},
	} {
		h := http.Header{"User-Agent": {test.agent}, "Accept": {test.accept}}
		for name, value := range map[string]string{"Cache-Control": test.control, "Expires": test.expires} {
			if value != "" {
				h[name] = []string{value}
			}
		}
		s := newSet(t, Options{})
		m := s.Read(newRequest(t, test.method, "http://store.example/k", h), netip.Addr{})
		s.Onward(m, s.Request(m, nil))
		if got := m.Request.Header.Get("Cache-Control"); got != test.wantControl {
			t.Errorf("%s: Cache-Control: %s became %q, want %q", test.name, test.control, got, test.wantControl)
		}
		if got := m.Request.Header.Get("Expires"); got != test.wantExpires {
			t.Errorf("%s: Expires: %s became %q", test.name, test.expires, got)
		}
	}
}

// A page's script that signs what it says to caches has it reach the store.
func TestSignedDirectivesOfAScriptPass(t *testing.T) {
	for signed, want := range map[string]string{"cache-control;host": "no-cache", "host": ""} {
		h := http.Header{"User-Agent": {"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}, "Sec-Fetch-Dest": {"empty"}, "Cache-Control": {"no-cache"},
			"Authorization": {"AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/s3/aws4_request, SignedHeaders=" + signed + ", Signature=00"}}
		s := newSet(t, Options{})
		m := s.Read(newRequest(t, "POST", "https://b.s3.example/k?uploads", h), netip.Addr{})
		s.Onward(m, s.Request(m, nil))
		if got := m.Request.Header.Get("Cache-Control"); got != want {
			t.Errorf("signed %s: got %q", signed, got)
		}
	}
}

// Kits for storage sign what is stored with an object: botocore all but four fields,
// that of Tencent Cloud what it lists itself.
func TestSignedLifetimesPassUntouched(t *testing.T) {
	for authorization, url := range map[string]string{
		"AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/s3/aws4_request, SignedHeaders=cache-control;expires;host, Signature=00":              "https://b.s3.example/k",
		"q-sign-algorithm=sha1&q-ak=A&q-sign-time=1;2&q-key-time=1;2&q-header-list=cache-control;expires;host&q-url-param-list=&q-signature=00": "https://b.cos.example/k",
		"": "https://b.cos.example/k?q-sign-algorithm=sha1&q-ak=A&q-header-list=cache-control%3Bexpires%3Bhost&q-url-param-list=&q-signature=00",
	} {
		h := http.Header{"User-Agent": {"tool/1"}, "Cache-Control": {"Public,max-age=5,  x-mine"}, "Expires": {"2033-12-01T16:00:00Z"}}
		if authorization != "" {
			h["Authorization"] = []string{authorization}
		}
		s := newSet(t, Options{})
		m := s.Read(newRequest(t, "PUT", url, h), netip.Addr{})
		s.Onward(m, s.Request(m, nil))
		if got := m.Request.Header; got.Get("Cache-Control") != "Public,max-age=5,  x-mine" || got.Get("Expires") != "2033-12-01T16:00:00Z" {
			t.Errorf("%s %s: left %v", authorization, url, got)
		}
	}
}
