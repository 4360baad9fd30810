package filters

import (
	"encoding/base64"
	"strings"
)

// isConsent reports whether value is what a dialogue about consent wrote, for advertisers
// to read: a string of IAB Europe's Transparency and Consent Framework, alone or as a
// section of one of IAB's Global Privacy Platform. It has the tenth of a second in which
// somebody agreed, and to what.
func isConsent(value string) bool {
	for section := range strings.SplitSeq(strings.Trim(value, " \t\""), "~") {
		core, _, _ := strings.Cut(section, ".") // segments for more vendors follow
		if isConsentCore(core) {
			return true
		}
	}
	return false
}

// isConsentCore reads the fields of version 2 that come first (IAB Tech Lab, Consent string
// and vendor list formats v2): its number in 6 bits, creation and last update in 36 each, the
// dialogue in 30, its language in two letters of 6, the list of vendors in 12, the policy in 6.
func isConsentCore(core string) bool {
	if len(core) < 28 || core[0] != 'C' { // version 2
		return false
	}
	b, err := base64.RawURLEncoding.DecodeString(core[:24]) // of which the last bit begins what vendors' numbers need
	if err != nil {
		return false
	}
	at := 0
	number := func(bits int) (n uint64) {
		for range bits {
			n = n<<1 | uint64(b[at/8]>>(7-at%8)&1)
			at++
		}
		return n
	}
	const year = 365 * 24 * 3600 * 10 // in tenths of a second
	number(6)
	created, updated := number(36), number(36)
	number(30)
	first, second := number(6), number(6)
	vendors, policy := number(12), number(6)
	return created >= 48*year && created < 130*year && updated >= created && updated < created+20*year &&
		first < 26 && second < 26 && vendors > 0 && policy < 16
}
