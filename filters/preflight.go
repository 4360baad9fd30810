package filters

import (
	"net/textproto"
	"slices"
	"strings"
)

// preflight names the fields that a page wants to send as the Fetch standard has browsers name
// them ("CORS-preflight fetch"): sorted, in small letters, with nothing between them but
// commas. Browsers before it, and their kin, have other habits. It leaves out those whose value
// from the page never goes to the origin: Firefox asks whether it may send the User-Agent that
// a script made up, where Chromium sends none; Safari lists fields of its own, Chromium at
// times those of extensions. The browser is told that it may send them.
type preflight struct{ *persona }

const (
	requestHeaders = "Access-Control-Request-Headers"
	allowHeaders   = "Access-Control-Allow-Headers"
	whyPreflight   = "Fetch standard, CORS-preflight fetch; one form for all"
)

// Apply implements [Filter].
func (f preflight) Apply(m *Message, log []Change) []Change {
	if m.Response != nil {
		return grant(m, log)
	}
	lines := m.Request.Header[requestHeaders]
	if !f.identity || m.Visit.Kind != Preflight || lines == nil {
		return log
	}
	var asked []string
	for name := range members(lines) {
		name = strings.ToLower(name)
		if neverGoes(name) {
			m.Visit.withheld = append(m.Visit.withheld, name)
		} else {
			asked = append(asked, name)
		}
	}
	slices.Sort(asked)
	return put(m.Request.Header, requestHeaders, strings.Join(slices.Compact(asked), ","), whyPreflight, log)
}

// neverGoes reports whether a field of that name never goes to the origin as a script wrote it.
func neverGoes(name string) bool {
	switch names.judge(textproto.CanonicalMIMEHeaderKey(name)).class {
	case disguised:
		return name != "accept"
	case hop, route:
		return true
	}
	return false
}

// grant adds to what an origin allows the fields that it was not asked about.
func grant(m *Message, log []Change) []Change {
	if m.Visit.withheld == nil {
		return log
	}
	h := m.Response.Header
	allowed := append(slices.Clone(h[allowHeaders]), m.Visit.withheld...)
	return put(h, allowHeaders, strings.Join(allowed, ", "), whyPreflight, log)
}
