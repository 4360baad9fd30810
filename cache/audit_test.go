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
	for name, in := range map[string]*segment{"window": s.window, "probation": s.probation, "protected": s.protected} {
		var bytes int64
		for _, r := range in.lru.Keys() {
			count++
			bytes += r.bytes
			if r.in != in || s.index[r.key] != r || !slices.Contains(s.at(r.key.url), r) {
				t.Errorf("%q is lost", r.key)
			}
			if got := r.count(t, users); got != r.bytes {
				t.Errorf("%q: %d bytes, counted as %d", r.key, got, r.bytes)
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
	listed := 0
	for url := range s.byURL {
		listed += len(s.at(url))
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
			t.Errorf("%q: an entry of %v with views of %d bytes, counted as %d", r.key, e.held, viewed, e.viewed)
		}
		bytes += e.cost + e.viewed
		if seen[e.hold] {
			bytes -= e.content()
		}
		seen[e.hold] = true
		users[e.hold] += storedUser
	}
	if len(r.entries) == 0 || len(r.entries) > maxVariants {
		t.Errorf("%q: %d entries", r.key, len(r.entries))
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
