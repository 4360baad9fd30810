package filters

import "slices"

// vaultFamilies begin the names of fields that stores of objects define, and services
// whose clients all have a key. They come with a proof of who asks, which covers them.
var vaultFamilies = [...]string{"X-Amz-", "X-Amzn-", "X-Goog-", "X-Ms-", "X-Oss-", "X-Cos-", "X-Obs-", "X-Bce-", "X-Tos-", "X-Bz-", "X-Upyun-", "X-Qs-", "X-Arc-", "X-Rs-",
	"X-Object-", "X-Container-", "X-Storage-", "X-Dropbox-", "X-Shopify-", "Docker-", "X-Docker-", "Zotero-"}

// languageWords name fields that say in which language somebody wants to be answered.
const languageWords = " lang language languages locale locales culture lcid "

// ofVault reports whether the field name of a known family may stand in m: its
// family is no store's, or its name has a purpose, or m proves who asks, or its lines
// say no more than a setting does. Without a language a service answers as well.
func ofVault(m *Message, name string, lines []string) bool {
	told := tells(name)
	switch {
	case !hasPrefixOf(name, vaultFamilies[:]):
		return true
	case told == weak && named(name, languageWords):
		return false
	case told == purpose || told == credential || told == neutral && named(name, countWords) || isSignedQuery(m.Request.URL.RawQuery) ||
		holdsProof(m, name) || m.Request.Header["Cookie"] != nil && !m.Visit.ThirdParty:
		return true
	}
	return !slices.ContainsFunc(lines, func(line string) bool { return !isSetting(name, line) || tellingValue(name, line) != "" })
}
