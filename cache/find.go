package cache

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A verdict says what is to be done about a request.
type verdict uint8

const (
	fetchIt    verdict = iota // ask the origin
	serveIt                   // answer from the entry
	refreshIt                 // answer from the stale entry, and refresh it meanwhile (RFC 5861 §3)
	validateIt                // ask the origin whether the entry still stands
	pretendIt                 // answer from the entry as if the origin was asked
	completeIt                // ask the origin for the rest of a partial entry
	refuseIt                  // 504: only-if-cached (RFC 9111 §5.2.1.7)
)

// A finding is the verdict on a request, and the entry it speaks of.
type finding struct {
	verdict verdict
	e       *entry
	view    *view // through which the client sees e; nil if it does not yet
	// own is what the client itself last had in the place of e. If it has the
	// same validator, the origin would have answered with a 304.
	own *entry
	// instead is the client's view that one of e will replace.
	instead *view
	// telling says that e's validator could tell the origin who asks: others have
	// another by now, or it may have been made for this visitor alone.
	telling bool
	// adds is store.adds at the time of the search.
	adds uint64
	// unused is, in Shared, the entry that only the request's directives keep from use, for
	// Cache-Status.
	unused *entry
}

// ownFor is for how long, in Disguised, a client is answered with what may have been made for
// it alone: responses to its cookies, or with validators that were not confirmed. A browser
// asks again only once its data was cleared, or it is another one at the same address; either
// would give the site its old identifier back.
const ownFor = 10 * time.Minute

// find looks for a stored response (RFC 9111 §4) and says what to do with it.
func (c *Cache) find(q *query) finding {
	if q.directives.noStore || q.oddRange {
		if q.directives.onlyIfCached {
			return finding{verdict: refuseIt}
		}
		return finding{unused: c.held(q)}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var found finding
	current := q.sharing == c.options.Load().Sharing // else what is stored is not for it
	if current && q.cookies {
		found = judgePlain(q, c.store.get(q.personal))
		if q.sharing == Disguised && found.e != nil && elapsed(found.e.received, q.now) >= ownFor {
			found = finding{} // its validator would tell as much
		}
	}
	if current && found.e == nil {
		r := c.store.get(q.everybody)
		if q.sharing == Disguised {
			found = c.judgeDisguised(q, r)
		} else {
			found = judgePlain(q, r)
		}
	}
	found.adds = c.store.adds
	if found.e != nil {
		if own := found.e.views.of(q.client); own != nil {
			c.store.use(own)
		}
	}
	if q.directives.onlyIfCached && found.verdict != serveIt {
		found.verdict = refuseIt
	}
	if found.verdict == serveIt || found.verdict == refreshIt {
		c.counters.Hits++
	}
	return found
}

// held returns the entry, in Shared, that a request without q's directives would find.
func (c *Cache) held(q *query) *entry {
	if q.sharing != Shared {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.store.index[q.everybody]; r != nil { // not by get, which counts a use
		return selected(r, q.r.Header, whole)
	}
	return nil
}

// judgePlain applies RFC 9111 §4 as it stands.
func judgePlain(q *query, r *resource) finding {
	if r == nil {
		return finding{}
	}
	if q.ranged {
		if e := selected(r, q.r.Header, func(e *entry) bool { return e.part != nil && e.answers(q) }); e != nil &&
			judge(q, e, e.age(q.now), e.life.operative) == serveIt {
			return finding{verdict: serveIt, e: e, view: e.everyones()}
		}
	}
	if e := selected(r, q.r.Header, func(e *entry) bool { return whole(e) && q.mayCut(e) }); e != nil {
		return finding{verdict: judge(q, e, e.age(q.now), e.life.operative), e: e, view: e.everyones()}
	}
	if !q.plain() || q.sharing == PerClient && r.key != q.personal { // If-Range would tell the origin which client asks
		return finding{}
	}
	e := selected(r, q.r.Header, func(e *entry) bool {
		return e.part != nil && e.strong() && len(e.part.prefix()) > 0 && e.fresh(q.now)
	})
	if e == nil {
		return finding{}
	}
	return finding{verdict: completeIt, e: e}
}

// judgeDisguised treats each client as if it had a cache of its own. What it
// has used it may use again, for as long as it was told; for what only others
// have used it is made to wait.
func (c *Cache) judgeDisguised(q *query, r *resource) finding {
	if r == nil {
		return finding{}
	}
	c.conclude(q, r)
	c.outlive(q, r)
	own, coming := c.ownOf(q, r)
	if own != nil {
		v := own.views.of(q.client)
		age, life := own.seen(v, q.now)
		if do := judge(q, own, age, life); do == serveIt || do == refreshIt {
			return finding{verdict: do, e: own, view: v, telling: do == refreshIt && q.tells(own, r)}
		}
	}
	if coming != nil && q.plain() && !q.latest {
		if fetch, _ := c.seemsFetched(q, coming); c.joins(q, fetch) {
			return finding{verdict: pretendIt, e: coming, view: coming.views.of(q.client)}
		}
	}
	if q.plain() && coming == nil && !c.asksForItself(q) {
		if found, ok := c.judgeOthers(q, r, own); ok {
			return found
		}
	}
	if own != nil && whole(own) {
		return finding{verdict: validateIt, e: own, view: own.views.of(q.client), telling: q.tells(own, r)}
	}
	return finding{}
}

// judgeOthers looks for what other clients have fetched, for q to seem to fetch it; own is what
// its own client has, or nil. It reports false if there is none for q. The caller holds c.mu.
func (c *Cache) judgeOthers(q *query, r *resource, own *entry) (found finding, ok bool) {
	words := c.wordingOf(q)
	suits := func(e *entry) bool {
		return e.wording.covers(words) && q.wouldShare(e) && (own == nil || !e.received.Before(own.received))
	}
	other := selected(r, q.r.Header, func(e *entry) bool { return c.asksAbout(q, e) && suits(e) })
	if other == nil { // else it joins its own inquiry, whatever newer there is by now
		other = selected(r, q.r.Header, func(e *entry) bool { return e.open(q.now) && suits(e) })
	}
	if other == nil || other == own || c.distrusted(q.everybody) || !c.mayHoldAgain(other) {
		return finding{}, false
	}
	found = finding{verdict: pretendIt, e: other, own: own}
	if own != nil {
		v := own.views.of(q.client)
		found.telling = !v.confirmed
		if own.answersAlike(other) {
			found.instead = v
		}
	}
	return found, other.open(q.now) || c.asking[q.own()].asks == found.kind()
}

// ownOf returns the entry that q's client has a view of and that can answer q, nil for none;
// and the entry that a fetch of its own brings, if one is, or seems to be, still under way. Of
// several, that is the one that it was given last, whenever others fetched them. The caller
// holds c.mu.
func (c *Cache) ownOf(q *query, r *resource) (own, coming *entry) {
	has := func(e *entry) bool {
		return e.views.of(q.client) != nil && (whole(e) && q.mayCut(e) || e.answers(q))
	}
	given := func(e *entry) time.Time { return e.views.of(q.client).since }
	own = selectedBy(r, q.r.Header, has, given)
	if own == nil {
		return nil, nil
	}
	if _, underWay := c.seemsFetched(q, own); !underWay {
		return own, nil
	}
	return selectedBy(r, q.r.Header, func(e *entry) bool {
		if !has(e) {
			return false
		}
		_, underWay := c.seemsFetched(q, e)
		return !underWay
	}, given), own
}

// without returns what would have been found if nobody else had what f speaks of. The
// caller holds c.mu.
func (f *finding) without(q *query) finding {
	if f.own == nil || !whole(f.own) {
		return finding{}
	}
	return finding{verdict: validateIt, e: f.own, view: f.own.views.of(q.client), telling: f.kind() != validated}
}

// mayFollowOwn reports whether a fetch of q's own client is under way that q can join. The
// caller holds c.mu.
func (c *Cache) mayFollowOwn(q *query) bool {
	w, shareable := c.wants(q)
	return shareable && !q.latest && c.flights[w] != nil
}

// asksForItself reports whether q goes to the origin whatever others have: because it can join
// a fetch of its own client; because its client has an inquiry under way that it cannot join,
// and one view cannot stand for both; or because the last response could not be stored, so that
// nobody can join the fetch. The caller holds c.mu.
func (c *Cache) asksForItself(q *query) bool {
	f := c.asking[q.own()]
	return c.mayFollowOwn(q) || f != nil && !c.joins(q, c.nameOf(f.wanted())) || c.recently.has(c.idFor(q))
}

// tells reports whether e's validator could tell the origin who asks. An origin may
// make a validator for each visitor; and an older e may be kept for a few clients
// while all others have a newer one. Only what this client did decides about the
// former, since a client can tell by the time whether a validator was sent. Cookies and
// credentials excuse nothing: they may be the same for all, and new ones would be tied to
// a visit before.
func (q *query) tells(e *entry, r *resource) bool {
	if !e.views.of(q.client).confirmed {
		return true
	}
	if !e.closed {
		return false
	}
	latest := selected(r, q.r.Header, func(o *entry) bool { return !o.closed && whole(o) && o.wording == e.wording })
	return latest != nil && !e.sameAs(latest) // without one, e is still the latest
}

// seemsFetched reports whether the request from which q's client has its view of e is still
// under way, or seems to be, and returns the name of what it wants, see nameOf. The caller
// holds c.mu.
func (c *Cache) seemsFetched(q *query, e *entry) (name uint64, underWay bool) {
	v := e.views.of(q.client)
	if p := v.pretence; p != nil { // see conclude
		return p.wants(q.now), true
	}
	if f := c.asking[q.own()]; f.gives(e, v) {
		return c.nameOf(f.wanted()), true
	}
	return 0, false
}

// seemsToCome reports whether v, a client's view of e, comes from an inquiry or a pretence that
// is still under way. The caller holds c.mu.
func (c *Cache) seemsToCome(e *entry, client string, v *view) bool {
	own := e.held.key
	own.owner = client
	return c.asking[own].gives(e, v) || v.pretence != nil && !v.pretence.made && v.pretence.underWay(c.now())
}

// gives reports whether f is an inquiry under way that gave its client the view v of e; f may
// be nil. The caller holds c.mu.
func (f *flight) gives(e *entry, v *view) bool {
	return f != nil && f.about == e && f.confirmed && !v.since.Before(f.given)
}

// conclude ends the pretences of q's client that are over: their entries replace what it had
// before, as after a fetch. The caller holds c.mu.
func (c *Cache) conclude(q *query, r *resource) {
	for _, e := range r.entries {
		if v := e.views.of(q.client); v != nil && v.pretence != nil && !v.pretence.underWay(q.now) {
			words := v.pretence.wording
			v.pretence = nil
			c.replaceFor(q.client, words, e)
			c.conclude(q, r) // replaceFor may have removed entries
			return
		}
	}
}

// outlive ends the views of q's client that are older than ownFor and may be of something made
// for it alone. For these entries the client counts as new again. The caller holds c.mu.
func (c *Cache) outlive(q *query, r *resource) {
	for i := len(r.entries) - 1; i >= 0; i-- { // entries may be removed meanwhile
		e := r.entries[i]
		v := e.views.of(q.client)
		if v == nil || v.confirmed || elapsed(v.since, q.now) < ownFor {
			continue
		}
		if _, underWay := c.seemsFetched(q, e); !underWay {
			c.store.unview(e, q.client)
			c.store.letGo(e)
		}
	}
}

// replaceFor drops the older views of a client that e, which it asked for with these words,
// replaces; or that of e, if the client has fetched something newer meanwhile. The caller holds
// c.mu.
func (c *Cache) replaceFor(client string, words wording, e *entry) {
	if !e.usedBy(client) {
		return
	}
	own := e.views.of(client)
	own.confirmed = c.confirms(e.held, e, client, own.since, !words.known())
	for _, old := range slices.Clone(e.held.entries) {
		v := old.views.of(client)
		if v == nil || !old.answersAlike(e) || !v.since.Before(own.since) {
			continue
		}
		gone := old
		if whole(old) && old.overtakes(e) && old.wording == e.wording && !old.sameAs(e) && !bytes.Equal(old.body, e.body) {
			gone = e
		}
		c.store.unview(gone, client)
		c.store.letGo(gone)
		if gone == e {
			return
		}
	}
}

// wouldShare reports whether a response like e would be stored for everybody if q
// fetched it. Only then can e stand in for that response. To a client that it knows
// and that asks about a copy, the origin may say what is for that client alone.
func (q *query) wouldShare(e *entry) bool {
	return !(q.known && q.conditions.set) && q.forAll(e.status, &e.directives)
}

// open reports whether a client who has not used e may start to.
func (e *entry) open(now time.Time) bool {
	return !e.closed && !e.mixed && e.views.count() < maxViews && e.shareable(now) && e.lasts(now)
}

// lasts reports whether the lifetime that a client is told which gets e at that time ends no
// later than the origin's own.
func (e *entry) lasts(at time.Time) bool { return e.age(at)+e.told(at) <= e.bound() }

// mayCut reports whether a range that q asks for can be cut from e. Positions in
// coded content mean nothing to a client that did not ask for the coding: it may
// hold the decoded content.
func (q *query) mayCut(e *entry) bool {
	coding := e.coding()
	return !q.ranged || coding == "" || equalFold(coding, "identity") || accepts(q.r.Header["Accept-Encoding"], coding)
}

// accepts reports whether a member of an Accept-Encoding is the given coding, with a weight
// above 0.
func accepts(lines []string, coding string) bool {
	for item := range items(lines) {
		member, weight, _ := strings.Cut(normaliseWeighted(item), ";")
		if equalFold(member, coding) {
			return weight != "q=0"
		}
	}
	return false
}

func whole(e *entry) bool { return e.part == nil }

// judge decides what an entry of this age may be used for.
func judge(q *query, e *entry, age, life time.Duration) verdict {
	d := &q.directives
	left := life - age
	switch {
	case e.directives.noCache || d.noCache:
		return validateIt
	case d.maxAge != absent && age > d.maxAge.duration() && !(e.directives.immutable && left > 0):
		// RFC 8246 §2: a reload does not ask about what is immutable.
		return validateIt
	case d.minFresh != absent && left < d.minFresh.duration():
		return validateIt
	case left > 0:
		return serveIt
	case e.strict():
		return validateIt
	case d.maxStale != absent && -left <= d.maxStale.duration():
		return serveIt
	case e.directives.staleWhile > 0 && -left <= e.directives.staleWhile.duration() && d.maxAge == absent:
		if d.onlyIfCached {
			return serveIt // it may have what is stored, and nothing is asked for it
		}
		return refreshIt
	}
	return validateIt
}

// mayReuse reports whether e may answer q, which joined the fetch of it, as well: a body
// can be on its way for longer than the response is fresh (RFC 9111 §4).
func (q *query) mayReuse(e *entry, now time.Time) bool {
	if judge(q, e, e.age(now), e.life.operative) == validateIt {
		return false
	}
	return q.sharing != Disguised || e.personal || e.brief || e.lasts(now)
}

// strict reports whether the origin forbids to serve e stale (RFC 9111
// §4.2.4). For a shared cache s-maxage says so as well (§5.2.2.10).
func (e *entry) strict() bool {
	d := &e.directives
	return d.mustRevalidate || d.proxyRevalidate || d.noCache || d.sMaxAge != absent
}

// answers reports whether a partial entry holds the range that q wants.
func (e *entry) answers(q *query) bool {
	if whole(e) || !q.ranged || q.ifRange != "" || len(q.more) > 0 || !q.mayCut(e) {
		return false
	}
	if e.part.replay != "" {
		return e.part.replay == q.rng.spec
	}
	_, _, ok := e.part.cut(q.rng)
	return ok
}

// selected returns the most recent entry that the request's selecting fields
// match (RFC 9111 §4.1), of those that suit.
func selected(r *resource, request http.Header, suits func(*entry) bool) *entry {
	return selectedBy(r, request, suits, func(e *entry) time.Time { return e.date })
}

// selectedBy is selected for a time of entries other than their Date.
func selectedBy(r *resource, request http.Header, suits func(*entry) bool, at func(*entry) time.Time) *entry {
	var best *entry
	var vary varying
	var key string // of the request, for vary: most vary alike
	for _, e := range slices.Backward(r.entries) {
		if !suits(e) || best != nil && !at(e).After(at(best)) {
			continue
		}
		if !e.matchesAsSent(request) {
			if e.vary != vary {
				vary, key = e.vary, varyKey(e.vary, request)
			}
			if key != e.varyKey {
				continue
			}
		}
		best = e
	}
	return best
}

// matches reports whether a request's selecting fields equal those of the
// request that brought e.
func (e *entry) matches(request http.Header) bool {
	return e.matchesAsSent(request) || varyKey(e.vary, request) == e.varyKey
}

// matchesAsSent reports whether they are equal even without normalisation.
func (e *entry) matchesAsSent(request http.Header) bool {
	for rest := string(e.vary); rest != ""; {
		var name string
		if name, rest, _ = strings.Cut(rest, ","); !e.selecting.equal(name, request[name]) {
			return false
		}
	}
	return true
}
