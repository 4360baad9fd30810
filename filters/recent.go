package filters

import (
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"sync/atomic"
)

// A Recent remembers what a [Set] made of the last request that came on a
// connection: the next one mostly differs in nothing but its path, of which
// filters read no more than what it names. The zero value remembers nothing. It
// is safe for concurrent use.
type Recent struct {
	weight  atomic.Int64 // of the last request's header
	outcome atomic.Pointer[outcome]
}

// maxRecent is the largest header that is remembered, in bytes, with the target of
// its request, which may be in one piece of memory with it: connections are kept for
// long while nothing comes on them.
const maxRecent = 4 << 10

// An outcome is what filters left of a header, and all that this depends on.
type outcome struct {
	set                  *Set
	client               netip.Addr
	method, scheme, host string
	sent, left           http.Header // nobody writes to their lines in place
	visit                Visit
	order                []string // of the fields left, see [Set.FieldOrder]
	named                Kind     // what the path names
	icon                 bool     // the path is that of a site's icon
}

// Scrub is [Set.Read] and [Set.Request] in one. If recent remembers a request
// that said the same, its outcome is r's, and nothing is appended to log.
func (s *Set) Scrub(recent *Recent, r *http.Request, client netip.Addr, log []Change) (Message, []Change) {
	plain := hasPlainTarget(r)
	if o := recent.outcome.Load(); plain && o.isOf(s, r, client) {
		clear(r.Header)
		maps.Copy(r.Header, o.left) // which costs less than a clone
		return Message{Request: r, Client: client, Visit: o.visit, order: o.order}, log
	}
	var o *outcome
	if weight := headerWeight(r.Header); plain && recent.weight.Swap(weight) == weight && weight+int64(len(r.RequestURI)) <= maxRecent {
		// The second one like this: likely there is a third.
		o = &outcome{set: s, client: client, method: r.Method, scheme: r.URL.Scheme, host: r.URL.Host,
			sent: maps.Clone(r.Header), named: pathKind(r.URL.Path), icon: isIcon(r.URL.Path)}
	}
	m := s.Read(r, client)
	log = s.Request(m, log)
	m.order = s.FieldOrder(m)
	if o != nil {
		o.left, o.visit, o.order = maps.Clone(r.Header), m.Visit, m.order
		recent.outcome.Store(o)
	}
	return *m, log
}

// isOf reports whether o is what s makes of r.
func (o *outcome) isOf(s *Set, r *http.Request, client netip.Addr) bool {
	if o == nil || o.set != s || o.client != client || o.method != r.Method ||
		o.scheme != r.URL.Scheme || o.host != r.URL.Host || len(o.sent) != len(r.Header) ||
		o.visit.browser && (o.named != pathKind(r.URL.Path) || o.icon != isIcon(r.URL.Path)) {
		return false
	}
	for name, lines := range r.Header {
		if sent, there := o.sent[name]; !there || !slices.Equal(sent, lines) {
			return false
		}
	}
	return true
}

// hasPlainTarget reports whether nothing of r can matter to a filter but its
// method, its header, and the scheme and host it goes to: it has no content,
// and its target nothing that [cleanURL] and [readSigned] look at.
func hasPlainTarget(r *http.Request) bool {
	u := r.URL
	return safe(r.Method) && r.ContentLength == 0 && r.Trailer == nil && r.Host == u.Host &&
		u.User == nil && u.RawPath == "" && u.RawQuery == "" && !u.ForceQuery && u.Fragment == "" && u.RawFragment == ""
}

// headerWeight is how many bytes h holds, and one more: no header weighs as little
// as none that came. Other headers may weigh the same.
func headerWeight(h http.Header) int64 {
	n := 1
	for name, lines := range h {
		n += len(name)
		for _, line := range lines {
			n += len(line)
		}
	}
	return int64(n)
}
