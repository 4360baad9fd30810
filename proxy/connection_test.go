package proxy

import (
	"math/rand/v2"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"unsafe"

	"guise/proxy/egress"
	"guise/proxy/gate"
)

// Whatever came before on a connection, what is made of a request is as if it was the first.
func TestRememberedOfAConnectionDecidesNothing(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	hosts := []string{"a.example", "A.example", "b.example:80", "b.example:443", "127.0.0.1", "0x7f.1", "127.0.0.1:0", "[::1]", "[::1", "a..example", ""}
	remotes := []string{"192.0.2.7:1", "192.0.2.7:2", "192.0.2.8:1", "nobody", "[2001:db8::1]:1"}
	entrants := []gate.Entrant{
		{Address: netip.MustParseAddr("192.0.2.7")}, {Address: netip.MustParseAddr("192.0.2.8")},
		{Address: netip.MustParseAddr("192.0.2.7"), Account: "ann"}, {Address: netip.MustParseAddr("192.0.2.7"), Account: "ann", Isolation: "ann+b"},
	}
	c := new(connection)
	for range 5000 {
		host, port := hosts[random.IntN(len(hosts))], []uint16{80, 443}[random.IntN(2)]
		want, wantErr := egress.Canonical(host, port)
		if got, err := c.target(host, port); got != want || (err == nil) != (wantErr == nil) {
			t.Fatalf("%q, %d: got %v, %v, want %v, %v", host, port, got, err, want, wantErr)
		}
		remote := remotes[random.IntN(len(remotes))]
		from, fromErr := netip.ParseAddrPort(remote)
		if got, err := c.remote.of(remote, netip.ParseAddrPort); got != from || (err == nil) != (fromErr == nil) {
			t.Fatalf("%q: got %v, %v", remote, got, err)
		}
		entrant := entrants[random.IntN(len(entrants))]
		if got := c.nameOf(entrant); got != entrant.Visitor() {
			t.Fatalf("%v: got %q", entrant, got)
		}
	}
}

// A connection that waits for its next request holds nothing of the head of the last:
// there may be 64 KiB of it, and a password in it.
func TestRememberedOfAConnectionIsNoPartOfAHead(t *testing.T) {
	head := strings.Repeat("a.example", 1000)
	for _, host := range []string{head[:9], head[9:18]} { // the same, from two heads
		c := new(connection)
		target, err := c.target(host, 80)
		if err != nil {
			t.Fatal(err)
		}
		for _, kept := range []string{c.canonical.made.Load().from.host, c.canonical.made.Load().to.Host, target.Host} {
			if kept != host || unsafe.StringData(kept) == unsafe.StringData(host) {
				t.Errorf("%q is kept as it was", kept)
			}
		}
	}
}

// Nor does a connection inside a CONNECT hold that one's head until it ends.
func TestInnerConnectionHoldsNoPartOfAHead(t *testing.T) {
	head := strings.Repeat("a.example:80 Basic YTpi ", 1000)
	r := &http.Request{RemoteAddr: "192.0.2.7:1", ProtoMajor: 1, Header: http.Header{"Proxy-Authorization": {head[13:23]}}}
	g, err := gate.New(gate.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	v := &visit{connection: new(connection), authorization: r.Header["Proxy-Authorization"]}
	in := newInner(&assembly{gate: g}, nil, r, v, egress.Target{Host: head[:9], Port: 80})
	for _, c := range []struct{ kept, given string }{{in.target.Host, head[:9]}, {in.visit.authorization[0], head[13:23]}} {
		if c.kept != c.given || unsafe.StringData(c.kept) == unsafe.StringData(c.given) {
			t.Errorf("%q is kept as it was", c.kept)
		}
	}
}
