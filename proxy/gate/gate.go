// Package gate decides who may enter, and how much they may do.
//
// [New] makes a [Gate] for a configuration; a gate made from another one
// knows what that one knew of its clients. Every connection asks
// [Gate.Connect], every TLS handshake [Gate.Handshake], every request
// [Gate.Enter] for who sent it, and then [Gate.Begin] for leave to go on. What
// the gate keeps of a client is bounded, lives in memory alone, and is never
// shown.
package gate

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"
)

// Authentication is how a client proves who it is.
type Authentication uint8

// The kinds of authentication.
const (
	None        Authentication = iota // anybody from an admitted network enters
	Basic                             // user and password (RFC 7617)
	Token                             // a signed name with an expiry, as Bearer (RFC 6750) or as the password
	Certificate                       // a TLS client certificate
)

// Options configures a [Gate]. The zero value admits loopback alone, without
// any limit.
type Options struct {
	Networks []netip.Prefix // clients that may enter; nil means 127.0.0.0/8 and ::1/128
	Deny     []netip.Prefix // clients that may not, even if in Networks; the longer prefix decides, Deny if equally long

	Authentication Authentication
	Users          string // htpasswd file of bcrypt hashes, for Basic; read again when it changes
	TokenKey       string // file that [ReadKey] takes, for Token
	Revoked        string // file of names, and of ids of tokens or serial numbers of certificates, that enter no more, for Token and Certificate; "" for none
	Authorities    string // PEM file of those who sign client certificates, for Certificate

	Client Limits // of each client
	Total  Limits // of all clients together

	Unread func(error)      // told why a file that has changed cannot be used, what it held before stays; nil for nobody
	Now    func() time.Time // nil means time.Now
}

// Errors of [Gate.Enter].
var (
	ErrNotAdmitted = errors.New("client is not of an admitted network")
	ErrCredentials = errors.New("client has not proved who it is")
)

// A Gate admits clients. It is safe for concurrent use.
type Gate struct {
	options  Options
	networks []netip.Prefix
	deny     []netip.Prefix
	prove    prover // nil without authentication
	state    *state
	replaced atomic.Bool
}

// A prover tells which account a request is of, or returns ErrCredentials.
type prover interface {
	// known is what can be told at once. If that is no account, familiar reports
	// whether the password let somebody in from the same source today.
	known(c credentials) (account string, ok, familiar bool)
	account(ctx context.Context, c credentials) (string, error)

	// proof is to be kept, and given to holds later, which tells whether the account
	// may still enter.
	proof(account string, c credentials) any
	holds(account string, proof any) bool
	version() uint64 // another whenever holds may answer otherwise, unless time alone did it; never 0
}

// A state is what gates of one process know of their clients.
type state struct {
	memory   *memory
	failures *failures
	ledger   *ledger
}

var loopback = []netip.Prefix{
	netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("::1/128"),
}

// New returns a Gate for o. It takes over from before what that gate knows of
// its clients; nil for a first one. It fails if a file of o cannot be used.
func New(o Options, before *Gate) (*Gate, error) {
	if o.Networks == nil {
		o.Networks = loopback
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	g := &Gate{options: o, networks: canonical(o.Networks), deny: canonical(o.Deny)}
	if before != nil {
		g.state = before.state
	} else {
		g.state = &state{newMemory(), newFailures(), newLedger()}
	}
	common := watching{o.Now, g.unread}
	var err error
	switch o.Authentication {
	case None:
	case Basic:
		g.prove, err = newUsers(o.Users, g.state.memory, common)
	case Token:
		g.prove, err = newTokens(o.TokenKey, o.Revoked, common)
	case Certificate:
		g.prove, err = newCertificates(o.Authorities, o.Revoked, g.state.memory, common)
	default:
		err = fmt.Errorf("unknown authentication %d", o.Authentication)
	}
	if err != nil {
		return nil, err
	}
	return g, nil
}

// Replace tells the gate that another has its place, and tells of the files: it goes on
// for those whom it let in, and would tell of the same once more.
func (g *Gate) Replace() { g.replaced.Store(true) }

// unread tells why a file that has changed cannot be used.
func (g *Gate) unread(err error) {
	if g.options.Unread != nil && !g.replaced.Load() {
		g.options.Unread(err)
	}
}

// Admit returns nil if a client at addr may enter, else [ErrNotAdmitted]. An
// IPv4-mapped address is the IPv4 address; the zone is of no account, since
// it names a link and not who is on it. The zero Addr is never admitted.
func (g *Gate) Admit(addr netip.Addr) error {
	addr = addr.Unmap().WithZone("")
	if admitted := longest(g.networks, addr); admitted < 0 || longest(g.deny, addr) >= admitted {
		return ErrNotAdmitted
	}
	return nil
}

// An Entrant is a client that was let in.
type Entrant struct {
	Address   netip.Addr
	Account   string // user name; "" without authentication
	Isolation string // name+suffix, if the client asked to be kept apart; else ""
}

// Visitor names the client for what is kept for each one: the isolation, else
// the account, else the address. Limits hold for a whole /64 of IPv6, since one host
// can have all of it; but all devices of a house are in one as well, and what one
// of them reads is not for the others to see.
func (e Entrant) Visitor() string {
	switch {
	case e.Isolation != "":
		return e.Isolation
	case e.Account != "":
		return e.Account
	}
	return e.Address.Unmap().WithZone("").String()
}

// A client is one by its account, else by its address; one of the two is zero.
type client struct {
	account string
	network netip.Addr // what NetworkOf returns
}

func (e Entrant) client() client {
	if e.Account != "" {
		return client{account: e.Account}
	}
	return client{network: NetworkOf(e.Address)}
}

// NetworkOf returns an IPv4 address, or the first one of an IPv6 address's
// /64: a host has all of that.
func NetworkOf(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		b := addr.As16()
		clear(b[8:])
		return netip.AddrFrom16(b)
	}
	return addr
}

// Enter says who sent a request: from addr, over the TLS connection state
// (nil for none), with the values of its Proxy-Authorization field. It returns
// [ErrNotAdmitted], [ErrCredentials], a [*Over] for a source that tried too
// often in vain, or ctx's error.
func (g *Gate) Enter(ctx context.Context, addr netip.Addr, state *tls.ConnectionState, authorization []string) (Entrant, error) {
	return g.EnterOn(ctx, nil, addr, state, authorization)
}

// EnterOn is Enter for a request on a connection that may have shown who its client
// is.
func (g *Gate) EnterOn(ctx context.Context, on *Shown, addr netip.Addr, state *tls.ConnectionState, authorization []string) (Entrant, error) {
	if err := g.Admit(addr); err != nil {
		return Entrant{}, err
	}
	e := Entrant{Address: addr.Unmap()}
	if g.prove == nil {
		return e, nil
	}
	c := credentialsOf(state, authorization)
	c.source, c.on = NetworkOf(addr), on
	account, err := g.judge(ctx, c)
	if err != nil {
		return Entrant{}, err
	}
	e.Account = account
	if name, suffix, _ := strings.Cut(c.user, "+"); name == account && suffix != "" {
		e.Isolation = c.user
	}
	return e, nil
}

// judge asks for the account, and slows down who guesses. What is no guess enters at
// once, though others behind the same address try in vain: what the connection has shown
// before, proofs that nobody can guess, and passwords that were right a moment ago, until
// the source has tried so many that one may be right by chance (see freeLooks). A
// password that was right from there today is not slowed down either.
func (g *Gate) judge(ctx context.Context, c credentials) (string, error) {
	if !c.given() {
		return "", ErrCredentials // no guess: many clients wait for a challenge
	}
	account, known, familiar := g.prove.known(c)
	if known {
		return account, nil
	}
	c.familiar = familiar
	now := g.options.Now()
	if wait := g.state.failures.wait(c.source, now); wait > 0 && !familiar {
		return "", &Over{Limit: "attempts", Retry: wait}
	}
	account, err := g.prove.account(ctx, c)
	switch {
	case err == errSameGuess:
	case errors.Is(err, ErrCredentials):
		g.state.failures.add(c.source, c.name(), now)
		g.state.memory.estrange(c)
	case err == nil:
		g.state.failures.forget(c.source, c.name())
		g.state.memory.befriend(c, now)
	}
	return account, err
}

// Challenge is the value of Proxy-Authenticate that asks for credentials.
// There is none for certificates: nothing in a request could help.
func (g *Gate) Challenge() []string {
	switch g.options.Authentication {
	case Basic:
		return []string{`Basic realm="guise", charset="UTF-8"`}
	case Token: // Basic too: browsers know no other way to send one
		return []string{`Basic realm="guise", charset="UTF-8"`, `Bearer realm="guise"`}
	}
	return nil
}

// ClientAuth is what a TLS listener must ask its clients for. The gate itself
// checks who signed the certificate, so that a reload applies at once.
func (g *Gate) ClientAuth() tls.ClientAuthType {
	if g.options.Authentication == Certificate {
		return tls.RequestClientCert
	}
	return tls.NoClientCert
}

// credentials are what a client sent to prove who it is.
type credentials struct {
	user, password string // of Basic; user may have a suffix
	token          string // of Bearer
	chain          []*x509.Certificate
	source         netip.Addr // its network
	familiar       bool       // the password let somebody in from there today
	on             *Shown     // nil for a connection of which nothing is known
}

// credentialsOf reads those of a request on a connection with this TLS state.
func credentialsOf(state *tls.ConnectionState, authorization []string) credentials {
	c := readCredentials(authorization)
	if state != nil {
		c.chain = state.PeerCertificates
	}
	return c
}

// name is the user without a suffix.
func (c credentials) name() string {
	name, _, _ := strings.Cut(c.user, "+")
	return name
}

// signed is a token, which may come as the password.
func (c credentials) signed() string { return cmp.Or(c.token, c.password) }

func (c credentials) given() bool { return c.user != "" || c.token != "" || len(c.chain) > 0 }

// longest returns the length in bits of the longest prefix that addr is in,
// -1 if it is in none.
func longest(prefixes []netip.Prefix, addr netip.Addr) int {
	bits := -1
	for _, p := range prefixes {
		if p.Contains(addr) {
			bits = max(bits, p.Bits())
		}
	}
	return bits
}

// canonical returns prefixes with those of IPv4-mapped addresses as IPv4, the
// form that addresses are compared in.
func canonical(prefixes []netip.Prefix) []netip.Prefix {
	out := make([]netip.Prefix, 0, len(prefixes))
	for _, p := range prefixes {
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		out = append(out, p)
	}
	return out
}
