package filters

import (
	"net/http"
	"strings"
)

// originFields reduces Referer to the origin within a site and removes it
// across sites and on the way from https to http (RFC 9110 §10.1.3). Origin
// passes, for CORS and against forged requests, but only where the Fetch
// standard sends it.
type originFields struct{ *persona }

// Apply implements [Filter].
func (f originFields) Apply(m *Message, log []Change) []Change {
	log = reduceReferer(m, log)
	return f.checkOrigin(m, log)
}

func reduceReferer(m *Message, log []Change) []Change {
	lines, there := m.Request.Header["Referer"]
	if !there {
		return log
	}
	const why = "RFC 9110 §10.1.3; origin within a site, nothing across"
	keep := refererWithinSite(m.Request, single(lines))
	log = put(m.Request.Header, "Referer", keep, why, log)
	if n := len(log) - 1; keep != "" && n >= 0 && log[n].Field == "Referer" && log[n].Did == Rewritten {
		log[n].Did = Reduced
	}
	return log
}

// refererWithinSite returns the origin of referer as a URL if it is of r's
// site, else "".
func refererWithinSite(r *http.Request, referer string) string {
	a, ok := parseAuthority(referer)
	if !ok {
		return ""
	}
	scheme := strings.ToLower(a.scheme)
	if scheme != "http" && scheme != "https" || scheme == "https" && r.URL.Scheme == "http" ||
		registrable(a.host) != registrable(targetHost(r)) {
		return ""
	}
	origin := scheme + "://" + a.hostport() + "/"
	if origin == referer {
		return referer
	}
	return origin
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

// checkOrigin removes an Origin that is not a serialized origin, that names a
// browser extension (Firefox and Safari give each installation its own), or
// that says of a GET what the target knows: Chromium sends it with fonts and
// module scripts to their own origin, the Fetch standard and others do not.
func (f originFields) checkOrigin(m *Message, log []Change) []Change {
	lines, there := m.Request.Header["Origin"]
	if !there {
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
	case strings.HasSuffix(strings.ToLower(a.scheme), "-extension"):
		return put(m.Request.Header, "Origin", "", "names an installed extension", log)
	case f.identity && m.Visit.Kind != WebSocket && m.Visit.Kind != Preflight &&
		(m.Request.Method == http.MethodGet || m.Request.Method == http.MethodHead) && a.sameOrigin(m.Request):
		return put(m.Request.Header, "Origin", "", "Fetch standard, append a request Origin header", log)
	}
	return put(m.Request.Header, "Origin", origin, "RFC 6454 §7", log)
}
