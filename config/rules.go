package config

import (
	"fmt"
	"net"
	"net/netip"
)

// rules reports what no single value shows: keys that contradict each other,
// and words of the language that this version has no code for. Nothing is
// silently ignored.
func (l *loader) rules(c *Config) {
	l.listenerRules(c.Listeners)
	l.siteRules(c.Sites)
	l.sourceRules(c.Identity.SourceAddresses)

	l.require(len(c.Access.Networks) > 0, "access.networks", "names no network, so nobody could enter")
	l.require(c.Access.Users == "", "access.users", errUnsupported.Error())
	l.require(!c.Inspection.Enabled, "inspection.enabled", errUnsupported.Error())
	l.require(c.Cache.Object > 0, "cache.object", "want more than 0; to store nothing, set cache.memory to 0")
	l.require(len(c.Upstream.Chain) <= 1, "upstream.chain", "more than one hop is "+errUnsupported.Error())

	const most = Bytes(16 << 20)
	l.require(c.Limits.Head >= 1<<10 && c.Limits.Head <= most, "limits.head", "want between 1KiB and "+most.String())
	l.require(c.Limits.Fields > 0 && c.Limits.Fields <= 10_000, "limits.fields", "want between 1 and 10000")
	l.require(c.Limits.Target > 0, "limits.target", "want more than 0")
	if c.Limits.Target > c.Limits.Head {
		l.limitsContradict(c.Limits)
	}
}

// require reports what, where key was set, unless ok.
func (l *loader) require(ok bool, key, what string) {
	if !ok {
		l.fail(l.place(key), key, "%s", what)
	}
}

// limitsContradict blames the limit that the user wrote, not the profile's.
func (l *loader) limitsContradict(limits Limits) {
	if l.setting("limits.target").fromProfile() {
		l.require(false, "limits.head", fmt.Sprintf("%s is less than limits.target (%s), which is part of it", limits.Head, limits.Target))
		return
	}
	l.require(false, "limits.target", fmt.Sprintf("%s is more than limits.head (%s), which it is part of", limits.Target, limits.Head))
}

func (l *loader) place(key string) place {
	if s := l.setting(key); s != nil {
		return s.node.at
	}
	return place{file: "profile"}
}

// items returns the nodes of list key, one for each value.
func (l *loader) items(key string) []*node {
	if s := l.setting(key); s != nil {
		return s.node.items
	}
	return nil
}

func (l *loader) listenerRules(listeners []Listener) {
	l.require(len(listeners) > 0, "listeners", "names no listener, so nothing would be served")
	nodes := l.items("listeners")
	for i, one := range listeners {
		path := fmt.Sprintf("listeners[%d]", i)
		if nodes[i].kind == table && nodes[i].get("address") == nil {
			l.fail(nodes[i].at, path, "has no address")
		}
		for j, other := range listeners[:i] {
			if !one.Address.Overlaps(other.Address) {
				continue
			}
			where := ""
			if line := addressPlace(nodes[j]).line; line > 0 {
				where = fmt.Sprintf(" on line %d", line)
			}
			l.fail(addressPlace(nodes[i]), path+".address", "%s overlaps %s%s", one.Address, other.Address, where)
			break
		}
	}
}

func addressPlace(listener *node) place {
	if a := listener.get("address"); a != nil {
		return a.at
	}
	return listener.at
}

func (l *loader) siteRules(sites []Site) {
	nodes := l.items("sites")
	first := make(map[Pattern]int)
	for i, site := range sites {
		path := fmt.Sprintf("sites[%d]", i)
		if nodes[i].kind == table && nodes[i].get("match") == nil {
			l.fail(nodes[i].at, path, "has no match")
			continue
		}
		if site.Match == "" {
			continue
		}
		if j, twice := first[site.Match]; twice {
			l.fail(nodes[i].get("match").at, path+".match", "repeats sites[%d], which always wins", j)
			continue
		}
		first[site.Match] = i
	}
}

// sourceRules tries each address: only the system knows which are its own.
func (l *loader) sourceRules(addresses []netip.Addr) {
	nodes := l.items("identity.source_addresses")
	for i, a := range addresses {
		if !a.IsValid() {
			continue
		}
		listener, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(a, 0)))
		if err != nil {
			l.fail(nodes[i].at, fmt.Sprintf("identity.source_addresses[%d]", i), "%s is not an address of this machine", a)
			continue
		}
		listener.Close()
	}
}
