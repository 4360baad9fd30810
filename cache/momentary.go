package cache

import (
	"strconv"
	"strings"
	"time"
)

// Momentary reports whether a response that an origin made at the given time says so,
// or counts how often it was asked: who is given that later sees by it that somebody asked
// then. What says nothing but that is rewritten instead, see disguise.
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
		if holdsMinute(line, made) || holdsMinute(line, made.Add(-aMoment)) || holdsUnixTime(line, made) {
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

// holdsMinute reports whether text holds the minute of t in one of the common forms.
func holdsMinute(text string, t time.Time) bool {
	var room [32]byte
	if !strings.Contains(text, string(t.AppendFormat(room[:0], "15:04"))) {
		return false // as most, which is quicker
	}
	for _, form := range [...]string{"02 Jan 2006 15:04", "2006-01-02T15:04", "2006-01-02 15:04"} {
		if strings.Contains(text, string(t.AppendFormat(room[:0], form))) {
			return true
		}
	}
	return false
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
			if err == nil && t.Sub(time.Unix(seconds, 0)).Abs() <= time.Minute {
				return true
			}
		}
		at = end
	}
	return false
}
