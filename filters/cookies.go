package filters

import (
	"cmp"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"
)

// cookies lets cookies pass by policy, in both directions. What passes keeps
// its bytes. Lines that a user agent must ignore (RFC 6265bis §5.6, §5.7) are
// dropped here, so that clients that do not know a rule are held to it too.
type cookies struct{ policy CookiePolicy }

const (
	whyCookiePolicy = "cookie policy"
	whyCookieForm   = "RFC 6265bis §5.6, §5.7"
)

// Apply implements [Filter].
func (c cookies) Apply(m *Message, log []Change) []Change {
	if m.Response != nil {
		return c.applyResponse(m, log)
	}
	h := m.Request.Header
	log = put(h, "Cookie2", "", "RFC 6265 §9.3; obsolete", log)
	if !c.allows(m) {
		log = dropPassword(m, log)
		return put(h, "Cookie", "", whyCookiePolicy, dropBound(h, log))
	}
	if c.policy == CookiesSession {
		log = dropBound(h, log)
	}
	lines, there := h["Cookie"]
	if !there {
		return log
	}
	if len(lines) == 1 && lines[0] != "" && !hasControl(lines[0]) {
		return log
	}
	// HTTP/2 clients may split the field; HTTP/1.1 has one line (RFC 9113 §8.2.3).
	var whole []string
	for _, line := range lines {
		if line = strings.Trim(line, " \t;"); line != "" && !hasControl(line) {
			whole = append(whole, line)
		}
	}
	return put(h, "Cookie", strings.Join(whole, "; "), "RFC 6265bis §4.2.1, RFC 9113 §8.2.3", log)
}

// dropPassword removes from a third party's request the password that the browser
// has for it and sends without being asked, as it does cookies: a site can have it
// keep a number as one, by a redirect to https://number@site/. What a script wrote
// stays, which may be what an API wants.
func dropPassword(m *Message, log []Change) []Change {
	h := m.Request.Header
	unasked := m.Visit.alone || single(h["Sec-Fetch-Mode"]) == "no-cors" || // scripts write none there
		m.Visit.browser && partByAccept(m.Visit.Kind) && h["Origin"] == nil // nor to other sites without being named
	third := m.Visit.ThirdParty && (fetchSite(h) == "cross-site" || m.Visit.Site != "")
	if !unasked || !third && !m.Visit.framed {
		return log
	}
	return put(h, "Authorization", "", "Fetch standard, HTTP-network-or-cache fetch: sent where cookies are; cookie policy", log)
}

// partByAccept reports whether a request of kind k is for a part of a page, and shows
// it without Sec-Fetch-Dest.
func partByAccept(k Kind) bool { return k == Image || k == Style || k == Font || k == Script }

// dropBound removes the fields by which a site binds cookies to a key of the
// device and has it sign for them (Device Bound Session Credentials, under its
// two names), and by which it has the browser know that they are there (FedCM, login
// status): they go where cookies do not, and where cookies do not stay, since with
// them a session outlives its cookies.
func dropBound(h http.Header, log []Change) []Change {
	n := len(log)
	for name := range h {
		if strings.HasPrefix(name, "Sec-Session-") || strings.HasPrefix(name, "Secure-Session-") || strings.HasPrefix(name, "Sec-Secure-Session-") || name == "Set-Login" {
			log = drop(h, name, whyCookiePolicy, log)
		}
	}
	return sorted(log, n)
}

// allows reports whether the policy lets cookies through for m at all.
func (c cookies) allows(m *Message) bool {
	switch c.policy {
	case CookiesBlock:
		return false
	case CookiesPass, CookiesSession:
		return true
	}
	// FedCM sends cookies where browsers without third-party cookies do, too: to the identity
	// assertion endpoint, once the person has agreed to sign in, and to the accounts endpoint,
	// which is not told for whose page. No script can ask so.
	return !m.Visit.ThirdParty && !m.Visit.framed || m.Visit.signIn
}

func (c cookies) applyResponse(m *Message, log []Change) []Change {
	h := m.Response.Header
	log = put(h, "Set-Cookie2", "", "RFC 6265 §9.4; obsolete", log)
	if c.policy == CookiesBlock {
		log = dropKeptPassword(h, log)
	}
	if !c.allows(m) {
		return put(h, "Set-Cookie", "", whyCookiePolicy, dropBound(h, log))
	}
	if c.policy == CookiesSession {
		log = dropBound(h, log)
	}
	lines, there := h["Set-Cookie"]
	if !there {
		return log
	}
	kept := make([]string, 0, len(lines))
	for _, line := range lines {
		set, ok := parseSetCookie(line)
		if !ok || !set.lawful(foldHost(m.Request.URL.Hostname())) {
			log = append(log, Change{"Set-Cookie", Reduced, whyCookieForm})
			continue
		}
		if c.policy == CookiesSession && set.persistent && !set.expired(m) {
			line = withoutPersistence(line)
			log = append(log, Change{"Set-Cookie", Reduced, whyCookiePolicy})
		}
		kept = append(kept, line)
	}
	if len(kept) == 0 {
		delete(h, "Set-Cookie")
	} else {
		h["Set-Cookie"] = kept
	}
	return log
}

// given reports whether m's answer gives a browser without cookies one that comes with its
// next request for the same URL.
func (c cookies) given(m *Message) bool {
	if !m.Visit.browser || m.Visit.ThirdParty || m.Visit.framed || !c.allows(m) || m.Request.Header["Cookie"] != nil {
		return false
	}
	u := m.Request.URL
	return slices.ContainsFunc(m.Response.Header["Set-Cookie"], func(line string) bool {
		set, ok := parseSetCookie(line)
		return ok && set.lawful(foldHost(u.Hostname())) && set.matches(u) && !set.expired(m)
	})
}

// dropKeptPassword removes user and password from the URL that an answer leads to: a browser
// keeps them like a cookie, and sends them to that site from then on, see dropPassword.
func dropKeptPassword(h http.Header, log []Change) []Change {
	log = shorten(h, "Location", withoutUserinfo, whyCookiePolicy, log)
	if slices.ContainsFunc(h["Refresh"], func(line string) bool { return slices.ContainsFunc(refreshTargets(line), holdsUserinfo) }) {
		log = put(h, "Refresh", "", whyCookiePolicy, log)
	}
	return log
}

func holdsUserinfo(reference string) bool { return withoutUserinfo(reference) != reference }

// withoutUserinfo returns a reference to something of the web without its user and
// password, "" if there is no host beside them, as browsers read it: tabs are not there,
// a backslash is a slash, and behind a scheme any number of them begins an authority (URL
// standard, "special authority ignore slashes state").
func withoutUserinfo(reference string) string {
	plain := strings.Trim(strings.ReplaceAll(reference, "\t", ""), " ")
	scheme, rest, _ := strings.Cut(plain, ":")
	absolute := isWeb(scheme)
	if !absolute {
		rest = plain
	}
	start := len(plain) - len(strings.TrimLeft(rest, `/\`))
	if !absolute && start < 2 {
		return reference
	}
	end := len(plain)
	if i := strings.IndexAny(plain[start:], `/\?#`); i >= 0 {
		end = start + i
	}
	switch at := strings.LastIndexByte(plain[start:end], '@'); {
	case at < 0:
		return reference
	case start+at+1 == end: // no host: what follows would be taken for one
		return ""
	default:
		return plain[:start] + plain[start+at+1:]
	}
}

// A setCookie is what the rules need to know of one Set-Cookie line.
type setCookie struct {
	name, value      string
	domain, path     string // of the last such attribute
	hasDomain        bool
	secure, httpOnly bool
	persistent       bool // has Max-Age or Expires
	maxAge, expires  []string
}

// The most that user agents take (RFC 6265bis §5.6): bytes of name and value, and of
// an attribute's value, else they ignore the attribute.
const (
	maxCookie    = 4096
	maxAttribute = 1024
)

// parseSetCookie reads a Set-Cookie line as RFC 6265bis §5.6 has user agents
// do. It fails for lines that set nothing.
func parseSetCookie(line string) (c setCookie, ok bool) {
	if hasControl(line) {
		return c, false
	}
	pair, attributes, _ := strings.Cut(line, ";")
	name, value, named := strings.Cut(pair, "=")
	if !named {
		name, value = "", pair
	}
	c.name, c.value = strings.Trim(name, " \t"), strings.Trim(value, " \t")
	if n := len(c.name) + len(c.value); n == 0 || n > maxCookie {
		return c, false
	}
	for attribute := range strings.SplitSeq(attributes, ";") {
		key, value, _ := strings.Cut(attribute, "=")
		key, value = strings.ToLower(strings.Trim(key, " \t")), strings.Trim(value, " \t")
		if len(value) > maxAttribute {
			if key != "max-age" && key != "expires" {
				continue
			}
			value = "too long" // some read it
		}
		switch key {
		case "domain":
			c.domain = foldDomain(value)
			c.hasDomain = value != ""
		case "path":
			c.path = value
		case "secure":
			c.secure = true
		case "httponly":
			c.httpOnly = true
		case "max-age":
			c.maxAge, c.persistent = append(c.maxAge, value), true
		case "expires":
			c.expires, c.persistent = append(c.expires, value), true
		}
	}
	return c, true
}

func foldDomain(domain string) string {
	return strings.ToLower(strings.TrimPrefix(domain, "."))
}

// lawful reports whether host may set c: its Domain covers host and is no
// public suffix (RFC 6265bis §5.7), and its name keeps what its prefix
// promises (§4.1.3). Whether the connection is secure enough for a Secure
// cookie is the user agent's to say (§5.7): some take loopback for secure.
func (c setCookie) lawful(host string) bool {
	if c.hasDomain && !domainCovers(c.domain, host) {
		return false
	}
	if c.name == "" {
		return !hasCookiePrefix(c.value) // a nameless cookie must not pose as one (§5.7)
	}
	fromHost := c.secure && !c.hasDomain && c.path == "/"
	switch {
	case hasPrefixFold(c.name, "__Host-Http-"):
		return fromHost && c.httpOnly
	case hasPrefixFold(c.name, "__Host-"):
		return fromHost
	case hasPrefixFold(c.name, "__Http-"):
		return c.secure && c.httpOnly
	case hasPrefixFold(c.name, "__Secure-"):
		return c.secure
	}
	return true
}

func hasCookiePrefix(s string) bool {
	return hasPrefixFold(s, "__Host-") || hasPrefixFold(s, "__Secure-") || hasPrefixFold(s, "__Http-")
}

// domainCovers reports whether host may set cookies for domain.
func domainCovers(domain, host string) bool {
	if domain == host {
		return true // a public suffix may set them for itself alone
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return false
	}
	rest, below := strings.CutSuffix(host, domain)
	if !below || !strings.HasSuffix(rest, ".") {
		return false
	}
	suffix, _ := publicsuffix.PublicSuffix(domain)
	return suffix != domain
}

// matches reports whether c, which came from u, is sent there (RFC 6265bis §5.1.4, §5.7).
func (c setCookie) matches(u *url.URL) bool {
	if c.secure && u.Scheme != "https" {
		return false
	}
	rest, under := strings.CutPrefix(cmp.Or(u.EscapedPath(), "/"), c.path)
	return !strings.HasPrefix(c.path, "/") || under && (rest == "" || rest[0] == '/' || strings.HasSuffix(c.path, "/"))
}

// expired reports whether c deletes a cookie: such a line keeps its date, or
// it would set one. User agents differ in which of several attributes they take, and what
// else than a number they read: so each has to say that it is over.
func (c setCookie) expired(m *Message) bool {
	aged := false
	for _, seconds := range c.maxAge {
		if seconds == "" {
			continue // ignored
		}
		if aged = endsAtOnce(seconds); !aged {
			return false
		}
	}
	return aged || len(c.expires) > 0 && !slices.ContainsFunc(c.expires, func(date string) bool {
		until, ok := cookieDate(date)
		return !ok || !hasPassed(until, m)
	})
}

// hasPassed reports whether until has passed for every user agent when m's answer comes. Some
// go by the answer's Date and others by a clock, so the two must not differ by much, and until
// must have passed by both, but for the minutes that clocks are fast by. Without Date, only
// what was long ago has passed.
func hasPassed(until time.Time, m *Message) bool {
	dates, there := m.Response.Header["Date"]
	if !there {
		return until.Year() < 2020
	}
	now, err := http.ParseTime(single(dates))
	if err != nil || until.After(now) {
		return false
	}
	return m.Now.IsZero() || m.Now.Sub(now).Abs() < 24*time.Hour && until.Sub(m.Now) < 10*time.Minute
}

// endsAtOnce reports whether a Max-Age is a number that is not above 0.
func endsAtOnce(seconds string) bool {
	digits, negative := strings.CutPrefix(seconds, "-")
	return digits != "" && madeOf(digits, decimalDigits) && (negative || strings.Trim(digits, "0") == "")
}

// cookieDate reads the forms in which servers write Expires. Its year can be
// before any that HTTP-date allows, as in "Thu, 01-Jan-1970".
func cookieDate(s string) (time.Time, bool) {
	if t, err := http.ParseTime(s); err == nil {
		return ofTwoDigits(t, s), true
	}
	for _, form := range [...]string{
		"Mon, 02-Jan-2006 15:04:05 MST", "Mon, 2-Jan-2006 15:04:05 MST", "Mon, 2 Jan 2006 15:04:05 MST",
		"Mon, 02-Jan-06 15:04:05 MST", "Mon Jan 02 2006 15:04:05 GMT-0700", "2 Jan 2006 15:04:05 MST",
	} {
		if t, err := time.Parse(form, s); err == nil {
			return ofTwoDigits(t, s), true
		}
	}
	return time.Time{}, false
}

// ofTwoDigits returns t as user agents read s: the year 69 is 2069 (RFC 6265bis §5.1.1),
// and not 1969 as package time has it, and 70 is 2070 to curl.
func ofTwoDigits(t time.Time, s string) time.Time {
	if year := t.Year(); (year == 1969 || year == 1970) && !strings.Contains(s, strconv.Itoa(year)) {
		return t.AddDate(100, 0, 0)
	}
	return t
}

// withoutPersistence returns line without its Max-Age and Expires attributes,
// the rest byte for byte.
func withoutPersistence(line string) string {
	parts := strings.Split(line, ";")
	kept := slices.DeleteFunc(parts[1:], func(attribute string) bool {
		key, _, _ := strings.Cut(attribute, "=")
		key = strings.Trim(key, " \t")
		return strings.EqualFold(key, "max-age") || strings.EqualFold(key, "expires")
	})
	return strings.Join(parts[:1+len(kept)], ";")
}

// hasControl reports whether s holds a control character other than a tab.
func hasControl(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return true
		}
	}
	return false
}
