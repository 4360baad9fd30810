package cache

import (
	"bytes"
	"net/http"
	"slices"
	"time"
)

// keep stores the body that a flight has brought, or learns from that of an inquiry how
// long the origin takes; failure is nil if it is whole.
func (c *Cache) keep(f *flight, failure error) {
	s := f.spool
	s.mu.Lock()
	body, sliding, pieces := s.buf, s.sliding, s.pieces
	s.mu.Unlock()
	took := timing{head: f.at.Sub(f.start), at: f.at, tail: c.now().Sub(f.at), size: int64(len(body))}
	switch {
	case f.entry == nil:
		c.concludeInquiry(f, took, failure == nil && !sliding)
	case !sliding:
		if e := c.brought(f, body, pieces, took, failure); e != nil {
			c.keepEntry(f, e, int64(cap(body)))
		}
	}
}

// made returns how long the fetch took that f was, in the form of a pretence.
func (f *flight) made(took timing) *pretence {
	return &pretence{client: f.client, wording: f.wording, name: f.c.nameOf(f.wanted()), begun: f.start, took: took, kind: anew, made: true}
}

// concludeInquiry ends an inquiry, and records how long its body took if that came whole.
func (c *Cache) concludeInquiry(f *flight, took timing, whole bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !whole {
		c.unviewSince(f.about, f.client, f.given) // a fetch would leave nothing
		return
	}
	f.about.manner.body = c.model.recordBody(originOf(f.k.url), took, f.about.manner.body)
	f.about.seems(f.made(took))
	f.stored = f.about
	c.replaceFor(f.client, f.wording, f.about)
}

// brought returns what a flight's response is stored as, with its body; nil for nothing.
func (c *Cache) brought(f *flight, body []byte, pieces []piece, took timing, failure error) *entry {
	e := *f.entry
	e.body = trimmed(body)
	// A small body comes in one piece, and needs no list beside.
	e.hold = &hold{lingering: &c.store.lingering}
	e.pieces = slices.Clip(append(e.hold.only[:0], pieces...))
	e.trailer = f.storedTrailer()
	e.timing = took
	if len(f.resp.Trailer) > 0 && momentary(fieldsOf(f.resp.Trailer), e.date.Add(took.tail)) {
		e.mixed = true // its header has gone out as one for all
	}
	if failure == nil && e.status != http.StatusPartialContent {
		if e.length >= 0 && e.length != int64(len(body)) {
			return nil // the framing lied
		}
		e.manner.body = c.model.recordBody(originOf(f.k.url), took, e.manner.body)
	} else if !e.becomePartial(failure != nil, f.rangeSpec) {
		return nil
	}
	e.weigh()
	e.hold.size = e.content()
	return &e
}

// keepEntry stores what a flight has brought; room is what its body took on its way, in bytes.
func (c *Cache) keepEntry(f *flight, e *entry, room int64) {
	print, made := c.differ.print(e), f.made(e.timing)
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.doomed {
		return
	}
	e.closed = f.closed
	if c.overtaken(f.k, e, f.given) {
		return
	}
	c.store.inflight.Add(-room) // the entry counts it from here on
	f.counted = true
	c.insert(f.k, e, f.given)
	f.stored = e
	if f.beats {
		e.seems(made)
	}
	if c.differ.see(c.differ.id(f.k), e, print) {
		c.counters.Differing++
	}
}

// storedTrailer returns the trailer fields that came, and those that were only announced,
// without lines. Those that were not announced never are: by either, a client that asks later
// would see that somebody had asked before.
func (f *flight) storedTrailer() http.Header {
	if len(f.resp.Trailer)+len(f.trailers) == 0 {
		return nil
	}
	stored := make(http.Header, len(f.resp.Trailer)+len(f.trailers))
	for _, name := range f.trailers {
		stored[name] = nil
	}
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
		fits := int64(len(e.body)) == r.last-r.first+1
		switch {
		case !ok, len(e.body) == 0, broken && !fits:
			return false
		case fits:
			e.part = &partial{total: r.total, spans: []span{{r.first, e.body}}}
		default:
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

// overtaken reports whether e is not to be stored: a later answer of the origin is in the store
// already, as when a page is reloaded while it loads. In Disguised, if that is another
// client's, e is stored for its own, which got it at the given time; not if that client was
// given it since, and so seems to have fetched it later. The caller holds c.mu.
func (c *Cache) overtaken(k key, e *entry, given time.Time) bool {
	r := c.store.index[k]
	if r == nil {
		return false
	}
	disguised := c.options.Load().Sharing == Disguised && !e.personal
	for _, newer := range r.entries {
		if !newer.answersAlike(e) {
			continue
		}
		v := newer.views.of(e.client)
		switch overtakes := newer.overtakes(e); {
		case overtakes && (!disguised || v != nil):
			return true
		case disguised && v != nil && whole(newer) && v.since.After(given) && !c.seemsToCome(newer, e.client, v):
			return true
		case overtakes:
			e.closed = e.closed || newer.wording.covers(e.wording)
		}
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
// supersedes. Its client has it from the given time on, and in Shared all have. The caller
// holds c.mu.
func (c *Cache) insert(k key, e *entry, given time.Time) {
	disguised := c.options.Load().Sharing == Disguised && !e.personal
	confirmed := false
	if r := c.store.index[k]; r != nil {
		if disguised {
			confirmed = c.confirms(r, e, e.client, given, e.blind)
			c.thin(r)
		}
		for _, old := range slices.Clone(r.entries) {
			if !old.answersAlike(e) || old.overtakes(e) {
				continue
			}
			c.supersede(old, e, disguised, given)
		}
	}
	if !whole(e) && !disguised { // in Disguised others get only a whole that came as one
		e.takeParts(e.part) // a single part can be the whole
	}
	e.detach()
	e.weigh()
	if c.options.Load().Sharing != Shared {
		c.store.view(e, e.client, given).confirmed = confirmed
	}
	c.store.add(k, e)
	c.counters.Stored++
}

// supersede removes an old entry in favour of a newer one for the same
// request, after taking over what both share. The caller holds c.mu.
func (c *Cache) supersede(old, e *entry, disguised bool, given time.Time) {
	if disguised && !whole(e) && old.views.of(e.client) == nil {
		return // its client would get what only others fetched
	}
	if !e.takeOver(old) {
		return
	}
	if disguised {
		// Others go on with what they know; that it changed would tell them
		// that somebody asked.
		switch v := old.views.of(e.client); {
		case v == nil:
		case !v.since.After(given):
			c.store.unview(old, e.client)
		case c.seemsToCome(old, e.client, v): // in the end it stands in the place of e, see replaceFor
			v.confirmed = false
		}
		if !old.closed && !e.wording.covers(old.wording) && whole(e) {
			return // it stays for requests that e may not answer
		}
		old.closed = true
		if !c.store.letGo(old) {
			e.shareBody(old)
		}
		return
	}
	c.store.remove(old)
}

// maxVersions is how many entries a resource may have before it is looked through for
// those that nobody will use.
const maxVersions = 8

// thin drops the views of clients that have one of a newer entry for the same requests, and
// entries that nobody is left to use. The caller holds c.mu.
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
		c.store.letGo(e)
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
	case whole(old) && same && e.part.fits(int64(len(old.body))):
		h := updated(old.header, e.header.header(), &e.directives) // RFC 9111 §3.4
		e.directives = parseDirectives(h["Cache-Control"])
		if delete(h, "Content-Md5"); old.header.get("Content-Md5") != "" { // the part's is another
			h["Content-Md5"] = slices.Collect(old.header.lines("Content-Md5"))
		}
		// In all else it looks as it did: others would see that somebody asked for a part.
		e.part, e.body, e.hold, e.trailer = nil, old.body, old.hold, old.trailer
		e.status, e.statusText, e.length = old.status, old.statusText, old.length
		e.describe(h)
		e.pieces, e.timing = old.pieces, old.timing
	case whole(old):
		return e.strong() // then old is of another version, or one of the two is wrong
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

// becomeWhole makes e the whole of its representation; h is the header of a part of it.
func (e *entry) becomeWhole(h http.Header, data []byte) {
	e.part, e.body = nil, data
	e.mixed = true // a whole that came as one may have another header and form
	e.status, e.statusText, e.length = http.StatusOK, "200 OK", int64(len(data))
	delete(h, "Content-Range")
	withoutDigests(h)
	h["Content-Length"] = []string{formatInt(e.length)}
	e.describe(h)
}
