package cache

import (
	"net/http"
	"time"
)

const (
	// heuristicFraction is the part of the time since Last-Modified for
	// which a response counts as fresh (RFC 9111 §4.2.2).
	heuristicFraction = 10
	// heuristicLimit keeps a very old resource from being reused for years.
	heuristicLimit = 24 * time.Hour
)

// A lifetime is how long a response is fresh (RFC 9111 §4.2.1).
type lifetime struct {
	operative time.Duration // what this cache goes by; 0 means stale at once
	shortest  time.Duration // the shortest explicit positive lifetime any cache downstream may go by
	explicit  bool          // the origin stated it
}

// lifetimeOf returns the freshness lifetime of a response for a shared cache: s-maxage, else
// max-age, else Expires minus Date, else a heuristic, unless it says Pragma: no-cache, as
// before Cache-Control. date is the time of reception if the response has no valid Date.
func lifetimeOf(h http.Header, status int, d *directives, date, now time.Time) lifetime {
	var l lifetime
	note := func(stated time.Duration) {
		if !l.explicit {
			l.operative, l.explicit = stated, true
		}
		if stated > 0 && (l.shortest == 0 || stated < l.shortest) {
			l.shortest = stated
		}
	}
	if d.sMaxAge != absent {
		note(d.sMaxAge.duration())
	}
	if d.maxAge != absent {
		note(d.maxAge.duration())
	}
	if lines := h["Expires"]; len(lines) > 0 && d.maxAge == absent {
		note(expiresIn(lines[0], date.Truncate(time.Second), now)) // a Date has whole seconds
	}
	if !l.explicit && (d.public || heuristicallyCacheable(status)) && !pragmaNoCache(h["Pragma"]) {
		l.operative = heuristicLifetime(h, date, now)
		l.shortest = l.operative
	}
	return l
}

// expiresIn returns how long after date an Expires field lies. An invalid
// one, such as "0", lies in the past (RFC 9111 §5.3).
func expiresIn(expires string, date, now time.Time) time.Duration {
	t, ok := parseDate(expires, now)
	if !ok {
		return 0
	}
	// Sub saturates, so no year can overflow into the past.
	return min(max(0, t.Sub(date)), maxSeconds.duration())
}

// heuristicLifetime returns a tenth of the time since Last-Modified, at most a day.
func heuristicLifetime(h http.Header, date, now time.Time) time.Duration {
	modified, ok := parseDate(h.Get("Last-Modified"), now)
	if !ok {
		return 0
	}
	return min(max(0, date.Sub(modified)/heuristicFraction), heuristicLimit)
}

// heuristicallyCacheable reports whether RFC 9110 §15.1 lets a cache reuse a
// response with this status without being told how long.
func heuristicallyCacheable(status int) bool {
	switch status {
	case 200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501:
		return true
	}
	return false
}

// ofOneRequest reports whether a status answers what one request held beside its target, or how
// many there were: whatever its lifetime, it is no answer to another's. A client that asks for
// a range past the end could else have all others told that.
func ofOneRequest(status int) bool {
	switch status {
	case 226: // RFC 3229 §10.4.1: what has changed since the version that it has
		return true
	case 401, 407, 412, 416, 417: // RFC 9110 §15.5: its credentials, preconditions, range and expectation
		return true
	case 421, 425: // RFC 9110 §15.5.20, RFC 8470 §5.2: the connection that it came by, and when
		return true
	case 428, 429, 431, 511: // RFC 6585 §3 to §6: MUST NOT be stored
		return true
	}
	return false
}

// understood reports whether this cache implements the caching rules of a
// status code, as must-understand demands (RFC 9111 §5.2.2.3).
func understood(status int) bool {
	switch status {
	case 200, 203, 204, 206, 300, 301, 302, 303, 304, 307, 308,
		400, 401, 403, 404, 405, 410, 414, 416, 500, 501, 502, 503, 504:
		return true
	}
	return false
}
