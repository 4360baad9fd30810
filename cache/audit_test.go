package cache

import (
	"slices"
	"testing"
)

// audit counts anew what c holds, and compares.
func (c *Cache) audit(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.store
	count, users := 0, map[*hold]int64{}
	for name, in := range map[string]*segment{"window": s.window, "probation": s.probation, "protected": s.protected, "needed": s.needed} {
		var bytes int64
		for _, r := range in.lru.Keys() {
			count++
			bytes += r.bytes
			if r.in != in || s.index[r.key] != r || !slices.Contains(s.ofURL(r.key.url), r) {
				t.Errorf("%v is lost", r.key)
			}
			if got := r.count(t, users); got != r.bytes {
				t.Errorf("%v: %d bytes, counted as %d", r.key, got, r.bytes)
			}
			if got := r.needs(); got != r.needed || (got > 0) != (in == s.needed) {
				t.Errorf("%v in %s: needed %d times, counted as %d", r.key, name, got, r.needed)
			}
		}
		if bytes != in.bytes {
			t.Errorf("%s: %d bytes, counted as %d", name, bytes, in.bytes)
		}
	}
	for h, n := range users {
		if now := h.users.Load(); now < n || now >= n+storedUser {
			t.Errorf("a body with %x users, counted as %x", n, now)
		}
	}
	s.auditClaims(t)
	listed := 0
	for url := range s.byURL {
		list := s.ofURL(url)
		listed += len(list)
		var later *resource
		for _, r := range list { // both ways: what goes is taken out where it stands
			if r.key.url != url || r.later != later {
				t.Errorf("%s: the list of its URL is broken", url)
			}
			later = r
		}
	}
	if count != len(s.index) || count != listed {
		t.Errorf("%d resources, %d in the index, %d by URL", count, len(s.index), listed)
	}
	if s.bytes() > max(s.budget, 0) {
		t.Errorf("%d bytes, of %d", s.bytes(), s.budget)
	}
}

// count counts anew what a resource holds, and adds to the users of its bodies.
func (r *resource) count(t *testing.T, users map[*hold]int64) int64 {
	t.Helper()
	bytes := int64(len(r.key.site) + len(r.key.owner) + len(r.key.url))
	seen := map[*hold]bool{}
	for _, e := range r.entries {
		viewed := int64(0)
		if e.all != nil {
			viewed = e.all.cost - viewOverhead // which each entry counts
		}
		for client := range e.views.clients() {
			viewed += e.views.of(client).cost
		}
		if e.held != r || viewed != e.viewed {
			t.Errorf("%v: an entry of %v with views of %d bytes, counted as %d", r.key, e.held, viewed, e.viewed)
		}
		bytes += e.cost + e.viewed
		if seen[e.hold] {
			bytes -= e.content()
		}
		seen[e.hold] = true
		users[e.hold] += storedUser
	}
	if len(r.entries) == 0 || len(r.entries) > maxVariants {
		t.Errorf("%v: %d entries", r.key, len(r.entries))
	}
	return bytes
}

// idle reports what is left of requests that have ended.
func (c *Cache) idle(t *testing.T) {
	t.Helper()
	c.audit(t)
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.flights) + len(c.asking) + len(c.aloft) + len(c.crowds) + len(c.behind); n > 0 {
		t.Errorf("left: %d flights, %d inquiries, %d aloft, %d crowds, %d refreshes", len(c.flights), len(c.asking), len(c.aloft), len(c.crowds), len(c.behind))
	}
	if inflight, lingering := c.store.inflight.Load(), c.store.lingering.Load(); inflight != 0 || lingering != 0 {
		t.Errorf("left: %d bytes on their way, %d lingering", inflight, lingering)
	}
}

// needs counts anew who holds on to what is in a resource.
func (r *resource) needs() (n int) {
	for _, e := range r.entries {
		n += e.views.count() + e.asked
	}
	return n
}

// auditClaims counts anew what clients claim.
func (s *store) auditClaims(t *testing.T) {
	t.Helper()
	var claimed int64
	listed := 0
	for _, client := range s.claimants.Keys() {
		c, _ := s.claimants.Peek(client)
		var bytes int64
		for v := c.oldest; v != nil; v = v.newer {
			listed++
			bytes += v.bytes
			if v.of != c || v.e.held == nil || v.e.views.of(client) != v || v.newer == nil && c.latest != v {
				t.Errorf("a claim of %q on nothing", client)
			}
		}
		if claimed += bytes; bytes != c.bytes || c.oldest == nil || bytes > s.share {
			t.Errorf("%q claims %d bytes, counted as %d, of %d", client, bytes, c.bytes, s.share)
		}
	}
	viewed := 0
	for _, r := range s.needed.lru.Keys() {
		for _, e := range r.entries {
			viewed += e.views.count()
		}
	}
	if claimed != s.claimed || listed != viewed {
		t.Errorf("%d bytes are claimed, counted as %d; by %d views of %d", claimed, s.claimed, listed, viewed)
	}
}
