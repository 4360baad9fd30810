package wire

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	watchInterval  = 500 * time.Millisecond
	watchesTillEnd = 4 // a closed connection without a write counts as gone after so many looks
)

// watch looks every watchInterval at the sockets of requests that have been
// running since the look before, and cancels those whose client is gone. One
// goroutine for all connections, and nothing at all for fast requests, is what
// makes this cheaper than a reading goroutine for each.
func (s *Server) watch(stop <-chan struct{}) {
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	var conns []*conn
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		s.mu.Lock()
		for c := range s.conns {
			conns = append(conns, c)
		}
		s.mu.Unlock()
		for _, c := range conns {
			c.look()
		}
		clear(conns)
		conns = conns[:0]
	}
}

// peerState is what a socket tells about the other side.
type peerState int

const (
	peerThere  peerState = iota // or not known
	peerClosed                  // sends nothing more; may or may not read
	peerGone                    // reset
)

// A watched is a connection's state for [Server.watch], which alone uses all
// but the counters.
type watched struct {
	serial atomic.Uint64 // odd while a request runs; grows with each start and end
	writes atomic.Uint64 // writes to the client

	lastSerial, lastWrites uint64
	closedFor              int
}

// look cancels the running request if the client is gone.
func (c *conn) look() {
	w := &c.watched
	serial, writes := w.serial.Load(), w.writes.Load()
	running := serial%2 == 1 && serial == w.lastSerial
	quiet := running && writes == w.lastWrites
	w.lastSerial, w.lastWrites = serial, writes
	if !running {
		w.closedFor = 0
		return
	}
	e := c.running.Load()
	if e == nil {
		return
	}
	switch probePeer(c.nc) {
	case peerGone:
		e.ctx.cancel(context.Canceled)
	case peerClosed:
		if !quiet {
			w.closedFor = 0
		}
		if w.closedFor++; w.closedFor >= watchesTillEnd {
			e.ctx.cancel(context.Canceled)
		}
	default:
		w.closedFor = 0
	}
}

// A requestContext is the context of one request. Its values are those of the
// connection's context, whose cancellation it does not follow. It is made for
// being part of a larger struct and for being cancelled without anybody
// listening: unlike [context.WithCancel] it then allocates nothing.
type requestContext struct {
	context.Context

	mu    sync.Mutex
	done  chan struct{} // made when asked for
	err   error
	first func() // as most contexts have no more than one
	turn  uint64 // how many first there were
	funcs map[*func()]struct{}
}

func (c *requestContext) Deadline() (time.Time, bool) { return time.Time{}, false }

func (c *requestContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		if c.err != nil {
			close(c.done)
		}
	}
	return c.done
}

func (c *requestContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// AfterFunc implements what the context package looks for in foreign contexts
// before it starts a goroutine to wait for Done.
func (c *requestContext) AfterFunc(f func()) (stop func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		go f()
		return func() bool { return false }
	}
	if c.first == nil {
		c.first = f
		c.turn++
		turn := c.turn
		return func() bool { return c.dropFirst(turn) }
	}
	if c.funcs == nil {
		c.funcs = make(map[*func()]struct{})
	}
	key := &f
	c.funcs[key] = struct{}{}
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		_, pending := c.funcs[key]
		delete(c.funcs, key)
		return pending
	}
}

// dropFirst takes back what has not run yet.
func (c *requestContext) dropFirst(turn uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.first == nil || c.turn != turn {
		return false
	}
	c.first = nil
	return true
}

// cancel ends the context with err; the first call counts.
func (c *requestContext) cancel(err error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.err = err
	if c.done != nil {
		close(c.done)
	}
	first, funcs := c.first, c.funcs
	c.first, c.funcs = nil, nil
	c.mu.Unlock()
	if first != nil {
		go first()
	}
	for f := range funcs {
		go (*f)()
	}
}
