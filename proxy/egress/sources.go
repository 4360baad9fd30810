package egress

import (
	"context"
	"errors"
	"hash/maphash"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
)

type isolationKey struct{}

// isolationSeed makes the hashes of keys unpredictable: nobody can choose keys that share
// an address, and an upstream proxy cannot tell the key.
var isolationSeed = maphash.MakeSeed()

// WithIsolation returns a context whose connections all leave from one source
// address, which key chooses, rather than from each in turn, and log in to a SOCKS proxy
// that asks for no user with one made of key. With the key "" it is ctx.
func WithIsolation(ctx context.Context, key string) context.Context {
	if key == "" {
		return ctx
	}
	return context.WithValue(ctx, isolationKey{}, key)
}

// isolation returns the key of [WithIsolation], "" without.
func isolation(ctx context.Context) string {
	key, _ := ctx.Value(isolationKey{}).(string)
	return key
}

// mostTurns bounds the hosts whose turn is remembered.
const mostTurns = 4096

// turns says which source address is next, for each host by itself: if all hosts shared
// a turn, the owner of one could tell, by its visitors' addresses, how many connections
// others had in between. The zero value is ready to use, and safe for concurrent use.
type turns struct {
	mu   sync.Mutex
	next map[string]uint32
}

// take returns the turn of a connection to host.
func (t *turns) take(host string) uint32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	turn, known := t.next[host]
	if !known {
		turn = rand.Uint32()
		for other := range t.next {
			if len(t.next) < mostTurns {
				break
			}
			delete(t.next, other) // any
		}
		if t.next == nil {
			t.next = make(map[string]uint32)
		}
	}
	t.next[host] = turn + 1
	return turn
}

// turn returns a number, of any size, that chooses the source address of a connection to
// host; see sources.
func (e *Egress) turn(ctx context.Context, host string) uint32 {
	switch key := isolation(ctx); {
	case len(e.source4)+len(e.source6) == 0:
		return 0
	case key != "":
		return uint32(maphash.String(isolationSeed, key))
	}
	return e.turns.take(host)
}

// sources returns the source addresses for a destination in the order to try them, or the
// zero Addr alone where the system chooses. If all that are listed are of the other family,
// it fails: an address that is not listed must not be shown.
func (e *Egress) sources(to netip.Addr, turn uint32) ([]netip.Addr, error) {
	list := e.source4
	if to.Is6() {
		list = e.source6
	}
	switch {
	case len(list) > 1:
		first := turn % uint32(len(list))
		return slices.Concat(list[first:], list[:first]), nil
	case len(list) == 1:
		return list, nil
	case len(e.source4)+len(e.source6) > 0:
		return nil, syscall.ENETUNREACH
	}
	return systemChooses, nil
}

var systemChooses = []netip.Addr{{}}

// isLost reports whether err says that the machine no longer has the source address.
func isLost(err error) bool {
	call, ok := errors.AsType[*os.SyscallError](err)
	return ok && call.Syscall == "bind" && call.Err == syscall.EADDRNOTAVAIL
}
