package cache

import (
	"cmp"
	"slices"
)

// A partial holds some parts of a representation: what 206 responses brought,
// or what came of a 200 before it broke off (RFC 9111 §3.3). It does not change.
type partial struct {
	spans []span // in order, not touching
	total int64  // length of the whole; -1 if unknown
	// replay is the Range field whose answer this is, if the origin's
	// answer contradicts itself: it can only answer the same field again.
	replay string
}

// A span is the bytes of a representation from an offset on.
type span struct {
	from int64
	data []byte
}

func (s span) to() int64 { return s.from + int64(len(s.data)) }

func (p *partial) cost() int64 {
	n := int64(len(p.replay))
	for _, s := range p.spans {
		n += int64(cap(s.data)) + partOverhead
	}
	return n
}

// cut returns the bytes that r means, and where they lie, if all are here.
// The length of the whole must be known unless r states both ends.
func (p *partial) cut(r byteRange) (data []byte, from int64, ok bool) {
	var to int64
	switch {
	case p.total >= 0:
		if from, to, ok = r.within(p.total); !ok {
			return nil, 0, false
		}
	case r.suffix >= 0 || r.last < 0:
		return nil, 0, false
	default:
		from, to = r.first, r.last+1
	}
	for _, s := range p.spans {
		if s.from <= from && to <= s.to() {
			return s.data[from-s.from : to-s.from : to-s.from], from, true
		}
	}
	return nil, 0, false
}

// prefix returns how much is here from the start on without a gap.
func (p *partial) prefix() []byte {
	if p.replay == "" && len(p.spans) > 0 && p.spans[0].from == 0 {
		return p.spans[0].data
	}
	return nil
}

// fits reports whether p can be of a representation of the given length.
func (p *partial) fits(length int64) bool {
	return (p.total < 0 || p.total == length) && p.spans[len(p.spans)-1].to() <= length
}

// combine joins the spans of two partials of the same representation. Where
// they overlap the newer bytes count. It reports false if they contradict
// each other about the length.
func combine(old, newer *partial) (*partial, bool) {
	if old.replay != "" || newer.replay != "" {
		return nil, false
	}
	total := newer.total
	if total < 0 {
		total = old.total
	} else if old.total >= 0 && old.total != total {
		return nil, false
	}
	joined := &partial{total: total, spans: slices.Clone(newer.spans)}
	for _, s := range old.spans {
		joined.spans = append(joined.spans, uncovered(s, newer.spans)...)
	}
	slices.SortFunc(joined.spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	joined.spans = joinTouching(joined.spans)
	if n := len(joined.spans); total >= 0 && n > 0 && joined.spans[n-1].to() > total {
		return nil, false
	}
	return joined, true
}

// uncovered returns what of s the others do not cover.
func uncovered(s span, others []span) []span {
	rest := []span{s}
	for _, o := range others {
		var next []span
		for _, r := range rest {
			if o.to() <= r.from || r.to() <= o.from {
				next = append(next, r)
				continue
			}
			if r.from < o.from {
				next = append(next, span{r.from, r.data[:o.from-r.from]})
			}
			if o.to() < r.to() {
				next = append(next, span{o.to(), r.data[o.to()-r.from:]})
			}
		}
		rest = next
	}
	return rest
}

// joinTouching joins neighbours in a sorted list of disjoint spans.
func joinTouching(spans []span) []span {
	var joined []span
	for _, s := range spans {
		if n := len(joined); n > 0 && joined[n-1].to() == s.from {
			joined[n-1].data = slices.Concat(joined[n-1].data, s.data)
			continue
		}
		joined = append(joined, s)
	}
	return joined
}

// whole returns all bytes if none is missing.
func (p *partial) whole() ([]byte, bool) {
	if p.replay == "" && len(p.spans) == 1 && p.spans[0].from == 0 && p.total >= 0 && p.spans[0].to() == p.total {
		return p.spans[0].data, true
	}
	return nil, false
}
