package proxy

import (
	"net/netip"
	"path/filepath"
	"testing"

	"guise/proxy/gate"
)

// TestSOCKSNamesHaveNoColon: in the form that the gate reads, what stands behind one
// would be a part of the password (RFC 7617 §2), and the name another account's.
func TestSOCKSNamesHaveNoColon(t *testing.T) {
	users := filepath.Join(t.TempDir(), "users")
	if err := gate.SetUser(users, "ann", "x:y"); err != nil {
		t.Fatal(err)
	}
	p, _ := newProxy(t, func(o *Options) { o.Gate.Authentication, o.Gate.Users = gate.Basic, users })
	enters := new(viaSOCKS).authenticator(t.Context(), p.current.Load(), netip.MustParseAddr("127.0.0.1"))
	if enters("ann:x", "y") {
		t.Error("another name enters")
	}
	if !enters("ann", "x:y") {
		t.Error("the name itself does not")
	}
}
