package gate

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"guise/cache/lru"
)

const (
	memorySize = 4096            // proofs remembered
	memoryTime = 5 * time.Minute // and for how long

	friendTime = 24 * time.Hour // how long a password is familiar; see friend
)

// To look a password up in memory costs nothing, so it would be the fastest way to guess
// the one of somebody who is in. Proofs are therefore remembered by source, and a source
// may present freeLooks unknown ones at once, and lookRate from then on; beyond that none
// is looked up. The latest lookedUp are counted once: a telephone sends its old password
// time and again.
const (
	freeLooks = 1000
	lookRate  = 1 // per second
	lookedUp  = 8 // the latest of a source that are known again
)

// A memory remembers proofs that were right, so that a slow check does not
// cost every request. It holds no secret: only what a key of this process
// makes of one. It is safe for concurrent use.
type memory struct {
	key   [32]byte
	begun time.Time // what durations count from; a day ago, so that none is negative

	mu      sync.Mutex
	right   *simplelru.LRU[[32]byte, time.Time] // until when
	wrong   *simplelru.LRU[[32]byte, time.Time] // likewise, of certificates
	friends *simplelru.LRU[friend, time.Time]   // since when
	looks   *simplelru.LRU[netip.Addr, *looks]  // of sources that presented what was not known
}

// looks are what a source had looked up in vain.
type looks struct {
	spent bucket
	last  [lookedUp]uint64 // marks of proofs, a ring; 0 for none
	next  int
}

// A friend is a password that let somebody in from a source: a telephone that still has
// an old one must not shut out the whole house. Two bytes of a digest tell it from
// guesses, and are too few to find a password by.
type friend struct {
	source netip.Addr
	mark   [2]byte
}

func newMemory() *memory {
	m := &memory{
		begun:   time.Now().Add(-day),
		right:   lru.New[[32]byte, time.Time](memorySize),
		wrong:   lru.New[[32]byte, time.Time](memorySize),
		friends: lru.New[friend, time.Time](memorySize),
		looks:   lru.New[netip.Addr, *looks](failuresSize),
	}
	rand.Read(m.key[:]) // never fails (crypto/rand)
	return m
}

// A Shown is the password that a connection has shown, if it was right: with the same,
// its next request is no guess, whatever others behind its address do. The zero value has
// none. It is safe for concurrent use.
type Shown struct{ digest atomic.Pointer[[32]byte] }

func (s *Shown) is(digest [32]byte) bool {
	if s == nil {
		return false
	}
	shown := s.digest.Load()
	return shown != nil && *shown == digest
}

func (s *Shown) show(digest [32]byte) {
	if s != nil {
		s.digest.Store(&digest)
	}
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

func fresh(proofs *simplelru.LRU[[32]byte, time.Time], digest [32]byte, now time.Time) bool {
	until, ok := proofs.Get(digest)
	if ok && !now.Before(until) {
		proofs.Remove(digest)
		return false
	}
	return ok
}

// judged reports whether a proof was right lately, or wrong.
func (m *memory) judged(digest [32]byte, now time.Time) (right, wrong bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return fresh(m.right, digest, now), fresh(m.wrong, digest, now)
}

// reject remembers a proof that was wrong.
func (m *memory) reject(digest [32]byte, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wrong.Add(digest, now.Add(memoryTime))
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

// lookUp reports whether the proof that digest names is remembered and, if not, whether
// the password of c was right today. It reports neither for a source that has presented
// too many unknown ones.
func (m *memory) lookUp(c credentials, digest [32]byte, now time.Time) (right, familiar bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	since := now.Sub(m.begun)
	l, before := m.looks.Get(c.source)
	if before && l.spent.empty(since, lookRate, freeLooks) {
		return false, false
	}
	if fresh(m.right, digest, now) {
		return true, false
	}
	if !before {
		l = &looks{}
		m.looks.Add(c.source, l)
	}
	if mark := markOf(digest); !slices.Contains(l.last[:], mark) {
		l.last[l.next] = mark
		l.next = (l.next + 1) % len(l.last)
		l.spent.take(since, lookRate, freeLooks)
	}
	met, ok := m.friends.Peek(m.friend(c))
	return false, ok && now.Sub(met) < friendTime
}

// admit remembers a proof of source that turned out right, and takes back that it counted
// as unknown.
func (m *memory) admit(source netip.Addr, digest [32]byte, now time.Time) {
	m.add(digest, now, time.Time{})
	m.mu.Lock()
	defer m.mu.Unlock()
	l, ok := m.looks.Peek(source)
	if !ok {
		return
	}
	if i := slices.Index(l.last[:], markOf(digest)); i >= 0 {
		l.last[i] = 0
		l.spent.giveBack(lookRate)
	}
}

func markOf(digest [32]byte) uint64 { return binary.BigEndian.Uint64(digest[:]) }

func (m *memory) friend(c credentials) friend {
	digest := m.digest([]byte("friend"), c.source.AsSlice(), []byte(c.name()), []byte(c.password))
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

// estrange forgets the password of c, which was wrong.
func (m *memory) estrange(c credentials) {
	f := m.friend(c)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.friends.Remove(f)
}
