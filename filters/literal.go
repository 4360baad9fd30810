package filters

import (
	"net/netip"
	"strings"
)

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isHex(c byte) bool { return isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' }

func isAlnum(c byte) bool { return isDigit(c) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

// holdsNumber reports whether text holds number with no further hexadecimal
// digit, or for decimal numbers no further digit, at either end.
func holdsNumber(text, number string) bool {
	decimal := strings.Trim(number, "0123456789") == ""
	for at := 0; ; {
		i := strings.Index(text[at:], number)
		if i < 0 {
			return false
		}
		start, end := at+i, at+i+len(number)
		part := isHex
		if decimal {
			part = isDigit
		}
		if (start == 0 || !part(text[start-1])) && (end == len(text) || !part(text[end])) {
			return true
		}
		at = start + 1
	}
}

// holdsQuad reports whether text holds the IPv4 address b: two to four parts
// in any base that inet_aton takes, in either order when there are four, with
// a few characters between them that are not letters or digits.
func holdsQuad(text string, b [4]byte) bool {
	for i := range len(text) {
		if !isHex(text[i]) || i > 0 && isDigit(text[i-1]) && isDigit(text[i]) {
			continue
		}
		if quadAt(text[i:], b) {
			return true
		}
	}
	return false
}

// maxMarks is how many characters may stand between two parts, as in "1 . 2".
const maxMarks = 3

// maxPart is the length of the longest part: 32 bits in octal, with its zero.
const maxPart = 12

// quadAt reports whether text begins with b.
func quadAt(text string, b [4]byte) bool {
	var room [4]string
	parts := room[:cutParts(text, &room)]
	switch {
	case len(parts) == 0:
		return false
	case isPadded(parts[0], b):
		return true
	case len(parts) == 1:
		return len(parts[0]) > 6 && partIs(parts[0], be(b[:]...))
	case len(parts) == 4 && (partsAre(parts, b[0], b[1], b[2], b[3]) || partsAre(parts, b[3], b[2], b[1], b[0])):
		return true
	}
	// Short forms that read like versions (127.1 and 10.0.1) do not count.
	if len(parts) >= 3 && b[2] > 0 && partIs(parts[2], be(b[2], b[3])) {
		return partsAre(parts[:2], b[0], b[1])
	}
	return be(b[1], b[2]) > 0 && partsAre(parts[:1], b[0]) && partIs(parts[1], be(b[1], b[2], b[3]))
}

// cutParts fills parts with the numbers that text begins with, and returns how many
// there are: runs of hexadecimal digits, perhaps after 0x, with up to maxMarks
// marks between them.
func cutParts(text string, parts *[4]string) (n int) {
	for n < len(parts) {
		end := 0
		for end < len(text) && end <= maxPart && (isHex(text[end]) || end == 1 && text[0] == '0' && text[end]|0x20 == 'x') {
			end++
		}
		if end == 0 || end > maxPart {
			break
		}
		parts[n] = text[:end]
		n++
		if end == len(text) || isAlnum(text[end]) {
			break
		}
		text = text[end+1:]
		for range maxMarks - 1 {
			if len(text) > 0 && !isAlnum(text[0]) {
				text = text[1:]
			}
		}
	}
	return n
}

// partsAre reports whether each part is the byte wanted in its place.
func partsAre(parts []string, want ...byte) bool {
	for i, part := range parts {
		if !partIs(part, uint64(want[i])) {
			return false
		}
	}
	return true
}

// isPadded reports whether digits are the four parts, each of three digits.
func isPadded(digits string, b [4]byte) bool {
	if len(digits) != 12 {
		return false
	}
	for i := range b {
		if !numberIs(digits[3*i:3*i+3], 10, uint64(b[i])) {
			return false
		}
	}
	return true
}

func be(bytes ...byte) (n uint64) {
	for _, b := range bytes {
		n = n<<8 | uint64(b)
	}
	return n
}

// partIs reports whether part is want as a decimal, octal, hexadecimal or binary
// number.
func partIs(part string, want uint64) bool {
	if rest, ok := strings.CutPrefix(part, "0x"); ok {
		return numberIs(rest, 16, want)
	}
	return numberIs(part, 10, want) || len(part) > 1 && part[0] == '0' && numberIs(part, 8, want) ||
		len(part)%2 == 0 && numberIs(part, 16, want) || numberIs(part, 2, want)
}

func numberIs(digits string, base, want uint64) bool {
	if digits == "" {
		return false
	}
	var n uint64
	for i := range len(digits) {
		c := digits[i]
		d := uint64(c - '0')
		if !isDigit(c) {
			d = uint64(c|0x20-'a') + 10
		}
		if d >= base || n > 1<<40 {
			return false
		}
		n = n*base + d
	}
	return n == want
}

// addresses6 calls found with each IPv6 address in text until that returns
// true, and reports whether it did. Colons may be written as - or _, as in
// names below ipv6-literal.net.
func addresses6(text string, found func(netip.Addr) bool) bool {
	if strings.Count(text, ":") >= 2 && colonRuns(text, found) {
		return true
	}
	if n := strings.Count(text, "-") + strings.Count(text, "_"); n >= 2 {
		return colonRuns(literalMarks.Replace(text), found)
	}
	return false
}

var literalMarks = strings.NewReplacer("-", ":", "_", ":")

func colonRuns(text string, found func(netip.Addr) bool) bool {
	for start := 0; start < len(text); {
		end, colons := start, 0
		for end < len(text) && (isHex(text[end]) || text[end] == ':' || text[end] == '.') {
			if text[end] == ':' {
				colons++
			}
			end++
		}
		if colons >= 2 && tryRun(text[start:end], found) {
			return true
		}
		start = end + 1
	}
	return false
}

// tryRun parses run, and what is left of it without a label before the
// address or a port after it.
func tryRun(run string, found func(netip.Addr) bool) bool {
	run = strings.Trim(run, ".")
	for range 4 {
		for tail := run; ; {
			if a, err := netip.ParseAddr(tail); err == nil && found(a) {
				return true
			}
			i := strings.LastIndexByte(tail, ':')
			if i < 1 || len(run)-i > 6 {
				break
			}
			tail = tail[:i]
			if strings.HasSuffix(tail, ":") && !strings.HasSuffix(tail, "::") {
				tail = tail[:len(tail)-1]
			}
		}
		i := strings.IndexByte(run, ':')
		if i < 0 || strings.Count(run, ":") < 3 {
			return false
		}
		run = run[i+1:]
	}
	return false
}
