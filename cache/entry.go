package cache

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// What an entry costs besides its bytes, in those of the heap: the struct, what is
// round it, what the allocator rounds up, its slots in the store's maps; and the
// same for each line of a header, each part and each view. TestMemory holds them to the truth.
const (
	entryOverhead = 1088 + slotOverhead
	slotOverhead  = 256
	lineOverhead  = 16
	partOverhead  = 64
	viewOverhead  = 256
)

// An entry is one stored response. It does not change after it was stored,
// except for the fields that the store's lock guards; freshening replaces it.
type entry struct {
	status     int
	statusText string
	header     fields      // without what storedHeader leaves out
	trailer    http.Header // with [http.TrailerPrefix] before the names of those that were not announced
	// length is the Content-Length as the origin framed the body, or -1: a
	// reused response has the form of the first.
	length int64
	body   []byte // of a whole response
	part   *partial
	hold   *hold // of body or part; set when e is stored

	directives directives
	vary       varying // what the selecting fields are called
	varyKey    string  // their values in the request, normalised
	wording    wording // of the request
	selecting  fields  // the same as sent

	requested, received time.Time
	date                time.Time // the Date field, or received
	initialAge          time.Duration
	sentAge             time.Duration // the Age field
	life                lifetime

	personal bool // stored for the client and the cookies that it was asked for with
	// apart entries would look different on a later use than on the first, and
	// brief ones are fresh for so short a time that half of it, in whole seconds,
	// is nothing. Nobody but their first client may use either in Disguised.
	apart, brief bool
	mixed        bool      // what its first client alone was told is in its header: nobody else may use it in Disguised
	blind        bool      // it was asked for without cookies or credentials, and with no validator but a confirmed one
	client       string    // who caused the fetch
	timing       timing    // how the origin delivered it
	cost         int64     // bytes held, without views
	etag         string    // the origin's ETag, as sent
	pieces       []piece   // in which pieces the body came
	held         *resource // where it is stored; guarded by the store's lock; nil once dropped

	// views are the clients' uses of this entry, in Disguised.
	// Guarded by the store's lock.
	views  views
	viewed int64 // what the views cost
	all    *view // everybody's, outside of Disguised; see everyones
	// closed entries serve their viewers and nobody new. Guarded by the store's lock.
	closed bool
	asked  int // inquiries about it that are under way; guarded by the store's lock
	// manner is what is known of its times. Guarded by the store's lock.
	manner manner
}

// shareable reports whether clients may come to share e: if so, all get it in beats.
func (e *entry) shareable(at time.Time) bool { return e.common() && e.told(at) > 0 }

// forOthers reports whether e may be given to clients without a view of it, in Disguised.
func (e *entry) forOthers() bool { return e.common() && !e.mixed }

func (e *entry) common() bool {
	return !e.personal && !e.apart && !e.brief && !e.directives.noCache && whole(e)
}

// age returns current_age (RFC 9111 §4.2.3).
func (e *entry) age(now time.Time) time.Duration {
	return e.initialAge + elapsed(e.received, now)
}

// coding returns the content codings of the stored bytes.
func (e *entry) coding() string {
	return strings.Join(slices.Collect(e.header.lines("Content-Encoding")), ", ")
}

// fresh reports freshness_lifetime > current_age (RFC 9111 §4.2).
func (e *entry) fresh(now time.Time) bool { return e.life.operative > e.age(now) }

// strong reports whether the response has a strong validator: without one its
// parts cannot be combined (RFC 9111 §3.4).
func (e *entry) strong() bool { return strings.HasPrefix(e.etag, `"`) } // some write w/ before a weak one

func headerCost(h http.Header) int64 {
	if h == nil {
		return 0
	}
	size, lines := textOf(h)
	return fieldsCost(len(h)) + int64(size+lines*lineOverhead)
}

// textOf returns the total length of the strings in a header, and how many lines it has.
func textOf(h http.Header) (size, count int) {
	for name, lines := range h {
		size, count = size+len(name)+textIn(lines), count+len(lines)
	}
	return size, count
}

// fieldsCost returns what a map of n fields takes: Go's maps have 8 slots, or a larger power of
// two of which at most seven eighths are used.
func fieldsCost(n int) int64 {
	const slot = 40 + 4 // name, lines; a byte of its own, and what is rounded up
	slots := 8
	for slots < n || slots > 8 && slots/8*7 < n {
		slots *= 2
	}
	return int64(96 + slots*slot)
}

func (e *entry) weigh() {
	e.cost = entryOverhead + int64(len(e.header)) + headerCost(e.trailer) + e.content() +
		int64(len(e.statusText)+len(e.etag)+len(e.vary)+len(e.varyKey)+len(e.selecting)+len(e.client)) +
		int64(cap(e.pieces))*pieceSize
	for _, names := range [][]string{e.directives.noCacheFields, e.directives.privateFields} {
		e.cost += int64(textIn(names) + len(names)*lineOverhead)
	}
}

// content returns how many bytes the body or parts take.
func (e *entry) content() int64 {
	n := int64(cap(e.body))
	if e.part != nil {
		n += e.part.cost()
	}
	return n
}

// unstored are fields that a cache does not store (RFC 9111 §3.1, RFC 9110
// §7.6.1). Set-Cookie is one person's and not for reuse.
var unstored = map[string]bool{
	"Connection":                true,
	"Keep-Alive":                true,
	"Proxy-Connection":          true,
	"Proxy-Authenticate":        true,
	"Proxy-Authentication-Info": true,
	"Proxy-Authorization":       true,
	"Te":                        true,
	"Trailer":                   true,
	"Transfer-Encoding":         true,
	"Upgrade":                   true,
	"Set-Cookie":                true,
	"Set-Cookie2":               true,
}

// storedHeader returns what of a response's header is stored.
func storedHeader(h http.Header, d *directives) http.Header {
	stored := make(http.Header, len(h)+1)
	for name, lines := range h {
		if !unstored[name] {
			// The lines are shared until detach: nobody writes to a header's slices in place.
			stored[name] = lines
		}
	}
	for name := range items(h["Connection"]) {
		stored.Del(name)
	}
	d.withoutNamed(stored)
	return stored
}

// hopByHop removes from a response on its way to the client what Connection
// names, and Connection itself (RFC 9110 §7.6.1). Framing fields are not in
// an http.Header.
func hopByHop(h http.Header) {
	lines, ok := h["Connection"]
	if !ok {
		return
	}
	for name := range items(lines) {
		h.Del(name)
	}
	delete(h, "Connection")
}

// fixed are fields that an update leaves alone (RFC 9111 §3.2): they say how the stored bytes
// are to be read, and which they are. In a 304 they may be of others: a server that compresses
// on the fly sends the strong tag of the file, a digest is that of the 304's own content, which
// is empty, and frameworks call that text/html.
var fixed = map[string]bool{
	"Content-Length": true, "Content-Range": true, "Content-Encoding": true, "Content-Type": true, "Etag": true,
	"Content-Digest": true,
}

// updated returns the stored header as a newer response's header changes it
// (RFC 9111 §3.2); d are the directives of both.
func updated(stored fields, newer http.Header, d *directives) http.Header {
	merged := stored.header()
	for name, lines := range storedHeader(newer, d) {
		if !fixed[name] {
			merged[name] = lines
		}
	}
	d.withoutNamed(merged) // it may name others than before
	// An Age that the newer response does not repeat speaks of the old one.
	if _, ok := newer["Age"]; !ok {
		delete(merged, "Age")
	}
	return merged
}
