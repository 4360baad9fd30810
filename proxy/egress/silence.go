package egress

import (
	"errors"
	"sync"
	"time"
)

// systemServers knows which of the system's name servers are silent. package net asks them
// in the order of resolv.conf for each name anew, and waits five seconds for one that is
// not there before it asks the next. A silent one is passed over while another answers,
// and asked again now and then. The zero value knows nothing; it is safe for concurrent
// use.
type systemServers struct {
	mu    sync.Mutex
	known map[string]*systemServer // by address
}

// A systemServer is what is known of one.
type systemServer struct {
	answered time.Time // when it did last; zero for never
	silent   time.Time // when it did not; zero if it has answered since
	again    time.Time // when it was asked last although it was silent
}

const (
	passedOver  = 10 * time.Second       // a silent one, until it is asked again
	againWaited = 500 * time.Millisecond // for its answer then
)

// errPassedOver has package net ask the next name server.
var errPassedOver = errors.New("the name server was silent")

// of returns what is known of the server at address; n.mu is held.
func (n *systemServers) of(address string) *systemServer {
	s := n.known[address]
	if s == nil {
		if n.known == nil {
			n.known = make(map[string]*systemServer)
		}
		s = new(systemServer)
		n.known[address] = s
	}
	return s
}

// ask reports whether the server at address is to be asked now, and how long it may be
// waited for at the most; 0 for as long as package net does.
func (n *systemServers) ask(address string) (most time.Duration, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.of(address)
	switch now := time.Now(); {
	case s.silent.IsZero() || !n.otherThan(s):
		return 0, true
	case now.Sub(s.again) >= passedOver:
		s.again = now
		return againWaited, true
	}
	return 0, false
}

// otherThan reports whether another server has answered since s was silent; n.mu is held.
func (n *systemServers) otherThan(s *systemServer) bool {
	for _, other := range n.known {
		if other.silent.IsZero() && other.answered.After(s.silent) {
			return true
		}
	}
	return false
}

// answered notes an answer of the server at address.
func (n *systemServers) answered(address string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.of(address)
	s.answered, s.silent = time.Now(), time.Time{}
}

// silent notes that it did not answer what it was asked at a time. If it has answered
// something else since, this is about the name alone.
func (n *systemServers) silent(address string, asked time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.of(address)
	if s.answered.After(asked) {
		return
	}
	s.again = time.Now()
	if s.silent.IsZero() {
		s.silent = s.again
	}
}
