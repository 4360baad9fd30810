package proxy

import (
	"math/rand/v2"
	"net/netip"
	"testing"

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
