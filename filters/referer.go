package filters

import (
	"net/http"
	"net/netip"
	"strings"
)

// referer is reduced to its origin within a site and removed across sites and on the way from
// https to http (RFC 9110 §10.1.3). It is set where Origin names the page, since some browsers
// leave it out of preflights and some people out of everything; and where only Sec-Fetch-Site
// says that the page is of the same origin, as in Chromium's workers from blobs. With subtitles
// and service workers it goes: Firefox sends none.
type referer struct{ *persona }

// Apply implements [Filter].
func (f referer) Apply(m *Message, log []Change) []Change {
	h := m.Request.Header
	if f.identity && (isSubtitles(m) || m.Visit.Kind == Worker && h["Service-Worker"] != nil) {
		return put(h, "Referer", "", "not sent by all browsers with what is of the page's own origin", log)
	}
	keep := refererWithinSite(m.Request, single(h["Referer"]))
	if keep == "" && f.identity && m.Visit.browser && m.Visit.Kind != WebSocket {
		switch {
		case h["Origin"] != nil:
			page := refererWithinSite(m.Request, single(h["Origin"])+"/")
			return put(h, "Referer", page, "RFC 9110 §10.1.3; the page that Origin names", log)
		case m.Visit.part && single(h["Sec-Fetch-Site"]) == "same-origin":
			return put(h, "Referer", originOf(m.Request)+"/", "RFC 9110 §10.1.3; the page that Sec-Fetch-Site tells of", log)
		}
	}
	return reduce(h, "Referer", keep, "RFC 9110 §10.1.3; origin within a site, nothing across", log)
}

// isSubtitles reports whether m asks for subtitles, on plain http by their name alone:
// there it looks like what a script asks for.
func isSubtitles(m *Message) bool {
	u := m.Request.URL
	return m.Visit.Kind == Track && (u.Scheme == "https" || pathKind(u.Path) == Track)
}

// refererWithinSite returns the origin of referer as a URL if it is of r's
// site, else "".
func refererWithinSite(r *http.Request, referer string) string {
	a, ok := parseAuthority(referer)
	if !ok {
		return ""
	}
	if !isWeb(a.scheme) || strings.EqualFold(a.scheme, "https") && r.URL.Scheme == "http" ||
		registrable(a.host) != registrable(r.URL.Hostname()) {
		return ""
	}
	origin := a.origin() + "/"
	if origin == referer {
		return referer
	}
	return origin
}

// fromItself reports whether r, which has no Origin, shows that a page of the target's origin
// makes it: old browsers sent none with the forms of such pages.
func fromItself(r *http.Request) bool {
	a, ok := parseAuthority(single(r.Header["Referer"]))
	return r.Method != http.MethodOptions && r.Header["Origin"] == nil && (ok && a.sameOrigin(r) || !ok && fetchSite(r.Header) == "same-origin")
}

// originOf returns the origin that r goes to.
func originOf(r *http.Request) string {
	a, _ := parseAuthority(r.URL.Scheme + "://" + r.URL.Host)
	return a.origin()
}

// origin returns a serialized as in Origin (RFC 6454 §6.1).
func (a authority) origin() string { return strings.ToLower(a.scheme) + "://" + a.hostport() }

// namesPageElsewhere reports whether value is the URL of something at another
// site than r's, or on the client's disk. An origin alone passes, as in Origin.
func namesPageElsewhere(r *http.Request, value string) bool {
	if !hasPrefixFold(value, "http") {
		return hasPrefixFold(value, "file:")
	}
	a, ok := parseAuthority(value)
	return ok && isWeb(a.scheme) && a.rest != "" && registrable(a.host) != registrable(r.URL.Hostname())
}

// isWeb reports whether pages of the web have scheme.
func isWeb(scheme string) bool {
	return strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https")
}

// hostport returns host and port as a URL writes them.
func (a authority) hostport() string {
	host := strings.ToLower(a.host)
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if a.port != "" {
		host += ":" + a.port
	}
	return host
}

// originField lets Origin pass, for CORS and against forged requests, unless it
// is not a serialized origin, names a browser extension (Firefox and Safari
// give each installation its own), or says of a GET what the target knows:
// Chromium sends it with parts of a page that come by CORS, such as fonts and
// modules, to their own origin, the Fetch standard and others do not. A persona of
// Chromium sends it with what is known to come so. What changes something at its own
// origin has it in all browsers of today. Of a page in the client's network the origin
// learns no more than of one in a sandbox, see [Visit.Page].
type originField struct{ *persona }

// Apply implements [Filter].
func (f originField) Apply(m *Message, log []Change) []Change {
	const whyOwn = "Fetch standard, append a request Origin header; and the persona's habit"
	lines, there := m.Request.Header["Origin"]
	own := f.identity && m.Visit.Kind != WebSocket && m.Visit.Kind != Preflight && safe(m.Request.Method)
	if own && f.ownOrigin[m.Visit.Kind.on(m.Request.URL.Scheme)] && siteRelation(m) == "same-origin" && fetchMode(m, "same-origin") == "cors" {
		return put(m.Request.Header, "Origin", originOf(m.Request), whyOwn, log)
	}
	if !there {
		if f.identity && m.Visit.browser && !safe(m.Request.Method) && m.Visit.ownPage {
			return put(m.Request.Header, "Origin", originOf(m.Request), whyOwn, log)
		}
		page, known := parseAuthority(single(m.Request.Header["Referer"]))
		if f.identity && m.Visit.Kind == Font && known && isWeb(page.scheme) && !page.sameOrigin(m.Request) {
			return put(m.Request.Header, "Origin", page.origin(), "Fetch standard: fonts of other origins come by CORS; WebKitGTK does not say so", log)
		}
		return log
	}
	origin := single(lines)
	if origin == "null" {
		return put(m.Request.Header, "Origin", origin, "RFC 6454 §7", log)
	}
	a, ok := parseAuthority(origin)
	switch {
	case !ok || a.rest != "" || strings.Contains(origin, "@"):
		return put(m.Request.Header, "Origin", "", "RFC 6454 §7; not an origin", log)
	case !isWeb(a.scheme) && !strings.EqualFold(a.host, "localhost"):
		// moz-extension, vscode-webview and their kin have a host for each
		// installation; frameworks for apps that need CORS call it localhost.
		return put(m.Request.Header, "Origin", "", "names an installed extension or app", log)
	case own && a.sameOrigin(m.Request):
		return put(m.Request.Header, "Origin", "", whyOwn, log)
	case m.Visit.lent:
		return put(m.Request.Header, "Origin", "", "Storage Access Headers; names the page, as Referer does", log)
	case ofClientsNetwork(m, a):
		m.Visit.page = origin
		return put(m.Request.Header, "Origin", "null", "names a page in the client's network", log)
	}
	return put(m.Request.Header, "Origin", a.origin(), "RFC 6454 §6.1", log)
}

// ofClientsNetwork reports whether the page at a is one that only the client's network
// knows, or is named after the client's address, and not of the target's own site. What
// is at localhost is so for everybody, and those who write it have origins know it.
func ofClientsNetwork(m *Message, a authority) bool {
	host, target := foldHost(a.host), m.Request.URL.Hostname()
	switch {
	case registrable(host) == registrable(target), host == "localhost", host == "127.0.0.1", host == "::1":
		return false
	case m.Client.IsValid() && strings.ContainsAny(host, "0123456789") && formsOf(m.Client).inText(host):
		return true
	}
	return inNetwork(host) && !inNetwork(foldHost(target))
}

// inNetwork reports whether host, as foldHost returns it, means nothing beyond the network,
// or the machine, that it is in.
func inNetwork(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.IsPrivate() || addr.IsLinkLocalUnicast() || addr.IsLoopback() || carrierShared.Contains(addr)
	}
	return !strings.Contains(host, ".") || isHouseName(host)
}

// carrierShared is the address space of carrier-grade NAT, which overlay networks use as well
// (RFC 6598).
var carrierShared = netip.MustParsePrefix("100.64.0.0/10")

// lendsOrigin reports whether a browser sends Origin only because of Storage Access Headers
// ("append a request Origin header"), for a server to allow its cookies, which no answer does
// here: requests other than by CORS have none otherwise. On plain http, where Chromium sends it
// without the other fields, that is certain of pages and frames alone.
func lendsOrigin(r *http.Request) bool {
	if !safe(r.Method) {
		return false
	}
	mode := single(r.Header["Sec-Fetch-Mode"])
	return r.Header["Sec-Fetch-Storage-Access"] != nil && (mode == "no-cors" || mode == "navigate") ||
		mode == "" && r.Header[upgradeInsecure] != nil && isBrowser(r.Header)
}
