package proxy

import (
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"guise/proxy/gate"
)

// barredFor is how long a source stays barred after it came once too often.
const barredFor = 5 * time.Second

// mostBarred bounds the filter that the kernel runs for every SYN.
const mostBarred = 48

// A barrier has the system take no connections from sources that keep coming. A
// client whose connection is accepted and closed is back at once. One that is not
// answered at all is left to its own system, which tries again after one second,
// then after two more, then after four. Connections that are open stay open.
// Where the system cannot do this, nobody is ever barred. The zero value is ready
// to use, and safe for concurrent use.
type barrier struct {
	mu        sync.Mutex
	listeners map[syscall.RawConn]struct{}
	until     map[netip.Addr]time.Time // by gate.NetworkOf of the source
	timer     *time.Timer              // runs lift; nil until it is first set
}

// guard has the barrier stand before l until release is called.
func (b *barrier) guard(l net.Listener) (release func()) {
	raw := rawListener(l)
	if raw == nil {
		return func() {}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.listeners == nil {
		b.listeners = make(map[syscall.RawConn]struct{})
		b.until = make(map[netip.Addr]time.Time)
	}
	b.listeners[raw] = struct{}{}
	b.set(raw)
	b.liftIn(barredFor) // also a filter that the process before this one may have left
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.listeners, raw)
	}
}

// bar keeps the source at addr out for a while, and reports whether it can.
func (b *barrier) bar(addr netip.Addr) bool {
	source := gate.NetworkOf(addr)
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.listeners) == 0 {
		return false
	}
	_, already := b.until[source]
	if !already && len(b.until) >= mostBarred {
		return false
	}
	b.until[source] = time.Now().Add(barredFor)
	if already {
		return true // this connection was accepted before the source was barred
	}
	if !b.setAll() {
		delete(b.until, source)
		b.setAll() // undoes it on listeners that took it: no timer would
		return false
	}
	if len(b.until) == 1 {
		b.liftIn(barredFor)
	}
	return true
}

// liftIn has lift run after d; b.mu is held.
func (b *barrier) liftIn(d time.Duration) {
	if b.timer == nil {
		b.timer = time.AfterFunc(d, b.lift)
	} else {
		b.timer.Reset(d)
	}
}

// lift lets those in again whose time is over.
func (b *barrier) lift() {
	b.mu.Lock()
	defer b.mu.Unlock()
	now, next := time.Now(), barredFor
	for source, until := range b.until {
		if left := until.Sub(now); left > 0 {
			next = min(next, left)
		} else {
			delete(b.until, source)
		}
	}
	b.setAll()
	if len(b.until) > 0 {
		b.liftIn(next)
	}
}

// setAll updates the filter of every listener, and reports whether it could; b.mu is held.
func (b *barrier) setAll() bool {
	stands := true
	for raw := range b.listeners {
		stands = b.set(raw) && stands
	}
	return stands
}

// close lets everybody in: the sockets may live on in a successor.
func (b *barrier) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.until)
	b.setAll()
	clear(b.listeners)
	if b.timer != nil {
		b.timer.Stop()
	}
}
