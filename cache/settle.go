package cache

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// settle decides, when the head of a response has come, what becomes of it:
// whether it freshens what is stored, is to be stored itself, or only passes.
func (c *Cache) settle(f *flight) {
	q, found, resp := f.leader, f.found, f.resp
	f.status = resp.StatusCode
	switch {
	case q.validates(found) && resp.StatusCode == http.StatusNotModified:
		resp.Body.Close()
		c.freshen(f)
		return
	case found.verdict == completeIt && resp.StatusCode != http.StatusOK && !complete(resp, found.e, f.at):
		resp.Body.Close()
		f.mismatched = true
		c.mu.Lock()
		defer c.mu.Unlock()
		c.outdate(found.e, q.client)
		return
	case q.head:
		c.learnFromHead(f)
		return
	case serverFailed(resp.StatusCode) && c.staleInstead(q, found, f, false):
		return // what stands in for it stays in its place
	}
	e, k := c.toStore(f)
	c.mu.Lock()
	defer c.mu.Unlock()
	if q.plain() { // else it is the request's doing
		c.recently.note(f.id, e != nil && q.mayReuse(e, f.at))
	}
	if e == nil {
		return
	}
	if found.e != nil && found.e.personal && !e.personal {
		c.outdate(found.e, q.client) // find would prefer it to the newer one
	}
	if f.k != k {
		// It came out as one client's: nobody else may join.
		c.unlist(f)
		f.k = k
	}
	if q.sharing == Disguised && e.shareable(f.at) && resp.StatusCode != http.StatusPartialContent {
		if found.e != nil {
			e.manner = found.e.manner
		}
		e.manner.head = c.keepTime(f, anew, e.manner.head)
	}
	f.entry, f.spool = e, c.newSpool(f) // under the lock: leave looks at them
	c.seat(f)
}

// toStore returns what the response of f is to be stored as, without its body, and under which
// key; nil if it is not to be.
func (c *Cache) toStore(f *flight) (*entry, key) {
	q, o := f.leader, c.options.Load()
	e, k := c.storable(q, f.resp, f.start, f.at)
	if e == nil || !c.mayHold(f.resp.ContentLength, o) || partOfMore(f.resp, o.Object) {
		return nil, key{}
	}
	validated := q.validates(f.found)
	e.wording = f.wording
	e.blind = !q.known && !validated
	e.mixed = q.known && q.conditions.set && !validated // see wouldShare
	e.apart = e.apart || f.trace.interim()              // a later use could not repeat the interim response
	return e, k
}

// mayHold reports whether a body of that length, -1 if it is unknown, may be stored,
// and there is room for it on its way and while slow readers hold on to others.
func (c *Cache) mayHold(length int64, o *Options) bool {
	size := max(length, 0)
	return o.Memory >= 0 && length <= o.Object &&
		c.store.inflight.Load()+size <= c.flightRoom(o) &&
		c.store.lingering.Load()+size <= o.Memory
}

// mayHoldAgain is mayHold for another fetch of e. On its way, a body of unknown length takes up
// to twice its room, see spool.grown.
func (c *Cache) mayHoldAgain(e *entry) bool {
	o, size := c.options.Load(), int64(len(e.body))
	if e.length < 0 {
		size = max(size, min(2*size, o.Object))
	}
	return c.mayHold(size, o)
}

// partOfMore reports whether a response is a part of something of which more than limit
// bytes can come: parts are put together.
func partOfMore(resp *http.Response, limit int64) bool {
	if resp.StatusCode != http.StatusPartialContent {
		return false
	}
	r, ok := parseContentRange(resp.Header.Get("Content-Range"))
	return ok && max(r.total, r.last+1) > limit
}

// flightBudget is how many bytes of bodies may be on their way into the store: a
// quarter of what it holds, or one of the largest.
func flightBudget(o *Options) int64 { return max(o.Memory/4, min(o.Object, o.Memory/2), leastFlights) }

const leastFlights = 64 << 10

// tightFor is how long a call of Relieve counts.
const tightFor = time.Second

// flightRoom is flightBudget, or next to nothing soon after a call of Relieve: what is stored
// can be evicted, but not what is on its way, nor what slow readers will then hold on to.
func (c *Cache) flightRoom(o *Options) int64 {
	if told := c.tight.Load(); told != nil && time.Since(*told) < tightFor {
		return leastFlights
	}
	return flightBudget(o)
}

// freshen updates a stored response from the 304 that says it still stands
// (RFC 9111 §4.3.4). A 304 with another validator speaks of something else.
func (c *Cache) freshen(f *flight) {
	q, e := f.leader, f.found.e
	c.mu.Lock()
	defer c.mu.Unlock()
	if !e.validatedBy(f.resp.Header) {
		f.mismatched = true
		c.outdate(e, q.client)
		return
	}
	f.fresh = e.renewed(f)
	if q.sharing == Disguised && f.fresh.shareable(f.at) {
		c.keepTime(f, validated, habit{})
	}
	c.replace(f, e, f.fresh)
}

// validatedBy reports whether the header of a 304 speaks of e (RFC 9111 §4.3.4): by
// the tag, else by the date, if both have one. A tag that e does not have names something else,
// unless the date says otherwise.
func (e *entry) validatedBy(h http.Header) bool {
	tag := tagOf(h)
	if tag != "" && e.etag != "" {
		return weakMatch(tag, e.etag)
	}
	then, now := e.header.get("Last-Modified"), h.Get("Last-Modified")
	return then == now || tag == "" && (then == "" || now == "")
}

// renewed returns e with its header as a newer one changes it, and its age from f.
func (e *entry) renewed(f *flight) *entry {
	q, n := f.leader, *e
	d := &e.directives // they go on if nothing is said of them
	if lines, said := f.resp.Header["Cache-Control"]; said {
		newer := parseDirectives(lines)
		d = &newer
	}
	h := updated(e.header, f.resp.Header, d)
	if f.resp.Header.Get("Date") == "" {
		h["Date"] = []string{formatDate(f.at)} // RFC 9110 §6.6.1
	}
	n.directives = parseDirectives(h["Cache-Control"])
	n.requested, n.received, n.client = f.start, f.at, q.client
	n.blind = !q.known // validates asks only with what has come twice
	n.held, n.views, n.viewed, n.all, n.closed, n.asked = nil, views{}, 0, nil, false, 0
	n.mixed = n.mixed || n.apart || setsCookie(f.resp.Header) // see shelf
	n.apart = len(n.directives.named()) > 0
	n.personal = n.personal || !q.forAll(n.status, &n.directives)
	if names, _ := varyNames(h["Vary"]); names != n.vary {
		n.varyBy(names, q.r.Header)
	}
	n.describe(h)
	return &n
}

// replace puts a renewed entry into the store in the place of the old one,
// unless it may not be stored any more, or something newer is there already. The caller holds c.mu.
func (c *Cache) replace(f *flight, old, renewed *entry) {
	q, held := f.leader, old.held
	if held == nil || f.doomed || q.sharing == Disguised && !old.personal && !old.usedBy(q.client) {
		return
	}
	d := &renewed.directives
	_, matchable := varyNames(slices.Collect(renewed.header.lines("Vary")))
	if d.noStore || d.private || !matchable || renewed.vary != old.vary {
		c.outdate(old, q.client)
	}
	if d.noStore || d.private || !matchable || q.secret(d) {
		return
	}
	if old.etag != "" {
		renewed.wording = f.wording // it is what the origin says to that as well
	} else if !f.wording.covers(old.wording) {
		renewed.mixed = true // a date may be the same for answers to other words
	}
	renewed.closed = f.closed
	k := held.key
	if renewed.personal && !old.personal {
		k = q.personal // as a whole response would be, see shelf; the old one stays everybody's
	}
	c.insert(k, renewed, f.given)
}

// learnFromHead updates or drops a stored response of GET by what a response
// to HEAD says (RFC 9111 §4.3.5).
func (c *Cache) learnFromHead(f *flight) {
	q, e := f.leader, f.found.e
	if e == nil || f.resp.StatusCode != http.StatusOK || e.status != http.StatusOK || e.part != nil {
		return
	}
	h := f.resp.Header
	same := h.Get("Etag") != "" || h.Get("Last-Modified") != "" // nothing to go by is not enough
	for _, name := range []string{"Etag", "Last-Modified"} {
		if got := h.Get(name); got != "" && got != e.header.get(name) {
			same = false
		}
	}
	if length := h.Get("Content-Length"); length != "" && length != strconv.Itoa(len(e.body)) {
		same = false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !same {
		c.outdate(e, q.client)
		return
	}
	c.replace(f, e, e.renewed(f))
}

// complete makes of a 206 with the rest of a partial entry the 200 with all of
// it (RFC 9111 §3.4), which came at the given time. It reports false if the part does not fit.
func complete(resp *http.Response, e *entry, at time.Time) bool {
	prefix := e.part.prefix()
	r, ok := parseContentRange(resp.Header.Get("Content-Range"))
	tag := tagOf(resp.Header)
	coding := resp.Header["Content-Encoding"] // need not be said again, RFC 9110 §15.3.7
	if len(coding) > 0 && strings.Join(coding, ", ") != e.coding() {
		return false // whatever the tag says
	}
	if resp.StatusCode != http.StatusPartialContent || !ok || r.first != int64(len(prefix)) || tag != e.etag ||
		r.total < 0 || r.last != r.total-1 || e.part.total >= 0 && e.part.total != r.total ||
		resp.ContentLength >= 0 && resp.ContentLength != r.last-r.first+1 {
		return false
	}
	dated := resp.Header.Get("Date") != ""
	resp.Header = updated(e.header, resp.Header, &e.directives)
	if !dated {
		resp.Header["Date"] = []string{formatDate(at)} // RFC 9110 §6.6.1
	}
	resp.Header.Del("Content-Range")
	withoutDigests(resp.Header)
	resp.Header["Content-Length"] = []string{formatInt(r.total)}
	resp.StatusCode, resp.Status = http.StatusOK, "200 OK"
	resp.ContentLength, resp.TransferEncoding = r.total, nil
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(prefix), resp.Body), resp.Body}
	return true
}
