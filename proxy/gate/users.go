package gate

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tg123/go-htpasswd"
	"golang.org/x/crypto/bcrypt"
)

// passwordCost is bcrypt's for new users: some 50 ms on a server's core.
const passwordCost = 10

// maxPassword is what bcrypt takes in; it would leave out the rest.
const maxPassword = 72

// users proves accounts by an htpasswd file.
//
// To check a wrong password, or that of a user who does not exist, takes the
// same time for all: as long as that of the user with the costliest hash.
type users struct {
	file   *watchedFile[*accounts]
	memory *memory
	now    func() time.Time

	strangers, friends *queue

	mu     sync.Mutex
	checks map[[32]byte]*check // those under way
}

// A check is of one proof. A browser sends the same on many connections at once:
// whoever presents it meanwhile waits for what it finds.
type check struct {
	done chan struct{} // closed at its end
	err  error
	left bool // who made it left before its end
}

// accounts is what an htpasswd file holds.
type accounts struct {
	lines  []string // as read, for writing back
	hashes map[string]hash
	cost   int // highest of all hashes
}

type hash struct {
	text  []byte
	cost  int
	check htpasswd.EncodedPasswd
}

func newUsers(path string, m *memory, now func() time.Time) (*users, error) {
	if path == "" {
		return nil, errors.New("basic authentication needs a file of users")
	}
	file, err := newWatchedFile(path, now, parseUsers)
	if err != nil {
		return nil, inUsersFile(path, err)
	}
	// Guessing must not take the processor from those who are in, nor the turn
	// from those who were today.
	strangers, friends := newQueue(HalfProcessors), newQueue(1)
	return &users{file: file, memory: m, now: now, strangers: strangers, friends: friends, checks: make(map[[32]byte]*check)}, nil
}

// HalfProcessors is how many goroutines may compute at once what strangers cause: half
// of the processors that the program began with. How many it uses may change.
var HalfProcessors = max(1, runtime.GOMAXPROCS(0)/2)

// inUsersFile says of an error that it lies in the users file at path.
func inUsersFile(path string, err error) error {
	return fmt.Errorf("users file %s: %w", path, advised(err, "guise user add makes it"))
}

// parseUsers reads lines of name:hash; empty ones and those that begin with
// # are passed over. Its errors hold nothing of a line but its number.
func parseUsers(data []byte) (*accounts, error) {
	a := &accounts{hashes: make(map[string]hash)}
	number := 0
	for line := range strings.Lines(string(bytes.TrimPrefix(data, []byte("\ufeff")))) {
		number++
		line = strings.TrimRight(line, "\r\n")
		a.lines = append(a.lines, line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, text, found := strings.Cut(line, ":")
		switch {
		case !found:
			return nil, fmt.Errorf("line %d is not name:hash", number)
		case !validName(name):
			return nil, fmt.Errorf("line %d: a name has 1 to %d bytes, without blanks around it, controls and + : # ,", number, maxName)
		}
		h, err := parseHash(text)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		if _, twice := a.hashes[name]; twice {
			return nil, fmt.Errorf("line %d repeats a name", number)
		}
		a.hashes[name] = h
		a.cost = max(a.cost, h.cost)
	}
	a.cost = cmp.Or(a.cost, passwordCost)
	return a, nil
}

func parseHash(text string) (hash, error) {
	check, err := htpasswd.AcceptBcrypt(text)
	if err != nil || check == nil {
		return hash{}, errors.New("the hash is not bcrypt; make one with guise user add, or htpasswd -B")
	}
	cost, err := bcrypt.Cost([]byte(text))
	if err != nil || len(text) != 60 {
		return hash{}, errors.New("the bcrypt hash is damaged")
	}
	if cost > 14 {
		return hash{}, fmt.Errorf("bcrypt cost %d would take seconds for each login; the most is 14", cost)
	}
	return hash{[]byte(text), cost, check}, nil
}

// known tells the account of credentials that were right lately from the same
// source, under the hash that the file holds now.
func (u *users) known(c credentials) (account string, ok, familiar bool) {
	name := c.name()
	h := u.file.get().hashes[name] // of an unknown user nothing was ever remembered
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
		select {
		case <-k.done:
		case <-ctx.Done():
			return context.Cause(ctx)
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

// errSameGuess is the ErrCredentials of who waited for another's check: to mistype a
// password once is one guess, however many connections a browser opens with it.
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

// verify returns nil if c is right.
func (u *users) verify(ctx context.Context, c credentials, a *accounts, digest [32]byte) error {
	checks := u.strangers
	if c.familiar {
		checks = u.friends
	}
	done, err := checks.turn(ctx, c.source)
	if err != nil {
		return err
	}
	defer done()
	if u.memory.has(digest, u.now()) {
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

// pretend spends what is missing to the work of one check of cost most, after
// one of cost spent (-1 for none).
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

// At most so many checks wait, of one source and of all.
const (
	sourceWaiting = 16 // different ones: there may be a house behind an address
	allWaiting    = 1024
	checkPatience = 10 * time.Second
)

// A queue is of checks that wait for leave to run. It is safe for concurrent use.
type queue struct {
	running chan struct{} // one token for each check that may run at once

	mu      sync.Mutex
	waiting map[netip.Addr]int // checks that wait, by source
	all     int                // the sum
}

func newQueue(atOnce int) *queue {
	return &queue{running: make(chan struct{}, atOnce), waiting: make(map[netip.Addr]int)}
}

// turn waits for leave to check a password: all checks together have a part
// of the processor.
func (q *queue) turn(ctx context.Context, source netip.Addr) (done func(), err error) {
	full := &Over{Limit: "attempts", Total: true, Retry: time.Second}
	q.mu.Lock()
	if q.waiting[source] >= sourceWaiting || q.all >= allWaiting {
		q.mu.Unlock()
		return nil, full
	}
	q.waiting[source]++
	q.all++
	q.mu.Unlock()
	defer func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.all--
		if q.waiting[source]--; q.waiting[source] == 0 {
			delete(q.waiting, source)
		}
	}()
	timer := time.NewTimer(checkPatience)
	defer timer.Stop()
	select {
	case q.running <- struct{}{}:
		return func() { <-q.running }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-timer.C:
		return nil, full
	}
}

// SetUser writes a user with a password into an htpasswd file, in the place
// of the one of that name, and makes the file if there is none.
func SetUser(path, name, password string) error {
	switch {
	case !validName(name):
		return fmt.Errorf("a user name has 1 to %d bytes, without blanks around it, controls and + : # ,", maxName)
	case password == "":
		return errors.New("the password is empty")
	case len(password) > maxPassword:
		return fmt.Errorf("the password has more than %d bytes, which is all that bcrypt takes in", maxPassword)
	}
	text, err := bcrypt.GenerateFromPassword([]byte(password), passwordCost)
	if err != nil {
		return err
	}
	return editUsers(path, true, func(lines []string) ([]string, error) {
		for i, line := range lines {
			if strings.HasPrefix(line, name+":") {
				lines[i] = name + ":" + string(text)
				return lines, nil
			}
		}
		return append(lines, name+":"+string(text)), nil
	})
}

// RemoveUser takes a user out of an htpasswd file.
func RemoveUser(path, name string) error {
	return editUsers(path, false, func(lines []string) ([]string, error) {
		left := slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return strings.HasPrefix(line, name+":") })
		if len(left) == len(lines) {
			return nil, fmt.Errorf("there is no user %q", name)
		}
		return left, nil
	})
}

// ListUsers returns the names in an htpasswd file, in order.
func ListUsers(path string) ([]string, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, inUsersFile(path, err)
	}
	a, err := parseUsers(data)
	if err != nil {
		return nil, inUsersFile(path, err)
	}
	return slices.Sorted(maps.Keys(a.hashes)), nil
}

// editUsers replaces the file at once, so that nobody reads half of it.
func editUsers(path string, create bool, edit func([]string) ([]string, error)) error {
	path = resolved(path)
	defer lock(filepath.Dir(path))()
	data, err := os.ReadFile(path)
	if err != nil && !(create && errors.Is(err, os.ErrNotExist)) {
		return inUsersFile(path, fileError(err))
	}
	a, err := parseUsers(data)
	if err != nil {
		return inUsersFile(path, err)
	}
	lines, err := edit(a.lines)
	if err != nil {
		return err
	}
	return replaceFile(path, strings.Join(append(lines, ""), "\n"))
}

// resolved returns where the file at path is, past symbolic links.
func resolved(path string) string {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		return target
	}
	return path
}

// replaceFile puts a new file in the place of path, which is resolved, with
// the same owner and mode, or readable by its owner alone.
func replaceFile(path, content string) error {
	mode := os.FileMode(0o600)
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".guise-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(content)
	err = errors.Join(err, giveAway(f, path), f.Chmod(mode), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
