package filters

import (
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestCookiePolicies(t *testing.T) {
	const persistent = "sid=1; Path=/; Max-Age=3600; Expires=Wed, 01 Jan 2031 00:00:00 GMT; HttpOnly"
	first := http.Header{"Sec-Fetch-Dest": {"document"}}
	third := http.Header{"Sec-Fetch-Dest": {"image"}, "Sec-Fetch-Site": {"cross-site"}, "Referer": {"https://shop.example/"}}
	for _, test := range []struct {
		policy CookiePolicy
		visit  http.Header
		sent   string
		set    string
	}{
		{CookiesDefault, first, "a=b; c=d", persistent},
		{CookiesDefault, third, "", ""},
		{CookiesFirstParty, first, "a=b; c=d", persistent},
		{CookiesFirstParty, third, "", ""},
		{CookiesPass, third, "a=b; c=d", persistent},
		{CookiesSession, first, "a=b; c=d", "sid=1; Path=/; HttpOnly"},
		{CookiesSession, third, "a=b; c=d", "sid=1; Path=/; HttpOnly"},
		{CookiesBlock, first, "", ""},
	} {
		s := newSet(t, Options{Cookies: test.policy})
		h := test.visit.Clone()
		h["Cookie"] = []string{"a=b; c=d"}
		m := s.Read(newRequest(t, "GET", "https://site.example/", h), netip.Addr{})
		s.Request(m, nil)
		m.Response = &http.Response{StatusCode: 200, Header: http.Header{"Set-Cookie": {persistent}, "Set-Cookie2": {"x=y"}}}
		s.Response(m, nil)
		if got := m.Request.Header.Get("Cookie"); got != test.sent {
			t.Errorf("policy %d: sent %q, want %q", test.policy, got, test.sent)
		}
		if got := m.Response.Header.Get("Set-Cookie"); got != test.set {
			t.Errorf("policy %d: set %q, want %q", test.policy, got, test.set)
		}
		if m.Response.Header["Set-Cookie2"] != nil {
			t.Error("Set-Cookie2 passes")
		}
	}
}

// A frame's page asks for parts of its own as if it was alone; that it is in a page of
// another site, browsers say in one field.
func TestFramesInOtherSitesHaveNoCookies(t *testing.T) {
	for _, access := range []string{"active", "inactive", "none", ""} {
		h := http.Header{"Sec-Fetch-Dest": {"empty"}, "Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-Mode": {"cors"}, "Referer": {"https://track.example/frame"}, "Cookie": {"id=1"}}
		site := "track.example"
		if access != "" {
			h["Sec-Fetch-Storage-Access"] = []string{access}
			site = ""
		}
		s := newSet(t, Options{})
		m := s.Read(newRequest(t, "GET", "https://track.example/who", h), netip.Addr{})
		s.Request(m, nil)
		m.Response = &http.Response{StatusCode: 200, Header: http.Header{"Set-Cookie": {"id=1"}, "Clear-Site-Data": {`"cookies"`}}}
		s.Response(m, nil)
		for name, lines := range map[string][]string{"Cookie": h["Cookie"], "Set-Cookie": m.Response.Header["Set-Cookie"], "Clear-Site-Data": m.Response.Header["Clear-Site-Data"]} {
			if (lines != nil) != (access == "") {
				t.Errorf("storage access %q: %s is %q", access, name, lines)
			}
		}
		if m.Visit.Site != site {
			t.Errorf("storage access %q: on behalf of %q", access, m.Visit.Site)
		}
		if got := h.Get("Sec-Fetch-Site"); got != "same-origin" { // what servers refuse by
			t.Errorf("storage access %q: says %s", access, got)
		}
	}
}

// A browser sends the passwords that it keeps wherever it sends cookies. To third
// parties they go no more than those; what scripts and programs write passes.
func TestKeptPasswordsGoToNoThirdParty(t *testing.T) {
	third := func(dest, mode string) http.Header {
		return http.Header{"Sec-Fetch-Dest": {dest}, "Sec-Fetch-Mode": {mode}, "Sec-Fetch-Site": {"cross-site"}, "Referer": {"https://shop.example/"}}
	}
	framed := http.Header{"Sec-Fetch-Dest": {"image"}, "Sec-Fetch-Mode": {"no-cors"}, "Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-Storage-Access": {"active"}}
	for _, test := range []struct {
		policy CookiePolicy
		h      http.Header
		passes bool
	}{
		{CookiesFirstParty, third("image", "no-cors"), false},
		{CookiesFirstParty, third("iframe", "navigate"), false},
		{CookiesFirstParty, third("empty", "no-cors"), false}, // fetch or beacon
		{CookiesFirstParty, framed, false},
		{CookiesBlock, third("script", "no-cors"), false},
		{CookiesFirstParty, third("empty", "cors"), true},
		{CookiesFirstParty, third("document", "navigate"), true},
		{CookiesPass, third("image", "no-cors"), true},
		{CookiesBlock, http.Header{"Sec-Fetch-Dest": {"image"}, "Sec-Fetch-Mode": {"no-cors"}, "Sec-Fetch-Site": {"same-origin"}}, true},
		{CookiesFirstParty, http.Header{"Accept": {"image/webp,*/*"}}, true},
		// As on plain http.
		{CookiesFirstParty, http.Header{"User-Agent": {"Mozilla/5.0"}, "Accept": {"image/webp,*/*"}, "Referer": {"https://shop.example/"}}, false},
		{CookiesFirstParty, http.Header{"User-Agent": {"Mozilla/5.0"}, "Accept": {"text/css,*/*;q=0.1"}, "Referer": {"https://shop.example/"}}, false},
		{CookiesFirstParty, http.Header{"User-Agent": {"Mozilla/5.0"}, "Accept": {"image/webp,*/*"}, "Referer": {"https://www.track.example/"}}, true},
		{CookiesFirstParty, http.Header{"User-Agent": {"Mozilla/5.0"}, "Accept": {"image/webp,*/*"}, "Referer": {"https://shop.example/"}, "Origin": {"https://shop.example"}}, true},
		{CookiesFirstParty, http.Header{"User-Agent": {"Mozilla/5.0"}, "Accept": {"*/*"}, "Referer": {"https://shop.example/"}}, true},
		{CookiesFirstParty, http.Header{"User-Agent": {"Mozilla/5.0"}, "Accept": {"text/html,application/xhtml+xml,*/*;q=0.8"}, "Referer": {"https://shop.example/"}}, true},
	} {
		h := test.h.Clone()
		h["Authorization"] = []string{"Basic dXNlcjppZDc="}
		scrubbed(t, newSet(t, Options{Cookies: test.policy}), newRequest(t, "GET", "https://track.example/", h))
		if got := h["Authorization"] != nil; got != test.passes {
			t.Errorf("policy %d, %v: passes %t", test.policy, test.h, got)
		}
	}
}

// A sign-in with another site that the browser itself asks for, after its person
// said yes, is of use only with that site's cookies.
func TestBrowsersSignInHasItsCookies(t *testing.T) {
	for _, test := range []struct {
		method, dest, origin, referer string
		policy                        CookiePolicy
		passes                        bool
	}{
		{"POST", "webidentity", "https://shop.example", "", CookiesFirstParty, true},
		{"POST", "webidentity", "https://shop.example", "", CookiesBlock, false},
		{"GET", "webidentity", "https://shop.example", "", CookiesFirstParty, false},  // FedCM asks for these without
		{"GET", "webidentity", "", "", CookiesFirstParty, true},                       // but for the accounts, which it says no origin for
		{"GET", "webidentity", "", "https://shop.example/", CookiesFirstParty, false}, // nor any page
		{"GET", "webidentity", "", "", CookiesBlock, false},
		{"POST", "email-verification", "null", "", CookiesFirstParty, true},
		{"POST", "email-verification", "null", "", CookiesBlock, false},
		{"GET", "email-verification", "", "", CookiesFirstParty, false}, // where to ask is told to anybody
		{"POST", "empty", "https://shop.example", "", CookiesFirstParty, false},
		{"GET", "empty", "", "", CookiesFirstParty, false},
	} {
		h := http.Header{"Sec-Fetch-Dest": {test.dest}, "Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"cors"}, "Cookie": {"a=b"}}
		if test.origin != "" {
			h["Origin"] = []string{test.origin}
		}
		if test.referer != "" {
			h["Referer"] = []string{test.referer}
		}
		scrubbed(t, newSet(t, Options{Cookies: test.policy}), newRequest(t, test.method, "https://id.example/assertion", h))
		if (h["Cookie"] != nil) != test.passes || h.Get("Sec-Fetch-Dest") != test.dest {
			t.Errorf("%s for %s: left %v", test.method, test.dest, h)
		}
	}
}

func TestSetCookieRules(t *testing.T) {
	for _, test := range []struct {
		line string
		want bool
	}{
		{"a=b", true},
		{"a=b; Domain=site.example", true},
		{"a=b; Domain=.site.example", true},
		{"a=b; Domain=WWW.Site.Example", true},
		{"a=b; Domain=other.example", false},
		{"a=b; Domain=te.example", false},
		{"a=b; Domain=example", false},
		{"a=b; Domain=", true},
		{"a=b; Domain=" + strings.Repeat("b", 1025), true},
		{"=b", true},
		{"b", true},
		{"", false},
		{"=", false},
		{"; Path=/", false},
		{"a=" + strings.Repeat("b", 4096), false},
		{"a=b\x00", false},
		{"a=b\x7f; Path=/", false},
		{"a=b\tc", true},
		{"a=\"quoted \xc3\xa9\"; Path=/", true},
		{"__Secure-a=b; Secure", true},
		{"__Secure-a=b", false},
		{"__SECURE-a=b", false},
		{"__Host-a=b; Secure; Path=/", true},
		{"__Host-a=b; Secure; Path=/; Domain=www.site.example", false},
		{"__Host-a=b; Secure; Path=/a", false},
		{"__Host-a=b; Secure", false},
		{"__host-a=b; Path=/", false},
		{"__Host-a=b; Secure; Path=/; Domain=", true},
		{"__Http-a=b; Secure; HttpOnly", true},
		{"__Http-a=b; Secure", false},
		{"__Http-a=b; HttpOnly", false},
		{"__Host-Http-a=b; Secure; HttpOnly; Path=/", true},
		{"__Host-Http-a=b; Secure; Path=/", false},
		{"__Host-Http-a=b; HttpOnly; Path=/", false},
		{"=__Host-a=b; Secure; Path=/", false},
		{"=__Http-a=b; Secure; HttpOnly", false},
		{"__Secure-a", false},
	} {
		c, ok := parseSetCookie(test.line)
		if got := ok && c.lawful("www.site.example"); got != test.want {
			t.Errorf("%q: got %t", test.line, got)
		}
	}
	for host, domain := range map[string]string{"a.github.io": "github.io", "a.co.uk": "co.uk", "192.0.2.1": "0.2.1", "x.com": "com"} {
		if domainCovers(domain, host) {
			t.Errorf("%s sets cookies for %s", host, domain)
		}
	}
	if !domainCovers("github.io", "github.io") {
		t.Error("a public suffix cannot set cookies for itself")
	}
}

// TestLinesThatSetNothingGo, whatever else they say.
func TestLinesThatSetNothingGo(t *testing.T) {
	m := &Message{Request: newRequest(t, "GET", "https://site.example/", nil), Response: &http.Response{Header: http.Header{
		"Set-Cookie": {"; Path=/", "a=b\x00", "c=d", "=" + strings.Repeat("b", 4097)}}}}
	log := cookies{CookiesPass}.Apply(m, nil)
	if got := m.Response.Header["Set-Cookie"]; !slices.Equal(got, []string{"c=d"}) || len(log) != 3 {
		t.Errorf("left %q, logged %v", got, log)
	}
	m.Response.Header["Set-Cookie"] = []string{"; Path=/"}
	if (cookies{CookiesPass}).Apply(m, nil); len(m.Response.Header) > 0 {
		t.Errorf("alone: left %q", m.Response.Header)
	}
}

// Without persistence, a cookie that deletes one still deletes it.
func TestSessionCookiesStillEnd(t *testing.T) {
	s := newSet(t, Options{Cookies: CookiesSession})
	for line, want := range map[string]string{
		"a=; Max-Age=0; Path=/":                                                             "a=; Max-Age=0; Path=/",
		"a=; Max-Age=-1":                                                                    "a=; Max-Age=-1",
		"a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT":                                         "a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
		"a=; expires=Thu, 01-Jan-1970 00:00:01 GMT; path=/":                                 "a=; expires=Thu, 01-Jan-1970 00:00:01 GMT; path=/",
		"a=; Expires=Mon, 23 Nov 2026 11:59:59 GMT":                                         "a=; Expires=Mon, 23 Nov 2026 11:59:59 GMT",
		"a=b; Expires=Mon, 23 Nov 2026 12:00:01 GMT; Secure":                                "a=b; Secure",
		"a=b; Max-Age=5; Expires=Thu, 01 Jan 1970 00:00:00 GMT":                             "a=b",
		"a=b;max-age=31536000;path=/;samesite=lax":                                          "a=b;path=/;samesite=lax",
		"a=b; EXPIRES=never; Path=/":                                                        "a=b; Path=/",
		"max-age=1; Path=/; Max-Age=10":                                                     "max-age=1; Path=/",
		"a=b; Partitioned; SameSite=None; Secure; Priority=High":                            "a=b; Partitioned; SameSite=None; Secure; Priority=High",
		"a=\"x,y\" ; Path = / ; Max-Age = 12 ; Version=1":                                   "a=\"x,y\" ; Path = / ; Version=1",
		"a=b; Expires=Mon, 23-Nov-37 12:00:01 GMT; Max-Age=foo; z":                          "a=b; z",
		"a=; Expires=Wed, 31-Dec-1969 23:59:59 GMT":                                         "a=; Expires=Wed, 31-Dec-1969 23:59:59 GMT",
		"a=b; Expires=Saturday, 23-Nov-69 12:00:01 GMT":                                     "a=b", // 2069
		"a=b; Expires=Sat, 23-Nov-69 12:00:01 GMT":                                          "a=b",
		"a=b; Max-Age=-x; Expires=Wed, 01 Jan 2031 00:00:00 GMT":                            "a=b", // not a number, so ignored
		"a=b; Max-Age=-; Expires=Wed, 01 Jan 2031 00:00:00 GMT":                             "a=b",
		"a=b; Max-Age=31536000; Max-Age=-x":                                                 "a=b",
		"a=b; Max-Age=31536000; Max-Age=0":                                                  "a=b",
		"a=b; Max-Age=0; Max-Age=31536000":                                                  "a=b",
		"a=b; Expires=Wed, 01 Jan 2031 00:00:00 GMT; Expires=Thu, 01 Jan 1970 00:00:00 GMT": "a=b",
		"a=; Max-Age=0; Expires=Wed, 01 Jan 2031 00:00:00 GMT":                              "a=; Max-Age=0; Expires=Wed, 01 Jan 2031 00:00:00 GMT", // Max-Age decides

		"a=; Max-Age=; Expires=Thu, 01 Jan 1970 00:00:00 GMT":                                   "a=; Max-Age=; Expires=Thu, 01 Jan 1970 00:00:00 GMT", // an empty one is ignored
		"a=b; Expires=Wed, 01 Jan 2031 00:00:00 GMT" + strings.Repeat(" ", 1025) + "x":          "a=b",                                                 // too long for some, not for all
		"a=b; Max-Age=" + strings.Repeat("0", 1025) + "; Expires=Wed, 01 Jan 2031 00:00:00 GMT": "a=b",                                                 // Chromium ignores it
		"a=b; Max-Age=" + strings.Repeat("0", 1025) + "1":                                       "a=b",                                                 // curl does not
		"a=b; Expires=Thu, 01-Jan-70 00:00:00 GMT":                                              "a=b",                                                 // 2070 to curl
	} {
		m := s.Read(newRequest(t, "GET", "http://site.example/", http.Header{}), netip.Addr{})
		m.Response = &http.Response{StatusCode: 200, Header: http.Header{"Date": {"Mon, 23 Nov 2026 12:00:00 GMT"}, "Set-Cookie": {line}}}
		s.Response(m, nil)
		if got := m.Response.Header["Set-Cookie"]; !slices.Equal(got, []string{want}) {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	}
}

// An origin that sends a Date of its choice keeps no cookie by it: neither where the
// user agent has a clock of its own, nor where it reads the Date and we do not.
func TestSessionCookiesEndByEveryClock(t *testing.T) {
	s := newSet(t, Options{Cookies: CookiesSession})
	for _, test := range []struct {
		dates   []string
		expires string
		keeps   bool
	}{
		{[]string{"Fri, 31 Dec 2199 00:00:00 GMT"}, "Fri, 01 Jan 2100 00:00:00 GMT", false},     // curl's own clock
		{[]string{"Tue, 24 Nov 2026 11:00:00 GMT"}, "Tue, 24 Nov 2026 10:00:00 GMT", false},     // for all of a day
		{[]string{"Tue, 24 Nov 2026 11:00:00 GMT"}, "Thu, 01 Jan 1970 00:00:00 GMT", true},      // fast by a day
		{[]string{"Mon, 1 Jan 1990 00:00:00 GMT"}, "Tue, 01 Jan 2019 00:00:00 GMT", false},      // Chromium reads one digit
		{[]string{"Mon, 01 Jan 1990 00:00:00 GMT", ""}, "Tue, 01 Jan 2019 00:00:00 GMT", false}, // and the first of several
		{[]string{"Mon, 23 Nov 2026 12:00:00 GMT"}, "Mon, 23 Nov 2026 11:59:59 GMT", true},
		{[]string{"Mon, 23 Nov 2026 12:09:00 GMT"}, "Mon, 23 Nov 2026 12:08:59 GMT", true}, // fast by some minutes
		{[]string{"Sun Nov  6 08:49:37 1994"}, "Mon, 01 Jan 0001 00:00:00 GMT", false},     // 2001 to Chromium
		{nil, "Tue, 01 Jan 2019 00:00:00 GMT", true},
		{nil, "Mon, 23 Nov 2026 11:59:59 GMT", false},
	} {
		m := s.Read(newRequest(t, "GET", "http://site.example/", http.Header{}), netip.Addr{})
		line := "id=7; Expires=" + test.expires
		h := http.Header{"Set-Cookie": {line}}
		if test.dates != nil {
			h["Date"] = test.dates
		}
		m.Response, m.Now = &http.Response{StatusCode: 200, Header: h}, time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
		s.Response(m, nil)
		if got := h.Get("Set-Cookie"); (got == line) != test.keeps || !test.keeps && got != "id=7" {
			t.Errorf("Date %q, Expires %s: got %q", test.dates, test.expires, got)
		}
	}
}

func TestCookieLinesBecomeOne(t *testing.T) {
	s := newSet(t, Options{})
	m := s.Read(newRequest(t, "GET", "http://site.example/", http.Header{"Cookie": {"a=b", "c=\"d e\"; ", "bad=\x01", ""}}), netip.Addr{})
	s.Request(m, nil)
	if got := m.Request.Header["Cookie"]; !slices.Equal(got, []string{`a=b; c="d e"`}) {
		t.Errorf("got %q", got)
	}
}

func FuzzSetCookie(f *testing.F) {
	f.Add("__Host-a=b; Secure; Path=/; Max-Age=3; Expires=Wed, 01 Jan 2031 00:00:00 GMT")
	f.Add("a=b; Domain=.example")
	f.Fuzz(func(t *testing.T, line string) {
		c, ok := parseSetCookie(line)
		if !ok {
			return
		}
		rest := withoutPersistence(line)
		again, ok := parseSetCookie(rest)
		if !ok || again.persistent || again.name != c.name || again.value != c.value || again.secure != c.secure || again.path != c.path || again.domain != c.domain {
			t.Errorf("%q becomes %q", line, rest)
		}
		if withoutPersistence(rest) != rest {
			t.Errorf("%q is not final", rest)
		}
	})
}

// A site that may set no cookie has the browser keep no number as a password either.
func TestBlockedCookiesAreNoPasswords(t *testing.T) {
	for sent, want := range map[string]string{
		"https://id:x@site.example/a?b@c": "https://site.example/a?b@c", "https://id@site.example": "https://site.example",
		"//id:x@site.example/": "//site.example/", `\\id@site.example\a`: `\\site.example\a`, "https:id@site.example/": "https:site.example/",
		"HTTP:/\tid:x@y@site.example#a": "HTTP:/site.example#a", "http:@/id@site.example/": "", " https://id@site.example/": "https://site.example/",
		"/a@b": "/a@b", "a@b": "a@b", "https://site.example/@ann?a@b#c@d": "https://site.example/@ann?a@b#c@d", "mailto:ann@site.example": "mailto:ann@site.example",
		"com.app://ann@b": "com.app://ann@b", "/out?to=https://id@b/": "/out?to=https://id@b/", "": "",
	} {
		for policy, want := range map[CookiePolicy]string{CookiesBlock: want, CookiesFirstParty: sent} {
			s := newSet(t, Options{Cookies: policy})
			m := s.Read(newRequest(t, "GET", "https://site.example/", http.Header{}), netip.Addr{})
			m.Response = &http.Response{StatusCode: 302, Header: http.Header{"Location": {sent}}}
			s.Response(m, nil)
			if got := m.Response.Header.Get("Location"); got != want {
				t.Errorf("policy %d: %q became %q, want %q", policy, sent, got, want)
			}
			if log := s.Response(m, nil); len(log) > 0 {
				t.Errorf("policy %d: %q: a second time %v", policy, sent, log)
			}
		}
	}
	for sent, keeps := range map[string]bool{"0; url=https://site.example/": true, "0; url='https://id@site.example/'": false} {
		s := newSet(t, Options{Cookies: CookiesBlock})
		m := s.Read(newRequest(t, "GET", "https://site.example/", http.Header{}), netip.Addr{})
		m.Response = &http.Response{StatusCode: 200, Header: http.Header{"Refresh": {sent}}}
		if s.Response(m, nil); (m.Response.Header["Refresh"] != nil) != keeps {
			t.Errorf("Refresh %s: left %v", sent, m.Response.Header)
		}
	}
}

func FuzzWithoutUserinfo(f *testing.F) {
	for _, reference := range []string{"https://id:x@a.example/b@c", `\\id@a.example`, "https:/id@a.example", "//a@b@c?d", "a@b", "ht\ttp://a@b"} {
		f.Add(reference)
	}
	base := &url.URL{Scheme: "https", Host: "site.example", Path: "/"}
	f.Fuzz(func(t *testing.T, reference string) {
		left := withoutUserinfo(reference)
		if holdsUserinfo(left) {
			t.Errorf("%q becomes %q, and that %q", reference, left, withoutUserinfo(left))
		}
		if u, err := resolve(base, left); err == nil && isWeb(u.Scheme) && u.User != nil {
			t.Errorf("%q becomes %q, which leads to %v", reference, left, u)
		}
	})
}

// Sessions that are bound to a key of the device are cookies that stay longer.
func TestBoundSessionsGoWithCookies(t *testing.T) {
	for _, test := range []struct {
		policy CookiePolicy
		site   string
		pass   bool
	}{
		{CookiesFirstParty, "same-origin", true},
		{CookiesFirstParty, "cross-site", false},
		{CookiesPass, "cross-site", true},
		{CookiesSession, "same-origin", false},
		{CookiesBlock, "same-origin", false},
	} {
		s := newSet(t, Options{Cookies: test.policy})
		m := s.Read(newRequest(t, "POST", "https://site.example/refresh", http.Header{
			"Sec-Fetch-Dest": {"empty"}, "Sec-Fetch-Site": {test.site}, "Secure-Session-Response": {"eyJ.a.b"}, "Sec-Session-Id": {"s1"},
		}), netip.Addr{})
		s.Request(m, nil)
		if h := m.Request.Header; (h["Secure-Session-Response"] != nil) != test.pass || (h["Sec-Session-Id"] != nil) != test.pass {
			t.Errorf("policy %d, %s: sent %v", test.policy, test.site, h)
		}
		m.Response = &http.Response{StatusCode: 200, Header: http.Header{
			"Secure-Session-Registration": {`(ES256);path="/s"`}, "Sec-Session-Challenge": {`"c"`},
		}}
		s.Response(m, nil)
		if h := m.Response.Header; len(h) != map[bool]int{true: 2, false: 0}[test.pass] {
			t.Errorf("policy %d, %s: set %v", test.policy, test.site, h)
		}
	}
}

// Who issues a mail address refuses a browser's question whether its person has it unless all
// that the browser signed is there (draft-hardt-email-verification).
func TestBrowsersProveMailAddresses(t *testing.T) {
	signed := http.Header{
		"Content-Type":    {"application/json"},
		"Content-Digest":  {"sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"},
		"Signature-Input": {`sig=("@method" "@target-uri" "content-digest" "sec-fetch-dest" "signature-key");created=1692345600`},
		"Signature":       {"sig=:MEQCIHd8Y8qYKm5e3dV8yQ==:"},
		"Signature-Key":   {`sig=hwk;kty="OKP";crv="Ed25519";x="JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs"`},
		"Cookie":          {"session=1"},
		"Origin":          {"null"},
		"Sec-Fetch-Dest":  {"email-verification"},
		"Sec-Fetch-Mode":  {"no-cors"},
		"Sec-Fetch-Site":  {"cross-site"},
	}
	h := signed.Clone()
	maps.Copy(h, http.Header{"User-Agent": {"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"}, "X-Client-Data": {"CIa2yQE="}})
	r := newRequest(t, "POST", "https://accounts.issuer.example/issuance", h)
	r.ContentLength = 20
	scrubbed(t, newSet(t, Options{Unknown: UnknownDrop}), r)
	for name, lines := range signed {
		if !slices.Equal(h[name], lines) {
			t.Errorf("%s: %q", name, h[name])
		}
	}
	if h["X-Client-Data"] != nil {
		t.Error("X-Client-Data is left")
	}
}

// A browser renews what such a session stands for by a request of its own: Chromium from
// the network alone, which says nothing of it, and for Google as it fetches anything else.
// A page is never asked for so.
func TestBrowsersRenewBoundSessionsOnTheirOwn(t *testing.T) {
	own := http.Header{"Sec-Fetch-Site": {"none"}, "Sec-Fetch-Mode": {"no-cors"}, "Sec-Fetch-Dest": {"empty"}}
	for _, test := range []struct {
		method, name string
		more         http.Header
		pass         bool
	}{
		{"POST", "Secure-Session-Response", nil, true},
		{"POST", "Secure-Session-Response", own, true},
		{"POST", "Sec-Secure-Session-Id", own, true},
		{"GET", "Sec-Session-Google-Response", own, true},
		{"GET", "Sec-Session-Google-Response", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"no-cors"}, "Sec-Fetch-Dest": {"empty"}}, false},
		{"GET", "Sec-Session-Google-Response", http.Header{"Sec-Fetch-Site": {"none"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}}, false},
		{"GET", "Sec-Session-Google-Rotation-Debug-Info", own, false},
		{"GET", "Secure-Session-Skipped", own, false},
	} {
		h := http.Header{"User-Agent": {"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"}, test.name: {"eyJ.a.b"}}
		maps.Copy(h, test.more)
		m := newSet(t, Options{}).Read(newRequest(t, test.method, "https://site.example/renew", h), netip.Addr{})
		newSet(t, Options{}).Request(m, nil)
		if sent := m.Request.Header[test.name] != nil; sent != test.pass {
			t.Errorf("%s %s with %v: sent is %v", test.method, test.name, test.more, sent)
		}
	}
}

// TestFirstCookieComesBack: a browser that is led back to the same URL has it there.
func TestFirstCookieComesBack(t *testing.T) {
	for _, c := range []struct {
		policy         CookiePolicy
		url, set, sent string
		want           bool
	}{
		{CookiesFirstParty, "https://shop.example/a/b", "id=1", "", true},
		{CookiesSession, "https://shop.example/a/b", "id=1; Max-Age=60; Secure; Path=/", "", true},
		{CookiesPass, "https://shop.example/a/b", "id=1; Path=/a; Domain=shop.example", "", true},
		{CookiesPass, "https://shop.example/a/b", "id=1; Path=/a/b", "", true},
		{CookiesPass, "https://shop.example/a/b", "id=1; Path=a", "", true},
		{CookiesBlock, "https://shop.example/a/b", "id=1", "", false},
		{CookiesPass, "https://shop.example/a/b", "id=1", "other=1", false},
		{CookiesPass, "https://shop.example/a/b", "id=; Max-Age=0", "", false},
		{CookiesPass, "https://shop.example/a/b", "id=; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "", false},
		{CookiesPass, "https://shop.example/a/b", "id=1; Path=/a/bc", "", false},
		{CookiesPass, "https://shop.example/abc", "id=1; Path=/a", "", false},
		{CookiesPass, "https://shop.example/a/b", "id=1; Domain=other.example", "", false},
		{CookiesPass, "http://shop.example/a/b", "id=1; Secure", "", false},
	} {
		set, err := New(Options{Cookies: c.policy})
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequest("GET", c.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{"User-Agent": {"Mozilla/5.0"}, "Sec-Fetch-Dest": {"document"}}
		if c.sent != "" {
			r.Header.Set("Cookie", c.sent)
		}
		m := set.Read(r, netip.Addr{})
		m.Response = &http.Response{Header: http.Header{"Set-Cookie": {c.set}}}
		if got := set.GivesFirstCookie(m); got != c.want {
			t.Errorf("%d %s, %q: got %t", c.policy, c.url, c.set, got)
		}
	}
}
