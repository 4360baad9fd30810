package filters

import (
	"net/netip"
	"strconv"
	"strings"
)

// tellingValue returns why a value of a field that no rule names speaks of a
// person, device or place, or "" if it does not: it holds an IP or hardware
// address, a mail address, coordinates or a time zone, names a system or browser,
// or is a language or the number of a phone or card.
func tellingValue(name, value string) string { return tellingWithin(name, value, maxUnwrap) }

// tellingWithin looks at value, and at what it stands for in up to depth codings.
func tellingWithin(name, value string, depth int) string {
	why := tellingText(name, value)
	if why != "" || depth == 0 {
		return why
	}
	unwrap(value, func(inner []byte) bool {
		if printable(inner) {
			why = tellingWithin(name, string(inner), depth-1)
		}
		return why != ""
	})
	return why
}

func tellingText(name, text string) string {
	switch {
	case strings.IndexByte(text, '.') >= 0 && holdsIPv4(text) && !named(name, versionWords),
		strings.IndexByte(text, ':') >= 0 && addresses6(text, isHost6):
		return "its value holds an IP address"
	case holdsMAC(text):
		return "its value holds a hardware address"
	case strings.IndexByte(text, '@') > 0 && holdsMail(text):
		return "its value holds a mail address"
	case holdsCoordinates(text):
		return "its value holds coordinates"
	case isPushToken(text):
		return "its value is where an installation is notified"
	case isSubscriberNumber(name, text) && (tells(name) == neutral || strings.HasPrefix(text, "+")):
		return "its value is the number of a subscriber or device"
	case isLocale(text), holdsTimeZone(text):
		return "its value is a language or time zone"
	case holdsSystem(text):
		return "its value names a browser, a system or a device"
	}
	return ""
}

func printable(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return len(b) > 0
}

// holdsIPv4 reports whether text holds a dotted quad that is not the version
// of a product, as in Chrome/120.0.0.0 or v1.2.3.4.
func holdsIPv4(text string) bool {
	for i := 0; i < len(text); i++ {
		if !isDigit(text[i]) || i > 0 && (isDigit(text[i-1]) || text[i-1] == '.') {
			continue
		}
		end, dots := i, 0
		for end < len(text) && (isDigit(text[end]) || text[end] == '.') {
			if text[end] == '.' {
				dots++
			}
			end++
		}
		quad := strings.TrimRight(text[i:end], ".")
		if dots >= 3 && !isVersion(text[:i]) {
			if _, err := netip.ParseAddr(unpad(quad)); err == nil {
				return true
			}
		}
		i = end
	}
	return false
}

// isVersion reports whether what stands before a number makes it a version.
func isVersion(before string) bool {
	before = strings.ToLower(before[max(len(before)-16, 0):])
	for _, mark := range [...]string{"/", "v", "version", "ver", "release", "build"} {
		if rest, ok := strings.CutSuffix(strings.TrimRight(before, " =:\""), mark); ok {
			return mark == "/" && rest != "" && isAlnum(rest[len(rest)-1]) ||
				mark != "/" && (rest == "" || !isAlnum(rest[len(rest)-1]))
		}
	}
	return false
}

// unpad takes the leading zeros from the parts of a dotted quad.
func unpad(quad string) string {
	parts := strings.Split(quad, ".")
	for i, p := range parts {
		if t := strings.TrimLeft(p, "0"); len(p) <= 3 && t != p {
			parts[i] = t
			if t == "" {
				parts[i] = "0"
			}
		}
	}
	return strings.Join(parts, ".")
}

// isHost6 tells addresses from times and ratios that happen to parse, like ::.
func isHost6(a netip.Addr) bool {
	return a.Is6() && !a.IsUnspecified() && (a.Is4In6() || a.As16()[0] != 0 || a.IsLoopback())
}

// holdsMAC reports whether text holds six bytes as 00:11:22:33:44:55,
// 00-11-22-33-44-55 or 0011.2233.4455.
func holdsMAC(text string) bool {
	for i := range len(text) {
		if isHex(text[i]) && (i == 0 || !isAlnum(text[i-1])) && (groupsAt(text[i:], 6, 2, ":-") || groupsAt(text[i:], 3, 4, ".")) {
			return true
		}
	}
	return false
}

// groupsAt reports whether text begins with n groups of size hexadecimal
// digits, all with the same one of the separators between them.
func groupsAt(text string, n, size int, separators string) bool {
	whole := n*size + n - 1
	if len(text) < whole || len(text) > whole && isAlnum(text[whole]) {
		return false
	}
	for i := range whole {
		if (i+1)%(size+1) == 0 {
			if strings.IndexByte(separators, text[i]) < 0 || text[i] != text[size] {
				return false
			}
		} else if !isHex(text[i]) {
			return false
		}
	}
	return len(text) == whole || text[whole] != text[size]
}

// holdsMail reports whether text holds local@domain.tld.
func holdsMail(text string) bool {
	for at := range len(text) {
		if text[at] != '@' || at == 0 || !isAlnum(text[at-1]) && strings.IndexByte("._%+-\"", text[at-1]) < 0 {
			continue
		}
		end, dot := at+1, -1
		for end < len(text) && (isAlnum(text[end]) || text[end] == '.' || text[end] == '-') {
			if text[end] == '.' {
				dot = end
			}
			end++
		}
		// npm and Go write name@v1.2.3: a top-level domain has letters only.
		if dot > at+1 && end-dot > 2 && madeOf(strings.ToLower(text[dot+1:end]), smallLetters) {
			return true
		}
	}
	return false
}

// isPushToken reports whether text is what Firebase or Expo calls an installation by, to
// notify it (firebase.google.com/docs/cloud-messaging; docs.expo.dev/push-notifications).
func isPushToken(text string) bool {
	return strings.Contains(text, ":APA91b") || strings.HasPrefix(text, "ExponentPushToken[") || strings.HasPrefix(text, "ExpoPushToken[")
}

// holdsCoordinates reports whether text holds a latitude and a longitude of
// three or more decimals, or a geo URI (RFC 5870).
func holdsCoordinates(text string) bool {
	if len(text) > 4 && strings.EqualFold(text[:4], "geo:") {
		return true
	}
	for i := 0; i < len(text); i++ {
		if !isDigit(text[i]) || i > 0 && (isAlnum(text[i-1]) || text[i-1] == '.') {
			continue
		}
		n := degrees(text[i:], 90)
		if n == 0 {
			continue
		}
		// Between the two: a comma or semicolon, and whatever names the second.
		rest := text[i+n:]
		if strings.IndexAny(rest, ",; |&/") != 0 {
			continue
		}
		rest = strings.TrimLeft(rest, ",; |&/\"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ=:+-")
		if degrees(rest, 180) > 0 {
			return true
		}
	}
	return false
}

// degrees returns the length of the decimal number up to limit that text
// begins with, or 0.
func degrees(text string, limit float64) int {
	end, dot := 0, -1
	for end < len(text) && (isDigit(text[end]) || text[end] == '.' && dot < 0) {
		if text[end] == '.' {
			dot = end
		}
		end++
	}
	if dot < 1 || end-dot < 4 {
		return 0
	}
	if x, err := strconv.ParseFloat(text[:end], 64); err != nil || x > limit {
		return 0
	}
	return end
}

// versionWords name fields whose values are versions, countWords those whose
// values count or date something.
const (
	versionWords = " version ver release build sdk "
	countWords   = " length size offset part parts chunk chunks total count time timestamp stamp ts date expires " +
		" expiry since until start begin version revision crc checksum limit page index sequence seq ttl " +
		" timeout delay nonce recv window timespan "
)

// holdsWord reports whether word is one of words, each between spaces.
func holdsWord(words, word string) bool { return strings.Contains(words, " "+word+" ") }

// named reports whether one of words, each between spaces, is in name.
func named(name, words string) bool {
	var buf [24]string
	for _, word := range splitWords(buf[:0], name) {
		if holdsWord(words, word) {
			return true
		}
	}
	return false
}

// isSubscriberNumber reports whether the whole text is a phone number with its
// plus, or as long as MSISDN, IMSI, IMEI and ICCID are (E.164, E.212, 3GPP TS
// 23.003: 10 to 20 digits), and neither a time since 1970 nor a count.
func isSubscriberNumber(name, text string) bool {
	text = strings.TrimSpace(text)
	text = strings.TrimPrefix(strings.TrimPrefix(text, "tel:"), "imei:")
	plus := strings.HasPrefix(text, "+")
	var buf [24]byte
	digits := buf[:0]
	for i := range len(text) {
		switch c := text[i]; {
		case isDigit(c):
			if len(digits) == 20 {
				return false
			}
			digits = append(digits, c)
		case plus && strings.IndexByte("+ -()./", c) >= 0:
		default:
			return false
		}
	}
	if plus {
		return len(digits) >= 8 && len(digits) <= 15
	}
	return len(digits) >= 10 && !isTime(string(digits)) && !named(name, countWords)
}

// isTime reports whether digits count seconds, or thousandths to billionths
// of one, from 1970 to a moment between 2001 and 2033.
func isTime(digits string) bool {
	switch len(digits) {
	case 10, 13, 16, 19:
		return digits[0] == '1'
	}
	return false
}
