package filters

import (
	"net/http"
	"net/netip"
	"testing"
)

const firefoxAgent = "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"

func TestVisit(t *testing.T) {
	for _, test := range []struct {
		name  string
		url   string
		h     http.Header
		site  string
		third bool
	}{
		{"typed address", "http://www.shop.example/", http.Header{"Accept": {"text/html,application/xhtml+xml,*/*"}}, "shop.example", false},
		{"API client", "http://api.shop.example/v1", http.Header{"Accept": {"application/json"}}, "shop.example", false},
		{"image out of nowhere", "http://cdn.shop.example/i", http.Header{"Accept": {"image/webp,*/*"}}, "", true},
		{"image on its own page", "http://cdn.shop.example/i", http.Header{"Accept": {"image/webp,*/*"}, "Referer": {"http://www.shop.example/page"}}, "shop.example", false},
		{"image on another page", "http://track.example/i", http.Header{"Accept": {"image/webp,*/*"}, "Referer": {"http://www.shop.example/page"}}, "shop.example", true},
		{"script by CORS", "http://cdn.example/s", http.Header{"Accept": {"*/*"}, "Origin": {"http://www.shop.example"}}, "shop.example", true},
		{"opaque origin", "http://cdn.example/s", http.Header{"Accept": {"*/*"}, "Origin": {"null"}}, "", true},
		{"redirected by another origin of the site", "http://api.shop.example/s", http.Header{"Accept": {"*/*"}, "Origin": {"null"}, "Referer": {"http://www.shop.example/"}}, "shop.example", false},
		{"redirected by another origin to another site", "http://track.example/s", http.Header{"Accept": {"*/*"}, "Origin": {"null"}, "Referer": {"http://www.shop.example/"}}, "shop.example", true},
		{"form under no-referrer, on plain http", "http://shop.example/login", http.Header{"Accept": {"text/html,application/xhtml+xml,*/*"}, "Origin": {"null"}}, "shop.example", false},
		{"own form without referrer", "https://shop.example/s", http.Header{"Sec-Fetch-Site": {"same-origin"}, "Origin": {"null"}}, "shop.example", false},
		{"same-site", "https://api.shop.example/", http.Header{"Sec-Fetch-Site": {"same-site"}, "Sec-Fetch-Dest": {"empty"}}, "shop.example", false},
		{"cross-site from nowhere", "https://track.example/", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Dest": {"image"}}, "", true},
		{"cross-site from a page", "https://track.example/", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Dest": {"image"}, "Referer": {"https://www.shop.example/"}}, "shop.example", true},
		{"bookmark", "https://shop.example/", http.Header{"Sec-Fetch-Site": {"none"}, "Sec-Fetch-Dest": {"document"}}, "shop.example", false},
		{"link followed to a page", "https://shop.example/", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Dest": {"document"}, "Referer": {"https://search.example/"}}, "shop.example", false},
		{"link kept by Chromium's menu", "https://shop.example/f", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"empty"}, "Referer": {"https://mail.example/"}}, "shop.example", false},
		{"page from a link that Chromium's service worker fetches anew", "https://shop.example/", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"empty"}, "Accept": {"text/html,application/xhtml+xml,*/*"}, "Referer": {"https://search.example/"}}, "shop.example", false},
		{"frame that its own fetches anew in another's page", "https://ads.example/", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"empty"}, "Accept": {"text/html,application/xhtml+xml,*/*"}, "Referer": {"https://shop.example/"}, "Sec-Fetch-Storage-Access": {"none"}}, "shop.example", true},
		{"page or frame that an older one's fetches anew", "https://ads.example/", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"empty"}, "Accept": {"text/html,application/xhtml+xml,*/*"}, "Referer": {"https://shop.example/"}, "User-Agent": {"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/132.0.0.0 Safari/537.36"}}, "shop.example", true},
		{"page from a link that Firefox's fetches anew", "https://shop.example/", http.Header{"Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-Mode": {"same-origin"}, "Sec-Fetch-Dest": {"empty"}, "Accept": {"text/html,application/xhtml+xml,*/*"}, "Upgrade-Insecure-Requests": {"1"}, "Priority": {"u=2"}, "Referer": {"https://search.example/"}, "User-Agent": {firefoxAgent}}, "shop.example", false},
		{"frame that Firefox's fetches anew in another's page", "https://ads.example/", http.Header{"Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-Mode": {"same-origin"}, "Sec-Fetch-Dest": {"empty"}, "Accept": {"text/html,application/xhtml+xml,*/*"}, "Upgrade-Insecure-Requests": {"1"}, "Priority": {"u=4"}, "Referer": {"https://shop.example/"}, "User-Agent": {firefoxAgent}}, "shop.example", true},
		{"script that poses as one", "https://track.example/", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Dest": {"empty"}, "Accept": {"text/html,application/xhtml+xml,*/*"}, "Upgrade-Insecure-Requests": {"1"}, "Origin": {"https://shop.example"}, "User-Agent": {firefoxAgent}}, "shop.example", true},
		{"script of another site", "https://shop.example/f", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"no-cors"}, "Sec-Fetch-Dest": {"empty"}, "Referer": {"https://mail.example/"}}, "mail.example", true},
		{"frame of another site", "https://ads.example/", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Dest": {"iframe"}, "Referer": {"https://shop.example/"}}, "shop.example", true},
		{"page or frame on plain http", "http://ads.example/", http.Header{"Accept": {"text/html,application/xhtml+xml,*/*"}, "Referer": {"http://shop.example/"}}, "shop.example", true},
		{"link followed by Firefox on plain http", "http://shop.example/", http.Header{"Accept": {"text/html,application/xhtml+xml,*/*"}, "Referer": {"http://idp.example/"}, "Priority": {"u=0, i"}, "User-Agent": {firefoxAgent}}, "shop.example", false},
		{"frame in Firefox on plain http", "http://ads.example/", http.Header{"Accept": {"text/html,application/xhtml+xml,*/*"}, "Referer": {"http://shop.example/"}, "Priority": {"u=4"}, "User-Agent": {firefoxAgent}}, "shop.example", true},
		{"page or frame in Chromium, by HTTP/2", "http://ads.example/", http.Header{"Accept": {"text/html,application/xhtml+xml,*/*"}, "Referer": {"http://shop.example/"}, "Priority": {"u=0, i"}, "User-Agent": {"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"}}, "shop.example", true},
		{"script that poses as a page", "http://track.example/", http.Header{"Accept": {"text/html,application/xhtml+xml,*/*"}, "Origin": {"http://shop.example"}, "Priority": {"u=0, i"}, "User-Agent": {firefoxAgent}}, "shop.example", true},
		{"claims that contradict", "https://track.example/", http.Header{"Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-Dest": {"image"}, "Referer": {"https://shop.example/"}}, "shop.example", true},
		{"contradiction the other way", "https://shop.example/", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Dest": {"image"}, "Referer": {"https://shop.example/"}}, "", true},
		{"lines that differ", "https://shop.example/", http.Header{"Sec-Fetch-Site": {"same-origin", "none"}, "Sec-Fetch-Dest": {"image"}}, "", true},
		{"made-up claim", "https://shop.example/", http.Header{"Sec-Fetch-Site": {"mine"}, "Sec-Fetch-Dest": {"image"}}, "", true},
		{"public suffixes part sites", "https://a.github.io/", http.Header{"Origin": {"https://b.github.io"}}, "b.github.io", true},
		{"public suffixes are sites", "https://github.io/", http.Header{"Origin": {"https://co.uk"}}, "co.uk", true},
		{"country code suffixes", "https://a.co.uk/", http.Header{"Origin": {"https://b.a.co.uk"}}, "a.co.uk", false},
		{"addresses are their own site", "http://192.0.2.1/", http.Header{"Origin": {"http://192.0.2.2"}}, "192.0.2.2", true},
		{"IPv6", "http://[2001:db8::1]:8080/", http.Header{"Origin": {"http://[2001:db8::1]"}}, "2001:db8::1", false},
		{"single labels", "http://printer/", http.Header{"Origin": {"http://nas"}}, "nas", true},
		{"case and final dot", "https://WWW.Shop.Example./", http.Header{"Origin": {"https://shop.example"}}, "shop.example", false},
		{"socket from another page", "http://shop.example/ws", http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Origin": {"http://evil.example"}}, "evil.example", true},
	} {
		v := newSet(t, Options{}).Read(newRequest(t, "GET", test.url, test.h), netip.Addr{}).Visit
		if v.Site != test.site || v.ThirdParty != test.third {
			t.Errorf("%s: got %q, third party %t; want %q, %t", test.name, v.Site, v.ThirdParty, test.site, test.third)
		}
	}
}

// TestReportsOfOlderBrowsers: those that do not say so tell by the type of what they bring.
func TestReportsOfOlderBrowsers(t *testing.T) {
	for media, want := range map[string]bool{"application/csp-report": true, "application/reports+json": true, "application/json": false, "": false} {
		for agent, browser := range map[string]bool{"Mozilla/5.0": true, "curl/8": false} {
			h := http.Header{"User-Agent": {agent}}
			if media != "" {
				h["Content-Type"] = []string{media}
			}
			m := newSet(t, Options{}).Read(newRequest(t, "POST", "https://site.example/", h), netip.Addr{})
			if m.Visit.Report != (want && browser) {
				t.Errorf("%s of %s: is a report: %t", media, agent, m.Visit.Report)
			}
		}
	}
}

func TestParseAuthority(t *testing.T) {
	for in, want := range map[string]authority{
		"http://a.example":                {"http", "a.example", "", ""},
		"https://a.example:443/p?q":       {"https", "a.example", "", "/p?q"},
		"http://user:pw@a.example:8080/p": {"http", "a.example", "8080", "/p"},
		"http://[2001:db8::1]:81?x":       {"http", "2001:db8::1", "81", "?x"},
		"http://a_b.example":              {"http", "a_b.example", "", ""},
		`http://a.example\@b.example/`:    {"http", "a.example", "", `\@b.example/`},
	} {
		if got, ok := parseAuthority(in); !ok || got != want {
			t.Errorf("%s: got %+v, %t", in, got, ok)
		}
	}
	for _, in := range []string{"", "null", "a.example", "//a.example", "http://", "http:///p", "http://a b/", "http://a:b/",
		"http://[::1/", "http://[::1]x", "http://[::1]80/", "http://[192.0.2.1]/", "1http://a/", "http://a:123456/", "http://ä.example"} {
		if got, ok := parseAuthority(in); ok {
			t.Errorf("%s: got %+v", in, got)
		}
	}
}

func FuzzParseAuthority(f *testing.F) {
	f.Add("http://user@[2001:db8::1]:80/p")
	f.Add("https://a.example:444")
	f.Fuzz(func(t *testing.T, s string) {
		a, ok := parseAuthority(s)
		if !ok {
			return
		}
		origin := a.scheme + "://" + a.hostport()
		again, ok := parseAuthority(origin)
		if !ok || again.hostport() != a.hostport() || again.rest != "" {
			t.Errorf("%q gives %q, which gives %+v, %t", s, origin, again, ok)
		}
	})
}

// Browsers of televisions and phones begin with their maker's name, text browsers with
// their own.
func TestBrowsersByAnyName(t *testing.T) {
	for agent, want := range map[string]bool{
		"Mozilla/5.0 (X11; Linux x86_64)": true, "Opera/9.80 (Windows NT 6.1) Presto/2.12.388 Version/12.18": true,
		"RokuBrowser/104.11.20 (TV-G000X-14.1.4.7709) Chrome/104.0.5112.70 HbbTV/1.6.1 (+DRM)":                       true,
		"HbbTV/1.2.1 (+DRM;Samsung;SmartTV2015:UE40J6300;T-HKMFDEUC-1423.1;;) WebKit":                                true,
		"LG-P500 Mozilla/5.0 (Linux; U; Android 2.2; xx; LG-P500 Build/FRF91) AppleWebKit/533.1 (KHTML, like Gecko)": true,
		"UCWEB/2.0 (Java; U; MIDP-2.0; Nokia203/20.37) U2/1.0.0 UCBrowser/8.7.0.218 U2/1.0.0 Mobile":                 true,
		"Nokia205.1/2.0 (04.51) Profile/MIDP-2.1 Configuration/CLDC-1.1":                                             true, "Lynx/2.9.2 libwww-FM/2.14 SSL-MM/1.4.1": true,
		"PrivacyBrowser/1.0": true, // Android's WebView, as that browser comes
		"curl/8.14.1":        false, "Pinterest/3.3.3 CFNetwork/609.1.4 Darwin/13.0.0": false, "Go-http-client/1.1": false, "": false,
		"Dalvik/2.1.0 (Linux; U; Android 11; MiTV-AFKR0 Build/RTT0.211222.001)": false, "okhttp/4.12.0": false,
	} {
		if got := isBrowser(http.Header{"User-Agent": {agent}}); got != want {
			t.Errorf("%q: %t", agent, got)
		}
	}
}
