package gate

import (
	"context"
	"time"
)

// To decode an answer can take 16 MiB, which a dozen bytes of an origin's make it hold for
// as long as it lasts. So a client has so many of those at once; the next one waits.
const (
	decodingAtOnce   = 64
	decodingPatience = 10 * time.Second
)

// Decode waits for leave to decode an answer for e. If ok is false, there was none for a
// while, or ctx has ended. Else call end, once, when the answer has ended.
func (g *Gate) Decode(ctx context.Context, e Entrant) (end func(), ok bool) {
	l := g.state.ledger
	l.mu.Lock()
	a := l.hold(e.client())
	if a.decoding == nil {
		a.decoding = make(chan struct{}, decodingAtOnce)
	}
	decoding := a.decoding
	l.mu.Unlock()
	leave := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.release(a)
	}
	done, ok := takeTurn(ctx, decoding, decodingPatience)
	if !ok {
		leave()
		return nil, false
	}
	return func() { done(); leave() }, true
}
