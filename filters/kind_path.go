package filters

import (
	"net/http"
	"strings"
)

// pathEndings tells what browsers ask for by how names of files end. Of images and
// styles see asksForAnything.
var pathEndings = map[string]Kind{
	"css": Style,
	"png": Image, "jpg": Image, "jpeg": Image, "gif": Image, "svg": Image, "webp": Image, "bmp": Image, "ico": Image,
	"js": Script, "mjs": Script,
	"woff": Font, "woff2": Font, "ttf": Font, "otf": Font, "eot": Font,
	"mp4": Video, "m4v": Video, "webm": Video, "ogv": Video,
	"mp3": Audio, "m4a": Audio, "ogg": Audio, "oga": Audio, "opus": Audio, "wav": Audio, "flac": Audio, "aac": Audio,
	"vtt": Track, "webmanifest": Manifest,
}

// pathKind returns the kind of what path names, Fetch if its name tells nothing.
func pathKind(path string) Kind {
	name := path[strings.LastIndexByte(path, '/')+1:]
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 {
		return Fetch
	}
	return pathEndings[name[dot+1:]]
}

// kindByPath tells the kind of a part of a page for which a browser says no
// more than that it takes anything: those before 2019 to 2023 sent no
// Sec-Fetch-Dest.
func kindByPath(r *http.Request) Kind {
	h := r.Header
	if !safe(r.Method) || !isBrowser(h) {
		return Fetch
	}
	kind := pathKind(r.URL.Path)
	switch {
	case kind == Fetch:
	case (kind == Image && !isIcon(r.URL.Path) || kind == Style) && !asksForAnything(h.Get("User-Agent"), kind):
		return Fetch
	case len(h["Accept"]) > 1, len(h["Accept"]) == 1 && h["Accept"][0] != "*/*",
		single(h["Sec-Fetch-Mode"]) == "cors" && kind != Font,                                    // a script's request, or for one that is a module
		kind != Image && h["Origin"] == nil && h["Referer"] == nil && h["Sec-Fetch-Site"] == nil, // no page's
		writtenByScript(h):
		return Fetch
	}
	return kind
}

// isIcon reports whether path is that of a site's icon, for which Safari asks with
// "*/*" to this day.
func isIcon(path string) bool { return strings.HasSuffix(path, "/favicon.ico") }

// asksForAnything reports whether agent names a browser that asked for images, or for
// styles, with "*/*": Internet Explorer before 9, and for images Firefox from 47 to 64,
// and of WebKit's kin those before Chrome 23 and Safari 11 (MDN, "List of default Accept
// values"). What others ask for so is a script's or program's, which may not want what
// only browsers can show.
func asksForAnything(agent string, kind Kind) bool {
	if version, ok := versionIn(agent, "MSIE "); ok {
		engine, _ := versionIn(agent, "Trident/") // a later one may call itself 7.0
		return version < 9 && engine < 5
	}
	if kind != Image {
		return false
	}
	if version, ok := versionIn(agent, "Firefox/"); ok {
		return version >= 47 && version <= 64
	}
	if version, ok := versionIn(agent, "Chrome/"); ok {
		return version < 23
	}
	engine, ok := versionIn(agent, "AppleWebKit/")
	if version, named := versionIn(agent, "Version/"); named {
		return ok && engine < 604 && version < 11
	}
	return ok && engine < 604 && engine != 537 // which Chromium's kin say
}

// versionIn returns the number that stands in agent behind product.
func versionIn(agent, product string) (version int, ok bool) {
	_, rest, ok := strings.Cut(agent, product)
	for i := 0; i < len(rest) && i < 4 && isDigit(rest[i]); i++ {
		version = 10*version + int(rest[i]-'0')
	}
	return version, ok && rest != "" && isDigit(rest[0])
}

// writtenByScript reports whether h has a field that browsers do not send on
// their own.
func writtenByScript(h http.Header) bool {
	for name, lines := range h {
		if name == requestedWith && scriptWord(lines) == "" {
			continue // an app's
		}
		switch names.judge(name).class {
		case disguised, rebuilt, framing, hop, route, identity, misplaced:
		default:
			if !browserFields[name] {
				return true
			}
		}
	}
	return false
}
