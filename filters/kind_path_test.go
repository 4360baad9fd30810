package filters

import (
	"net/http"
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
		{"a service worker", "GET", "/worker", page("Service-Worker", "script"), Worker},
	} {
		if got := kindOf(newRequest(t, test.method, "https://site.example"+test.path, test.h)); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}
