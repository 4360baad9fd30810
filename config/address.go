package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
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
		return fmt.Errorf("%s is not an address; write IP:PORT, such as 127.0.0.1:8118", quote(s))
	}
	n, err := parsePort(port)
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

// UnmarshalText accepts such an address, and "" for none.
func (a *AdminAddress) UnmarshalText(text []byte) error {
	s := string(text)
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
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
	a, err := parsePort(first)
	if err != nil {
		return err
	}
	b, err := parsePort(last)
	if err != nil {
		return err
	}
	if b < a {
		return fmt.Errorf("%s ends before it begins", quote(string(text)))
	}
	*p = PortRange{a, b}
	return nil
}

// parsePort takes digits only: no sign, no blank, no service name.
func parsePort(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 || s[0] == '+' {
		return 0, fmt.Errorf("%s is not a port (1 to 65535)", quote(s))
	}
	return uint16(n), nil
}

func parsePrefix(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err == nil {
		if p != p.Masked() {
			return p, fmt.Errorf("%s has bits beyond its prefix length; write %s", quote(s), p.Masked())
		}
		return p, nil
	}
	if ip, err := netip.ParseAddr(s); err == nil && ip.Zone() == "" {
		return p, fmt.Errorf("%s has no prefix length; write %s/%d", quote(s), s, ip.BitLen())
	}
	if of, mask, _ := strings.Cut(s, "/"); net.ParseIP(mask).To4() != nil {
		if ones, bits := net.IPMask(net.ParseIP(mask).To4()).Size(); bits > 0 {
			return p, fmt.Errorf("%s has a mask; write %s/%d", quote(s), of, ones)
		}
	}
	return p, fmt.Errorf("%s is not a network; write one as 192.168.0.0/16 or fd00::/8", quote(s))
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

// A Place is a network, an address or a host pattern, in canonical form.
type Place string

// UnmarshalText accepts 10.0.0.0/8, 10.1.2.3, name.example and *.example.
func (p *Place) UnmarshalText(text []byte) error {
	s := string(text)
	if ip, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil && ip.Zone() == "" {
		*p = Place(ip.Unmap().String())
		return nil
	}
	if strings.Contains(s, "/") && !strings.Contains(s, "://") {
		network, err := parsePrefix(s)
		*p = Place(network.String())
		return err
	}
	host, err := parsePattern(s)
	*p = Place(host)
	return err
}

// A Pattern names hosts: one host, or "*.name" for those below it. It is
// lower-case ASCII.
type Pattern string

// UnmarshalText accepts a host name, an IP address and *.name.
func (p *Pattern) UnmarshalText(text []byte) error {
	s := string(text)
	if ip, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil && ip.Zone() == "" {
		*p = Pattern(ip.Unmap().String())
		return nil
	}
	if s == "*" {
		return errors.New("* would match every site; set the key outside of sites instead")
	}
	host, err := parsePattern(s)
	*p = Pattern(host)
	return err
}

// hostProfile maps what people type (case, full-width forms) and refuses
// what no DNS name can be; real names have underscores, and hyphens in the third
// and fourth place.
var hostProfile = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.CheckHyphens(false), idna.StrictDomainName(false))

func parsePattern(s string) (string, error) {
	if strings.Contains(s, "://") || strings.ContainsAny(s, "/?#@") {
		return "", fmt.Errorf("%s is a URL or path; write only a host, such as *.bank.example", quote(s))
	}
	if ip, err := netip.ParseAddr(s); err == nil && ip.Zone() != "" {
		return "", fmt.Errorf("%s has a zone; write %s", quote(s), ip.WithZone(""))
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
	if s == "" || len(s) > 253 || strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x") {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
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

// A Hop is one proxy that requests go through: http://HOST:PORT, https://HOST:PORT
// or socks5://HOST:PORT, with user:password@ before the host if it wants one.
type Hop struct{ url.URL }

// UnmarshalText accepts a hop's URL. Its errors hold nothing of the text,
// which may hold a password.
func (h *Hop) UnmarshalText(text []byte) error {
	u, err := url.Parse(string(text))
	if err != nil || u.Scheme == "" || u.Host == "" {
		return errors.New("not a proxy URL; write http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT")
	}
	switch u.Scheme {
	case "http", "https", "socks5", "socks5h":
	default:
		return fmt.Errorf("scheme %s is not one of http, https, socks5", quote(u.Scheme))
	}
	if u.Hostname() == "" {
		return errors.New("names no host; write http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT")
	}
	var host Pattern
	if err := host.UnmarshalText([]byte(u.Hostname())); err != nil || strings.HasPrefix(string(host), "*") {
		return errors.New("what it names is not a host")
	}
	if u.Port() == "" {
		return errors.New("names no port; write http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT")
	}
	if _, err := parsePort(u.Port()); err != nil {
		return errors.New("what it names is not a port (1 to 65535)")
	}
	if (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return errors.New("a proxy URL ends with its port")
	}
	password, _ := u.User.Password()
	if name := u.User.Username(); strings.HasPrefix(u.Scheme, "socks") && u.User != nil && (name == "" || len(name) > 255 || password == "" || len(password) > 255) {
		return errors.New("user and password of a SOCKS proxy have 1 to 255 octets each") // RFC 1929 §2
	}
	u.Path = ""
	*h = Hop{*u}
	return nil
}

// leadsTo reports whether h is, for all that its text shows, the listener at a.
func (h Hop) leadsTo(a Address) bool {
	ip, err := netip.ParseAddr(h.Hostname())
	if h.Hostname() == "localhost" {
		ip, err = netip.AddrFrom4([4]byte{127, 0, 0, 1}), nil
	}
	return err == nil && h.Port() == strconv.Itoa(int(a.Port)) && (ip.Unmap() == a.IP || ip.IsLoopback() && a.covers(ip.Unmap()))
}

// A Domain is a host name, no pattern and no address: what a certificate is
// issued for.
type Domain string

// UnmarshalText accepts a host name.
func (d *Domain) UnmarshalText(text []byte) error {
	if _, err := netip.ParseAddr(strings.Trim(string(text), "[]")); err == nil || strings.HasPrefix(string(text), "*") {
		return fmt.Errorf("%s is not a host name; write one as proxy.example", quote(string(text)))
	}
	host, err := parsePattern(string(text))
	*d = Domain(host)
	return err
}

// An HTTPSURL is an https URL, or an http URL of this machine.
type HTTPSURL string

// UnmarshalText accepts https://HOST/PATH.
func (u *HTTPSURL) UnmarshalText(text []byte) error {
	parsed, err := url.Parse(string(text))
	if err != nil || parsed.Hostname() == "" || parsed.User != nil {
		return fmt.Errorf("%s is not a URL; write one as https://HOST/PATH", quote(string(text)))
	}
	ip, err := netip.ParseAddr(parsed.Hostname())
	if parsed.Scheme != "https" && (parsed.Scheme != "http" || err != nil || !ip.IsLoopback()) {
		return fmt.Errorf("%s is not an https URL", quote(string(text)))
	}
	*u = HTTPSURL(parsed.String())
	return nil
}

// A Language is a language tag such as en-US (RFC 5646 §2.1).
type Language string

// UnmarshalText accepts a language with optional script and region, and spells
// them as browsers do: another case would be a mark of its own.
func (l *Language) UnmarshalText(text []byte) error {
	s := string(text)
	parts := strings.Split(strings.ToLower(s), "-")
	for i, part := range parts {
		letters := strings.Trim(part, "abcdefghijklmnopqrstuvwxyz") == ""
		digits := strings.Trim(part, "0123456789") == ""
		ok := letters && (len(part) == 2 || len(part) == 3)
		if i > 0 {
			ok = letters && (len(part) == 2 || len(part) == 4) || digits && len(part) == 3
		}
		if !ok || i > 2 {
			return fmt.Errorf("%s is not a language tag; write one as en-US or de", quote(s))
		}
		switch {
		case i > 0 && len(part) == 4:
			parts[i] = strings.ToUpper(part[:1]) + part[1:]
		case i > 0:
			parts[i] = strings.ToUpper(part)
		}
	}
	*l = Language(strings.Join(parts, "-"))
	return nil
}

// A FieldName is the name of a header field (RFC 9110 §5.1).
type FieldName string

// UnmarshalText accepts a token.
func (f *FieldName) UnmarshalText(text []byte) error {
	const marks = "!#$%&'*+-.^_`|~"
	for _, c := range text {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte(marks, c) >= 0) {
			return fmt.Errorf("%s is not a field name", quote(string(text)))
		}
	}
	if len(text) == 0 {
		return errors.New("an empty text is not a field name")
	}
	*f = FieldName(text)
	return nil
}
