package gate

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// users proves accounts by an htpasswd file.
//
// To check a wrong password, or any of a user who does not exist, takes the same
// time: as long as for the user with the costliest hash.
type users struct {
	file   *watchedFile[*accounts]
	memory *memory
	now    func() time.Time

	strangers, friends *queue

	mu     sync.Mutex
	checks map[[32]byte]*check // those under way
}

// A check is of one proof. A browser sends the same on many connections at once: the
// other requests wait for its outcome.
type check struct {
	done chan struct{} // closed at its end
	err  error
	left bool // the request that made it left before its end
}

func newUsers(path string, m *memory, common watching) (*users, error) {
	named := func(err error) error { return inUsersFile(path, err) }
	file, err := newWatchedFile(path, common, named, parseUsers)
	if err != nil {
		return nil, err
	}
	// Guessing must not take the processor from requests, nor the turn from those
	// whose password was right today.
	strangers, friends := newQueue(HalfProcessors), newQueue(1)
	return &users{file: file, memory: m, now: common.now, strangers: strangers, friends: friends, checks: make(map[[32]byte]*check)}, nil
}

// known tells the account of credentials that were right lately from the same
// source, under the hash that the file holds now.
func (u *users) known(c credentials) (account string, ok, familiar bool) {
	name := c.name()
	h := u.file.get().hashes[name] // zero for an unknown user, of whom nothing is remembered
	digest := u.digest(c.source, name, c.password, h)
	if c.on.is(digest) {
		return name, true, false
	}
	if ok, familiar = u.memory.lookUp(c, digest, u.now()); ok {
		c.on.show(digest)
	}
	return name, ok, familiar
}

// digest names a proof by who presents it from where.
func (u *users) digest(source netip.Addr, name, password string, h hash) [32]byte {
	return u.memory.digest(source.AsSlice(), []byte(name), []byte(password), h.text)
}

func (u *users) account(ctx context.Context, c credentials) (string, error) {
	name := c.name()
	a := u.file.get()
	if c.user == "" {
		return "", ErrCredentials
	}
	digest := u.digest(c.source, name, c.password, a.hashes[name])
	if err := u.once(ctx, c, a, digest); err != nil {
		return "", err
	}
	c.on.show(digest)
	return name, nil
}

// once makes a check, or waits for that of another with the same digest.
func (u *users) once(ctx context.Context, c credentials, a *accounts, digest [32]byte) error {
	for {
		u.mu.Lock()
		k, joined := u.checks[digest]
		if !joined {
			k = &check{done: make(chan struct{})}
			u.checks[digest] = k
		}
		u.mu.Unlock()
		if !joined {
			u.run(ctx, k, c, a, digest)
			return k.err
		}
		if err := u.queue(c).join(ctx, k.done); err != nil {
			return err
		}
		switch {
		case k.left:
		case errors.Is(k.err, ErrCredentials):
			return errSameGuess
		default:
			return k.err
		}
	}
}

// errSameGuess is the ErrCredentials of a request that waited for another's check: to
// mistype a password once is one guess, however many connections a browser opens with it.
var errSameGuess = fmt.Errorf("%w, as another request with the same", ErrCredentials)

// run makes the check k.
func (u *users) run(ctx context.Context, k *check, c credentials, a *accounts, digest [32]byte) {
	k.left = true // should it panic
	defer func() {
		u.mu.Lock()
		delete(u.checks, digest)
		u.mu.Unlock()
		close(k.done)
	}()
	k.err = u.verify(ctx, c, a, digest)
	k.left = ctx.Err() != nil
}

// queue is where a check of c waits.
func (u *users) queue(c credentials) *queue {
	if c.familiar {
		return u.friends
	}
	return u.strangers
}

// verify returns nil if c is right.
func (u *users) verify(ctx context.Context, c credentials, a *accounts, digest [32]byte) error {
	done, err := u.queue(c).turn(ctx, c.source)
	if err != nil {
		return err
	}
	defer done()
	if right, _ := u.memory.judged(digest, u.now()); right {
		return nil // another request of the same client was faster
	}
	name := c.name()
	h, exists := a.hashes[name]
	if exists && len(c.password) <= maxPassword && h.check.MatchesPassword(c.password) {
		u.memory.admit(c.source, digest, u.now())
		return nil
	}
	spent := -1
	if exists && len(c.password) <= maxPassword {
		spent = h.cost
	}
	pretend(spent, a.cost)
	return ErrCredentials
}

// pretend makes up, after a check of cost spent (-1 for none), for the work that a check
// of cost most takes beyond it.
func pretend(spent, most int) {
	for _, cost := range missing(spent, most) {
		bcrypt.CompareHashAndPassword(decoy(cost), nil)
	}
}

// missing returns the costs of the checks that make up for one of cost most.
// Each step of cost doubles the work, and 2^s + (2^s + 2^(s+1) + … + 2^(m-1))
// is 2^m.
func missing(spent, most int) []int {
	if spent < 0 {
		return []int{most}
	}
	var costs []int
	for cost := spent; cost < most; cost++ {
		costs = append(costs, cost)
	}
	return costs
}

// decoy returns a hash of the given cost that no password has.
func decoy(cost int) []byte {
	return fmt.Appendf(nil, "$2a$%02d$%s", cost, strings.Repeat(".", 22+31)) // salt and digest
}
