package egress

import (
	"net/netip"
	"strconv"
	"testing"
)

// TestHostsHaveTurnsOfTheirOwn: from where a host's visitors come tells it nothing of the
// connections that go elsewhere.
func TestHostsHaveTurnsOfTheirOwn(t *testing.T) {
	e := &Egress{source4: []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.3")}}
	turn := func(host string) uint32 { return e.turn(t.Context(), host) }
	first := turn("a.example")
	for i := range uint32(10) {
		for range i {
			turn("b.example")
		}
		if got := turn("a.example"); got != first+1+i {
			t.Fatalf("turn %d comes after %d, with %d to others in between", got-first, i, i)
		}
	}
	for i := range 2 * mostTurns {
		turn("host" + strconv.Itoa(i) + ".example")
	}
	if n := len(e.turns.next); n != mostTurns {
		t.Errorf("%d hosts are remembered", n)
	}
}
