package cache

import (
	"iter"
	"math/bits"
	"net/http"
	"strings"
)

// fields are those of a message in one piece of memory that points nowhere: for each
// line its name and its value, each after its length, lines of one name in a row. The
// collector follows a map and each list in it whenever it collects, and these never.
type fields string

// fieldsOf returns the fields of h.
func fieldsOf(h http.Header) fields {
	size := 0
	for name, lines := range h {
		size += fieldSize(name, lines)
	}
	var b strings.Builder
	b.Grow(size)
	for name, lines := range h {
		putField(&b, name, lines)
	}
	return fields(b.String())
}

// putField writes each of the lines with the name before it.
func putField(b *strings.Builder, name string, lines []string) {
	for _, line := range lines {
		putText(b, name)
		putText(b, line)
	}
}

// fieldSize returns how much putField writes.
func fieldSize(name string, lines []string) int {
	size := len(lines) * textSize(name)
	for _, line := range lines {
		size += textSize(line)
	}
	return size
}

// putText writes s after its length: seven bits in a byte, the lowest first, and the
// eighth in all but the last.
func putText(b *strings.Builder, s string) {
	n := len(s)
	for ; n >= 0x80; n >>= 7 {
		b.WriteByte(byte(n) | 0x80)
	}
	b.WriteByte(byte(n))
	b.WriteString(s)
}

// textSize returns how much putText writes.
func textSize(s string) int { return max(1, (bits.Len(uint(len(s)))+6)/7) + len(s) }

// cutText returns the text that s begins with, and what comes after it.
func cutText(s string) (text, rest string) {
	n, at := 0, 0
	for ; s[at] >= 0x80; at++ {
		n |= int(s[at]&0x7f) << (7 * at)
	}
	n |= int(s[at]) << (7 * at)
	return s[at+1 : at+1+n], s[at+1+n:]
}

// cut returns the first line with its name, and what comes after it.
func (f fields) cut() (name, line string, rest fields) {
	name, after := cutText(string(f))
	line, after = cutText(after)
	return name, line, fields(after)
}

// all returns each line with its name.
func (f fields) all() iter.Seq2[string, string] {
	return func(yield func(name, line string) bool) {
		for f != "" {
			var name, line string
			if name, line, f = f.cut(); !yield(name, line) {
				return
			}
		}
	}
}

// lines returns those of a name.
func (f fields) lines(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for n, line := range f.all() {
			if n == name && !yield(line) {
				return
			}
		}
	}
}

// get returns the first line of a name, "" for none.
func (f fields) get(name string) string {
	for line := range f.lines(name) {
		return line
	}
	return ""
}

// equal reports whether lines are those of a name.
func (f fields) equal(name string, lines []string) bool {
	for f != "" { // an iterator would cost each hit an allocation
		var n, line string
		if n, line, f = f.cut(); n != name {
			continue
		}
		if len(lines) == 0 || lines[0] != line {
			return false
		}
		lines = lines[1:]
	}
	return len(lines) == 0
}

// header returns the fields as a map of the caller's own, with room for more.
func (f fields) header() http.Header {
	count, names, last := 0, 0, ""
	for name := range f.all() {
		if count++; name != last {
			names, last = names+1, name
		}
	}
	h, all := make(http.Header, names+1), make([]string, 0, count)
	for name, line := range f.all() {
		at := len(all)
		if own := h[name]; own != nil {
			at -= len(own)
		}
		all = append(all, line)
		h[name] = all[at:len(all):len(all)]
	}
	return h
}
