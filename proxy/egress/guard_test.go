package egress

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

// closedAddresses are addresses that nobody reaches through the guard, and
// what makes them so.
var closedAddresses = []struct{ addr, why string }{
	{"0.0.0.0", "unspecified"},
	{"0.0.0.1", "this network"},
	{"0.255.255.255", "this network"},
	{"10.0.0.0", "private"},
	{"10.255.255.255", "private"},
	{"100.64.0.0", "carrier-grade NAT"},
	{"100.127.255.255", "carrier-grade NAT"},
	{"100.100.100.200", "Alibaba metadata"},
	{"127.0.0.1", "loopback"},
	{"127.255.255.254", "loopback"},
	{"161.26.0.10", "IBM Cloud name server"},
	{"166.11.255.255", "IBM Cloud services"},
	{"168.63.129.16", "Azure host agent"},
	{"169.254.0.0", "link-local"},
	{"169.254.169.254", "metadata"},
	{"169.254.170.2", "Amazon ECS metadata"},
	{"169.254.0.23", "Tencent metadata"},
	{"172.16.0.0", "private"},
	{"172.31.255.255", "private"},
	{"192.0.0.0", "protocol assignments"},
	{"192.0.0.192", "Oracle metadata"},
	{"192.0.0.170", "NAT64 discovery"},
	{"192.0.2.1", "documentation"},
	{"192.88.99.1", "6to4 relay"},
	{"192.168.0.0", "private"},
	{"192.168.255.255", "private"},
	{"198.18.0.0", "benchmarking"},
	{"198.19.255.255", "benchmarking"},
	{"198.51.100.1", "documentation"},
	{"203.0.113.1", "documentation"},
	{"224.0.0.1", "multicast"},
	{"239.255.255.255", "multicast"},
	{"240.0.0.0", "reserved"},
	{"254.1.2.3", "reserved"},
	{"255.255.255.255", "broadcast"},

	{"::", "unspecified"},
	{"::1", "loopback"},
	{"::2", "IPv4-compatible of 0.0.0.2"},
	{"::7f00:1", "IPv4-compatible loopback"},
	{"::127.0.0.1", "IPv4-compatible loopback"},
	{"::a9fe:a9fe", "IPv4-compatible metadata"},
	{"::8.8.8.8", "IPv4-compatible, deprecated"},
	{"::ffff:127.0.0.1", "IPv4-mapped loopback"},
	{"::ffff:7f00:1", "IPv4-mapped loopback"},
	{"::ffff:10.0.0.1", "IPv4-mapped private"},
	{"::ffff:169.254.169.254", "IPv4-mapped metadata"},
	{"::ffff:0:127.0.0.1", "IPv4-translated loopback"},
	{"::ffff:0:8.8.8.8", "IPv4-translated"},
	{"64:ff9b::127.0.0.1", "NAT64 loopback"},
	{"64:ff9b::10.1.2.3", "NAT64 private"},
	{"64:ff9b::169.254.169.254", "NAT64 metadata"},
	{"64:ff9b::168.63.129.16", "NAT64 Azure host agent"},
	{"64:ff9b::0.0.0.0", "NAT64 unspecified"},
	{"64:ff9b::240.0.0.1", "NAT64 reserved"},
	{"64:ff9b:1::127.0.0.1", "local-use NAT64"},
	{"64:ff9b:1::8.8.8.8", "local-use NAT64"},
	{"64:ff9b:1:ffff::1", "local-use NAT64"},
	{"64:ff9b:2::1", "beside NAT64"},
	{"100::1", "discard"},
	{"100:0:0:1::1", "dummy"},
	{"2001::1", "Teredo"},
	{"2001:0:7f00:1::", "Teredo server on loopback"},
	{"2001:0:0808:0808:0:0:80ff:fffe", "Teredo of 127.0.0.1"},
	{"2001:0:0808:0808:0:0:f7f7:f7f7", "Teredo of a public address"},
	{"2001:2::1", "benchmarking"},
	{"2001:10::1", "ORCHID"},
	{"2001:20::1", "ORCHIDv2"},
	{"2001:db8::1", "documentation"},
	{"2002:7f00:1::", "6to4 loopback"},
	{"2002:a00:1::1", "6to4 private"},
	{"2002:a9fe:a9fe::", "6to4 metadata"},
	{"2002:c0a8:101::1", "6to4 private"},
	{"2002:808:808::1", "6to4 of a public address"},
	{"2600::5efe:127.0.0.1", "ISATAP loopback"},
	{"2600::200:5efe:10.0.0.1", "ISATAP private"},
	{"2600::100:5efe:10.0.0.1", "ISATAP private, group bit"},
	{"2620:4f:8000::1", "AS112"},
	{"3fff::1", "documentation"},
	{"3fff:fff::1", "documentation"},
	{"4000::1", "not assigned"},
	{"5f00::1", "segment routing"},
	{"8000::1", "not assigned"},
	{"fc00::1", "unique local"},
	{"fd00::1", "unique local"},
	{"fd00:ec2::254", "Amazon metadata"},
	{"fd20:ce::254", "Google metadata"},
	{"fd00:c1::a9fe:a9fe", "Oracle metadata"},
	{"fe80::1", "link-local"},
	{"2600::1%lo", "of one link, whatever it is"},
	{"fe80::1%lo", "link-local"},
	{"fe80::a9fe:a9fe", "metadata"},
	{"febf::1", "link-local"},
	{"fec0::1", "site-local"},
	{"feff::1", "site-local"},
	{"ff02::1", "multicast"},
	{"ff0e::1", "multicast"},
}

// literal is the target of an address.
func literal(addr netip.Addr, port uint16) Target { return asWritten("", addr, port) }

// openAddresses lie beside closed ones, or are well-known public servers.
var openAddresses = []string{
	"1.0.0.0", "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0",
	"100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
	"161.25.255.255", "161.27.0.0", "166.7.255.255", "166.12.0.0",
	"168.63.129.15", "168.63.129.17", "169.253.255.255", "169.255.0.0",
	"172.15.255.255", "172.32.0.0", "192.0.1.0", "192.0.3.0",
	"192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0",
	"198.51.99.255", "203.0.112.255", "203.0.114.0", "223.255.255.255",
	"::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
	"2001:200::1", "2001:4860:4860::8888", "2001:db7::1", "2001:db9::1", "2003::1",
	"2606:4700:4700::1111", "2620:fe::fe", "3ffe::1", "3fff:1000::1",
	"2600::5efe:8.8.8.8", "2600::4:5efe:10.0.0.1",
}

func newTestGuard(t *testing.T, allow, deny []string, own ...string) guard {
	t.Helper()
	g, err := newGuard(allow, deny, func() []netip.AddrPort {
		var out []netip.AddrPort
		for _, listener := range own {
			out = append(out, netip.MustParseAddrPort(listener))
		}
		return out
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestGuardClosesWhatIsNotPublic(t *testing.T) {
	g := newTestGuard(t, nil, nil)
	for _, c := range closedAddresses {
		addr := netip.MustParseAddr(c.addr)
		var refused *Refused
		if err := g.check(Target{Host: "name.example", Port: 80})(netip.AddrPortFrom(addr, 80)); !errors.As(err, &refused) {
			t.Errorf("%s (%s) is open to a name that leads there: %v", c.addr, c.why, err)
		}
		if err := g.target(literal(addr.Unmap(), 80)); !errors.As(err, &refused) {
			t.Errorf("%s (%s) is open as a literal: %v", c.addr, c.why, err)
		}
	}
}

func TestGuardOpensThePublicInternet(t *testing.T) {
	g := newTestGuard(t, nil, nil)
	for _, text := range openAddresses {
		addr := netip.MustParseAddr(text)
		if err := g.check(Target{Host: "name.example", Port: 80})(netip.AddrPortFrom(addr, 80)); err != nil {
			t.Errorf("%s is closed: %v", text, err)
		}
	}
}

// Every spelling of a closed address that Canonical reads is closed by Allow.
func TestAllowClosesEverySpelling(t *testing.T) {
	e, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range []string{
		"0x7f.1", "017700000001", "2130706433", "127.1", "0177.0.0.1", "0x7f000001", "0",
		"[::ffff:7f00:1]", "[::7f00:1]", "[::1]", "[0:0:0:0:0:0:0:1]", "127.0.0.1.",
		"１２７.０.０.１", "①②⑦.⓪.⓪.①", "127。0。0。1", "LOCALHOST", "localhost.", "foo.localhost.",
		"ⓛocalhost", "0xa9fea9fe", "2852039166", "0251.0376.0251.0376", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
		"metadata.google.internal", "Metadata.Google.Internal.", "instance-data",
	} {
		target, err := Canonical(in, 80)
		if err != nil {
			t.Errorf("%q: %v", in, err)
			continue
		}
		var refused *Refused
		if err := e.Allow(Plain, target); !errors.As(err, &refused) {
			t.Errorf("%q, which is %s, is open: %v", in, target, err)
		}
	}
}

func TestAllowAndDeny(t *testing.T) {
	g := newTestGuard(t,
		[]string{"10.1.0.0/16", "nas.home", "nas.localhost", "*.lab.home", "fd12::/16", "127.1", "::ffff:172.16.0.0/108", "192.168.1.1"},
		[]string{"10.1.2.0/24", "ads.example", "*.tracker.example", "8.8.4.4", "::ffff:9.9.9.9", "2606:4700::/32", "evil.lab.home"},
	)
	for _, c := range []struct {
		host, addr string // a literal if host is ""
		open       bool
	}{
		{"", "10.1.0.1", true},
		{"name.example", "10.1.0.1", true},
		{"", "10.1.2.1", false}, // denied within allowed
		{"nas.home", "10.1.2.1", false},
		{"", "10.2.0.1", false},
		{"nas.home", "192.168.7.7", true},
		{"nas.localhost", "192.168.7.7", true},
		{"other.localhost", "1.1.1.1", false},
		{"other.home", "192.168.7.7", false}, // opened for requests to nas.home only
		{"", "192.168.7.7", false},
		{"sub.nas.home", "192.168.7.7", false},
		{"a.lab.home", "192.168.7.7", true},
		{"a.b.lab.home", "192.168.7.7", true},
		{"lab.home", "192.168.7.7", false},
		{"notlab.home", "192.168.7.7", false},
		{"evil.lab.home", "192.168.7.7", false},
		{"", "192.168.1.1", true},
		{"", "fd12::1", true},
		{"", "fd13::1", false},
		{"", "127.0.0.1", true},
		{"", "127.0.0.2", false},
		{"", "172.31.0.1", true},
		{"", "8.8.4.4", false},
		{"name.example", "8.8.4.4", false},
		{"", "9.9.9.9", false},
		{"", "64:ff9b::8.8.4.4", false}, // denied however it is reached
		{"", "64:ff9b::8.8.8.8", true},
		{"", "2606:4700::1", false},
		{"ads.example", "1.1.1.1", false},
		{"sub.ads.example", "1.1.1.1", true},
		{"a.tracker.example", "1.1.1.1", false},
		{"nas.home", "0.0.0.0", false}, // leads to loopback under no name
	} {
		addr := netip.MustParseAddr(c.addr)
		target := Target{Host: c.host, Port: 80}
		if c.host == "" {
			target = literal(addr, 80)
		}
		err := g.target(target)
		if err == nil {
			err = g.check(target)(netip.AddrPortFrom(addr, 80))
		}
		if open := err == nil; open != c.open {
			t.Errorf("%q at %s: open %t, want %t", c.host, c.addr, open, c.open)
		}
	}
}

func TestClosesAsTellsWhatIsClosedOtherwise(t *testing.T) {
	list := writeList(t, "||ads.example^\n@@||cdn.ads.example^")
	some := Options{Allow: loopback, Deny: []string{"192.0.2.0/24", "*.site.example"}, DenyLists: []string{list}}
	e := newTestEgress(t, some)
	if !e.ClosesAs(newTestEgress(t, some)) {
		t.Error("the same is another")
	}
	for name, change := range map[string]func(*Options){
		"less is open":            func(o *Options) { o.Allow = nil },
		"another network":         func(o *Options) { o.Deny = []string{"192.0.2.0/25", "*.site.example"} },
		"another host":            func(o *Options) { o.Deny = []string{"192.0.2.0/24", "site.example"} },
		"a list says more":        func(o *Options) { o.DenyLists = append(o.DenyLists, writeList(t, "more.example")) },
		"a list says less":        func(o *Options) { o.DenyLists = nil },
		"a list has no exception": func(o *Options) { o.DenyLists = []string{writeList(t, "||ads.example^")} },
	} {
		o := some
		change(&o)
		if e.ClosesAs(newTestEgress(t, o)) {
			t.Errorf("%s, and it is the same", name)
		}
	}
}

// TestNetworksAreAsLargeAsTheySay, those of IPv4-mapped addresses and small ones of IPv6 too.
func TestNetworksAreAsLargeAsTheySay(t *testing.T) {
	for network, c := range map[string]struct{ in, out []string }{
		"2a01:4f8:1::1:0/112": {[]string{"2a01:4f8:1::1:0", "2a01:4f8:1::1:ffff"}, []string{"2a01:4f8:1::2:0", "2a01:4f8:1::ffff", "2a01:4f9::1:0"}},
		"2a01:4f8:1::1":       {[]string{"2a01:4f8:1::1"}, []string{"2a01:4f8:1::2", "2a01:4f8:2::1"}},
		"::ffff:9.9.0.0/112":  {[]string{"9.9.0.0", "9.9.255.255", "::ffff:9.9.9.9"}, []string{"9.8.255.255", "9.10.0.0"}},
		"::ffff:0:0/96":       {[]string{"1.1.1.1", "223.255.255.255"}, []string{"2a01:4f8:1::1"}},
		"9.9.0.0/16":          {[]string{"9.9.0.0", "::ffff:9.9.255.255", "64:ff9b::9.9.9.9"}, []string{"9.10.0.0", "2a01:909::1"}},
	} {
		g := newTestGuard(t, nil, []string{network})
		for closed, addrs := range map[bool][]string{true: c.in, false: c.out} {
			for _, text := range addrs {
				addr := netip.MustParseAddr(text)
				if err := g.check(literal(addr, 80))(netip.AddrPortFrom(addr, 80)); (err != nil) != closed {
					t.Errorf("%s is denied, and %s is closed: %t, want %t", network, text, err != nil, closed)
				}
			}
		}
	}
}

// TestZonesAreNoWayIn: in /etc/hosts an address may have one, and then it is in no network.
func TestZonesAreNoWayIn(t *testing.T) {
	g, err := newGuard([]string{"box.example"}, []string{"fe80::/10"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, addr := range []string{"fe80::1%lo", "::1%lo", "2606:4700::1111%lo"} {
		if g.check(Target{Host: "box.example"})(netip.AddrPortFrom(netip.MustParseAddr(addr), 80)) == nil {
			t.Errorf("%s is open", addr)
		}
	}
}

func TestOwnListenersStayClosed(t *testing.T) {
	everything := []string{"0.0.0.0/0", "::/0"}
	for _, c := range []struct {
		own, to string
		open    bool
	}{
		{"127.0.0.1:8118", "127.0.0.1:8118", false},
		{"127.0.0.1:8118", "127.0.0.1:8119", true},
		{"127.0.0.1:8118", "127.0.0.2:8118", true},
		{"127.0.0.1:8118", "[::ffff:127.0.0.1]:8118", false},
		{"[::ffff:127.0.0.1]:8118", "127.0.0.1:8118", false},
		{"127.0.0.1:8118", "[64:ff9b::7f00:1]:8118", false},
		{"0.0.0.0:8118", "127.0.0.1:8118", false},
		{"0.0.0.0:8118", "127.9.9.9:8118", false},
		{"[::]:8118", "127.0.0.1:8118", false},
		{"[::]:8118", "[::1]:8118", false},
		{"[::]:8118", "1.1.1.1:8118", true},
		{"[fe80::1%eth0]:8118", "[fe80::1]:8118", false},
		{"127.0.0.1:8118", "0.0.0.0:8118", false},
		{"127.0.0.1:8118", "0.0.0.0:80", false},
	} {
		g := newTestGuard(t, everything, nil, c.own)
		err := g.check(Target{Host: "name.example"})(netip.MustParseAddrPort(c.to))
		if open := err == nil; open != c.open {
			t.Errorf("with a listener at %s, %s is open: %t, want %t", c.own, c.to, open, c.open)
		}
	}
}

func TestThisMachinesAddressesAreClosed(t *testing.T) {
	if all, err := interfaceAddresses(); err != nil || !all[netip.MustParseAddr("127.0.0.1")] {
		t.Errorf("the interfaces have %v, %v", all, err)
	}
	g := newTestGuard(t, nil, nil)
	mine := netip.MustParseAddr("1.1.1.1")
	g.machine.pretend(mine)
	for _, to := range []string{"1.1.1.1", "64:ff9b::1.1.1.1"} {
		if err := g.check(Target{Host: "name.example"})(netip.AddrPortFrom(netip.MustParseAddr(to), 80)); err == nil {
			t.Errorf("%s, which is this machine, is open", to)
		}
	}
	g = newTestGuard(t, []string{"1.1.1.1"}, nil)
	g.machine.pretend(mine)
	if err := g.check(Target{Host: "name.example"})(netip.AddrPortFrom(mine, 80)); err != nil {
		t.Errorf("the machine's own address is closed although it is allowed: %v", err)
	}
}

func TestPorts(t *testing.T) {
	usual, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	narrow, err := New(Options{Ports: []PortRange{{8000, 8080}}, ConnectPorts: []PortRange{}})
	if err != nil {
		t.Fatal(err)
	}
	public, err := New(Options{CloseAbused: true, ConnectPorts: []PortRange{{1, 65535}, {993, 993}}})
	if err != nil {
		t.Fatal(err)
	}
	edges, err := New(Options{CloseAbused: true, ConnectPorts: []PortRange{{20, 25}, {587, 600}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		e    *Egress
		use  Use
		port uint16
		open bool
	}{
		{usual, Plain, 80, true}, {usual, Plain, 443, true}, {usual, Plain, 1024, true}, {usual, Plain, 65535, true},
		{usual, Plain, 1, false}, {usual, Plain, 22, false}, {usual, Plain, 25, false}, {usual, Plain, 81, false}, {usual, Plain, 1023, false},
		{usual, Connect, 443, true}, {usual, Connect, 80, false}, {usual, Connect, 22, false}, {usual, Connect, 8443, false},
		{narrow, Plain, 8000, true}, {narrow, Plain, 8080, true}, {narrow, Plain, 7999, false}, {narrow, Plain, 8081, false}, {narrow, Plain, 80, false},
		{narrow, Connect, 443, false},
		{usual, Plain, 6667, true}, {public, Plain, 6667, false}, {public, Plain, 2525, false}, {public, Plain, 8080, true},
		{public, Connect, 25, false}, {public, Connect, 587, false}, {public, Connect, 993, true}, {public, Connect, 443, true}, {public, Connect, 80, true},
		{edges, Connect, 25, false}, {edges, Connect, 587, false}, {edges, Connect, 600, true},
	} {
		err := c.e.Allow(c.use, Target{Host: "name.example", Port: c.port})
		if open := err == nil; open != c.open {
			t.Errorf("use %d, port %d: open %t, want %t", c.use, c.port, open, c.open)
		}
	}
}

func TestRefusalsSayNothingOfWhatIsThere(t *testing.T) {
	e, err := New(Options{Deny: []string{"secret.example"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range []string{"secret.example", "10.9.8.7", "127.0.0.1:8118", "[fd00::9]"} {
		target, err := Canonical(in, 80)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Allow(Plain, target); err == nil || err.Error() != refusedDestination.Error() {
			t.Errorf("%s: %v, want the words that all refusals have", in, err)
		}
	}
}

func TestBadRulesAreErrors(t *testing.T) {
	for _, entry := range []string{"", "10.0.0.0/33", "10.0.0/8", "a b", "*", "*.", "*.*.example", "a.*.example", "*.10.0.0.1", "http://x", "x:80", "x:", "fe80::/200", "256.1"} {
		if _, err := New(Options{Allow: []string{entry}}); err == nil {
			t.Errorf("allow %q is accepted", entry)
		}
		if _, err := New(Options{Deny: []string{entry}}); err == nil || !strings.Contains(err.Error(), "denied") {
			t.Errorf("deny %q: %v, want an error that says so", entry, err)
		}
	}
}

// TestAddressesWithinOthers: where each of the transition mechanisms has them.
func TestAddressesWithinOthers(t *testing.T) {
	for addr, want := range map[string]string{
		"::10.0.0.1":                  "10.0.0.1",
		"64:ff9b::10.0.0.1":           "10.0.0.1",
		"64:ff9b:1::10.0.0.1":         "10.0.0.1",
		"::ffff:0:10.0.0.1":           "10.0.0.1",
		"2002:a00:1::1":               "10.0.0.1",
		"2001:0:1:2:3:4:f5ff:fffe":    "10.0.0.1", // inverted
		"2001:db8::5efe:10.0.0.1":     "10.0.0.1",
		"2001:db8::200:5efe:10.0.0.1": "10.0.0.1",
		"2001:db8::100:5efe:10.0.0.1": "10.0.0.1",
		"2001:db8::400:5efe:10.0.0.1": "invalid IP",
		"2001:db8::10.0.0.1":          "invalid IP",
		"10.0.0.1":                    "invalid IP",
	} {
		if got := embedded(netip.MustParseAddr(addr)).String(); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
}
