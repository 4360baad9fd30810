package proxy

import (
	"cmp"
	"net/http"
	"net/netip"

	"guise/cache"
	"guise/filters"
	"guise/proxy/gate"
	"guise/proxy/wire"
)

// An Explanation says what would happen to a request.
type Explanation struct {
	Blocked string           // why it would be refused, in a sentence; "" if it would be sent
	Changes []filters.Change // edits, in the order they are made
	Head    string           // the request's head as the origin would see it; "" if blocked
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

	if r.Method == http.MethodTrace {
		return Explanation{Blocked: traceRefused.detail}, nil
	}
	e := &exchange{visit: &visit{Entrant: gate.Entrant{Address: client}, connection: new(connection)}}
	for _, step := range a.beforeScrub() {
		var refused *failure
		if r, refused = step(e, r); refused != nil {
			return Explanation{Blocked: cmp.Or(refused.detail, "The proxy answers it itself.")}, nil
		}
	}
	m := a.filters.Read(r, client)
	if m.Visit.Report {
		return Explanation{Blocked: reported.detail}, nil
	}
	changes := a.filters.Onward(m, a.filters.Request(m, nil))
	changes = a.filters.Trailer(m, m.Request.Trailer, changes)
	if o.Cache.Sharing != cache.Shared {
		changes = withoutValidators(m, changes)
	}
	if m.Visit.Kind == filters.WebSocket && m.Request.Header["Sec-Websocket-Key"] != nil {
		changeKey(m.Request)
		changes = append(changes, filters.Change{Field: "Sec-Websocket-Key", Did: filters.Rewritten, Why: "RFC 6455 §4.1; one of guise's own"})
	}
	order := a.filters.FieldOrder(m)
	head, err := wire.Head(m.Request.WithContext(wire.WithFieldOrder(m.Request.Context(), order)))
	return Explanation{Changes: changes, Head: head, Order: order}, err
}

// withoutValidators takes from m what the cache does not send on unless the site
// knows the client anyway (cache/README.md, "Own validators"), and appends that to
// log.
func withoutValidators(m *filters.Message, log []filters.Change) []filters.Change {
	h := m.Request.Header
	if m.Visit.Personal || len(h["Cookie"])+len(h["Authorization"]) > 0 || m.Request.Method != http.MethodGet && m.Request.Method != http.MethodHead {
		return log
	}
	for _, name := range [...]string{"If-Modified-Since", "If-None-Match", "If-Range"} {
		if _, there := h[name]; there {
			delete(h, name)
			log = append(log, filters.Change{Field: name, Did: filters.Removed, Why: "answered here: a validator may be one visitor's"})
		}
	}
	return log
}
