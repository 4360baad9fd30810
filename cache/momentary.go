package cache

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// momentary reports whether a response that an origin made at the given time says so,
// or counts how often it was asked: who is given that later sees by it that somebody asked
// then. What says nothing but that is rewritten instead, see disguise.
func momentary(h fields, made time.Time) bool {
	made = made.UTC()
	minutes := []writtenMinute{minuteOf(made)}
	if before := made.Add(-aMoment); before.Minute() != made.Minute() {
		minutes = append(minutes, minuteOf(before))
	}
	for name, line := range h.all() {
		switch name {
		case "Date", "Expires", "Age", "Etag", // rewritten
			"Cache-Control", "Content-Length", "Content-Type", "Content-Encoding", "Vary": // most have these, and none a time
			continue
		}
		if ofOneAnswer[name] || strings.Contains(name, "Ratelimit") || strings.Contains(name, "Rate-Limit") {
			return true // draft-ietf-httpapi-ratelimit-headers, and its many elders: how often one may still ask
		}
		if slices.ContainsFunc(minutes, func(m writtenMinute) bool { return m.in(line) }) || name != "Last-Modified" && holdsClock(line, made) || holdsUnixTime(line, made) || holdsCodedTime(line, made) {
			return true
		}
	}
	return false
}

// ofOneAnswer are fields whose value is another in each answer, one after the other.
var ofOneAnswer = map[string]bool{
	"Replay-Nonce":    true, // RFC 8555 §6.5.1
	"Dpop-Nonce":      true, // RFC 9449 §8
	"Signature-Input": true, // RFC 9421 §2.3: when it was signed
}

// aMoment is how long before its Date a response may have been made.
const aMoment = 5 * time.Second

// A writtenMinute is one that fields may hold in a common form.
type writtenMinute struct {
	time.Time
	clock string    // what the forms with a colon have in common
	dense [2]string // the forms without one
}

func minuteOf(t time.Time) writtenMinute {
	return writtenMinute{t, t.Format("15:04"), [2]string{t.Format("200601021504"), t.Format("20060102T1504")}}
}

// in reports whether text holds m.
func (m writtenMinute) in(text string) bool {
	if !strings.Contains(text, m.clock) { // as most, which is quicker
		return strings.Contains(text, m.dense[0]) || strings.Contains(text, m.dense[1])
	}
	return slices.ContainsFunc(minuteForms[:], func(form string) bool { return strings.Contains(text, m.Format(form)) })
}

var minuteForms = [...]string{"02 Jan 2006 15:04", "2006-01-02T15:04", "2006-01-02 15:04", "02-Jan-06 15:04", "Jan _2 15:04",
	"01/02/2006 15:04", "02/Jan/2006:15:04"}

// holdsClock reports whether text holds the time of day of t, or of a moment before, as
// clocks of any zone show it with seconds: zones differ by quarters of an hour.
func holdsClock(text string, t time.Time) bool {
	const quarter = 15 * 60
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
		ago := (t.Unix() - minute*60 - second) % quarter
		if ok && also && ago <= int64(aMoment/time.Second) {
			return true
		}
	}
}

// holdsUnixTime reports whether a number in text is t in seconds since 1970, or in a
// smaller unit.
func holdsUnixTime(text string, t time.Time) bool {
	const digits = 10 // of the seconds, until 2286
	for at := 0; at < len(text); at++ {
		end := at
		for end < len(text) && '0' <= text[end] && text[end] <= '9' {
			end++
		}
		if end-at >= digits {
			seconds, err := strconv.ParseInt(text[at:at+digits], 10, 64)
			if err == nil && near(time.Unix(seconds, 0), t) {
				return true
			}
		}
		at = end
	}
	return false
}

// near reports whether two times are the same but for clocks that differ.
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

// parseHex reads at most 15 hexadecimal digits. Most of what is asked about are none, which
// costs strconv an error each.
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
