package filters

import "strings"

// challenges removes requests for Private Access Tokens, which a client answers without asking
// its user: Apple's systems do, for browsers and apps alike, and few others have such tokens,
// for which the maker of the device must vouch.
type challenges struct{}

const whyPrivateToken = "RFC 9577: tells by whose device it is answered, whatever browser the request names"

// Apply implements [Filter].
func (challenges) Apply(m *Message, log []Change) []Change {
	return shorten(m.Response.Header, "Www-Authenticate", withoutPrivateToken, whyPrivateToken, log)
}

// withoutPrivateToken returns a list of challenges (RFC 9110 §11.6.1) without those of
// the scheme PrivateToken, the rest byte for byte. A challenge and its parameters are
// parted by the same comma as two challenges: a parameter has an equals sign behind its name.
func withoutPrivateToken(line string) string {
	var kept []string
	theirs := false
	for part := range splitQuoted(line, ',') {
		name, rest := strings.Trim(part, " \t"), ""
		if i := strings.IndexAny(name, " \t="); i >= 0 {
			name, rest = name[:i], strings.TrimLeft(name[i:], " \t")
		}
		if name != "" && !strings.HasPrefix(rest, "=") {
			theirs = strings.EqualFold(name, "PrivateToken")
		}
		if !theirs {
			kept = append(kept, part)
		}
	}
	return strings.Trim(strings.Join(kept, ","), " \t")
}
