package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// rules reports what no single value shows: keys that contradict each other, or change
// nothing. Nothing is silently ignored.
func (l *loader) rules(c *Config) {
	l.listenerRules(c.Listeners)
	l.doorRules(c.Listeners)
	l.siteRules(c.Sites, c.Inspection.Enabled, len(c.Upstream.Chain) > 0)
	l.require(c.Inspection.Enabled || c.Inspection.Default != InspectAlways, "inspection.default", "true does nothing while inspection.enabled is false")
	l.require(c.Identity.Persona != PersonaOff || l.setting("identity.language").fromProfile(), "identity.language", "changes nothing while identity.persona is off")
	l.sourceRules(c.Identity.SourceAddresses)
	l.accessRules(c)
	l.require(c.Log.Requests == RequestsNone || c.Log.Level != LevelOff, "log.requests", "changes nothing while log.level is off")
	l.adminRules(c)
	l.shareRules("limits.client", c.Limits.Client)
	l.shareRules("limits.total", c.Limits.Total)

	l.require(c.Cache.Object > 0, "cache.object", "want more than 0; to store nothing, set cache.memory to 0")
	l.upstreamRules(c)

	const most = Bytes(16 << 20)
	l.require(c.Limits.Head >= 1<<10 && c.Limits.Head <= most, "limits.head", "want between 1KiB and %s", most)
	l.require(c.Limits.Line > 0, "limits.line", "want more than 0")
	l.require(c.Limits.Fields > 0 && c.Limits.Fields <= 10_000, "limits.fields", "want between 1 and 10000")
	l.require(c.Limits.Target > 0, "limits.target", "want more than 0")
	if c.Limits.Target > c.Limits.Head {
		l.limitsContradict(c.Limits)
	}
}

// refuse reports what is wrong with key, where it was set.
func (l *loader) refuse(key, format string, args ...any) {
	l.fail(l.place(key), key, format, args...)
}

// require refuses key unless ok.
func (l *loader) require(ok bool, key, format string, args ...any) {
	if !ok {
		l.refuse(key, format, args...)
	}
}

// place returns where key was written; for a key that an item leaves out, where the item
// was.
func (l *loader) place(key string) place {
	list, item, _ := strings.Cut(key, "[")
	n := l.setting(list).node
	for step := range strings.FieldsFuncSeq(item, func(r rune) bool { return strings.ContainsRune("[].", r) }) {
		inner := n.get(step)
		if i, err := strconv.Atoi(step); err == nil && i < len(n.items) {
			inner = n.items[i]
		}
		if inner == nil {
			break
		}
		n = inner
	}
	return n.at
}

// items returns the nodes of list key, one for each value.
func (l *loader) items(key string) []*node { return l.setting(key).node.items }

// accessRules wants every kind of authentication to have the files that it needs and no
// others, and refuses listeners that are open to strangers unless access.open is set.
func (l *loader) accessRules(c *Config) {
	a := c.Access
	l.require(len(a.Networks) > 0, "access.networks", "names no network, so nobody could enter")
	for _, file := range []struct {
		key, value string
		of         Authentication
	}{
		{"access.users", a.Users, AuthBasic},
		{"access.token_key", a.TokenKey, AuthToken},
		{"access.authorities", a.Authorities, AuthCertificate},
	} {
		if a.Authentication == file.of {
			l.require(file.value != "", "access.authentication", "%s needs %s, the name of a file", file.of, file.key)
		} else {
			l.require(file.value == "", file.key, "changes nothing unless access.authentication is %s", file.of)
		}
	}
	revokes := a.Authentication == AuthToken || a.Authentication == AuthCertificate
	l.require(a.Revoked == "" || revokes, "access.revoked", "changes nothing unless access.authentication is token or certificate")
	if a.Authentication == AuthCertificate {
		for i, one := range c.Listeners {
			l.require(one.Protocol == HTTPS, "access.authentication", "certificate needs https listeners, and listeners[%d] is %s", i, one.Protocol)
		}
	}
	l.require(a.Authentication == AuthNone || !a.Open, "access.open", "changes nothing unless access.authentication is none: who may enter is asked for %s", a.Authentication)
	if a.Authentication == AuthNone && !a.Open {
		l.strangerRules(c)
	}
}

// strangerRules refuses listeners without authentication that strangers reach: scanners
// find an open proxy within hours.
func (l *loader) strangerRules(c *Config) {
	if !slices.ContainsFunc(c.Access.Networks, reachesStrangers) {
		return
	}
	for i, one := range c.Listeners {
		if one.Address.IP.IsLoopback() && !one.ProxyProtocol {
			continue
		}
		l.refuse(fmt.Sprintf("listeners[%d].address", i),
			"%s is open to strangers: access.networks goes beyond loopback and private networks, and access.authentication is none; "+
				"set access.authentication, or narrow access.networks, or write access.open: true if anybody may use this proxy", one.Address)
	}
}

// reachesStrangers reports whether p holds an address that is neither of this
// machine nor of a private network.
func reachesStrangers(p netip.Prefix) bool {
	return p.IsValid() && // else reported already
		!slices.ContainsFunc(closedNetworks, func(closed netip.Prefix) bool { return Holds(closed, p) })
}

var closedNetworks = []netip.Prefix{
	netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("10.0.0.0/8"), // RFC 1918
	netip.MustParsePrefix("172.16.0.0/12"),
	netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("169.254.0.0/16"), // RFC 3927
	netip.MustParsePrefix("100.64.0.0/10"),  // RFC 6598; mesh networks use it too
	netip.MustParsePrefix("::1/128"),
	netip.MustParsePrefix("fc00::/7"),  // RFC 4193
	netip.MustParsePrefix("fe80::/10"), // RFC 4291
}

// upstreamRules refuses a chain that leads to this proxy, and keys that change nothing
// beside it.
func (l *loader) upstreamRules(c *Config) {
	u := c.Upstream
	for i, h := range u.Chain {
		for j, one := range c.Listeners {
			if h.leadsTo(one.Address) {
				l.refuse(fmt.Sprintf("upstream.chain[%d]", i), "is this proxy itself, listeners[%d]", j)
			}
		}
	}
	secure := slices.ContainsFunc(u.Chain, func(h Hop) bool { return h.Scheme == "https" })
	l.require(u.Authorities == "" || secure, "upstream.authorities", "changes nothing unless upstream.chain is an https proxy")
	for i, server := range u.NameServers {
		if parsed, err := url.Parse(string(server)); err == nil && server != "" && strings.Trim(parsed.Path, "/") == "" {
			l.refuse(fmt.Sprintf("upstream.name_servers[%d]", i), "names no path; most servers have /dns-query")
		}
	}
	direct := slices.ContainsFunc(c.Sites, func(s Site) bool { return s.Upstream == UpstreamDirect })
	if len(u.Chain) > 0 && len(u.NameServers) > 0 && !direct {
		_, err := netip.ParseAddr(u.Chain[0].Hostname())
		l.require(err != nil, "upstream.name_servers", "changes nothing: the proxy of upstream.chain looks names up")
	}
}

// adminRules keeps the operator's sockets apart from networks and listeners of clients.
func (l *loader) adminRules(c *Config) {
	_, _, err := net.SplitHostPort(c.Admin.Pprof)
	l.require(err != nil, "admin.pprof", "is the path of a Unix socket, such as /run/guise/pprof.sock; what it shows is for no network")
	at, err := netip.ParseAddrPort(string(c.Admin.Address))
	if err != nil {
		return // none, or a Unix socket
	}
	own := Address{at.Addr(), at.Port()}
	for i, one := range c.Listeners {
		if own.Overlaps(one.Address) {
			l.refuse("admin.address", "%s overlaps listeners[%d], where clients connect", own, i)
		}
	}
}

// shareRules refuses limits out of range, and a burst without a rate.
func (l *loader) shareRules(key string, s Share) {
	const most = 1_000_000
	for _, n := range []struct {
		name  string
		value int
	}{
		{"requests", s.Requests}, {"burst", s.Burst}, {"connections", s.Connections},
		{"tunnels", s.Tunnels}, {"tunnel_rate", s.TunnelRate},
	} {
		l.require(n.value >= 0 && n.value <= most, key+"."+n.name, "want between 0 (no limit) and %d", most)
	}
	for _, b := range []struct {
		name  string
		value Bytes
	}{{"upload", s.Upload}, {"download", s.Download}} {
		l.require(b.value == 0 || b.value >= 1<<10, key+"."+b.name, "want at least 1KiB (a second), or 0 for no limit")
	}
	rated := s.Requests > 0 || s.TunnelRate > 0
	// A profile's burst belongs to the profile's rates, which may have been set to 0.
	l.require(s.Burst == 0 || rated || l.setting(key+".burst").fromProfile(), key+".burst", "changes nothing unless requests or tunnel_rate is set")
}

// limitsContradict blames the limit that the user wrote, not the profile's.
func (l *loader) limitsContradict(limits Limits) {
	if l.setting("limits.target").fromProfile() {
		l.refuse("limits.head", "%s is less than limits.target (%s), which is part of it", limits.Head, limits.Target)
		return
	}
	l.refuse("limits.target", "%s is more than limits.head (%s), which it is part of", limits.Target, limits.Head)
}

// siteRules refuses sites that never match, and keys of a site that change nothing.
func (l *loader) siteRules(sites []Site, inspection, chain bool) {
	nodes := l.items("sites")
	first := make(map[Pattern]int)
	for i, site := range sites {
		path := fmt.Sprintf("sites[%d]", i)
		if nodes[i].kind == table && nodes[i].get("match") == nil {
			l.refuse(path, "has no match")
			continue
		}
		if site.Inspection != "" && site.Inspection != InspectNever && !inspection {
			l.refuse(path+".inspection", "%s does nothing while inspection.enabled is false", site.Inspection)
		}
		if site.Upstream != "" && !chain {
			l.refuse(path+".upstream", "%s does nothing while upstream.chain is empty", site.Upstream)
		}
		if site.Match == "" {
			continue
		}
		if j, twice := first[site.Match]; twice {
			l.refuse(path+".match", "repeats sites[%d], which always wins", j)
			continue
		}
		for j, earlier := range sites[:i] {
			if below, wild := strings.CutPrefix(string(earlier.Match), "*"); wild && strings.HasSuffix(string(site.Match), below) {
				l.refuse(path+".match", "%s is never reached, as sites[%d] (%s) matches it first; put it before that", site.Match, j, earlier.Match)
				break
			}
		}
		first[site.Match] = i
	}
}

// sourceRules tries each address: only the system knows which are this machine's.
func (l *loader) sourceRules(addresses []netip.Addr) {
	for i, a := range addresses {
		if !a.IsValid() {
			continue
		}
		listener, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(a, 0)))
		if err != nil {
			what := fmt.Sprintf("%s is not an address of this machine", a)
			if errors.Is(err, fs.ErrPermission) {
				what = fmt.Sprintf("%s may not be bound to here; a systemd unit has to leave out SocketBindDeny=", a)
			}
			l.refuse(fmt.Sprintf("identity.source_addresses[%d]", i), "%s", what)
			continue
		}
		listener.Close()
	}
}
