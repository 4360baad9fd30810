package proxy

import (
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"guise/proxy/gate"
	"guise/proxy/tunnel"
)

// A guest is a client whose request has become a tunnel.
type guest struct {
	pass gate.Pass
	of   *guests            // nil for nobody's
	end  func(tunnel.Bytes) // tells that there is no tunnel any more
}

// How often the gate's files are looked at for a change, and how often all guests are
// judged without one: some passes expire.
const (
	guestsLook  = 2 * time.Second
	guestsJudge = time.Minute
)

// errShutOut ends the tunnel of a guest that may not enter any more.
var errShutOut = errors.New("client may not enter any more")

// guests are the clients with tunnels that one gate let in. The gate is asked about every
// request, but a tunnel would go on though the account is gone, so its guest is judged
// again. A reload is for those who come: guests keep their gate. It is safe for
// concurrent use.
type guests struct {
	gate  *gate.Gate
	every time.Duration // guestsLook

	mu      sync.Mutex
	stays   map[*stay]struct{}
	timer   *time.Timer // for the next look; nil until there was one
	looks   bool        // timer runs
	seen    uint64      // version of the gate at the last look
	version uint64      // version of the gate when all were judged last
	judged  time.Time   // when that was
}

// A stay is the tunnel of a guest.
type stay struct {
	pass gate.Pass
	cut  func(error)
	over bool // guarded by guests.mu
}

// begins adds a stay, and cuts it if its guest may not enter any more.
func (g *guests) begins(s *stay) {
	if g != nil && g.add(s) && !g.gate.Holds(s.pass) {
		s.cut(errShutOut)
	}
}

// add adds a stay. It reports false for one that is over already.
func (g *guests) add(s *stay) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s.over {
		return false
	}
	if g.stays == nil {
		g.stays = make(map[*stay]struct{})
	}
	g.stays[s] = struct{}{}
	if !g.looks && g.gate.Version() > 0 {
		g.lookAgain()
	}
	return true
}

// ends forgets a stay, which may not have begun yet.
func (g *guests) ends(s *stay) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	s.over = true
	delete(g.stays, s)
}

// lookAgain has look run in a while; g.mu is held.
func (g *guests) lookAgain() {
	g.looks = true
	if g.timer == nil {
		g.timer = time.AfterFunc(g.every, g.look)
		return
	}
	g.timer.Reset(g.every)
}

// look judges all guests if there is a reason to, for as long as there are any. A file
// that changes is left alone until the next look: it may be half written.
func (g *guests) look() {
	version := g.gate.Version()
	g.mu.Lock()
	due := version == g.seen && (version != g.version || time.Since(g.judged) >= guestsJudge)
	g.seen = version
	if g.looks = false; version > 0 && len(g.stays) > 0 {
		g.lookAgain()
	}
	g.mu.Unlock()
	if due {
		g.judge()
	}
}

// judge shuts out who may not enter any more.
func (g *guests) judge() {
	g.mu.Lock()
	g.version, g.judged = g.gate.Version(), time.Now()
	stays := slices.Collect(maps.Keys(g.stays))
	g.mu.Unlock()
	for _, s := range stays {
		if !g.gate.Holds(s.pass) {
			s.cut(errShutOut)
		}
	}
}
