package gate

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	memorySize = 4096            // proofs remembered
	memoryTime = 5 * time.Minute // and for how long

	friendTime = 24 * time.Hour
)

// A memory remembers proofs that were right, so that a slow check does not
// cost every request. It holds no secret: only what a key of this process
// makes of one. It is safe for concurrent use.
type memory struct {
	key [32]byte

	mu      sync.Mutex
	right   *simplelru.LRU[[32]byte, time.Time] // until when
	friends *simplelru.LRU[friend, time.Time]   // since when
}

// A friend is a password that let somebody in from a source: a telephone that
// still has an old one must not shut out the whole house. Two bytes of a digest
// tell it from what is guessed there, and are too few to find a password by.
type friend struct {
	source netip.Addr
	mark   [2]byte
}

func newMemory() *memory {
	m := &memory{}
	rand.Read(m.key[:]) // never fails (crypto/rand)
	m.right, _ = simplelru.NewLRU[[32]byte, time.Time](memorySize, nil)
	m.friends, _ = simplelru.NewLRU[friend, time.Time](memorySize, nil)
	return m
}

// digest names the proof that parts make up together.
func (m *memory) digest(parts ...[]byte) (digest [32]byte) {
	mac := hmac.New(sha256.New, m.key[:])
	var length [8]byte
	for _, part := range parts {
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		mac.Write(length[:])
		mac.Write(part)
	}
	mac.Sum(digest[:0])
	return digest
}

func (m *memory) has(digest [32]byte, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	until, ok := m.right.Get(digest)
	if ok && !now.Before(until) {
		m.right.Remove(digest)
		return false
	}
	return ok
}

// add remembers a proof, at most until the given time if that is not zero.
func (m *memory) add(digest [32]byte, now, most time.Time) {
	until := now.Add(memoryTime)
	if !most.IsZero() && most.Before(until) {
		until = most
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.right.Add(digest, until)
}

func (m *memory) friend(c credentials) friend {
	name, _, _ := strings.Cut(c.user, "+")
	digest := m.digest([]byte("friend"), c.source.AsSlice(), []byte(name), []byte(c.password))
	return friend{c.source, [2]byte(digest[:2])}
}

// befriend remembers the password of c, which was right.
func (m *memory) befriend(c credentials, now time.Time) {
	if c.password == "" {
		return
	}
	f := m.friend(c)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.friends.Add(f, now)
}

// familiar reports whether the password of c was right lately.
func (m *memory) familiar(c credentials, now time.Time) bool {
	f := m.friend(c)
	m.mu.Lock()
	defer m.mu.Unlock()
	since, ok := m.friends.Peek(f)
	return ok && now.Sub(since) < friendTime
}

// estrange forgets the password of c, which was wrong.
func (m *memory) estrange(c credentials) {
	f := m.friend(c)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.friends.Remove(f)
}

// Guessing: a source has so many attempts, and then waits for a second, two,
// four and so on before each further one.
const (
	freeFailures = 5
	longestWait  = 5 * time.Minute
	failuresTime = 15 * time.Minute // a source that has been quiet for so long starts afresh
	failuresSize = 16384
)

// failures slows down sources that present wrong credentials. It is safe for
// concurrent use.
type failures struct {
	mu      sync.Mutex
	sources *simplelru.LRU[netip.Addr, failed]
}

type failed struct {
	count int
	last  time.Time
}

func newFailures() *failures {
	f := &failures{}
	f.sources, _ = simplelru.NewLRU[netip.Addr, failed](failuresSize, nil)
	return f
}

// wait returns how long source has to wait before its next attempt. With 0 the
// attempt is under way: one at a time.
func (f *failures) wait(source netip.Addr, now time.Time) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, ok := f.sources.Peek(source)
	if !ok || s.count < freeFailures {
		return 0
	}
	pause := longestWait
	if doublings := s.count - freeFailures; doublings < 9 {
		pause = min(time.Second<<doublings, longestWait)
	}
	if left := s.last.Add(pause).Sub(now); left > 0 {
		return left
	}
	s.last = now
	f.sources.Add(source, s)
	return 0
}

func (f *failures) add(source netip.Addr, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, _ := f.sources.Get(source)
	if now.Sub(s.last) > failuresTime {
		s.count = 0
	}
	s.count, s.last = s.count+1, now
	f.sources.Add(source, s)
}

func (f *failures) forget(source netip.Addr) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sources.Remove(source)
}
