package gate

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"path/filepath"
	"testing"
	"time"
)

// A holder of a pass, and what the gate says of it.
type holder struct {
	gate *Gate
	pass Pass
}

func letIn(t *testing.T, g *Gate, state *tls.ConnectionState, authorization []string) holder {
	t.Helper()
	g.state.failures = newFailures()
	e, err := g.Enter(t.Context(), here, state, authorization)
	if err != nil {
		t.Fatal(err)
	}
	return holder{g, g.Pass(e, state, authorization)}
}

// hold fails the test unless each of the holders may go on or not, as want says.
func hold(t *testing.T, what string, c *clock, want ...any) {
	t.Helper()
	c.advance(2 * lookAgain)
	for i := 0; i < len(want); i += 2 {
		h := want[i].(holder)
		if got := h.gate.Holds(h.pass); got != want[i+1] {
			t.Errorf("%s: holder %d goes on: %t", what, i/2, got)
		}
	}
}

// TestPassHoldsForAsLongAsItsUser, and with the same password.
func TestPassHoldsForAsLongAsItsUser(t *testing.T) {
	c := newClock()
	path := usersFile(t, map[string]int{"ann": 4, "bob": 4})
	g := mustNew(t, Options{Authentication: Basic, Users: path, Now: c.now})
	ann, bob := letIn(t, g, nil, basic("ann+work", "right")), letIn(t, g, nil, basic("bob", "right"))
	c.advance(memoryTime) // longer than a password is remembered
	hold(t, "as it was", c, ann, true, bob, true)
	before := g.Version()
	if err := RemoveUser(path, "ann"); err != nil {
		t.Fatal(err)
	}
	hold(t, "one was removed", c, ann, false, bob, true)
	if g.Version() == before {
		t.Error("the gate does not say that it goes by something else")
	}
	if err := SetUser(path, "bob", "new"); err != nil {
		t.Fatal(err)
	}
	hold(t, "the other has another password", c, ann, false, bob, false)
}

// TestPassHoldsForAsLongAsItsToken, which ends by itself, too.
func TestPassHoldsForAsLongAsItsToken(t *testing.T) {
	c := newClock()
	key, revoked := filepath.Join(t.TempDir(), "key"), filepath.Join(t.TempDir(), "revoked")
	k, err := MakeKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, revoked, "")
	g := mustNew(t, Options{Authentication: Token, TokenKey: key, Revoked: revoked, Now: c.now})
	sign := func(name string, valid time.Duration) (string, string) {
		token, id, err := k.Sign(name, c.now().Add(valid))
		if err != nil {
			t.Fatal(err)
		}
		return token, id
	}
	short, _ := sign("ann", time.Minute)
	long, id := sign("ann", time.Hour)
	other, _ := sign("bob", time.Hour)
	bearer, password, bob := letIn(t, g, nil, []string{"Bearer " + short}), letIn(t, g, nil, basic("ann", long)), letIn(t, g, nil, basic("bob", other))
	hold(t, "as it was", c, bearer, true, password, true, bob, true)
	c.advance(time.Minute)
	hold(t, "one is over", c, bearer, false, password, true, bob, true)
	before := g.Version()
	if err := Revoke(revoked, id); err != nil {
		t.Fatal(err)
	}
	hold(t, "one is revoked", c, password, false, bob, true)
	if g.Version() == before {
		t.Error("the gate does not say that it goes by something else")
	}
	if err := Revoke(revoked, "bob"); err != nil {
		t.Fatal(err)
	}
	hold(t, "a user is revoked", c, bob, false)
}

// TestPassHoldsForAsLongAsItsCertificate.
func TestPassHoldsForAsLongAsItsCertificate(t *testing.T) {
	c := newClock()
	ours := certificate(t, "our authority", nil, 0)
	authorities, revoked := filepath.Join(t.TempDir(), "authorities.pem"), filepath.Join(t.TempDir(), "revoked")
	write(t, authorities, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ours.Certificate[0]})))
	write(t, revoked, "")
	g := mustNew(t, Options{Authentication: Certificate, Authorities: authorities, Revoked: revoked, Now: c.now})
	entering := func(name string) holder {
		leaf := certificate(t, name, &ours, x509.ExtKeyUsageClientAuth).Leaf
		return letIn(t, g, &tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}}, nil)
	}
	ann, bob := entering("ann"), entering("bob")
	c.advance(memoryTime)
	hold(t, "as it was", c, ann, true, bob, true)
	if err := Revoke(revoked, "ann"); err != nil {
		t.Fatal(err)
	}
	hold(t, "one is revoked", c, ann, false, bob, true)
	c.advance(time.Hour)
	hold(t, "the other is over", c, bob, false)
}
