package cache

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// conditions are the preconditions of a GET or HEAD request that a cache
// evaluates (RFC 9110 §13, RFC 9111 §4.3.2).
type conditions struct {
	tags  []string // members of If-None-Match
	any   bool     // If-None-Match: *
	since time.Time
	set   bool // there is one
}

func conditionsOf(h http.Header, now time.Time) conditions {
	var c conditions
	lines := h["If-None-Match"]
	if len(lines) > 0 {
		// If-Modified-Since is ignored beside it (RFC 9110 §13.1.3).
		c.tags, c.any = entityTags(lines)
		c.set = true
		return c
	}
	if lines = h["If-Modified-Since"]; len(lines) == 1 { // two dates are none (RFC 9110 §13.1.3)
		c.since, c.set = parseDate(lines[0], now)
	}
	return c
}

// entityTags reads a list of entity tags. A malformed member is kept as it is: an ETag may be
// malformed in the same way.
func entityTags(lines []string) (tags []string, any bool) {
	for item := range items(lines) {
		switch item {
		case "":
		case "*":
			any = true
		default:
			tags = append(tags, item)
		}
	}
	return tags, any
}

// weakMatch compares two entity tags weakly (RFC 9110 §8.8.3.2).
func weakMatch(a, b string) bool {
	return strings.TrimPrefix(a, "W/") == strings.TrimPrefix(b, "W/")
}

// tagOf returns the entity tag of a response's header, "" for none.
func tagOf(h http.Header) string { return strings.Trim(h.Get("Etag"), " \t") }

// notModified reports whether a 200 response with header h is to become a 304
// (RFC 9110 §13.2.2). Without Last-Modified a date says nothing (§13.1.3).
func (c *conditions) notModified(h http.Header, now time.Time) bool {
	switch {
	case !c.set:
		return false
	case c.any:
		return true
	case c.since.IsZero():
		tag := tagOf(h)
		return tag != "" && slices.ContainsFunc(c.tags, func(t string) bool { return weakMatch(t, tag) })
	}
	modified, ok := parseDate(h.Get("Last-Modified"), now)
	return ok && !modified.After(c.since)
}

// notMadeSince is notModified for a response that is used without asking the origin and
// has no Last-Modified: then Date is the time of change (RFC 9111 §4.3.2).
func (c *conditions) notMadeSince(h http.Header, received time.Time) bool {
	if c.since.IsZero() {
		return false
	}
	if _, ok := parseDate(h.Get("Last-Modified"), received); ok {
		return false
	}
	made, ok := parseDate(h.Get("Date"), received)
	return ok && !made.After(c.since)
}

// rangeStands reports whether an If-Range precondition lets a range of the
// response with header h be sent (RFC 9110 §13.1.5): a strong entity tag that
// matches, or a date that is exactly Last-Modified and strong.
func rangeStands(ifRange string, h http.Header, now time.Time) bool {
	if ifRange == "" {
		return true
	}
	if strings.HasPrefix(ifRange, `"`) {
		return ifRange == tagOf(h)
	}
	wanted, ok := parseDate(ifRange, now)
	if !ok { // a weak tag among others
		return false
	}
	modified, ok := parseDate(h.Get("Last-Modified"), now)
	if !ok || !modified.Equal(wanted) {
		return false
	}
	// A date is strong if it lies a while before Date (RFC 9110 §8.8.2.2), which where the
	// origin has none is when the response came (§6.6.1).
	date, ok := parseDate(h.Get("Date"), now)
	if !ok {
		date = now
	}
	return date.Sub(modified) >= time.Second
}

// bodyFields are those that describe a body. A 304 does not carry them (RFC 9110
// §15.4.5), nor a 416 of ours: with them a client could take the empty body for the
// representation, or for a damaged one.
var bodyFields = map[string]bool{
	"Content-Length": true, "Content-Encoding": true, "Content-Type": true,
	"Content-Range": true, "Content-Language": true, "Content-Md5": true,
	"Content-Digest": true, "Transfer-Encoding": true,
}

// withoutBodyFields removes from h what describes a body.
func withoutBodyFields(h http.Header) {
	for name := range bodyFields {
		delete(h, name)
	}
}
