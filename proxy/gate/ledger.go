package gate

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"guise/cache/lru"
)

// maxIdle is how many idle clients are remembered, with an account and again without:
// visits from ever more networks must not push out an account, and with it what it spent
// today. Clients that have something open are bounded by the descriptors of the process.
const maxIdle = 1 << 16

// A ledger holds what is open and spent, by client. Clients with anything open stay; of
// idle ones the latest are kept. It is safe for concurrent use.
type ledger struct {
	mu       sync.Mutex
	begun    time.Time // what durations count from; a day ago, so that none is negative
	active   map[client]*account
	accounts *simplelru.LRU[client, *account] // idle ones
	networks *simplelru.LRU[client, *account] // the same, of clients without an account
	total    account
}

// An account is what one client, or all together, have open and spent.
type account struct {
	key                            client
	holds                          int // connections and uses that refer to it
	connections, requests, tunnels int // guarded by ledger.mu, as are key, holds and the buckets
	rate, tunnelRate, refused      bucket
	handshakes, arrivals           bucket
	disturbed                      bucket
	volume                         volume
	pace                           *pace         // nil until bandwidth is shaped
	decoding                       chan struct{} // has one token for each answer that is decoded; nil until one is
}

// A pace shapes the bandwidth of an account; as a whole it is one flow in
// that of all clients.
type pace struct {
	up, down         shaper
	upFlow, downFlow flow
}

func newLedger() *ledger {
	l := &ledger{
		begun:    time.Now().Add(-day),
		active:   make(map[client]*account),
		accounts: lru.New[client, *account](maxIdle),
		networks: lru.New[client, *account](maxIdle),
	}
	l.total.pace = new(pace)
	l.total.decoding = newDecoding()
	return l
}

// idle holds key when it has nothing open.
func (l *ledger) idle(key client) *simplelru.LRU[client, *account] {
	if key.account != "" {
		return l.accounts
	}
	return l.networks
}

// hold returns the account of key; l.mu is held.
func (l *ledger) hold(key client) *account {
	a, ok := l.active[key]
	if !ok {
		if a, ok = l.idle(key).Peek(key); ok {
			l.idle(key).Remove(key)
		} else {
			a = &account{key: key}
		}
		l.active[key] = a
	}
	a.holds++
	return a
}

// release undoes a hold; l.mu is held.
func (l *ledger) release(a *account) {
	if a.holds--; a.holds > 0 {
		return
	}
	delete(l.active, a.key)
	a.pace = nil // nobody is in it, and it fills up within a second
	a.decoding = nil
	l.idle(a.key).Add(a.key, a)
}
