package proxy

import (
	"context"
	"net"
	"net/http/httptrace"
	"sync/atomic"

	"guise/cache"
	"guise/cache/ending"
	"guise/filters"
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

type connectionKey struct{}

// A connection is what the requests that come on one connection share.
type connection struct {
	number uint64 // no other has, nor ever had; 0 for none
	recent filters.Recent
	asked  atomic.Int32 // requests that were asked for credentials, less those that came with them since
}

// connections numbers the connections of all proxies of the process.
var connections atomic.Uint64

// connectionContext gives the requests of a connection what they share.
func connectionContext(ctx context.Context, nc net.Conn) context.Context {
	return innerContext(context.WithValue(ctx, connectionKey{}, &connection{number: connections.Add(1)}), nc)
}

// connectionOf returns what is remembered of the connection that a request came on.
func connectionOf(ctx context.Context) *connection {
	if c, ok := ctx.Value(connectionKey{}).(*connection); ok {
		return c
	}
	return new(connection)
}

// answersQuestion is called for a request that came with credentials. It reports
// whether an earlier one was asked for them and no other has answered that yet; if
// so, this one has.
func (c *connection) answersQuestion() bool {
	if c.asked.Load() <= 0 {
		return false
	}
	if c.asked.Add(-1) < 0 { // another request was quicker
		c.asked.Add(1)
		return false
	}
	return true
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
