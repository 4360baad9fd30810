package cache

import (
	"iter"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// maxVaryNames bounds how many selecting fields a stored response may have.
const maxVaryNames = 32

// varying is the canonical names of selecting fields, sorted, with commas between them;
// "" for none.
type varying string

func (v varying) names() iter.Seq[string] {
	return func(yield func(string) bool) { // in place of strings.SplitSeq, which allocates
		for rest := string(v); rest != ""; {
			var name string
			if name, rest, _ = strings.Cut(rest, ","); !yield(name) {
				return
			}
		}
	}
}

// of returns those fields of h.
func (v varying) of(h http.Header) fields {
	size := 0
	for name := range v.names() {
		size += fieldSize(name, h[name])
	}
	var b strings.Builder
	b.Grow(size)
	for name := range v.names() {
		putField(&b, name, h[name])
	}
	return fields(b.String())
}

// varyNames returns what the selecting fields are called. It
// reports false if no later request can match: a member is "*", or no name, so that
// nobody knows what selects, or there are more members than anybody means (RFC 9110 §12.5.5).
func varyNames(lines []string) (varying, bool) {
	var names []string
	for item := range items(lines) {
		switch {
		case item == "":
		case item == "*", !httpguts.ValidHeaderFieldName(item), len(names) == maxVaryNames:
			return "", false
		default:
			name := textproto.CanonicalMIMEHeaderKey(item)
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return varying(strings.Join(names, ",")), true
}

// varyKey returns the selecting fields of a request in a form in which two
// requests are equal if RFC 9111 §4.1 lets them match.
func varyKey(names varying, request http.Header) string {
	var b strings.Builder
	for name := range names.names() {
		lines, present := request[name]
		if !present {
			// An absent field matches an absent one only.
			b.WriteString("-\x00")
			continue
		}
		b.WriteByte('+')
		writeNormalised(&b, name, lines)
		b.WriteByte(0)
	}
	return b.String()
}

// maxNormalised is the longest field, in bytes, that is read as a list: it is read under the
// cache's lock, and must not hold up all others.
const maxNormalised = 4 << 10

// writeNormalised writes a field with its lines combined and the whitespace
// between members removed. Fields whose members have no order and no case
// are sorted and lowered as well.
func writeNormalised(b *strings.Builder, name string, lines []string) {
	unordered := false
	switch {
	case name == "Cookie", name == "Authorization", name == "User-Agent", textIn(lines) > maxNormalised:
		// Not lists: a comma in them is text.
		b.WriteString(strings.Trim(strings.Join(lines, ","), " \t"))
		return
	case name == "Accept-Encoding", name == "Accept-Language", name == "Accept-Charset":
		unordered = true
	}
	var members []string
	for item := range items(lines) {
		if item == "" {
			continue
		}
		if unordered {
			item = normaliseWeighted(item)
		}
		members = append(members, item)
	}
	if unordered {
		slices.Sort(members)
		members = slices.Compact(members)
	}
	for i, member := range members {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(member)
	}
}

// normaliseWeighted lowers an item such as "EN-us ; q=0.50", removes its
// inner whitespace, and writes its weight in the shortest form.
func normaliseWeighted(item string) string {
	item = strings.ToLower(item)
	value, weight, weighted := strings.Cut(item, ";")
	value = strings.TrimSpace(value)
	if !weighted {
		return value
	}
	weight = strings.TrimSpace(weight)
	q, ok := strings.CutPrefix(weight, "q=")
	if !ok {
		return value + ";" + weight
	}
	if strings.Contains(q, ".") {
		q = strings.TrimRight(strings.TrimRight(q, "0"), ".")
	}
	if q == "1" {
		return value
	}
	return value + ";q=" + q
}
