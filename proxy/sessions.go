package proxy

import (
	"crypto/tls"
	"sync"
	"time"
)

// mostSessions bounds how many TLS sessions with origins are kept.
const mostSessions = 1024

// sessions are the TLS sessions with origins that are resumed, for as long as a connection
// may be there as well: a client can tell by the time whether one is, so a session of hours
// ago would tell it that somebody was there. It is safe for concurrent use.
type sessions struct {
	mu   sync.Mutex
	kept map[string]session
}

type session struct {
	state *tls.ClientSessionState
	until time.Time
}

var _ tls.ClientSessionCache = (*sessions)(nil)

func newSessions() *sessions { return &sessions{kept: make(map[string]session)} }

// Get implements [tls.ClientSessionCache].
func (s *sessions) Get(key string) (*tls.ClientSessionState, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known, ok := s.kept[key]
	if !ok || time.Now().After(known.until) {
		return nil, false
	}
	return known.state, true
}

// Put implements [tls.ClientSessionCache].
func (s *sessions) Put(key string, state *tls.ClientSessionState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.kept, key)
	if state == nil { // crypto/tls does not want it any more
		return
	}
	leaveRoom(s.kept, mostSessions)
	s.kept[key] = session{state, time.Now().Add(warmFor)}
}

// leaveRoom drops what m has, until one more makes no more than most.
func leaveRoom[K comparable, V any](m map[K]V, most int) {
	for old := range m { // in no order: any will do
		if len(m) < most {
			return
		}
		delete(m, old)
	}
}
