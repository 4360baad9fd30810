package filters

import (
	"maps"
	"net/http"
)

// reload drops what a browser says to caches. "Cache-Control: max-age=0" or
// "no-cache" tells that this visitor pressed reload, or which browser sends a
// form; the proxy's own cache has obeyed it by then. The directives of an API
// client are part of its request and pass (RFC 9111 §5.2), and so do those that a
// script has stored with what it uploads, and those that every EventSource has.
type reload struct{}

const whyReload = "RFC 9111 §5.2.1; obeyed by the proxy's cache, and telling of the browser"

// Apply implements [Filter].
func (reload) Apply(m *Message, log []Change) []Change {
	if m.Visit.Kind == Fetch && (!m.Visit.browser || opensEvents(m)) || m.Visit.Kind == WebSocket {
		return log // a handshake passes no cache; what it holds is the persona's
	}
	h := m.Request.Header
	if !withUpload(m) {
		log = put(h, "Cache-Control", "", whyReload, log)
	}
	return put(h, "Pragma", "", whyReload, log)
}

// opensEvents reports whether m is an EventSource's, which takes nothing from a cache
// (HTML, "server-sent events"), whether or not its page is reloaded.
func opensEvents(m *Message) bool {
	h := m.Request.Header
	return wantsEvents(m) && single(h["Cache-Control"]) == "no-cache" && single(h["Pragma"]) == "no-cache"
}

// withUpload reports whether the Cache-Control of m is stored with its content, or
// signed. In a POST browsers send one of their own, and that is one of two; in a PUT
// Firefox does while a page is reloaded, and has a Pragma beside it, which a script's has
// not.
func withUpload(m *Message) bool {
	r := m.Request
	said := single(r.Header["Cache-Control"])
	own := r.Header["Pragma"] != nil && said == "no-cache"
	return m.Visit.Kind == Fetch && (r.Method == http.MethodPut && !own || m.Visit.signed["Cache-Control"] != nil ||
		stores(r.Method) && said != "no-cache" && said != "max-age=0")
}

// Onward scrubs m.Request where it leaves the cache: of fields that only the
// cache needed. It appends what it changed to log. The client's request may still be
// read by others: where anything is to go, m.Request becomes a copy.
func (s *Set) Onward(m *Message, log []Change) []Change {
	h := m.Request.Header
	if len(h["Cache-Control"])+len(h["Pragma"]) == 0 {
		return log
	}
	r := *m.Request
	r.Header = maps.Clone(h)
	m.Request = &r
	return reload{}.Apply(m, log)
}
