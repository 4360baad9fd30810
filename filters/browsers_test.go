package filters

import (
	"fmt"
	"net/http"
)

// A visitor is one browser as a person uses it: what it sends with each kind
// of request, built from what browsers are documented to send, release by
// release.
type visitor struct {
	name     string
	family   string // chromium, firefox, safari
	version  int
	agent    string
	platform string
	mobile   bool
	language string
	extras   http.Header // what the person, their provider or an extension adds
}

// visitors returns several hundred browsers: releases, systems, languages and
// habits.
func visitors() []visitor {
	languages := []string{
		"en-US,en;q=0.9", "en-US,en;q=0.5", "en-GB,en;q=0.7", "de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7",
		"fr,fr-FR;q=0.8,en-US;q=0.5,en;q=0.3", "zh-CN,zh;q=0.9", "pt-BR", "ru-RU,ru;q=0.9,uk;q=0.1", "",
	}
	habits := []http.Header{
		{},
		{"Dnt": {"1"}},
		{"Sec-Gpc": {"1"}},
		{"Save-Data": {"on"}},
		{"Dnt": {"0"}, "X-Client-Data": {"CIe2yQEIprbJAQipncoB"}},
		{"Accept-Charset": {"utf-8;q=0.7,*;q=0.3"}, "Proxy-Connection": {"keep-alive"}},
		{"Via": {"1.1 carrier"}, "X-Forwarded-For": {"192.0.2.7"}, "X-Uidh": {"OTgxNTk2NDk0ADJVquRu5NS5"}},
		{"Rtt": {"50"}, "Downlink": {"10"}, "Ect": {"4g"}, "Device-Memory": {"8"}, "Dpr": {"2"}, "Viewport-Width": {"412"}},
		{"Sec-Browsing-Topics": {"(1 2);v=chrome.1:1:2"}, "Connection": {"keep-alive, X-Hop"}, "X-Hop": {"1"}},
	}
	var all []visitor
	add := func(v visitor) {
		v.language = languages[len(all)%len(languages)]
		v.extras = habits[(len(all)/3)%len(habits)]
		v.name = fmt.Sprintf("%s %d on %s, %q, habit %d", v.family, v.version, v.platform, v.language, (len(all)/3)%len(habits))
		all = append(all, v)
	}
	desktops := []struct{ chrome, firefox, platform string }{
		{"Windows NT 10.0; Win64; x64", "Windows NT 10.0; Win64; x64", "Windows"},
		{"Macintosh; Intel Mac OS X 10_15_7", "Macintosh; Intel Mac OS X 10.15", "macOS"},
		{"X11; Linux x86_64", "X11; Ubuntu; Linux x86_64", "Linux"},
		{"X11; CrOS x86_64 14541.0.0", "X11; Linux aarch64", "Chrome OS"},
	}
	for version := 62; version <= 158; version += 3 {
		for _, d := range desktops {
			for _, brand := range []string{"", fmt.Sprintf(" Edg/%d.0.0.0", version), fmt.Sprintf(" OPR/%d.0.0.0", version-14)} {
				add(visitor{family: "chromium", version: version, platform: d.platform,
					agent: fmt.Sprintf("Mozilla/5.0 (%s) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 Safari/537.36%s", d.chrome, version, brand)})
			}
			add(visitor{family: "firefox", version: version, platform: d.platform,
				agent: fmt.Sprintf("Mozilla/5.0 (%s; rv:%d.0) Gecko/20100101 Firefox/%d.0", d.firefox, version, version)})
		}
		for _, phone := range []string{"Linux; Android 10; K", "Linux; Android 8.1.0; SM-J260M", "Linux; Android 14; Pixel 8 Pro Build/UQ1A"} {
			add(visitor{family: "chromium", version: version, platform: "Android", mobile: true,
				agent: fmt.Sprintf("Mozilla/5.0 (%s) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 Mobile Safari/537.36", phone, version)})
		}
		add(visitor{family: "firefox", version: version, platform: "Android", mobile: true,
			agent: fmt.Sprintf("Mozilla/5.0 (Android 13; Mobile; rv:%d.0) Gecko/%d.0 Firefox/%d.0", version, version, version)})
	}
	for version := 12; version <= 26; version++ {
		add(visitor{family: "safari", version: version, platform: "macOS",
			agent: fmt.Sprintf("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/%d.1 Safari/605.1.15", version)})
		add(visitor{family: "safari", version: version, platform: "iOS", mobile: true,
			agent: fmt.Sprintf("Mozilla/5.0 (iPhone; CPU iPhone OS %d_3_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/%d.3 Mobile/15E148 Safari/604.1", version, version)})
	}
	return all
}

// fetchMetadata tells whether the release sends Sec-Fetch fields to https.
func (v visitor) fetchMetadata() bool {
	switch v.family {
	case "chromium":
		return v.version >= 80
	case "firefox":
		return v.version >= 90
	}
	return v.version >= 17
}

// header returns what v sends for a request of kind. With metadata, it sends
// the Sec-Fetch fields and client hints that its release would.
func (v visitor) header(kind Kind, site string, metadata bool) http.Header {
	h := http.Header{"User-Agent": {v.agent}, "Accept": {v.accept(kind)}}
	if v.language != "" {
		h["Accept-Language"] = []string{v.language}
	}
	h["Accept-Encoding"] = []string{"gzip, deflate"}
	if metadata {
		h["Accept-Encoding"] = []string{"gzip, deflate, br"}
		if v.family != "safari" && v.version >= 123 {
			h["Accept-Encoding"] = []string{"gzip, deflate, br, zstd"}
		}
	}
	page := kind == Document || kind == Frame
	if page {
		h["Upgrade-Insecure-Requests"] = []string{"1"}
		if v.family == "safari" {
			delete(h, "Upgrade-Insecure-Requests")
		}
	}
	if v.family == "firefox" && v.version >= 128 {
		h["Priority"] = []string{map[bool]string{true: "u=0, i", false: "u=4"}[page]}
	}
	if v.family == "safari" && v.version >= 17 {
		h["Priority"] = []string{"u=3, i"}
	}
	if metadata && v.fetchMetadata() {
		h["Sec-Fetch-Dest"] = []string{kinds[kind].dests[0]}
		h["Sec-Fetch-Site"] = []string{site}
		h["Sec-Fetch-Mode"] = []string{v.mode(kind)}
		if kind == Document && v.family != "safari" {
			h["Sec-Fetch-User"] = []string{"?1"}
		}
	}
	if metadata && v.family == "chromium" && v.version >= 89 {
		h["Sec-Ch-Ua"] = []string{fmt.Sprintf(`"Chromium";v="%d", "Not/A)Brand";v="99"`, v.version)}
		h["Sec-Ch-Ua-Mobile"] = []string{map[bool]string{true: "?1", false: "?0"}[v.mobile]}
		h["Sec-Ch-Ua-Platform"] = []string{`"` + v.platform + `"`}
	}
	if v.family == "chromium" && (kind == Audio || kind == Video) {
		h["Accept-Encoding"] = []string{"identity;q=1, *;q=0"}
	}
	for name, lines := range v.extras {
		h[name] = lines
	}
	return h
}

func (v visitor) mode(kind Kind) string {
	switch kind {
	case Document, Frame:
		return "navigate"
	case Fetch, Font, Manifest:
		return "cors"
	case Worker:
		return "same-origin"
	}
	return "no-cors"
}

// accept returns the published Accept of v's release for kind.
func (v visitor) accept(kind Kind) string {
	newer := func(since int, then, before string) string {
		if v.version >= since {
			return then
		}
		return before
	}
	switch kind {
	case Document, Frame:
		switch v.family {
		case "chromium":
			switch {
			case v.version >= 110:
				return "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7"
			case v.version >= 79:
				return "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.9"
			}
			return "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,image/apng,*/*;q=0.8"
		case "firefox":
			switch {
			case v.version >= 132:
				return "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
			case v.version >= 128:
				return "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/png,image/svg+xml,*/*;q=0.8"
			}
			return newer(92, "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
				"text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8")
		}
		return "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
	case Image:
		switch v.family {
		case "chromium":
			return newer(121, "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8", "image/webp,image/apng,image/*,*/*;q=0.8")
		case "firefox":
			return newer(128, "image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5", "image/webp,*/*")
		}
		return newer(14, "image/webp,image/avif,image/jxl,image/heic,image/heic-sequence,video/*;q=0.8,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5",
			"image/png,image/svg+xml,image/*;q=0.8,video/*;q=0.8,*/*;q=0.5")
	case Style:
		return "text/css,*/*;q=0.1"
	case Font:
		if v.family == "firefox" {
			return newer(128, "application/font-woff2;q=1.0,application/font-woff;q=0.9,*/*;q=0.8", "application/font-woff2;q=1.0,application/font-woff;q=0.9,*/*;q=0.8")
		}
	case Audio, Video:
		if v.family == "firefox" {
			return map[Kind]string{
				Video: "video/webm,video/ogg,video/*;q=0.9,application/ogg;q=0.7,audio/*;q=0.6,*/*;q=0.5",
				Audio: "audio/webm,audio/ogg,audio/wav,audio/*;q=0.9,application/ogg;q=0.7,video/*;q=0.6,*/*;q=0.5",
			}[kind]
		}
	}
	return "*/*"
}
