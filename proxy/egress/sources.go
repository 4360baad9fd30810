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

// isolationSeed keeps anybody from choosing names that share an address, and an
// upstream proxy from knowing names.
var isolationSeed = maphash.MakeSeed()

// WithIsolation returns a context whose connections all leave from one source
// address, which key chooses, and not from each in turn; a SOCKS proxy that they go
// through is told that they are for one name. With the key "" it is ctx.
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

// turns says whose turn it is, of the source addresses, for each host apart: of one
// turn for all, whoever owns a host could tell from where its visitors come how many
// connections others had in between. The zero value is ready to use, and safe for
// concurrent use.
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

// turn returns which of the source addresses a connection to host leaves from.
func (e *Egress) turn(ctx context.Context, host string) uint32 {
	switch key := isolation(ctx); {
	case len(e.source4)+len(e.source6) == 0:
		return 0
	case key != "":
		return uint32(maphash.String(isolationSeed, key))
	}
	return e.turns.take(host)
}

// sources returns the source addresses for a destination, those that are to be tried
// first in front, and the zero Addr alone where the system chooses. With source addresses
// of the other family only, there is no way: an address that nobody listed must not be shown.
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

// isLost reports whether err says that the machine has a source address no more.
func isLost(err error) bool {
	call, ok := errors.AsType[*os.SyscallError](err)
	return ok && call.Syscall == "bind" && call.Err == syscall.EADDRNOTAVAIL
}
