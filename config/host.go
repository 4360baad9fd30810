package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/net/idna"
)

// A Place is a network, an address or a host pattern, in canonical form.
type Place string

// UnmarshalText accepts 10.0.0.0/8, 10.1.2.3, name.example and *.example.
func (p *Place) UnmarshalText(text []byte) error {
	s := string(text)
	if s == "*" {
		return errors.New("* would match every host; everything is 0.0.0.0/0 with ::/0")
	}
	before, _, slash := strings.Cut(s, "/")
	if slash && before != "" && !isHost(strings.ToLower(strings.TrimPrefix(before, "*."))) && !strings.Contains(s, "://") {
		network, err := parsePrefix(s)
		*p = Place(network.String())
		return err
	}
	host, err := parsePattern(s)
	*p = Place(host)
	return err
}

// Network returns the network that p is, of one address if it is an address; zero
// for a host.
func (p Place) Network() netip.Prefix {
	if ip, err := netip.ParseAddr(string(p)); err == nil {
		return netip.PrefixFrom(ip, ip.BitLen())
	}
	network, _ := netip.ParsePrefix(string(p))
	return network
}

// A Pattern names hosts: one host, or "*.name" for those below it. It is
// lower-case ASCII.
type Pattern string

// UnmarshalText accepts a host name, an IP address and *.name.
func (p *Pattern) UnmarshalText(text []byte) error {
	s := string(text)
	if s == "*" {
		return errors.New("* would match every site; set the key outside of sites instead")
	}
	if _, err := netip.ParsePrefix(s); err == nil {
		return fmt.Errorf("%s is a network; write a host or an address, such as 192.168.1.1, for each of its sites", quote(s))
	}
	host, err := parsePattern(s)
	*p = Pattern(host)
	return err
}

// A Domain is a host name, and neither a pattern nor an address: what a certificate is
// issued for.
type Domain string

// UnmarshalText accepts a host name.
func (d *Domain) UnmarshalText(text []byte) error {
	host, err := parsePattern(string(text))
	if ip, _ := netip.ParseAddr(host); err != nil || ip.IsValid() || strings.HasPrefix(host, "*.") {
		return fmt.Errorf("%s is not a host name; write one as proxy.example", quote(string(text)))
	}
	*d = Domain(host)
	return nil
}

// hostProfile maps what people type (case, full-width forms) and refuses what no DNS name
// can be. Real names have underscores, and hyphens in the third and fourth place and at a
// label's end.
var hostProfile = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.CheckHyphens(false), idna.StrictDomainName(false))

// parsePattern returns a host, an IP address or a pattern in canonical form.
func parsePattern(s string) (string, error) {
	if ip, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil && ip.Zone() != "" {
		return "", fmt.Errorf("%s has a zone; write %s", quote(s), ip.WithZone(""))
	} else if err == nil {
		return ip.Unmap().String(), nil
	}
	if strings.ContainsAny(s, "/?#@") {
		return "", fmt.Errorf("%s is a URL or path; write only a host, such as *.bank.example", quote(s))
	}
	if strings.Contains(s, ":") {
		return "", fmt.Errorf("%s has a port; write only a host, such as *.bank.example", quote(s))
	}
	if below, ok := strings.CutPrefix(s, "."); ok {
		return "", fmt.Errorf("%s begins with a dot; write *.%s for what is below it, and %[2]s for itself", quote(s), below)
	}
	name, wildcard := strings.CutPrefix(s, "*.")
	host, err := hostProfile.ToASCII(strings.TrimSuffix(name, "."))
	if err != nil || !isHost(host) {
		return "", fmt.Errorf("%s is not a host; write one as bank.example or *.bank.example", quote(s))
	}
	if wildcard {
		return "*." + host, nil
	}
	return host, nil
}

// isHost reports whether s is a name in lower-case ASCII that DNS can hold. A
// name that ends in a number is none: browsers read it as an IPv4 address.
func isHost(s string) bool {
	last := s[strings.LastIndexByte(s, '.')+1:]
	if len(s) > 253 || strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x") {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
				return false
			}
		}
	}
	return true
}
