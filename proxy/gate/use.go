package gate

import (
	"context"
	"time"
)

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

// allow checks a new request against all limits; l.mu is held. The client's come first: a
// client over those uses up nothing of the limits of all.
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
