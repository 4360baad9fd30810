package cache

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// momentary reports whether a response that an origin made at the given time tells that time,
// how long it took, or how often the origin was asked: a client given it later would see that
// somebody asked then. Fields that tell nothing else are rewritten instead, see disguise.
func momentary(h fields, made time.Time) bool {
	made = made.UTC()
	for name, line := range h.all() {
		switch name {
		case "Date", "Expires", "Age", "Etag", // rewritten
			"Cache-Control", "Content-Length", "Content-Type", "Content-Encoding", "Vary": // most have these, and none a time
			continue
		}
		if ofOneAnswer[name] || strings.Contains(name, "Ratelimit") || strings.Contains(name, "Rate-Limit") {
			return true // draft-ietf-httpapi-ratelimit-headers, and its many elders: how often one may still ask
		}
		if unit, ok := unitOf(line); ok && (measures(name) || ofTime[strings.ToLower(unit)]) {
			return true
		}
		elsewhere := name != "Last-Modified" // which is of one zone
		if holdsDate(line, made, elsewhere) || elsewhere && holdsClock(line, made) || holdsUnixTime(line, made) || holdsCodedTime(line, made) {
			return true
		}
	}
	return false
}

// ofOneAnswer are fields whose value is new in each answer.
var ofOneAnswer = map[string]bool{
	"Replay-Nonce":    true, // RFC 8555 §6.5.1
	"Dpop-Nonce":      true, // RFC 9449 §8
	"Signature-Input": true, // RFC 9421 §2.3: when it was signed
}

// measures reports whether a field is named after how long an origin took, such as
// X-Process-Time: a client that waited for another time would see that the answer is older.
// Fields that filters know never get here.
func measures(name string) bool {
	if strings.HasSuffix(name, "-Ms") {
		return true
	}
	for word := range strings.SplitSeq(name, "-") {
		for _, end := range measureWords {
			if len(word) >= len(end) && equalFold(word[len(word)-len(end):], end) {
				return true
			}
		}
	}
	return false
}

// measureWords are ends of words: some names are written in one.
var measureWords = [...]string{"time", "duration", "latency", "elapsed", "took", "timing"}

// ofTime are units of time.
var ofTime = map[string]bool{
	"ns": true, "us": true, "µs": true, "μs": true, "ms": true, "msec": true, "milliseconds": true,
	"s": true, "sec": true, "secs": true, "second": true, "seconds": true,
}

// unitOf returns the unit of an amount, "" for none. An amount is a number with no more than a
// sign, such as D=, before it and the unit behind it. A date and a version are none.
func unitOf(text string) (unit string, ok bool) {
	const digits = "0123456789"
	at := strings.IndexAny(text[:min(4, len(text))], digits)
	if at < 0 {
		return "", false
	}
	behind := strings.TrimLeft(text[at:], digits)
	if fraction, ok := strings.CutPrefix(behind, "."); ok {
		behind = strings.TrimLeft(fraction, digits)
	}
	return strings.TrimLeft(behind, " "), !strings.ContainsAny(behind, digits+".:-/")
}

// aMoment is how long before its Date a response may have been made.
const aMoment = 5 * time.Second

// holdsDate reports whether text holds a day and the minute of t, or of a moment before, in
// whatever order and with whatever between them. If elsewhere is set, a clock with seconds may
// be of any time zone.
func holdsDate(text string, t time.Time, elsewhere bool) bool {
	var room [128]byte
	digits := digitsOf(room[:0], text)
	days := daysAround(t)
	for at := 0; at+leastDigits <= len(digits); at++ {
		one, other := twoDigits(digits, at), twoDigits(digits, at+2)
		for i := range days {
			d := &days[i]
			if (one == d.month && other == d.day || one == d.day && other == d.month) && d.begins(digits[at:], elsewhere) {
				return true
			}
		}
	}
	return false
}

// A day is a date that it may be in some time zone at a given time.
type day struct {
	month, day int
	year       string
	since      time.Duration // from its beginning to the time
}

// daysAround returns the days that it may be at t in some zone. Texts are long and full of
// digits, of which these rule out nearly all.
func daysAround(t time.Time) (days [3]day) {
	for i := range days {
		begun := time.Date(t.Year(), t.Month(), t.Day()+i-1, 0, 0, 0, 0, time.UTC)
		days[i] = day{int(begun.Month()), begun.Day(), strconv.Itoa(begun.Year()), t.Sub(begun)}
	}
	return days
}

// leastDigits are those of a month, a day, an hour and a minute.
const leastDigits = 8

// digitsOf appends to digits those of text that may be of one date, and a line feed where
// words part them. A name of a month counts as its number.
func digitsOf(digits []byte, text string) []byte {
	for text != "" {
		end := 1
		switch c := text[0]; {
		case '0' <= c && c <= '9':
			for end < len(text) && '0' <= text[end] && text[end] <= '9' {
				end++
			}
			if end == 1 { // some leave out the zero before
				digits = append(digits, '0')
			}
			digits = append(digits, text[:end]...)
		case c == '%' && len(text) >= len("%3A"):
			end = len("%3A")
		case isAlphanumeric(rune(c)):
			for end < len(text) && 'A' <= text[end]&^0x20 && text[end]&^0x20 <= 'Z' {
				end++
			}
			digits = appendWord(digits, text[:end])
		}
		text = text[end:]
	}
	return digits
}

func appendWord(digits []byte, word string) []byte {
	if equalFold(word, "T") { // RFC 3339 §5.6
		return digits
	}
	month := slices.IndexFunc(monthNames, func(name string) bool { return len(word) >= 3 && equalFold(word[:3], name) })
	if month < 0 {
		return append(digits, '\n')
	}
	return append(digits, byte('0'+(month+1)/10), byte('0'+(month+1)%10))
}

// A dateForm is where in a row of digits the numbers of a date begin. The year comes last of
// them and has two or four digits, or stands elsewhere, as it does if it comes first.
type dateForm struct{ month, day, clock int }

var dateForms = [...]dateForm{{0, 2, 4}, {0, 2, 6}, {0, 2, 8}, {2, 0, 6}, {2, 0, 8}}

// begins reports whether digits begin with that day and a moment of it, see holdsDate.
func (d *day) begins(digits []byte, elsewhere bool) bool {
	for _, f := range dateForms {
		hour, minute := twoDigits(digits, f.clock), twoDigits(digits, f.clock+2)
		if twoDigits(digits, f.month) != d.month || twoDigits(digits, f.day) != d.day ||
			hour < 0 || hour > 23 || minute < 0 || minute > 59 || !strings.HasSuffix(d.year, string(digits[4:f.clock])) {
			continue
		}
		ago := d.since - time.Duration(hour*60+minute)*time.Minute
		if ofMoment(ago, twoDigits(digits, f.clock+4), elsewhere) {
			return true
		}
	}
	return false
}

// ofMoment reports whether a minute that began so long ago by UTC is the present one; or, if
// elsewhere is set, whether it and second, which is -1 for none, are the time in another zone.
func ofMoment(ago time.Duration, second int, elsewhere bool) bool {
	if ago < -furthestEast || ago >= furthestWest {
		return false
	}
	if 0 <= ago && ago < time.Minute+aMoment {
		return true
	}
	late := (ago + furthestEast - time.Duration(second)*time.Second) % quarter
	return elsewhere && second >= 0 && 0 <= late && late < aMoment+time.Second
}

// Clocks elsewhere differ by so much, by quarters of an hour. Some show twelve hours.
const (
	quarter      = 15 * time.Minute
	furthestEast = 14 * time.Hour
	furthestWest = (12 + 12) * time.Hour
)

// twoDigits returns the number at a place, or -1 if there is none.
func twoDigits(digits []byte, at int) int {
	if len(digits) < at+2 || digits[at] == '\n' || digits[at+1] == '\n' {
		return -1
	}
	return int(digits[at]-'0')*10 + int(digits[at+1]-'0')
}

// holdsClock reports whether text holds the time of day of t, or of a moment before, as
// clocks of any zone show it with seconds: zones differ by quarters of an hour.
func holdsClock(text string, t time.Time) bool {
	for {
		at := strings.IndexByte(text, ':')
		if at < 0 || len(text) < at+len(":04:05") {
			return false
		}
		text = text[at+1:]
		if text[2] != ':' {
			continue
		}
		minute, ok := parseNumber(text[:2])
		second, also := parseNumber(text[3:5])
		ago := (t.Unix() - minute*60 - second) % int64(quarter/time.Second)
		if ok && also && ago <= int64(aMoment/time.Second) {
			return true
		}
	}
}

// holdsUnixTime reports whether a number in text is t in seconds since 1970, or in a
// smaller unit, or the end of what is signed at t, as the URL is that a redirect leads to.
func holdsUnixTime(text string, t time.Time) bool {
	const digits = 10 // of the seconds, until 2286
	for at := 0; at < len(text); at++ {
		end := at
		for end < len(text) && '0' <= text[end] && text[end] <= '9' {
			end++
		}
		if end-at >= digits {
			seconds, err := strconv.ParseInt(text[at:at+digits], 10, 64)
			if ahead := time.Unix(seconds, 0).Sub(t); err == nil && -time.Minute <= ahead && ahead <= signedFor {
				return true
			}
		}
		at = end
	}
	return false
}

// signedFor is for how long a signed URL holds at most, as AWS and Google have it.
const signedFor = 7*24*time.Hour + time.Minute

// near reports whether two times differ by no more than clocks do.
func near(a, b time.Time) bool { return a.Sub(b).Abs() <= time.Minute }

// holdsCodedTime reports whether text holds t in an identifier that begins with when it
// was made: in hexadecimal seconds or milliseconds, as UUIDs have it (RFC 9562 §5.1, §5.6,
// §5.7), or as ULIDs do.
func holdsCodedTime(text string, t time.Time) bool {
	for text != "" {
		end := strings.IndexFunc(text, func(c rune) bool { return !isAlphanumeric(c) })
		if end < 0 {
			end = len(text)
		}
		if end >= 8 && (holdsHexTime(text[:end], t) || holdsUUIDTime(text, t) || holdsULIDTime(text[:end], t)) {
			return true
		}
		text = text[min(end+1, len(text)):]
	}
	return false
}

func isAlphanumeric(c rune) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func holdsHexTime(token string, t time.Time) bool {
	if seconds, ok := parseHex(token[:8]); !ok || near(time.Unix(seconds, 0), t) {
		return ok
	}
	ms, ok := parseHex(token[:min(12, len(token))])
	return ok && near(time.UnixMilli(ms), t)
}

// parseHex reads at most 15 hexadecimal digits. Most texts are none, for which strconv would
// make an error each.
func parseHex(digits string) (n int64, ok bool) {
	for i := range len(digits) {
		switch c := digits[i]; {
		case '0' <= c && c <= '9':
			n = n<<4 | int64(c-'0')
		case 'a' <= lower(c) && lower(c) <= 'f':
			n = n<<4 | int64(lower(c)-'a'+10)
		default:
			return 0, false
		}
	}
	return n, true
}

// holdsUUIDTime is holdsCodedTime of a text that begins with a UUID.
func holdsUUIDTime(text string, t time.Time) bool {
	if len(text) < 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' {
		return false
	}
	low, ok := parseHex(text[:8] + text[9:13] + text[15:18]) // without the version
	if !ok {
		return false
	}
	// In intervals of 100 ns since the calendar's reform, RFC 9562 §5.1.
	reformed := func(n int64) time.Time {
		return time.Date(1582, 10, 15, 0, 0, 0, 0, time.UTC).AddDate(0, 0, int(n/ticksPerDay)).Add(time.Duration(n%ticksPerDay) * 100)
	}
	switch text[14] {
	case '1':
		return near(reformed(low&0xfff<<48|low>>12&0xffff<<32|low>>28), t)
	case '6':
		return near(reformed(low), t)
	case '7':
		return near(time.UnixMilli(low>>12), t)
	}
	return false
}

const ticksPerDay = 24 * 60 * 60 * 1e7

// holdsULIDTime is holdsCodedTime of a ULID: 48 bits of milliseconds in ten digits of five.
func holdsULIDTime(token string, t time.Time) bool {
	if len(token) != 26 {
		return false
	}
	ms := int64(0)
	for _, c := range strings.ToUpper(token[:10]) {
		digit := strings.IndexRune("0123456789ABCDEFGHJKMNPQRSTVWXYZ", c)
		if digit < 0 {
			return false
		}
		ms = ms<<5 | int64(digit)
	}
	return near(time.UnixMilli(ms), t)
}
