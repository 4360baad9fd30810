package cache

import "context"

// A Visitor says for whom a request is made. Entries are never shared
// across sites; across clients as [Sharing] says.
type Visitor struct {
	Client string // names the client: user, else address or prefix; never leaves the process
	Site   string // registrable domain on whose behalf the request is made; "" if unknown, which counts as one site, but see Adrift

	// Part says that what is asked for is a part of a page. Filters treat its answer otherwise
	// than a page's, even where both requests look alike, so stored responses are kept apart by
	// it.
	Part bool

	// Adrift says that a page of an unknown site makes the request: what is stored of it would
	// tell pages of two sites that one client opened both. So it is not answered from the
	// store, and its answer is not stored, except in Shared.
	Adrift bool

	// Personal says that the request holds, in fields that the cache does not
	// know, what may be credentials: its answer is treated as one to Authorization.
	Personal bool

	// Alone keeps the request from waiting for another's fetch, and others
	// from waiting for its own. Where a request may come back to this
	// process, the two would wait for each other.
	Alone bool
}

type visitorKey struct{}

// VisitorKey is the key under which a request's context holds a *Visitor.
var VisitorKey any = visitorKey{}

func visitorOf(ctx context.Context) Visitor {
	v, _ := ctx.Value(visitorKey{}).(*Visitor)
	if v == nil {
		return Visitor{}
	}
	return *v
}
