package gate

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// maxIdle is how many clients are remembered that have nothing open, of those with
// an account and of those without: whoever comes from ever more networks must not
// have an account forgotten, and with it what that spent today. Clients that have
// something open are bounded by the descriptors of the process.
const maxIdle = 1 << 16

// A ledger holds what is open and spent, by client. A client that has
// anything open stays; of the others the latest are kept. It is safe for
// concurrent use.
type ledger struct {
	mu       sync.Mutex
	begun    time.Time // what durations count from, before anything happened
	active   map[client]*account
	accounts *simplelru.LRU[client, *account] // idle ones
	networks *simplelru.LRU[client, *account] // the same, of clients without an account
	total    account
}

// An account is what one client, or all together, have open and spent.
type account struct {
	key                            client
	holds                          int // connections and uses that refer to it
	connections, requests, tunnels int // guarded by ledger.mu, like all above and buckets
	rate, tunnelRate, refused      bucket
	handshakes, arrivals           bucket
	disturbed                      bucket
	volume                         volume
	pace                           *pace // nil until bandwidth is shaped
}

// A pace shapes the bandwidth of an account; as a whole it is one flow in
// that of all clients.
type pace struct {
	up, down         shaper
	upFlow, downFlow flow
}

func newLedger() *ledger {
	l := &ledger{begun: time.Now().Add(-day), active: make(map[client]*account)}
	l.accounts, _ = simplelru.NewLRU[client, *account](maxIdle, nil)
	l.networks, _ = simplelru.NewLRU[client, *account](maxIdle, nil)
	l.total.pace = new(pace)
	return l
}

// idle holds key when it has nothing open.
func (l *ledger) idle(key client) *simplelru.LRU[client, *account] {
	if key.account != "" {
		return l.accounts
	}
	return l.networks
}

// hold returns the account of key; l.mu is held.
func (l *ledger) hold(key client) *account {
	a, ok := l.active[key]
	if !ok {
		if a, ok = l.idle(key).Peek(key); ok {
			l.idle(key).Remove(key)
		} else {
			a = &account{key: key}
		}
		l.active[key] = a
	}
	a.holds++
	return a
}

// release undoes a hold; l.mu is held.
func (l *ledger) release(a *account) {
	if a.holds--; a.holds > 0 {
		return
	}
	delete(l.active, a.key)
	a.pace = nil // nobody is in it, and it fills up within a second
	l.idle(a.key).Add(a.key, a)
}

// A volume counts bytes from midnight to midnight UTC. It is safe for
// concurrent use; bytes carried in the instant of midnight may be lost.
type volume struct {
	day   atomic.Int64
	spent atomic.Int64
}

const day = 24 * time.Hour

func (v *volume) add(now time.Time, n int64) (spent int64) {
	if today := dayOf(now); v.day.Swap(today) != today {
		v.spent.Store(0)
	}
	return v.spent.Add(n)
}

// on returns what was spent on a day.
func (v *volume) on(day int64) int64 {
	if v.day.Load() != day {
		return 0
	}
	return v.spent.Load()
}

func dayOf(t time.Time) int64 { return t.Unix() / int64(day/time.Second) }

// untilMidnight is how long a spent volume stays spent.
func untilMidnight(now time.Time) time.Duration {
	return now.Truncate(day).Add(day).Sub(now)
}

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

// count has do change what is counted of the source at addr, at a time since the
// ledger was begun.
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
	l := g.state.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	source := client{network: NetworkOf(addr)}
	a, ok := l.active[source]
	if !ok {
		a, ok = l.networks.Peek(source)
	}
	if ok {
		a.refused.giveBack(refusalRate)
	}
}

// Disturbances: what costs this side something and brings nobody anything,
// such as a request that is taken back at once. One connection may have some;
// many together must not have as many times that.
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
// that it may make. It needs one at most; the others let a client that does too much
// come and be told so.
const connectionsPerRequest = 3

// A connection that had to be cut counts as those that could have come
// meanwhile, but no source is kept away for long: there may be others behind
// the same address.
const (
	cutCosts    = time.Second
	longestAway = 10 * time.Second
)

// Cut tells that a connection from addr was cut for what the client did on it.
// Its next ones come later for that.
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

// A Connection is one that a client has open. A nil Connection is not counted.
type Connection struct {
	gate    *Gate
	account *account
}

// Connect asks for leave to serve a connection from addr. It returns
// [ErrNotAdmitted] or an [*Over]. Call [Connection.Close] when it ends or has
// become a tunnel. At a limit of connections it calls giveWay, which closes one that
// counts in it, and reports whether it did; nil for where none may give way.
func (g *Gate) Connect(addr netip.Addr, giveWay func(*Over) bool) (*Connection, error) {
	if err := g.Admit(addr); err != nil {
		return nil, err
	}
	each, all := g.options.Client, g.options.Total
	if each.Connections == 0 && each.Requests == 0 && all.Connections == 0 {
		return nil, nil
	}
	l := g.state.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.hold(client{network: NetworkOf(addr)})
	over := l.allowArrival(a, g.options.Now(), each)
	if over == nil {
		over = l.allowConnection(a, each, all)
		for over != nil && giveWay != nil && l.unlocked(func() bool { return giveWay(over) }) {
			over = l.allowConnection(a, each, all)
		}
	}
	if over != nil {
		l.release(a)
		return nil, over
	}
	a.connections++
	l.total.connections++
	return &Connection{g, a}, nil
}

// unlocked calls do without l.mu, which is held.
func (l *ledger) unlocked(do func() bool) bool {
	l.mu.Unlock()
	defer l.mu.Lock()
	return do()
}

// allowArrival checks how fast new connections come; l.mu is held.
func (l *ledger) allowArrival(a *account, now time.Time, each Limits) *Over {
	rate, burst := each.connectionRate()
	if wait := a.arrivals.take(now.Sub(l.begun), rate, burst); wait > 0 {
		return &Over{Limit: "connection-rate", Quota: int64(rate), Window: time.Second, Retry: wait}
	}
	return nil
}

// allowConnection checks a new connection against how many there are; l.mu is held.
func (l *ledger) allowConnection(a *account, each, all Limits) *Over {
	if most := each.Connections; most > 0 && a.connections >= most {
		return &Over{Limit: "connections", Quota: int64(most), Retry: 2 * time.Second}
	}
	if most := all.Connections; most > 0 && l.total.connections >= most {
		return &Over{Limit: "connections", Total: true, Retry: 2 * time.Second}
	}
	return nil
}

// Close tells that the connection is no more. It is called once.
func (c *Connection) Close() {
	if c == nil {
		return
	}
	l := c.gate.state.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	c.account.connections--
	l.total.connections--
	l.release(c.account)
}

// A Use is one request under way, or one tunnel. A nil Use has no limits.
type Use struct {
	gate       *Gate
	account    *account
	tunnel     bool
	pace       *pace
	upFlow     flow
	downFlow   flow
	limit, all Limits
}

// Begin asks for leave to carry out a request. It returns an [*Over] if the
// client, or all clients together, do too much. Call [Use.End] when the
// request, or the tunnel that it has become, has ended.
func (g *Gate) Begin(e Entrant) (*Use, error) {
	each, all := g.options.Client, g.options.Total
	if each == (Limits{}) && all == (Limits{}) {
		return nil, nil
	}
	now := g.options.Now()
	l := g.state.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.hold(e.client())
	if over := l.allow(a, now, each, all); over != nil {
		l.release(a)
		return nil, over
	}
	a.requests++
	l.total.requests++
	u := &Use{gate: g, account: a, limit: each, all: all}
	if each.Upload > 0 || each.Download > 0 || all.Upload > 0 || all.Download > 0 {
		if a.pace == nil {
			a.pace = new(pace)
		}
		u.pace = a.pace
	}
	return u, nil
}

// allow checks a new request against all limits; l.mu is held. The client's
// come first: who is over those takes nothing from the others.
func (l *ledger) allow(a *account, now time.Time, each, all Limits) error {
	since := now.Sub(l.begun)
	if most := each.Daily; most > 0 && a.volume.add(now, 0) >= most {
		return &Over{Limit: "volume", Quota: most, Window: day, Retry: untilMidnight(now)}
	}
	if most := each.Connections; most > 0 && a.requests >= most {
		return &Over{Limit: "connections", Quota: int64(most), Retry: time.Second}
	}
	if wait := a.rate.take(since, each.Requests, each.Burst); wait > 0 {
		return &Over{Limit: "requests", Quota: int64(each.Requests), Window: time.Second, Retry: wait}
	}
	over := &Over{Total: true, Retry: time.Second}
	switch {
	case all.Daily > 0 && l.total.volume.add(now, 0) >= all.Daily:
		over.Limit, over.Retry = "volume", untilMidnight(now)
	case all.Connections > 0 && l.total.requests >= all.Connections:
		over.Limit = "connections"
	default:
		if over.Retry = l.total.rate.take(since, all.Requests, all.Burst); over.Retry == 0 {
			return nil
		}
		over.Limit = "requests"
	}
	a.rate.giveBack(each.Requests)
	return over
}

// Tunnel makes the use one of a tunnel. It returns an [*Over] if there are
// too many, or too many new ones.
func (u *Use) Tunnel() error {
	if u == nil {
		return nil
	}
	l := u.gate.state.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	since, a := u.gate.options.Now().Sub(l.begun), u.account
	if most := u.limit.Tunnels; most > 0 && a.tunnels >= most {
		return &Over{Limit: "tunnels", Quota: int64(most), Retry: 2 * time.Second}
	}
	if wait := a.tunnelRate.take(since, u.limit.TunnelRate, u.limit.Burst); wait > 0 {
		return &Over{Limit: "tunnel-rate", Quota: int64(u.limit.TunnelRate), Window: time.Second, Retry: wait}
	}
	if most := u.all.Tunnels; most > 0 && l.total.tunnels >= most {
		a.tunnelRate.giveBack(u.limit.TunnelRate)
		return &Over{Limit: "tunnels", Total: true, Retry: 2 * time.Second}
	}
	if wait := l.total.tunnelRate.take(since, u.all.TunnelRate, u.all.Burst); wait > 0 {
		a.tunnelRate.giveBack(u.limit.TunnelRate)
		return &Over{Limit: "tunnel-rate", Total: true, Retry: wait}
	}
	a.requests--
	l.total.requests--
	a.tunnels++
	l.total.tunnels++
	u.tunnel = true
	return nil
}

// End tells that the request or tunnel is over. It is called once.
func (u *Use) End() {
	if u == nil {
		return
	}
	l := u.gate.state.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	if u.tunnel {
		u.account.tunnels--
		l.total.tunnels--
	} else {
		u.account.requests--
		l.total.requests--
	}
	l.release(u.account)
}

// Metered reports whether bytes are to be told to [Use.Up] and [Use.Down].
func (u *Use) Metered() bool {
	return u != nil && (u.pace != nil || u.limit.Daily > 0 || u.all.Daily > 0)
}

// Up tells that n bytes went from the client to the origin, and returns when
// the next may. It returns ctx's cause if that ends before, or an [*Over] if
// the volume of the day is spent. Calls for one direction of a use do not overlap.
func (u *Use) Up(ctx context.Context, n int) error {
	if !u.Metered() {
		return nil
	}
	spent := u.spend(n)
	if u.pace == nil {
		return spent
	}
	if err := u.pace.up.take(ctx, &u.upFlow, n, u.limit.Upload); err != nil {
		return err
	}
	total := u.gate.state.ledger.total.pace
	if err := total.up.take(ctx, &u.pace.upFlow, n, u.all.Upload); err != nil {
		return err
	}
	return spent
}

// Down tells the same of the other direction.
func (u *Use) Down(ctx context.Context, n int) error {
	if !u.Metered() {
		return nil
	}
	spent := u.spend(n)
	if u.pace == nil {
		return spent
	}
	if err := u.pace.down.take(ctx, &u.downFlow, n, u.limit.Download); err != nil {
		return err
	}
	total := u.gate.state.ledger.total.pace
	if err := total.down.take(ctx, &u.pace.downFlow, n, u.all.Download); err != nil {
		return err
	}
	return spent
}

// spend counts the volume.
func (u *Use) spend(n int) error {
	if u.limit.Daily == 0 && u.all.Daily == 0 {
		return nil
	}
	now := u.gate.options.Now()
	mine := u.account.volume.add(now, int64(n))
	all := u.gate.state.ledger.total.volume.add(now, int64(n))
	switch {
	case u.limit.Daily > 0 && mine > u.limit.Daily:
		return &Over{Limit: "volume", Quota: u.limit.Daily, Window: day, Retry: untilMidnight(now)}
	case u.all.Daily > 0 && all > u.all.Daily:
		return &Over{Limit: "volume", Total: true, Retry: untilMidnight(now)}
	}
	return nil
}
