package filters

import (
	"net/http"
	"slices"
	"strings"
)

// fetchMetadata rebuilds the Sec-Fetch fields (W3C Fetch Metadata Request
// Headers) from what was understood of the request, so that a client that
// sends none of them looks like one that does. Browsers send none to plain
// http.
type fetchMetadata struct{ *persona }

const whyFetchMetadata = "W3C Fetch Metadata; rebuilt, the same for all browsers"

// fetchMetadataFields are in the order in which Apply says their values.
var fetchMetadataFields = [...]string{
	"Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site", "Sec-Fetch-User", "Sec-Fetch-Storage-Access",
}

// Apply implements [Filter].
func (f fetchMetadata) Apply(m *Message, log []Change) []Change {
	if !f.identity {
		return log
	}
	h := m.Request.Header
	var want [len(fetchMetadataFields)]string
	if m.Request.URL.Scheme == "https" && f.fetchMetadata[m.Visit.Kind] {
		site := siteRelation(m)
		mode := fetchMode(m, site)
		want = [...]string{fetchDest(m), mode, site, "", ""}
		if m.Visit.Kind == Document && !m.Visit.prefetch { // which nobody has gone to yet
			want[3] = "?1" // not all browsers tell what the user did from what a script did
		}
		if f.storageAccess && site == "cross-site" && takesCookies(m, mode) && h["Cookie"] == nil {
			want[4] = "none"
		}
	}
	for i, name := range fetchMetadataFields {
		log = put(h, name, want[i], whyFetchMetadata, log)
	}
	return log
}

// takesCookies reports whether a browser sends another site's cookies with m, if they are
// allowed. Requests by CORS are left out: not all browsers tell of them.
func takesCookies(m *Message, mode string) bool {
	return mode == "no-cors" || mode == "websocket" || m.Visit.Kind == Frame || m.Visit.Kind == Embed
}

// fetchDest returns the client's destination if it is one of the kind's, else
// the kind's usual one. Reports tell by their content what they are, the scripts
// of service workers by a field.
func fetchDest(m *Message) string {
	dests := kinds[m.Visit.Kind].dests
	dest := single(m.Request.Header["Sec-Fetch-Dest"])
	switch {
	case m.Visit.Kind == Worker && single(m.Request.Header["Sec-Fetch-Mode"]) == "cors":
		return dests[0] // what a module imports: Firefox does not say into which of the workers
	case m.Visit.Kind != WebSocket && slices.Contains(dests, dest):
		return dest
	case m.Visit.Kind == Fetch && isReport(m.Request):
		return "report"
	case m.Visit.Kind == Worker && m.Request.Header["Service-Worker"] != nil:
		return "serviceworker"
	}
	return dests[0]
}

// contentIs reports whether r's content is of a type, given in lower case.
func contentIs(r *http.Request, media string) bool {
	value, _, _ := strings.Cut(first(r.Header["Content-Type"]), ";")
	return strings.EqualFold(strings.Trim(value, " \t"), media)
}

// fetchMode returns the mode that goes with the kind, by whether Origin is sent, and for
// requests to the page's own origin by what the browser says.
func fetchMode(m *Message, site string) string {
	origin := m.Request.Header["Origin"] != nil
	switch m.Visit.Kind {
	case Document, Frame, Embed:
		return "navigate"
	case WebSocket:
		return "websocket"
	case Font, Manifest, Preflight, JSON, Text, XSLT:
		return "cors"
	case Prefetch, Beacon:
		return "no-cors"
	case Fetch:
		if contentIs(m.Request, "text/ping") || m.Visit.signIn && single(m.Request.Header["Sec-Fetch-Mode"]) == "no-cors" || contentIs(m.Request, "application/csp-report") ||
			site != "same-origin" && !origin || site == "same-origin" && asksBlindly(m) {
			return "no-cors"
		}
		return "cors"
	}
	if site != "same-origin" && origin {
		return "cors"
	}
	// Today's browsers agree on the parts of a page: cors for modules, masks and shapes. Those
	// that send no Sec-Fetch-Dest are older, and differ.
	told := single(m.Request.Header["Sec-Fetch-Mode"])
	switch {
	case site == "same-origin" && (told == "cors" || told == "same-origin") && single(m.Request.Header["Sec-Fetch-Dest"]) != "":
		return told
	case m.Visit.Kind == Track, m.Visit.Kind == Worker:
		return "same-origin"
	}
	return "no-cors"
}

// asksBlindly reports whether a browser says that the answer is not to be read: a script that
// wants it so, or a service worker that passes on its page's request. For a page's fonts only
// WebKitGTK says so.
func asksBlindly(m *Message) bool {
	return m.Visit.part && single(m.Request.Header["Sec-Fetch-Mode"]) == "no-cors" && pathKind(m.Request.URL.Path) != Font
}

// siteRelation returns how the initiator relates to the target: as the client
// says unless something contradicts it, else as Origin or Referer show. Of
// navigations only "cross-site" is believed outright, for the sake of servers
// that refuse it: what else a client says or leaves out differs by browser,
// and to servers a link from a site's own page is as good as a typed address.
func siteRelation(m *Message) string {
	h := m.Request.Header
	claim := fetchSite(h)
	switch {
	case m.Visit.inSheet: // Firefox does not tell whose page has the sheet, Chromium tells
		return "same-origin"
	case claim == "cross-site" || m.Visit.ThirdParty:
		return "cross-site"
	case claim == "", m.Visit.Kind == Document && safe(m.Request.Method):
	case claim == "none" && m.Visit.Kind != Document: // some browsers' word for a page's icon, and for what an extension asks for
	default:
		return claim
	}
	for _, name := range [...]string{"Origin", "Referer"} {
		a, ok := parseAuthority(single(h[name]))
		switch {
		case !ok:
		case a.sameOrigin(m.Request):
			return "same-origin"
		case registrable(a.host) == registrable(m.Request.URL.Hostname()):
			return "same-site"
		default:
			return "cross-site" // a link to a page of another site
		}
	}
	if m.Visit.Kind == Document && safe(m.Request.Method) {
		return "none"
	}
	return "same-origin" // a form, too: its page may name no referrer
}

// safe reports whether method is safe and common (RFC 9110 §9.2.1).
func safe(method string) bool { return method == http.MethodGet || method == http.MethodHead }
