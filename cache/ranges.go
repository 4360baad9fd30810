package cache

import (
	"strconv"
	"strings"
)

// A byteRange is one range of a Range field (RFC 9110 §14.1.1).
type byteRange struct {
	first, last int64  // last is -1 if open
	suffix      int64  // length of "-n"; -1 otherwise
	spec        string // the whole field
}

// parseRanges reads a Range field with ranges of bytes, at least one. It
// reports false for anything else.
func parseRanges(field string) ([]byteRange, bool) {
	field = strings.Trim(field, " \t")
	unit, set, ok := strings.Cut(field, "=")
	if !ok || !equalFold(unit, "bytes") {
		return nil, false
	}
	var ranges []byteRange
	for spec := range strings.SplitSeq(set, ",") {
		if spec = strings.Trim(spec, " \t"); spec == "" {
			continue // an empty member of a list, RFC 9110 §5.6.1.2
		}
		r, ok := parseRange(spec)
		if !ok {
			return nil, false
		}
		r.spec = field
		ranges = append(ranges, r)
	}
	return ranges, len(ranges) > 0
}

// parseRange reads one range.
func parseRange(spec string) (byteRange, bool) {
	first, last, ok := strings.Cut(spec, "-")
	if !ok {
		return byteRange{}, false
	}
	r := byteRange{last: -1, suffix: -1}
	if first == "" {
		r.suffix, ok = parseNumber(last)
		return r, ok
	}
	if r.first, ok = parseNumber(first); !ok {
		return byteRange{}, false
	}
	if last != "" {
		if r.last, ok = parseNumber(last); !ok || r.last < r.first {
			return byteRange{}, false // an invalid range is ignored
		}
	}
	return r, true
}

// within returns the half-open interval [from, to) that r means in a
// representation of the given length. It reports false if r cannot be
// satisfied (RFC 9110 §14.1.2).
func (r byteRange) within(length int64) (from, to int64, ok bool) {
	switch {
	case r.suffix >= 0:
		from, to = max(0, length-r.suffix), length
	case r.last < 0:
		from, to = r.first, length
	default:
		from, to = r.first, min(r.last+1, length)
	}
	return from, to, from < to
}

// A contentRange is what a Content-Range field says (RFC 9110 §14.4).
type contentRange struct {
	first, last int64
	total       int64 // -1 if unknown
}

// parseContentRange reads "bytes first-last/total". It reports false for an
// unsatisfied range, another unit, and contradictions: such a part must not
// be combined with others.
func parseContentRange(field string) (contentRange, bool) {
	unit, rest, ok := strings.Cut(strings.Trim(field, " \t"), " ")
	if !ok || !equalFold(unit, "bytes") {
		return contentRange{}, false
	}
	span, total, ok := strings.Cut(rest, "/")
	if !ok {
		return contentRange{}, false
	}
	first, last, ok := strings.Cut(span, "-")
	if !ok {
		return contentRange{}, false
	}
	r := contentRange{total: -1}
	if r.first, ok = parseNumber(first); !ok {
		return contentRange{}, false
	}
	if r.last, ok = parseNumber(last); !ok || r.last < r.first {
		return contentRange{}, false
	}
	if total != "*" {
		if r.total, ok = parseNumber(total); !ok || r.last >= r.total {
			return contentRange{}, false
		}
	}
	return r, true
}

func (r contentRange) String() string {
	total := "*"
	if r.total >= 0 {
		total = strconv.FormatInt(r.total, 10)
	}
	return "bytes " + strconv.FormatInt(r.first, 10) + "-" + strconv.FormatInt(r.last, 10) + "/" + total
}

// parseNumber reads 1*DIGIT. One that is larger than any position in a
// representation, or any time, is taken for the largest.
func parseNumber(s string) (int64, bool) {
	const most = int64(1) << 59 // ten times as much fits in an int64
	if s == "" {
		return 0, false
	}
	var n int64
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		if n = n*10 + int64(s[i]-'0'); n > most {
			n = most
		}
	}
	return n, true
}
