package cache

import "hash/maphash"

// A wording is what a request says beside its target.
//
// An origin can heed any field without saying so in Vary: it may answer scripts otherwise than
// pages, or set a cookie where there is none. A client whose request has other fields than the
// one that brought a stored response would see by the answer that it is another's, and could
// have others given what it makes the origin say. So in Disguised it does not get that
// response. Elsewhere all requests count as alike.
type wording struct {
	fields           uint64 // a hash of those that an answer may depend on
	cookies, secrets bool   // whether it has any; what they are only tells who asks
}

// known reports whether they tell the site who asks.
func (w wording) known() bool { return w.cookies || w.secrets }

// covers reports whether the response to a request with w may be given to one with o: one made
// without cookies is also for requests that have some.
func (w wording) covers(o wording) bool {
	return w.fields == o.fields && (o.cookies || !w.cookies) && (o.secrets || !w.secrets)
}

// wordingOf returns the wording of a request. It is read once, and not at all where a
// client has the response already.
func (c *Cache) wordingOf(q *query) wording {
	if q.sharing == Disguised && !q.worded {
		q.words, q.worded = c.readWording(q), true
	}
	return q.words
}

func (c *Cache) readWording(q *query) wording {
	w := wording{cookies: q.cookies, secrets: q.proven}
	for name, lines := range q.r.Header {
		switch name {
		case "Cookie", "Authorization",
			"Cache-Control", "Pragma", "Range", "If-Modified-Since", "If-None-Match", "If-Range": // answered here
			continue
		}
		var h maphash.Hash
		h.SetSeed(c.words)
		h.WriteString(name)
		for _, line := range lines {
			h.WriteByte(0)
			h.WriteString(line)
		}
		w.fields += h.Sum64() // in any order
	}
	return w
}
