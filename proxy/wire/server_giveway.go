package wire

import (
	"cmp"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// A waitKind is what a connection waits for, if its client has no request under way.
type waitKind int

const (
	noWait     waitKind = iota // nothing: a request is under way, or may be
	forAnother                 // another request
	forFirst                   // the first request, or the rest of a head
)

// timeToAsk is how long a connection has for its first request, or the rest of a head,
// before it may give way.
const timeToAsk = time.Second

// searchRest is the pause after a search, for each connection that it looked at: about ten
// times as long as it took.
const searchRest = 5 * time.Microsecond

// A wait is what a connection waits for, and since when, as time after Server.begun.
type wait struct {
	kind  waitKind
	since time.Duration
}

// A candidate is a connection that may give way.
type candidate struct {
	c      *conn // nil once it gave way, or was found not to wait any more
	wait   wait
	client netip.Addr
	beside int // waiting connections of the client, less those of it that go before this one
}

// candidates are the connections that may give way. They are looked for when there is no
// room for a new connection. They are safe for concurrent use.
type candidates struct {
	mu    sync.Mutex
	order []candidate        // the first is to give way first
	held  map[netip.Addr]int // how many connections wait, by client
	again time.Time          // the earliest time of the next search
}

// forget drops all candidates, so that no connection that has ended is kept in memory.
func (w *candidates) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.order, w.held = nil, nil
}

// GiveWay ends a connection whose client has no request under way, which may be done
// at any time (RFC 9112 §9.5, RFC 9113 §9.1), so that a new one of client can take its
// place, and reports whether there was one. Before that, the leave that Admit returned for
// it was called. The client with most waiting connections loses the one that has waited
// longest, unless client has more waiting than that. If own is true, client loses one of
// its own, on which there has been a request.
//
// A request that is on its way is answered still, or over HTTP/2 sent again by the
// client (RFC 9113 §6.8).
func (s *Server) GiveWay(client netip.Addr, own bool) bool {
	w := &s.waiting
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.oneGivesWay(client, own) {
		return true
	}
	now := time.Now()
	if now.Before(w.again) {
		return false
	}
	w.again = now.Add(time.Duration(s.findWaiting(now)) * searchRest)
	return s.oneGivesWay(client, own)
}

// oneGivesWay ends the first candidate that still waits; waiting.mu is held.
func (s *Server) oneGivesWay(client netip.Addr, own bool) bool {
	w := &s.waiting
	for len(w.order) > 0 && w.order[0].c == nil {
		w.order = w.order[1:]
	}
	for i := range w.order {
		v := &w.order[i]
		switch {
		case v.c == nil || own && (v.client != client || v.wait.kind != forAnother):
			continue
		case !own && v.beside < w.held[client]:
			return false // all that follow have no more beside
		}
		c := v.c
		v.c = nil
		if s.end(c, v.wait) {
			w.held[v.client]--
			return true
		}
	}
	return false
}

// end ends c if it still waits as in as.
func (s *Server) end(c *conn, as wait) bool {
	s.mu.Lock()
	_, there := s.conns[c]
	if !there || !c.giveWay(as) {
		s.mu.Unlock()
		return false
	}
	leave := c.leave
	c.leave = nil
	s.mu.Unlock()
	leave()
	return true
}

// findWaiting looks for candidates, and returns how many connections it looked at.
func (s *Server) findWaiting(now time.Time) int {
	w := &s.waiting
	w.order, w.held = nil, make(map[netip.Addr]int)
	s.mu.Lock()
	all := len(s.conns)
	for c := range s.conns {
		as := c.waits()
		if as.kind == noWait || c.leave == nil {
			continue
		}
		client := s.Client(c.from)
		w.held[client]++
		if as.kind == forAnother || now.Sub(s.begun)-as.since >= timeToAsk {
			w.order = append(w.order, candidate{c: c, wait: as, client: client})
		}
	}
	s.mu.Unlock()
	slices.SortFunc(w.order, func(a, b candidate) int { return cmp.Compare(a.wait.since, b.wait.since) })
	before := make(map[netip.Addr]int)
	for i := range w.order {
		v := &w.order[i]
		v.beside = w.held[v.client] - before[v.client]
		before[v.client]++
	}
	slices.SortStableFunc(w.order, func(a, b candidate) int { return cmp.Compare(b.beside, a.beside) })
	return all
}

// waits returns what c waits for.
func (c *conn) waits() wait {
	if h := c.http2.Load(); h != nil {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.waits()
	}
	return c.waitsIn(c.state.Load())
}

// waitsIn returns what c waits for in a state.
func (c *conn) waitsIn(state int32) wait {
	since := time.Duration(c.since.Load())
	switch state {
	case stateIdle:
		return wait{forAnother, since}
	case stateOpening:
		if o, ok := c.accepted.(interruptible); !ok || !o.MayEnd() {
			return wait{}
		}
		fallthrough
	case stateFresh, stateHead:
		return wait{forFirst, since}
	}
	return wait{}
}

// waits returns what h waits for; h.mu is held.
func (h *http2Conn) waits() wait {
	as := wait{forAnother, h.rested.Sub(h.c.srv.begun)}
	switch {
	case len(h.streams)+h.running > 0 || h.leaving != nil || h.going || h.dead:
		return wait{}
	case h.begun == 0:
		as.kind = forFirst
	}
	return as
}

// giveWay ends c if it still waits as in as; Server.mu is held.
func (c *conn) giveWay(as wait) bool {
	if h := c.http2.Load(); h != nil {
		return h.giveWay(as)
	}
	state := c.state.Load()
	if c.waitsIn(state) != as || !c.state.CompareAndSwap(state, stateClosing) {
		return false
	}
	c.yields = true
	c.accepted.SetReadDeadline(longAgo)
	return true
}

// giveWay takes no more streams, if h still waits as in as. By the number in GOAWAY, the
// client knows which streams it has to send elsewhere.
func (h *http2Conn) giveWay(as wait) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.waits() != as {
		return false
	}
	h.c.yields = true
	h.goAway()
	return true
}
