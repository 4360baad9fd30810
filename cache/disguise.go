package cache

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// told returns for how long a client who starts to use a disguised entry at
// the given time may use it: half its lifetime, in whole seconds.
//
// A stored response must not show how old it is, as a max-age shortened by its age would. So
// all clients, the first too, are told half the lifetime, however long the fetch took. New
// clients are given an entry for the first half only, so what they are told ends before the
// origin's own date does. Where the origin sends Age, a fetch at that time would bring a higher
// one. A brief entry is its first client's alone, for all its time.
func (e *entry) told(at time.Time) time.Duration {
	if e.brief {
		return max(0, e.bound()-e.initialAge)
	}
	told := e.bound() / 2
	switch age := e.sentAge; {
	case !e.life.explicit && age == 0: // a fetch now would have a later Date
		since := at.Truncate(time.Second).Sub(e.received.Truncate(time.Second))
		told = min(e.bound()+since/heuristicFraction, heuristicLimit) / 2
	case age > 0:
		// An Age has whole seconds: it grew by as many as passed, or one more. The nearest is right oftener.
		told = (e.bound() - age - elapsed(e.received, at).Round(time.Second)) / 2
	}
	return max(0, min(told, e.bound()-e.initialAge).Truncate(time.Second))
}

// mayRunDown reports whether e's lifetime may count down to a moment, as that of a response
// from another cache does: asked later, the origin would tell a shorter one. A lifetime that
// somebody chose is a round number.
func (e *entry) mayRunDown() bool {
	return e.life.explicit && e.sentAge == 0 && e.bound()%(10*time.Second) != 0
}

// seen returns e's age and lifetime as the client that has the view knows them. Past that
// lifetime, e counts as stale for at least as long as it really is.
func (e *entry) seen(v *view, now time.Time) (age, life time.Duration) {
	age, life = elapsed(v.since, now), e.told(v.since)
	if age >= life {
		age = max(age, life+e.age(now)-e.life.operative)
	}
	return age, life
}

// bound returns the shortest lifetime that this cache or one downstream may go by.
func (e *entry) bound() time.Duration {
	if e.life.shortest > 0 {
		return min(e.life.operative, e.life.shortest)
	}
	return e.life.operative
}

// disguise rewrites the header of a response under e so that it looks as if
// the origin had made it at the given time. A fresh response and one that
// somebody else fetched come out alike.
func (e *entry) disguise(h http.Header, at time.Time) {
	delete(h, "Age")
	h["Date"] = []string{formatDate(at)}
	if !e.life.explicit || e.directives.noCache {
		return
	}
	less := seconds((e.bound() - e.told(at)) / time.Second)
	if e.brief {
		less = seconds(e.initialAge / time.Second)
	}
	if lines := h["Cache-Control"]; len(lines) > 0 {
		shortened := make([]string, len(lines))
		for i, line := range lines {
			shortened[i] = shortenLifetimes(line, less)
		}
		h["Cache-Control"] = shortened
	}
	if lines := h["Expires"]; len(lines) > 0 {
		// A date in the past, as servers send for the present, would tell when that was; a
		// fixed one, such as 2037, would tell by what is subtracted from it.
		h["Expires"] = []string{"0"}
		if expiresIn(lines[0], e.date, e.received) > 0 {
			h["Expires"] = []string{formatDate(at.Add(e.told(at)))}
		}
	}
}

// repeat rewrites the header of a response under e so that it looks like one that the origin
// made at the given time and that could not be stored.
func (e *entry) repeat(h http.Header, at time.Time) {
	if e.sentAge > 0 {
		h["Age"] = []string{formatInt(int64((e.sentAge + elapsed(e.received, at)).Round(time.Second) / time.Second))}
	}
	h["Date"] = []string{formatDate(at)}
	if lines := h["Expires"]; len(lines) > 0 {
		if in := expiresIn(lines[0], e.date.Truncate(time.Second), e.received); in > 0 {
			h["Expires"] = []string{formatDate(at.Add(in))}
		}
	}
}

// shortenLifetimes subtracts from the max-age and s-maxage of a Cache-Control line.
func shortenLifetimes(line string, less seconds) string {
	var b strings.Builder
	for line != "" {
		var item string
		if item, line = cutItem(line); item == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		name, value, _ := cutDirective(item)
		if !equalFold(name, "max-age") && !equalFold(name, "s-maxage") {
			b.WriteString(item)
			continue
		}
		n, _ := parseSeconds(unquote(value))
		b.WriteString(name)
		b.WriteByte('=')
		b.WriteString(strconv.FormatInt(int64(max(0, n-less)), 10))
	}
	return b.String()
}
