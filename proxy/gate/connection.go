package gate

import (
	"net/netip"
	"time"
)

// A Connection is one that a client has open. A nil Connection is not counted.
type Connection struct {
	gate    *Gate
	account *account
}

// Connect asks for leave to serve a connection from addr. It returns [ErrNotAdmitted] or
// an [*Over]. Call [Connection.Close] when it ends or has become a tunnel. At a limit of
// connections it calls giveWay, which closes one that counts towards it, and reports
// whether there was one; nil closes none.
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
