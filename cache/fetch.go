package cache

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// patience is how soon a fetch must fail for those who joined it to join another one, which one
// of them makes.
const patience = time.Second

// fetch asks the origin, or joins a request to it that is under way.
func (t *transport) fetch(q *query, found finding) (*http.Response, error) {
	c := t.c
	k, shareable := q.flightKey(found)
	f := c.prepare(q, k, found, t)
	other, landed := c.depart(f, shareable && !q.latest)
	if other != nil {
		resp, done, err := t.follow(q, found, other)
		if done {
			return resp, err
		}
		q.waited(err, c.now())
	}
	if other != nil || landed {
		return t.lookAgain(q)
	}
	defer f.trace.silence()
	if err := c.lead(f); err != nil {
		return t.failed(q, found, f, err)
	}
	return t.arrived(f)
}

// waited notes that q joined a fetch in vain. If that failed within patience, q may join once
// more: one of those who waited asks again, not all at once, which would be too much for an
// origin in trouble.
func (q *query) waited(failure error, until time.Time) {
	q.latest = failure == nil || q.again || until.Sub(q.now) > patience
	q.again = true
}

// lookAgain answers q, which has waited: there may be something new in the store.
func (t *transport) lookAgain(q *query) (*http.Response, error) {
	q.now, q.moment = t.c.now(), t.c.dropped.now()
	return t.answer(*q)
}

// flightKey returns the key under which simultaneous requests are collapsed, and whether q may
// be: its answer must be that of all who ask so.
func (q *query) flightKey(found finding) (key, bool) {
	k := q.everybody
	if q.cookies {
		k = q.personal
	}
	ok := q.plain() && !q.proven && found.verdict != completeIt
	if q.conditions.set && !q.answersConditions() && !q.validates(found) {
		ok = false // it goes to the origin with the client's own conditions
	}
	return k, ok
}

func (e *entry) flightKey(q *query) key {
	k, _ := q.flightKey(finding{e: e})
	return k
}

// depart registers a prepared flight, so that others find it if they may join. Instead, it
// returns the flight under way that is to be joined, or reports that one has landed and stored
// something since the store was looked at.
func (c *Cache) depart(f *flight, shareable bool) (other *flight, landed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if shareable {
		if other := c.toFollow(f); other != nil {
			return other, false
		}
		if r := c.store.index[f.k]; r != nil && r.added > f.found.adds {
			return nil, true
		}
	}
	c.takeOff(f)
	f.alone = !shareable || f.doomed || c.recently.has(f.id)
	if !f.alone {
		f.head = make(chan struct{})
		c.flights[f.wanted()] = f
	}
	return nil, false
}

// takeOff registers a flight. The caller holds c.mu.
func (c *Cache) takeOff(f *flight) {
	f.doomed = f.by.outdated() || f.leader.sharing != c.options.Load().Sharing
	c.aloft[f] = struct{}{}
	if c.ctx.Err() != nil { // Close has been through those aloft
		f.cancel(context.Canceled)
	}
}

// toFollow returns the flight under way that brings what the prepared f would, unless that is
// older than the entry that f is about. The caller holds c.mu.
func (c *Cache) toFollow(f *flight) *flight {
	other := c.flights[f.wanted()]
	if have := f.found.e; have != nil && other != nil && other.entry != nil && have.overtakes(other.entry) {
		return nil
	}
	return other
}

// follow waits for another request's flight. It reports false if the flight
// is of no use to q.
func (t *transport) follow(q *query, found finding, f *flight) (*http.Response, bool, error) {
	c := t.c
	begun := c.now()
	if !c.join(f) {
		return nil, false, nil
	}
	if err := c.await(q, f); err != nil {
		if q.ctx.Err() == nil && timedOut(err) {
			resp, err := t.inItsTime(q, found, f, begun, err)
			return resp, true, err
		}
		return nil, q.ctx.Err() != nil, err
	}
	return t.share(q, found, f, begun)
}

// inItsTime answers q, which joined f at begun, after f timed out. A request of its own would
// time out as much later as q came later than f: for so long q may still ask.
func (t *transport) inItsTime(q *query, found finding, f *flight, begun time.Time, failure error) (*http.Response, error) {
	left := begun.Sub(f.start)
	if left < patience {
		return t.failed(q, found, f, failure)
	}
	ctx, cancel := context.WithCancelCause(q.ctx)
	defer time.AfterFunc(left, func() { cancel(failure) }).Stop()
	q.ctx, q.latest = ctx, true
	return t.lookAgain(q)
}

func timedOut(err error) bool {
	late, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	return ok && late.Timeout()
}

// share is the end of follow, once the head of f is there: q has waited for it since begun.
func (t *transport) share(q *query, found finding, f *flight, begun time.Time) (*http.Response, bool, error) {
	c := t.c
	start := f.startOf(begun)
	if e := f.fresh; e != nil && f.beats && e.matches(q.r.Header) && q.mayReuse(e, c.now()) {
		// q gets the entry as after a 304 to a request of its own.
		defer c.leave(f)
		given, err := c.waitGiven(q, f, start)
		if err != nil {
			return nil, true, err
		}
		c.count(&c.counters.Collapsed)
		return c.serve(q, e, given), true, nil
	}
	e := f.entry
	if e == nil || !e.matches(q.r.Header) || e.status == http.StatusPartialContent || !q.mayReuse(e, c.now()) {
		c.leave(f)
		return nil, false, nil
	}
	given, err := c.waitGiven(q, f, start)
	if err != nil {
		c.leave(f)
		return nil, true, err
	}
	resp := c.present(q, found, f, given)
	if q.sharing != Disguised || e.personal {
		resp.Header["Age"] = []string{formatInt(int64(e.age(c.now()) / time.Second))} // RFC 9111 §4
	}
	if body := c.joined(q, f, resp.Trailer, start); body != nil {
		resp.Body = body
	} else {
		c.leave(f)
		return nil, false, nil
	}
	c.count(&c.counters.Collapsed)
	return q.conditioned(found, resp, f), true, nil
}

// arrived makes the leader's response.
func (t *transport) arrived(f *flight) (*http.Response, error) {
	c, q, found := t.c, f.leader, f.found
	switch {
	case f.fresh != nil:
		c.leave(f)
		c.count(&c.counters.Validated)
		if _, err := c.waitGiven(q, f, f.start); err != nil {
			return nil, err
		}
		resp := c.serve(q, f.fresh, f.given)
		q.addStatus(resp.Header, found, fwdStatus(http.StatusNotModified))
		for _, name := range []string{"Set-Cookie", "Set-Cookie2"} {
			if lines := f.resp.Header[name]; len(lines) > 0 {
				resp.Header[name] = lines // this client's, and not stored
			}
		}
		return resp, nil
	case f.mismatched:
		// A 304, or a part, of something else than what is stored.
		c.leave(f)
		q.latest = true
		return t.fetch(q, finding{})
	case serverFailed(f.resp.StatusCode) && c.staleInstead(q, found, f, false):
		c.abandon(f)
		return c.serveStale(q, found, f.resp.StatusCode), nil
	case q.ranged && q.ifRange != "" && q.answersConditions() && !c.rangeMeant(q, f):
		c.abandon(f)
		return t.fetchWhole(q)
	}
	c.count(&c.counters.Misses)
	if _, err := c.waitGiven(q, f, f.start); err != nil {
		c.abandon(f)
		return nil, err
	}
	var resp *http.Response
	if f.spool != nil {
		resp = c.present(q, found, f, f.given)
		f.first.trailer = resp.Trailer
		resp.Body = c.spooled(q, f, f.first, f.start)
	} else {
		resp = c.passOn(f)
		resp.Body = c.direct(f)
	}
	return q.conditioned(found, resp, f), nil
}

// abandon gives up a response that has come but is not what the client gets.
func (c *Cache) abandon(f *flight) {
	if f.spool == nil {
		c.direct(f).Close()
		return
	}
	f.first.Close()
}

// conditioned evaluates the client's preconditions on a response that f brought, where the
// origin was sent none of them, or others.
func (q *query) conditioned(found finding, resp *http.Response, f *flight) *http.Response {
	ok := resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusPartialContent
	if ok && (q.answersConditions() || q.validates(found) || found.verdict == completeIt) && q.conditions.notModified(resp.Header, f.at) {
		resp.Body.Close()
		if q.sharing == Shared {
			lines := resp.Header["Cache-Status"] // the last is this cache's, see addStatus
			lines[len(lines)-1] += fwdStatus(f.status)
		}
		return notModified(resp)
	}
	return resp
}

// answersConditions reports whether the client's preconditions are answered
// here rather than by the origin.
func (q *query) answersConditions() bool { return q.sharing != Shared && !q.known }

// outgoing returns the header of the request that goes to the origin, which is not to
// be written to. Of validators it has the stored entry's, the same for all clients; a
// client's own go there only in Shared, or where the site knows the client anyway.
func (c *Cache) outgoing(q *query, found finding) http.Header {
	if !q.speaks && !q.validates(found) && found.verdict != completeIt {
		return q.r.Header
	}
	h := maps.Clone(q.r.Header) // nobody writes to its lines in place
	switch {
	case q.answersConditions():
		h.Del("If-None-Match")
		h.Del("If-Modified-Since")
		if q.oddRange && len(h["If-Range"]) > 0 {
			h.Del("Range") // what comes could be a part of something else
		}
		h.Del("If-Range") // else arrived checks it
	case q.sharing != Shared:
		h = maps.Clone(c.openConditions(q.r, q.everybody.site, q.everybody.url).Header)
	}
	switch {
	case q.validates(found):
		h.Del("If-None-Match")
		h.Del("If-Modified-Since")
		h.Del("A-Im") // a delta would be from what is stored, and not from what the client has (RFC 3229 §10.5.3)
		if tag := found.e.etag; tag != "" {
			h["If-None-Match"] = []string{tag}
		}
		if modified := found.e.header.get("Last-Modified"); modified != "" {
			h["If-Modified-Since"] = []string{modified}
		}
	case found.verdict == completeIt:
		h.Del("If-None-Match")
		h.Del("If-Modified-Since")
		h["Range"] = []string{"bytes=" + strconv.Itoa(len(found.e.part.prefix())) + "-"}
		h["If-Range"] = []string{found.e.etag}
	}
	return h
}

// validates reports whether the request to the origin carries the stored entry's validators
// (RFC 9111 §4.3.1). In PerClient it does not: they would tell the origin which client asks,
// unless the cookies that bought the entry go along. Nor are those of an error or a redirect
// sent: an origin that would still answer so ignores them (RFC 9110 §13.2.1), and by an error
// page's date an older page that is back is "not modified".
func (q *query) validates(found finding) bool {
	return found.verdict == validateIt && !found.telling && !q.head && !q.ranged && (q.sharing != PerClient || found.e.personal) &&
		found.e.status == http.StatusOK && (found.e.etag != "" || found.e.header.get("Last-Modified") != "")
}

// openConditions replaces in a request's preconditions the cache's own tags
// by the origin's.
func (c *Cache) openConditions(r *http.Request, site, uri string) *http.Request {
	var opened *http.Request
	for _, name := range []string{"If-Match", "If-None-Match", "If-Range", "If"} {
		lines := r.Header[name]
		if len(lines) == 0 {
			continue
		}
		var tags []string
		if name == "If" {
			tags = c.sealer.openIf(site, r.URL, lines)
		} else {
			tags = c.sealer.openAll(site, uri, lines)
		}
		if slices.Equal(tags, lines) {
			continue
		}
		if opened == nil {
			opened = r.Clone(r.Context())
		}
		opened.Header[name] = tags
	}
	if opened == nil {
		return r
	}
	return opened
}

// rangeMeant reports whether what came fits If-Range, which the origin was not sent: a part is
// of the representation named there, and a 416 does not say.
func (c *Cache) rangeMeant(q *query, f *flight) bool {
	if f.resp.StatusCode != http.StatusPartialContent {
		return f.resp.StatusCode != http.StatusRequestedRangeNotSatisfiable
	}
	h := f.resp.Header.Clone()
	c.sealTag(h, q.everybody.site, q.everybody.url)
	return rangeStands(q.ifRange, h, f.at)
}

// fetchWhole asks again without the range, whose precondition failed, or may have.
func (t *transport) fetchWhole(q *query) (*http.Response, error) {
	again := *q
	again.r = q.r.Clone(q.ctx)
	again.r.Header.Del("Range")
	again.r.Header.Del("If-Range")
	again.ranged, again.latest = false, true
	resp, err := t.fetch(&again, finding{})
	if err != nil {
		return nil, err
	}
	resp.Request = q.r
	if total := resp.ContentLength; resp.StatusCode == http.StatusOK && total >= 0 && rangeStands(q.ifRange, resp.Header, t.c.now()) {
		if _, _, ok := q.rng.within(total); !ok && len(q.more) == 0 {
			// It held after all: there is no such range of what the client has.
			resp.Body.Close()
			resp.Body = http.NoBody
			unsatisfied(resp, total)
		}
	}
	return resp, nil
}

// failed is the answer when the origin could not be asked.
func (t *transport) failed(q *query, found finding, f *flight, err error) (*http.Response, error) {
	if q.ctx.Err() == nil && t.c.staleInstead(q, found, f, true) {
		return t.c.serveStale(q, found, 0), nil
	}
	return nil, err
}

// drain reads and closes a body, at most limit bytes of it, and returns how
// many that were.
func drain(body io.ReadCloser, limit int64) int64 {
	defer body.Close()
	n, _ := io.Copy(io.Discard, io.LimitReader(body, limit))
	return n
}
