package main

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"guise/config"
)

// TestBannerNamesAnAddressThatLetsIn for this machine's own programs, and for the others
// that may enter, where a listener takes all addresses.
func TestBannerNamesAnAddressThatLetsIn(t *testing.T) {
	own := []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1"),
		netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("192.168.1.5"), netip.MustParseAddr("fd00::5"), netip.MustParseAddr("fe80::5")}
	for _, c := range []struct{ at, networks, curl, others string }{
		{"127.0.0.1:8118", "127.0.0.0/8,192.168.0.0/16", "127.0.0.1:8118", ""},
		{"192.168.1.5:8118", "127.0.0.0/8,192.168.0.0/16", "192.168.1.5:8118", ""},
		{"0.0.0.0:8118", "127.0.0.0/8,192.168.0.0/16", "127.0.0.1:8118", "192.168.1.5:8118"},
		{"0.0.0.0:8118", "192.168.0.0/16", "192.168.1.5:8118", ""},
		{"0.0.0.0:8118", "::1/128,10.0.0.0/8", "127.0.0.1:8118", ""}, // nobody here: as it is
		{"[::]:8118", "127.0.0.0/8", "127.0.0.1:8118", ""},
		{"[::]:8118", "::1/128,fd00::/8,fe80::/10", "[::1]:8118", "[fd00::5]:8118"},
		{"[::]:8118", "0.0.0.0/0,::/0", "127.0.0.1:8118", ""}, // a router may have another
	} {
		sets := []string{"listeners=" + c.at, "access.networks=" + c.networks, "access.open=true",
			"upstream.chain=socks5://127.0.0.1:9050", "sites=[{match: tv.example, upstream: direct}]"}
		loaded, problems := config.Load("", nil, sets)
		if loaded == nil {
			t.Fatal(problems)
		}
		var said bytes.Buffer
		banner(&said, loaded, []netip.AddrPort{netip.MustParseAddrPort(c.at)}, own)
		if want := "curl -x http://" + c.curl + " "; !strings.Contains(said.String(), want) {
			t.Errorf("%s for %s: does not say %q:\n%s", c.at, c.networks, want, said.String())
		}
		if want := "others use " + c.others; strings.Contains(said.String(), want) != (c.others != "") {
			t.Errorf("%s for %s: does not say %q, or should not:\n%s", c.at, c.networks, want, said.String())
		}
		checkWidth(t, said.String())
	}
}

// TestBannerPrintsThePACOfItsListener: what guise pac prints without the same --config and
// --set is that of another, where nothing may listen.
func TestBannerPrintsThePACOfItsListener(t *testing.T) {
	for _, c := range []struct{ listener, command string }{
		{`127.0.0.1:9000`, "guise pac --address 127.0.0.1:9000 --data-url"},
		{`{address: "127.0.0.1:8443", protocol: https, self_signed: true}`, "guise pac --address 127.0.0.1:8443 --secure --data-url"},
	} {
		loaded, problems := config.Load("", nil, []string{"listeners=[" + c.listener + "]"})
		if loaded == nil {
			t.Fatal(problems)
		}
		var said bytes.Buffer
		at := loaded.Listeners[0].Address
		banner(&said, loaded, []netip.AddrPort{netip.AddrPortFrom(at.IP, at.Port)}, nil)
		if !strings.Contains(said.String(), c.command) {
			t.Errorf("%s: does not say %q:\n%s", c.listener, c.command, said.String())
		}
		checkWidth(t, said.String())
	}
}

// TestBannerIsNarrow, where guise ends TLS towards sites and clients too.
func TestBannerIsNarrow(t *testing.T) {
	loaded, problems := config.Load("", nil, []string{"inspection.enabled=true", `listeners=[{address: "127.0.0.1:8443", protocol: https, self_signed: true}]`})
	if loaded == nil {
		t.Fatal(problems)
	}
	var said bytes.Buffer
	banner(&said, loaded, []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:8443")}, nil)
	checkWidth(t, said.String())
}

func checkWidth(t *testing.T, said string) {
	t.Helper()
	for line := range strings.Lines(said) {
		if len(line) > 80 {
			t.Errorf("%q has more than 79 characters", line)
		}
	}
}
