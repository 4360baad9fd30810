package gate

import (
	"context"
	"runtime/debug"
	"time"
)

// To decode an answer can take 16 MiB until its end, and a dozen bytes of an origin's are
// enough for that. So each client may have decodingAtOnce of those and, where memory is
// limited, all together a quarter of it, and one client half of that: an origin can take as
// long as it likes. The next one waits.
const (
	decodingTakes    = 16 << 20 // bytes
	decodingAtOnce   = 64
	decodingLeast    = 2       // of all, however little memory there is
	decodingMost     = 1 << 16 // where there is no limit
	decodingPatience = 10 * time.Second
)

// decodingInAll returns how many answers are decoded at once within a limit of memory.
func decodingInAll(limit int64) int {
	return int(min(max(limit/4/decodingTakes, decodingLeast), decodingMost))
}

// decodingOfOne returns how many answers of inAll are decoded at once for one client.
func decodingOfOne(inAll int) int { return max(min(inAll/2, decodingAtOnce), 1) }

// newDecoding has one place for each answer that may be decoded for all clients.
func newDecoding() chan struct{} {
	return make(chan struct{}, decodingInAll(debug.SetMemoryLimit(-1)))
}

// Decode waits for leave to decode an answer for e. If ok is false, there was none for a
// while, or ctx has ended. Else call end, once, when the answer has ended.
func (g *Gate) Decode(ctx context.Context, e Entrant) (end func(), ok bool) {
	l := g.state.ledger
	l.mu.Lock()
	a := l.hold(e.client())
	if a.decoding == nil {
		a.decoding = make(chan struct{}, decodingOfOne(cap(l.total.decoding)))
	}
	own, all := a.decoding, l.total.decoding
	l.mu.Unlock()
	leave := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.release(a)
	}
	ended, ok := takeTurn(ctx, own, decodingPatience)
	if !ok {
		leave()
		return nil, false
	}
	endedOfAll, ok := takeTurn(ctx, all, decodingPatience)
	if !ok {
		ended()
		leave()
		return nil, false
	}
	return func() { endedOfAll(); ended(); leave() }, true
}
