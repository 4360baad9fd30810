package filters

import (
	"net/netip"
	"strconv"
	"strings"
)

// holdsNumber reports whether text holds number with no further hexadecimal
// digit, or for decimal numbers no further digit, at either end.
func holdsNumber(text, number string) bool {
	for at := 0; ; {
		i := strings.Index(text[at:], number)
		if i < 0 {
			return false
		}
		start, end := at+i, at+i+len(number)
		part := isHex
		if madeOf(number, decimalDigits) {
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
	first := readNumber(text[:partEnd(text)])
	if isPadded(first.digits, b) {
		return true
	}
	// Nearly every text ends here: the other parts are not looked at for each beginning.
	forward, backward := first.is(uint64(b[0])), first.is(uint64(b[3]))
	if !forward && !backward && (len(first.digits) <= 6 || !first.is(bigEndian(b[:]...))) {
		return false
	}
	var room [4]string
	parts := room[:cutParts(text, &room)]
	switch {
	case len(parts) == 1:
		return len(parts[0]) > 6 && first.is(bigEndian(b[:]...))
	case len(parts) == 4 && (forward && partsAre(parts[1:], b[1], b[2], b[3]) || backward && partsAre(parts[1:], b[2], b[1], b[0])):
		return true
	case !forward:
		return false
	}
	// Short forms that read like versions (127.1 and 10.0.1) do not count.
	if len(parts) >= 3 && b[2] > 0 && partIs(parts[2], bigEndian(b[2], b[3])) {
		return partIs(parts[1], uint64(b[1]))
	}
	return bigEndian(b[1], b[2]) > 0 && partIs(parts[1], bigEndian(b[1], b[2], b[3]))
}

// cutParts fills parts with the numbers that text begins with, and returns how many
// there are: runs of hexadecimal digits, perhaps after 0x, with up to maxMarks
// marks between them.
func cutParts(text string, parts *[4]string) (n int) {
	for n < len(parts) {
		end := partEnd(text)
		if end == 0 {
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

// partEnd returns the length of the number that text begins with, 0 if it is none or
// longer than any.
func partEnd(text string) int {
	end := 0
	for end < len(text) && end <= maxPart && (isHex(text[end]) || end == 1 && text[0] == '0' && text[end]|0x20 == 'x') {
		end++
	}
	if end > maxPart {
		return 0
	}
	return end
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
		if n, err := strconv.ParseUint(digits[3*i:3*i+3], 10, 64); err != nil || n != uint64(b[i]) {
			return false
		}
	}
	return true
}

func bigEndian(bytes ...byte) (n uint64) {
	for _, b := range bytes {
		n = n<<8 | uint64(b)
	}
	return n
}

// partIs reports whether part is want as a decimal, octal, hexadecimal or binary
// number.
func partIs(part string, want uint64) bool { return readNumber(part).is(want) }

// A number is up to maxPart digits, and what they stand for in each base in which they
// may be meant.
type number struct {
	digits string
	values [4]uint64 // noValue where they are none of that base
}

const noValue = 1 << 63

func readNumber(digits string) number {
	n := number{digits, [...]uint64{noValue, noValue, noValue, noValue}}
	rest, marked := strings.CutPrefix(digits, "0x")
	var dec, oct, hex, bin uint64
	most := byte(0)
	for i := range len(rest) {
		d := unhex(rest[i])
		most = max(most, d)
		dec, oct, hex, bin = dec*10+uint64(d), oct<<3+uint64(d), hex<<4+uint64(d), bin<<1+uint64(d)
	}
	if rest == "" || most > 15 {
		return n
	}
	if marked || len(digits)%2 == 0 {
		n.values[0] = hex
	}
	if marked {
		return n
	}
	if most < 10 {
		n.values[1] = dec
	}
	if most < 8 && len(digits) > 1 && digits[0] == '0' {
		n.values[2] = oct
	}
	if most < 2 {
		n.values[3] = bin
	}
	return n
}

func (n number) is(want uint64) bool {
	return n.values[0] == want || n.values[1] == want || n.values[2] == want || n.values[3] == want
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
			if isGrouped(tail) {
				if a, err := netip.ParseAddr(tail); err == nil && found(a) {
					return true
				}
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

// isGrouped reports whether text has as many colons as an IPv6 address. It is quicker
// than [netip.ParseAddr], which says why text is none.
func isGrouped(text string) bool {
	colons, last := strings.Count(text, ":"), 7
	if strings.IndexByte(text, '.') >= 0 {
		last = 6
	}
	return colons == last || colons <= last+1 && strings.Contains(text, "::")
}
