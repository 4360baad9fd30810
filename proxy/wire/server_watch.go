package wire

import (
	"context"
	"maps"
	"slices"
	"sync/atomic"
	"time"
)

const (
	watchInterval  = 500 * time.Millisecond
	watchesTillEnd = 4 // looks at a closed connection without a write, before its client is asked or counts as gone
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
		conns = slices.AppendSeq(conns, maps.Keys(s.conns))
		s.mu.Unlock()
		s.waiting.forget()
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
	closedFor              int  // looks since the client ended its sending half, or since the last write
	asked                  bool // the client was sent a 100 to see whether it still reads
}

// look cancels the running request if the client is gone.
func (c *conn) look() {
	w := &c.watched
	serial, writes := w.serial.Load(), w.writes.Load()
	running := serial%2 == 1 && serial == w.lastSerial
	quiet := running && writes == w.lastWrites
	w.lastSerial, w.lastWrites = serial, writes
	if !running {
		w.closedFor, w.asked = 0, false
		return
	}
	e := c.running.Load()
	if e == nil {
		return
	}
	switch probePeer(c.nc) {
	case peerGone:
		e.ctx.Cancel(context.Canceled)
	case peerClosed:
		if !quiet {
			w.closedFor = 0
		}
		if w.closedFor++; w.closedFor >= watchesTillEnd && !w.asked {
			if w.asked = e.w.askWhetherRead(); !w.asked {
				e.ctx.Cancel(context.Canceled)
			}
		}
	default:
		w.closedFor = 0
	}
}
