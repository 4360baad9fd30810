package proxy

import (
	"net/http"
	"net/netip"

	"guise/cache"
	"guise/filters"
	"guise/proxy/gate"
)

// An Explanation says what would happen to a request.
type Explanation struct {
	Blocked string           // why it would be refused, in a sentence; "" if it would be sent
	Changes []filters.Change // edits, in the order they are made
	Sent    *http.Request    // the request as the cache or the origin would see it; nil if blocked
	Order   []string         // names of its fields in the order and case they are sent
}

// Explain returns what a proxy with options o would do with r, a request in
// absolute-form from client, without sending anything or looking a name up.
// It edits r.
func Explain(o Options, r *http.Request, client netip.Addr) (Explanation, error) {
	o.Timeouts = o.Timeouts.withDefaults()
	o.Inspection.Enabled = false // nobody is inspected, so no authority is wanted
	store := cache.New(o.Cache)
	defer store.Close()
	a, err := assemble(o, store, nil)
	if err != nil {
		return Explanation{}, err
	}
	defer a.close()

	e := &exchange{visit: &visit{Entrant: gate.Entrant{Address: client}, connection: new(connection)}}
	for _, step := range a.beforeScrub() {
		var refused *failure
		if r, refused = step(e, r); refused != nil {
			return Explanation{Blocked: refused.detail}, nil
		}
	}
	m := a.filters.Read(r, client)
	changes := a.filters.Onward(m, a.filters.Request(m, nil))
	return Explanation{Changes: changes, Sent: m.Request, Order: a.filters.FieldOrder(m)}, nil
}
