package filters

import (
	"slices"
	"strings"
)

// preflight names the fields that a page wants to send as the Fetch standard has
// browsers name them ("CORS-preflight fetch"): sorted, in small letters, with nothing
// between them but commas. Browsers before it, and their kin, have other habits.
type preflight struct{ *persona }

const requestHeaders = "Access-Control-Request-Headers"

// Apply implements [Filter].
func (f preflight) Apply(m *Message, log []Change) []Change {
	lines := m.Request.Header[requestHeaders]
	if !f.identity || m.Visit.Kind != Preflight || lines == nil {
		return log
	}
	var asked []string
	for name := range members(lines) {
		asked = append(asked, strings.ToLower(name))
	}
	slices.Sort(asked)
	return put(m.Request.Header, requestHeaders, strings.Join(slices.Compact(asked), ","), "Fetch standard, CORS-preflight fetch; one form for all", log)
}
