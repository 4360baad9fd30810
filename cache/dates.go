package cache

import (
	"net/http"
	"strings"
	"time"
)

// parseDate reads an HTTP-date in its three forms (RFC 9110 §5.6.7) without
// regard to case (RFC 9111 §4.2). Every other form is invalid: other time
// zones, one-digit hours, missing commas, doubled spaces. now settles the
// century of a two-digit year.
func parseDate(s string, now time.Time) (time.Time, bool) {
	p := dateParser{s: strings.Trim(s, " \t")}
	switch comma := strings.IndexByte(p.s, ','); {
	case comma == 3: // IMF-fixdate
		p.dated(dayNames, " ", 4)
	case comma > 3: // RFC 850
		p.dated(longDayNames, "-", 2)
		// More than 50 years ahead means the past century (RFC 9110 §5.6.7).
		p.year += now.Year() / 100 * 100
		if p.year > now.Year()+50 {
			p.year -= 100
		}
	default:
		p.asctime()
	}
	if p.bad || p.s != "" {
		return time.Time{}, false
	}
	day := time.Date(p.year, time.Month(p.month), p.day, 0, 0, 0, 0, time.UTC)
	if day.Day() != p.day { // 31 April
		return time.Time{}, false
	}
	// A leap second counts as the first of the next minute.
	return day.Add(time.Duration(p.hour*60*60+p.minute*60+p.second) * time.Second), true
}

type dateParser struct {
	s   string // what is left to read
	bad bool

	year, month, day     int
	hour, minute, second int
}

var (
	monthNames   = []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}
	dayNames     = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}
	longDayNames = []string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}
)

// dated reads Sun, 06 Nov 1994 08:49:37 GMT, or Sunday, 06-Nov-94 08:49:37 GMT.
func (p *dateParser) dated(days []string, between string, yearDigits int) {
	p.oneOf(days)
	p.literal(", ")
	p.day = p.digits(2, 1, 31)
	p.literal(between)
	p.month = p.oneOf(monthNames) + 1
	p.literal(between)
	p.year = p.digits(yearDigits, 0, 9999)
	p.literal(" ")
	p.clock()
	p.literal(" gmt")
}

// Sun Nov  6 08:49:37 1994
func (p *dateParser) asctime() {
	p.oneOf(dayNames)
	p.literal(" ")
	p.month = p.oneOf(monthNames) + 1
	p.literal(" ")
	if strings.HasPrefix(p.s, " ") {
		p.s = p.s[1:]
		p.day = p.digits(1, 1, 9)
	} else {
		p.day = p.digits(2, 1, 31)
	}
	p.literal(" ")
	p.clock()
	p.literal(" ")
	p.year = p.digits(4, 0, 9999)
}

func (p *dateParser) clock() {
	p.hour = p.digits(2, 0, 23)
	p.literal(":")
	p.minute = p.digits(2, 0, 59)
	p.literal(":")
	p.second = p.digits(2, 0, 60)
}

// oneOf reads one of the names, given in lower case, and returns its index.
func (p *dateParser) oneOf(names []string) int {
	for i, name := range names {
		if len(p.s) >= len(name) && equalFold(p.s[:len(name)], name) {
			p.s = p.s[len(name):]
			return i
		}
	}
	p.bad = true
	return 0
}

func (p *dateParser) literal(text string) {
	if len(p.s) < len(text) || !equalFold(p.s[:len(text)], text) {
		p.bad = true
		return
	}
	p.s = p.s[len(text):]
}

func (p *dateParser) digits(count, low, high int) int {
	if len(p.s) < count {
		p.bad = true
		return low
	}
	n := 0
	for i := range count {
		c := p.s[i]
		if c < '0' || c > '9' {
			p.bad = true
			return low
		}
		n = n*10 + int(c-'0')
	}
	p.s = p.s[count:]
	if n < low || n > high {
		p.bad = true
		return low
	}
	return n
}

func formatDate(t time.Time) string { return t.UTC().Format(http.TimeFormat) }
