package filters

import (
	"net/http"
	"strings"
	"time"
)

// isSetting reports whether value is a setting of an application, such as on, json, v2,
// en-US, 50 or image/png: a few words, short numbers and versions, one of few that many
// requests have. It names nobody even in a field whose name tells neither of a person nor
// of a purpose. Keys, ids, hashes and long numbers are none.
func isSetting(name, value string) bool {
	value = strings.Trim(value, " \t")
	switch {
	case len(value) > maxSetting, holdsWord(zoneNames, value):
		return false
	case strings.IndexFunc(value, isLetter) < 0:
		return isFigure(name, value)
	case isMoment(value):
		return named(name, countWords)
	}
	pieces, words, letters := 0, 0, 0
	for i := 0; i < len(value); {
		if !isAlnum(value[i]) {
			if value[i] < ' ' || value[i] > '~' {
				return false
			}
			i++
			continue
		}
		n := pieceAt(value[i:])
		if n > maxWord || !isCommon(value[i:i+n]) {
			return false
		}
		if !isDigit(value[i]) {
			words++
			letters += n
		}
		i += n
		pieces++
	}
	// Keys in both cases fall into many short words.
	return pieces <= maxPieces && (words < 3 || letters >= 3*words)
}

// The most that a setting has: bytes, words or numbers, and bytes in each.
const (
	maxSetting = 80
	maxPieces  = 12
	maxWord    = 20
)

// holdsKey reports whether a field's name has a piece that nobody would name
// anything: so long, or with letters and digits so mixed, and neither a word nor
// a number.
func holdsKey(name string) bool {
	for i := 0; i < len(name); {
		n, turns := 0, 0 // turns counts where letters and digits meet
		for i+n < len(name) && isAlnum(name[i+n]) {
			if n > 0 && isDigit(name[i+n]) != isDigit(name[i+n-1]) {
				turns++
			}
			n++
		}
		if piece := name[i : i+n]; (n > 8 || n > 5 && turns > 2) && !isCommon(piece) && (turns > 0 || !endsInSecret(piece)) {
			return true
		}
		i += n + 1
	}
	return false
}

// endsInSecret reports whether a piece of a name is a compound that ends in what
// a credential is called, as in CSRFPreventionToken.
func endsInSecret(piece string) bool {
	for _, end := range credentialEnds {
		if n := len(piece) - len(end); n > 0 && strings.EqualFold(piece[n:], end) {
			return true
		}
	}
	return false
}

// isFigure reports whether a value without letters is a short number, a
// version, or counts or dates something, as its name says.
func isFigure(name, value string) bool {
	digits, marks := 0, 0
	for i := range len(value) {
		switch c := value[i]; {
		case isDigit(c):
			digits++
		case strings.IndexByte("+-.,:;/*= ()[]\"?~^<>", c) >= 0: // ?1 is true (RFC 9651 §3.3.6), ~2 and ^1.2 are of some version
			marks++
		default:
			return false
		}
	}
	switch {
	case digits <= 4:
		return true
	case digits > 20:
		return false
	}
	return named(name, countWords) || marks > 0 && named(name, versionWords)
}

// isMoment reports whether value is a date with a time.
func isMoment(value string) bool {
	switch {
	case len(value) < len("20060102T150405Z"):
		return false
	case strings.Count(value, ":") < 2:
		return isDigit(value[0]) && isStamp(value)
	}
	_, err := time.Parse(time.RFC3339, value)
	if err != nil {
		_, err = http.ParseTime(value)
	}
	return err == nil
}

// pieceAt returns the length of the word with its number, or of the number,
// that s begins with: a capital after a small letter begins another word.
func pieceAt(s string) int {
	i := 1
	for i < len(s) && isAlnum(s[i]) && !(isSmall(s[i-1]) && isCapital(s[i])) {
		i++
	}
	return i
}

// isCommon reports whether a piece is a word that can be spoken, a number of
// up to four digits, or both as in utf8, sha256, h264, 3d and 1080p.
func isCommon(piece string) bool {
	number := 0 // where the letters begin
	for number < len(piece) && isDigit(piece[number]) {
		number++
	}
	word := strings.TrimRight(piece[number:], "0123456789")
	after := len(piece) - number - len(word)
	switch {
	case word == "":
		return number <= 4
	case number > 0:
		return after == 0 && number <= 4 && len(word) <= 2
	case after > 1:
		return after <= 3 && len(word) <= 4
	}
	return isSpoken(word)
}

// isSpoken tells words and abbreviations from letters at random: they have no
// six consonants in a row, and none without a vowel is long.
func isSpoken(word string) bool {
	row, vowels := 0, 0
	for i := range len(word) {
		switch word[i] | 0x20 {
		case 'a', 'e', 'i', 'o', 'u', 'y':
			row = 0
			vowels++
		case 'b', 'c', 'd', 'f', 'g', 'h', 'j', 'k', 'l', 'm', 'n', 'p', 'q', 'r', 's', 't', 'v', 'w', 'x', 'z':
			if row++; row > 5 {
				return false
			}
		default:
			return false // a digit between letters
		}
	}
	return len(word) <= 5 || vowels*6 >= len(word)
}
