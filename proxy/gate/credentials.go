package gate

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxName bounds user names, and what may follow a plus sign in them.
const maxName = 128

// nameRule says what a [validName] is.
var nameRule = fmt.Sprintf("name has 1 to %d bytes, without blanks around it, controls and + : # ,", maxName)

// readCredentials reads the values of Proxy-Authorization (RFC 9110 §11.7.2). Schemes
// other than Basic and Bearer are ignored, also beside one of them: Pidgin sends NTLM's
// opening with Basic. Two of these count as none.
func readCredentials(values []string) credentials {
	var c credentials
	understood := 0
	for _, value := range values {
		scheme, rest, _ := strings.Cut(value, " ")
		rest = strings.TrimLeft(rest, " ")
		switch {
		case strings.EqualFold(scheme, "Basic"):
			c = readBasic(rest)
		case strings.EqualFold(scheme, "Bearer"):
			c = credentials{token: rest}
		default:
			continue
		}
		understood++
	}
	if understood != 1 {
		return credentials{}
	}
	return c
}

// readBasic reads what follows the scheme Basic (RFC 7617 §2).
func readBasic(encoded string) credentials {
	text, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return credentials{}
	}
	user, password, found := strings.Cut(asUTF8(text), ":")
	if !found || !isClientName(user) {
		return credentials{}
	}
	// A copy: names are kept, and the password would be with them.
	return credentials{user: strings.Clone(user), password: password}
}

// asUTF8 returns text as it is or, if it is not UTF-8, read as ISO 8859-1: clients that
// ignore the challenge's charset (RFC 7617 §2.1) send that, as Python's requests does.
func asUTF8(text []byte) string {
	if utf8.Valid(text) {
		return string(text)
	}
	letters := make([]rune, len(text))
	for i, c := range text {
		letters[i] = rune(c)
	}
	return string(letters)
}

// isClientName reports whether s, which is UTF-8, may be a name with a suffix.
func isClientName(s string) bool {
	name, suffix, _ := strings.Cut(s, "+")
	return validName(name) && len(suffix) <= maxName && !hasControl(suffix)
}

// CheckName says what is wrong with s as the name of an account, nil if nothing is.
func CheckName(s string) error {
	if !validName(s) {
		return errors.New("a user " + nameRule)
	}
	return nil
}

// validName reports whether s can name an account: a plus sign begins what
// keeps one account's uses apart, and a colon ends the name (RFC 7617 §2).
func validName(s string) bool {
	return s != "" && len(s) <= maxName && utf8.ValidString(s) && !hasControl(s) &&
		!strings.ContainsAny(s, "+:#,") && strings.TrimSpace(s) == s
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 })
}
