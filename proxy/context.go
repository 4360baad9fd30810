package proxy

import (
	"context"
	"net/http/httptrace"

	"guise/cache"
	"guise/cache/ending"
	"guise/proxy/wire"
)

// An exchangeContext is the context of a request in the pipeline. It holds
// for cache and wire what context.WithValue would need a context each for.
type exchangeContext struct {
	context.Context
	e *exchange
}

type exchangeKey struct{}

func exchangeOf(ctx context.Context) *exchange { return ctx.Value(exchangeKey{}).(*exchange) }

// Value implements [context.Context].
func (c *exchangeContext) Value(key any) any {
	switch key {
	case exchangeKey{}:
		return c.e
	case cache.VisitorKey:
		return &c.e.visitor
	case wire.FieldOrderKey:
		return &c.e.order
	case wire.OwnerKey:
		return &c.e.owner
	case traceKey:
		return &httptrace.ClientTrace{Got1xxResponse: c.e.passInterim}
	}
	return c.Context.Value(key)
}

// Ending lets [ending.Of] wait for the end of the request without what
// [context.AfterFunc] costs.
func (c *exchangeContext) Ending() *ending.End {
	if request, ok := c.Context.(interface{ Ending() *ending.End }); ok {
		return request.Ending()
	}
	return nil
}

// AfterFunc is what the context package asks foreign contexts for before it
// starts a goroutine that waits for Done.
func (c *exchangeContext) AfterFunc(f func()) (stop func() bool) {
	if end := c.Ending(); end != nil {
		return end.AfterFunc(f)
	}
	return context.AfterFunc(c.Context, f)
}

// traceKey is the key under which httptrace looks for its hooks, learnt by
// letting it look.
var traceKey = func() any {
	var key any
	httptrace.ContextClientTrace(keyRecorder{context.Background(), &key})
	return key
}()

type keyRecorder struct {
	context.Context
	key *any
}

func (r keyRecorder) Value(key any) any {
	*r.key = key
	return nil
}
