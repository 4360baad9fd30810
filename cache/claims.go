package cache

// claims are one client's views of what is stored, where clients must not learn of one another.
//
// What a client finds again must not tell it whether others use the same, or anything. So each
// view counts in full against its client's share, whoever else uses the entry, and a client
// over its share loses what it used longest ago. Entries that nobody claims are evicted first,
// and nobody sees that: a first use takes as long either way. Only if all claims together
// exceed the budget does a client lose something because of others: the one that was away for
// longest, whatever it is that they use.
type claims struct {
	client         string
	bytes          int64
	oldest, latest *view // by their use; see view.older
}

// put makes v the view that was used last.
func (c *claims) put(v *view) {
	v.older, v.newer = c.latest, nil
	if c.latest != nil {
		c.latest.newer = v
	} else {
		c.oldest = v
	}
	c.latest = v
}

func (c *claims) take(v *view) {
	if v.older != nil {
		v.older.newer = v.newer
	} else {
		c.oldest = v.newer
	}
	if v.newer != nil {
		v.newer.older = v.older
	} else {
		c.latest = v.older
	}
	v.older, v.newer = nil, nil
}

// shareOf is how much one client may claim: half of the store, so that two who claim all
// that they may do not push each other's out.
func shareOf(o *Options) int64 { return max(o.Memory/2, 0) }

// setShare changes how much one client may claim.
func (s *store) setShare(n int64) {
	s.share = n
	for _, c := range s.claimants.Values() {
		s.trim(c)
	}
}

// trim drops what a client claims over its share.
func (s *store) trim(c *claims) {
	for c.bytes > s.share {
		s.disclaim(c)
	}
}

// maxOwn bounds how many of the variants of a resource one client may claim.
const maxOwn = maxVariants / 4

// claim counts a view of what is stored against its client's share.
func (s *store) claim(e *entry, client string, v *view) {
	if e.held.key.owner == "" {
		s.spareVariants(e, client)
	}
	c, ok := s.claimants.Get(client)
	if !ok {
		c = &claims{client: client}
		s.claimants.Add(client, c)
	}
	v.e, v.of = e, c
	c.put(v)
	s.count(v, e.claim())
	s.need(e.held, 1)
	s.trim(c)
}

// claim is how many bytes a view of e counts: the same whoever fetched it, and how, so they are
// only roughly what it costs.
func (e *entry) claim() int64 {
	const rough = 256 // an Age may have a digit more
	n := int64(entryOverhead+viewOverhead+len(e.header)+len(e.body)) + headerCost(e.trailer)
	if e.part != nil {
		for _, span := range e.part.spans {
			n += int64(len(span.data))
		}
	}
	return (n + rough - 1) / rough * rough
}

// reclaim changes what a view claims.
func (s *store) reclaim(v *view, bytes int64) {
	if v.of != nil {
		s.count(v, bytes)
		s.trim(v.of)
	}
}

// count notes what a view claims.
func (s *store) count(v *view, bytes int64) {
	v.of.bytes += bytes - v.bytes
	s.claimed += bytes - v.bytes
	v.bytes = bytes
}

// spareVariants drops a client's view of the oldest variant beside e, if it has too many.
func (s *store) spareVariants(e *entry, client string) {
	own, oldest := 0, (*entry)(nil)
	for _, o := range e.held.entries {
		if o == e || o.views.of(client) == nil {
			continue
		}
		if own++; oldest == nil {
			oldest = o
		}
	}
	if own >= maxOwn {
		s.unview(oldest, client)
		s.letGo(oldest)
	}
}

// use notes that a client uses what it has.
func (s *store) use(v *view) {
	c := v.of
	s.claimants.Get(c.client)
	c.take(v)
	c.put(v)
}

// release is the opposite of claim, for a view of an entry that is still stored.
func (s *store) release(v *view) {
	c := v.of
	s.count(v, 0)
	v.of = nil
	c.take(v)
	if c.oldest == nil {
		s.claimants.Remove(c.client)
	}
	s.need(v.e.held, -1)
}

// need adds n to the views and inquiries that need r. What is needed is not evicted until
// disclaim takes it from its clients.
func (s *store) need(r *resource, n int) {
	r.needed += n
	switch {
	case r.needed > 0 && r.in != s.needed:
		s.move(r, s.needed)
	case r.needed == 0 && r.in == s.needed:
		s.move(r, s.window)
	}
}

// disclaim drops what a client used longest ago.
func (s *store) disclaim(c *claims) {
	e := c.oldest.e
	s.unview(e, c.client)
	s.letGo(e)
}

// disclaimOne takes a view from the client that has been away for longest. It reports false if
// nobody has one.
func (s *store) disclaimOne() bool {
	_, c, ok := s.claimants.GetOldest()
	if ok {
		s.disclaim(c)
	}
	return ok
}

// letGo removes an entry that new clients do not get, once no client has a view of it and no
// inquiry about it is under way. A view that is over counts as well: its client can have the
// entry validated, or use it though it is stale.
func (s *store) letGo(e *entry) (gone bool) {
	if e.held == nil || e.views.count() > 0 || e.asked > 0 || !e.closed && e.held.key.owner == "" && e.forOthers() {
		return false
	}
	s.remove(e)
	return true
}
