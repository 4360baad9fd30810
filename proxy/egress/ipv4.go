package egress

import (
	"net/netip"
	"strings"
)

// endsInNumber reports whether the last label of name is a number, so that
// name is an IPv4 address or nothing (WHATWG URL §3.5, "ends in a number
// checker"): resolvers that know inet_aton would read an address there.
func endsInNumber(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	if last == "" {
		return false
	}
	if strings.Trim(last, "0123456789") == "" {
		return true
	}
	_, ok := parseIPv4Number(last)
	return ok
}

// parseIPv4 reads one to four numbers, each decimal, octal (0…) or
// hexadecimal (0x…); the last one fills the octets that are left (WHATWG URL
// §3.5, "IPv4 parser").
func parseIPv4(name string) (netip.Addr, error) {
	if addr, err := netip.ParseAddr(name); err == nil && addr.Is4() {
		return addr, nil // in the usual form, for less
	}
	parts := strings.Split(name, ".")
	if len(parts) > 4 {
		return netip.Addr{}, badHost("IPv4 address with too many parts")
	}
	var address uint64
	for i, part := range parts {
		n, ok := parseIPv4Number(part)
		last := i == len(parts)-1
		switch {
		case !ok:
			return netip.Addr{}, badHost("IPv4 address with a part that is no number")
		case last && n >= 1<<(8*(5-len(parts))), !last && n > 255:
			return netip.Addr{}, badHost("IPv4 address with a part out of range")
		case last:
			address |= n
		default:
			address |= n << (8 * (3 - i))
		}
	}
	return netip.AddrFrom4([4]byte{byte(address >> 24), byte(address >> 16), byte(address >> 8), byte(address)}), nil
}

// parseIPv4Number reads part; ok is false if it is no number. Numbers beyond
// 32 bits come back as 1<<32, which no place in an address takes. A bare "0x"
// is zero.
func parseIPv4Number(part string) (n uint64, ok bool) {
	base := uint64(10)
	switch {
	case part == "":
		return 0, false
	case len(part) >= 2 && part[0] == '0' && part[1]|0x20 == 'x':
		part, base = part[2:], 16
	case len(part) >= 2 && part[0] == '0':
		part, base = part[1:], 8
	}
	for i := range len(part) {
		digit := digitValue(part[i])
		if digit >= base {
			return 0, false
		}
		n = min(n*base+digit, 1<<32)
	}
	return n, true
}

func digitValue(c byte) uint64 {
	switch {
	case c >= '0' && c <= '9':
		return uint64(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return uint64(c|0x20-'a') + 10
	}
	return 16
}
