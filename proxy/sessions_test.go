package proxy

import (
	"crypto/tls"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

// TestSessionsLastNoLongerThanConnections: who is answered quicker, since a session is
// resumed, learns that somebody was there.
func TestSessionsLastNoLongerThanConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, state := newSessions(), new(tls.ClientSessionState)
		s.Put("a", state)
		s.Put("b", state)
		time.Sleep(warmFor)
		if got, ok := s.Get("a"); !ok || got != state {
			t.Error("none while a connection may be there")
		}
		s.Put("b", nil)
		if _, ok := s.Get("b"); ok {
			t.Error("one that is used up stays")
		}
		time.Sleep(time.Second)
		if _, ok := s.Get("a"); ok {
			t.Error("one of longer ago is resumed")
		}
		s.Put("a", state)
		if _, ok := s.Get("a"); !ok {
			t.Error("a new one is not")
		}
		for n := range 2 * mostSessions {
			s.Put(strconv.Itoa(n), state)
		}
		if len(s.kept) != mostSessions {
			t.Errorf("%d are kept", len(s.kept))
		}
	})
}
