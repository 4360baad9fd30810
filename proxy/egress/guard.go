package egress

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"code.dny.dev/ssrf"
)

// A guard says which destinations are open. Own listeners are closed
// whatever else is said; then Deny goes before Allow, and Allow before the
// guard's own idea of what is public.
type guard struct {
	allow, deny rules
	listed      blocklist // of hosts, which are denied too
	own         func() []netip.AddrPort
	machine     *machine
	translators *translators // nil knows none
}

func newGuard(allow, deny []string, own func() []netip.AddrPort) (guard, error) {
	g := guard{own: own, machine: &machine{}}
	g.machine.has(netip.Addr{}) // asks the system now, while descriptors are free
	var err error
	if g.allow, err = parseRules(allow); err != nil {
		return guard{}, fmt.Errorf("allowed destinations: %w", err)
	}
	if g.deny, err = parseRules(deny); err != nil {
		return guard{}, fmt.Errorf("denied destinations: %w", err)
	}
	return g, nil
}

// closesHosts reports whether Deny or a list names any host.
func (g *guard) closesHosts() bool {
	return len(g.deny.hosts) > 0 || len(g.deny.suffixes) > 0 || !g.listed.closed.empty()
}

// closesName reports whether Deny or a list names host, in canonical form.
func (g *guard) closesName(host string) bool { return g.deny.host(host) || g.listed.has(host) }

// target refuses what can be refused without a look-up.
func (g *guard) target(t Target) error {
	if t.Addr.IsValid() {
		return g.address(netip.AddrPortFrom(t.Addr, t.Port), false)
	}
	switch {
	case g.closesName(t.Host):
		return refusedDestination
	case !g.allow.host(t.Host) && isLocalName(t.Host):
		return refusedDestination
	}
	return nil
}

// A check says whether a connection may be opened to one address. It returns
// nil or a [*Refused].
type check func(netip.AddrPort) error

// check returns the check of the addresses that t leads to. An allowed host
// opens its addresses for requests to that host alone.
func (g *guard) check(t Target) check {
	hostAllowed := !t.Addr.IsValid() && g.allow.host(t.Host)
	return func(to netip.AddrPort) error { return g.address(to, hostAllowed) }
}

// address is a [check] of to, for an allowed host or for none. It asks of an IPv4 address
// that to leads to what it asks of to itself, but for what is allowed.
func (g *guard) address(to netip.AddrPort, hostAllowed bool) error {
	addr := to.Addr().Unmap()
	if !addr.IsValid() || addr.Zone() != "" || addr.IsUnspecified() {
		// The unspecified address leads to loopback by a name that a
		// denied 127.0.0.0/8 does not have.
		return refusedDestination
	}
	leadsTo := append(g.translators.inside(addr), addr)
	if inner := embedded(addr); inner.IsValid() {
		leadsTo = append(leadsTo, inner)
	}
	open := hostAllowed || g.allow.address(addr)
	for _, at := range leadsTo {
		if g.isOwn(at, to.Port()) || g.deny.address(at) || !open && (!isPublic(at) || g.machine.has(at)) {
			return refusedDestination
		}
	}
	return nil
}

// isOwn reports whether addr and port are a listener of this process. A
// listener on the unspecified address is at every address of the machine.
func (g *guard) isOwn(addr netip.Addr, port uint16) bool {
	if g.own == nil {
		return false
	}
	for _, listener := range g.own() {
		if listener.Port() != port {
			continue
		}
		at := listener.Addr().WithZone("").Unmap()
		if at == addr || addr.IsUnspecified() {
			return true
		}
		if at.IsUnspecified() && (addr.IsLoopback() || g.machine.has(addr)) {
			return true
		}
	}
	return false
}

// isPublic reports whether addr is on the public internet, outside of the
// IANA special-purpose registries. Where it leads to is looked at on its own.
func isPublic(addr netip.Addr) bool {
	if nat64.Contains(addr) {
		// RFC 6052 §3.1: the one transition prefix that networks without
		// IPv4 cannot do without.
		return true
	}
	return special.SafeAddr(addr) == nil && !slices.ContainsFunc(alsoClosed, func(p netip.Prefix) bool { return p.Contains(addr) })
}

var (
	special = ssrf.New(ssrf.WithAnyPort())
	nat64   = ssrf.IPv6NAT64Prefix
)

// alsoClosed is what the registries call public and is not.
var alsoClosed = []netip.Prefix{
	netip.MustParsePrefix("168.63.129.16/32"), // Azure's host agent: https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
	netip.MustParsePrefix("161.26.0.0/16"),    // IBM Cloud's infrastructure, from within it alone: https://cloud.ibm.com/docs/vpc?topic=vpc-service-endpoints-for-vpc
	netip.MustParsePrefix("166.8.0.0/14"),     // and its services
}

// embedded returns the IPv4 address that the IPv6 address addr leads to in
// one of the transition mechanisms, or the zero Addr.
func embedded(addr netip.Addr) netip.Addr {
	if !addr.Is6() {
		return netip.Addr{}
	}
	b := addr.As16()
	at := func(i int) netip.Addr { return netip.AddrFrom4([4]byte(b[i : i+4])) }
	switch {
	case compatible.Contains(addr), nat64.Contains(addr), translated.Contains(addr),
		localNAT64.Contains(addr): // as a /96; the whole prefix is closed anyway
		return at(12)
	case sixToFour.Contains(addr):
		return at(2)
	case teredo.Contains(addr): // RFC 4380 §4: the client's address, inverted
		return netip.AddrFrom4([4]byte{^b[12], ^b[13], ^b[14], ^b[15]})
	case b[8]&^3 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe: // RFC 5214 §6.1: ISATAP
		return at(12)
	}
	return netip.Addr{}
}

var (
	compatible = netip.MustParsePrefix("::/96")           // RFC 4291 §2.5.5.1
	translated = netip.MustParsePrefix("::ffff:0:0:0/96") // RFC 2765 §2.1
	localNAT64 = netip.MustParsePrefix("64:ff9b:1::/48")  // RFC 8215
	sixToFour  = netip.MustParsePrefix("2002::/16")       // RFC 3056
	teredo     = netip.MustParsePrefix("2001::/32")       // RFC 4380
)

// localNames lead to the machine itself or to what a cloud tells its
// machines; a look-up of them would say so to the resolver.
var localNames = map[string]bool{
	"localhost":                    true, // RFC 6761 §6.3
	"localhost.localdomain":        true, // /etc/hosts of Red Hat systems
	"localhost4":                   true,
	"localhost4.localdomain4":      true,
	"localhost6":                   true,
	"localhost6.localdomain6":      true,
	"ip6-localhost":                true, // /etc/hosts of Debian systems
	"ip6-loopback":                 true,
	"broadcasthost":                true, // /etc/hosts of macOS
	"host.docker.internal":         true, // https://docs.docker.com/desktop/features/networking/
	"gateway.docker.internal":      true,
	"kubernetes.docker.internal":   true,
	"host.containers.internal":     true, // podman
	"metadata":                     true, // Google Cloud: https://cloud.google.com/compute/docs/metadata/overview
	"metadata.google.internal":     true,
	"metadata.goog":                true,
	"instance-data":                true, // Amazon EC2
	"instance-data.ec2.internal":   true,
	"metadata.azure.internal":      true,
	"metadata.tencentyun.com":      true,
	"metadata.packet.net":          true, // leads to a public address
	"metadata.platformequinix.com": true,
}

// isLocalName reports whether host, in canonical form, is never a public site.
func isLocalName(host string) bool {
	return localNames[host] || strings.HasSuffix(host, ".localhost") // RFC 6761 §6.3
}
