package config

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// A Problem is one thing wrong with a configuration.
type Problem struct {
	File string // file as it was named, or environment variable, or "--set"
	Line int    // from 1; 0 for sources that have no lines
	Key  string // key as in cache.memory or sites[0].match; "" if none is meant
	What string // what is wrong, and what is wanted
	Note bool   // nothing is wrong, but it may not be meant
}

// String returns p on one line, as FILE:LINE: key: what is wrong; a note has "note: "
// before the key.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		b.WriteString(":" + strconv.Itoa(p.Line))
	}
	b.WriteString(": ")
	if p.Note {
		b.WriteString("note: ")
	}
	if p.Key != "" {
		b.WriteString(printable(p.Key) + ": ")
	}
	b.WriteString(printable(p.What))
	return b.String()
}

// Problems is everything wrong with a configuration, in the order in which
// a person would mend it: by file, then by line. None means that it is fine.
type Problems []Problem

// String returns one line for each problem.
func (ps Problems) String() string {
	var b strings.Builder
	for _, p := range ps {
		b.WriteString(p.String() + "\n")
	}
	return b.String()
}

func (ps Problems) sort() {
	rank := func(p Problem) int {
		switch {
		case p.Line > 0:
			return 0
		case p.File != setSource:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
}

// quote returns a configured value for a message: on one line, and not long.
func quote(s string) string {
	if len(s) > 60 {
		s = strings.ToValidUTF8(s[:60], "") + "..."
	}
	return strconv.Quote(s)
}

// printable keeps a key that holds line breaks or terminal controls from
// breaking the report.
func printable(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}
