package egress

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// A Target is a destination in canonical form, made by [Canonical].
type Target struct {
	Host string     // lower-case ASCII name without trailing dot, dotted IPv4, or IPv6 without brackets
	Addr netip.Addr // the address if Host is one, else the zero Addr
	Port uint16
}

// String returns "host:port", with brackets around an IPv6 address.
func (t Target) String() string {
	return net.JoinHostPort(t.Host, strconv.Itoa(int(t.Port)))
}

// HostHeader returns the value of Host for a scheme whose port is
// defaultPort: that port is left out (RFC 9110 §4.2.3).
func (t Target) HostHeader(defaultPort uint16) string {
	return string(t.AppendHostHeader(nil, defaultPort))
}

// AppendHostHeader appends to b what HostHeader returns.
func (t Target) AppendHostHeader(b []byte, defaultPort uint16) []byte {
	if t.Addr.Is6() {
		b = append(append(append(b, '['), t.Host...), ']')
	} else {
		b = append(b, t.Host...)
	}
	if t.Port != defaultPort {
		b = strconv.AppendUint(append(b, ':'), uint64(t.Port), 10)
	}
	return b
}

// maxHostPort bounds what Canonical looks at: a name of 253 octets, each of
// them percent-free UTF-8 that may shrink when it is mapped, and a port.
const maxHostPort = 2048

// Canonical returns the one form of hostport, an authority without userinfo,
// that is checked, used as a key and dialled. A missing or empty port is
// defaultPort (RFC 9110 §4.2.3); with defaultPort 0 it is an error.
//
// Hosts are read as browsers read them (WHATWG URL §3.5): names are mapped to
// ASCII by UTS #46; what ends in a number is an IPv4 address in any of the
// forms that inet_aton takes, or an error. IPv4-mapped IPv6 addresses become
// IPv4. Stricter than browsers are: percent-encoding is refused, as are zone
// identifiers, labels of over 63 or names of over 253 octets (RFC 1035
// §2.3.4), and names with anything but letters, digits, "-" and "_".
//
// Errors wrap [ErrBadHost].
func Canonical(hostport string, defaultPort uint16) (Target, error) {
	if len(hostport) > maxHostPort {
		return Target{}, badHost("too long")
	}
	host, portText, err := split(hostport)
	if err != nil {
		return Target{}, err
	}
	port := defaultPort
	if portText != "" {
		if port, err = parsePort(portText); err != nil {
			return Target{}, err
		}
	}
	if port == 0 {
		return Target{}, badHost("no port")
	}
	if strings.HasPrefix(host, "[") {
		written := host[1 : len(host)-1]
		addr, err := parseIPv6(written)
		return asWritten(written, addr, port), err
	}
	name, err := asciiName(host)
	if err != nil {
		return Target{}, err
	}
	if endsInNumber(name) {
		addr, err := parseIPv4(name)
		return asWritten(name, addr, port), err
	}
	if err := checkName(name); err != nil {
		return Target{}, err
	}
	return Target{Host: name, Port: port}, nil
}

// asWritten is the target of an address that was written as text; of the zero
// Addr it is the zero Target. Mostly text is the canonical form already, and
// serves as the host.
func asWritten(text string, addr netip.Addr, port uint16) Target {
	if !addr.IsValid() {
		return Target{}
	}
	var room [len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255")]byte
	if host := addr.AppendTo(room[:0]); string(host) != text {
		text = string(host)
	}
	return Target{text, addr, port}
}

func badHost(why string) error { return fmt.Errorf("%w: %s", ErrBadHost, why) }

// split parts hostport at the colon before the port. Brackets stay on.
func split(hostport string) (host, port string, err error) {
	rest := hostport
	if strings.HasPrefix(hostport, "[") {
		end := strings.IndexByte(hostport, ']')
		if end < 0 {
			return "", "", badHost("bracket is not closed")
		}
		host, rest = hostport[:end+1], hostport[end+1:]
		if rest != "" && rest[0] != ':' {
			return "", "", badHost("text after the bracket")
		}
	}
	before, port, _ := strings.Cut(rest, ":")
	if host == "" {
		host = before
	}
	if host == "" {
		return "", "", badHost("no host")
	}
	return host, port, nil
}

// parsePort returns port, digits only (RFC 3986 §3.2.3), from 1 to 65535.
func parsePort(port string) (uint16, error) {
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return 0, badHost("port is no number from 1 to 65535")
	}
	return uint16(n), nil
}

// parseIPv6 takes what stands between brackets. A zone names an interface of
// whoever reads it, and is no part of a URL (WHATWG URL §3.5).
func parseIPv6(text string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(text)
	if err != nil || !addr.Is6() || addr.Zone() != "" {
		return netip.Addr{}, badHost("no IPv6 address in brackets")
	}
	return addr.Unmap(), nil
}

// names maps and validates as browsers do (WHATWG URL §3.3, "domain to
// ASCII", beStrict false): hyphens may stand anywhere, because real names
// have them in the third and fourth place.
var names = idna.New(
	idna.MapForLookup(),
	idna.BidiRule(),
	idna.CheckHyphens(false),
	idna.StrictDomainName(false),
	idna.Transitional(false),
)

// asciiName returns host in lower-case ASCII, without the root's dot.
func asciiName(host string) (string, error) {
	if needsMapping(host) {
		mapped, err := mapName(host)
		if err != nil {
			return "", err
		}
		host = mapped
	} else {
		host = strings.ToLower(host)
	}
	host = strings.TrimSuffix(host, ".")
	if host == "" {
		return "", badHost("no host")
	}
	return host, nil
}

// needsMapping reports whether host has anything that UTS #46 may change or
// refuse, besides the case of ASCII letters.
func needsMapping(host string) bool {
	for i := range len(host) {
		if host[i] >= utf8.RuneSelf {
			return true
		}
		if host[i] == '-' && i >= 3 && host[i-1] == '-' && host[i-2]|0x20 == 'n' && host[i-3]|0x20 == 'x' {
			return true
		}
	}
	return false
}

func mapName(host string) (string, error) {
	if !utf8.ValidString(host) {
		return "", badHost("not UTF-8")
	}
	lower := strings.ToLower(host)
	if known := withoutNewer(lower); known != lower {
		_, err := mapName(known)
		return lower, err
	}
	mapped, err := names.ToASCII(host)
	if err != nil {
		return "", badHost("not a valid internationalized name")
	}
	// A canonical form is its own canonical form; UTS #46 has corners where
	// a second pass sees another name than the first.
	again, err := names.ToASCII(mapped)
	if err != nil || again != mapped {
		return "", badHost("not a valid internationalized name")
	}
	return mapped, nil
}

// withoutNewer returns host, which is in lower case, with a plain label in place of each
// A-label ("xn--…") of characters that are newer than the Unicode tables here. Browsers know
// them, and an A-label can be looked up without knowing them (RFC 5891 §5.3).
func withoutNewer(host string) string {
	labels := strings.Split(host, ".")
	for i, label := range labels {
		if isNewer(label) {
			labels[i] = "newer"
		}
	}
	return strings.Join(labels, ".")
}

func isNewer(label string) bool {
	if !strings.HasPrefix(label, "xn--") {
		return false
	}
	text, err := idna.Punycode.ToUnicode(label)
	if err != nil || !strings.ContainsFunc(text, isUnassigned) {
		return false
	}
	again, err := idna.Punycode.ToASCII(text)
	return err == nil && again == label
}

func isUnassigned(r rune) bool {
	return unicode.Is(unicode.Cn, r) && !unicode.Is(unicode.Noncharacter_Code_Point, r)
}

// checkName refuses what cannot be looked up: octets other than letters,
// digits, hyphens (RFC 1123 §2.1) and the underscores that real hosts have,
// and labels or names of a length that DNS has no room for (RFC 1035 §2.3.4).
func checkName(name string) error {
	if len(name) > 253 {
		return badHost("name too long")
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 {
			return badHost("label empty or too long")
		}
		for i := range len(label) {
			c := label[i]
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return badHost("character that no name has")
			}
		}
	}
	return nil
}
