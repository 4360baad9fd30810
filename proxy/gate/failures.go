package gate

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"guise/cache/lru"
)

// Guessing: a source has freeFailures attempts, and then waits for a second, two, four
// and so on before each further one. So does a /48 of IPv6 after freeIn48, since many a
// customer has one, with all its sources (RFC 6177 §2); others are shared by many
// customers, some of whom always have an old password, so failures fade there.
const (
	freeFailures = 5
	freeIn48     = 100
	fadesIn48    = time.Minute // until one failure is forgotten
	longestWait  = 5 * time.Minute
	failuresTime = 15 * time.Minute // a source that has been quiet for so long starts afresh
	failuresSize = 16384
)

// failures slows down sources that present wrong credentials. It is safe for
// concurrent use.
type failures struct {
	mu      sync.Mutex
	sources *simplelru.LRU[netip.Prefix, failed]
	seed    maphash.Seed
}

type failed struct {
	count int
	last  time.Time
	whose uint64 // the name that all were for, as a number; 0 for several
}

func newFailures() *failures {
	return &failures{seed: maphash.MakeSeed(), sources: lru.New[netip.Prefix, failed](failuresSize)}
}

// A guesser is who failures are counted for.
type guesser struct {
	netip.Prefix
	free  int           // attempts
	fades time.Duration // until one failure is forgotten; 0 for never
}

// guessersAt returns what failures of source, a result of NetworkOf, are counted for.
func guessersAt(source netip.Addr) []guesser {
	if source.Is4() {
		return []guesser{{netip.PrefixFrom(source, 32), freeFailures, 0}}
	}
	return []guesser{{netip.PrefixFrom(source, 64), freeFailures, 0}, {netip.PrefixFrom(source, 48).Masked(), freeIn48, fadesIn48}}
}

// count returns how many of s's failures still count.
func (g guesser) count(s failed, now time.Time) int {
	quiet := now.Sub(s.last)
	switch {
	case quiet > failuresTime:
		return 0
	case g.fades == 0:
		return s.count
	}
	return max(0, s.count-int(quiet/g.fades))
}

// wait returns how long source has to wait before its next attempt. If that is 0 the
// attempt is counted as begun: there is one at a time.
func (f *failures) wait(source netip.Addr, now time.Time) (left time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	slowed := make(map[netip.Prefix]failed)
	for _, g := range guessersAt(source) {
		s, _ := f.sources.Peek(g.Prefix)
		count := g.count(s, now)
		if count < g.free {
			continue
		}
		pause := longestWait
		if doublings := count - g.free; doublings < 9 {
			pause = min(time.Second<<doublings, longestWait)
		}
		left = max(left, s.last.Add(pause).Sub(now))
		slowed[g.Prefix] = failed{count, now, s.whose}
	}
	if left > 0 {
		return left
	}
	for prefix, s := range slowed {
		f.sources.Add(prefix, s)
	}
	return 0
}

// add counts a failure of source to prove that it is name.
func (f *failures) add(source netip.Addr, name string, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, g := range guessersAt(source) {
		s, _ := f.sources.Get(g.Prefix)
		count, whose := g.count(s, now), f.number(name)
		if count > 0 && s.whose != whose {
			whose = 0
		}
		f.sources.Add(g.Prefix, failed{count + 1, now, whose})
	}
}

// forget takes source's failures back if all were for name, which it has proved to be
// now. Others stay: whoever has an account could guess on as somebody else.
func (f *failures) forget(source netip.Addr, name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	prefix := guessersAt(source)[0].Prefix
	if s, ok := f.sources.Peek(prefix); ok && s.whose == f.number(name) {
		f.sources.Remove(prefix)
	}
}

// number tells names apart, of which strangers make up long ones. It is not 0.
func (f *failures) number(name string) uint64 { return maphash.String(f.seed, name) | 1 }
