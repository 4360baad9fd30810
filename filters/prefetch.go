package filters

import (
	"net/http"
	"strings"
)

// prefetching tells servers in one way that nobody looks at the answer yet, as
// they may refuse that (Fetch standard, Sec-Purpose). Browsers have told it in
// several, which are removed as what they are.
type prefetching struct{}

// prefetchFields are the fields by which browsers told so, release by release.
var prefetchFields = [...]string{"Sec-Purpose", "Purpose", "X-Moz", "X-Purpose", "Moz-Purpose"}

// isPrefetch reports whether h says that its request is made in advance.
func isPrefetch(h http.Header) bool {
	for _, name := range prefetchFields {
		word, _, _ := strings.Cut(first(h[name]), ";") // what follows is one browser's
		switch strings.ToLower(strings.TrimSpace(word)) {
		case "prefetch", "preview", "prerender":
			return true
		}
	}
	return false
}

// Apply implements [Filter].
func (prefetching) Apply(m *Message, log []Change) []Change {
	if !m.Visit.prefetch {
		return log
	}
	return put(m.Request.Header, "Sec-Purpose", "prefetch", "Fetch standard, Sec-Purpose; one form for all", log)
}
