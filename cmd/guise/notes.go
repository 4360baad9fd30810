package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"guise/config"
	"guise/proxy/certs"
	"guise/proxy/egress"
	"guise/proxy/gate"
	"guise/proxy/inspect"
)

// noteDoubts is a [config.Check] of what works, but gives up some of what guise is
// for, or may not be meant.
func (p *program) noteDoubts(c *config.Config, _, note config.Say) {
	noteShown(c, note)
	noteInClear(c, note)
	noteClosed(c, note)
	noteShares(c, note)
	noteUnreached(c, note)
	noteUninspected(c, note)
	noteAbsent(c, note)
	p.noteSecrets(c, note)
	noteCertificates(c, time.Now(), note)
}

// noteShown is about what sites and other clients learn.
func noteShown(c *config.Config, note config.Say) {
	if c.Identity.Persona == config.PersonaOff {
		note("identity.persona", "off shows sites each browser as it is: its kind, version, system and language")
	} else if c.Identity.Language != "en-US" {
		note("identity.language", "%s tells the users of this proxy from those of others, most of whom ask for en-US", c.Identity.Language)
	}
	if d := c.Cookies.Default; d == config.CookiesPass || d == config.CookiesSession {
		note("cookies.default", "%s lets the cookies of third parties pass, by which they know a browser on every site", d)
	}
	if c.Cache.Sharing == config.SharingShared && c.Cache.Memory > 0 {
		note("cache.sharing", "shared lets each client learn what others have read, by how soon the answer comes")
	}
	for i, s := range c.Sites {
		if s.Upstream == config.UpstreamDirect {
			note(fmt.Sprintf("sites[%d].upstream", i), "direct shows this machine's address there")
		}
	}
	for i, place := range c.Destinations.Allow {
		if place.Network().IsValid() && deniedBy(c, place) < 0 {
			note(fmt.Sprintf("destinations.allow[%d]", i), "%s is open under any name: a site that leads one of its own there has its pages read what is there", place)
		}
	}
}

// noteInClear is about what can be read on the way to guise, and from it.
func noteInClear(c *config.Config, note config.Say) {
	byPassword := c.Access.Authentication == config.AuthBasic || c.Access.Authentication == config.AuthToken
	for i, l := range c.Listeners {
		if l.Protocol != config.HTTPS && !l.Address.IP.IsLoopback() && byPassword {
			note(fmt.Sprintf("listeners[%d].protocol", i), "%s has passwords sent in clear; https encrypts them", l.Protocol)
		}
	}
	for i, hop := range c.Upstream.Chain {
		ip, err := netip.ParseAddr(hop.Hostname())
		if hop.Scheme != "https" && hop.Hostname() != "localhost" && (err != nil || !ip.IsLoopback()) {
			note(fmt.Sprintf("upstream.chain[%d]", i), "where requests go, and a password for this proxy, can be read on the way to it; https:// would be encrypted")
		}
	}
}

// noteClosed is about clients that cannot enter, and caches that have no room.
func noteClosed(c *config.Config, note config.Say) {
	for i, network := range c.Access.Networks {
		for j, denied := range c.Access.Deny {
			if network == denied {
				note(fmt.Sprintf("access.networks[%d]", i), "nobody of %s may enter: access.deny[%d] is the same", network, j)
			}
		}
	}
	for i, denied := range c.Access.Deny {
		if !slices.ContainsFunc(c.Access.Networks, func(n netip.Prefix) bool { return config.Holds(n, denied) }) {
			note(fmt.Sprintf("access.deny[%d]", i), "%s closes nothing: no network in access.networks holds all of it, and the longer prefix decides", denied)
		}
	}
	for i, l := range c.Listeners {
		if !l.Address.IP.IsLoopback() && !slices.ContainsFunc(c.Access.Networks, beyondLoopback) {
			note(fmt.Sprintf("listeners[%d].address", i), "others reach %s, and none of them may enter: access.networks names this machine alone", l.Address)
		}
		if own := loopbackOf(l.Address.IP); l.Address.IP.IsLoopback() && !l.ProxyProtocol && !slices.ContainsFunc(c.Access.Networks, own.Overlaps) {
			note("access.networks", "leaves out %s, and so whoever reaches listeners[%d], %s: only this machine does", own, i, l.Address)
		}
		if len(l.ACME.Domains) > 0 && l.ACME.Directory == "" && !slices.ContainsFunc(c.Access.Networks, everybody) {
			note(fmt.Sprintf("listeners[%d].acme", i), "access.networks keeps the authority's machines out of this listener, which may be anywhere: port 80 of its names has to reach this machine")
		}
	}
	// A full cache takes 1.3 times as much: see garbage.go.
	if all := machineMemory(); all > 0 && float64(c.Cache.Memory)*1.3 > float64(all) {
		note("cache.memory", "%s is more than this machine has room for, of %dMiB in all: once full, it takes 1.3 times that", c.Cache.Memory, all>>20)
	}
	if c.Cache.Memory > 0 && c.Cache.Object > c.Cache.Memory {
		note("cache.object", "%s is more than cache.memory: what is stored has at most %s", c.Cache.Object, c.Cache.Memory)
	}
}

// noteShares is about limits of one client above that of all together.
func noteShares(c *config.Config, note config.Say) {
	one, all := reflect.ValueOf(c.Limits.Client), reflect.ValueOf(c.Limits.Total)
	for i := range one.NumField() {
		key := one.Type().Field(i).Tag.Get("key")
		if most := all.Field(i).Int(); most > 0 && one.Field(i).Int() > most {
			note("limits.client."+key, "%v does nothing: limits.total.%s is %v, and one client can have all of it", one.Field(i), key, all.Field(i))
		}
	}
}

// noteUnreached is about destinations, lists and ports that do not do what they seem to.
func noteUnreached(c *config.Config, note config.Say) {
	for i, place := range c.Destinations.Allow {
		if j := deniedBy(c, place); j >= 0 {
			note(fmt.Sprintf("destinations.allow[%d]", i), "%s stays closed: destinations.deny[%d] goes before it", place, j)
		}
	}
	for i, place := range c.Destinations.Deny {
		if !place.Network().IsValid() && !strings.Contains(string(place), ".") {
			note(fmt.Sprintf("destinations.deny[%d]", i), "%s is one host of the house; a domain is *.%[1]s, and everything 0.0.0.0/0 with ::/0", place)
		}
	}
	for i, from := range c.Identity.SourceAddresses {
		if from.IsLoopback() && len(c.Upstream.Chain) == 0 {
			note(fmt.Sprintf("identity.source_addresses[%d]", i), "from %s nothing but this machine is reached", from)
		}
	}
	for i, path := range c.Destinations.DenyLists {
		if l, err := egress.ReadList(path); err == nil && l.Left > 0 { // checkFiles reports an error
			note(fmt.Sprintf("destinations.deny_lists[%d]", i), "%s: lines that name no host are left out: %d, line %d first", path, l.Left, l.LeftAt)
		}
	}
	if len(c.Destinations.ConnectPorts) == 0 {
		note("destinations.connect_ports", "names no port: nothing goes by HTTPS, which needs 443")
	}
}

// beyondLoopback reports whether network has clients that are not on this machine.
func beyondLoopback(network netip.Prefix) bool { return !network.Addr().IsLoopback() }

// loopbackOf returns the loopback network of addr's family.
func loopbackOf(addr netip.Addr) netip.Prefix {
	if addr.Is4() {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{127}), 8)
	}
	return netip.PrefixFrom(netip.IPv6Loopback(), 128)
}

func everybody(network netip.Prefix) bool { return network.Bits() == 0 }

// noteUninspected is about sites that have to be inspected, and are tunnelled all the
// same as the certificate authority may not sign for them.
func noteUninspected(c *config.Config, note config.Say) {
	if !c.Inspection.Enabled {
		return
	}
	a, err := inspect.Load(caFolder(c))
	if err != nil {
		return // checkFiles reports it
	}
	const stay = "stay tunnels: the certificate authority may not sign for them"
	if only := a.Certificate().PermittedDNSDomains; c.Inspection.Default == config.InspectAlways && len(only) > 0 {
		note("inspection.default", "sites but %s %s", strings.Join(only, ", "), stay)
	}
	for i, s := range c.Sites {
		if s.Inspection == config.InspectAlways && !maySign(a, string(s.Match)) {
			note(fmt.Sprintf("sites[%d].inspection", i), "connections to %s %s", s.Match, stay)
		}
	}
}

// maySign reports whether the authority may sign for some host that match is about.
func maySign(a *inspect.Authority, match string) bool {
	host, below := strings.CutPrefix(match, "*")
	return a.Permits(strings.Trim(host, ".[]")) || below && slices.ContainsFunc(a.Certificate().PermittedDNSDomains, func(domain string) bool {
		return strings.HasSuffix(domain, host)
	})
}

// deniedBy returns which of destinations.deny closes all of place, -1 for none.
func deniedBy(c *config.Config, place config.Place) int {
	part := place.Network()
	return slices.IndexFunc(c.Destinations.Deny, func(denied config.Place) bool {
		return denied == place || config.Holds(denied.Network(), part)
	})
}

// noteAbsent is about what serve needs, and may find by the time it starts.
func noteAbsent(c *config.Config, note config.Say) {
	for i, l := range c.Listeners {
		if !l.Address.IP.IsValid() || l.Address.IP.IsUnspecified() {
			continue
		}
		probe, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(l.Address.IP, 0)))
		switch {
		case err == nil:
			probe.Close()
		case errors.Is(err, syscall.EADDRNOTAVAIL):
			note(fmt.Sprintf("listeners[%d].address", i), "%s is no address of this machine now, and guise does not start without it", l.Address.IP)
		}
	}
	socket := func(key, path string) {
		if _, err := os.Stat(filepath.Dir(path)); path != "" && err != nil {
			note(key, "there is no folder %s now, and guise does not start without it", filepath.Dir(path))
		}
	}
	if network, path := c.Admin.Address.Endpoint(); network == "unix" {
		socket("admin.address", path)
	}
	socket("admin.pprof", c.Admin.Pprof)
	if c.Access.Authentication == config.AuthBasic {
		if names, err := gate.ListUsers(c.Access.Users); err == nil && len(names) == 0 {
			note("access.users", "%s names nobody, so nobody may enter; see guise user add", c.Access.Users)
		}
	}
}

// noteSecrets is about files of secrets that any user of this machine can read.
func (p *program) noteSecrets(c *config.Config, note config.Say) {
	secret := func(key, file, whose string) {
		if mode, all := forAll(file); all {
			note(key, "all users of this machine can read %s (mode %04o): whoever has it %s", file, mode, whose)
		}
	}
	for i, l := range c.Listeners {
		secret(fmt.Sprintf("listeners[%d].key", i), l.Key, "can pose as this proxy")
	}
	secret("access.token_key", c.Access.TokenKey, "can sign tokens")
	var written []byte
	if _, all := forAll(p.file); all {
		written, _ = os.ReadFile(p.file)
	}
	for i, hop := range c.Upstream.Chain {
		if _, has := hop.User.Password(); !has {
			continue
		}
		key := fmt.Sprintf("upstream.chain[%d]", i)
		if names(string(written), hop) {
			secret(key, p.file, "can use that proxy by this password")
		}
		if names(strings.Join(p.sets, "\n"), hop) {
			note(key, "all users of this machine can read the arguments of a program, and this password")
		}
	}
}

var urlWithPassword = regexp.MustCompile(`\w+://[^\s@/]+@(?:\[[^\s\]]+\]|[^\s:/]+):\d+`)

// names reports whether text holds hop's URL. URLs are compared parsed: a password may be
// escaped in several ways.
func names(text string, hop config.Hop) bool {
	return slices.ContainsFunc(urlWithPassword.FindAllString(text, -1), func(written string) bool {
		var other config.Hop
		return other.UnmarshalText([]byte(written)) == nil && other.String() == hop.String()
	})
}

// forAll reports whether every user may read a file, and its mode.
func forAll(file string) (mode fs.FileMode, all bool) {
	info, err := os.Stat(file)
	if err != nil || runtime.GOOS == "windows" {
		return 0, false
	}
	all = info.Mode().IsRegular() && info.Mode()&0o004 != 0 // not a pipe, which is read once
	for at, err := filepath.Abs(file); all && err == nil && at != filepath.Dir(at); {
		at = filepath.Dir(at)
		if info, err := os.Stat(at); err == nil && info.Mode()&0o001 == 0 {
			all = false
		}
	}
	return info.Mode().Perm(), all
}

// noteCertificates is about certificates that have expired or soon will, or that do not
// name their listener's address.
func noteCertificates(c *config.Config, now time.Time, note config.Say) {
	for i, l := range c.Listeners {
		if l.Certificate == "" {
			continue
		}
		pair, err := certs.Files(l.Certificate, l.Key)
		if err != nil {
			continue // checkFiles reports it
		}
		key := fmt.Sprintf("listeners[%d].certificate", i)
		if pair.Ends().Sub(now) <= endIsNear {
			note(key, "clients refuse it from %s on", pair.Ends().UTC().Format(time.DateOnly))
		}
		if others := missedBy(pair, l, l.Address); len(others) > 0 {
			note(key, "clients refuse it at %v: it names other addresses", others[0])
		}
	}
	if !c.Inspection.Enabled {
		return
	}
	if a, err := inspect.Load(caFolder(c)); err == nil && a.Certificate().NotAfter.Sub(now) <= endIsNear {
		note("inspection.enabled", "the certificate authority ends on %s", a.Certificate().NotAfter.UTC().Format(time.DateOnly))
	}
}
