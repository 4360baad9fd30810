package cache

import (
	"net/http"
	"time"
)

// storable decides whether a response may be stored (RFC 9111 §3), and under
// which key. It returns what will be stored, without a body; nil means no.
func (c *Cache) storable(q *query, resp *http.Response, requested, received time.Time) (*entry, key) {
	h := resp.Header
	d := parseDirectives(h["Cache-Control"])
	names, matchable := varyNames(h["Vary"])
	switch {
	case q.r.Method != http.MethodGet || q.directives.noStore || q.oddRange || !matchable:
		return nil, key{}
	case resp.StatusCode < 200 || resp.StatusCode == http.StatusNotModified || ofOneRequest(resp.StatusCode):
		return nil, key{}
	case d.mustUnderstand && !understood(resp.StatusCode):
		return nil, key{}
	case d.noStore && !(d.mustUnderstand && understood(resp.StatusCode)):
		// must-understand makes no-store a fallback for caches that do not
		// know the directive (RFC 9111 §5.2.2.3).
		return nil, key{}
	case d.private:
		return nil, key{}
	case q.secret(&d):
		return nil, key{}
	case resp.StatusCode == http.StatusPartialContent && (!q.ranged || len(q.more) > 0):
		return nil, key{}
	case resp.StatusCode >= 400 && (q.ranged || q.proven):
		return nil, key{} // it may be about the range or the credentials
	case len(h["Content-Encoding"]) > 0 && closeDelimited(resp):
		return nil, key{} // only who decodes it would see that it was cut
	}
	k, ok := q.shelf(resp.StatusCode, h, &d)
	if !ok {
		return nil, key{}
	}
	e := newEntry(q, resp, d, requested, received)
	e.varyBy(names, q.r.Header)
	e.personal = k != q.everybody
	if !e.useful() {
		return nil, key{}
	}
	return e, k
}

// closeDelimited reports whether only the end of the connection ends resp's body (RFC 9112
// §6.3): cut short, it looks whole.
func closeDelimited(resp *http.Response) bool {
	return resp.ContentLength < 0 && resp.Close && len(resp.TransferEncoding) == 0
}

// varyBy notes which fields select e, and what they are in the request that got it.
func (e *entry) varyBy(names varying, request http.Header) {
	e.vary, e.varyKey, e.selecting = names, varyKey(names, request), names.of(request)
}

// shelf returns the key under which a response is stored, or false if there is
// none. The answer to a request with cookies is for this client and these cookies
// alone, unless the origin says that it is for all: many a personal page carries a
// max-age and no Vary. A response that sets a cookie is for one person, unless the
// origin says that it is for all, and then it is stored without the field.
func (q *query) shelf(status int, h http.Header, d *directives) (key, bool) {
	if setsCookie(h) && (!d.saysForAll() || q.sharing == Disguised) {
		// Disguised could not show the cookie again, and that would tell.
		return key{}, false
	}
	if q.cookies && !q.forAll(status, d) {
		return q.personal, true
	}
	return q.everybody, true
}

// secret reports whether the response to credentials is not to be stored (RFC 9111 §3.5). Few
// who write must-revalidate know that it allows that: it counts in Shared alone, where clients
// trust each other, and for Authorization alone, of which the RFC speaks.
func (q *query) secret(d *directives) bool {
	known := d.mustRevalidate && q.sharing == Shared && !visitorOf(q.ctx).Personal
	return q.proven && !d.saysForAll() && !known
}

// forAll reports whether a response to q is for everybody. An error to cookies or credentials
// never is: it may be about these, such as that they are too long, and whoever sends such could
// have others refused.
func (q *query) forAll(status int, d *directives) bool {
	return !q.secret(d) && (!q.cookies || d.saysForAll()) && !(q.known && status >= 400)
}

func (d *directives) saysForAll() bool { return d.public || d.sMaxAge != absent }

func setsCookie(h http.Header) bool {
	return len(h["Set-Cookie"]) > 0 || len(h["Set-Cookie2"]) > 0
}

func newEntry(q *query, resp *http.Response, d directives, requested, received time.Time) *entry {
	h := resp.Header
	e := &entry{
		status:     resp.StatusCode,
		statusText: resp.Status,
		length:     resp.ContentLength,
		directives: d,
		requested:  requested,
		received:   received,
		client:     q.client,
		etag:       tagOf(h),
	}
	e.describe(storedHeader(h, &d))
	e.timing.head, e.timing.at = received.Sub(requested), received
	// A client that uses the entry later would miss what only this response
	// had: such an entry serves those who have seen it.
	e.apart = e.apart || len(d.named()) > 0
	return e
}

// describe gives the entry the header h, and reads what that says about time.
func (e *entry) describe(h http.Header) {
	date, ok := parseDate(h.Get("Date"), e.received)
	if !ok {
		date = time.Time{}
		h["Date"] = []string{formatDate(e.received)} // RFC 9110 §6.6.1
	}
	e.header = fieldsOf(h)
	e.sentAge = ageValue(h)
	e.initialAge = initialAge(h, date, e.requested, e.received)
	if e.date = date; !ok {
		e.date = e.received
	}
	e.life = lifetimeOf(h, e.status, &e.directives, e.date, e.received)
	e.brief = false
	e.brief = e.told(e.received) == 0
	e.apart = e.apart || momentary(e.header, e.date)
}

// useful reports whether the entry could ever answer anything: it is or was
// fresh, can be validated, or may be served stale. RFC 9111 §3 also wants a
// sign that storing is meant.
func (e *entry) useful() bool {
	meant := e.life.explicit || e.directives.public || heuristicallyCacheable(e.status)
	valid := e.etag != "" || e.header.get("Last-Modified") != ""
	return meant && (e.life.operative > e.initialAge || valid ||
		e.directives.staleWhile > 0 || e.directives.staleIfError > 0)
}
