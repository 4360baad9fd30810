package filters

import (
	"bytes"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// cleanURL removes what a URL says beside naming the resource: userinfo and fragment
// always (RFC 9110 §4.2.4, §7.1), userinfo from fields as well; and the parameters that
// follow people from site to site, and those that hold the client's own address, from GET
// and HEAD requests, the preflights before them, and all that browsers send: a page sends
// its forms and more to its own address, in which the browser keeps what it came with. The
// other parameters keep their order and bytes. A query that carries a signature stays
// whole, and so does one that the credentials cover: it is signed over every parameter.
type cleanURL struct{}

// Apply implements [Filter].
func (cleanURL) Apply(m *Message, log []Change) []Change {
	r := m.Request
	u := r.URL
	if u.User != nil {
		u.User = nil
		log = append(log, Change{"URL", Reduced, "RFC 9110 §4.2.4: userinfo"})
	}
	if i := strings.LastIndexByte(r.Host, '@'); i >= 0 {
		r.Host = r.Host[i+1:]
		log = append(log, Change{"Host", Reduced, "RFC 9110 §4.2.4: userinfo"})
	}
	if cutFragment(u) {
		log = append(log, Change{"URL", Reduced, "RFC 9110 §7.1: fragment"})
	}
	if m.Visit.browser && escapePath(u, r.Header) {
		log = append(log, Change{"URL", Rewritten, "WHATWG URL §1.3; one form for all"})
	}
	gets := safe(r.Method) || r.Method == "" || precedesSafe(m)
	if !gets {
		log = cleanReferences(r.Header, log)
	}
	if u.RawQuery == "" || !gets && !m.Visit.browser {
		return log
	}
	return cleanQuery(m, u, gets, log)
}

// referenceFields are those of requests that name further resources of the origin.
var referenceFields = [...]string{"Destination", "If", "Link", "Redirect-Ref", "Configuration-Context"}

// userinfoOf matches what stands before the host of each URL in text.
var userinfoOf = regexp.MustCompile(`(?i)(https?://)[^/?#\s<>"]*@`)

// cleanReferences takes userinfo from referenceFields: gvfs has its person's name in all
// that it asks for, and servers take such a Destination for another host's.
func cleanReferences(h http.Header, log []Change) []Change {
	for _, name := range referenceFields {
		log = shorten(h, name, func(line string) string { return userinfoOf.ReplaceAllString(line, "$1") }, "RFC 9110 §4.2.4: userinfo", log)
	}
	return log
}

// precedesSafe reports whether m is the preflight of a GET or HEAD, for the same address.
func precedesSafe(m *Message) bool {
	return m.Visit.Kind == Preflight && safe(single(m.Request.Header["Access-Control-Request-Method"]))
}

// cutFragment removes the fragment, also one that url.ParseRequestURI took for
// the end of the path or query, as it does for request-targets.
func cutFragment(u *url.URL) bool {
	had := u.Fragment != "" || u.RawFragment != ""
	u.Fragment, u.RawFragment = "", ""
	if path, _, cut := strings.Cut(u.RawPath, "#"); cut {
		if plain, err := url.PathUnescape(path); err == nil {
			u.Path, u.RawPath, u.RawQuery, u.ForceQuery = plain, path, "", false
			had = true
		}
	}
	if query, _, cut := strings.Cut(u.RawQuery, "#"); cut {
		u.RawQuery = query
		had = true
	}
	return had
}

// bareInPath has Chromium's escapes of what no path should hold (RFC 3986 §3.3).
var bareInPath = strings.NewReplacer(`"`, "%22", "<", "%3C", ">", "%3E", "^", "%5E", "`", "%60", "{", "%7B", "|", "%7C", "}", "%7D")

// escapePath writes the path of u as all browsers could: any page can have them ask for
// one with a |, which Firefox leaves bare, and older ones leave others. A path that the
// credentials in h cover stays.
func escapePath(u *url.URL, h http.Header) bool {
	escaped := bareInPath.Replace(u.RawPath)
	if escaped == u.RawPath || signsTarget(h) {
		return false
	}
	u.RawPath = escaped
	return true
}

// cleanQuery removes the tracking parameters from u's query, which m asks for or leads to;
// those of a single site only if it is got by GET or HEAD. Only & separates parameters: ; is
// part of them (WHATWG URL §5.1).
func cleanQuery(m *Message, u *url.URL, gets bool, log []Change) []Change {
	query, n := u.RawQuery, len(log)
	var kept []byte // what stays, from the first removal on
	parts := 0      // parameters in kept
	l := link{URL: u, opened: gets && !m.Visit.part}
	own := newOwnQuery(m)
	for start := 0; start <= len(query); {
		end := strings.IndexByte(query[start:], '&')
		if end < 0 {
			end = len(query)
		} else {
			end += start
		}
		name, value, _ := strings.Cut(query[start:end], "=")
		var buf [48]byte
		key := paramName(buf[:0], name)
		rule := l.trackingRule(key)
		if rule == nil && holdsAdvertisingID(name, value) {
			rule = advertisingID
		}
		if rule == nil && own.goes(u, key, value) {
			rule = ownParam
		}
		switch {
		case rule == signedQuery, rule != nil && kept == nil && (signsTarget(m.Request.Header) || l.isWrapped()):
			return log[:n]
		case rule != nil:
			if kept == nil {
				kept = append(make([]byte, 0, len(query)), query[:max(start-1, 0)]...)
			}
			log = append(log, Change{rule.name, Removed, rule.source})
		default:
			if kept != nil {
				if parts > 0 {
					kept = append(kept, '&')
				}
				kept = append(kept, query[start:end]...)
			}
			parts++
		}
		start = end + 1
	}
	if len(log) > n {
		u.RawQuery, u.ForceQuery = string(kept), false
	}
	return log
}

// isSignedQuery reports whether a parameter of query signs it.
func isSignedQuery(query string) bool {
	for part := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(part, "=")
		var buf [48]byte
		if rules := params.exact[string(paramName(buf[:0], name))]; len(rules) > 0 && rules[0].signature {
			return true
		}
	}
	return false
}

// paramName appends a parameter's name to dst as the tables have it: decoded,
// in lower case, and without what careless encoding put before it (an encoded
// ?, or amp; from an HTML attribute). Of a longer name it returns the
// beginning, which is in no table but may be of a family.
func paramName(dst []byte, raw string) []byte {
	for i := 0; i < len(raw) && len(dst) < cap(dst); i++ {
		c := raw[i]
		switch {
		case c == '%' && i+2 < len(raw) && isHex(raw[i+1]) && isHex(raw[i+2]):
			c = unhex(raw[i+1])<<4 | unhex(raw[i+2])
			i += 2
		case c == '+':
			c = ' '
		}
		if isCapital(c) {
			c |= 0x20
		}
		dst = append(dst, c)
	}
	for len(dst) > 0 && (dst[0] == '?' || dst[0] == ' ') {
		dst = dst[1:]
	}
	for len(dst) > 4 && string(dst[:4]) == "amp;" {
		dst = dst[4:]
	}
	if i := bytes.IndexByte(dst, '['); i > 0 {
		dst = dst[:i] // a list, as in utm_source[]
	}
	return dst
}

// A link is a URL whose parameters are judged, and what that takes, looked up when a
// rule first needs it.
type link struct {
	*url.URL
	opened       bool   // by a person, or so it seems
	site         string // the registrable domain
	forRecipient fact   // see asksForRecipient
	forTracker   fact   // see isPeerAddress
	inMail       fact   // that its path says so
}

// A fact about a whole URL is looked up when it is first needed: a URL has thousands of
// parameters if somebody wants it to.
type fact struct{ known, is bool }

func (f *fact) of(look func() bool) bool {
	if !f.known {
		f.known, f.is = true, look()
	}
	return f.is
}

// trackingRule returns the rule about a parameter of l, or nil.
//
// Rules of one site are about the addresses that people open and share. What its
// pages and scripts ask for may need a parameter of that name, as reCAPTCHA does
// Google's sa.
func (l *link) trackingRule(name []byte) *paramRule {
	if l.leadsBy(name) {
		return nil
	}
	rules, ok := params.exact[string(name)]
	if !ok {
		for n := min(params.longest, len(name)); n > 1 && !ok; n-- {
			rules, ok = params.families[string(name[:n])]
		}
	}
	if !ok && l.isPeerAddress(name) {
		return peerAddress
	}
	if !ok {
		return clickRule(name)
	}
	for i := range rules {
		rule := &rules[i]
		if rule.site == "" {
			if rule.signature {
				return signedQuery
			}
			return rule
		}
		if !l.opened {
			continue
		}
		if l.site == "" {
			l.site = registrable(l.Hostname())
		}
		label, _, _ := strings.Cut(l.site, ".")
		if rule.site == l.site || rule.site == label+"." {
			return rule
		}
	}
	return nil
}

// leadsBy reports whether l needs a parameter that elsewhere identifies a visitor, to lead
// anywhere: in links of the service that made it, as in mails by Responsys and Hive, at the
// redirectors of Awin, Tradedoubler, Adjust and AliExpress, in Bing's results, which have
// another for the visit, and where a mail's recipient wants something of its sender.
func (l *link) leadsBy(name []byte) bool {
	switch string(name) {
	case "_ri_", "_ei_":
		return strings.HasPrefix(l.Path, "/pub/")
	case "awinaffid":
		return registrable(l.Hostname()) == "awin1.com"
	case "aff_short_key":
		return l.Path == "/deep_link.htm"
	case "fclid":
		return registrable(l.Hostname()) == "bing.com" && strings.HasPrefix(l.Path, "/ck/")
	case "tduid": // AdguardFilters, issue 144144
		return registrable(l.Hostname()) == "tradedoubler.com"
	case "_ga": // without it AliExpress redirects to the same again: AdguardFilters, issue 157807
		return strings.HasSuffix(l.Path, "/sync_cookie_write.htm")
	case "adjust_t", "adjust_deeplink", "adjust_deeplink_js", "adjust_redirect", "adjust_fallback": // help.adjust.com, universal links
		switch registrable(l.Hostname()) {
		case "adj.st", "go.link", "adjust.com":
			return true
		}
	case "mkt_tok", "elq", "ck_subscriber_id", "_kx":
		return l.asksForRecipient()
	case "h_sid", "h_slt":
		return l.inMail.of(func() bool { return strings.Contains(l.Path, "/email/") })
	}
	return false
}

// asksForRecipient reports whether l, from a mail, is of no use without saying whose
// mail it was: to have no more of them, or to read that one in the browser. Marketo, Eloqua,
// Kit and Klaviyo hold it in the parameter that follows people by their other links
// (brave/brave-browser, issues 9018, 27625, 10151, 44341, 53588).
func (l *link) asksForRecipient() bool {
	return l.forRecipient.of(func() bool {
		words := strings.ToLower(l.Path + "?" + l.RawQuery)
		return strings.Contains(words, "unsubscribe") || strings.Contains(words, "emailwebview")
	})
}

// isWrapped reports whether l is Proofpoint's for a link in a mail, which it checks when
// somebody follows it: that stands there as it is, and after its query a signature
// (brave/brave-browser, issue 41134).
func (l *link) isWrapped() bool {
	site := registrable(l.Hostname())
	return (site == "urldefense.com" || site == "urldefense.us") && strings.HasPrefix(l.Path, "/v3/__")
}

// isPeerAddress reports whether a parameter of l has the client's address for a BitTorrent
// tracker. Transmission tells its global IPv6 address, whatever way the request goes.
// Elsewhere a parameter of that name asks about any address.
func (l *link) isPeerAddress(name []byte) bool {
	switch string(name) {
	case "ip", "ipv4", "ipv6":
		return l.forTracker.of(func() bool {
			return strings.Contains(l.RawQuery, "info_hash=") && strings.Contains(l.RawQuery, "peer_id=")
		})
	}
	return false
}

// holdsAdvertisingID reports whether a parameter, as it stands, holds a device's advertising
// identifier: it has the form of one, and is named so, or its value is, as in
// idfa:6D92078A-8246-4BA4-AE5B-76104861E7DC.
func holdsAdvertisingID(name, value string) bool {
	if len(value) < 32 || len(value) > 80 {
		return false
	}
	id := string(percentDecode(value))
	if before, after, ok := strings.Cut(id, ":"); ok {
		name, id = before, after
	}
	return isAdvertisingID(id) && namesAdvertisingID(string(percentDecode(name)))
}

// namesAdvertisingID reports whether a name is one that SDKs, players and ad servers give
// a device's advertising identifier.
func namesAdvertisingID(name string) bool {
	if name == "adid" || name == "ADID" || named(name, advertisingWords) { // adId is an ad's
		return true
	}
	var words [24]string
	before := ""
	for _, word := range splitWords(words[:0], name) {
		if before == "advertising" && (word == "id" || word == "identifier") || word == "aid" && holdsWord(advertisingSystems, before) {
			return true
		}
		before = word
	}
	return false
}

// advertisingWords are words by which a name tells an advertising identifier, or what is
// used as one where there is none (IAB Tech Lab, Identifier for Advertising Guidelines;
// support.google.com/admanager/answer/6238701; support.kochava.com, VIDA; an IMEI's digest,
// helpcenter.mintegral.com). advertisingSystems are those that stand before aid
// (appmetrica.yandex.com, Parameters of the tracking URL).
const (
	advertisingWords   = " aaid oaid rdid ifa ifv idfa idfv gaid rida tifa afai lgudid msai vida imei "
	advertisingSystems = " google windows fire amazon huawei "
)

// isAdvertisingID reports whether value looks like an advertising identifier: all systems
// have a UUID for one (IAB Tech Lab, Identifier for Advertising Guidelines), and makers of
// phones without Google's, and who tells only the digest (MD5, SHA-1, SHA-256), 32, 40 or 64
// hexadecimal digits.
func isAdvertisingID(value string) bool {
	switch len(value) {
	case 36:
		return groupsAt(value[9:23], 3, 4, "-") && isHexText(value[:8]) && value[8] == '-' && value[23] == '-' && isHexText(value[24:])
	case 32, 40, 64:
		return isHexText(value)
	}
	return false
}

func isHexText(s string) bool {
	for i := range len(s) {
		if !isHex(s[i]) {
			return false
		}
	}
	return true
}

// peerAddress, advertisingID, clickID and campaign are the rules about names that no table lists.
var (
	advertisingID = &paramRule{name: "advertising id", source: "support.google.com/admanager/answer/6238701 and help.branch.io: a name of one, and the form"}
	peerAddress   = &paramRule{name: "address of a peer", source: "BEP 3 and BEP 7, bittorrent.org: ip, ipv4 and ipv6; the tracker takes the connection's"}
	clickID       = &paramRule{name: "click id", source: "named like gclid, fbclid and msclkid: one a click"}
	campaign      = &paramRule{name: "utm", source: "support.google.com/analytics/answer/10917952, custom campaigns; with a prefix"}
)

// clickRule returns the rule about a name that says that it holds the id of a
// click or the tag of a campaign, as those of every advertiser do, or nil.
func clickRule(name []byte) *paramRule {
	for _, end := range [...]string{"clid", "clkid", "clickid", "click_id", "click-id"} {
		if before, ok := bytes.CutSuffix(name, []byte(end)); ok && len(before) > 0 && string(name) != "euclid" {
			return clickID
		}
	}
	if i := bytes.Index(name, []byte("utm_")); i > 0 && strings.IndexByte(".-_", name[i-1]) >= 0 {
		return campaign
	}
	return nil
}
