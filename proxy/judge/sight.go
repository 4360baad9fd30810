package judge

import (
	"net/netip"
	"slices"
	"strings"
)

// A sight is what reached one side, made ready to be searched: as it is and
// with its percent-encoding undone, in lower case.
type sight []string

func look(raw []byte) sight {
	plain := strings.ToLower(string(raw))
	s := sight{plain}
	if decoded := unescape(plain); decoded != plain {
		s = append(s, decoded)
	}
	return s
}

// shows reports whether the canary is in sight. Where a canary begins or
// ends with a digit it has to stand alone, so that 192.0.2.1 is not found
// in 192.0.2.17.
func (s sight) shows(canary string) bool {
	canary = strings.ToLower(canary)
	for _, text := range s {
		for from := 0; ; {
			at := strings.Index(text[from:], canary)
			if at < 0 {
				break
			}
			at += from
			if alone(text, at, at+len(canary)) {
				return true
			}
			from = at + 1
		}
	}
	return false
}

func alone(text string, start, end int) bool {
	before := start > 0 && isDigit(text[start]) && isDigit(text[start-1])
	after := end < len(text) && isDigit(text[end-1]) && isDigit(text[end])
	return !before && !after
}

// showsAddress reports whether the address is in sight in any spelling.
func (s sight) showsAddress(a netip.Addr) bool {
	return a.IsValid() && slices.ContainsFunc(spellings(a), s.shows)
}

// unescape undoes percent-encoding wherever it is well formed.
func unescape(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			b.WriteByte(unhex(s[i+1])<<4 | unhex(s[i+2]))
			i += 2
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isHex(c byte) bool { return isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' }

func unhex(c byte) byte {
	if isDigit(c) {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}
