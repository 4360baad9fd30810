package gate

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"strings"
)

// A Pass is what a client was let in by. Whoever goes on for longer than a request, as in
// a tunnel, is judged by it again. It holds no password.
type Pass struct {
	account string
	proof   any // what the gate's prover made of the credentials; nil without authentication
}

// Pass returns the pass of e, with whose credentials [Gate.Enter] was called.
func (g *Gate) Pass(e Entrant, state *tls.ConnectionState, authorization []string) Pass {
	p := Pass{account: e.Account}
	if g.prove != nil {
		p.proof = g.prove.proof(e.Account, credentialsOf(state, authorization))
	}
	return p
}

// Holds reports whether the account of p, a pass of this gate, may still enter by the
// same proof. The networks of a gate do not change.
func (g *Gate) Holds(p Pass) bool { return g.prove == nil || g.prove.holds(p.account, p.proof) }

// Version changes when a file that says who may enter does. It is 0 if there is none.
func (g *Gate) Version() uint64 {
	if g.prove == nil {
		return 0
	}
	return g.prove.version()
}

// proof is the hash that the password was checked by.
func (u *users) proof(account string, _ credentials) any { return u.file.get().hashes[account].text }

func (u *users) holds(account string, proof any) bool {
	h, exists := u.file.get().hashes[account]
	text, _ := proof.([]byte)
	return exists && bytes.Equal(h.text, text)
}

func (u *users) version() uint64 { return u.file.version() }

// proof is the token.
func (t *tokens) proof(_ string, c credentials) any { return strings.Clone(c.signed()) }

func (t *tokens) holds(_ string, proof any) bool {
	token, _ := proof.(string)
	_, err := t.account(context.Background(), credentials{token: token})
	return err == nil
}

func (t *tokens) version() uint64 { return t.key.version() + t.revoked.version() }

// proof is the chain.
func (p *certificates) proof(_ string, c credentials) any { return c.chain }

func (p *certificates) holds(_ string, proof any) bool {
	chain, _ := proof.([]*x509.Certificate)
	_, err := p.account(context.Background(), credentials{chain: chain})
	return err == nil
}

func (p *certificates) version() uint64 { return p.authorities.version() + p.revoked.version() }
