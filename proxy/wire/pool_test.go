package wire

import (
	"net"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// resting adds a connection for a host to p, in the bubble's time.
func resting(t *testing.T, p *pool, host string) *originConn {
	nc, _ := tcpPair(t)
	c := &originConn{nc: nc, key: poolKey{host: host}, probe: newProbe(nc, nil, nil)}
	p.put(c)
	return c
}

// What many requests at once have left is there for as many a moment later,
// and not for long.
func TestPoolKeepsMoreForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pool{perHost: 2, total: 3, idle: time.Minute, brief: 2 * time.Second}
		for range 5 {
			resting(t, p, "a.test")
			if resting(t, p, "b.test").probe == nil {
				t.Skip("connections cannot be asked here, and serve once")
			}
		}
		count := func(a, b int) {
			t.Helper()
			synctest.Wait()
			p.mu.Lock()
			defer p.mu.Unlock()
			idle := func(host string) int {
				if h := p.hosts[poolKey{host: host}]; h != nil {
					return len(h.conns)
				}
				return 0
			}
			if ga, gb := idle("a.test"), idle("b.test"); ga != a || gb != b || p.order.length != a+b {
				t.Errorf("%d and %d idle connections of %d, want %d and %d", ga, gb, p.order.length, a, b)
			}
		}
		time.Sleep(1500 * time.Millisecond)
		count(5, 5)
		used := p.get(poolKey{host: "a.test"}, 0, true)
		other := p.get(poolKey{host: "a.test"}, 0, true)
		third := p.get(poolKey{host: "a.test"}, 0, true)
		count(2, 5)
		for _, c := range []*originConn{used, other, third} {
			p.put(c)
		}
		time.Sleep(500 * time.Millisecond) // the others have rested for two seconds
		count(3, 0)                        // three in all, the ones that were used last
		time.Sleep(1500 * time.Millisecond)
		count(2, 0)
		time.Sleep(time.Minute + p.tick())
		count(0, 0)
	})
}

// An origin may close any of its connections, and not the one first that was used first.
func TestPoolLetsGoOfTheClosed(t *testing.T) {
	p := &pool{perHost: 3, total: 3, idle: time.Minute}
	t.Cleanup(func() { p.clear(true) })
	add := func() (c *originConn, origin net.Conn) {
		nc, origin := tcpPair(t)
		c = &originConn{nc: nc, key: poolKey{host: "a.test"}, probe: newProbe(nc, nil, nil)}
		p.put(c)
		return c, origin
	}
	first, _ := add()
	second, origin := add()
	third, _ := add()
	if first.probe == nil {
		t.Skip("connections cannot be asked here, and serve once")
	}
	origin.Close()
	for second.probe.quiet(true) {
		runtime.Gosched()
	}
	p.mu.Lock()
	p.looked = time.Time{}
	p.mu.Unlock()
	p.reap()
	p.mu.Lock()
	defer p.mu.Unlock()
	if conns := p.hosts[first.key].conns; !slices.Equal(conns, []*originConn{first, third}) || p.order.length != 2 {
		t.Errorf("%d idle connections are left, %d in order", len(conns), p.order.length)
	}
}

// Without a moment for more, the bounds hold at every time.
func TestPoolBoundsHoldAtOnce(t *testing.T) {
	p := &pool{perHost: 2, total: 3, idle: time.Minute}
	defer p.clear(true)
	var all []*originConn
	for range 5 {
		all = append(all, resting(t, p, "a.test"), resting(t, p, "b.test"))
	}
	if n := p.order.length; n != 3 {
		t.Errorf("%d idle connections, want 3", n)
	}
	open := slices.DeleteFunc(all, func(c *originConn) bool { return c.nc.SetDeadline(time.Time{}) != nil })
	if len(open) != 3 {
		t.Errorf("%d are open, want 3", len(open))
	}
}
