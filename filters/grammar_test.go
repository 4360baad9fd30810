package filters

import (
	"maps"
	"net/http"
	"strings"
	"testing"
)

// A field that may pass does so with values that it can have: a canary in its
// place is none.
func TestFieldsKeepToTheirGrammar(t *testing.T) {
	for name, values := range map[string]string{
		"Accept-Datetime":               "Thu, 31 May 2007 20:35:00 GMT",
		"Content-Encoding":              "gzip|br, identity|aws-chunked|bzip2|s2|x-snappy-framed, gzip",
		"Content-Language":              "de|en-US, zh-Hant-TW|es-419",
		"Content-Range":                 "bytes 0-9/100|bytes */100|bytes */*|bytes 5-9/*|items 0-1/2|0-1023|bytes=0-9/100|bytes 0-9",
		"Content-Md5":                   "Q2hlY2sgSW50ZWdyaXR5IQ==",
		"Content-Digest":                "sha-256=:4REjxQ4yrqUVicfSKYNO/cF9zNj5ANbzgDZt3/h3Qxo=:, md5=:Q2hlY2sgSW50ZWdyaXR5IQ==:",
		"Digest":                        "SHA-256=4REjxQ4yrqUVicfSKYNO/cF9zNj5ANbzgDZt3/h3Qxo=,crc32c=c1NW4A==|unixsum=30637|adler32=03da0195",
		"Access-Control-Request-Method": "PUT|M-SEARCH",
		"Depth":                         "0|Infinity|1,noroot",
		"Timeout":                       "Infinite, Second-4100000000",
		"Git-Protocol":                  "version=2|version=1:object-format=sha256",
		"Grpc-Timeout":                  "1S|99999999n",
		"Grpc-Accept-Encoding":          "identity,gzip",
		"Grpc-Encoding":                 "gzip|lz4|s2",
		"A-Im":                          "vcdiff, gzip;q=0.3|gzip;q=1, vcdiff;q=0|feed",
		"Odata-Version":                 "4.01",
		"Tus-Resumable":                 "1.0.0",
		"X-Oc-Mtime":                    "1763900000|1763900000.5",
		"X-Http-Method-Override":        "PATCH",
		"Npm-Command":                   "run-script",
		"Upload-Offset":                 "0|104857600",
		"Upload-Complete":               "?0",
		"X-Amz-Date":                    "20260101T000000Z|Sat, 29 Oct 1994 19:43:31 GMT",
		"Login-Customer-Id":             "1234567890",
		"X-Middleware-Prefetch":         "1",
		"Content-Transfer-Encoding":     "base64",
		"Stripe-Version":                "2026-01-28.acacia|2024-06-20|2024-06-20; custom_checkout_beta=v1; other_beta=v2",
		"Kbn-Version":                   "8.15.0|9.0.0-SNAPSHOT",
		"If-Unmodified-Since":           "Sat, 29 Oct 1994 19:43:31 GMT",
	} {
		for i, value := range append(strings.Split(values, "|"), "kzq7canary93fwx", "kzq7canary, 93") {
			m := scriptRequest(name, value)
			m.Request.Method, m.Request.ContentLength = http.MethodPost, 5
			if strings.HasPrefix(name, "Access-Control-") {
				m.Request.Method = http.MethodOptions
			}
			clean(m)
			if got, want := m.Request.Header.Get(name) == value, i <= strings.Count(values, "|"); got != want {
				t.Errorf("%s: %s: passes %v", name, value, got)
			}
		}
	}
}

// passNone fails the test for each of the values, with | between them, that a field of
// that name keeps.
func passNone(t *testing.T, fields map[string]string) {
	t.Helper()
	for name, values := range fields {
		for value := range strings.SplitSeq(values, "|") {
			m := scriptRequest(name, value)
			m.Request.Method, m.Request.ContentLength = http.MethodPost, 5
			if clean(m); m.Request.Header[name] != nil {
				t.Errorf("%s: %s passes", name, value)
			}
		}
	}
}

// TestNearlyRightValuesAreNone: what a grammar leaves open by a letter spells something.
func TestNearlyRightValuesAreNone(t *testing.T) {
	passNone(t, map[string]string{
		"If-Modified-Since":   "Thursday, 26-Nov-26 21:40:22 CET",
		"If-Unmodified-Since": "Thursday, 26-Nov-26 21:40:22 PDT",
		"Content-Digest":      "mine=:Q2hlY2sgSW50ZWdyaXR5IQ==:|sha-256=Q2hlY2sgSW50ZWdyaXR5IQ==|sha-256=::|sha-256=:Q2hlQ|sha-256=:who am i:|sha-256=:" + strings.Repeat("Q2hl", 23) + ":",
		"Digest":              "mine=Q2hlY2sgSW50ZWdyaXR5IQ==|sha-256=who_am_i|sha-256=",
		"Content-Language":    "de-1234567|d|en-us-x-kzq7canary|en-us-de-fr-it|en-us-123-456-789",
		"Timeout":             "4711|Second-|Second-04711",
		"Grpc-Timeout":        "S|123456789S|x1S|1x",
		"A-Im":                "gzip;4711|gzip;q=4711|kzq7canary",
		"Upload-Offset":       "104857600104857600104|.5",
		"T":                   "4911512345678",
		"Git-Protocol":        "version=471|object-format=mine|version=1:version=2",
	})
}

// Some clients send a field that they have nothing to say in, and others do not.
func TestFieldsThatSayNothingGo(t *testing.T) {
	for name, goes := range map[string]bool{"Authorization": true, "If-None-Match": true, "If-Match": true, "Idempotency-Key": true, "Content-Disposition": true, "Soapaction": true, "X-Csrf-Token": false, "Turbo-Frame": false} {
		for _, lines := range [][]string{{""}, {"", ""}} {
			m := scriptRequest()
			m.Request.Method, m.Request.ContentLength, m.Request.Header[name] = http.MethodPost, 5, lines
			if clean(m); (m.Request.Header[name] == nil) != goes {
				t.Errorf("%s %q: left %v", name, lines, m.Request.Header)
			}
		}
	}
}

// A preflight that names a field in the way that its page does must not fail:
// any token is a name (RFC 9110 §5.1).
func TestPreflightsMayNameAnyField(t *testing.T) {
	const list = "content-type,__requestverificationtoken, .crumb,$wspr,x!a"
	m := scriptRequest("Origin", "https://a.example", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", list)
	m.Request.Method = http.MethodOptions
	if clean(m); m.Request.Header.Get("Access-Control-Request-Headers") != list {
		t.Errorf("left %v", m.Request.Header)
	}
}

// What has few values cannot spell an identifier with them.
func TestFewValuesSpellNothing(t *testing.T) {
	passNone(t, map[string]string{
		"A-Im":                   "feed;kzq7canary93|feed, gzip, feed|gdiff;q=0.8211|gdiff;q=canary",
		"Git-Protocol":           "version=1:version=2:version=1",
		"Grpc-Accept-Encoding":   "gzip,identity,gzip|gzip,GZIP,gZip",
		"Odata-Maxversion":       "4.711",
		"Tus-Resumable":          "81726354",
		"X-Http-Method-Override": "KZQCANARYFWX",
		"Timeout":                "Infinite, Second-1, Infinite|Second-81726354817263548172|Second-0001",
	})
}

func TestContentTypeKeepsWhatTellsHowToRead(t *testing.T) {
	for _, test := range []struct{ sent, got string }{
		{"application/json; charset=utf-8", "application/json; charset=utf-8"},
		{`multipart/form-data;boundary="a; b"`, `multipart/form-data;boundary="a; b"`},
		{`multipart/related; type="application/dicom"; start="<a>"; boundary=x`, `multipart/related; type="application/dicom"; start="<a>"; boundary=x`},
		{`application/soap+xml;charset=UTF-8;action="urn:a#b"`, `application/soap+xml;charset=UTF-8;action="urn:a#b"`},
		{`application/json;odata.metadata=minimal;IEEE754Compatible=true`, `application/json;odata.metadata=minimal;IEEE754Compatible=true`},
		{"audio/l16; rate=16000; channels=1; endianness=little-endian", "audio/l16; rate=16000; channels=1; endianness=little-endian"},
		{"audio/lpcm; sample-rate=8000; sample-size-bits=16; channel-count=1; is-big-endian=false", "audio/lpcm; sample-rate=8000; sample-size-bits=16; channel-count=1; is-big-endian=false"},
		{"application/fhir+json; fhirVersion=4.0", "application/fhir+json; fhirVersion=4.0"},
		{"application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; escaping=dots", "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; escaping=dots"},
		{"text/plain; canary=1; charset=utf-8", "text/plain; charset=utf-8"},
		{`text/plain; charset=utf-8; name="canary; x"`, "text/plain; charset=utf-8"},
	} {
		m := scriptRequest("Content-Type", test.sent)
		m.Request.Method, m.Request.ContentLength = http.MethodPost, 5
		if log := clean(m); m.Request.Header.Get("Content-Type") != test.got || len(log) > 1 {
			t.Errorf("%s became %q", test.sent, m.Request.Header.Get("Content-Type"))
		}
	}
}

// Fields that serve some requests serve no other.
func TestFieldsOfOtherRequestsGo(t *testing.T) {
	for _, name := range []string{"Content-Language", "Content-Location", "Content-Disposition", "Content-Acme", "Repr-Digest", "Slug", "Access-Control-Request-Method"} {
		m := scriptRequest(name, "en")
		if clean(m); len(m.Request.Header) != 0 {
			t.Errorf("%s passes in a GET", name)
		}
	}
}

// A type without content, which some servers want, is one that is in use.
func TestTypeOfNoContentIsAKnownOne(t *testing.T) {
	for sent, want := range map[string]string{
		"application/json": "application/json", "application/json; charset=UTF-8": "application/json;charset=utf-8",
		"Application/X-WWW-Form-Urlencoded": "application/x-www-form-urlencoded", "application/vnd.api+json": "application/vnd.api+json",
		"text/x-visitor-4711": "", "visitor": "", "": "", "application/json; profile=visitor": "application/json", "multipart/form-data; boundary=visitor": "multipart/form-data",
	} {
		m := scriptRequest("Content-Type", sent)
		if clean(m); m.Request.Header.Get("Content-Type") != want {
			t.Errorf("%q became %v", sent, m.Request.Header["Content-Type"])
		}
		m = scriptRequest("Content-Type", sent)
		m.Request.Method, m.Request.ContentLength = http.MethodPost, 5
		if clean(m); sent == "text/x-visitor-4711" && m.Request.Header.Get("Content-Type") != sent {
			t.Errorf("of content: became %v", m.Request.Header["Content-Type"])
		}
	}
}

// Servers of APIs want a Content-Type with every request, those of pages do not.
func TestPagesAreAskedForWithoutAContentType(t *testing.T) {
	for accept, passes := range map[string]bool{"text/html,application/xhtml+xml,*/*": false, "image/webp,*/*": false, "*/*": true, "application/json": true} {
		h := http.Header{"Accept": {accept}, "Content-Type": {"application/x-www-form-urlencoded"}}
		scrubbed(t, newSet(t, Options{}), newRequest(t, "GET", "http://site.example/", h))
		if (h["Content-Type"] != nil) != passes {
			t.Errorf("%s: passes %v", accept, !passes)
		}
	}
}

// What a browser asks for and says so holds nothing that a script could add.
func TestPagesAndTheirPartsHoldBrowserFieldsOnly(t *testing.T) {
	s := newSet(t, Options{Persona: "off"})
	for _, dest := range []string{"document", "image", "script", "style", "font", "video"} {
		for name, passes := range map[string]bool{
			"X-Api-Key": false, "X-Amz-Date": false, "Idempotency-Key": false, "Turbo-Frame": false, "If-Match": false,
			"Prefer": false, "Last-Event-Id": false, "Authorization": true, "If-Range": true,
		} {
			r := newRequest(t, "GET", "https://site.example/", http.Header{"Sec-Fetch-Dest": {dest}, name: {"return=minimal"}})
			scrubbed(t, s, r)
			if got := r.Header[name] != nil; got != passes {
				t.Errorf("%s with destination %s: passes %v", name, dest, got)
			}
		}
	}
}

// Browsers say to https alone what they ask for. To plain http its Accept tells, and
// what no script could add holds no more there.
func TestPagesOnPlainHTTPHoldBrowserFieldsOnly(t *testing.T) {
	s := newSet(t, Options{})
	for _, accept := range []string{"text/html,application/xhtml+xml,*/*;q=0.8", "image/webp,*/*;q=0.8", "text/css,*/*;q=0.1"} {
		for field, passes := range map[string]bool{
			"Idempotency-Key: 8e03978e": false, `If-Match: "me"`: false, "If-Unmodified-Since: Sat, 29 Oct 1994 19:43:31 GMT": false,
			"Prefer: wait=10": false, "Want-Digest: md5": false, "Expect: 100-continue": false, "Slug: me": false,
			"Authorization: Basic YTpi": true, `If-None-Match: "a"`: true, "Range: bytes=0-1": true, "Cache-Control: no-cache": true, "Turbo-Frame: list": true,
		} {
			name, value, _ := strings.Cut(field, ": ")
			h := http.Header{"Accept": {accept}, name: {value}}
			if scrubbed(t, s, newRequest(t, "GET", "http://site.example/", h)); (h[name] != nil) != passes {
				t.Errorf("Accept: %s: %s: passes %v", accept, name, !passes)
			}
			h = http.Header{"Accept": {"*/*"}, name: {value}}
			if scrubbed(t, s, newRequest(t, "GET", "http://site.example/", h)); (h[name] != nil) != (passes || name != "Slug") {
				t.Errorf("a program's: %s: passes %v", name, h[name] != nil)
			}
		}
	}
}

// A validator names the copy that somebody has. Browsers ask about one with GET, programs
// before they change something as well; with OPTIONS nobody.
func TestValidatorsGoFromWhatAsksForNoCopy(t *testing.T) {
	page := http.Header{"Accept": {"text/html,application/xhtml+xml,*/*;q=0.8"}, "User-Agent": {firefoxAgent}}
	form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Accept": {"text/html,application/xhtml+xml,*/*;q=0.8"}, "User-Agent": {firefoxAgent}}
	beacon := http.Header{"Content-Type": {"text/plain"}, "User-Agent": {firefoxAgent}, "Sec-Fetch-Dest": {"empty"}, "Sec-Fetch-Mode": {"no-cors"}, "Sec-Fetch-Site": {"same-origin"}}
	for _, test := range []struct {
		what, method string
		h            http.Header
		passes       bool
	}{
		{"a form", "POST", form, false}, {"a beacon", "POST", beacon, false}, {"a program's OPTIONS", "OPTIONS", nil, false},
		{"a program's PUT", "PUT", nil, true}, {"a page", "GET", page, true},
	} {
		h := http.Header{"If-None-Match": {`"me"`}, "If-Modified-Since": {"Sat, 29 Oct 1994 19:43:31 GMT"}}
		maps.Copy(h, test.h)
		r := newRequest(t, test.method, "http://site.example/", h)
		r.ContentLength = 5
		scrubbed(t, newSet(t, Options{}), r)
		for _, name := range []string{"If-None-Match", "If-Modified-Since"} {
			if (h[name] != nil) != test.passes {
				t.Errorf("%s: %s: passes %v", test.what, name, !test.passes)
			}
		}
	}
}

// A site's script can have the browser send what it likes when a page is
// loaded early: a word, but no name for the visitor.
func TestPreloadValueIsASetting(t *testing.T) {
	for value, fits := range map[string]bool{"true": true, "json_fragment1": true, "7f3a9c51e2b84d06": false, "3f2504e0-4f89-41d3-9a0c-0305e82c3301": false} {
		if got := keepsGrammar("Service-Worker-Navigation-Preload", []string{value}); got != fits {
			t.Errorf("%s: fits %v", value, got)
		}
	}
}
