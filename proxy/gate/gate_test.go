package gate

import (
	"errors"
	"net/netip"
	"testing"
)

func prefixes(texts ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, text := range texts {
		out = append(out, netip.MustParsePrefix(text))
	}
	return out
}

func TestAdmit(t *testing.T) {
	nested := Options{
		Networks: prefixes("10.0.0.0/8", "10.1.2.0/24", "fd00::/8", "::ffff:172.16.0.0/108"),
		Deny:     prefixes("10.1.0.0/16", "10.1.2.3/32", "fd00:1::/32", "172.16.1.0/24"),
	}
	for _, c := range []struct {
		what   string
		o      Options
		client string
		admit  bool
	}{
		{"zero value", Options{}, "127.0.0.1", true},
		{"zero value", Options{}, "127.255.0.9", true},
		{"zero value", Options{}, "::1", true},
		{"zero value", Options{}, "::ffff:127.0.0.1", true},
		{"zero value", Options{}, "::ffff:10.0.0.1", false},
		{"zero value", Options{}, "10.0.0.1", false},
		{"zero value", Options{}, "0.0.0.0", false},
		{"zero value", Options{}, "::", false},
		{"zero value", Options{}, "::2", false},
		{"zero value", Options{}, "::7f00:1", false},
		{"zero value", Options{}, "8.8.8.8", false},
		{"zero value", Options{}, "2600::1", false},
		{"nobody", Options{Networks: []netip.Prefix{}}, "127.0.0.1", false},
		{"loopback is not implied", Options{Networks: prefixes("10.0.0.0/8")}, "127.0.0.1", false},
		{"all of IPv4", Options{Networks: prefixes("0.0.0.0/0")}, "8.8.8.8", true},
		{"all of IPv4", Options{Networks: prefixes("0.0.0.0/0")}, "2600::1", false},
		{"all of IPv4, mapped", Options{Networks: prefixes("::ffff:0:0/96")}, "8.8.8.8", true},
		{"all of IPv6 is not IPv4", Options{Networks: prefixes("::/0")}, "::ffff:8.8.8.8", false},
		{"host bits", Options{Networks: prefixes("10.1.2.3/8")}, "10.9.9.9", true},
		{"invalid prefix", Options{Networks: make([]netip.Prefix, 1)}, "127.0.0.1", false},
		{"link-local with zone", Options{Networks: prefixes("fe80::/10")}, "fe80::1%eth0", true},
		{"deny all", Options{Networks: prefixes("0.0.0.0/0"), Deny: prefixes("0.0.0.0/0")}, "8.8.8.8", false},
		{"nested", nested, "10.9.9.9", true},
		{"nested", nested, "10.1.1.1", false},
		{"nested", nested, "10.1.2.9", true},
		{"nested", nested, "10.1.2.3", false},
		{"nested", nested, "fd12::1", true},
		{"nested", nested, "fd00:1::1", false},
		{"nested", nested, "172.31.0.1", true},
		{"nested", nested, "::ffff:172.31.0.1", true},
		{"nested", nested, "172.16.1.1", false},
	} {
		g, client := mustNew(t, c.o), netip.MustParseAddr(c.client)
		_, entered := g.Enter(t.Context(), client, nil, nil)
		connection, connected := g.Connect(client, nil)
		connection.Close()
		for what, err := range map[string]error{"it": g.Admit(client), "a request": entered, "a connection": connected} {
			if admit := err == nil; admit != c.admit || err != nil && !errors.Is(err, ErrNotAdmitted) {
				t.Errorf("%s, client %s, %s: %v, want admitted %t", c.what, c.client, what, err, c.admit)
			}
		}
	}
	if mustNew(t, Options{Networks: prefixes("0.0.0.0/0", "::/0")}).Admit(netip.Addr{}) == nil {
		t.Error("a client without an address is admitted")
	}
}
