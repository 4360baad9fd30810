package main

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"guise/config"
)

// banner tells a person who just started guise what to do with it, in some 15 lines.
// at are the addresses it listens on, own those of this machine.
func banner(w io.Writer, c *config.Config, at []netip.AddrPort, own []netip.Addr) {
	var all []string
	for _, a := range at {
		all = append(all, a.String())
	}
	fmt.Fprintf(w, "guise is listening on %s (profile %s).\n\n", strings.Join(all, ", "), c.Profile)
	here := entered(c, at, own)
	lead := "  curl:     "
	shown := make(map[config.Protocol]bool)
	for i, one := range c.Listeners {
		if !shown[one.Protocol] {
			shown[one.Protocol] = true
			fmt.Fprintf(w, "%scurl %s http://example.com/\n", lead, curlOptions(c, one, reached(one, here[i])))
			lead = "            "
		}
	}
	first := reached(c.Listeners[0], here[0])
	bannerBrowser(w, c, first)
	fmt.Fprintf(w, "  hidden:   %s,\n", hidden(c))
	inside := "inside HTTPS, your address only"
	if c.Inspection.Enabled {
		inside = "inside HTTPS too,\n            for browsers that trust guise ca export"
	}
	fmt.Fprintf(w, "            referrers, tracking parameters; %s\n", inside)
	fmt.Fprintf(w, "  seen:     %s\n", seen(c))
	if who := admitted(c, at); who != "" {
		fmt.Fprintf(w, "  open to:  %s\n", who)
	}
	if others, ok := fromOutside(c, at[0], own); ok && others != here[0] {
		fmt.Fprintf(w, "            others use %s in place of %s\n", others, first)
	}
	fmt.Fprintf(w, "  stop:     Ctrl-C; what is running gets %s to finish\n\n", time.Duration(c.Timeouts.Shutdown))
}

// bannerBrowser says how to set a browser to the first listener, whose HOST:PORT is
// first.
func bannerBrowser(w io.Writer, c *config.Config, first string) {
	one := c.Listeners[0]
	host, port, err := net.SplitHostPort(first)
	if err != nil {
		host, port = first, ""
	}
	scheme, secure := "http", ""
	switch one.Protocol {
	case config.HTTPS:
		scheme, secure = "https", " --secure"
		fmt.Fprintf(w, "  browser:  needs a PAC file;\n            or chromium --proxy-server=https://%s\n", first)
	case config.SOCKS5:
		fmt.Fprintf(w, "  browser:  SOCKS v5 host %s, port %s, with DNS through SOCKS\n", host, port)
	default:
		fmt.Fprintf(w, "  browser:  HTTP and HTTPS proxy %s, port %s\n", host, port)
	}
	switch {
	case c.Console.Enabled && one.Protocol != config.SOCKS5:
		fmt.Fprintf(w, "  or PAC:   %s://%s/proxy.pac as automatic configuration URL;\n", scheme, first)
		fmt.Fprintf(w, "            or, which holds before guise runs, too, what this prints:\n")
	case one.Protocol == config.HTTPS:
		fmt.Fprintf(w, "  PAC:      what this prints, as automatic configuration URL:\n")
	default:
		return
	}
	fmt.Fprintf(w, "            guise pac --address %s%s --data-url\n", first, secure)
}

// entered returns at with unspecified addresses replaced by the first of own from which
// programs on this machine may enter.
func entered(c *config.Config, at []netip.AddrPort, own []netip.Addr) []netip.AddrPort {
	at = slices.Clone(at)
	for i, a := range at {
		if ip := ownWithin(c.Access.Networks, a, own); a.Addr().IsUnspecified() && ip.IsValid() {
			at[i] = netip.AddrPortFrom(ip, a.Port())
		}
	}
	return at
}

// fromOutside returns how clients of an admitted network reach a listener at a, if it listens
// on all addresses. Clients from anywhere do not count: another address may lead them here.
func fromOutside(c *config.Config, a netip.AddrPort, own []netip.Addr) (_ netip.AddrPort, ok bool) {
	if !a.Addr().IsUnspecified() {
		return a, false
	}
	networks := slices.DeleteFunc(slices.Clone(c.Access.Networks), everybody)
	own = slices.DeleteFunc(slices.Clone(own), func(ip netip.Addr) bool { return ip.IsLoopback() || ip.IsLinkLocalUnicast() })
	ip := ownWithin(networks, a, own)
	return netip.AddrPortFrom(ip, a.Port()), ip.IsValid()
}

// ownWithin returns the first of own that is in one of networks and at which a listens.
func ownWithin(networks []netip.Prefix, a netip.AddrPort, own []netip.Addr) netip.Addr {
	for _, ip := range own {
		if (ip.Is4() || a.Addr().Is6()) && slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(ip) }) {
			return ip
		}
	}
	return netip.Addr{}
}

// ownAddresses returns those of this machine; its loopback interface is the first.
func ownAddresses() (own []netip.Addr) {
	listed, _ := net.InterfaceAddrs() // without them, what listens is said as it was written
	for _, a := range listed {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			own = append(own, p.Addr())
		}
	}
	return own
}

// reached returns how a client on this machine names listener l, which listens at at.
func reached(l config.Listener, at netip.AddrPort) string {
	return reachedBy(l, config.Address{IP: at.Addr(), Port: at.Port()})
}

// curlOptions points curl at a listener. With the name as an option, not in the proxy's
// URL, curl asks for the password by itself.
func curlOptions(c *config.Config, one config.Listener, at string) string {
	if c.Access.Authentication == config.AuthBasic || c.Access.Authentication == config.AuthToken {
		at += " -U NAME"
	}
	switch {
	case one.Protocol == config.SOCKS5:
		return "--socks5-hostname " + at
	case one.Protocol == config.HTTPS && one.SelfSigned && one.Certificate != "":
		return "--proxy-cacert " + one.Certificate + " -x https://" + at
	case one.Protocol == config.HTTPS:
		return "-x https://" + at
	}
	return "-x http://" + at
}

// admitted says who may enter, "" if only this machine can connect.
func admitted(c *config.Config, at []netip.AddrPort) string {
	if !slices.ContainsFunc(at, func(a netip.AddrPort) bool { return !a.Addr().IsLoopback() }) {
		return ""
	}
	var who []string
	for _, network := range c.Access.Networks {
		who = append(who, network.String())
	}
	if c.Access.Authentication != config.AuthNone {
		who = append(who, "with a "+credentials[c.Access.Authentication])
	}
	return strings.Join(who, ", ") + "; see access in the configuration"
}

var credentials = map[config.Authentication]string{
	config.AuthBasic:       "password",
	config.AuthToken:       "token",
	config.AuthCertificate: "certificate",
}

// seen says whose address sites see under c: at home, to hide one's own takes
// more than guise.
func seen(c *config.Config) string {
	if len(c.Upstream.Chain) > 0 {
		past := ""
		if slices.ContainsFunc(c.Sites, func(s config.Site) bool { return s.Upstream == config.UpstreamDirect }) {
			past = ",\n            and this machine's where sites say direct"
		}
		return "the address of the proxy in upstream.chain" + past
	}
	if len(c.Identity.SourceAddresses) > 0 {
		var from []string
		for _, a := range c.Identity.SourceAddresses {
			from = append(from, a.String())
		}
		return strings.Join(from, ", ")
	}
	return "the address of this machine, or its router's; see upstream.chain"
}

// hidden names what sites do not learn under c, beside what guise always hides.
func hidden(c *config.Config) string {
	what := []string{"your address"}
	if c.Identity.Persona != config.PersonaOff {
		what = append(what, "browser and language")
	}
	switch c.Cookies.Default {
	case config.CookiesFirstParty:
		what = append(what, "third-party cookies")
	case config.CookiesBlock:
		what = append(what, "cookies")
	}
	return strings.Join(what, ", ")
}
