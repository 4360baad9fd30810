// Package filters edits requests and responses so that an origin learns
// nothing about the person behind them.
//
// Call [New] once for a configuration. Then, for every exchange, call
// [Set.Scrub] on the request as the client sent it, [Set.Onward] where it goes
// past the cache, [Set.Response] on the origin's answer, and [Set.Trailer] on
// the trailers of either. Scrub may skip the filters for a request like the
// last one; to be told of every change, call [Set.Read] and [Set.Request],
// of which it consists. A filter is pure: it does no I/O, asks no clock and
// keeps no state.
//
// names.go says how fields are classed by name; the tables themselves are in
// registry.go, purpose.go, hop.go and the files that begin with route and identity.
// lines.go has what all filters read and write fields with.
package filters

import (
	"net/http"
	"net/netip"
	"time"
)

// A Message is one exchange under edit: a request, and later its response.
type Message struct {
	Request  *http.Request  // for an absolute URL
	Response *http.Response // nil while the request is edited
	Client   netip.Addr     // the client's own address; zero if unknown
	Now      time.Time      // when Response came; zero if unknown
	Visit    Visit          // what [Set.Read] learned before anything was removed

	order  []string // see [Set.FieldOrder]; nil unless [Set.Scrub] found it
	proofs []string // see [holdsProof]; nil until a field needs one
}

// A Visit is what a request said about its purpose before it was scrubbed.
// It stays inside the proxy.
type Visit struct {
	Kind       Kind   // what the browser asks for: a document, an image, ...
	Site       string // registrable domain on whose behalf the request is made; "" if unknown
	ThirdParty bool   // the origin is not of Site
	Report     bool   // a browser reports, on its own and as a site once told it to, what happened to it
	Personal   bool   // a field that is left, other than Cookie and Authorization, may tell for whom the answer is; set by [Set.Request]

	browser  bool        // the client says that it is one
	framed   bool        // the target's site asks, but in a page of another
	ownPage  bool        // a page of the target's origin is what asks
	alone    bool        // no script wrote any of it
	anew     bool        // a service worker fetches a page, to which it may add
	inSheet  bool        // a style sheet of the target's origin asks
	lent     bool        // Origin is sent for Storage Access Headers alone
	prefetch bool        // nobody looks at the answer yet
	part     bool        // of a page, or asked for by its script, as the browser says
	signIn   bool        // asked for by FedCM or for email verification, as no script can ask
	page     string      // see Page
	withheld []string    // fields that a preflight asks for and the origin is not asked about; see preflight
	signed   http.Header // the fields that a signature covers, as they came; not to be changed
}

// Adrift reports whether a page of an unknown site makes the request.
func (v Visit) Adrift() bool { return v.framed || v.ThirdParty && v.Site == "" && v.browser }

// Page returns the Origin of the page that asks, if the origin is sent "null" in its place,
// else "". An answer that lets null read it is for that page.
func (v Visit) Page() string { return v.page }

// OfPage reports whether what is asked for is a part of a page, or asked for by its
// script, as the browser says.
func (v Visit) OfPage() bool { return v.part }

// A Filter hides one kind of identifying data.
type Filter interface {
	// Apply edits m in place and appends what it changed to log.
	// Applying a filter twice changes nothing the second time.
	Apply(m *Message, log []Change) []Change
}

// A Change explains one edit. It never holds the value it hid, so it is
// safe to show.
type Change struct {
	Field string // header field name, "URL", or query parameter
	Did   Action
	Why   string // source of the rule, such as "RFC 7239 §8.3"
}

// An Action is what a filter did to a field.
type Action uint8

// The actions a filter can take.
const (
	Removed   Action = iota // the field is gone
	Rewritten               // its value was replaced by one that all clients share
	Added                   // it was not there, and all clients send it
	Reduced                 // part of its value was removed
	Restored                // it is as the client sent it, although the rules before say otherwise
)

// String returns the action as a past participle.
func (a Action) String() string {
	return [...]string{Removed: "removed", Rewritten: "rewritten", Added: "added", Reduced: "reduced", Restored: "restored"}[a]
}
