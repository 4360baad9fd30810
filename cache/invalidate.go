package cache

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
)

// invalidate drops what an unsafe request may have changed (RFC 9111 §4.4): its target, a URI,
// and what Location and Content-Location name on the same origin. Only a response without an
// error says that something changed.
func (c *Cache) invalidate(r *http.Request, target string, resp *http.Response) {
	if resp.StatusCode < 200 || resp.StatusCode >= 400 {
		return
	}
	client := visitorOf(r.Context()).Client
	uris := []string{target}
	for _, name := range []string{"Location", "Content-Location"} {
		if uri, ok := sameOrigin(r.URL, target, resp.Header.Get(name)); ok && !slices.Contains(uris, uri) {
			uris = append(uris, uri)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, uri := range uris {
		c.invalidateURI(uri, client)
	}
}

// sameOrigin resolves a reference and reports whether it stays on the
// target's origin: no other may be invalidated (RFC 9111 §4.4).
func sameOrigin(base *url.URL, target, reference string) (string, bool) {
	if reference == "" {
		return "", false
	}
	ref, err := base.Parse(reference)
	if err != nil {
		return "", false
	}
	uri, ok := targetURI(ref)
	return uri, ok && originOf(uri) == originOf(target)
}

// invalidateURI drops a URI's responses, in all partitions. In the modes that
// keep clients apart it drops them for the client who asked, and for clients
// to come: that the others' responses vanish would tell them that somebody
// wrote. The caller holds c.mu.
func (c *Cache) invalidateURI(uri, client string) {
	sharing := c.options.Load().Sharing
	c.dropped.note(client, uri)
	for _, r := range c.store.ofURL(uri) {
		for _, e := range slices.Clone(r.entries) {
			disguised := sharing == Disguised && !e.personal
			if sharing != Shared && !disguised && e.client != client {
				continue
			}
			if c.outdate(e, client) {
				c.counters.Invalid++
			}
		}
	}
	c.doom(func(f *flight) bool {
		return f.k.url == uri && (sharing == Shared || f.client == client)
	})
	for f := range c.aloft {
		f.closed = f.closed || f.k.url == uri && sharing == Disguised
	}
}

// doom keeps the chosen fetches that are under way from being stored, and others from joining
// them: they began before what they bring was dropped. The caller holds c.mu.
func (c *Cache) doom(chosen func(*flight) bool) {
	for f := range c.aloft {
		if !chosen(f) {
			continue
		}
		f.doomed = true
		c.unlist(f)
	}
}

// outdate drops a response that is not valid any more, and reports whether it did: in Disguised
// it stays for those clients who did not see that. The caller holds c.mu.
func (c *Cache) outdate(e *entry, client string) bool {
	if c.options.Load().Sharing == Disguised && !e.personal {
		c.store.unview(e, client)
		e.closed = true
		return c.store.letGo(e)
	}
	c.store.remove(e)
	return true
}

// Drop drops what is stored of u for a client and for clients to come, as an unsafe request of
// the client to u would; what is under way to the client is not stored. A URL that is not http
// or https drops nothing.
func (c *Cache) Drop(client string, u *url.URL) {
	uri, ok := targetURI(u)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.invalidateURI(uri, client)
}

// PurgeURL drops what is stored of an absolute URL, for all sites and clients; it ignores one
// that is not http or https. Like the others it does not say how much that was: it would tell
// what others have read.
func (c *Cache) PurgeURL(rawURL string) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return
	}
	if uri, ok := targetURI(u); ok {
		c.purge(func(k key) bool { return k.url == uri })
	}
}

// PurgeHost drops what is stored of a host, a name or an address without brackets, whatever the
// port.
func (c *Cache) PurgeHost(host string) {
	c.purge(func(k key) bool { return equalFold(hostOf(k.url), host) })
}

// PurgeAll drops everything.
func (c *Cache) PurgeAll() { c.purge(everything) }

// Forget drops what belongs to one client, such as when its identity rotates: a partition of
// its own would else recognise it afterwards. In Disguised its next use of anything is a first
// use again. Entity tags get a new form for all clients.
func (c *Cache) Forget(client string) {
	sharing := c.options.Load().Sharing
	c.sealer.renew() // a tag that looks the same is what it would be recognised by
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropped.note(client, "")
	for _, r := range resources(c.store) {
		for _, e := range slices.Clone(r.entries) {
			if (r.key.owner != "" || sharing == PerClient) && e.client == client {
				c.store.remove(e)
				continue
			}
			c.store.unview(e, client)
		}
	}
	c.doom(func(f *flight) bool { return f.client == client })
}

// purge drops what is stored under the chosen keys.
func (c *Cache) purge(chosen func(key) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(chosen)
}

// drop drops what is stored under the chosen keys. The caller holds c.mu.
func (c *Cache) drop(chosen func(key) bool) {
	c.dropped.noteAll()
	for _, r := range resources(c.store) {
		if chosen(r.key) {
			c.store.drop(r)
		}
	}
	c.doom(func(f *flight) bool { return chosen(f.k) })
}

func everything(key) bool { return true }

// resources returns everything stored, so that the caller may drop of it.
func resources(s *store) []*resource { return slices.Collect(maps.Values(s.index)) }
