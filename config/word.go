package config

import (
	"errors"
	"fmt"
	"strings"
)

// A Language is a language tag such as en-US (RFC 5646 §2.1).
type Language string

// UnmarshalText accepts a language with optional script and region, and writes them in
// the case that browsers use: another would identify this proxy.
func (l *Language) UnmarshalText(text []byte) error {
	s := string(text)
	parts := strings.Split(strings.ToLower(s), "-")
	for i, part := range parts {
		letters := strings.Trim(part, "abcdefghijklmnopqrstuvwxyz") == ""
		digits := strings.Trim(part, "0123456789") == ""
		ok := letters && (len(part) == 2 || len(part) == 3)
		if i > 0 {
			ok = letters && (len(part) == 2 || len(part) == 4) || digits && len(part) == 3
		}
		if !ok || i > 2 {
			return fmt.Errorf("%s is not a language tag; write one as en-US or de", quote(s))
		}
		switch {
		case i > 0 && len(part) == 4:
			parts[i] = strings.ToUpper(part[:1]) + part[1:]
		case i > 0:
			parts[i] = strings.ToUpper(part)
		}
	}
	*l = Language(strings.Join(parts, "-"))
	return nil
}

// A FieldName is the name of a header field (RFC 9110 §5.1).
type FieldName string

// UnmarshalText accepts a token (RFC 9110 §5.6.2).
func (f *FieldName) UnmarshalText(text []byte) error {
	const marks = "!#$%&'*+-.^_`|~"
	for _, c := range text {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte(marks, c) >= 0) {
			return fmt.Errorf("%s is not a field name", quote(string(text)))
		}
	}
	if len(text) == 0 {
		return errors.New("an empty text is not a field name")
	}
	*f = FieldName(text)
	return nil
}
