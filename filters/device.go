package filters

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// isLocale reports whether the text is a language with its region or script, as in de-DE,
// pt_BR, es-419 or zh-Hant-TW, or begins with one and says more of it, as in pt_BR.UTF-8 and
// de-DE,de;q=0.9. A language alone is one where it is weighed, as in de;q=0.9.
func isLocale(text string) bool {
	text = strings.Trim(text, " \t\"")
	if len(text) < 5 || !isSmall(text[0]) || !isSmall(text[1]) {
		return false
	}
	if text[2] == ';' || text[2] == ',' {
		return strings.Contains(text, ";q=0.")
	}
	if text[2] != '-' && text[2] != '_' {
		return false
	}
	region, end := text[3:], strings.IndexAny(text[3:], "-_.@,;")
	if end >= 0 {
		region = region[:end]
	}
	switch len(region) {
	case 2:
		return isCapital(region[0]) && isCapital(region[1])
	case 3:
		return region == "419" || region == "001" || region == "150" // Latin America, the world, Europe (CLDR)
	case 4:
		return holdsWord(" Arab Cyrl Hans Hant Latn ", region)
	}
	return false
}

// timeZones are the areas of the tz database (IANA), before the name of a place, those of
// its file backward among them.
var timeZones = [...]string{"Africa/", "America/", "Antarctica/", "Arctic/", "Asia/", "Atlantic/", "Australia/", "Brazil/", "Canada/", "Chile/",
	"Europe/", "Indian/", "Mexico/", "Pacific/", "US/"}

// zoneEnds are the ends of what Windows and Java call a zone.
var zoneEnds = [...]string{" Standard Time", " Daylight Time", " Summer Time"}

func holdsTimeZone(text string) bool {
	for _, area := range timeZones {
		if i := strings.Index(text, area); i >= 0 && (i == 0 || !isAlnum(text[i-1])) && i+len(area) < len(text) && isCapital(text[i+len(area)]) {
			return true
		}
	}
	return slices.ContainsFunc(zoneEnds[:], func(end string) bool { return strings.Contains(text, end) })
}

// utcOffset is how far a clock is from UTC, as in GMT+0100, 21:40:22-08:00 and +05:30 alone.
// Zero tells of no place.
var utcOffset = regexp.MustCompile(`(?i)(?:(?:GMT|UTC) ?[+-]|:\d\d:\d\d(?:\.\d+)? ?[+-])(?:0?[1-9]|1[0-4])(?::?(?:00|15|30|45))?\b` +
	`|^ *[+-](?:0[1-9]|1[0-4]):(?:00|15|30|45) *$`)

// zoneName is a clock's time with what its zone is called, as Unix writes it.
var zoneName = regexp.MustCompile(`:\d\d:\d\d(?:\.\d+)? ([A-Z]{3,5})\b`)

// zoneNames are the tz database's names of zones elsewhere than at UTC, without those that are
// other words as well.
const zoneNames = " ACDT ACST AEDT AEST AKDT AKST AWST CDT CEST CET CST EDT EEST EET HKT HST JST KST MDT MSK NZDT NZST PDT PST SAST WIB "

// tellsZone reports whether text holds a clock's time elsewhere than at UTC.
func tellsZone(text string) bool {
	if utcOffset.MatchString(text) {
		return true
	}
	zone := zoneName.FindStringSubmatch(text)
	return zone != nil && zone[1] != "GMT" && zone[1] != "UTC"
}

// houseNames end the names that are known in their own network alone: RFC 6762 §3 and appendix
// G, RFC 8375, internal, which ICANN keeps free for that, and those that AVM's routers and
// Windows, where it shares its connection, give to all in a house.
var houseNames = [...]string{".local", ".localdomain", ".lan", ".home", ".home.arpa", ".internal", ".corp", ".intranet", ".private",
	".fritz.box", ".mshome.net"}

// namesHouse reports whether text holds a host name of a private network, other than that of
// the host to which r goes.
func namesHouse(r *http.Request, text string) bool {
	if strings.IndexByte(text, '.') < 0 {
		return false
	}
	for host := range strings.FieldsFuncSeq(text, func(c rune) bool { return c > '~' || !isAlnum(byte(c)) && c != '.' && c != '-' }) {
		if host = foldHost(host); isHouseName(host) && registrable(host) != registrable(r.URL.Hostname()) {
			return true
		}
	}
	return false
}

// isHouseName reports whether host, as foldHost returns it, is of a private network.
func isHouseName(host string) bool {
	return slices.ContainsFunc(houseNames[:], func(end string) bool { return len(host) > len(end) && strings.HasSuffix(host, end) })
}

// devices are words by which user agents name systems and devices, and WebGL and systems
// their processors; browsers those for the programs in them.
const (
	devices = " windows macintosh macos darwin linux ubuntu debian android ios ipados iphone ipad ipod cros " +
		" dalvik cfnetwork samsung pixel huawei xiaomi oneplus " +
		" geforce radeon adreno powervr snapdragon exynos ryzen xeon celeron "
	browsers = " mozilla applewebkit gecko khtml chrome chromium firefox safari opera opr edg edge crios fxios okhttp "
)

// phoneSystems are names of systems and devices, those of television among them, that mean nothing else.
const phoneSystems = " ios ipados ipad ipod harmonyos macos macintel tvos watchos visionos chromeos kaios tizen webos wifi " +
	" roku rokuos fireos firetv appletv googletv xboxone hbbtv vidaa titanos chromecast smarttv carplay "

// systemStore is a store of programs for the systems of one company.
var systemStore = regexp.MustCompile(`(?i)\b(?:app[ -]?store|google[ -]?play|play[ -]?store|app[ -]?gallery|galaxy[ -]?store|test[ -]?flight)\b`)

// phoneMakers are makers of phones who have a store for them.
const phoneMakers = " huawei honor xiaomi redmi oppo oneplus realme vivo samsung meizu "

// namesStore reports whether text says from which store a program is, and so for which
// system: in a field of a given name, or in any.
func namesStore(name, text string) bool {
	return systemStore.MatchString(strings.ReplaceAll(text, "_", "-")) ||
		named(name, " channel store market ") && holdsWord(phoneMakers, strings.ToLower(strings.Trim(text, " \t")))
}

// namesPhone reports whether text has one of phoneSystems, whatever stands beside it, or
// names Android or an iPhone, as ANDROID_PHONE and iPhoneApp do.
func namesPhone(text string) bool {
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return !isLetter(r) }) {
		word = strings.ToLower(word)
		if holdsWord(phoneSystems, word) || strings.Contains(word, "android") || strings.Contains(word, "iphone") {
			return true
		}
	}
	return false
}

// holdsSystem reports whether text names a system or device with its version
// or with a browser, or two browsers as user agents do: one word alone, and
// one product with its version, is also the name of much else.
func holdsSystem(text string) bool {
	if len(text) < 5 {
		return false
	}
	system, browser := 0, 0
	for word := range strings.FieldsFuncSeq(strings.ToLower(text), func(r rune) bool { return r > '~' || !isAlnum(byte(r)) }) {
		switch word = strings.TrimRight(word, "0123456789"); {
		case word == "":
		case holdsWord(devices, word):
			system++
		case holdsWord(browsers, word):
			browser++
		}
	}
	return browser > 1 || system > 1 || system == 1 && (browser > 0 || strings.ContainsAny(text, "0123456789"))
}
