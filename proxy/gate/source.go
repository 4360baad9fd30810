package gate

import (
	"net/netip"
	"time"
)

// Refusals. To say no costs little; to say it ten thousand times a second to one
// client costs all others a lot. So each source gets refusalBurst refusals at once
// and refusalRate a second from then on. Others wait for their turn, for no longer
// than longestHold; where the queue is longer than that, there is no answer.
const (
	refusalRate  = 20
	refusalBurst = 100
	longestHold  = 10 * time.Second
)

// Hold returns how long the answer to a client at addr that is not let in
// should be held back. Call it once for each such answer. If ok is false, too
// many wait already: give no answer.
func (g *Gate) Hold(addr netip.Addr) (wait time.Duration, ok bool) {
	return g.refusal(addr, longestHold)
}

// Answers reports whether a client at addr that is not let in should be answered;
// if so, at once. It is [Gate.Hold] for answers that cannot be held back.
func (g *Gate) Answers(addr netip.Addr) bool {
	_, now := g.refusal(addr, 0)
	return now
}

func (g *Gate) refusal(addr netip.Addr, most time.Duration) (wait time.Duration, ok bool) {
	g.count(addr, func(a *account, now time.Duration) {
		wait, ok = a.refused.queue(now, refusalRate, refusalBurst, most)
	})
	return wait, ok
}

// count calls do with the account of the source at addr, and the time since the ledger
// was begun. The ledger's lock is held.
func (g *Gate) count(addr netip.Addr, do func(a *account, now time.Duration)) {
	l := g.state.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.hold(client{network: NetworkOf(addr)})
	defer l.release(a)
	do(a, g.options.Now().Sub(l.begun))
}

// Forgive takes back one refusal of a client at addr. Many clients send credentials
// only when they are asked, on each connection anew, so that every connection costs
// them a refusal. Call it at most once for each such refusal, when a request on the
// same connection is let in. Refusals of others at the same address still count.
func (g *Gate) Forgive(addr netip.Addr) {
	g.count(addr, func(a *account, _ time.Duration) { a.refused.giveBack(refusalRate) })
}

// Disturbances: what costs this side something and brings nobody anything,
// such as a request that is cancelled at once. Each connection may make some;
// all connections of a source together have these limits.
const (
	disturbanceRate  = 500
	disturbanceBurst = 2500
)

// Disturbed tells that a client at addr has made n disturbances, and reports
// whether its source may go on like that. Where requests are not limited,
// neither are these.
func (g *Gate) Disturbed(addr netip.Addr, n int) (ok bool) {
	if g.options.Client.Requests == 0 {
		return true
	}
	g.count(addr, func(a *account, now time.Duration) {
		ok = a.disturbed.takeMany(now, n, disturbanceRate, disturbanceBurst)
	})
	return ok
}

// connectionsPerRequest is how many connections a source may open for each request
// that it may make. One is enough; the others let a client that is over its limit
// connect to be told so.
const connectionsPerRequest = 3

// A connection that had to be cut counts as all that could have come within
// cutCosts, but no source is kept away for longer than longestAway: there may be
// others behind the same address.
const (
	cutCosts    = time.Second
	longestAway = 10 * time.Second
)

// Cut tells that a connection from addr was cut for what the client did on it. It delays
// the client's next ones.
func (g *Gate) Cut(addr netip.Addr) {
	each := g.options.Client
	if each.Requests == 0 {
		return
	}
	rate, burst := each.connectionRate()
	g.count(addr, func(a *account, now time.Duration) {
		a.arrivals.delay(now, cutCosts, longestAway, rate, burst)
	})
}

// longestQueue is how long a handshake waits at most for its turn.
const longestQueue = 2 * time.Second

// Handshake asks for leave to begin a TLS handshake with a client at addr, and
// returns how long to wait before. It costs the client next to nothing, and
// this side as much as dozens of requests; but nobody needs more connections
// than requests, so they come at the rate of those. It returns an [*Over] if
// too many wait already.
func (g *Gate) Handshake(addr netip.Addr) (wait time.Duration, err error) {
	each := g.options.Client
	if each.Requests == 0 {
		return 0, nil
	}
	ok := false
	g.count(addr, func(a *account, now time.Duration) {
		wait, ok = a.handshakes.queue(now, each.Requests, each.Burst, longestQueue)
	})
	if !ok {
		return 0, &Over{Limit: "handshakes", Quota: int64(each.Requests), Window: time.Second, Retry: wait}
	}
	return wait, nil
}
