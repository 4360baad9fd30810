package filters

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// readVisit learns from r, before anything is removed from it, what is asked
// for and on whose behalf.
func readVisit(r *http.Request) Visit {
	v := Visit{Kind: kindOf(r), browser: isBrowser(r.Header)}
	v.ownPage = !safe(r.Method) && fromItself(r)
	dest := destination(r)
	v.anew = dest != single(r.Header["Sec-Fetch-Dest"]) && r.Header["Accept"] != nil
	v.alone = madeByBrowser(r, v.Kind) && !v.anew
	v.signed = readSigned(r, v)
	v.lent = lendsOrigin(r)
	v.inSheet = (v.Kind == Image || v.Kind == Style) && fromOwnSheet(r)
	v.prefetch = safe(r.Method) && isPrefetch(r.Header)
	v.part = dest != "" && dest != "document"
	v.signIn = dest == "webidentity" && (!safe(r.Method) || r.Header["Origin"] == nil && r.Header["Referer"] == nil) ||
		dest == emailVerification && !safe(r.Method)
	v.Report = r.Method == http.MethodPost && (dest == "report" || v.browser && (dest == "" && isReport(r) ||
		dest == "empty" && contentIs(r, reportsType) || hasPrefixOf(r.URL.Path, reportPaths[:])))
	v.readSite(r, dest)
	return v
}

// readSite learns on whose behalf r, with the given destination, is made.
//
// Browsers send Sec-Fetch-Site to https only; on plain http, Origin and
// Referer decide. Of claims that contradict each other the stricter holds: a
// request is a third party's if anything says so. A page is its own first
// party whoever linked to it (RFC 6265bis §5.2.1, "site for cookies"), which
// only Sec-Fetch-Dest tells apart from a frame, and on plain http Firefox's Priority.
func (v *Visit) readSite(r *http.Request, dest string) {
	target := registrable(r.URL.Hostname())
	if v.Kind == Document && (dest == "document" || dest == "" && isFirefoxPage(r)) {
		v.Site = target
		return
	}

	claim := fetchSite(r.Header)
	origin, opaque := initiator(r.Header["Origin"])
	referer, _ := initiator(r.Header["Referer"])
	switch {
	case origin != "" && origin != target:
		v.Site, v.ThirdParty = origin, true
	case referer != "" && referer != target:
		v.Site, v.ThirdParty = referer, true
	case claim == "cross-site":
		v.ThirdParty = true
	case claim != "":
		v.Site = target // a same-origin form without referrer has "Origin: null"
	case opaque && referer == "" && v.Kind != Document:
		// Forms have it under "no-referrer"; so does what another origin redirected, whose
		// page Referer still names (Fetch standard, append a request Origin header).
		v.ThirdParty = true
	case origin != "" || referer != "" || speaksForItself(v.Kind):
		v.Site = target
	default:
		v.ThirdParty = true
	}
	if !v.ThirdParty && r.Header["Sec-Fetch-Storage-Access"] != nil {
		// It is sent to sites other than that of the page at the top, whoever asks (Storage
		// Access Headers), such as by a frame's page for its own parts. Of what scripts fetch,
		// browsers say so only where they are asked to include cookies.
		v.Site, v.framed = "", true
	}
}

// emailVerification is the destination of a browser's request to a mail provider for a proof
// that its person has an address there; the browser signs it by itself
// (draft-hardt-email-verification).
const emailVerification = "email-verification"

// isFirefoxPage reports whether Firefox says by Priority that r, which looks like one for a
// page, is not for a frame in another: a page alone is u=0 there (nsHttpChannel,
// SetPriorityHeader), and no site can say so of a frame. Chromium says it of both.
func isFirefoxPage(r *http.Request) bool {
	return single(r.Header["Priority"]) == "u=0, i" && r.Header["Origin"] == nil && strings.Contains(r.Header.Get("User-Agent"), " Firefox/")
}

// fromOwnSheet reports whether r's Referer names a style sheet of the target's origin: what
// that imports or shows is asked for on behalf of any page that has it.
func fromOwnSheet(r *http.Request) bool {
	a, ok := parseAuthority(single(r.Header["Referer"]))
	path, _, _ := strings.Cut(a.rest, "?")
	return ok && a.sameOrigin(r) && r.Header["Origin"] == nil && pathKind(path) == Style
}

// isReport reports whether r brings what browsers report (CSP Level 3 §5.3, W3C
// Reporting API §3.5.1). Scripts hardly ever do, and could say it otherwise. What the
// Reporting API collects Firefox sends as a script would, for no destination.
func isReport(r *http.Request) bool {
	return contentIs(r, "application/csp-report") || contentIs(r, reportsType)
}

const reportsType = "application/reports+json"

// reportPaths are the folders, at any site, to which browsers report which page's
// advertisement led where (privacycg.github.io, Private Click Measurement; WICG,
// Attribution Reporting, Private Aggregation and Protected Audience). Those reports come
// days later, as JSON that tells nothing of what it is.
var reportPaths = [...]string{
	"/.well-known/private-click-measurement/", "/.well-known/attribution-reporting/",
	"/.well-known/private-aggregation/", "/.well-known/interest-group/",
}

// isBrowser reports whether a client says that it is a browser: nearly all of them
// begin so.
func isBrowser(h http.Header) bool {
	agent := h.Get("User-Agent")
	if strings.HasPrefix(agent, "Mozilla/") || strings.HasPrefix(agent, "Opera/") {
		return true
	}
	agent = strings.ToLower(agent)
	return slices.ContainsFunc(browserWords[:], func(word string) bool { return strings.Contains(agent, word) })
}

// browserWords are what the others say of themselves: small browsers, Privacy Browser, and those of
// televisions and feature phones, which put their maker's name first.
var browserWords = [...]string{
	"mozilla/", "opera/", "applewebkit/", "chrome/", "hbbtv/", "lynx/", "elinks/", "links (", "netsurf/", "w3m/",
	"up.browser/", "ucweb/", "ucbrowser/", "mqqbrowser/", "netfront/", "obigo", "teleca", "polaris/", "profile/midp", "wapbrowser",
	"docomo/", "j-phone/", "blackberry", "privacybrowser/",
}

// madeByBrowser reports whether a browser asks for a page or a part of it and
// says so, sends a form, or asks on its own whether a page may ask: scripts can add
// fields to requests of other destinations only (Fetch standard, "request
// destination", "CORS-preflight fetch").
func madeByBrowser(r *http.Request, k Kind) bool {
	told := single(r.Header["Sec-Fetch-Dest"]) != ""
	switch k {
	case Fetch, Prefetch, Beacon: // a script that asks so may add none either ("no-CORS-safelisted")
		return told && destination(r) != emailVerification && isBrowser(r.Header) && single(r.Header["Sec-Fetch-Mode"]) == "no-cors" && (safe(r.Method) || r.Method == http.MethodPost)
	case WebSocket:
		return false
	case Preflight:
		return told || isBrowser(r.Header)
	case Document, Frame:
		return told && (safe(r.Method) || r.Method == http.MethodPost)
	}
	return told && safe(r.Method)
}

// speaksForItself reports whether a request of kind k that says nothing of an
// initiator has none, or one of its own origin: typed addresses and API clients, and
// workers. Other parts of a page always have one.
func speaksForItself(k Kind) bool {
	return k == Document || k == Fetch || k == Prefetch || k == Beacon || k == WebSocket || k == Preflight || k == Worker
}

// fetchSite returns the understood value of Sec-Fetch-Site, or "". Lines that
// differ count as cross-site.
func fetchSite(h http.Header) string {
	lines := h["Sec-Fetch-Site"]
	switch site := single(lines); site {
	case "same-origin", "same-site", "cross-site", "none":
		return site
	case "":
		if len(lines) > 1 {
			return "cross-site"
		}
	}
	return ""
}

// initiator returns the registrable domain that Origin or Referer says in lines.
// opaque says that there are lines, and they name no host.
func initiator(lines []string) (site string, opaque bool) {
	a, ok := parseAuthority(single(lines))
	if !ok {
		return "", len(lines) > 0
	}
	return registrable(a.host), false
}

// registrable returns the registrable domain of host by the Public Suffix
// List. Addresses, single labels and public suffixes are their own.
func registrable(host string) string {
	host = foldHost(host)
	if !strings.Contains(host, ".") {
		return host // a single label, or IPv6
	}
	if isDigit(host[len(host)-1]) || strings.Contains(host, ":") {
		if _, err := netip.ParseAddr(host); err == nil {
			return host
		}
	}
	site, err := publicsuffix.EffectiveTLDPlusOne(host)
	if err != nil {
		return host
	}
	return site
}

// An authority is the part of a URL that names an origin.
type authority struct {
	scheme string // as written
	host   string // without brackets
	port   string // "" if the scheme's own
	rest   string // path and what follows
}

// parseAuthority splits an absolute URL. It drops userinfo, and fails for
// anything that is not scheme://host[:port].
func parseAuthority(s string) (authority, bool) {
	var a authority
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || !isScheme(scheme) {
		return a, false
	}
	end := strings.IndexAny(rest, "/?#\\")
	if end < 0 {
		end = len(rest)
	}
	hostport := rest[:end]
	a.scheme, a.rest = scheme, rest[end:]
	if at := strings.LastIndexByte(hostport, '@'); at >= 0 {
		hostport = hostport[at+1:]
	}
	if strings.HasPrefix(hostport, "[") {
		literal, port, closed := strings.Cut(hostport[1:], "]")
		addr, err := netip.ParseAddr(literal)
		if !closed || err != nil || !addr.Is6() || port != "" && port[0] != ':' {
			return a, false
		}
		a.host, a.port = literal, strings.TrimPrefix(port, ":")
	} else {
		a.host, a.port, _ = strings.Cut(hostport, ":")
		if !isHostName(a.host) {
			return a, false
		}
	}
	if len(a.port) > 5 || !madeOf(a.port, decimalDigits) {
		return a, false
	}
	if a.port == defaultPort(a.scheme) {
		a.port = ""
	}
	return a, true
}

func isScheme(s string) bool {
	for i := range len(s) {
		if !isLetter(rune(s[i])) && (i == 0 || strings.IndexByte("0123456789+-.", s[i]) < 0) {
			return false
		}
	}
	return s != ""
}

func isHostName(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isAlnum(c) && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	return s != ""
}

func defaultPort(scheme string) string {
	switch strings.ToLower(scheme) {
	case "http", "ws":
		return "80"
	case "https", "wss":
		return "443"
	}
	return ""
}

// sameOrigin reports whether a names the origin of r.
func (a authority) sameOrigin(r *http.Request) bool {
	port := r.URL.Port()
	if port == defaultPort(r.URL.Scheme) {
		port = ""
	}
	return strings.EqualFold(a.scheme, r.URL.Scheme) && a.port == port && strings.EqualFold(a.host, r.URL.Hostname())
}
