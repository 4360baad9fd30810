package egress

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// rules is a list of networks and hosts.
type rules struct {
	networks []netip.Prefix
	hosts    map[string]bool
	suffixes []string // of "*.host", with the leading dot
}

// parseRules reads networks ("10.0.0.0/8"), addresses, hosts, and "*.host",
// which is every name below host but not host itself.
func parseRules(entries []string) (rules, error) {
	r := rules{hosts: make(map[string]bool)}
	for _, entry := range entries {
		if err := r.add(entry); err != nil {
			return rules{}, fmt.Errorf("%q: %w", entry, err)
		}
	}
	return r, nil
}

func (r *rules) add(entry string) error {
	if strings.Contains(entry, "/") {
		prefix, err := netip.ParsePrefix(entry)
		if err != nil {
			return errors.New("not a network")
		}
		r.networks = append(r.networks, unmapPrefix(prefix))
		return nil
	}
	if addr, err := netip.ParseAddr(strings.Trim(entry, "[]")); err == nil {
		addr = addr.Unmap().WithZone("")
		r.networks = append(r.networks, netip.PrefixFrom(addr, addr.BitLen()))
		return nil
	}
	name, wildcard := strings.CutPrefix(entry, "*.")
	target, err := Canonical(name, 80)
	switch {
	case err != nil, strings.Contains(name, ":"), wildcard && target.Addr.IsValid():
		return errors.New("neither a network nor a host")
	case target.Addr.IsValid():
		r.networks = append(r.networks, netip.PrefixFrom(target.Addr, target.Addr.BitLen()))
	case wildcard:
		r.suffixes = append(r.suffixes, "."+target.Host)
	default:
		r.hosts[target.Host] = true
	}
	return nil
}

// unmapPrefix turns a network of IPv4-mapped addresses into the IPv4 network.
func unmapPrefix(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked()
}

// host reports whether name, in canonical form, is listed.
func (r *rules) host(name string) bool {
	return r.hosts[name] || slices.ContainsFunc(r.suffixes, func(suffix string) bool { return strings.HasSuffix(name, suffix) })
}

// address reports whether addr is listed. The zero Addr is not.
func (r *rules) address(addr netip.Addr) bool {
	return slices.ContainsFunc(r.networks, func(network netip.Prefix) bool { return network.Contains(addr) })
}
