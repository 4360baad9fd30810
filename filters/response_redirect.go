package filters

import (
	"net/http"
	"net/url"
	"strings"
)

// redirects takes from the target of a redirect what [cleanURL] would take
// from the request that follows: that may leave in a tunnel, where nobody can.
type redirects struct{}

// Apply implements [Filter].
func (redirects) Apply(m *Message, log []Change) []Change {
	h := m.Response.Header
	location := single(h["Location"]) // browsers take it twice, too
	if !strings.Contains(location, "?") || !leadsToGet(m) {
		return log
	}
	target, err := m.Request.URL.Parse(location)
	if err != nil || !isWeb(target.Scheme) {
		return log
	}
	rest, fragment, marked := strings.Cut(location, "#")
	path, query, _ := strings.Cut(rest, "?")
	u := &url.URL{Host: target.Host, RawQuery: query}
	if n := len(log); len(cleanQuery(m, u, log)) == n {
		return log
	}
	// Nothing at all would mean the query of the request (RFC 3986 §5.2.2).
	if u.RawQuery != "" || path == "" {
		path += "?" + u.RawQuery
	}
	if marked {
		path += "#" + fragment
	}
	h["Location"] = []string{path}
	return append(log, Change{"Location", Reduced, "parameters that follow people, as in requests"})
}

// leadsToGet reports whether m's answer sends its client on with a GET or HEAD
// (RFC 9110 §15.4; browsers turn POST into GET but for 307 and 308).
func leadsToGet(m *Message) bool {
	switch m.Response.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther:
		return true
	case http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return safe(m.Request.Method)
	}
	return false
}
