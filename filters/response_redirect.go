package filters

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// redirects takes from the target of a redirect what [cleanURL] would take from the request
// that follows: that may leave in a tunnel, where nobody can. A target that programs would ask
// for past the proxy goes, and so do links to such places.
type redirects struct{}

const whyPastProxy = "a proxy for the web is not asked for what is there"

// Apply implements [Filter].
func (redirects) Apply(m *Message, log []Change) []Change {
	h := m.Response.Header
	switch code := m.Response.StatusCode; {
	case code == http.StatusUseProxy:
		log = put(h, "Location", "", "RFC 9110 §15.4.6; names another proxy", log)
	case code/100 != 3 && code != http.StatusCreated: // VLC follows that as well
	case slices.ContainsFunc(h["Location"], leadsPastProxy):
		log = put(h, "Location", "", whyPastProxy, log)
	}
	log = shorten(h, "Link", withoutLinksPastProxy, whyPastProxy, log)
	if leads, gets := leadsOn(m); leads {
		if kept, changed := withoutClicks(m, single(h["Location"]), gets); changed { // browsers take it twice, too
			log = reduce(h, "Location", kept, whyClicks, log)
		}
	}
	return log
}

const whyClicks = "parameters that follow people, as in requests"

// withoutClicks returns a reference that m's answer leads to as [cleanQuery] leaves its
// query, and a fragment of parameters, where analytics read clicks and campaigns as well
// (matomo.org, tracking campaigns; ClearURLs); and without tabs, which browsers leave out. It
// reports whether that changes query or fragment.
func withoutClicks(m *Message, reference string, gets bool) (kept string, changed bool) {
	if !strings.ContainsAny(reference, "?#") {
		return reference, false
	}
	reference = strings.ReplaceAll(reference, "\t", "")
	target, err := resolve(m.Request.URL, reference)
	if err != nil || !isWeb(target.Scheme) {
		return reference, false
	}
	rest, fragment, marked := strings.Cut(reference, "#")
	path, query, asks := strings.Cut(rest, "?")
	clean := func(parameters string) string {
		u := &url.URL{Host: target.Host, Path: target.Path, RawQuery: parameters}
		changed = len(cleanQuery(m, u, gets, nil)) > 0 || changed
		return u.RawQuery
	}
	cleaned := clean(query)
	// Nothing at all would mean the query of the request (RFC 3986 §5.2.2), or its fragment
	// (Fetch standard, HTTP-redirect fetch).
	if cleaned != "" || asks && (path == "" || cleaned == query) {
		path += "?" + cleaned
	}
	if name, _, _ := strings.Cut(fragment, "="); !strings.ContainsAny(name, "/?") { // else it is an address within a page
		fragment = clean(fragment)
	}
	if marked {
		path += "#" + fragment
	}
	if !changed {
		return reference, false
	}
	return path, true
}

// pastProxy are the schemes of what programs fetch by themselves where a redirect
// of the web leads there, and with a connection of their own unless a proxy is set
// for it as well: curl, wget and older browsers by FTP (curl's manual,
// CURLOPT_REDIR_PROTOCOLS and its default before 7.65.2; wget's source, url.c), Windows'
// programs by SMB, with their user's name (CERT/CC VU#672268), Lynx, w3m and ELinks by
// those of news, directories and finger, Emacs by those of chat and terminals, lftp by a
// shell, Subversion and Breezy by those of repositories, VLC by those of streams and shares:
// of udp it has the system look up the name. What stands before a plus is left out.
var pastProxy = map[string]bool{
	"ftp": true, "ftps": true, "ftpes": true, "sftp": true, "scp": true, "tftp": true, "file": true, "smb": true, "smbs": true,
	"fsp": true, "nfs": true, "svn": true, "bzr": true, "git": true, "ssh": true,
	"gopher": true, "gophers": true, "dict": true, "ldap": true, "ldaps": true, "mqtt": true,
	"telnet": true, "tn3270": true, "rlogin": true, "irc": true, "ircs": true,
	"imap": true, "imaps": true, "pop3": true, "pop3s": true, "smtp": true, "smtps": true,
	"nntp": true, "nntps": true, "news": true, "snews": true, "newspost": true, "snewspost": true, "newsreply": true, "snewsreply": true,
	"finger": true, "cso": true, "fish": true,
	"rtsp": true, "rtmp": true, "rtmpe": true, "rtmps": true, "rtmpt": true, "rtmpte": true, "rtmpts": true,
	"mms": true, "mmsh": true, "mmst": true, "mmsu": true, "realrtsp": true, "pnm": true, "satip": true, "tcp": true,
	"rist": true, "tr06": true, "srt": true, "udp": true, "udp4": true, "udp6": true, "udpstream": true, "upnp": true,
	"any": true, "avio": true, // whatever VLC and libavformat open
	"icyx": true, "itpc": true, "unsv": true, // HTTP by other names
}

// leadsPastProxy reports whether programs follow a Location without asking the proxy.
// Lynx takes it out of quotes, Emacs out of angle brackets, and behind a plus stands what it
// goes by: svn+ssh, and readonly+ftp to Breezy.
func leadsPastProxy(location string) bool {
	scheme, _, ok := strings.Cut(location, ":")
	scheme = strings.ToLower(strings.ReplaceAll(strings.TrimLeft(scheme, " \t\"<"), "\t", ""))
	return ok && pastProxy[scheme[strings.LastIndexByte(scheme, '+')+1:]]
}

// withoutLinksPastProxy returns a list of links (RFC 8288 §3) without those to where
// programs fetch without asking the proxy, the rest byte for byte: aria2 fetches a piece from
// each mirror that a Link names (RFC 6249 §3), and from those of FTP by itself.
func withoutLinksPastProxy(line string) string {
	var kept []string
	theirs := false
	for part := range splitQuoted(line, ',') { // also at commas of a target
		targets := strings.Split(part, "<")[1:]
		theirs = theirs && !strings.HasPrefix(strings.TrimLeft(part, " \t"), "<") || slices.ContainsFunc(targets, leadsPastProxy)
		if !theirs {
			kept = append(kept, part)
		}
	}
	rest := strings.Trim(strings.Join(kept, ","), " \t")
	if slices.ContainsFunc(strings.Split(rest, "<")[1:], leadsPastProxy) {
		return "" // only with its commas, as no list of links does
	}
	return rest
}

// LeadsBack reports whether m's answer leads to m's own URL but for parameters that [cleanURL]
// takes, and returns the query with them, as browsers write it. A site that insists on those
// would send its visitor there without end; what they hold, it has chosen itself.
func LeadsBack(m *Message) (query string, back bool) {
	leads, gets := leadsOn(m)
	if !leads || !gets || !safe(m.Request.Method) || m.Request.ContentLength != 0 {
		return "", false
	}
	location, _, _ := strings.Cut(strings.ReplaceAll(single(m.Response.Header["Location"]), "\t", ""), "#")
	location, query, _ = strings.Cut(location, "?")
	query = escapeQuery(query)
	kept, changed := withoutClicks(m, location+"?"+query, gets)
	if !changed {
		return "", false
	}
	u := m.Request.URL
	to, err := resolve(u, kept)
	if err != nil || to.User != nil || cmp.Or(to.EscapedPath(), "/") != cmp.Or(u.EscapedPath(), "/") || to.RawQuery != u.RawQuery {
		return "", false
	}
	a, ok := parseAuthority(to.String())
	return query, ok && a.sameOrigin(m.Request)
}

// escapeQuery escapes what a query should not hold (URL standard, "special-query
// percent-encode set").
func escapeQuery(query string) string {
	var out strings.Builder
	for i := range len(query) {
		if c := query[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"#'<>`, c) >= 0 {
			fmt.Fprintf(&out, "%%%02X", c)
		} else {
			out.WriteByte(c)
		}
	}
	return out.String()
}

// resolve returns where reference leads from base as browsers have it: tabs are not there,
// a percent sign may stand alone but in a host, of the web's URLs a backslash is a slash,
// and more than two of them before a host are two (URL standard, "special authority ignore
// slashes state").
func resolve(base *url.URL, reference string) (*url.URL, error) {
	reference = strings.NewReplacer("\t", "", `\`, "/").Replace(reference)
	if strings.HasPrefix(reference, "//") {
		reference = "//" + strings.TrimLeft(reference, "/")
	}
	start := 0
	if scheme, rest, ok := strings.Cut(reference, "//"); ok && !strings.ContainsAny(scheme, "/?#") {
		start = len(reference) - len(rest) + strings.IndexAny(rest+"/", "/?#")
	}
	return base.Parse(reference[:start] + withoutLonePercents(reference[start:]))
}

// withoutLonePercents returns s with each percent sign that begins no coding coded itself.
func withoutLonePercents(s string) string {
	var out strings.Builder
	for i := range len(s) {
		out.WriteByte(s[i])
		if s[i] == '%' && (i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2])) {
			out.WriteString("25")
		}
	}
	return out.String()
}

// leadsOn reports whether m's answer sends its client on with a request whose address
// [cleanURL] would clean, and whether that is a GET or HEAD (RFC 9110 §15.4; browsers turn
// POST into GET but for 307 and 308). curl follows a 300 as well.
func leadsOn(m *Message) (leads, gets bool) {
	switch m.Response.StatusCode {
	case http.StatusMultipleChoices, http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther:
		return true, true
	case http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		gets = safe(m.Request.Method)
		return gets || m.Visit.browser, gets
	}
	return false, false
}
