package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"guise/config"
	"guise/proxy"
)

func newPACCommand(p *program) *cobra.Command {
	var address string
	var secure, dataURL bool
	cmd := &cobra.Command{
		Use:   "pac",
		Short: "Print the PAC file for browsers",
		Long: `Pac prints the proxy auto-configuration file that the listener serves at
/proxy.pac: local names and private networks go direct, everything else to
guise, and nothing falls back to a direct connection.

A browser that cannot fetch a PAC file goes direct all the same, as when it
starts before guise does. With --data-url the file is printed as a URL that
holds it, for the browser's automatic proxy configuration URL: then there is no
way around guise while guise is down. Chromium takes no file: URL, and goes
direct with one.

Without --address it names the first listener that browsers take HTTP to, by the
name in its certificate, if it has one of an authority.`,
		Example: `  guise pac --data-url
  guise pac --address 192.168.1.2:8118`,
		Args: func(cmd *cobra.Command, args []string) error {
			if address != "" {
				exact, err := exactHostPort(address)
				if err != nil {
					return err
				}
				address = exact
			}
			if secure && address == "" {
				return errors.New("--secure goes with --address; a listener says by itself whether it is https")
			}
			return noArguments(cmd, args)
		},
		RunE: work(func(*cobra.Command, []string) error { return p.pac(address, secure, dataURL) }),
	}
	cmd.Flags().StringVar(&address, "address", "", "`HOST:PORT` by which browsers reach guise")
	cmd.Flags().BoolVar(&secure, "secure", false, "with --address: browsers reach guise over TLS there")
	cmd.Flags().BoolVar(&dataURL, "data-url", false, "print it as a URL that holds the file")
	return cmd
}

// pac prints the PAC file for guise at address, or at its first listener for HTTP if
// that is "".
func (p *program) pac(address string, secure, dataURL bool) error {
	c, err := p.load()
	if err != nil {
		return err
	}
	if address == "" {
		i := slices.IndexFunc(c.Listeners, func(l config.Listener) bool { return l.Protocol != config.SOCKS5 })
		if i < 0 {
			return errors.New("there is no listener for HTTP; name one with --address")
		}
		l := c.Listeners[i]
		address, secure = reachedBy(l, l.Address), l.Protocol == config.HTTPS
		p.noteOthers(c, l)
	}
	text := proxy.PAC(address, secure)
	if dataURL {
		text = proxy.PACDataURL(address, secure) + "\n"
	}
	_, err = fmt.Fprint(p.stdout, text)
	return err
}

// noteOthers says how to make the PAC file for other machines, if they may enter by
// listener l and the file names a loopback address.
func (p *program) noteOthers(c *config.Config, l config.Listener) {
	at := netip.AddrPortFrom(l.Address.IP, l.Address.Port)
	if !l.Address.IP.IsValid() {
		at = netip.AddrPortFrom(netip.IPv6Unspecified(), l.Address.Port)
	}
	if !at.Addr().IsUnspecified() || certifiedName(l) != "" || !slices.ContainsFunc(c.Access.Networks, beyondLoopback) {
		return
	}
	needs := "HOST:PORT"
	if others, known := fromOutside(c, at, ownAddresses()); known {
		needs = others.String()
	}
	if l.Protocol == config.HTTPS {
		needs += " --secure"
	}
	fmt.Fprintf(p.stderr, "guise: this is for browsers on this machine; others need --address %s\n", needs)
}

// exactHostPort returns s with its host in the canonical form that a PAC file takes.
func exactHostPort(s string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil || !isHostPort(s) {
		return "", fmt.Errorf("--address %q is not HOST:PORT", s)
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.Zone() == "" {
		return s, nil
	}
	var name config.Domain
	if err := name.UnmarshalText([]byte(host)); err != nil {
		return "", fmt.Errorf("--address: %w", err)
	}
	return net.JoinHostPort(string(name), port), nil
}

func isHostPort(s string) bool {
	host, port, err := net.SplitHostPort(s)
	_, bad := config.ParsePort(port)
	return err == nil && bad == nil && host != ""
}

// reachedBy returns how clients name listener l at the address at: over TLS by the name
// in its certificate, else as reachable says.
func reachedBy(l config.Listener, at config.Address) string {
	if name := certifiedName(l); name != "" {
		return net.JoinHostPort(name, fmt.Sprint(at.Port))
	}
	return reachable(at)
}

// certifiedName returns the first name in l's certificate; "" if it has none, cannot be
// read, or is self-signed and so for this machine's addresses.
func certifiedName(l config.Listener) string {
	if len(l.ACME.Domains) > 0 {
		return string(l.ACME.Domains[0])
	}
	if l.Certificate == "" || l.SelfSigned {
		return ""
	}
	pair, err := tls.LoadX509KeyPair(l.Certificate, l.Key)
	if err != nil {
		return ""
	}
	i := slices.IndexFunc(pair.Leaf.DNSNames, func(name string) bool { return !strings.HasPrefix(name, "*") })
	if i < 0 {
		return ""
	}
	return pair.Leaf.DNSNames[i]
}

// reachable returns how a browser on this machine reaches a listener at a:
// one that listens everywhere is reached by loopback.
func reachable(a config.Address) string {
	host := a.IP.String()
	switch {
	case !a.IP.IsValid() || a.IP.IsUnspecified() && a.IP.Is4():
		host = "127.0.0.1"
	case a.IP.IsUnspecified():
		host = "::1"
	}
	return net.JoinHostPort(host, fmt.Sprint(a.Port))
}
