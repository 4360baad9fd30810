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
	switch {
	case q.validates(found) && resp.StatusCode == http.StatusNotModified:
		resp.Body.Close()
		c.freshen(f, q, found.e)
		return
	case found.verdict == completeIt && resp.StatusCode != http.StatusOK && !complete(resp, found.e, f.at):
		resp.Body.Close()
		f.mismatched = true
		c.mu.Lock()
		defer c.mu.Unlock()
		c.outdate(found.e, q.client)
		return
	case q.head:
		c.learnFromHead(f, q, found.e)
		return
	case serverFailed(resp.StatusCode) && c.staleInstead(q, found, f, false):
		return // what stands in for it stays in its place
	}
	e, k := c.storable(q, resp, f.start, f.at)
	if e != nil {
		e.blind, e.wording = !q.known && !q.validates(found), f.wording
	}
	if e != nil && f.trace.interim() {
		e.apart = true // a later use could not repeat the interim response
	}
	o := c.options.Load()
	if !c.mayHold(resp.ContentLength, o) || partOfMore(resp, o.Object) {
		e = nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !q.ranged && !q.oddRange && !q.directives.noStore { // else it is the request's doing
		c.recently.note(f.id, e != nil && q.mayReuse(e, f.at))
	}
	if e == nil {
		return
	}
	if found.e != nil && found.e.personal && !e.personal {
		c.outdate(found.e, q.client) // it would go before what is newer now
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

// mayHold reports whether a body of that length, -1 if it is unknown, may be stored,
// and there is room for it on its way and while slow readers hold on to others.
func (c *Cache) mayHold(length int64, o *Options) bool {
	size := max(length, 0)
	return o.Memory >= 0 && length <= o.Object &&
		c.store.inflight.Load()+size <= flightBudget(o) &&
		c.store.lingering.Load()+size <= o.Memory
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
func flightBudget(o *Options) int64 { return max(o.Memory/4, min(o.Object, o.Memory/2), 64<<10) }

// freshen updates a stored response from the 304 that says it still stands
// (RFC 9111 §4.3.4). A 304 with another validator speaks of something else.
func (c *Cache) freshen(f *flight, q *query, e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !e.validatedBy(f.resp.Header) {
		f.mismatched = true
		c.outdate(e, q.client)
		return
	}
	f.fresh = e.renewed(f, q)
	if q.sharing == Disguised && f.fresh.shareable(f.at) {
		c.keepTime(f, validated, habit{})
	}
	c.replace(f, q, e, f.fresh)
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
func (e *entry) renewed(f *flight, q *query) *entry {
	n := *e
	d := parseDirectives(f.resp.Header["Cache-Control"])
	h := updated(e.header, f.resp.Header, &d)
	if f.resp.Header.Get("Date") == "" {
		h["Date"] = []string{formatDate(f.at)} // RFC 9110 §6.6.1
	}
	n.directives = parseDirectives(h["Cache-Control"])
	n.requested, n.received, n.client = f.start, f.at, q.client
	n.blind = !q.known // only what has come twice is asked about
	n.held, n.views, n.viewed, n.all, n.closed, n.asked = nil, views{}, 0, nil, false, 0
	n.apart = n.apart || setsCookie(f.resp.Header) // see shelf
	n.personal = n.personal || !q.forAll(&n.directives)
	if names, _ := varyNames(h["Vary"]); names != n.vary {
		n.varyBy(names, q.r.Header)
	}
	n.describe(h)
	return &n
}

// replace puts a renewed entry into the store in the place of the old one,
// unless it may not be stored any more. The caller holds c.mu.
func (c *Cache) replace(f *flight, q *query, old, renewed *entry) {
	held := old.held
	if held == nil || f.doomed {
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
		renewed.apart = true // a date can be that of all it says
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
func (c *Cache) learnFromHead(f *flight, q *query, e *entry) {
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
	c.replace(f, q, e, e.renewed(f, q))
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

// keep stores the body that a flight has brought; failure is nil if it is whole.
func (c *Cache) keep(f *flight, failure error) {
	s := f.spool
	s.mu.Lock()
	body, sliding, pieces := s.buf, s.sliding, s.pieces
	s.mu.Unlock()
	if sliding {
		return
	}
	took := timing{head: f.at.Sub(f.start), at: f.at, tail: c.now().Sub(f.at), size: int64(len(body))}
	made := &pretence{client: f.client, wording: f.wording, begun: f.start, took: took, kind: anew, made: true}
	if f.entry == nil {
		if failure != nil {
			return // it says nothing about how long the origin takes
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		f.about.manner.body = c.model.recordBody(originOf(f.k.url), took, f.about.manner.body)
		f.about.seems(made)
		return
	}
	e := *f.entry
	e.body = trimmed(body)
	// A small body comes in one piece, and needs no list beside.
	e.hold = &hold{lingering: &c.store.lingering}
	e.pieces = slices.Clip(append(e.hold.only[:0], pieces...))
	e.trailer = f.storedTrailer()
	e.timing = took
	if failure == nil && e.status != http.StatusPartialContent {
		if e.length >= 0 && e.length != int64(len(body)) {
			return // the framing lied
		}
		e.manner.body = c.model.recordBody(originOf(f.k.url), took, e.manner.body)
	} else if !e.becomePartial(failure != nil, f.rangeSpec) {
		return
	}
	e.weigh()
	e.hold.size = e.content()
	print := c.differ.print(&e)
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.doomed {
		return
	}
	e.closed = f.closed
	if c.overtaken(f.k, &e) {
		return
	}
	c.store.inflight.Add(-int64(cap(body))) // the entry counts it from here on
	f.counted = true
	c.insert(f.k, &e, f.given)
	f.stored = &e
	if f.beats {
		e.seems(made)
	}
	if c.differ.see(c.differ.id(f.k), &e, print) {
		c.counters.Differing++
	}
}

// storedTrailer returns the trailer fields that came. Those that were not announced are
// never announced: who asks later would see that somebody had asked before.
func (f *flight) storedTrailer() http.Header {
	if len(f.resp.Trailer) == 0 {
		return nil
	}
	stored := make(http.Header, len(f.resp.Trailer))
	for name, lines := range f.resp.Trailer {
		if !slices.Contains(f.trailers, name) {
			name = http.TrailerPrefix + name
		}
		stored[name] = slices.Clone(lines)
	}
	return stored
}

// trimmed returns b without much unused space behind it.
func trimmed(b []byte) []byte {
	room := len(b)/8 + 64
	if len(b) > 32<<10 {
		room += 8 << 10 // the allocator gives these whole pages
	}
	if cap(b)-len(b) <= room {
		return b
	}
	return slices.Clone(b) // with all room that there is, which is counted
}

// becomePartial makes an entry of a 206, or of a 200 that broke off, a
// partial one (RFC 9111 §3.3). It reports false if it is of no use as that.
func (e *entry) becomePartial(broken bool, rangeSpec string) bool {
	if e.status == http.StatusPartialContent {
		r, ok := parseContentRange(e.header.get("Content-Range"))
		if !ok || len(e.body) == 0 {
			return false
		}
		e.part = &partial{total: r.total, spans: []span{{r.first, e.body}}}
		if int64(len(e.body)) != r.last-r.first+1 {
			if broken {
				return e.clearBody()
			}
			// The origin contradicts itself; the same request gets the same again.
			e.part = &partial{total: -1, replay: rangeSpec, spans: []span{{0, e.body}}}
		}
		e.body = nil
		return true
	}
	// Only with a strong validator and a known length can the rest be had.
	if e.status != http.StatusOK || !e.strong() || e.length <= int64(len(e.body)) || len(e.body) == 0 {
		return false
	}
	e.part = &partial{total: e.length, spans: []span{{0, e.body}}}
	e.body = nil
	return true
}

func (e *entry) clearBody() bool {
	e.body, e.part = nil, nil
	return false
}

// overtaken reports whether e is of no use by now: what the origin said later is in the
// store already, as when a page is loaded anew while it loads. In
// Disguised, where that is another client's, e remains for its own. The caller holds c.mu.
func (c *Cache) overtaken(k key, e *entry) bool {
	r := c.store.index[k]
	if r == nil {
		return false
	}
	disguised := c.options.Load().Sharing == Disguised && !e.personal
	for _, newer := range r.entries {
		if !newer.answersAlike(e) || !newer.overtakes(e) {
			continue
		}
		if !disguised || newer.views.of(e.client) != nil {
			return true
		}
		e.closed = e.closed || newer.wording.covers(e.wording)
	}
	return false
}

func (e *entry) overtakes(o *entry) bool {
	return e.received.After(o.received) && (whole(e) || !e.sameAs(o))
}

// answersAlike reports whether the same requests select both entries.
func (e *entry) answersAlike(o *entry) bool {
	return e.varyKey == o.varyKey && e.vary == o.vary
}

// insert puts e into the store under k, together with or instead of what it
// supersedes. In Disguised its client has it from the given time on. The caller holds c.mu.
func (c *Cache) insert(k key, e *entry, given time.Time) {
	disguised := c.options.Load().Sharing == Disguised && !e.personal
	confirmed := false
	if r := c.store.index[k]; r != nil {
		if disguised {
			confirmed = r.confirms(e, e.client)
			c.thin(r)
		}
		for _, old := range slices.Clone(r.entries) {
			if !old.answersAlike(e) || old.overtakes(e) {
				continue
			}
			c.supersede(old, e, disguised, given)
		}
	}
	if !whole(e) && !disguised { // there others have the whole as it came
		e.takeParts(e.part) // one can be all
	}
	e.detach()
	e.weigh()
	if disguised {
		c.store.view(e, e.client, given).confirmed = confirmed
	}
	c.store.add(k, e)
	c.counters.Stored++
}

// supersede removes an old entry in favour of a newer one for the same
// request, after taking over what both share. The caller holds c.mu.
func (c *Cache) supersede(old, e *entry, disguised bool, given time.Time) {
	if disguised && !whole(e) && old.views.of(e.client) == nil {
		return // with it it would have what only others fetched
	}
	if !e.takeOver(old) {
		return
	}
	if disguised {
		// Others go on with what they know; that it changed would tell them
		// that somebody asked.
		if v := old.views.of(e.client); v != nil && !v.since.After(given) { // else see conclude
			c.store.unview(old, e.client)
		}
		if !old.closed && !e.wording.covers(old.wording) && whole(e) {
			return // it stays for those whom e is not for
		}
		old.closed = true
		if !c.letGo(old) {
			e.shareBody(old)
		}
		return
	}
	c.store.remove(old)
}

// letGo removes an entry that nobody new is to use, if nobody has it: however long ago a
// client was told of it, it can be validated, or used though it is stale. Who is asking about
// it is about to have it. The caller holds c.mu.
func (c *Cache) letGo(e *entry) (gone bool) {
	if !e.closed || e.views.count() > 0 || e.asked > 0 {
		return false
	}
	c.store.remove(e)
	return true
}

// maxVersions is how many entries a resource may have before it is looked through for
// those that nobody will use.
const maxVersions = 8

// thin drops the views of clients who have a newer one of what is stored in the same
// place, and what nobody is left to use. The caller holds c.mu.
func (c *Cache) thin(r *resource) {
	if len(r.entries) <= maxVersions {
		return
	}
	type use struct {
		client  string
		vary    varying
		varyKey string
	}
	newer := map[use]bool{}
	for _, e := range slices.Backward(slices.Clone(r.entries)) {
		for client := range e.views.clients() {
			u := use{client, e.vary, e.varyKey}
			if newer[u] {
				c.store.unview(e, client)
			} else if whole(e) {
				newer[u] = true
			}
		}
		c.letGo(e)
	}
}

// shareBody has e hold the body of old, which stays beside it, if it is the same.
func (e *entry) shareBody(old *entry) {
	if whole(e) && whole(old) && bytes.Equal(e.body, old.body) {
		e.body, e.hold = old.body, old.hold
	}
}

// takeOver gives a partial e what old holds of the same representation. It reports
// false if old is to stay beside e, since it can answer what e cannot.
func (e *entry) takeOver(old *entry) bool {
	same := e.strong() && old.etag == e.etag && e.coding() == old.coding()
	switch {
	case whole(e):
	case whole(old) && e.coding() != old.coding():
		return false // whatever the tag says, e is no part of that
	case whole(old) && same:
		h := updated(old.header, e.header.header(), &e.directives) // RFC 9111 §3.4
		e.directives = parseDirectives(h["Cache-Control"])
		e.becomeWhole(h, old.body)
		e.pieces, e.timing = old.pieces, old.timing
	case whole(old):
		return e.strong() // then old is of another version
	case same:
		if joined, ok := combine(old.part, e.part); ok && len(joined.spans) <= maxSpans {
			e.takeParts(joined)
		}
	default:
		return e.part.replay == old.part.replay
	}
	return true
}

// maxSpans bounds the parts of one representation.
const maxSpans = 64

// takeParts gives e the joined parts, and makes it whole if none is missing.
func (e *entry) takeParts(joined *partial) {
	data, ok := joined.whole()
	if !ok {
		e.part = joined
		return
	}
	e.becomeWhole(e.header.header(), data)
}

// becomeWhole gives e all bytes of its representation, and the header of a part of it.
func (e *entry) becomeWhole(h http.Header, data []byte) {
	e.part, e.body = nil, data
	e.status, e.statusText, e.length = http.StatusOK, "200 OK", int64(len(data))
	delete(h, "Content-Range")
	withoutDigests(h)
	h["Content-Length"] = []string{formatInt(e.length)}
	e.describe(h)
}
