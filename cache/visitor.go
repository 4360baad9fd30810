package cache

import "context"

// A Visitor says for whom a request is made. Entries are never shared
// across sites; across clients as [Sharing] says.
type Visitor struct {
	Client string // names the client: user, else address or prefix; never leaves the process
	Site   string // registrable domain on whose behalf the request is made; "", if that is unknown, is one, but see Adrift

	// Part says that what is asked for is a part of a page. Filters leave something else of
	// its answer than of a page's, even where both requests look alike, so each answers its
	// own kind alone.
	Part bool

	// Adrift says that a page of a site makes the request, and nobody knows of which: what
	// is kept of it would tell pages of two sites that one client opened both. It is not
	// answered from the store then, and its answer is not stored. Shared heeds it not.
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
