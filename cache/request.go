package cache

import (
	"context"
	"net/http"
	"strings"
	"time"
)

// A query is a request with what the cache has to know about it.
type query struct {
	r       *http.Request
	ctx     context.Context
	client  string
	sharing Sharing
	now     time.Time
	moment  uint64 // of drops, at the same time
	latest  bool   // it must not wait for somebody else's fetch, or not again
	again   bool   // it waited for one that was of no use
	cramped bool   // there is no room to store what it would fetch

	place     place // in a crowd, in Disguised
	everybody key   // of responses for all, or in PerClient for this client
	personal  key   // of responses that these cookies bought
	cookies   bool  // personal is set
	proven    bool  // Authorization, or what may be credentials in other fields
	known     bool  // cookies or proven: the site knows who asks
	speaks    bool  // it has fields that speak to caches

	words  wording // see wordingOf
	worded bool    // words is set

	head       bool
	directives directives
	conditions conditions
	ranged     bool // a Range field that this cache may answer from what it holds
	rng        byteRange
	more       []byteRange // the others, if it asks for several
	oddRange   bool        // a Range field that only the origin may make sense of
	ifRange    string
}

// ask reads a request. It reports false for one that bypasses the cache.
func (c *Cache) ask(r *http.Request, o *Options) (q query, ok bool) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return q, false
	}
	speaks := speaksToCaches(r.Header)
	if hasBody(r) || speaks && (len(r.Header["Upgrade"]) > 0 ||
		len(r.Header["If-Match"]) > 0 || len(r.Header["If-Unmodified-Since"]) > 0) {
		return q, false
	}
	uri, ok := targetURI(r.URL)
	if !ok {
		return q, false
	}
	q.r, q.ctx, q.sharing, q.now, q.moment, q.head = r, r.Context(), o.Sharing, o.Now(), c.dropped.now(), r.Method == http.MethodHead
	v := visitorOf(q.ctx)
	q.latest = v.Alone
	q.client = v.Client
	q.everybody = key{site: v.Site, part: v.Part, url: uri}
	if q.sharing == PerClient {
		q.everybody.owner = v.Client
	}
	if q.cookies = len(r.Header["Cookie"]) > 0; q.cookies {
		q.personal = key{site: v.Site, part: v.Part, owner: perCredentials(v.Client, r.Header), url: uri}
	}
	q.proven = v.Personal || len(r.Header["Authorization"]) > 0
	q.known = q.cookies || q.proven

	if q.speaks = speaks; speaks {
		q.readCacheFields(c.sealer)
	} else {
		q.directives = noDirectives
	}
	if v.Adrift && q.sharing != Shared {
		q.directives.noStore = true
	}
	return q, true
}

// readCacheFields reads the fields that speak to caches.
func (q *query) readCacheFields(s *sealer) {
	h := q.r.Header
	q.directives = parseDirectives(h["Cache-Control"])
	if len(h["Cache-Control"]) == 0 && pragmaNoCache(h["Pragma"]) {
		q.directives.noCache = true // RFC 9111 §5.4
	}
	q.conditions = conditionsOf(h, q.now)
	if q.known && q.sharing != Shared {
		// The client may have this tag from before the site knew it, and the site's own by now.
		for _, tag := range q.conditions.tags {
			if opened, ok := s.open(q.everybody.site, q.everybody.url, tag); ok {
				q.conditions.tags = append(q.conditions.tags, opened)
			}
		}
	}
	q.readRange()
}

// own is the key of what q's client alone asks for.
func (q *query) own() key {
	k := q.everybody
	k.owner = q.client
	return k
}

// speaksToCaches reports whether h has any of the fields that [Cache.ask] reads but
// for those that say who asks. Most requests have none.
func speaksToCaches(h http.Header) bool {
	for name := range h {
		switch name {
		case "Cache-Control", "Pragma", "Range", "Upgrade",
			"If-Match", "If-Modified-Since", "If-None-Match", "If-Range", "If-Unmodified-Since":
			return true
		}
	}
	return false
}

// maxRanges bounds how many ranges at once are answered here (RFC 9110 §14.2).
const maxRanges = 16

// readRange reads the request's Range field, if it has one.
func (q *query) readRange() {
	lines := q.r.Header["Range"]
	if len(lines) == 0 || q.head {
		return // Range on HEAD is ignored, RFC 9110 §14.2
	}
	ranges, ok := parseRanges(lines[0])
	if !ok || len(lines) > 1 || len(ranges) > maxRanges {
		q.oddRange = true
		return
	}
	q.rng, q.more, q.ranged = ranges[0], ranges[1:], true
	q.ifRange = strings.TrimSpace(q.r.Header.Get("If-Range"))
}

// plain reports whether the request asks for nothing but the response: no
// part of it, no promise about its age.
func (q *query) plain() bool {
	d := &q.directives
	return !q.head && !q.ranged && !q.oddRange && !d.noCache && !d.noStore && !d.onlyIfCached &&
		d.maxAge == absent && d.minFresh == absent
}

func hasBody(r *http.Request) bool {
	return r.Body != nil && r.Body != http.NoBody || r.ContentLength > 0
}

func pragmaNoCache(lines []string) bool {
	for item := range items(lines) {
		if equalFold(item, "no-cache") {
			return true
		}
	}
	return false
}

// safe reports whether a method asks for no change (RFC 9110 §9.2.1 and the
// IANA registry of methods). Unknown methods are not safe.
func safe(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace,
		"PROPFIND", "REPORT", "SEARCH", "QUERY", "PRI":
		return true
	}
	return false
}
