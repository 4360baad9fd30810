package filters

import (
	"cmp"
	"iter"
	"net/http"
	"slices"
	"strings"
)

// What filters have to do with the lines of a field: read them as what they are, and
// write them with an entry in the log.

// single returns the trimmed value of a field that must not repeat, or "" if
// its lines differ.
func single(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	for _, line := range lines[1:] {
		if line != lines[0] {
			return ""
		}
	}
	return strings.Trim(lines[0], " \t")
}

// first returns the trimmed value of the first line, "" if there is none.
func first(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return strings.TrimSpace(lines[0])
}

// members yields the members of a list whose lines hold no quoted strings, which are not
// empty, without the white space around them (RFC 9110 §5.6.1).
func members(lines []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, line := range lines {
			for member := range strings.SplitSeq(line, ",") {
				if member = strings.Trim(member, " \t"); member != "" && !yield(member) {
					return
				}
			}
		}
	}
}

// hasToken reports whether a comma-separated list of tokens holds token, in
// any case of ASCII's letters: the Kelvin sign is no k.
func hasToken(lines []string, token string) bool {
	for member := range members(lines) {
		if len(member) == len(token) && strings.EqualFold(member, token) {
			return true
		}
	}
	return false
}

// splitQuoted yields the parts of s between separators that stand outside
// quoted strings (RFC 9110 §5.6.4), with the white space around them.
func splitQuoted(s string, separator byte) iter.Seq[string] {
	return func(yield func(string) bool) {
		start, quoted := 0, false
		for i := 0; i < len(s); i++ {
			switch c := s[i]; {
			case c == '"':
				quoted = !quoted
			case c == '\\' && quoted:
				i++
			case c == separator && !quoted:
				if !yield(s[start:i]) {
					return
				}
				start = i + 1
			}
		}
		yield(s[start:])
	}
}

// unquote returns the value of a token or quoted-string (RFC 9110 §5.6.4).
func unquote(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	s = s[1 : len(s)-1]
	if !strings.Contains(s, `\`) {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

// put makes value the only line of field name, or removes the field if value
// is "", and appends to log what that changed.
func put(h http.Header, name, value, why string, log []Change) []Change {
	lines, there := h[name]
	switch {
	case value == "" && !there, len(lines) == 1 && lines[0] == value && value != "":
		return log
	case value == "":
		return drop(h, name, why, log)
	case !there:
		h[name] = []string{value}
		return append(log, Change{name, Added, why})
	}
	h[name] = []string{value}
	return append(log, Change{name, Rewritten, why})
}

// drop removes the field name, which is there, and appends that to log.
func drop(h http.Header, name, why string, log []Change) []Change {
	delete(h, name)
	return append(log, Change{name, Removed, why})
}

// reduce is put for a value that is a part of what the field held.
func reduce(h http.Header, name, value, why string, log []Change) []Change {
	n := len(log)
	log = put(h, name, value, why, log)
	if len(log) > n && value != "" {
		log[n].Did = Reduced
	}
	return log
}

// shorten leaves of each line of field name what keep does, and of lines that it empties
// nothing, and appends to log if that changed any.
func shorten(h http.Header, name string, keep func(line string) string, why string, log []Change) []Change {
	lines := h[name]
	if !slices.ContainsFunc(lines, func(line string) bool { return keep(line) != line }) {
		return log
	}
	kept := make([]string, 0, len(lines))
	for _, line := range lines {
		if line = keep(line); line != "" {
			kept = append(kept, line)
		}
	}
	if len(kept) == 0 {
		return drop(h, name, why, log)
	}
	h[name] = kept
	return append(log, Change{name, Reduced, why})
}

// sorted puts what was logged since n in the order of field names: maps have
// none, and explanations should not change from run to run.
func sorted(log []Change, n int) []Change {
	if len(log)-n > 1 {
		slices.SortStableFunc(log[n:], func(a, b Change) int { return cmp.Compare(a.Field, b.Field) })
	}
	return log
}
