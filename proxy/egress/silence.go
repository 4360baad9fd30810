package egress

import (
	"cmp"
	"errors"
	"os"
	"sync"
	"time"
)

// systemServers knows which of the system's name servers are silent. package net asks them
// in the order of resolv.conf for each name anew, and waits five seconds for one that is
// not there before it asks the next. A silent one is passed over while another answers,
// and asked again now and then. The zero value knows nothing; it is safe for concurrent
// use.
type systemServers struct {
	list string // the file that names them; "" for /etc/resolv.conf

	mu    sync.Mutex
	known map[string]*systemServer // by address
}

// A systemServer is what is known of one name server.
type systemServer struct {
	answered time.Time // when it answered last; zero for never
	told     time.Time // likewise, something of the name
	silent   time.Time // when it first did not; zero if it has answered since
	listed   time.Time // when the list of then was made
	again    time.Time // when it was last asked, or found silent, since then
}

const (
	passedOver  = 10 * time.Second       // how long a silent server is not asked
	againWaited = 500 * time.Millisecond // how long it has for an answer after that
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

// ask reports whether the server at address is to be asked now, and how long to wait for
// its answer; 0 for as long as package net does.
func (n *systemServers) ask(address string) (maxWait time.Duration, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.of(address)
	switch now := time.Now(); {
	case s.silent.IsZero() || !n.otherThan(s):
		return 0, true
	case !s.listed.Equal(n.listed()): // the other may not be on the list any more
		s.silent = time.Time{}
		return 0, true
	case now.Sub(s.again) >= passedOver:
		s.again = now
		return againWaited, true
	}
	return 0, false
}

// listed returns when the list of servers was made, as package net looks at it: the zero
// time where there is none.
func (n *systemServers) listed() time.Time {
	info, err := os.Stat(cmp.Or(n.list, "/etc/resolv.conf"))
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// otherThan reports whether another server has told something since s was silent; n.mu is
// held.
func (n *systemServers) otherThan(s *systemServer) bool {
	for _, other := range n.known {
		if other.silent.IsZero() && other.told.After(s.silent) {
			return true
		}
	}
	return false
}

// answered notes an answer of the server at address. One that tells nothing of the name,
// as who fails or refuses, makes it no other to ask.
func (n *systemServers) answered(address string, tells bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.of(address)
	s.answered, s.silent = time.Now(), time.Time{}
	if tells {
		s.told = s.answered
	}
}

// silent notes that the server did not answer a question of the time asked. If it has
// answered another since, the fault is that of the name.
func (n *systemServers) silent(address string, asked time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.of(address)
	if s.answered.After(asked) {
		return
	}
	s.again = time.Now()
	if s.silent.IsZero() {
		s.silent, s.listed = s.again, n.listed()
	}
}
