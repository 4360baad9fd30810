package filters

import "strings"

const (
	decimalDigits = "0123456789"
	smallLetters  = "abcdefghijklmnopqrstuvwxyz"
)

// madeOf reports whether s holds no other characters than those of set.
func madeOf(s, set string) bool { return strings.Trim(s, set) == "" }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isSmall(c byte) bool { return 'a' <= c && c <= 'z' }

func isCapital(c byte) bool { return 'A' <= c && c <= 'Z' }

func isLetter(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }

func isAlnum(c byte) bool { return isDigit(c) || isSmall(c) || isCapital(c) }

func isHex(c byte) bool { return isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' }

func unhex(c byte) byte {
	if isDigit(c) {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

func equalFold(a string) func(string) bool {
	return func(b string) bool { return strings.EqualFold(a, b) }
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// cutFold is [strings.Cut] without regard to case. It does not look in a
// lower-cased copy: one of invalid UTF-8 has another length.
func cutFold(s, sep string) (before, after string, found bool) {
	for i := 0; i+len(sep) <= len(s); i++ {
		if strings.EqualFold(s[i:i+len(sep)], sep) {
			return s[:i], s[i+len(sep):], true
		}
	}
	return s, "", false
}

// lowerASCII is [strings.ToLower] for what may be no text at all, such as decoded bytes:
// no other letter is part of an address.
func lowerASCII(s string) string {
	i := 0
	for i < len(s) && !isCapital(s[i]) {
		i++
	}
	if i == len(s) {
		return s
	}
	b := []byte(s)
	for ; i < len(b); i++ {
		if isCapital(b[i]) {
			b[i] |= 0x20
		}
	}
	return string(b)
}
