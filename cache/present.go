package cache

import (
	"net/http"
	"slices"
	"strconv"
	"time"
)

// present makes the response to a client who gets the body from a flight's
// spool. at is when the origin seems to have answered; found is what q found in the store.
func (c *Cache) present(q *query, found finding, f *flight, at time.Time) *http.Response {
	e := f.entry
	var h http.Header
	if f.leader == q && !f.beats {
		// It sees the fields that are not stored as well; not where a later
		// first use, which cannot, must look the same.
		h = f.resp.Header.Clone()
		hopByHop(h)
	} else {
		h = e.header.header()
	}
	if h.Get("Date") == "" {
		h["Date"] = []string{formatDate(f.at)}
	}
	c.dress(q, e, h, at)
	if f.leader == q {
		q.addStatus(h, found, "")
	} else {
		q.addStatus(h, found, "; collapsed")
	}
	resp := &http.Response{
		StatusCode: f.resp.StatusCode, Status: f.resp.Status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Request: q.r, ContentLength: f.resp.ContentLength, TransferEncoding: f.resp.TransferEncoding,
	}
	if f.trailers != nil {
		resp.Trailer = make(http.Header, len(f.trailers))
		for _, name := range f.trailers {
			resp.Trailer[name] = nil
		}
	}
	return resp
}

// dress turns a header into what the client is to see. Responses from the origin and from the
// store go through it alike.
func (c *Cache) dress(q *query, e *entry, h http.Header, at time.Time) {
	if q.sharing == Shared {
		return
	}
	if retained(e.status, h) && (e.personal || q.sharing == PerClient || !e.life.explicit) {
		setNoCache(h)
	}
	if e.personal {
		return
	}
	switch {
	case q.cramped:
		e.repeat(h, at)
	case q.sharing == Disguised:
		e.disguise(h, at)
	}
	c.sealTag(h, q.everybody.site, q.everybody.url)
}

// passOn makes the leader's response of one that is not stored.
func (c *Cache) passOn(f *flight) *http.Response {
	q := f.leader
	f.passed = *f.resp // with its header: nobody else uses it any more
	resp := &f.passed
	resp.Request = q.r
	hopByHop(resp.Header)
	if q.answersConditions() {
		c.sealTag(resp.Header, q.everybody.site, q.everybody.url)
	}
	if retained(resp.StatusCode, resp.Header) && q.sharing != Shared {
		setNoCache(resp.Header)
	}
	q.addStatus(resp.Header, f.found, "")
	return resp
}

// retained reports whether a browser may keep a redirect with header h: a permanent one
// always, another as it says.
func retained(status int, h http.Header) bool {
	return permanent(status) || (status == 302 || status == 303 || status == 307) && len(h["Cache-Control"])+len(h["Expires"]) > 0
}

// setNoCache keeps a browser from remembering a redirect that not everybody gets: with its
// target the site would know the browser again, and give it back the cookies that were cleared.
func setNoCache(h http.Header) {
	d := parseDirectives(h["Cache-Control"])
	if !d.noStore {
		h["Cache-Control"] = []string{"no-cache"}
	}
	delete(h, "Expires")
}

// addStatus adds to Cache-Status, in Shared, why the origin was asked (RFC 9211 §2.2), and
// what else there is to say.
func (q *query) addStatus(h http.Header, found finding, more string) {
	if q.sharing != Shared {
		return
	}
	e := found.e
	if e == nil {
		e = found.unused
	}
	did := "guise; fwd=stale"
	switch {
	case found.verdict == completeIt:
		did = "guise; fwd=partial"
	case e == nil:
		did = "guise; fwd=miss"
	case e.fresh(q.now) && !e.directives.noCache:
		did = "guise; fwd=request"
	}
	addStatus(h, did+more)
}

// addStatus adds to Cache-Status what this cache did (RFC 9211). Caches nearer
// to the origin come first in it.
func addStatus(h http.Header, did string) {
	h["Cache-Status"] = append(slices.Clip(h["Cache-Status"]), did) // others may have the lines
}

// fwdStatus is what addStatus adds where the origin's status is not the client's (RFC 9211 §2.3).
func fwdStatus(status int) string { return "; fwd-status=" + strconv.Itoa(status) }

func formatInt(n int64) string { return strconv.FormatInt(n, 10) }
