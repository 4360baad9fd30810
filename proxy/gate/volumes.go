package gate

import (
	"encoding/gob"
	"fmt"
	"io"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// A volume counts bytes from midnight to midnight UTC. It is safe for
// concurrent use; bytes carried in the instant of midnight may be lost.
type volume struct {
	day   atomic.Int64
	spent atomic.Int64
}

const day = 24 * time.Hour

func (v *volume) add(now time.Time, n int64) (spent int64) {
	if today := dayOf(now); v.day.Swap(today) != today {
		v.spent.Store(0)
	}
	return v.spent.Add(n)
}

// on returns what was spent on a day.
func (v *volume) on(day int64) int64 {
	if v.day.Load() != day {
		return 0
	}
	return v.spent.Load()
}

func dayOf(t time.Time) int64 { return t.Unix() / int64(day/time.Second) }

// untilMidnight is how long a spent volume stays spent.
func untilMidnight(now time.Time) time.Duration {
	return now.Truncate(day).Add(day).Sub(now)
}

// A process that takes over from another needs the volumes of the day. All else
// that the ledger holds builds up again within seconds.

type savedVolumes struct {
	Day     int64 // since 1970
	Total   int64 // bytes
	Clients []savedVolume
}

type savedVolume struct {
	Account string
	Network netip.Addr
	Spent   int64 // bytes
}

// SaveVolumes writes what clients have spent today to a process that takes
// over. It is not for a file: it says who was here.
func (g *Gate) SaveVolumes(w io.Writer) error {
	if err := gob.NewEncoder(w).Encode(g.state.ledger.volumes(dayOf(g.options.Now()))); err != nil {
		return fmt.Errorf("hand volumes over: %w", err)
	}
	return nil
}

func (l *ledger) volumes(today int64) savedVolumes {
	l.mu.Lock()
	defer l.mu.Unlock()
	saved := savedVolumes{Day: today, Total: l.total.volume.on(today)}
	save := func(a *account) {
		if spent := a.volume.on(today); spent > 0 {
			saved.Clients = append(saved.Clients, savedVolume{a.key.account, a.key.network, spent})
		}
	}
	for _, idle := range []*simplelru.LRU[client, *account]{l.accounts, l.networks} {
		for _, a := range idle.Values() { // the oldest first, as they are to come in again
			save(a)
		}
	}
	for _, a := range l.active {
		save(a)
	}
	return saved
}

// LoadVolumes reads what [Gate.SaveVolumes] wrote. Those of another day count
// no more.
func (g *Gate) LoadVolumes(r io.Reader) error {
	var saved savedVolumes
	if err := gob.NewDecoder(io.LimitReader(r, maxFile)).Decode(&saved); err != nil {
		return fmt.Errorf("take volumes over: %w", err)
	}
	now, l := g.options.Now(), g.state.ledger
	if saved.Day != dayOf(now) {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total.volume.add(now, saved.Total)
	for _, s := range saved.Clients {
		a := l.hold(client{account: s.Account, network: s.Network})
		a.volume.add(now, s.Spent)
		l.release(a)
	}
	return nil
}
