package filters

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
)

// A Kind is what a browser asks for. Kinds that every browser asks for with
// the same header are one.
type Kind uint8

// The kinds of requests. A request that shows no purpose counts as Fetch: a
// script or an API client made it.
const (
	Fetch    Kind = iota
	Document      // a page, navigated to
	Frame         // a page within a page
	Embed         // <embed> and <object>
	Image
	Style
	Script
	JSON // a module that is no script
	Text // another
	XSLT // a style sheet for XML
	Font
	Audio
	Video     // and media of either sort, if only its Accept tells
	Worker    // dedicated, shared and service workers
	Manifest  // of a web application
	Track     // subtitles
	Prefetch  // what a link may lead to
	Beacon    // told as a page is left, and of a link that is followed
	Preflight // the question that precedes a cross-origin request (CORS)
	WebSocket // the handshake
	kindCount = iota
)

// kinds names each kind, as persona files do; the Sec-Fetch-Dest values it
// covers, the usual one first (Fetch standard, "destination"); and the kind
// it looks like on plain http, where browsers send no Sec-Fetch-Dest and most
// of them ask for everything but pages, images and styles with "*/*".
var kinds = [kindCount]struct {
	name  string
	dests []string
	plain Kind
}{
	Fetch: {"fetch", []string{"empty", "report", "webidentity", emailVerification}, Fetch},
	// A frame on plain http looks like a page in all browsers but Firefox.
	Document:  {"document", []string{"document"}, Document},
	Frame:     {"frame", []string{"iframe", "frame", "fencedframe"}, Document},
	Embed:     {"embed", []string{"embed", "object"}, Fetch},
	Image:     {"image", []string{"image"}, Image},
	Style:     {"style", []string{"style"}, Style},
	Script:    {"script", []string{"script", "audioworklet", "paintworklet"}, Fetch},
	JSON:      {"json", []string{"json"}, Fetch},
	Text:      {"text", []string{"text"}, Fetch},
	XSLT:      {"xslt", []string{"xslt"}, Fetch},
	Font:      {"font", []string{"font"}, Fetch},
	Audio:     {"audio", []string{"audio"}, Fetch},
	Video:     {"video", []string{"video"}, Fetch},
	Worker:    {"worker", []string{"worker", "sharedworker", "serviceworker"}, Fetch},
	Manifest:  {"manifest", []string{"manifest"}, Fetch},
	Track:     {"track", []string{"track"}, Fetch},
	Prefetch:  {"prefetch", []string{"empty"}, Prefetch},
	Beacon:    {"beacon", []string{"empty"}, Fetch},
	Preflight: {"preflight", []string{"empty"}, Preflight},
	WebSocket: {"websocket", []string{"empty", "websocket"}, WebSocket},
}

// String returns the kind's name in persona files.
func (k Kind) String() string { return kinds[k].name }

// on returns the kind that k shows on the wire under scheme.
func (k Kind) on(scheme string) Kind {
	if scheme == "https" {
		return k
	}
	return kinds[k].plain
}

// kindOf tells what r asks for: by the handshake it starts, else its
// Sec-Fetch-Dest, else what its Accept looks like, else its path.
func kindOf(r *http.Request) Kind {
	switch {
	case upgradesToWebSocket(r.Header):
		return WebSocket
	case r.Method == http.MethodOptions && r.Header["Origin"] != nil && r.Header["Access-Control-Request-Method"] != nil:
		return Preflight
	case isLinkPrefetch(r):
		return Prefetch
	case isBeacon(r):
		return Beacon
	}
	if dest := destination(r); dest != "" {
		for k := range kinds {
			if slices.Contains(kinds[k].dests, dest) {
				return Kind(k)
			}
		}
	}
	if single(r.Header["Service-Worker"]) == "script" {
		return Worker
	}
	switch kind := kindByAccept(r); {
	case asksAlike(r.Header, kind):
		if safe(r.Method) {
			return cmp.Or(pathKind(r.URL.Path), Document)
		}
		return Document
	case kind == Fetch && (goesToPage(r.Header) || isDownload(r)):
		return Document
	case kind == Fetch && isPlayed(r):
		return cmp.Or(pathKind(r.URL.Path), Video)
	case kind == Fetch:
		return kindByPath(r)
	case kind == Video && isBrowser(r.Header) && pathKind(r.URL.Path) == Audio:
		return Audio
	case kind == Document && goesNowhere(r.Header):
		if !safe(r.Method) {
			return Fetch
		}
		return pathKind(r.URL.Path)
	default:
		return kind
	}
}

// destination returns a client's Sec-Fetch-Dest, or "document" or "iframe" where it is "empty"
// although a page or frame is asked for: by Chromium for a download by a link or its menu, and
// by all where a service worker fetches its page anew. No script can ask so: Chromium and
// WebKit say that it navigates; Firefox says same-origin, and sends a field that only goes with
// pages.
func destination(r *http.Request) string {
	h := r.Header
	dest := single(h["Sec-Fetch-Dest"])
	if dest != "empty" {
		return dest
	}
	frame := false
	switch single(h["Sec-Fetch-Mode"]) {
	case "navigate":
		frame = h["Accept"] != nil && (h["Sec-Fetch-Storage-Access"] != nil || fetchSite(h) == "cross-site" && !tellsAccess(h))
	case "same-origin":
		if _, firefox := versionIn(h.Get("User-Agent"), "Firefox/"); h[upgradeInsecure] == nil || !firefox {
			return dest // other browsers let a script add that field
		}
		referer, _ := initiator(h["Referer"])
		frame = referer != "" && referer != registrable(r.URL.Hostname()) && single(h["Priority"]) != "u=2"
	default:
		return dest
	}
	if frame {
		return "iframe"
	}
	return "document"
}

// tellsAccess reports whether a browser would say of a frame's request to another site
// which cookies it has there: Chromium has since 133 (Storage Access Headers).
func tellsAccess(h http.Header) bool {
	version, chromium := versionIn(h.Get("User-Agent"), "Chrome/")
	return !chromium || version >= 133
}

// isLinkPrefetch reports whether a browser fetches r for <link rel=prefetch>: with the Accept
// of a page, or, as Chromium did first, of a signed one (Signed HTTP Exchanges), but without
// navigating. A script's prefetch does not count.
func isLinkPrefetch(r *http.Request) bool {
	h := r.Header
	fetched := false
	switch single(h["Sec-Fetch-Dest"]) {
	case "":
		fetched = h[upgradeInsecure] == nil && !writtenByScript(h)
	case "empty":
		fetched = single(h["Sec-Fetch-Mode"]) == "no-cors"
	}
	return fetched && safe(r.Method) && isPrefetch(h) && isBrowser(h) &&
		(kindByAccept(r) == Document || strings.HasPrefix(single(h["Accept"]), "application/signed-exchange;"))
}

// isBeacon reports whether r tells something that no script reads an answer to
// (Beacon §3.2, HTML "hyperlink auditing").
func isBeacon(r *http.Request) bool {
	h := r.Header
	return r.Method == http.MethodPost && isBrowser(h) &&
		(contentIs(r, "text/ping") || single(h["Sec-Fetch-Dest"]) == "empty" && single(h["Sec-Fetch-Mode"]) == "no-cors")
}

// upgradeInsecure is sent with what a browser goes to, a page or a frame, and nothing
// else (Upgrade Insecure Requests §3.2.1).
const upgradeInsecure = "Upgrade-Insecure-Requests"

// goesToPage reports whether a browser navigates, with an Accept that names no type, as one
// that somebody has changed.
func goesToPage(h http.Header) bool {
	return h[upgradeInsecure] != nil && isBrowser(h) && (h["Accept"] == nil || single(h["Accept"]) == "*/*")
}

// isDownload reports whether Chromium downloads, over plain http, what a page links to: see
// [destination]. It sends no Accept there, as for nothing else of a page (Fetch standard,
// "fetch").
func isDownload(r *http.Request) bool {
	h := r.Header
	_, chromium := versionIn(h.Get("User-Agent"), "Chrome/")
	return chromium && safe(r.Method) && h["Accept"] == nil && h["Origin"] == nil && h["Referer"] != nil && !writtenByScript(h)
}

// isPlayed reports whether WebKitGTK plays, over plain http, what r asks for: it asks for the
// titles of radio stations, too, and for no coding, where a script's request names several.
func isPlayed(r *http.Request) bool {
	h := r.Header
	coding := h.Get("Accept-Encoding")
	return isBrowser(h) && safe(r.Method) && h["Icy-Metadata"] != nil && h["Referer"] != nil && h["Sec-Fetch-Dest"] == nil &&
		(coding == "" || coding == "identity")
}

// goesNowhere reports whether a Firefox does not navigate with what has the Accept of a page:
// until 65 it had that for icons, plugins and beacons, too (MDN, "List of default Accept
// values"), and since 48 it sends upgradeInsecure with pages and frames.
func goesNowhere(h http.Header) bool {
	version, firefox := versionIn(h.Get("User-Agent"), "Firefox/")
	return firefox && version >= 48 && version <= 65 && h[upgradeInsecure] == nil
}

// asksAlike reports whether a browser asks for everything, pages too, with one Accept, for
// which kind was taken: Opera did until 2013, and those to this day in which no script asks.
func asksAlike(h http.Header, kind Kind) bool {
	agent := h.Get("User-Agent")
	if kind == Document {
		return strings.HasPrefix(agent, "Opera/")
	}
	return single(h["Accept"]) == "*/*" && !writtenByScript(h) &&
		slices.ContainsFunc(alikeAgents[:], func(name string) bool { return strings.HasPrefix(agent, name) })
}

var alikeAgents = [...]string{"ELinks/", "ELinks (", "Links (", "NetSurf/"}

// kindByAccept tells the kind from the Accept values that browsers have
// published for each destination. Each of them ends in a wildcard: a list
// without one is an explicit wish that only scripts and API clients have.
func kindByAccept(r *http.Request) Kind {
	var seen acceptShape
	for member := range members(r.Header["Accept"]) {
		media, _, _ := strings.Cut(member, ";")
		if media = strings.Trim(media, " \t"); media != "" {
			seen.add(media)
		}
	}
	switch {
	case seen.phone && (seen.html || seen.xhtml || seen.any && !seen.other && seen.first == Fetch),
		seen.anyText && (seen.html || seen.anyImage && seen.any):
		return Document
	case seen.phone && (seen.first == Style || seen.first == Image): // UC Browser adds its screen and a serial number
		return seen.first
	case seen.html && r.Header[upgradeInsecure] != nil: // whatever a program in the browser has added
		return Document
	case seen.other:
		return Fetch
	case seen.xhtml && seen.html, seen.office && seen.any:
		return Document
	case seen.bitmap && seen.within(1<<Image) && !seen.html && !seen.xml:
		if seen.any {
			return cmp.Or(pathKind(r.URL.Path), Document)
		}
		return Image
	case seen.html, seen.xml, !seen.any && !seen.anyImage:
		return Fetch
	case seen.first == Image && seen.within(1<<Image|1<<Video),
		seen.first == Style && seen.within(1<<Style),
		seen.first == Font && seen.within(1<<Font),
		seen.first == Script && seen.within(1<<Script) && r.Header["X-Requested-With"] == nil: // jQuery asks for JSONP so
		return seen.first
	case (seen.first == Audio || seen.first == Video) && seen.within(1<<Audio|1<<Video):
		return Video // which of the two, its Accept does not tell
	}
	return Fetch
}

// An acceptShape is what kindByAccept needs to know of an Accept field.
type acceptShape struct {
	first                    Kind   // of the first member; Fetch if that is no part of a page
	parts                    uint32 // a bit for each kind of part that is listed
	started                  bool
	html, xhtml, xml, office bool
	any, anyImage            bool // */*, image/*
	anyText                  bool // text/*, or text/sgml
	bitmap                   bool // image/x-xbitmap, as Netscape and Internet Explorer before 8 list for pages, too
	phone                    bool // a type that only browsers of feature phones and televisions list
	other                    bool // a type that no browser lists
}

// within reports whether no parts are listed but those of kinds, a bit for each.
func (a *acceptShape) within(kinds uint32) bool { return a.parts&^kinds == 0 }

// add takes one media range into account.
func (a *acceptShape) add(media string) {
	kind := Fetch
	switch {
	case media == "*/*" || media == "*":
		a.any = true
	case strings.EqualFold(media, "text/html"):
		a.html = true
	case strings.EqualFold(media, "application/xhtml+xml"):
		a.xhtml = true
	case hasPrefixFold(media, "image/"):
		kind = Image
		a.anyImage = a.anyImage || media[len("image/"):] == "*"
		a.bitmap = a.bitmap || strings.EqualFold(media, "image/x-xbitmap")
	case strings.EqualFold(media, "text/css"):
		kind = Style
	case slices.ContainsFunc(scriptTypes, equalFold(media)):
		kind = Script
	case hasPrefixFold(media, "application/font-"), hasPrefixFold(media, "font/"):
		kind = Font
	case hasPrefixFold(media, "audio/"):
		kind = Audio
	case hasPrefixFold(media, "video/"), strings.EqualFold(media, "application/ogg"):
		kind = Video
	case media == "text/*", strings.EqualFold(media, "text/sgml"):
		a.anyText, a.xml = true, true
	case isPhoneType(media):
		a.phone = true
	case slices.ContainsFunc(navigationTypes, equalFold(media)):
		a.xml = true
	case slices.ContainsFunc(officeTypes, equalFold(media)):
		a.office = true
	default:
		a.other = true
	}
	if kind != Fetch {
		a.parts |= 1 << kind
	}
	if !a.started {
		a.first, a.started = kind, true
	}
}

// What browsers list beside text/html, for pages and for scripts, by MDN's
// "List of default Accept values" and the Internet Explorer team's "IE and
// the Accept Header". Text browsers list text/* (w3m, Dillo, Konqueror) or
// text/sgml (Lynx).
var (
	navigationTypes = []string{
		"application/xml", "text/xml", "text/plain", "application/signed-exchange", "multipart/mixed",
	}
	// How types begin that only browsers of feature phones and televisions list, each its own
	// (WAP-248, UAProf; MIDP 2.0; OMA Download; Symbian's and UP.Browser's source and logs;
	// ETSI TS 102 796, HbbTV; CEA-2014, CE-HTML).
	phoneTypes = []string{
		"text/vnd.wap.", "application/vnd.wap.", "text/vnd.sun.j2me.", "application/vnd.oma.d", "application/vnd.rim.",
		"application/vnd.phonecom.", "application/x-obml", "text/x-hdml", "application/vnd.hbbtv.", "application/ce-html",
	}
	officeTypes = []string{
		"application/x-ms-application", "application/xaml+xml", "application/x-ms-xbap",
		"application/x-shockwave-flash", "application/msword", "application/vnd.ms-excel",
		"application/vnd.ms-powerpoint", "application/vnd.ms-xpsdocument", "application/x-silverlight",
	}
	scriptTypes = []string{
		"application/javascript", "text/javascript", "application/x-javascript",
		"application/ecmascript", "application/x-ecmascript", "text/ecmascript",
	}
)

// isPhoneType reports whether only browsers of feature phones and televisions list media.
func isPhoneType(media string) bool {
	return slices.ContainsFunc(phoneTypes, func(prefix string) bool { return hasPrefixFold(media, prefix) })
}
