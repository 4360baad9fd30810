package main

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"guise/config"
)

// TestJudgeIsLetIn, and its origin reached, whatever a configuration closes; what that
// changes for the report is said.
func TestJudgeIsLetIn(t *testing.T) {
	sets := []string{"access.networks=10.0.0.0/8", "access.deny=127.0.0.0/8", "access.authentication=basic", "access.users=users",
		"destinations.ports=80", "destinations.connect_ports=443", "destinations.deny=127.0.0.0/8",
		"upstream.chain=socks5://192.0.2.7:1080", "identity.source_addresses=127.0.0.1"}
	c, problems := config.Load("", nil, sets)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	origin := netip.MustParseAddrPort("127.0.0.1:4711")
	notes := strings.Join(admitJudge(c, origin), " ")
	for _, said := range []string{"access.authentication", "upstream.chain", "identity.source_addresses"} {
		if !strings.Contains(notes, said) {
			t.Errorf("of %s it says nothing: %s", said, notes)
		}
	}
	a, d := c.Access, c.Destinations
	if a.Authentication != config.AuthNone || len(a.Deny) > 0 || !slices.ContainsFunc(a.Networks, func(n netip.Prefix) bool { return n.Contains(origin.Addr()) }) {
		t.Errorf("the judge is not let in: %+v", a)
	}
	port := config.PortRange{First: 4711, Last: 4711}
	if len(d.Deny) > 0 || d.Allow[len(d.Allow)-1] != "127.0.0.1" || d.Ports[len(d.Ports)-1] != port || d.ConnectPorts[len(d.ConnectPorts)-1] != port {
		t.Errorf("its origin is closed: %+v", d)
	}
	if len(c.Upstream.Chain)+len(c.Identity.SourceAddresses) > 0 {
		t.Error("its requests leave by another way")
	}
}
