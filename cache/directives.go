package cache

import (
	"iter"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
)

// absent marks a directive of seconds that is not there.
const absent seconds = -1

// maxSeconds is what RFC 9111 §1.2.2 has a cache take for anything larger: 2³¹.
const maxSeconds seconds = 1 << 31

// seconds is a delta-seconds value (RFC 9111 §1.2.2), from 0 to [maxSeconds], or [absent].
type seconds int64

func (s seconds) duration() time.Duration { return time.Duration(s) * time.Second }

// directives are what a Cache-Control field says (RFC 9111 §5.2), requests
// and responses alike, as far as it concerns this cache, which transforms
// nothing. The first of several values of a directive counts
// (§4.2.1); a value that is no count of seconds counts as 0, which is stale.
type directives struct {
	noStore, noCache, onlyIfCached  bool
	private, public, immutable      bool
	mustRevalidate, proxyRevalidate bool
	mustUnderstand                  bool

	maxAge, sMaxAge    seconds
	minFresh, maxStale seconds // maxStale without a value is maxSeconds
	staleWhile         seconds // stale-while-revalidate, RFC 5861 §3
	staleIfError       seconds // RFC 5861 §4

	// Fields that no-cache="…" and private="…" name, in lower case. The
	// directive then speaks of these alone, and noCache or private is false.
	noCacheFields, privateFields []string
}

// noDirectives are what no field says.
var noDirectives = directives{
	maxAge: absent, sMaxAge: absent, minFresh: absent,
	maxStale: absent, staleWhile: absent, staleIfError: absent,
}

// parseDirectives reads all lines of a Cache-Control field.
func parseDirectives(lines []string) directives {
	d := noDirectives
	for item := range items(lines) {
		d.take(item)
	}
	return d
}

func (d *directives) take(item string) {
	name, value, hasValue := cutDirective(item)
	if item != "" && !(httpguts.ValidHeaderFieldName(name) && isArgument(value)) {
		d.noStore = true // whatever was meant: some write "private; max-age=60"
	}
	switch {
	case equalFold(name, "no-store"):
		d.noStore = true
	case equalFold(name, "no-cache"):
		takeFields(&d.noCache, &d.noCacheFields, value, hasValue)
	case equalFold(name, "private"):
		takeFields(&d.private, &d.privateFields, value, hasValue)
	case equalFold(name, "public"):
		d.public = true
	case equalFold(name, "must-revalidate"):
		d.mustRevalidate = true
	case equalFold(name, "proxy-revalidate"):
		d.proxyRevalidate = true
	case equalFold(name, "must-understand"):
		d.mustUnderstand = true
	case equalFold(name, "immutable"):
		d.immutable = true
	case equalFold(name, "only-if-cached"):
		d.onlyIfCached = true
	case equalFold(name, "max-age"):
		takeSeconds(&d.maxAge, value)
	case equalFold(name, "s-maxage"):
		takeSeconds(&d.sMaxAge, value)
	case equalFold(name, "min-fresh"):
		takeSeconds(&d.minFresh, value)
	case equalFold(name, "max-stale"):
		if !hasValue && d.maxStale == absent {
			d.maxStale = maxSeconds
			return
		}
		takeSeconds(&d.maxStale, value)
	case equalFold(name, "stale-while-revalidate"):
		takeSeconds(&d.staleWhile, value)
	case equalFold(name, "stale-if-error"):
		takeSeconds(&d.staleIfError, value)
	}
}

// isArgument reports whether text is a token, what begins as a quoted string, or nothing.
func isArgument(text string) bool {
	text = strings.TrimLeft(text, " \t")
	return text == "" || text[0] == '"' || httpguts.ValidHeaderFieldName(text)
}

// takeSeconds keeps the first value; a malformed one is 0.
func takeSeconds(into *seconds, value string) {
	if *into != absent {
		return
	}
	n, ok := parseSeconds(unquote(value))
	if !ok {
		n = 0
	}
	*into = n
}

// maxNamedFields bounds how many fields no-cache or private may name.
const maxNamedFields = 64

// takeFields reads the argument of no-cache or private. Without one, or with an empty one, or
// one of more than [maxNamedFields], the directive speaks of the whole response.
func takeFields(whole *bool, fields *[]string, value string, hasValue bool) {
	if !hasValue {
		*whole = true
		return
	}
	before := len(*fields)
	for name := range strings.SplitSeq(unquote(value), ",") {
		if name = strings.ToLower(strings.TrimSpace(name)); name == "" {
			continue
		}
		if !httpguts.ValidHeaderFieldName(name) || len(*fields) == maxNamedFields {
			*whole = true // whatever was meant
			return
		}
		*fields = append(*fields, name)
	}
	if len(*fields) == before {
		*whole = true
	}
}

// named returns the fields to which alone a no-cache or private of d applies.
func (d *directives) named() []string { return slices.Concat(d.noCacheFields, d.privateFields) }

// withoutNamed removes them from h.
func (d *directives) withoutNamed(h http.Header) {
	for _, name := range d.named() {
		h.Del(name)
	}
}

// parseSeconds reads 1*DIGIT. Anything over [maxSeconds] is maxSeconds.
func parseSeconds(s string) (seconds, bool) {
	n, ok := parseNumber(s)
	return min(seconds(n), maxSeconds), ok
}

// items yields the items of a comma-separated list (RFC 9110 §5.6.1) that may
// be spread over several lines. Empty items are among them.
func items(lines []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, line := range lines {
			for line != "" {
				var item string
				if item, line = cutItem(line); !yield(item) {
					return
				}
			}
		}
	}
}

// cutItem splits the first item off a comma-separated list (RFC 9110 §5.6.1).
// A comma inside a quoted string does not separate, but one behind a quote that is never
// closed does: what follows may be a directive. The item has no whitespace around it.
func cutItem(list string) (item, rest string) {
	quoted := false
	list = strings.Trim(list, " \t") // the limit below is about the rest
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			return strings.TrimRight(list[:i], " \t"), list[i+1:]
		}
	}
	// Each item is searched to the end of the list for its quote: only a short one is read like
	// that.
	if quoted && len(list) <= 512 {
		item, rest, _ = strings.Cut(list, ",")
		return strings.TrimRight(item, " \t"), rest
	}
	return list, ""
}

// cutDirective splits a directive into its name and its argument. The name may
// have whitespace behind it, which RFC 9111 §5.2 does not know and origins send.
func cutDirective(item string) (name, value string, hasValue bool) {
	name, value, hasValue = strings.Cut(item, "=")
	return strings.TrimRight(name, " \t"), value, hasValue
}

// unquote returns the value of a quoted string (RFC 9110 §5.6.4), or s itself
// if it is none.
func unquote(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	s = s[1 : len(s)-1]
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// equalFold is strings.EqualFold for ASCII: it does not take the Kelvin sign for a k.
func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
