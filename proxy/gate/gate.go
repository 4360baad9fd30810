// Package gate decides who may enter.
package gate

import (
	"errors"
	"net/netip"
)

// Options configures a [Gate]. The zero value admits loopback alone.
type Options struct {
	Networks []netip.Prefix // clients that may enter; nil means 127.0.0.0/8 and ::1/128
	Deny     []netip.Prefix // clients that may not, even if in Networks; the longer prefix decides, Deny if equally long
}

// ErrNotAdmitted is what a client gets that may not enter.
var ErrNotAdmitted = errors.New("client is not of an admitted network")

// A Gate admits clients by their address. It is safe for concurrent use.
type Gate struct {
	networks []netip.Prefix
	deny     []netip.Prefix
}

var loopback = []netip.Prefix{
	netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("::1/128"),
}

// New returns a Gate for o.
func New(o Options) *Gate {
	if o.Networks == nil {
		o.Networks = loopback
	}
	return &Gate{networks: canonical(o.Networks), deny: canonical(o.Deny)}
}

// Admit returns nil if a client at addr may enter, else [ErrNotAdmitted]. An
// IPv4-mapped address is the IPv4 address; the zone is of no account, since
// it names a link and not who is on it. The zero Addr is never admitted.
func (g *Gate) Admit(addr netip.Addr) error {
	addr = addr.Unmap().WithZone("")
	if admitted := longest(g.networks, addr); admitted < 0 || longest(g.deny, addr) >= admitted {
		return ErrNotAdmitted
	}
	return nil
}

// longest returns the length in bits of the longest prefix that addr is in,
// -1 if it is in none.
func longest(prefixes []netip.Prefix, addr netip.Addr) int {
	bits := -1
	for _, p := range prefixes {
		if p.Contains(addr) {
			bits = max(bits, p.Bits())
		}
	}
	return bits
}

// canonical returns prefixes with those of IPv4-mapped addresses as IPv4, the
// form that addresses are compared in.
func canonical(prefixes []netip.Prefix) []netip.Prefix {
	out := make([]netip.Prefix, 0, len(prefixes))
	for _, p := range prefixes {
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		out = append(out, p)
	}
	return out
}
