package egress

import (
	"net/netip"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestRoutesToThisMachineAreItsAddresses: what a route leads to is served here, as
// what an interface has is, and no less closed for that.
func TestRoutesToThisMachineAreItsAddresses(t *testing.T) {
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip(err)
	}
	done := make(chan struct{})
	go func() { // on a thread that ends with it, and has a network of its own until then
		defer close(done)
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Log("no network to try it in:", err)
			return
		}
		for _, line := range []string{
			"link set lo up",
			"route add local 45.6.7.8 dev lo",
			"route add local 45.7.0.0/16 dev lo",
			"-6 route add local 2a01:4f8:c0c:1234::/64 dev lo",
			"route add 46.0.0.0/8 dev lo", // by way of lo, but nobody's
		} {
			if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
				t.Logf("ip %s: %v: %s", line, err, out)
				return
			}
		}
		g, err := newGuard(nil, nil, func() []netip.AddrPort { return []netip.AddrPort{netip.MustParseAddrPort("[::]:8118")} })
		if err != nil {
			t.Error(err)
			return
		}
		for addr, closed := range map[string]bool{
			"45.6.7.8": true, "45.6.7.9": false,
			"45.7.0.1": true, "45.7.255.255": true, "45.8.0.0": false,
			"2a01:4f8:c0c:1234::1": true, "2a01:4f8:c0c:1235::1": false, "64:ff9b::45.6.7.8": true,
			"46.0.0.1": false,
		} {
			to := netip.AddrPortFrom(netip.MustParseAddr(addr), 443)
			if err := g.check(Target{Host: "name.example"})(to); (err != nil) != closed {
				t.Errorf("%s: %v", addr, err)
			}
			if own := netip.AddrPortFrom(to.Addr(), 8118); to.Addr().Is4() && g.isOwn(own.Addr(), own.Port()) != closed {
				t.Errorf("%s is taken for a listener here: %t", own, !closed)
			}
		}
	}()
	<-done
}

// TestLoopbackIsAlwaysRoutedHere, which asks the system of these tests.
func TestLoopbackIsAlwaysRoutedHere(t *testing.T) {
	networks := localRoutes()
	if networks == nil {
		t.Skip("the system does not tell")
	}
	for _, network := range networks {
		if network.Contains(netip.MustParseAddr("127.0.0.77")) {
			return
		}
	}
	t.Errorf("127.0.0.77 is in none of %v", networks)
}
