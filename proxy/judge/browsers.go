package judge

import (
	"fmt"
	"strings"
)

// A kind is what a browser asks for. Every browser sends other fields for
// each of them.
type kind string

// The kinds, named as the test resources that answer them.
const (
	aDocument kind = "document"
	anImage   kind = "image"
	aStyle    kind = "style"
	aScript   kind = "script"
	aFont     kind = "font"
	aMedia    kind = "media"
	aFetch    kind = "data"
)

// a names a thing of kind k in a sentence.
func (k kind) a() string {
	return map[kind]string{aDocument: "a document", anImage: "an image", aStyle: "a style sheet", aScript: "a script",
		aFont: "a font", aMedia: "a video", aFetch: "data"}[k]
}

// fetchMetadata gives a kind's Sec-Fetch-Dest and Sec-Fetch-Mode.
var fetchMetadata = map[kind][2]string{
	aDocument: {"document", "navigate"}, anImage: {"image", "no-cors"}, aStyle: {"style", "no-cors"},
	aScript: {"script", "no-cors"}, aFont: {"font", "cors"}, aMedia: {"video", "no-cors"}, aFetch: {"empty", "cors"},
}

// A browser says what one family of browsers sends over HTTP/1.1.
type browser struct {
	name     string
	agents   []string // User-Agent values of some versions and systems
	brands   []string // Sec-CH-UA for each agent; none for browsers without client hints
	accept   map[kind]string
	encoding string
	language func(tag string) string // the Accept-Language of somebody who set one language
	order    []string                // order of its fields; those it does not have are left out
	parts    []string                // order with everything but documents; nil for the same
}

var (
	geckoOrder = []string{"Host", "User-Agent", "Accept", "Accept-Language", "Accept-Encoding", "Range", "DNT", "Sec-GPC",
		"Referer", "Connection", "Proxy-Connection", "Cookie", "Upgrade-Insecure-Requests", "Sec-Fetch-Dest", "Sec-Fetch-Mode",
		"Sec-Fetch-Site", "Sec-Fetch-User", "Priority"}
	blinkOrder = []string{"Host", "Proxy-Connection", "Connection", "sec-ch-ua", "sec-ch-ua-mobile", "sec-ch-ua-platform",
		"Save-Data", "DNT", "Sec-GPC", "Upgrade-Insecure-Requests", "User-Agent", "X-Requested-With", "Accept", "Sec-Fetch-Site",
		"Sec-Fetch-Mode", "Sec-Fetch-User", "Sec-Fetch-Dest", "Referer", "Accept-Encoding", "Accept-Language", "Cookie"}
	blinkParts = []string{"Host", "Proxy-Connection", "Connection", "Origin", "sec-ch-ua-platform", "Save-Data", "DNT", "Sec-GPC",
		"User-Agent", "X-Requested-With", "sec-ch-ua", "sec-ch-ua-mobile", "Accept", "Sec-Fetch-Site", "Sec-Fetch-Mode",
		"Sec-Fetch-Dest", "Referer", "Accept-Encoding", "Accept-Language", "Cookie", "Range"}
	webkitOrder = []string{"Host", "X-Playback-Session-Id", "Sec-Fetch-Dest", "Range", "User-Agent", "Upgrade-Insecure-Requests",
		"Accept", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Referer", "Cookie", "Accept-Language", "Priority", "Accept-Encoding",
		"Connection", "Proxy-Connection"}
)

var (
	geckoAccept = map[kind]string{
		aDocument: "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
		anImage:   "image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5",
		aStyle:    "text/css,*/*;q=0.1", aScript: "*/*", aFetch: "*/*",
		aFont:  "application/font-woff2;q=1.0,application/font-woff;q=0.9,*/*;q=0.8",
		aMedia: "video/webm,video/ogg,video/*;q=0.9,application/ogg;q=0.7,audio/*;q=0.6,*/*;q=0.5",
	}
	oldGeckoAccept = map[kind]string{
		aDocument: "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
		anImage:   "image/avif,image/webp,*/*",
		aStyle:    "text/css,*/*;q=0.1", aScript: "*/*", aFetch: "*/*", aFont: geckoAccept[aFont], aMedia: geckoAccept[aMedia],
	}
	// Taken from Chromium 156 on Linux, November 2026.
	blinkAccept = map[kind]string{
		aDocument: "text/html,application/xhtml+xml,application/xml;q=0.9,image/jxl,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7",
		anImage:   "image/jxl,image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8",
		aStyle:    "text/css,*/*;q=0.1", aScript: "*/*", aFetch: "*/*", aFont: "*/*", aMedia: "*/*",
	}
	oldBlinkAccept = map[kind]string{
		aDocument: "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7",
		anImage:   "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8",
		aStyle:    "text/css,*/*;q=0.1", aScript: "*/*", aFetch: "*/*", aFont: "*/*", aMedia: "*/*",
	}
	webkitAccept = map[kind]string{
		aDocument: "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
		anImage:   "image/webp,image/avif,image/jxl,image/heic,image/heic-sequence,video/*;q=0.8,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5",
		aStyle:    "text/css,*/*;q=0.1", aScript: "*/*", aFetch: "*/*", aFont: "*/*", aMedia: "*/*",
	}
)

var oldWebkitAccept = map[kind]string{
	aDocument: webkitAccept[aDocument],
	anImage:   "image/webp,image/avif,video/*;q=0.8,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5",
	aStyle:    "text/css,*/*;q=0.1", aScript: "*/*", aFetch: "*/*", aFont: "*/*", aMedia: "*/*",
}

func chromiumBrands(version int, brand string) string {
	return fmt.Sprintf(`"Not:A-Brand";v="8", "Chromium";v="%d", "%s";v="%[1]d"`, version, brand)
}

// browsers are the families that most visitors use.
var browsers = []browser{
	{
		name: "Firefox",
		agents: []string{
			"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0",
			"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
			"Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:143.0) Gecko/20100101 Firefox/143.0",
			"Mozilla/5.0 (Android 15; Mobile; rv:144.0) Gecko/144.0 Firefox/144.0",
		},
		accept: geckoAccept, encoding: "gzip, deflate, br, zstd", language: geckoLanguage, order: geckoOrder,
	},
	{
		name: "Chrome",
		agents: []string{
			"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36",
			"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/155.0.0.0 Safari/537.36",
			"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/154.0.0.0 Mobile Safari/537.36",
		},
		brands: []string{chromiumBrands(156, "Google Chrome"), chromiumBrands(155, "Google Chrome"), chromiumBrands(154, "Google Chrome")},
		accept: blinkAccept, encoding: "gzip, deflate, br, zstd", language: blinkLanguage, order: blinkOrder, parts: blinkParts,
	},
	{
		name: "Edge",
		agents: []string{
			"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36 Edg/156.0.0.0",
			"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/155.0.0.0 Safari/537.36 Edg/155.0.0.0",
		},
		brands: []string{chromiumBrands(156, "Microsoft Edge"), chromiumBrands(155, "Microsoft Edge")},
		accept: blinkAccept, encoding: "gzip, deflate, br, zstd", language: blinkLanguage, order: blinkOrder, parts: blinkParts,
	},
	{
		name: "Safari",
		agents: []string{
			"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15",
			"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
			"Mozilla/5.0 (iPad; CPU OS 17_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.7 Mobile/15E148 Safari/604.1",
		},
		accept: webkitAccept, encoding: "gzip, deflate", language: webkitLanguage, order: webkitOrder,
	},
	{
		name: "Samsung Internet",
		agents: []string{
			"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36",
			"Mozilla/5.0 (Linux; Android 13; SAMSUNG SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/21.0 Chrome/110.0.5481.154 Mobile Safari/537.36",
		},
		brands: []string{chromiumBrands(130, "Samsung Internet"), chromiumBrands(110, "Samsung Internet")},
		accept: oldBlinkAccept, encoding: "gzip, deflate", language: blinkLanguage, order: blinkOrder, parts: blinkParts,
	},
	{
		name:   "an older Firefox",
		agents: []string{"Mozilla/5.0 (Windows NT 6.1; Win64; x64; rv:115.0) Gecko/20100101 Firefox/115.0"},
		accept: oldGeckoAccept, encoding: "gzip, deflate, br", language: geckoLanguage, order: geckoOrder,
	},
	{
		name: "an older Safari",
		agents: []string{
			"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/15.6.1 Safari/605.1.15",
			"Mozilla/5.0 (iPhone; CPU iPhone OS 15_8 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/15.6.6 Mobile/15E148 Safari/604.1",
		},
		accept: oldWebkitAccept, encoding: "gzip, deflate", language: webkitLanguage, order: webkitOrder,
	},
	{
		name:   "Opera",
		agents: []string{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/154.0.0.0 Safari/537.36 OPR/138.0.0.0"},
		brands: []string{chromiumBrands(154, "Opera")},
		accept: oldBlinkAccept, encoding: "gzip, deflate, br, zstd", language: blinkLanguage, order: blinkOrder, parts: blinkParts,
	},
}

var languages = []string{"en-US", "de-DE", "nb-NO", "fr-FR", "ja-JP", "pt-BR", "en-GB"}

func geckoLanguage(tag string) string {
	base, _, _ := strings.Cut(tag, "-")
	if base == "en" {
		return tag + ",en;q=0.5"
	}
	return base + ",en-US;q=0.7,en;q=0.3"
}

func blinkLanguage(tag string) string {
	base, _, _ := strings.Cut(tag, "-")
	if base == "en" {
		return tag + ",en;q=0.9"
	}
	return fmt.Sprintf("%s,%s;q=0.9,en-US;q=0.8,en;q=0.7", tag, base)
}

func webkitLanguage(tag string) string {
	base, _, _ := strings.Cut(tag, "-")
	return fmt.Sprintf("%s,%s;q=0.9", tag, base)
}
