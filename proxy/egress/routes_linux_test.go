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
	inNetwork(t, func(ip func(string) bool) {
		for _, line := range []string{
			"route add local 45.6.7.8 dev lo",
			"route add local 45.7.0.0/16 dev lo",
			"-6 route add local 2a01:4f8:c0c:1234::/64 dev lo",
			"route add 46.0.0.0/8 dev lo", // by way of lo, but nobody's
		} {
			if !ip(line) {
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
	})
}

// inNetwork calls do on a thread that ends with it, and has a network of its own until
// then. ip runs that program, and reports whether it could.
func inNetwork(t *testing.T, do func(ip func(arguments string) bool)) {
	t.Helper()
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Log("no network to try it in:", err)
			return
		}
		ip := func(arguments string) bool {
			out, err := exec.Command("ip", strings.Fields(arguments)...).CombinedOutput()
			if err != nil {
				t.Logf("ip %s: %v: %s", arguments, err, out)
			}
			return err == nil
		}
		if ip("link set lo up") {
			do(ip)
		}
	}()
	<-done
}

// TestAddressIsClosedAsSoonAsItIsHere, however lately the system was asked.
func TestAddressIsClosedAsSoonAsItIsHere(t *testing.T) {
	inNetwork(t, func(ip func(string) bool) {
		g, err := newGuard(nil, nil, nil)
		if err != nil {
			t.Error(err)
			return
		}
		for addr, how := range map[string]string{
			"45.6.7.8": "addr add 45.6.7.8 dev lo", "2a01:4f8:c0c:1234::1": "addr add 2a01:4f8:c0c:1234::1 dev lo",
			"45.7.0.1": "route add local 45.7.0.0/16 dev lo", "2a01:4f8:c0c:1235::1": "-6 route add local 2a01:4f8:c0c:1235::/64 dev lo",
		} {
			to := netip.AddrPortFrom(netip.MustParseAddr(addr), 443)
			ok := g.check(Target{Host: "name.example"})
			if err := ok(to); err != nil {
				t.Errorf("%s: %v before it is here", addr, err)
			}
			if !ip(how) {
				return
			}
			if ok(to) == nil {
				t.Errorf("%s is open as it is here", addr)
			}
		}
	})
}

// TestLoopbackIsAlwaysRoutedHere, which asks the system of these tests.
func TestLoopbackIsAlwaysRoutedHere(t *testing.T) {
	networks, _ := localRoutes()
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
