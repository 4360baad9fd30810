package filters

import (
	"net/http"
	"strings"
)

// pathEndings tells what browsers ask for by how names of files end. Images
// and styles are not among them: browsers ask for these with an Accept of
// their own, and programs that do not want what only browsers can show.
var pathEndings = map[string]Kind{
	"js": Script, "mjs": Script,
	"woff": Font, "woff2": Font, "ttf": Font, "otf": Font, "eot": Font,
	"mp4": Video, "m4v": Video, "webm": Video, "ogv": Video,
	"mp3": Audio, "m4a": Audio, "ogg": Audio, "oga": Audio, "opus": Audio, "wav": Audio, "flac": Audio, "aac": Audio,
	"vtt": Track, "webmanifest": Manifest,
}

// pathKind returns the kind of what path names, Fetch if its name tells nothing.
func pathKind(path string) Kind {
	name := path[strings.LastIndexByte(path, '/')+1:]
	if name == "favicon.ico" {
		return Image // Safari asks for it with "*/*"
	}
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
	case len(h["Accept"]) > 1, len(h["Accept"]) == 1 && h["Accept"][0] != "*/*",
		single(h["Sec-Fetch-Mode"]) == "cors" && kind != Font,                                    // a script's request, or for one that is a module
		kind != Image && h["Origin"] == nil && h["Referer"] == nil && h["Sec-Fetch-Site"] == nil, // no page's
		writtenByScript(h):
		return Fetch
	}
	return kind
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
