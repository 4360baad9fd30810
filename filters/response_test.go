package filters

import (
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// answer runs a response header through s, for a request with header request.
func answer(t testing.TB, s *Set, url string, request, response http.Header) (http.Header, []Change) {
	t.Helper()
	m := s.Read(newRequest(t, "GET", url, request), netip.MustParseAddr("203.0.113.77"))
	s.Request(m, nil)
	m.Response = &http.Response{StatusCode: 200, Header: response}
	log := s.Response(m, nil)
	again := m.Response.Header.Clone()
	if second := s.Response(m, nil); len(second) > 0 {
		t.Errorf("a second run changes %v", second)
	}
	for name := range again {
		if !slices.Equal(again[name], m.Response.Header[name]) {
			t.Errorf("a second run changes %s", name)
		}
	}
	return m.Response.Header, log
}

func TestResponseFieldsThatGo(t *testing.T) {
	s := newSet(t, Options{})
	for _, name := range strings.Fields(`
		Alt-Svc Alt-Used NEL Report-To Reporting-Endpoints Expect-CT Accept-CH Accept-CH-Lifetime Critical-CH Content-DPR
		Via X-Cache X-Cache-Hits X-Cache-Lookup X-Served-By X-Timer X-Varnish Server-Timing CF-Ray CF-Cache-Status
		X-Amz-Cf-Id X-Amz-Cf-Pop Cache-Status Proxy-Status Proxy-Authenticate Proxy-Connection Keep-Alive
		X-Client-IP X-Real-IP X-Forwarded-For X-Remote-Addr X-Your-Ip CF-Connecting-IP True-Client-IP Forwarded
		X-Request-Id X-Correlation-Id traceparent traceresponse X-Amzn-Trace-Id X-Acme-Request-Id My-Trace-Id
		Public-Key-Pins Public-Key-Pins-Report-Only P3P X-DNS-Prefetch-Control Set-Login Observe-Browsing-Topics
		Attribution-Reporting-Register-Source Save-Impression Measure-Conversion Supports-Loading-Mode Cross-Origin-Opener-Policy-Report-Only
		Permissions-Policy-Report-Only Document-Isolation-Policy-Report-Only X-Allow-FLEDGE Use-As-Dictionary X-Request-Ip X-Acme-Ipaddress X-Geo-Country X-Client-City x_forwarded_for
		Avail-Language Federation-Initiate-Request FedCM-Intercept-Navigation Federation-RP-Connection-Status X-Auto-Login X-Chrome-Manage-Accounts
		On-Prefetch-Activation Performance-Observer
		X-Nextjs-Cache X-FastCGI-Cache rt-Fastcgi-Cache X-Magento-Cache-Debug X-Hcdn-Cache-Status X-Supercache Wpo-Cache-Status X-Cached X-Ac X-Nc X-Rocket-Nginx-Serving-Static
		X-Age X-TTL X-Obj-Age X-Obj-TTL X-Obj-Hits X-Beresp-TTL X-Grace
		Ad-Auction-Signals Allow-Cross-Origin-Event-Reporting Sec-Private-State-Token Sec-Unheard-Of X-Opc-Request-Id`) {
		h, log := answer(t, s, "http://site.example/", http.Header{}, http.Header{http.CanonicalHeaderKey(name): {"value"}})
		if len(h) != 0 || len(log) != 1 || log[0].Did != Removed || log[0].Why == "" {
			t.Errorf("%s: %v, %v", name, h, log)
		}
	}
}

func TestResponseFieldsThatStay(t *testing.T) {
	s := newSet(t, Options{})
	for _, line := range strings.Split(`Age: 17
Accept-Ranges: bytes
Access-Control-Allow-Origin: https://app.example
Access-Control-Expose-Headers: X-Total-Count
Allow: GET, HEAD
Cache-Control: public, max-age=60
Cache-Groups: "news"
CDN-Cache-Control: max-age=600
CF-Chl-Out: q9wE2kLm0Zx8b1==
CF-Mitigated: challenge
Clear-Site-Data-Not: 1
Content-Disposition: attachment; filename="a.txt"
Content-Encoding: br
Content-Language: de
Content-Length: 5
Content-Location: /a
Content-Range: bytes 0-4/10
Content-Security-Policy: default-src 'self'; img-src data:
Content-Type: text/html; charset=utf-8
Content-Digest: sha-256=:AAAA:
Date: Mon, 23 Nov 2026 12:00:00 GMT
DAV: 1, 2
Deprecation: @1688169599
Docker-Content-Digest: sha256:abc
Docker-Upload-UUID: 1
ETag: "x"
Expires: Mon, 23 Nov 2026 13:00:00 GMT
Last-Modified: Mon, 23 Nov 2026 11:00:00 GMT
Link: </s.css>; rel=preload; as=style
Location: https://user@other.example/#x
Lock-Token: <urn:uuid:181d4fae>
Origin-Agent-Cluster: ?1
Permissions-Policy: camera=()
RateLimit-Remaining: 4
Referrer-Policy: no-referrer
Refresh: 5
Retry-After: 120
Server: nginx
Service-Worker-Allowed: /
SourceMap: /a.map
Speculation-Rules: "/rules.json"
Strict-Transport-Security: max-age=3600
Timing-Allow-Origin: *
Trailer: Content-Digest
Tus-Resumable: 1.0.0
Upload-Offset: 70
Vary: Accept-Encoding
Vercel-CDN-Cache-Control: max-age=600
WWW-Authenticate: Basic realm="x"
X-Amzn-Waf-Action: challenge
X-Content-Type-Options: nosniff
X-Frame-Options: DENY
X-Message-Id: 14c5d75ce93
X-Middleware-Cache: no-cache
X-Powered-By: PHP/8.3
X-RateLimit-Limit: 60
X-Robots-Tag: noindex
X-Total-Count: 12
Uid: ann@mail.example
X-Sentry-Rate-Limits: 60:error:key
X-Trino-Started-Transaction-Id: 5a6c0f3e-1b1f-4f7c-9a46-2e4e0c6a1b2c
Opc-Work-Request-Id: ocid1.workrequest.oc1.phx.aaaa
Fastly-RateLimit-Remaining: 100
X-Device-Token: 3f2b8c1e
X-Apple-I-Rscd: 409
X-Language: nb
X-Segment-Lmt: 1795705610
X-Sec-Clge-Req-Type: ajax
X-UA-Compatible: IE=edge
X-XSS-Protection: 0
X-Own-Field: 1.2.3`, "\n") {
		name, value, _ := strings.Cut(line, ": ")
		name = http.CanonicalHeaderKey(name)
		h, log := answer(t, s, "http://site.example/", http.Header{}, http.Header{name: {value}})
		if !slices.Equal(h[name], []string{value}) || len(log) > 0 {
			t.Errorf("%s: got %q, %v", line, h[name], log)
		}
	}
}

// Outlook asks by these which of its requests is answered (MS-OXCMAPIHTTP §2.2.3.3).
func TestProtocolFieldsOfAnswers(t *testing.T) {
	for media, passes := range map[string]bool{"application/mapi-http": true, "application/json": false} {
		s := newSet(t, Options{})
		r := newRequest(t, "POST", "https://mail.example/mapi/emsmdb/", http.Header{"Content-Type": {media}})
		r.ContentLength = 5
		m := s.Read(r, netip.Addr{})
		m.Response = &http.Response{StatusCode: 200, Header: http.Header{"X-Requestid": {"{C715155F-2BE8-44E0-BD34-2960067874C8}:2"}}}
		if s.Response(m, nil); (m.Response.Header["X-Requestid"] != nil) != passes {
			t.Errorf("%s: got %v", media, m.Response.Header)
		}
	}
}

func TestConnectionNamesResponseFields(t *testing.T) {
	h, _ := answer(t, newSet(t, Options{}), "http://site.example/", http.Header{}, http.Header{
		"Connection": {"close, x-hop", "Content-Length, acme-hop"}, "X-Hop": {"1"}, "Acme-Hop": {"1"}, "Content-Length": {"5"}, "X-Stays": {"1"},
	})
	if len(h) != 2 || h["X-Stays"] == nil || h["Content-Length"] == nil {
		t.Errorf("got %v", h)
	}
}

// TestConnectionNamesNothingThatIsForAll: by what is left out, content could be taken for
// another, or be kept for others.
func TestConnectionNamesNothingThatIsForAll(t *testing.T) {
	for _, name := range []string{"Cache-Control", "Content-Encoding", "Content-Range", "Content-Security-Policy", "Content-Type", "Expires", "Location", "Set-Cookie", "Vary"} {
		sent := http.Header{"Connection": {"keep-alive, " + name + ", x-page"}, name: {"a=b"}, "X-Page": {"1"}}
		if h, _ := answer(t, newSet(t, Options{}), "http://site.example/", http.Header{}, sent); h[name] == nil || h["X-Page"] != nil {
			t.Errorf("%s: got %v", name, h)
		}
	}
}

func TestUpgradedResponseKeepsItsHandshake(t *testing.T) {
	s := newSet(t, Options{})
	m := s.Read(newRequest(t, "GET", "http://site.example/", http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}}), netip.Addr{})
	m.Response = &http.Response{StatusCode: 101, Header: http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Accept": {"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}, "Sec-Websocket-Protocol": {"chat"},
	}}
	if log := s.Response(m, nil); len(log) > 0 || len(m.Response.Header) != 4 {
		t.Errorf("got %v, %v", m.Response.Header, log)
	}
	m.Response.Header["Alt-Svc"], m.Response.Header["Via"] = []string{`h3=":443"`}, []string{"1.1 cache"}
	if log := s.Response(m, nil); len(log) != 2 || len(m.Response.Header) != 4 {
		t.Errorf("what is not the handshake's: got %v, %v", m.Response.Header, log)
	}
}

// An offer to switch is of one connection (RFC 9110 §7.8); what a 426 demands
// is the answer's own.
func TestUpgradeOffersStayWithTheProxy(t *testing.T) {
	s := newSet(t, Options{})
	for status, passes := range map[int]bool{200: false, 404: false, 426: true} {
		m := s.Read(newRequest(t, "GET", "http://site.example/", http.Header{}), netip.Addr{})
		m.Response = &http.Response{StatusCode: status, Header: http.Header{"Upgrade": {"h2c"}}}
		if s.Response(m, nil); (m.Response.Header["Upgrade"] != nil) != passes {
			t.Errorf("%d: got %v", status, m.Response.Header)
		}
	}
}

// By which of many addresses had gone, who wrote them would know the client's.
func TestAnswersKeepWhatHoldsTheClientsAddress(t *testing.T) {
	h, log := answer(t, newSet(t, Options{}), "http://site.example/", http.Header{}, http.Header{
		"X-Hello": {"you are 203.0.113.77"}, "X-Other": {"198.51.100.1"}, "Set-Cookie": {"seen=203.0.113.77"}, "Location": {"/?ip=203.0.113.77"},
	})
	if len(h) != 4 || len(log) != 0 {
		t.Errorf("got %v, %v", h, log)
	}
}

func TestPoliciesLoseTheirReports(t *testing.T) {
	s := newSet(t, Options{})
	for in, want := range map[string]string{
		"default-src 'self'": "default-src 'self'",
		"default-src 'self'; report-uri /csp; report-to main": "default-src 'self'",
		"report-uri /csp":                    "",
		"REPORT-URI /csp;default-src 'self'": "default-src 'self'",
		"img-src https://report-uri.example ; script-src 'nonce-report-to'":   "img-src https://report-uri.example ; script-src 'nonce-report-to'",
		"default-src 'self'; report-to a, report-to b, img-src *;report-to c": "default-src 'self', img-src *",
		"default-src 'self';report-to":                                        "default-src 'self'",
	} {
		h, _ := answer(t, s, "http://site.example/", http.Header{}, http.Header{"Content-Security-Policy": {in}})
		if got := h.Get("Content-Security-Policy"); got != want {
			t.Errorf("%s: got %q, want %q", in, got, want)
		}
	}
	h, _ := answer(t, s, "http://site.example/", http.Header{}, http.Header{
		"Content-Security-Policy-Report-Only": {"default-src 'self'; report-uri /csp"}, "X-Xss-Protection": {"1; mode=block; report=/xss"},
	})
	if h["Content-Security-Policy-Report-Only"] != nil || h.Get("X-Xss-Protection") != "1; mode=block" {
		t.Errorf("got %v", h)
	}
}

func TestStructuredPoliciesLoseTheirEndpoints(t *testing.T) {
	s := newSet(t, Options{})
	for _, test := range []struct{ name, sent, got string }{
		{"Cross-Origin-Opener-Policy", `same-origin; report-to="coop"`, "same-origin"},
		{"Cross-Origin-Embedder-Policy", `require-corp;Report-To="a;b"`, "require-corp"},
		{"Cross-Origin-Embedder-Policy", "credentialless", "credentialless"},
		{"Document-Isolation-Policy", `isolate-and-credentialless; report-to="dip"`, "isolate-and-credentialless"},
		{"Permissions-Policy", `geolocation=(self "https://a.example"), camera=();report-to=g, usb=*`, `geolocation=(self "https://a.example"), camera=(), usb=*`},
		{"Document-Policy", "force-load-at-top;report-to=x, *;report-to=y", "force-load-at-top, *"},
		{"Integrity-Policy", "blocked-destinations=(script), endpoints=(a b)", "blocked-destinations=(script)"},
		{"Integrity-Policy", "endpoints=(a b)", ""},
		{"Connection-Allowlist", `(response-origin "https://a.example/*");report-to=a;webrtc=block`, `(response-origin "https://a.example/*");webrtc=block`},
		{"Permissions-Policy", `report-to=(self), sync-xhr=("https://report-to.example")`, `report-to=(self), sync-xhr=("https://report-to.example")`},
	} {
		h, log := answer(t, s, "https://site.example/", http.Header{}, http.Header{test.name: {test.sent}})
		if got := h.Get(test.name); got != test.got || (len(log) > 0) != (test.sent != test.got) {
			t.Errorf("%s: %s became %q: %v", test.name, test.sent, got, log)
		}
	}
}

func TestRefreshStaysWithinTheSite(t *testing.T) {
	s := newSet(t, Options{})
	for value, stays := range map[string]bool{
		"5":                                            true,
		"0; url=/next":                                 true,
		"0;URL='http://www.site.example/a'":            true,
		"0, http://site.example/":                      true,
		"0; url=https://site.example/":                 true,
		"0; url=http://other.example/":                 false,
		"0; url=//other.example/":                      false,
		`0; url="\\other.example/"`:                    false,
		"0; url=///other.example/":                     false,
		`0; url=/\\/other.example/`:                    false,
		"0; url=////www.site.example/":                 true,
		"0 http://other.example/":                      false,
		"0;other.html":                                 true,
		"3 ; url = http://other.example/":              false,
		"0 url=http://other.example/":                  false,
		`0; url="http://other.example/`:                false, // a quote that nobody closes
		`0; url="/next`:                                true,
		"0; url=/50%/100%//a":                          true,
		"0; url=/50%2":                                 true,
		"0; url=/50%a/":                                true,
		"0; url=/50%ag":                                true,
		"0; url=javascript:alert(1)":                   false,
		"0; url=data:text/html,x":                      false,
		"0; url=http://%zz/":                           false,
		".5; url=http://site.example:8080/a":           true,
		"0; url":                                       true,
		"0; url=":                                      true,
		`0; url="/a"b"`:                                true,
		`0; url="//www.site.example"@other.example/"`:  false, // Chromium and WebKit go to the last quote
		`0; url='//www.site.example/'.other.example/'`: true,
		`0; url='//www.site.example'.other.example/'`:  false,
		"": true,
	} {
		h, _ := answer(t, s, "http://www.site.example/page", http.Header{}, http.Header{"Refresh": {value}})
		if got := h["Refresh"] != nil; got != stays {
			t.Errorf("%q: stays %t", value, got)
		}
	}
	// Chromium reads these as one value.
	h, _ := answer(t, s, "http://www.site.example/page", http.Header{}, http.Header{"Refresh": {"0;url='http://www.site.example", "@other.example/'"}})
	if got := h["Refresh"]; got != nil {
		t.Errorf("%q stays", got)
	}
}

// What comes behind a Refresh may leave in a tunnel, as behind a redirect.
func TestRefreshCarriesNoClicks(t *testing.T) {
	s := newSet(t, Options{})
	for sent, want := range map[string]string{
		"0; url=https://www.site.example/?a=1&gclid=2#b": "0; url=https://www.site.example/?a=1#b",
		"5;URL='/50%?fbclid=1'":                          "5;URL='/50%'",
		"0; url=?utm_source=x":                           "0; url=?",
		`0; url="/a?gclid=1"b"`:                          `0; url="/a"b"`,
		`0; url="/a?x=1&gclid=1"&fbclid=3"`:              `0; url="/a?x=1""`,
		"0; url=/a?id=1":                                 "0; url=/a?id=1",
		"5":                                              "5",
	} {
		h, log := answer(t, s, "http://www.site.example/page", http.Header{}, http.Header{"Refresh": {sent}})
		if got := h.Get("Refresh"); got != want || (len(log) > 0) != (sent != want) {
			t.Errorf("%q: got %q, want %q: %v", sent, got, want, log)
		}
	}
}

func TestClearSiteDataServesOwnPagesOnly(t *testing.T) {
	s := newSet(t, Options{})
	page := http.Header{"Sec-Fetch-Dest": {"document"}}
	image := http.Header{"Sec-Fetch-Dest": {"image"}, "Sec-Fetch-Site": {"same-origin"}}
	foreign := http.Header{"Sec-Fetch-Dest": {"empty"}, "Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://a.example"}}
	frame := http.Header{"Sec-Fetch-Dest": {"iframe"}, "Sec-Fetch-Site": {"same-origin"}, "Referer": {"https://site.example/"}}
	foreignFrame := http.Header{"Sec-Fetch-Dest": {"iframe"}, "Sec-Fetch-Site": {"cross-site"}, "Referer": {"https://a.example/"}}
	inForeignPage := http.Header{"Sec-Fetch-Dest": {"iframe"}, "Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-Storage-Access": {"active"}}
	for _, test := range []struct {
		url     string
		request http.Header
		value   string
		want    string
	}{
		{"https://site.example/logout", frame, `"cookies"`, `"cookies"`}, // how a page logs out unseen
		{"https://site.example/logout", foreignFrame, `"cookies"`, ""},
		{"https://site.example/logout", inForeignPage, `"cookies"`, ""},
		{"https://site.example/logout", page, `"cookies", "storage"`, `"cookies", "storage"`},
		{"https://site.example/logout", page, `"storage","visitor-4711","cookies"`, `"cookies", "storage"`},
		{"https://site.example/logout", page, `"*"`, `"*"`},
		{"https://site.example/i.png", image, `"cache"`, ""},
		{"https://site.example/api", foreign, `"cache"`, ""},
		{"http://site.example/logout", page, `"cookies"`, ""},
	} {
		h, _ := answer(t, s, test.url, test.request.Clone(), http.Header{"Clear-Site-Data": {test.value}})
		if got := h.Get("Clear-Site-Data"); got != test.want {
			t.Errorf("%s %s: got %q, want %q", test.url, test.value, got, test.want)
		}
	}
}

func TestLoginStatusServesOwnPagesOnly(t *testing.T) {
	s := newSet(t, Options{})
	page := http.Header{"Sec-Fetch-Dest": {"document"}}
	for _, test := range []struct {
		url         string
		request     http.Header
		value, want string
	}{
		{"https://idp.example/signed-in", page, "logged-in", "logged-in"},
		{"https://idp.example/bye", page, "logged-out", "logged-out"},
		{"https://idp.example/signed-in", page, "logged-in;visitor=4711", "logged-in"},
		{"https://idp.example/signed-in", page, "4711", ""},
		{"https://idp.example/i", http.Header{"Sec-Fetch-Dest": {"image"}, "Sec-Fetch-Site": {"cross-site"}}, "logged-in", ""},
		{"https://idp.example/f", http.Header{"Sec-Fetch-Dest": {"iframe"}, "Sec-Fetch-Site": {"cross-site"}}, "logged-in", ""},
		{"https://idp.example/f", http.Header{"Sec-Fetch-Dest": {"iframe"}, "Sec-Fetch-Site": {"same-origin"}}, "logged-in", "logged-in"},
		{"http://idp.example/signed-in", page, "logged-in", ""},
	} {
		h, _ := answer(t, s, test.url, test.request.Clone(), http.Header{"Set-Login": {test.value}})
		if got := h.Get("Set-Login"); got != test.want {
			t.Errorf("%s %s: got %q, want %q", test.url, test.value, got, test.want)
		}
	}
	for _, policy := range []CookiePolicy{CookiesSession, CookiesBlock} {
		h, _ := answer(t, newSet(t, Options{Cookies: policy}), "https://idp.example/", page.Clone(), http.Header{"Set-Login": {"logged-in"}})
		if len(h) > 0 {
			t.Errorf("%d: %v outlives the cookies", policy, h)
		}
	}
}

func TestTrailers(t *testing.T) {
	s := newSet(t, Options{})
	m := s.Read(newRequest(t, "POST", "http://site.example/", http.Header{}), netip.MustParseAddr("203.0.113.77"))
	h := http.Header{}
	for _, name := range strings.Fields(`Content-Digest Repr-Digest Digest Grpc-Status Grpc-Message Signature-Input X-Amz-Checksum-Sha256
		X-Visitor Server-Timing Etag Set-Cookie Authorization Content-Length Transfer-Encoding Host Cookie X-Forwarded-For
		X-Request-Id Content_Digest Cache-Control Trailer Traceparent`) {
		h[name] = []string{"x"}
	}
	h["Content-Digest"], h["Repr-Digest"], h["Digest"] = []string{"sha-256=:AAAA:"}, []string{"md5=:AAAA:"}, []string{"sha-256=AAAA"}
	h["Grpc-Status-Details-Bin"] = []string{"203.0.113.77"}
	h["X-Amz-Checksum-203-0-113-77"] = []string{"x"}
	log := s.Trailer(m, h, nil)
	if len(h) != 7 || len(log) != 15+2 {
		t.Errorf("kept %v, removed %v", h, log)
	}
	if again := s.Trailer(m, h, nil); len(again) > 0 {
		t.Errorf("a second run changes %v", again)
	}
}

// Of a response that holds only what nearly all do, the filters are not asked: what
// they would say is that all of it stays, whatever it is.
func TestUntouchedFieldsOfResponses(t *testing.T) {
	h := http.Header{}
	for _, g := range slices.Concat(responseTable, registry) {
		for name := range strings.FieldsSeq(g.names) {
			if name = http.CanonicalHeaderKey(name); untouched(name) {
				h[name] = []string{"203.0.113.77; url=https://other.example/?utm_source=x; report-uri=/a", "a=b; Domain=example"}
				if why, remove := judgeResponse(name, bothNames); why == "" || remove {
					t.Errorf("%s is not one that the tables let pass", name)
				}
			}
		}
	}
	if len(h) != 19 {
		t.Errorf("the tables name %d of the fields", len(h))
	}
	for _, o := range []Options{{}, {Cookies: CookiesBlock}, {Persona: "off", Unknown: UnknownDrop}} {
		s := newSet(t, o)
		m := s.Read(newRequest(t, "GET", "https://site.example/", http.Header{"Origin": {"https://other.example"}}), netip.MustParseAddr("203.0.113.77"))
		s.Request(m, nil)
		for _, status := range []int{200, 302, 101, 426} {
			m.Response = &http.Response{StatusCode: status, Header: h.Clone()}
			if log := apply(s.at(m).response, m, nil); len(log) > 0 || !maps.EqualFunc(h, m.Response.Header, slices.Equal[[]string]) {
				t.Errorf("%+v, %d: %v", o, status, log)
			}
		}
	}
}

// An origin may say in a trailer what no rule forbids it to say in a head.
func TestTrailersOfAnswers(t *testing.T) {
	s := newSet(t, Options{})
	m := s.Read(newRequest(t, "GET", "http://site.example/", http.Header{}), netip.Addr{})
	for name, passes := range map[string]bool{"X-Checksum": true, "Grpc-Status": true, "X-Request-Id": false, "Set-Cookie": false, "Server-Timing": false, "Connection": false} {
		for _, answers := range []bool{true, false} {
			m.Response = nil
			if answers {
				m.Response = &http.Response{}
			}
			h := http.Header{name: {"1"}}
			s.Trailer(m, h, nil)
			if want := passes && (answers || name == "Grpc-Status"); (h[name] != nil) != want {
				t.Errorf("%s in an answer %v: passes %v", name, answers, !want)
			}
		}
	}
}

func FuzzContentSecurityPolicy(f *testing.F) {
	f.Add("default-src 'self'; report-uri /a, img-src *; report-to b")
	f.Add(";;,,report-to")
	f.Fuzz(func(t *testing.T, s string) {
		once := policiesWithoutReports(s)
		for policy := range strings.SplitSeq(once, ",") {
			for directive := range strings.SplitSeq(policy, ";") {
				if fields := strings.FieldsFunc(directive, func(r rune) bool { return strings.ContainsRune(" \t\r\n\f=", r) }); len(fields) > 0 &&
					(strings.EqualFold(fields[0], "report-uri") || strings.EqualFold(fields[0], "report-to")) && !strings.HasPrefix(strings.TrimLeft(directive, " \t\r\n\f"), "=") {
					t.Fatalf("%q gives %q", s, once)
				}
			}
		}
		if again := policiesWithoutReports(once); again != once {
			t.Errorf("%q gives %q, then %q", s, once, again)
		}
	})
}

func FuzzRefresh(f *testing.F) {
	f.Add("0; url='http://site.example/'")
	f.Add("0;url=//evil.example")
	f.Add(`0; url="/a?x=1&gclid=1"&fbclid=3"`)
	set := newSet(f, Options{})
	f.Fuzz(func(t *testing.T, s string) {
		h, _ := answer(t, set, "http://www.site.example/page", http.Header{}, http.Header{"Refresh": {s}})
		if left := h["Refresh"]; left != nil && refreshesElsewhere(&url.URL{Scheme: "http", Host: "www.site.example", Path: "/page"}, left) {
			t.Errorf("%q leaves %q", s, left)
		}
	})
}
