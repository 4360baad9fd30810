package filters

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// recordedOrders are the names of fields as Firefox 153 and Chromium 156 wrote them on
// HTTP/1.1 to a server of our own, on 2026-11-26.
var recordedOrders = []struct {
	persona, fields string
	kinds           []Kind
}{
	{"firefox", "Host User-Agent Accept Accept-Language Accept-Encoding Sec-GPC Connection Upgrade-Insecure-Requests Sec-Fetch-Dest Sec-Fetch-Mode Sec-Fetch-Site Sec-Fetch-User Priority", []Kind{Document}},
	{"firefox", "Host User-Agent Accept Accept-Language Accept-Encoding Content-Type Content-Length Sec-Fetch-Storage-Access Origin Sec-GPC Connection Referer Upgrade-Insecure-Requests Sec-Fetch-Dest Sec-Fetch-Mode Sec-Fetch-Site Priority Pragma Cache-Control", []Kind{Document, Frame}},
	{"firefox", "Host User-Agent Accept Accept-Language Accept-Encoding Sec-GPC Connection Referer Cookie Upgrade-Insecure-Requests Sec-Fetch-Dest Sec-Fetch-Mode Sec-Fetch-Site Priority", []Kind{Frame}},
	{"firefox", "Host User-Agent Accept Accept-Language Accept-Encoding Sec-Fetch-Storage-Access Sec-GPC Connection Referer Sec-Fetch-Dest Sec-Fetch-Mode Sec-Fetch-Site Priority", []Kind{Embed, Image, Script}},
	{"firefox", "Host User-Agent Accept Accept-Language Accept-Encoding Origin Sec-GPC Connection Referer Sec-Fetch-Dest Sec-Fetch-Mode Sec-Fetch-Site Priority", []Kind{Image, Style, Script, Font}},
	{"firefox", "Host User-Agent Accept Accept-Language Accept-Encoding Origin Sec-GPC Connection Sec-Fetch-Dest Sec-Fetch-Mode Sec-Fetch-Site Priority", []Kind{Track}},
	{"firefox", "Host User-Agent Accept Accept-Language Accept-Encoding Service-Worker Sec-GPC Connection Sec-Fetch-Dest Sec-Fetch-Mode Sec-Fetch-Site Priority Cache-Control", []Kind{Worker}},
	{"firefox", "Host User-Agent Accept Accept-Language Accept-Encoding Sec-GPC Connection Referer Cookie Sec-Fetch-Dest Sec-Fetch-Mode Sec-Fetch-Site Priority", []Kind{Worker, Image}},
	{"firefox", "Host User-Agent Accept Accept-Language Range Sec-Fetch-Storage-Access Sec-GPC Connection Referer Cookie Sec-Fetch-Dest Sec-Fetch-Mode Sec-Fetch-Site Accept-Encoding Priority Pragma Cache-Control", []Kind{Audio, Video}},
	{"firefox", "Host User-Agent Accept Accept-Language Range Origin Sec-GPC Connection Referer Sec-Fetch-Dest Sec-Fetch-Mode Sec-Fetch-Site Accept-Encoding Priority", []Kind{Audio, Video}},
	{"firefox", "Host User-Agent Accept Accept-Language Accept-Encoding Referer Content-Type Content-Length Origin Sec-GPC Connection Cookie Sec-Fetch-Dest Sec-Fetch-Mode Sec-Fetch-Site Priority", []Kind{Fetch}},
	{"firefox", "Host User-Agent Accept Accept-Language Accept-Encoding Referer Authorization Sec-GPC Connection Cookie Sec-Fetch-Dest Sec-Fetch-Mode Sec-Fetch-Site Priority", []Kind{Fetch}},
	{"firefox", "Host User-Agent Accept Accept-Language Accept-Encoding Sec-WebSocket-Version Origin Sec-WebSocket-Protocol Sec-WebSocket-Extensions Sec-WebSocket-Key Sec-GPC Connection Sec-Fetch-Dest Sec-Fetch-Mode Sec-Fetch-Site Pragma Cache-Control Upgrade", []Kind{WebSocket}},
	{"firefox", "Host User-Agent Accept Accept-Language Accept-Encoding Sec-WebSocket-Version Origin Sec-WebSocket-Protocol Sec-WebSocket-Extensions Sec-WebSocket-Key Sec-Fetch-Storage-Access Sec-GPC Connection Cookie Sec-Fetch-Dest Sec-Fetch-Mode Sec-Fetch-Site Pragma Cache-Control Upgrade", []Kind{WebSocket}},
	{"firefox", "Host User-Agent Accept Accept-Language Accept-Encoding Last-Event-ID Connection Sec-Fetch-Dest Sec-Fetch-Mode Sec-Fetch-Site Priority Pragma Cache-Control", []Kind{Fetch}},
	{"firefox", "Host User-Agent Accept Accept-Language Accept-Encoding Access-Control-Request-Method Access-Control-Request-Headers Referer Origin Connection Sec-Fetch-Dest Sec-Fetch-Mode Sec-Fetch-Site Priority", []Kind{Preflight}},

	{"chrome", "Host Connection Accept Access-Control-Request-Method Access-Control-Request-Headers Origin User-Agent Sec-Fetch-Mode Sec-Fetch-Site Sec-Fetch-Dest Referer Accept-Encoding Accept-Language", []Kind{Preflight}},
	{"chrome", "Host Connection sec-ch-ua sec-ch-ua-mobile sec-ch-ua-platform Upgrade-Insecure-Requests User-Agent Accept Sec-Fetch-Site Sec-Fetch-Mode Sec-Fetch-User Sec-Fetch-Dest Accept-Encoding Accept-Language", []Kind{Document}},
	{"chrome", "Host Connection sec-ch-ua sec-ch-ua-mobile sec-ch-ua-platform Upgrade-Insecure-Requests User-Agent Accept Sec-Fetch-Site Sec-Fetch-Mode Sec-Fetch-Dest Sec-Fetch-Storage-Access Referer Accept-Encoding Accept-Language", []Kind{Frame, Embed}},
	{"chrome", "Host Connection Origin sec-ch-ua-platform User-Agent sec-ch-ua sec-ch-ua-mobile Accept Sec-Fetch-Site Sec-Fetch-Mode Sec-Fetch-Dest Referer Accept-Encoding Accept-Language", []Kind{Image, Style, Script, Font, Track}},
	{"chrome", "Host Connection sec-ch-ua-platform User-Agent sec-ch-ua Sec-Purpose sec-ch-ua-mobile Accept Sec-Fetch-Site Sec-Fetch-Mode Sec-Fetch-Dest Referer Accept-Encoding Accept-Language", []Kind{Fetch}},
	{"chrome", "Host Connection sec-ch-ua-platform User-Agent sec-ch-ua sec-ch-ua-mobile Accept Origin Sec-Fetch-Site Sec-Fetch-Mode Sec-Fetch-Dest Referer Accept-Encoding Accept-Language Range", []Kind{Audio, Video}},
	{"chrome", "Host Connection sec-ch-ua-platform User-Agent sec-ch-ua sec-ch-ua-mobile Accept Sec-Fetch-Site Sec-Fetch-Mode Sec-Fetch-Dest Sec-Fetch-Storage-Access Referer Accept-Encoding Accept-Language Cookie Range", []Kind{Audio, Video}},
	{"chrome", "Host Connection Pragma Cache-Control sec-ch-ua-platform User-Agent sec-ch-ua sec-ch-ua-mobile Last-Event-ID Sec-Fetch-Site Sec-Fetch-Mode Sec-Fetch-Dest Referer Accept-Encoding Accept-Language", []Kind{Fetch}},
	{"chrome", "Host Connection Accept Sec-Fetch-Site Sec-Fetch-Mode Sec-Fetch-Dest Referer User-Agent Accept-Encoding Accept-Language Cookie", []Kind{Worker}},
	{"chrome", "Host Connection Cache-Control Accept Service-Worker Sec-Fetch-Site Sec-Fetch-Mode Sec-Fetch-Dest User-Agent Accept-Encoding Accept-Language", []Kind{Worker}},
	{"chrome", "Host Connection Content-Length sec-ch-ua-platform User-Agent sec-ch-ua Content-Type sec-ch-ua-mobile Accept Origin Sec-Fetch-Site Sec-Fetch-Mode Sec-Fetch-Dest Referer Accept-Encoding Accept-Language Cookie", []Kind{Fetch}},
	{"chrome", "Host Connection sec-ch-ua-platform Authorization User-Agent sec-ch-ua sec-ch-ua-mobile Accept Sec-Fetch-Site Sec-Fetch-Mode Sec-Fetch-Dest Referer Accept-Encoding Accept-Language Cookie", []Kind{Fetch}},
	{"chrome", "Host Connection Pragma Cache-Control User-Agent Upgrade Origin Sec-WebSocket-Version Accept-Encoding Accept-Language Sec-WebSocket-Key Sec-WebSocket-Extensions Sec-WebSocket-Protocol", []Kind{WebSocket}},
}

func TestPersonasKeepTheirBrowsersOrder(t *testing.T) {
	for _, recorded := range recordedOrders {
		s, want := newSet(t, Options{Persona: recorded.persona}), strings.Fields(recorded.fields)
		for _, kind := range recorded.kinds {
			got := slices.DeleteFunc(slices.Clone(s.persona.orders[kind].listed), func(name string) bool { return !slices.Contains(want, name) })
			if !slices.Equal(got, want) {
				t.Errorf("%s asks for %s with\n%s, the browser with\n%s", recorded.persona, kind, got, want)
			}
		}
	}
}

// What scripts add stands where Chromium 156 wrote it on 2026-11-28: an Accept of theirs in
// another place than Chromium's own.
func TestFieldsOfScriptsKeepTheirOrder(t *testing.T) {
	s := newSet(t, Options{Persona: "chrome"})
	for _, test := range []struct {
		method string
		h      http.Header
		fields string
	}{
		{"GET", http.Header{"Accept": {"*/*"}}, "sec-ch-ua-platform User-Agent sec-ch-ua sec-ch-ua-mobile Accept"},
		{"GET", http.Header{"Accept": {"application/json"}}, "sec-ch-ua-platform User-Agent Accept sec-ch-ua sec-ch-ua-mobile"},
		{"GET", http.Header{"Accept": {"application/json"}, "Authorization": {"Bearer x"}}, "sec-ch-ua-platform Authorization User-Agent Accept sec-ch-ua sec-ch-ua-mobile"},
		{"GET", http.Header{"Accept": {"*/*"}, "X-Requested-With": {"XMLHttpRequest"}}, "sec-ch-ua-platform X-Requested-With User-Agent sec-ch-ua sec-ch-ua-mobile Accept"},
		{"POST", http.Header{"Accept": {"*/*"}, "Content-Type": {"text/plain"}, "Origin": {"https://site.example"}}, "sec-ch-ua-platform User-Agent sec-ch-ua Content-Type sec-ch-ua-mobile Accept Origin"},
		{"POST", http.Header{"Accept": {"application/json"}, "Content-Type": {"application/json"}, "Origin": {"https://site.example"}, "X-Requested-With": {"XMLHttpRequest"}}, "sec-ch-ua-platform X-Requested-With User-Agent Accept sec-ch-ua Content-Type sec-ch-ua-mobile Origin"},
		{"GET", http.Header{"Accept": {"text/event-stream"}, "Cache-Control": {"no-cache"}, "Pragma": {"no-cache"}, "Last-Event-Id": {"7"}}, "Pragma Cache-Control sec-ch-ua-platform User-Agent Accept sec-ch-ua sec-ch-ua-mobile Last-Event-ID"},
	} {
		test.h["User-Agent"] = []string{"Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"}
		test.h["Sec-Fetch-Dest"], test.h["Sec-Fetch-Mode"], test.h["Sec-Fetch-Site"] = []string{"empty"}, []string{"cors"}, []string{"same-origin"}
		var got []string
		for line := range strings.Lines(scrubbed(t, s, newRequest(t, test.method, "https://site.example/api", test.h))) {
			if name, _, field := strings.Cut(line, ": "); field && name != "Referer" && !strings.HasPrefix(name, "Sec-Fetch-") {
				got = append(got, name)
			}
		}
		want := slices.Concat([]string{"Connection"}, strings.Fields(test.fields), []string{"Accept-Encoding", "Accept-Language"})
		if !slices.Equal(got, want) {
			t.Errorf("%s %v goes with\n%s, Chromium's with\n%s", test.method, test.h, got, want)
		}
	}
}
