package cache

import "context"

// A Visitor says for whom a request is made. Entries are never shared
// across sites; across clients as [Sharing] says.
type Visitor struct {
	Client string // names the client: user, else address or prefix; never leaves the process
	Site   string // registrable domain on whose behalf the request is made; "" is a site of its own
}

type visitorKey struct{}

// WithVisitor returns a context whose requests are made for v.
func WithVisitor(ctx context.Context, v Visitor) context.Context {
	return context.WithValue(ctx, visitorKey{}, v)
}

func visitorOf(ctx context.Context) Visitor {
	v, _ := ctx.Value(visitorKey{}).(Visitor)
	return v
}
