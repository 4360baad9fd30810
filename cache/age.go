package cache

import (
	"net/http"
	"time"
)

// elapsed returns the time between two moments by the monotonic or the wall clock, whichever
// went further: the one stops while the machine sleeps, the other can be set back, and neither
// may keep anything fresh.
func elapsed(then, now time.Time) time.Duration {
	return max(0, now.Sub(then), now.Round(0).Sub(then)) // Round strips the monotonic reading
}

// ageValue returns the Age field's value (RFC 9111 §5.1): the first member of
// its first line, and 0 if that is no delta-seconds.
func ageValue(h http.Header) time.Duration {
	lines := h["Age"]
	if len(lines) == 0 {
		return 0
	}
	first, _ := cutItem(lines[0])
	n, ok := parseSeconds(first)
	if !ok {
		return 0
	}
	return n.duration()
}

// initialAge returns how old a response was when it arrived
// (corrected_initial_age in RFC 9111 §4.2.3). date is the zero time if the
// response has no valid Date.
func initialAge(h http.Header, date, requested, received time.Time) time.Duration {
	var apparent time.Duration
	if !date.IsZero() {
		apparent = max(0, received.Sub(date))
		// A Date has whole seconds: the rest of the second is not age.
		apparent = apparent.Truncate(time.Second)
	}
	corrected := ageValue(h) + elapsed(requested, received)
	return min(max(apparent, corrected), maxSeconds.duration())
}
