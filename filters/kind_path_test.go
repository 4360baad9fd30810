package filters

import (
	"net/http"
	"strings"
	"testing"
)

// Browsers that name no destination say with their path what they ask for.
func TestKindByPath(t *testing.T) {
	page := func(more ...string) http.Header {
		h := http.Header{"User-Agent": {"Mozilla/5.0 (X11; Linux x86_64)"}, "Accept": {"*/*"}, "Referer": {"https://site.example/"}, "Cookie": {"a=b"}}
		for i := 0; i < len(more); i += 2 {
			h.Set(more[i], more[i+1])
			if more[i+1] == "" {
				h.Del(more[i])
			}
		}
		return h
	}
	for _, test := range []struct {
		name, method, path string
		h                  http.Header
		want               Kind
	}{
		{"a script", "GET", "/a/app.min.js?v=1", page(), Script},
		{"a font", "GET", "/a.woff2", page("Origin", "https://site.example"), Font},
		{"Chrome 76 named modes only", "GET", "/a.js", page("Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Site", "same-origin", "Referer", ""), Script},
		{"a film", "GET", "/a.mp4", page("Range", "bytes=0-"), Video},
		{"sound", "GET", "/a.mp3", page("Range", "bytes=0-"), Audio},
		{"sound for an old Firefox", "GET", "/a.ogg", page("Accept", "audio/webm,audio/ogg,audio/wav,audio/*;q=0.9,application/ogg;q=0.7,video/*;q=0.6,*/*;q=0.5"), Audio},
		{"a script in an app's WebView", "GET", "/a.js", page("X-Requested-With", "com.example.app"), Script},
		{"an application's manifest", "GET", "/app.webmanifest", page(), Manifest},
		{"subtitles", "HEAD", "/a.vtt", page(), Track},
		{"Safari's icon", "GET", "/favicon.ico", page("Referer", ""), Image},
		{"an image may have to be what its name says", "GET", "/a.png", page(), Fetch},
		{"data", "GET", "/a.json", page(), Fetch},
		{"no name", "GET", "/js", page(), Fetch},
		{"a dot before the last slash", "GET", "/a.js/", page(), Fetch},
		{"a wish", "GET", "/a.js", page("Accept", "application/json"), Fetch},
		{"a program", "GET", "/a.js", page("User-Agent", "curl/8"), Fetch},
		{"a download", "GET", "/a.mp4", page("Referer", ""), Fetch},
		{"what a script asks for", "GET", "/a.js", page("Sec-Fetch-Mode", "cors"), Fetch},
		{"what a library asks for", "GET", "/a.js", page("X-Requested-With", "XMLHttpRequest"), Fetch},
		{"what an API asks for", "GET", "/a.vtt", page("X-Acme-Mode", "1"), Fetch},
		{"a change", "PUT", "/a.js", page(), Fetch},
		{"what names a destination", "GET", "/a.js", page("Sec-Fetch-Dest", "empty"), Fetch},
		{"Opera 12, which asks for an image as for a page", "GET", "/a.png", page("User-Agent", "Opera/9.80 (X11; Linux) Presto/2.12.388 Version/12.16", "Accept", "text/html, application/xml;q=0.9, application/xhtml+xml, image/png, */*;q=0.1"), Image},
		{"a page of Opera 12", "GET", "/a", page("User-Agent", "Opera/9.80 (X11; Linux) Presto/2.12.388 Version/12.16", "Accept", "text/html, application/xml;q=0.9, application/xhtml+xml, image/png, */*;q=0.1"), Document},
		{"a service worker", "GET", "/worker", page("Service-Worker", "script"), Worker},
	} {
		if got := kindOf(newRequest(t, test.method, "https://site.example"+test.path, test.h)); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}

// WebKitGTK plays with a field that others' scripts may send as well.
func TestWhatWebKitGTKPlays(t *testing.T) {
	s := newSet(t, Options{})
	played := func(path string, more ...string) (string, http.Header) {
		h := http.Header{"User-Agent": {"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/60.5 Safari/605.1.15"},
			"Accept": {"*/*"}, "Referer": {"http://site.example/"}}
		for i := 0; i < len(more); i += 2 {
			h.Set(more[i], more[i+1])
		}
		return scrubbed(t, s, newRequest(t, "GET", "http://site.example"+path, h)), h
	}
	for _, path := range []string{"/a.webm", "/a.mp3", "/radio"} {
		want, _ := played("/a.webm")
		if got, _ := played(path, "Icy-Metadata", "1"); strings.ReplaceAll(got, path, "/a.webm") != want {
			t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
		}
	}
	if _, h := played("/a.mp3", "Icy-Metadata", "1", "Accept-Encoding", "identity", "Range", "bytes=9-"); h["Icy-Metadata"] != nil {
		t.Errorf("a later part: %v", h)
	}
	if _, h := played("/a.mp3", "Icy-Metadata", "1", "Accept-Encoding", "gzip, deflate"); h["Icy-Metadata"] == nil {
		t.Errorf("a script asks for no titles: %v", h)
	}
	if _, h := played("/radio", "Icy-Metadata", "1", "User-Agent", "VLC/3.0.20 LibVLC/3.0.20"); h["Icy-Metadata"] == nil {
		t.Errorf("a player asks for no titles: %v", h)
	}
}

// Firefox asked for all that is no part of a page's text as for a page.
func TestWhatFirefoxAskedForAsForPages(t *testing.T) {
	for _, test := range []struct {
		version, method, path, upgrade string
		want                           Kind
	}{
		{"62", "GET", "/", "1", Document},
		{"62", "POST", "/form", "1", Document},
		{"62", "GET", "/favicon.ico", "", Image},
		{"52", "GET", "/static/touch.png", "", Image},
		{"62", "POST", "/beacon/event", "", Fetch},
		{"49", "GET", "/player.swf", "", Fetch},
		{"62", "GET", "/picture.png", "1", Document},
		{"47", "GET", "/", "", Document}, // said it of no page
		{"66", "GET", "/", "", Document}, // asks so for pages only
	} {
		h := http.Header{"User-Agent": {"Mozilla/5.0 (Windows NT 6.1; rv:" + test.version + ".0) Gecko/20100101 Firefox/" + test.version + ".0"},
			"Accept": {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}}
		if test.upgrade != "" {
			h.Set("Upgrade-Insecure-Requests", test.upgrade)
		}
		if got := kindOf(newRequest(t, test.method, "http://site.example"+test.path, h)); got != test.want {
			t.Errorf("%s %s of Firefox %s: %s, want %s", test.method, test.path, test.version, got, test.want)
		}
	}
}

// In small browsers no script asks: "*/*" is of a page there, or of its part.
func TestPagesOfBrowsersThatAskForAnything(t *testing.T) {
	const links = "Links (2.28; Linux 6.1.0 x86_64; GNU C 12.2; text)"
	for _, test := range []struct {
		agent, method, path string
		more                http.Header
		want                Kind
	}{
		{links, "GET", "/", nil, Document},
		{links, "GET", "/a/page.html", http.Header{"Referer": {"http://site.example/"}}, Document},
		{links, "POST", "/form", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, Document},
		{links, "GET", "/a.png", http.Header{"Referer": {"http://site.example/"}}, Image},
		{"ELinks/0.13.2 (textmode; Linux 6.1.0 x86_64; -)", "GET", "/", nil, Document},
		{"ELinks (0.4pre5; Linux 2.4.27 i686; 80x25)", "GET", "/", nil, Document},
		{"NetSurf/3.10 (Linux)", "GET", "/", nil, Document},
		{"NetSurf/3.10 (Linux)", "GET", "/favicon.ico", nil, Image},
		{"NetSurf/3.10 (Linux)", "GET", "/a.css", nil, Style},
		{links, "GET", "/", http.Header{"X-Requested-With": {"XMLHttpRequest"}}, Fetch},
		{"linkchecker/10", "GET", "/", nil, Fetch},
		{"Mozilla/5.0", "GET", "/", nil, Fetch},
	} {
		h := http.Header{"User-Agent": {test.agent}, "Accept": {"*/*"}}
		for name, lines := range test.more {
			h[name] = lines
		}
		if got := kindOf(newRequest(t, test.method, "http://site.example"+test.path, h)); got != test.want {
			t.Errorf("%s %s of %s: %s, want %s", test.method, test.path, test.agent, got, test.want)
		}
	}
}

// Internet Explorer asked so for styles as well.
func TestStylesOfBrowsersThatAskedForAnything(t *testing.T) {
	for agent, want := range map[string]Kind{
		"Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0)":   Style,
		"Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.1; Trident/5.0)":   Fetch,
		"Mozilla/5.0 (Windows NT 6.1; rv:52.0) Gecko/20100101 Firefox/52.0": Fetch,
	} {
		h := http.Header{"User-Agent": {agent}, "Accept": {"*/*"}, "Referer": {"http://site.example/"}}
		if got := kindOf(newRequest(t, "GET", "http://site.example/a.css", h)); got != want {
			t.Errorf("%s: %s, want %s", agent, got, want)
		}
	}
}

// Browsers asked for images with "*/*" for some years; what asks so today is a script.
func TestImagesOfBrowsersThatAskedForAnything(t *testing.T) {
	const mac = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_6) AppleWebKit/601.7.8 (KHTML, like Gecko) "
	for agent, want := range map[string]Kind{
		"Mozilla/5.0 (Windows NT 6.1; rv:52.0) Gecko/20100101 Firefox/52.0":                                                                         Image,
		"Mozilla/5.0 (Windows NT 6.1; rv:47.0) Gecko/20100101 Firefox/47.0":                                                                         Image,
		"Mozilla/5.0 (Windows NT 6.1; rv:65.0) Gecko/20100101 Firefox/65.0":                                                                         Fetch,
		"Mozilla/5.0 (Windows NT 6.1; rv:45.0) Gecko/20100101 Firefox/45.0":                                                                         Fetch,
		mac + "Version/9.1.3 Safari/601.7.8":                                                                                                        Image,
		mac + "Version/11.0 Safari/604.1":                                                                                                           Fetch,
		mac + "Chrome/70.0.3538.77 Safari/537.36":                                                                                                   Fetch,
		"Mozilla/5.0 (Linux; U; Android 4.4.2; de-de; GT-I9100) AppleWebKit/534.30 (KHTML, like Gecko) Version/4.0 Mobile Safari/534.30":            Image,
		"Mozilla/5.0 (Linux; Android 9; SM-J260M; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/74.0.3729.157 Mobile Safari/537.36": Fetch,
		"Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0)":                                                                           Image, "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 6.1; Trident/5.0)": Fetch,
		"Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.2; Trident/6.0)":                                                      Fetch,
		"Mozilla/5.0 (PlayStation Vita 3.12) AppleWebKit/536.26 (KHTML, like Gecko) Silk/3.2":                                   Image,
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148":         Fetch,
		"Mozilla/5.0 (X11; Linux i686) AppleWebKit/535.1 (KHTML, like Gecko) Ubuntu/11.04 Chromium/14.0 Chrome/14.0 Safari/535": Image,
		"Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 (KHTML, like Gecko) Safari/537.36":                               Fetch,
		"curl/8": Fetch, "Mozilla/5.0 Firefox/": Fetch,
	} {
		for path, image := range map[string]bool{"/a.png": true, "/a/b.jpeg": true, "/a": false, "/a.json": false} {
			h := http.Header{"User-Agent": {agent}, "Accept": {"*/*"}, "Referer": {"http://site.example/"}}
			expected := Fetch
			if image {
				expected = want
			}
			if got := kindOf(newRequest(t, "GET", "http://site.example"+path, h)); got != expected {
				t.Errorf("%s with %s: %s, want %s", path, agent, got, expected)
			}
			h["X-Csrf-Token"] = []string{"a"}
			if got := kindOf(newRequest(t, "GET", "http://site.example"+path, h)); got != Fetch {
				t.Errorf("%s by a script with %s: %s", path, agent, got)
			}
		}
	}
}
