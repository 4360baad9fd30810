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
// A client who is given a stored response must not see how old it is. If its
// max-age were shortened by its age, that would tell. So everybody, the
// first client too, is told the same: half the lifetime. For the first half an
// entry may be given to new clients, and what they were told ends before the
// origin's own date does. How long the fetch took does not enter either.
// Where the origin sends Age, a fetch now would bring a higher one. What is too
// brief for that is its first client's alone, for all its time.
func (e *entry) told(at time.Time) time.Duration {
	if e.brief {
		return max(0, e.bound()-e.initialAge)
	}
	told := e.bound() / 2
	switch age := e.sentAge; {
	case !e.life.explicit && age == 0: // of a fetch now, Date would be later
		since := at.Truncate(time.Second).Sub(e.received.Truncate(time.Second))
		told = min(e.bound()+since/heuristicFraction, heuristicLimit) / 2
	case age > 0:
		// An Age has whole seconds: it grew by as many as passed, or one more. The nearest is right oftener.
		told = (e.bound() - age - elapsed(e.received, at).Round(time.Second)) / 2
	}
	return max(0, min(told, e.bound()-e.initialAge).Truncate(time.Second))
}

// mayRunDown reports whether e's lifetime may be what is left until a moment, as that of
// what another cache holds: asked later, the origin would tell a shorter one. A lifetime that
// somebody has chosen is a round number.
func (e *entry) mayRunDown() bool {
	return e.life.explicit && e.sentAge == 0 && e.bound()%(10*time.Second) != 0
}

// seen returns how old e counts as for the client that has the view, and how long it was told
// that e is fresh. After that, what came stale is as much too old as it is.
func (e *entry) seen(v *view, now time.Time) (age, life time.Duration) {
	age, life = elapsed(v.since, now), e.told(v.since)
	if age >= life {
		age = max(age, life+e.age(now)-e.life.operative)
	}
	return age, life
}

// bound returns the lifetime that no cache downstream outlives.
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
		// One in the past, as servers write who mean the present, would tell when that was, and
		// one that is the same for all, such as 2037, by what is taken from it.
		h["Expires"] = []string{"0"}
		if expiresIn(lines[0], e.date, e.received) > 0 {
			h["Expires"] = []string{formatDate(at.Add(e.told(at)))}
		}
	}
}

// repeat rewrites the header of a response under e so that it looks as if the origin had
// made it at the given time and it could not be kept.
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
