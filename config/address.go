package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// An Address is where a listener listens: an IP address and a port. No
// address before the colon means all of them; port 0 lets the system choose.
type Address struct {
	IP   netip.Addr // zero means every address of both families
	Port uint16
}

// UnmarshalText accepts IP:PORT, [IPV6]:PORT and :PORT.
func (a *Address) UnmarshalText(text []byte) error {
	s := string(text)
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return fmt.Errorf("%s is not an address; write %s", quote(s), meantAddress(s))
	}
	n, err := ParsePort(port)
	if err != nil && port != "0" {
		return fmt.Errorf("%s: %w", quote(s), err)
	}
	if host == "" {
		*a = Address{Port: n}
		return nil
	}
	if strings.EqualFold(host, "localhost") {
		return fmt.Errorf("%s is a name; write 127.0.0.1:%d or [::1]:%d", quote(s), n, n)
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return fmt.Errorf("%s is not an IP address; write one of this machine's, such as 127.0.0.1:%d", quote(host), n)
	}
	*a = Address{IP: ip.Unmap(), Port: n}
	return nil
}

// meantAddress says what to write in place of s, which lacks a port, an IP address or the
// brackets of IPv6.
func meantAddress(s string) string {
	host, port := s[:max(0, strings.LastIndexByte(s, ':'))], s[strings.LastIndexByte(s, ':')+1:]
	n, err := ParsePort(port)
	if err != nil {
		n = 8118
	} else if ip, err := netip.ParseAddr(host); err == nil {
		return netip.AddrPortFrom(ip, n).String()
	}
	if ip, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return netip.AddrPortFrom(ip, 8118).String()
	}
	return fmt.Sprintf("IP:PORT, such as 127.0.0.1:%d", n)
}

// String returns a in the form that net.Listen takes.
func (a Address) String() string {
	if !a.IP.IsValid() {
		return ":" + strconv.Itoa(int(a.Port))
	}
	return netip.AddrPortFrom(a.IP, a.Port).String()
}

// Overlaps reports whether a and b cannot both be listened on. The
// unspecified IPv6 address takes IPv4 in as well, as net.Listen has it.
func (a Address) Overlaps(b Address) bool {
	if a.Port != b.Port || a.Port == 0 {
		return false
	}
	return a.covers(b.IP) || b.covers(a.IP)
}

func (a Address) covers(ip netip.Addr) bool {
	switch {
	case !a.IP.IsValid() || a.IP == netip.IPv6Unspecified():
		return true
	case a.IP == netip.IPv4Unspecified():
		return ip.Is4()
	}
	return a.IP == ip
}

// An AdminAddress is where the operator's tools connect: IP:PORT on a loopback
// or private address, or unix:PATH.
type AdminAddress string

// Endpoint returns a as net.Listen takes it: "tcp" and IP:PORT, "unix" and a path,
// or two empty texts for none.
func (a AdminAddress) Endpoint() (network, address string) {
	if path, ok := strings.CutPrefix(string(a), "unix:"); ok {
		return "unix", path
	}
	if a == "" {
		return "", ""
	}
	return "tcp", string(a)
}

// UnmarshalText accepts IP:PORT, loopback or private, unix:PATH, and "" for none.
func (a *AdminAddress) UnmarshalText(text []byte) error {
	s := string(text)
	if network, path := AdminAddress(s).Endpoint(); network == "unix" {
		if path == "" {
			return errors.New("names no path; write unix:/run/guise/admin.sock")
		}
		*a = AdminAddress(s)
		return nil
	}
	if s == "" {
		*a = ""
		return nil
	}
	var at Address
	if err := at.UnmarshalText(text); err != nil {
		return err
	}
	if !at.IP.IsValid() || reachesStrangers(netip.PrefixFrom(at.IP, at.IP.BitLen())) {
		return fmt.Errorf("%s can be reached by strangers; write a loopback or private address, or unix:PATH", quote(s))
	}
	*a = AdminAddress(at.String())
	return nil
}

// A PortRange is a port or several: 443, "1024-65535".
type PortRange struct{ First, Last uint16 }

// UnmarshalText accepts PORT and FIRST-LAST.
func (p *PortRange) UnmarshalText(text []byte) error {
	first, last, isRange := strings.Cut(string(text), "-")
	if !isRange {
		last = first
	}
	a, err := ParsePort(first)
	if err != nil {
		return err
	}
	b, err := ParsePort(last)
	if err != nil {
		return err
	}
	if b < a {
		return fmt.Errorf("%s ends before it begins", quote(string(text)))
	}
	*p = PortRange{a, b}
	return nil
}

// ParsePort reads a port from 1 on. It accepts digits only: no sign, no blank, no service name.
func ParsePort(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%s is not a port (1 to 65535)", quote(s))
	}
	return uint16(n), nil
}

// Holds reports whether all of part is in whole. An invalid prefix neither holds nor is held.
func Holds(whole, part netip.Prefix) bool {
	return whole.Bits() <= part.Bits() && whole.Contains(part.Addr())
}

// parsePrefix makes a network of IPv4-mapped addresses the IPv4 network.
func parsePrefix(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err == nil {
		if p != p.Masked() {
			return p, fmt.Errorf("%s has bits beyond its prefix length; write %s", quote(s), p.Masked())
		}
		if p.Addr().Is4In6() {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		return p, nil
	}
	if ip, err := netip.ParseAddr(s); err == nil && ip.Zone() == "" {
		return p, fmt.Errorf("%s has no prefix length; write %s/%d", quote(s), s, meantBits(ip))
	}
	if of, mask, _ := strings.Cut(s, "/"); net.ParseIP(mask).To4() != nil {
		if ones, bits := net.IPMask(net.ParseIP(mask).To4()).Size(); bits > 0 {
			return p, fmt.Errorf("%s has a mask; write %s/%d", quote(s), of, ones)
		}
	}
	return p, fmt.Errorf("%s is not a network; write one as 192.168.0.0/16 or fd00::/8", quote(s))
}

// meantBits guesses the prefix length for an ip written without one: that of its network
// if it ends in zeros, as hardly any client's address does, and 0 if all of it is zero.
func meantBits(ip netip.Addr) int {
	bits := ip.BitLen()
	if ip.IsUnspecified() {
		return 0
	}
	if ip.Is4() {
		for b := ip.As4(); b[bits/8-1] == 0; {
			bits -= 8
		}
	}
	return bits
}

func parseAddr(s string) (netip.Addr, error) {
	ip, err := netip.ParseAddr(s)
	switch {
	case err != nil:
		return ip, fmt.Errorf("%s is not an IP address", quote(s))
	case ip.IsUnspecified() || ip.IsMulticast():
		return ip, fmt.Errorf("%s is no address to send from", quote(s))
	}
	return ip.Unmap(), nil
}
