package gate

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// A clock stands still until it is moved.
type clock struct{ at time.Time }

func (c *clock) now() time.Time          { return c.at }
func (c *clock) advance(d time.Duration) { c.at = c.at.Add(d) }

func newClock() *clock { return &clock{time.Now()} }

var here = netip.MustParseAddr("127.0.0.1")

func basic(user, password string) []string {
	return []string{"Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))}
}

// usersFile holds each user with the password "right" and a hash of that cost.
func usersFile(t *testing.T, costs map[string]int) string {
	t.Helper()
	var lines []string
	for name, cost := range costs {
		h, err := bcrypt.GenerateFromPassword([]byte("right"), cost)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, name+":"+string(h)+"\n")
	}
	path := filepath.Join(t.TempDir(), "users")
	write(t, path, strings.Join(lines, ""))
	return path
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestBasicLetsKnownUsersIn(t *testing.T) {
	path := usersFile(t, map[string]int{"ann": 4, "bob": 4, "zoë": 4})
	others, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	eve, err := bcrypt.GenerateFromPassword([]byte("grün"), 4) // who is unknown costs as much as the dearest of them
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, fmt.Sprintf("%seve:%s\n", others, eve))
	g := mustNew(t, Options{Authentication: Basic, Users: path})
	if g.ClientAuth() != tls.NoClientCert {
		t.Error("a listener asks for certificates that let nobody in")
	}
	for _, c := range []struct {
		what               string
		fields             []string
		account, isolation string
		err                error
	}{
		{"right", basic("ann", "right"), "ann", "", nil},
		{"beyond ASCII", basic("zoë", "right"), "zoë", "", nil},
		{"beyond ASCII, in ISO 8859-1", basic("zo\xeb", "right"), "zoë", "", nil},
		{"a password in ISO 8859-1", basic("eve", "gr\xfcn"), "eve", "", nil},
		{"neither UTF-8 nor ISO 8859-1", basic("zo\xeb\x8b", "right"), "", "", ErrCredentials},
		{"scheme in another case", []string{"bAsIc  " + basic("bob", "right")[0][6:]}, "bob", "", nil},
		{"suffix", basic("ann+shop", "right"), "ann", "ann+shop", nil},
		{"suffix with a plus", basic("ann+a+b", "right"), "ann", "ann+a+b", nil},
		{"empty suffix", basic("ann+", "right"), "ann", "", nil},
		{"nothing", nil, "", "", ErrCredentials},
		{"twice", append(basic("ann", "right"), basic("ann", "right")...), "", "", ErrCredentials},
		{"beside NTLM, as Pidgin sends it", append(basic("ann", "right"), "NTLM TlRMTVNTUAABAAAA"), "ann", "", nil},
		{"behind NTLM", append([]string{"NTLM TlRMTVNTUAABAAAA"}, basic("ann", "right")...), "ann", "", nil},
		{"NTLM alone", []string{"NTLM TlRMTVNTUAABAAAA"}, "", "", ErrCredentials},
		{"beside what is no base64", append(basic("ann", "right"), "Basic ann:right"), "", "", ErrCredentials},
		{"beside a token", append(basic("ann", "right"), "Bearer ann"), "", "", ErrCredentials},
		{"wrong password", basic("ann", "wrong"), "", "", ErrCredentials},
		{"no password", basic("ann", ""), "", "", ErrCredentials},
		{"a longer password", basic("ann", "right\x00"), "", "", ErrCredentials},
		{"name in another case", basic("Ann", "right"), "", "", ErrCredentials},
		{"empty name", basic("", "right"), "", "", ErrCredentials},
		{"only a suffix", basic("+ann", "right"), "", "", ErrCredentials},
		{"no colon", []string{"Basic " + base64.StdEncoding.EncodeToString([]byte("ann"))}, "", "", ErrCredentials},
		{"no base64", []string{"Basic ann:right"}, "", "", ErrCredentials},
		{"control in the suffix", basic("ann+\n", "right"), "", "", ErrCredentials},
		{"control beyond ASCII in the suffix", basic("ann+\u0085", "right"), "", "", ErrCredentials},
		{"a long suffix", basic("ann+"+strings.Repeat("x", maxName), "right"), "ann", "ann+" + strings.Repeat("x", maxName), nil},
		{"a suffix that is too long", basic("ann+"+strings.Repeat("x", maxName+1), "right"), "", "", ErrCredentials},
		{"other scheme", []string{"Digest username=ann"}, "", "", ErrCredentials},
	} {
		source := netip.MustParseAddr("127.0.0." + string('2'+rune(len(c.what)%8)))
		e, err := g.Enter(t.Context(), source, nil, c.fields)
		if e.Account != c.account || e.Isolation != c.isolation || !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
			t.Errorf("%s: %+v, %v", c.what, e, err)
		}
	}
	if _, err := g.Enter(t.Context(), netip.MustParseAddr("192.0.2.1"), nil, basic("ann", "right")); !errors.Is(err, ErrNotAdmitted) {
		t.Errorf("credentials open a closed network: %v", err)
	}
}

// TestUsersFollowTheirFile adds, changes and removes one.
func TestUsersFollowTheirFile(t *testing.T) {
	c := newClock()
	path := usersFile(t, map[string]int{"ann": 4})
	g := mustNew(t, Options{Authentication: Basic, Users: path, Now: c.now})
	enters := func(user, password string) bool {
		t.Helper()
		c.advance(longestWait + time.Second)
		_, err := g.Enter(t.Context(), here, nil, basic(user, password))
		return err == nil
	}
	if !enters("ann", "right") || enters("bob", "secret") {
		t.Fatal("the file as it was does not hold")
	}
	if err := SetUser(path, "bob", "secret"); err != nil {
		t.Fatal(err)
	}
	if !enters("bob", "secret") || !enters("ann", "right") {
		t.Error("an added user does not enter, or drove another out")
	}
	if err := SetUser(path, "ann", "changed"); err != nil {
		t.Fatal(err)
	}
	if enters("ann", "right") || !enters("ann", "changed") {
		t.Error("the old password still holds, or the new one does not")
	}
	if err := RemoveUser(path, "bob"); err != nil {
		t.Fatal(err)
	}
	if enters("bob", "secret") {
		t.Error("a removed user enters")
	}
	write(t, path, "half a li")
	if !enters("ann", "changed") {
		t.Error("a damaged file locks everybody out")
	}
	if names, err := ListUsers(path); err == nil {
		t.Errorf("a damaged file lists %v", names)
	}
	if err := RemoveUser(path, "ann"); err == nil {
		t.Error("a damaged file is written back")
	}
}

// TestPasswordsAreFamiliarForADay, where they were right, and to that source and user alone.
func TestPasswordsAreFamiliarForADay(t *testing.T) {
	c, m := newClock(), newMemory()
	m.key = [32]byte{} // by another, two marks of passwords may be the same
	given := credentials{user: "ann", password: "right", source: here}
	m.befriend(given, c.now())
	familiar := func(c credentials, at time.Time) bool {
		_, familiar := m.lookUp(c, [32]byte{1}, at)
		return familiar
	}
	if day := c.now().Add(friendTime); !familiar(given, day.Add(-time.Second)) || familiar(given, day) {
		t.Error("not for a day")
	}
	for _, other := range []credentials{
		{user: "ann", password: "wrong", source: here},
		{user: "ben", password: "right", source: here},
		{user: "ann", password: "right", source: here.Next()},
	} {
		if familiar(other, c.now()) {
			t.Errorf("%+v", other)
		}
	}
	m.estrange(given)
	if familiar(given, c.now()) {
		t.Error("once it was wrong")
	}
}

// TestSuccessIsRemembered: the second request is not checked by bcrypt, a
// changed password ends that, and so does time.
func TestSuccessIsRemembered(t *testing.T) {
	c := newClock()
	path := usersFile(t, map[string]int{"ann": 4})
	u, err := newUsers(path, newMemory(), watching{now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	given := credentials{user: "ann+work", password: "right", source: here}
	if _, known, _ := u.known(given); known {
		t.Error("remembered before it was ever checked")
	}
	if _, err := u.account(t.Context(), given); err != nil {
		t.Fatal(err)
	}
	if account, known, _ := u.known(given); !known || account != "ann" {
		t.Errorf("after a success: %q, %v", account, known)
	}
	if _, known, _ := u.known(credentials{user: "ann", password: "wrong", source: here}); known {
		t.Error("another password is taken for the remembered one")
	}
	c.advance(memoryTime)
	if _, known, _ := u.known(given); known {
		t.Errorf("after %v it is still remembered", memoryTime)
	}
	for what, change := range map[string]func() error{
		"changed": func() error { return SetUser(path, "ann", "changed") },
		"removed": func() error { return RemoveUser(path, "ann") },
	} {
		if err := SetUser(path, "ann", "right"); err != nil {
			t.Fatal(err)
		}
		c.advance(2 * lookAgain)
		if _, err := u.account(t.Context(), given); err != nil {
			t.Fatal(err)
		}
		if _, known, _ := u.known(given); !known {
			t.Errorf("%s: it is not remembered", what)
		}
		if err := change(); err != nil {
			t.Fatal(err)
		}
		c.advance(2 * lookAgain)
		if _, known, _ := u.known(given); known {
			t.Errorf("a password that was %s is still remembered", what)
		}
	}
}

// TestUnknownUsersTakeAsLong: a refusal costs the same work whoever it is
// for. Each step of bcrypt's cost doubles the work.
func TestUnknownUsersTakeAsLong(t *testing.T) {
	for most := 4; most <= 14; most++ {
		for spent := -1; spent <= most; spent++ {
			if spent >= 0 && spent < 4 {
				continue // bcrypt knows no such cost
			}
			work := 0
			if spent >= 0 {
				work = 1 << spent
			}
			for _, cost := range missing(spent, most) {
				work += 1 << cost
			}
			if work != 1<<most {
				t.Errorf("after a check of cost %d: %d units of work, want %d", spent, work, 1<<most)
			}
		}
	}
	if cost, err := bcrypt.Cost(decoy(7)); err != nil || cost != 7 {
		t.Errorf("a decoy costs %d, %v", cost, err)
	}
}

// TestGuessingIsSlowedDown: for the source, not for others, and not for who
// is known behind the same address.
func TestGuessingIsSlowedDown(t *testing.T) {
	c := newClock()
	g := mustNew(t, Options{Networks: prefixes("0.0.0.0/0", "::/0"), Authentication: Basic, Users: usersFile(t, map[string]int{"ann": 4, "bob": 4}), Now: c.now})
	enter := func(addr, user, password string) error {
		_, err := g.Enter(t.Context(), netip.MustParseAddr(addr), nil, basic(user, password))
		return err
	}
	if err := enter("2001:db8::1", "ann", "right"); err != nil {
		t.Fatal(err)
	}
	var last time.Duration
	refused := 0
	for i := range 40 {
		err := enter("2001:db8::"+string('1'+rune(i%9)), "bob", "guess") // one /64
		if over, ok := errors.AsType[*Over](err); ok {
			refused++
			if over.Limit != "attempts" || over.Total || over.Retry < last || over.Retry > longestWait {
				t.Fatalf("%+v after %v", over, last)
			}
			last = over.Retry
			c.advance(over.Retry)
		}
	}
	if refused < 10 || last != longestWait {
		t.Errorf("%d of 40 guesses were put off, the last by %v", refused, last)
	}
	if err := enter("2001:db8::1", "bob", "guess"); err == nil {
		t.Error("entered")
	}
	if err := enter("2001:db8::1", "ann", "right"); err != nil && c.at.Before(newClock().at.Add(memoryTime)) {
		t.Errorf("a known client behind the address is shut out: %v", err)
	}
	if err := enter("2001:db8:0:1::1", "bob", "right"); err != nil {
		t.Errorf("another network is shut out: %v", err)
	}
}

// TestManyNetworksOfOneGuesserAreSlowedDown: whoever has a /48 has 65,536 sources. Who
// was let in from there today is not held up.
func TestManyNetworksOfOneGuesserAreSlowedDown(t *testing.T) {
	c := newClock()
	g := mustNew(t, Options{Networks: prefixes("::/0"), Authentication: Basic, Users: usersFile(t, map[string]int{"ann": 4}), Now: c.now})
	enter := func(addr, password string) error {
		_, err := g.Enter(t.Context(), netip.MustParseAddr(addr), nil, basic("ann", password))
		return err
	}
	if err := enter("2001:db8:1:ffff::1", "right"); err != nil {
		t.Fatal(err)
	}
	c.advance(memoryTime)
	guesses := 0
	for i := range 10 * freeIn48 {
		if errors.Is(enter(fmt.Sprintf("2001:db8:1:%x::1", i), fmt.Sprint("guess", i)), ErrCredentials) {
			guesses++
		}
	}
	if guesses != freeIn48 {
		t.Errorf("%d guesses from one /48", guesses)
	}
	if err := enter("2001:db8:1:ffff::1", "right"); err != nil {
		t.Errorf("who was there today: %v", err)
	}
	if err := enter("2001:db8:2::1", "right"); err != nil {
		t.Errorf("another network: %v", err)
	}
	c.advance(time.Second)
	if err := enter("2001:db8:1:1234::1", "right"); err != nil {
		t.Errorf("a second later, another source: %v", err)
	}
	if err := enter("2001:db8:1:1235::1", "guess"); over(t, err) != "attempts" {
		t.Errorf("a guesser after that: %v", err)
	}
	for range 300 { // a telephone with an old password, for a day
		c.advance(longestWait)
		enter("2001:db8:3:1::1", "old")
	}
	if err := enter("2001:db8:3:2::1", "right"); err != nil {
		t.Errorf("another customer of its network: %v", err)
	}
}

// TestKnownClientEntersWhileOthersGuess behind its address.
func TestKnownClientEntersWhileOthersGuess(t *testing.T) {
	c := newClock()
	g := mustNew(t, Options{Authentication: Basic, Users: usersFile(t, map[string]int{"ann": 4}), Now: c.now})
	if _, err := g.Enter(t.Context(), here, nil, basic("ann", "right")); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		g.Enter(t.Context(), here, nil, basic("ann", "guess"))
	}
	if _, err := g.Enter(t.Context(), here, nil, basic("ann", "right")); err != nil {
		t.Errorf("shut out: %v", err)
	}
	if _, err := g.Enter(t.Context(), here, nil, nil); !errors.Is(err, ErrCredentials) {
		t.Errorf("a client that has not been asked yet: %v", err)
	}
}

// TestWhoGotInTodayIsNotShutOut by somebody behind the same address who has
// tried in vain ever since.
func TestWhoGotInTodayIsNotShutOut(t *testing.T) {
	c := newClock()
	path := usersFile(t, map[string]int{"ann": 4, "bob": 4})
	g := mustNew(t, Options{Authentication: Basic, Users: path, Now: c.now})
	enter := func(user, password string) string {
		_, err := g.Enter(t.Context(), here, nil, basic(user, password))
		if errors.Is(err, ErrCredentials) {
			return "wrong"
		}
		return over(t, err)
	}
	vain := func() {
		for range 20 {
			enter("bob", "old")
		}
	}
	enter("ann", "right")
	c.advance(memoryTime + time.Second)
	vain()
	if got := enter("ann+shop", "right"); got != "" {
		t.Errorf("who got in before: %s", got)
	}
	vain()
	if got := enter("bob", "right"); got != "attempts" {
		t.Errorf("who did not: %q", got)
	}
	c.advance(memoryTime + time.Second)
	vain()
	if err := SetUser(path, "ann", "new"); err != nil {
		t.Fatal(err)
	}
	c.advance(2 * lookAgain)
	vain()
	if got := enter("ann", "right"); got != "wrong" {
		t.Errorf("with a password that holds no more: %q", got)
	}
	if got := enter("ann", "right"); got != "attempts" {
		t.Errorf("with it again: %q", got)
	}
}

// TestWhoIsInIsNoHelpToWhoGuesses: what is remembered of them would answer guesses
// faster than any check of a password.
func TestWhoIsInIsNoHelpToWhoGuesses(t *testing.T) {
	c := newClock()
	g := mustNew(t, Options{Authentication: Basic, Users: usersFile(t, map[string]int{"ann": 4, "bob": 4}), Now: c.now})
	elsewhere := netip.MustParseAddr("127.0.0.2")
	enter := func(from netip.Addr, user, password string) string {
		_, err := g.Enter(t.Context(), from, nil, basic(user, password))
		if errors.Is(err, ErrCredentials) {
			return "wrong"
		}
		return over(t, err)
	}
	if got := enter(here, "ann", "right"); got != "" {
		t.Fatal(got)
	}
	for range freeFailures {
		enter(here, "ann", "old")
		enter(elsewhere, "ann", "old")
	}
	if got := enter(elsewhere, "ann", "right"); got != "attempts" {
		t.Errorf("the right password from a place that guesses: %q", got)
	}
	for range 2 * freeLooks {
		enter(here, "ann", "old") // no other guess than before
	}
	if got := enter(here, "ann", "right"); got != "" {
		t.Errorf("while a telephone has an old password: %q", got)
	}
	for i := range freeLooks {
		enter(here, "ann", fmt.Sprint("guess", i))
	}
	if got := enter(here, "ann", "right"); got != "attempts" {
		t.Errorf("the right password after %d others: %q", freeLooks, got)
	}
	c.advance(time.Second / lookRate)
	if got := enter(here, "ann", "right"); got != "" {
		t.Errorf("a while later: %q", got)
	}
	on := &Shown{}
	enterOn := func(password string) string {
		_, err := g.EnterOn(t.Context(), on, here, nil, basic("ann", password))
		return over(t, err)
	}
	if got := enterOn("right"); got != "" {
		t.Errorf("on a connection: %q", got)
	}
	enter(here, "ann", "another guess")
	if got := enter(here, "ann", "right"); got != "attempts" {
		t.Errorf("on no connection: %q", got)
	}
	for range 3 {
		if got := enterOn("right"); got != "" {
			t.Errorf("on the same connection, while others guess: %q", got)
		}
	}
	if got := enterOn("guess"); got != "attempts" {
		t.Errorf("a guess on it: %q", got)
	}
	c.advance(memoryTime + freeLooks*time.Second/lookRate)
	if got := enter(here, "ann", "right"); got != "" {
		t.Errorf("the next day: %q", got)
	}
	if l, _ := g.state.memory.looks.Peek(here); l.spent.until > c.now().Sub(g.state.memory.begun) {
		t.Error("a password that was looked up before it was checked, and was right, counts as a guess")
	}
}

// TestWhoHasAnAccountGuessesNoFaster: that somebody got in shows that those who were
// wrong as the same user have found their password, and nothing of anybody else's.
func TestWhoHasAnAccountGuessesNoFaster(t *testing.T) {
	c := newClock()
	g := mustNew(t, Options{Authentication: Basic, Users: usersFile(t, map[string]int{"ann": 4, "bob": 4}), Now: c.now})
	enter := func(user, password string) error {
		_, err := g.Enter(t.Context(), here, nil, basic(user, password))
		return err
	}
	for i := range freeLooks { // no more looks: who is in is checked like anybody else
		g.state.memory.lookUp(credentials{source: here}, [32]byte{1, byte(i), byte(i >> 8)}, c.now())
	}
	guesses := 0
	for i := range 50 {
		for j := range freeFailures - 1 {
			if errors.Is(enter("bob", fmt.Sprint("guess", i, j)), ErrCredentials) {
				guesses++
			}
		}
		if err := enter("ann+shop", "right"); err != nil && over(t, err) != "attempts" {
			t.Fatal(err)
		}
	}
	if guesses > freeFailures {
		t.Errorf("%d guesses without a wait", guesses)
	}

	c.advance(failuresTime + time.Second)
	for i := range 3 { // and who mistypes, and gets in at last, begins anew
		for j := range freeFailures - 1 {
			if err := enter("ann", fmt.Sprint("typo", i, j)); !errors.Is(err, ErrCredentials) {
				t.Fatalf("typo %d of try %d: %v", j, i, err)
			}
		}
		c.advance(memoryTime)
		if err := enter("ann+home", "right"); err != nil {
			t.Errorf("who got in at last: %v", err)
		}
	}
}

// TestOneCheckForManyOfTheSame: a browser opens its tunnels at once when it starts,
// each with the same credentials.
func TestOneCheckForManyOfTheSame(t *testing.T) { synctest.Test(t, oneCheckForManyOfTheSame) }

func oneCheckForManyOfTheSame(t *testing.T) {
	g := mustNew(t, Options{Authentication: Basic, Users: usersFile(t, map[string]int{"ann": 4})})
	u := g.prove.(*users)
	for _, password := range []string{"wrong", "right"} {
		for range cap(u.strangers.running) {
			u.strangers.running <- struct{}{}
		}
		leave, gone := context.WithCancel(t.Context())
		go g.Enter(leave, here, nil, basic("ann", password)) // makes the check, and does not wait for it
		synctest.Wait()
		errs := make(chan error)
		const many = 10 * sourceWaiting
		for range many {
			go func() {
				_, err := g.Enter(t.Context(), here, nil, basic("ann", password))
				errs <- err
			}()
		}
		synctest.Wait()
		if u.strangers.all != 1 {
			t.Errorf("%s: %d checks wait", password, u.strangers.all)
		}
		gone()
		synctest.Wait()
		for range cap(u.strangers.running) {
			<-u.strangers.running
		}
		for range many {
			if err := <-errs; (err == nil) != (password == "right") {
				t.Fatalf("%s: %v", password, err)
			}
		}
		if failed, _ := g.state.failures.sources.Peek(netip.PrefixFrom(here, 32)); password == "wrong" && failed.count != 1 {
			t.Errorf("it counts as %d guesses", failed.count)
		}
		if left := len(u.checks); left > 0 {
			t.Errorf("%s: %d checks are still under way", password, left)
		}
	}
}

// TestNotTooManyWaitForOneCheck: one client can send tens of thousands of requests with the
// same password before it is checked, and each that waits takes memory.
func TestNotTooManyWaitForOneCheck(t *testing.T) { synctest.Test(t, notTooManyWaitForOneCheck) }

func notTooManyWaitForOneCheck(t *testing.T) {
	g := mustNew(t, Options{Authentication: Basic, Users: usersFile(t, map[string]int{"ann": 4})})
	q := g.prove.(*users).strangers
	for range cap(q.running) {
		q.running <- struct{}{}
	}
	errs := make(chan error, allJoined+1)
	for range cap(errs) { // one makes the check
		go func() {
			_, err := g.Enter(t.Context(), here, nil, basic("ann", "right"))
			errs <- err
		}()
	}
	synctest.Wait()
	if _, err := g.Enter(t.Context(), here, nil, basic("ann", "right")); over(t, err) != "all attempts" {
		t.Errorf("one more: %v", err)
	}
	<-q.running
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Fatalf("who waited: %v", err)
		}
	}
	if q.joined != 0 {
		t.Errorf("%d still wait", q.joined)
	}
	for range cap(q.running) - 1 {
		<-q.running
	}
}

// TestRightTokenEntersWhileOthersTry with wrong ones, from the same address.
func TestRightTokenEntersWhileOthersTry(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	k, err := MakeKey(key)
	if err != nil {
		t.Fatal(err)
	}
	g := mustNew(t, Options{Authentication: Token, TokenKey: key})
	old, _, _ := k.Sign("ann", time.Now().Add(-time.Hour))
	for range freeFailures {
		if _, err := g.Enter(t.Context(), here, nil, []string{"Bearer " + old}); !errors.Is(err, ErrCredentials) {
			t.Fatal(err)
		}
	}
	if _, err := g.Enter(t.Context(), here, nil, []string{"Bearer " + old}); over(t, err) != "attempts" {
		t.Errorf("an old token time and again: %v", err)
	}
	token, _, _ := k.Sign("ann", time.Now().Add(time.Hour))
	for what, fields := range map[string][]string{"Bearer": {"Bearer " + token}, "Basic": basic("ann+shop", token)} {
		if _, err := g.Enter(t.Context(), here, nil, fields); err != nil {
			t.Errorf("a right one as %s: %v", what, err)
		}
	}
}

// TestGuessesComeOneAtATime: who may try once more may not try many passwords
// at the same instant.
func TestGuessesComeOneAtATime(t *testing.T) {
	f, now := newFailures(), time.Now()
	for range freeFailures {
		f.add(here, "ann", now)
	}
	now = now.Add(f.wait(here, now))
	if wait := f.wait(here, now); wait != 0 {
		t.Fatalf("still to wait: %v", wait)
	}
	if wait := f.wait(here, now); wait == 0 {
		t.Error("a second guess may be made before the first was judged")
	}
}

func TestUsersFilesThatAreRefused(t *testing.T) {
	for content, why := range map[string]string{
		"ann\n": "line 1 is not name:hash", ":x\n": "line 1: a name has", "ann:plain\n": "not bcrypt", "ann:{SHA}fEqNCco3Yq9h5ZUglD3CZJT4lBs=\n": "not bcrypt",
		"# ours\n\nann:$apr1$x$y\n": "line 3: the hash is not bcrypt", "ann:$2y$10$short\n": "damaged", "ann:" + string(decoy(4)) + "x\n": "damaged",
		"ann+x:" + string(decoy(4)) + "\n": "a name has", "ann:" + string(decoy(4)) + "\nann:" + string(decoy(4)) + "\n": "line 2 repeats a name",
		"ann:" + string(decoy(20)) + "\n": "the most is 14", " ann:" + string(decoy(4)) + "\n": "a name has",
		"#" + strings.Repeat(" ", maxFile) + "\n": "is larger than 32 MiB",
	} {
		path := filepath.Join(t.TempDir(), "users")
		write(t, path, content)
		_, err := New(Options{Authentication: Basic, Users: path}, nil)
		if err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%.60q: %v", content, err)
		} else if strings.Contains(err.Error(), "$2") || strings.Contains(err.Error(), "plain") {
			t.Errorf("the error holds part of the file: %v", err)
		}
	}
	if _, err := New(Options{Authentication: Basic, Users: filepath.Join(t.TempDir(), "none")}, nil); err == nil {
		t.Error("a file that does not exist is accepted")
	}
	for name, password := range map[string]string{"": "x", "a:b": "x", "a+b": "x", "ann": "", "bob": strings.Repeat("x", 73), " x": "x", "a\x00b": "x", "a\xffb": "x", strings.Repeat("n", maxName+1): "x"} {
		if err := SetUser(filepath.Join(t.TempDir(), "users"), name, password); err == nil {
			t.Errorf("user %q with a password of %d bytes is added", name, len(password))
		}
	}
	longest := filepath.Join(t.TempDir(), "users")
	if err := SetUser(longest, strings.Repeat("n", maxName), strings.Repeat("x", 72)); err != nil {
		t.Error(err)
	}
	for _, path := range []string{longest, filepath.Join(t.TempDir(), "none")} {
		if err := RemoveUser(path, "ann"); err == nil {
			t.Errorf("%s: ann is removed who is not there", filepath.Base(path))
		}
	}
	if err := SetUser(t.TempDir(), "ann", "x"); err == nil {
		t.Error("a folder is a file of nobody")
	}
}

func TestTokens(t *testing.T) {
	c := newClock()
	dir := t.TempDir()
	key, revoked := filepath.Join(dir, "key"), filepath.Join(dir, "revoked")
	k, err := MakeKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := MakeKey(key); err == nil {
		t.Fatal("a key is overwritten")
	}
	write(t, revoked, "# nobody yet\n\n")
	g := mustNew(t, Options{Authentication: Token, TokenKey: key, Revoked: revoked, Now: c.now})
	if got := g.Challenge(); !slices.Equal(got, []string{`Basic realm="guise", charset="UTF-8"`, `Bearer realm="guise"`}) {
		t.Errorf("who sends none is asked by %q", got)
	}
	token, id, err := k.Sign("ann", c.at.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	var other Key
	forged, _, _ := other.Sign("ann", c.at.Add(time.Hour))
	bob, _, _ := k.Sign("bob", c.at.Add(time.Hour))
	payload, mac, _ := strings.Cut(token, ".")
	longer := payload[:len(payload)-1] + "9"
	signed := func(payload string) string { // by the right key, whatever it says
		encode := base64.RawURLEncoding.EncodeToString
		return encode([]byte(payload)) + "." + encode(k.mac([]byte(payload)))
	}
	enter := func(fields []string) (Entrant, error) {
		c.advance(longestWait) // guesses do not add up here
		c.at = c.at.Add(-longestWait)
		g.state.failures = newFailures()
		return g.Enter(t.Context(), here, nil, fields)
	}
	for _, good := range [][]string{{"Bearer " + token}, basic("ann", token), basic("ann+x", token)} {
		if e, err := enter(good); err != nil || e.Account != "ann" {
			t.Errorf("%+v, %v", e, err)
		}
	}
	for what, bad := range map[string][]string{
		"forged": {"Bearer " + forged}, "of another user": basic("bob", token), "changed": {"Bearer " + longer + "." + mac},
		"no signature": {"Bearer " + payload}, "in another scheme": {"Digest " + token}, "empty": {"Bearer "}, "cut": {"Bearer " + token[:len(token)-2]}, "padded": {"Bearer " + token + "="},
		"nothing": nil, "password": basic("ann", "right"), "broken by a line": basic("ann", token[:9]+"\n"+token[9:]), "broken off": {"Bearer " + payload + "."},
		"of another version": {"Bearer " + signed("\x02\x7f\xff\xff\xff\xff\xff\xff\xffann")}, "without a time": {"Bearer " + signed("\x01")}, "without a name": {"Bearer " + signed("\x01\x7f\xff\xff\xff\xff\xff\xff\xff")},
	} {
		if e, err := enter(bad); !errors.Is(err, ErrCredentials) {
			t.Errorf("%s: %+v, %v", what, e, err)
		}
	}
	if err := Revoke(revoked, id); err != nil {
		t.Fatal(err)
	}
	c.advance(2 * time.Second)
	if _, err := enter([]string{"Bearer " + token}); err == nil {
		t.Error("a revoked token enters")
	}
	if _, err := enter([]string{"Bearer " + bob}); err != nil {
		t.Errorf("another token was revoked: %v", err)
	}
	if err := Revoke(revoked, "bob"); err != nil {
		t.Fatal(err)
	}
	c.advance(2 * time.Second)
	if _, err := enter([]string{"Bearer " + bob}); err == nil {
		t.Error("a token of a revoked user enters")
	}
	if listed, err := Revoked(revoked); err != nil || !slices.Equal(listed, []string{id, "bob"}) {
		t.Errorf("%v, %v", listed, err)
	}
	if _, err := Revoked(dir); err == nil {
		t.Error("a folder is a list of nobody")
	}
	noted := "\ufeffbob # has left\n# and\n" + id + "\n"
	write(t, revoked, noted)
	c.advance(2 * time.Second)
	if _, err := enter([]string{"Bearer " + bob}); err == nil {
		t.Error("who is revoked with a note enters")
	}
	if listed, err := Revoked(revoked); err != nil || !slices.Equal(listed, []string{"bob", id}) {
		t.Errorf("%q, %v", listed, err)
	}
	err = Revoke(revoked, "bob")
	if left, _ := os.ReadFile(revoked); err != nil || string(left) != noted {
		t.Errorf("to revoke bob again made %q of the list, %v", left, err)
	}
	for _, name := range []string{"", "a+b", "a:b", " a", "a\n"} {
		if _, _, err := k.Sign(name, c.at.Add(time.Minute)); err == nil {
			t.Errorf("%q has a token", name)
		}
		if err := Revoke(revoked, name); err == nil {
			t.Errorf("%q is revoked", name)
		}
	}
	short, _, _ := k.Sign("x", c.at.Add(time.Minute))
	if e, err := enter([]string{"Bearer " + short}); err != nil || e.Account != "x" {
		t.Errorf("a short name: %+v, %v", e, err)
	}
	fresh, _, _ := k.Sign("cid", c.at.Add(time.Minute))
	c.advance(time.Minute)
	if _, err := enter([]string{"Bearer " + fresh}); err == nil {
		t.Error("an expired token enters")
	}
}

// TestTokensOutliveAnUpgrade: one that another version of guise made still enters.
func TestTokensOutliveAnUpgrade(t *testing.T) {
	k, err := parseKey([]byte(strings.Repeat("0123456789abcdef", 4) + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	const token, id = "AQAAAAB3NZQAYW5u.lZ0OSlewsBKr_i8iAmNcGRa3DUGRoKdh-5es9XJxXZc", "959d0e4a57b0b012"
	expiry := time.Unix(2_000_000_000, 0)
	if made, madeID, err := k.Sign("ann", expiry); err != nil || made != token || madeID != id {
		t.Errorf("made %s, %s, %v", made, madeID, err)
	}
	if name, got, err := k.Verify(token, expiry.Add(-time.Second)); err != nil || name != "ann" || got != id {
		t.Errorf("%s, %s, %v", name, got, err)
	}
	if _, _, err := k.Verify(token, expiry); err == nil {
		t.Error("an expired token is good")
	}
	for _, text := range []string{"", "00", strings.Repeat("0", 63), strings.Repeat("0", 66), strings.Repeat("x", 64)} {
		if _, err := parseKey([]byte(text)); err == nil {
			t.Errorf("%q is a key", text)
		}
	}
}

// certificate returns one for a common name, signed by authority, or by itself
// if that is nil.
func certificate(t *testing.T, name string, authority *tls.Certificate, usage x509.ExtKeyUsage) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: authority == nil, BasicConstraintsValid: true,
	}
	if authority != nil {
		template.ExtKeyUsage = []x509.ExtKeyUsage{usage}
	}
	parent, signer := template, any(key)
	if authority != nil {
		parent, signer = authority.Leaf, authority.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func TestCertificates(t *testing.T) {
	ours, theirs := certificate(t, "our authority", nil, 0), certificate(t, "their authority", nil, 0)
	path := filepath.Join(t.TempDir(), "authorities.pem")
	pemOf := func(c tls.Certificate) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}))
	}
	write(t, path, "none\n")
	if _, err := New(Options{Authentication: Certificate, Authorities: path}, nil); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a file without authorities: %v", err)
	}
	write(t, path, pemOf(ours))
	c := newClock()
	g := mustNew(t, Options{Authentication: Certificate, Authorities: path, Now: c.now})
	if g.ClientAuth() != tls.RequestClientCert || g.Challenge() != nil {
		t.Error("a listener does not ask for certificates, or a request is asked for credentials")
	}
	enter := func(leaf *x509.Certificate) (Entrant, error) {
		g.state.failures = newFailures()
		state := &tls.ConnectionState{}
		if leaf != nil {
			state.PeerCertificates = []*x509.Certificate{leaf}
		}
		return g.Enter(t.Context(), here, state, nil)
	}
	ann := certificate(t, "ann", &ours, x509.ExtKeyUsageClientAuth).Leaf
	for range freeFailures + 1 {
		g.Enter(t.Context(), here, &tls.ConnectionState{PeerCertificates: []*x509.Certificate{certificate(t, "ann", &theirs, x509.ExtKeyUsageClientAuth).Leaf}}, nil)
	}
	state := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{ann}}
	if _, err := g.Enter(t.Context(), here, state, nil); err != nil {
		t.Errorf("while others try in vain: %v", err)
	}
	for range 2 { // checked, then remembered
		if e, err := enter(ann); err != nil || e.Account != "ann" {
			t.Errorf("%+v, %v", e, err)
		}
	}
	// Who asks to be kept apart is apart as itself: what others keep is not its.
	for user, want := range map[string]string{"ann+work": "ann+work", "bob+work": "", "bob": "", "+work": "", "ann": "", "ann+": ""} {
		if e, err := g.Enter(t.Context(), here, state, basic(user, "x")); err != nil || e.Account != "ann" || e.Isolation != want {
			t.Errorf("%s: %+v, %v", user, e, err)
		}
	}
	if e, err := g.Enter(t.Context(), here, nil, basic("ann", "x")); !errors.Is(err, ErrCredentials) {
		t.Errorf("a password alone: %+v, %v", e, err)
	}
	for what, leaf := range map[string]*x509.Certificate{
		"none": nil, "signed by others": certificate(t, "ann", &theirs, x509.ExtKeyUsageClientAuth).Leaf,
		"of a server": certificate(t, "ann", &ours, x509.ExtKeyUsageServerAuth).Leaf, "its own": certificate(t, "ann", nil, 0).Leaf,
	} {
		if e, err := enter(leaf); !errors.Is(err, ErrCredentials) {
			t.Errorf("%s: %+v, %v", what, e, err)
		}
	}
	write(t, path, pemOf(theirs))
	c.advance(2 * time.Second)
	if _, err := enter(ann); err == nil {
		t.Error("an authority that was taken out still lets clients in")
	}
	write(t, path, pemOf(ours))
	c.at = ann.NotAfter
	if _, err := enter(ann); err != nil {
		t.Errorf("in its last moment: %v", err)
	}
	c.advance(time.Second)
	if _, err := enter(ann); err == nil {
		t.Error("an expired certificate enters")
	}
}

// TestCertificatesAreRevoked, all of a user or one alone, though they were right a moment
// ago.
func TestCertificatesAreRevoked(t *testing.T) {
	ours := certificate(t, "our authority", nil, 0)
	authorities, list := filepath.Join(t.TempDir(), "authorities.pem"), filepath.Join(t.TempDir(), "revoked")
	write(t, authorities, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ours.Certificate[0]})))
	if _, err := New(Options{Authentication: Certificate, Authorities: authorities, Revoked: list}, nil); err == nil || !strings.Contains(err.Error(), list) {
		t.Errorf("a list that is not there: %v", err)
	}
	write(t, list, "")
	c := newClock()
	g := mustNew(t, Options{Authentication: Certificate, Authorities: authorities, Revoked: list, Now: c.now})
	entering := func(leaf tls.Certificate) bool {
		g.state.failures = newFailures()
		_, err := g.Enter(t.Context(), here, &tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf.Leaf}}, nil)
		if err != nil && !errors.Is(err, ErrCredentials) {
			t.Error(err)
		}
		return err == nil
	}
	ann, again, bob := certificate(t, "ann", &ours, x509.ExtKeyUsageClientAuth), certificate(t, "ann", &ours, x509.ExtKeyUsageClientAuth), certificate(t, "bob", &ours, x509.ExtKeyUsageClientAuth)
	again.Leaf.SerialNumber, bob.Leaf.SerialNumber = big.NewInt(0x0a1b2c), big.NewInt(0x0a1b2d)
	if !entering(ann) || !entering(again) || !entering(bob) {
		t.Fatal("not all enter")
	}
	for line, want := range map[string][3]bool{
		"ann":                        {false, false, true},
		"# ann":                      {true, true, true},
		"\ufeffann":                  {false, false, true},
		"bob  # ann's":               {true, true, false},
		"serial=0A1B2C # lost":       {true, false, true},
		"serial=0A1B2C":              {true, false, true},
		"serial=0a:1b:2c\r":          {true, false, true},
		"SERIAL=A1B2C":               {true, false, true},
		"serial 0a1b2d":              {true, true, false},
		"a1b2c":                      {true, true, true}, // a name
		"serial=\nserial=no\n\nbo\n": {true, true, true},
	} {
		write(t, list, line+"\n")
		c.advance(2 * lookAgain)
		if got := [3]bool{entering(ann), entering(again), entering(bob)}; got != want {
			t.Errorf("%q: %v, want %v", line, got, want)
		}
	}
}

// TestCertificatesNameAnAccount, also those that have no name which one can have.
func TestCertificatesNameAnAccount(t *testing.T) {
	for want, c := range map[string]*x509.Certificate{
		"ann":           {Subject: pkix.Name{CommonName: "ann"}, EmailAddresses: []string{"ann@a.example"}},
		"bob@a.example": {EmailAddresses: []string{"bob@a.example"}, DNSNames: []string{"bob.a.example"}},
		"cid.a.example": {Subject: pkix.Name{CommonName: "cid+work"}, DNSNames: []string{"cid.a.example"}},
		"serial 0a":     {Subject: pkix.Name{CommonName: " "}, SerialNumber: big.NewInt(10)},
	} {
		if got := certificateName(c); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestCertificatesByWayOfAnotherAuthority: what leads to one that is known comes with the
// client's own, and is nobody's by itself.
func TestCertificatesByWayOfAnotherAuthority(t *testing.T) {
	ours, department := certificate(t, "our authority", nil, 0), certificate(t, "department", nil, 0)
	template := *department.Leaf
	template.MaxPathLenZero = true
	der, err := x509.CreateCertificate(rand.Reader, &template, ours.Leaf, department.Leaf.PublicKey, ours.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	if department.Leaf, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	below := certificate(t, "below", &department, x509.ExtKeyUsageServerAuth).Leaf
	ann, stray := certificate(t, "ann", &department, x509.ExtKeyUsageClientAuth).Leaf, certificate(t, "ann", nil, 0)
	path := filepath.Join(t.TempDir(), "authorities.pem")
	write(t, path, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ours.Certificate[0]})))
	g := mustNew(t, Options{Authentication: Certificate, Authorities: path})
	for what, c := range map[string]struct {
		chain  []*x509.Certificate
		enters bool
	}{
		"both":              {[]*x509.Certificate{ann, department.Leaf}, true},
		"with the known":    {[]*x509.Certificate{ann, department.Leaf, ours.Leaf}, true},
		"its own alone":     {[]*x509.Certificate{ann}, false},
		"by another":        {[]*x509.Certificate{ann, stray.Leaf}, false},
		"behind a stranger": {[]*x509.Certificate{stray.Leaf, ann, department.Leaf}, false},
		"of no client":      {[]*x509.Certificate{below, department.Leaf}, false},
	} {
		g.state.failures = newFailures()
		e, err := g.Enter(t.Context(), here, &tls.ConnectionState{PeerCertificates: c.chain}, nil)
		if c.enters && (err != nil || e.Account != "ann") || !c.enters && !errors.Is(err, ErrCredentials) {
			t.Errorf("%s: %+v, %v", what, e, err)
		}
	}
}

// TestChainsAreCheckedOnce, and none that is longer than anybody's: each certificate
// in one may cost a check of its own, and a connection carries many requests.
func TestChainsAreCheckedOnce(t *testing.T) {
	ours, theirs := certificate(t, "our authority", nil, 0), certificate(t, "their authority", nil, 0)
	path := filepath.Join(t.TempDir(), "authorities.pem")
	write(t, path, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ours.Certificate[0]})))
	g := mustNew(t, Options{Authentication: Certificate, Authorities: path})
	right := []*x509.Certificate{certificate(t, "ann", &ours, x509.ExtKeyUsageClientAuth).Leaf}
	wrong := []*x509.Certificate{certificate(t, "ann", &theirs, x509.ExtKeyUsageClientAuth).Leaf}
	long := slices.Concat(right, slices.Repeat(wrong, longestChain))
	large := []*x509.Certificate{right[0], {Raw: make([]byte, largestChain)}}
	enter := func(chain []*x509.Certificate) error {
		g.state.failures = newFailures()
		_, err := g.Enter(t.Context(), here, &tls.ConnectionState{PeerCertificates: chain}, nil)
		return err
	}
	for range 2 {
		if err := enter(right); err != nil {
			t.Error(err)
		}
		if err := enter(wrong); !errors.Is(err, ErrCredentials) {
			t.Error(err)
		}
		if err := enter(long); !errors.Is(err, ErrCredentials) {
			t.Errorf("%d certificates: %v", len(long), err)
		}
		if err := enter(large); !errors.Is(err, ErrCredentials) {
			t.Errorf("a large certificate: %v", err)
		}
		// The second time, whoever wanted to check anything would wait for ever.
		checking := g.prove.(*certificates).checking
		for len(checking) < cap(checking) {
			checking <- struct{}{}
		}
	}
}

// TestCheckGivesUpWithTheRequest: who is gone does not wait for bcrypt.
func TestCheckGivesUpWithTheRequest(t *testing.T) {
	g := mustNew(t, Options{Authentication: Basic, Users: usersFile(t, map[string]int{"ann": 4})})
	q := g.prove.(*users).strangers
	for range cap(q.running) {
		q.running <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.Enter(ctx, here, nil, basic("ann", "right")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if q.all != 0 || len(q.waiting) != 0 {
		t.Errorf("%d checks wait, of %d sources", q.all, len(q.waiting))
	}
}

// TestWhoGotInTodayDoesNotQueueWithStrangers: many who guess from many places take
// all the turns that there are.
func TestWhoGotInTodayDoesNotQueueWithStrangers(t *testing.T) {
	c := newClock()
	g := mustNew(t, Options{Authentication: Basic, Users: usersFile(t, map[string]int{"ann": 4}), Now: c.now})
	if _, err := g.Enter(t.Context(), here, nil, basic("ann", "right")); err != nil {
		t.Fatal(err)
	}
	c.advance(memoryTime + time.Second)
	q := g.prove.(*users).strangers
	q.all = allWaiting
	if _, err := g.Enter(t.Context(), here, nil, basic("bob", "guess")); over(t, err) != "all attempts" {
		t.Errorf("a stranger: %v", err)
	}
	if _, err := g.Enter(t.Context(), here, nil, basic("ann", "right")); err != nil {
		t.Errorf("who got in before: %v", err)
	}
}

func FuzzCredentials(f *testing.F) {
	f.Add("Basic YW5uOnJpZ2h0")
	f.Add("Bearer AQAAAAAAAAAAYW5u.x")
	key := Key{1}
	token, _, _ := key.Sign("ann", time.Now().Add(time.Hour))
	f.Add("Bearer " + token)
	f.Add("Bearer " + token[:20] + "\n" + token[20:])
	f.Fuzz(func(t *testing.T, value string) {
		c := readCredentials([]string{value})
		if c.user != "" && !isClientName(c.user) {
			t.Errorf("user %q", c.user)
		}
		if name, _, err := key.Verify(c.token, time.Now()); err == nil && (name != "ann" || c.token != token) {
			t.Errorf("token %q is of %q", c.token, name)
		}
	})
}

// TestEditsAtOnceAreAllKept: two operators, or a script that adds many.
func TestEditsAtOnceAreAllKept(t *testing.T) {
	folder := t.TempDir()
	for what, edit := range map[string]struct {
		change func(path, name string) error
		list   func(path string) ([]string, error)
	}{
		"users":   {func(path, name string) error { return SetUser(path, name, "secret") }, ListUsers},
		"revoked": {Revoke, Revoked},
	} {
		path := filepath.Join(folder, what)
		var want []string
		var all sync.WaitGroup
		for i := range 8 {
			name := fmt.Sprintf("user%d", i)
			want = append(want, name)
			all.Go(func() {
				if err := edit.change(path, name); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		got, err := edit.list(path)
		if slices.Sort(got); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v", what, got, err)
		}
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 2 {
		t.Errorf("what stays is %v, %v", left, err)
	}
}

// TestEditsKeepWhatIsAround: the comments, the mode, and the link by which a file is
// named.
func TestEditsKeepWhatIsAround(t *testing.T) {
	folder := t.TempDir()
	for what, change := range map[string]func(path string) error{
		"users":   func(path string) error { return SetUser(path, "ann", "secret") },
		"revoked": func(path string) error { return Revoke(path, "ann") },
	} {
		path, link := filepath.Join(folder, what), filepath.Join(folder, what+".link")
		write(t, path, "# ours\n")
		if err := errors.Join(os.Chmod(path, 0o640), os.Symlink(path, link), change(link)); err != nil {
			t.Fatal(err)
		}
		if text, err := os.ReadFile(path); err != nil || !strings.HasPrefix(string(text), "# ours\nann") {
			t.Errorf("%s: %q, %v", what, text, err)
		}
		if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o640 {
			t.Errorf("%s: mode %v, %v", what, info.Mode(), err)
		}
		if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
			t.Errorf("%s: the link is one no more: %v, %v", what, info.Mode(), err)
		}
	}
}

// TestTheFirstUserKeepsTheLink: a folder of settings may link to one of data, where
// nothing is yet.
func TestTheFirstUserKeepsTheLink(t *testing.T) {
	folder := t.TempDir()
	data, settings, users := filepath.Join(folder, "data"), filepath.Join(folder, "settings"), filepath.Join("..", "data", "users")
	link, first := filepath.Join(settings, "users"), filepath.Join(settings, "first")
	if err := errors.Join(os.Mkdir(data, 0o700), os.Mkdir(settings, 0o700), os.Symlink(users, first), os.Symlink("first", link)); err != nil {
		t.Fatal(err)
	}
	if err := SetUser(link, "ann", "secret"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(data, "users")); err != nil {
		t.Error(err)
	}
	for _, path := range []string{link, first} {
		if _, err := os.Readlink(path); err != nil {
			t.Error(err)
		}
	}
}

// TestNothingBehind72BytesIsAPassword: bcrypt would leave it out of account.
func TestNothingBehind72BytesIsAPassword(t *testing.T) {
	path, password := filepath.Join(t.TempDir(), "users"), strings.Repeat("p", maxPassword)
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, "ann:"+string(hash)+"\n")
	g := mustNew(t, Options{Authentication: Basic, Users: path})
	if _, err := g.Enter(t.Context(), here, nil, basic("ann", password+"x")); err != ErrCredentials {
		t.Errorf("one byte more: %v", err)
	}
	if _, err := g.Enter(t.Context(), here, nil, basic("ann", password)); err != nil {
		t.Error(err)
	}
}
