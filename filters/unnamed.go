package filters

import "strings"

// refuseUnnamed returns why a field that no table names is removed from a
// request of a script or an API client, or "" if it may pass. By the words of
// its name it tells of somebody, and goes; has a purpose, such as a credential
// or a tenant, and may have any value that tells of nobody; or does neither, and
// may be a setting.
func refuseUnnamed(m *Message, name string, lines []string) string {
	if oddName(name) || holdsKey(name) {
		return "RFC 9110 §16.3.2.1: no registry would take this name"
	}
	if isNeeded(m, name) {
		return "" // an account may be named by anything, a mail address too
	}
	told := tells(name)
	if ofSite(m, name) {
		told = credential
	}
	if told >= weak || isDeputy(name) {
		return "its name tells of a person, device or place"
	}
	switch last := lastWord(name); {
	case holdsWord(settingEnds, last):
		told = neutral
	case told == neutral && holdsWord(idEnds, last):
		return "its name is an id's, and of nothing that a request is about"
	}
	for _, line := range lines {
		if why := refuseValue(m, name, line, told); why != "" {
			return why
		}
	}
	return ""
}

// refuseValue returns why a value cannot stand in such a field, by what its name told, or
// "" if it can.
func refuseValue(m *Message, name, value string, told weight) string {
	if told == neutral && len(value) > maxSetting { // also by far: nothing long is searched in vain
		return whySetting
	}
	if strings.Contains(value, "://") {
		if namesPageElsewhere(m.Request, value) {
			return "its value is a page of another site, as in Referer"
		}
		value = withoutOrigin(value, originOf(m.Request))
	}
	if namesHouse(m.Request, value) {
		return "its value is a name that only the client's own network knows"
	}
	if told == credential {
		return tellingText(name, value) // what is sealed in it is its issuer's: in an ID token, mostly a mail address
	}
	switch {
	case ownFolder.MatchString(value):
		return "its value is a folder on the client's disk"
	case ownAccount.MatchString(value):
		return "its value is an account of the client's network"
	}
	if why := tellingValue(name, value); why != "" {
		return why
	}
	switch {
	case isConsent(value):
		return "its value tells when somebody agreed to what"
	case namesPhone(value), namesStore(name, value):
		return "its value names a system or a network"
	case tellsZone(value) && !holdsProof(m, name): // what is signed has the signer's time
		return "its value is a language or time zone"
	case told == neutral && !isSetting(name, value):
		return whySetting
	case (pairsTell(value, told) || pairsTellCoded(value, told)) && !named(name, queryWords):
		return "its value says by name what tells of a person, device or place"
	}
	return ""
}

const whySetting = "its value says more than a setting needs, and its name no purpose"

// queryWords name fields that say which of many things are wanted, by what these are.
const queryWords = " query filter filters search select sort where "

// pairsTell reports whether text holds names with values, as JSON, parameters and cookies do,
// and one name tells of a client: in a field whose name has a purpose, by a strong word. The
// query of a URL, which is its site's, does not count.
func pairsTell(text string, told weight) bool {
	least := weak
	if told == purpose {
		least = strong
	}
	if strings.IndexByte(text, '%') >= 0 {
		text = string(percentDecode(text))
	}
	text, _, _ = strings.Cut(text, "?")
	for i := range len(text) {
		if text[i] != '=' && text[i] != ':' {
			continue
		}
		before, enough := strings.TrimRight(text[:i], " "), least
		if text[i] == ':' {
			quoted, ok := strings.CutSuffix(before, `"`)
			if !ok { // it may be a name or a value
				enough = strong
			}
			before = quoted
		}
		key := before[strings.LastIndexFunc(before, func(c rune) bool { return c > '~' || !isAlnum(byte(c)) && c != '-' && c != '_' && c != '.' })+1:]
		if tells(key) >= enough {
			return true
		}
	}
	return false
}

// pairsTellCoded is pairsTell for what text as a whole stands for in base64 or its kin. What
// an issuer signed is not coded as a whole.
func pairsTellCoded(text string, told weight) bool {
	return inRun(strings.TrimRight(text, "="), func(inner []byte) bool { return printable(inner) && pairsTell(string(inner), told) })
}

// oddName reports whether a field name is not made of letters, digits, -, _ and
// dots, does not begin with a letter or end with one or a digit, or is longer
// than any in use.
func oddName(name string) bool {
	for i := range len(name) {
		if c := name[i]; !isAlnum(c) && c != '-' && c != '_' && c != '.' || i == 0 && !isAlnum(c) {
			return true
		}
	}
	return len(name) > 64 || name == "" || isDigit(name[0]) || !isAlnum(name[len(name)-1])
}

// ofSite reports whether a site needs the field, see siteFields.
func ofSite(m *Message, name string) bool {
	for _, s := range siteFields {
		if s.name == name && (s.value == "" || s.value == single(m.Request.Header[name])) && registrable(m.Request.URL.Hostname()) == s.site {
			return true
		}
	}
	return false
}
