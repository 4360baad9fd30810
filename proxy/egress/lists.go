package egress

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"strings"
)

// A Listed says what was read of a list of hosts.
type Listed struct {
	Path    string
	Hosts   int // that it closes
	Left    int // lines that were left out
	LeftAt  int // the first of them, from 1
	entries []listEntry
}

// A listEntry is what one name of a list means.
type listEntry struct {
	name  string // in canonical form
	below bool   // it, and every name below it
	open  bool   // although another entry closes it
}

// maxList bounds a list: the largest that are published have a tenth of it.
const maxList = 128 << 20 // octets

// ReadList reads a list of hosts that are closed, one a line, in any of the forms in
// which such lists are published:
//
//	ads.example            this host
//	0.0.0.0 ads.example    the same, as in /etc/hosts; so are 127.0.0.1, :: and ::1
//	.ads.example           this host and all below it (Squid)
//	*.ads.example          the same
//	||ads.example^         the same (Adblock)
//	|ads.example^          this host alone
//	@@||cdn.example^       this host and all below it stay open
//	@@|cdn.example^        this host alone does
//
// Adblock's hosts may be followed by a | for the end of the address, and by $all,
// $important or both; nothing here is more important than an exception. What follows a #
// at the beginning of a line or behind a blank is a comment, behind an address anywhere
// (hosts(5)), and so is a line that begins with ! or [.
// Any other line is left out, and counted: rules about paths or parts of pages
// (news.example##.ad) are for browsers. A line of several names, some of which are no
// hosts, is counted, but closes the others. Without any host, ReadList fails.
func ReadList(path string) (*Listed, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxList+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > maxList:
		return nil, fmt.Errorf("%s: larger than %d MiB", path, maxList>>20)
	}
	l := parseList(string(data))
	l.Path = path
	if l.Hosts == 0 && len(l.entries) == 0 {
		return nil, fmt.Errorf("%s: names no host", path)
	}
	return l, nil
}

func parseList(text string) *Listed {
	l := new(Listed)
	number := 0
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) {
		number++
		if err := l.add(line); err != nil {
			if l.Left++; l.Left == 1 {
				l.LeftAt = number
			}
		}
	}
	return l
}

var errNoHost = errors.New("not a host")

// add takes one line in.
func (l *Listed) add(line string) error {
	line = strings.TrimSpace(strings.ReplaceAll(line, "\t", " "))
	if line == "" || line[0] == '#' || line[0] == '!' || line[0] == '[' {
		return nil
	}
	line, _, _ = strings.Cut(line, " #")
	first, names, hostsFile := strings.Cut(strings.TrimSpace(line), " ")
	if !hostsFile {
		return l.addRule(first)
	}
	addr, err := netip.ParseAddr(first)
	if err != nil {
		return errNoHost
	}
	names, _, _ = strings.Cut(names, "#")
	for name := range strings.FieldsSeq(names) {
		switch {
		case !strings.Contains(name, ".") || name == "localhost.localdomain":
			// localhost and its kin, such as ip6-allnodes, are in every such file
		case !addr.IsUnspecified() && !addr.IsLoopback():
			err = errNoHost // where a host is, and not that it is closed
		default:
			err = cmp.Or(l.addName(name, false, false), err)
		}
	}
	return err
}

// addRule takes in a line that is one word.
func (l *Listed) addRule(rule string) error {
	rest, open := strings.CutPrefix(rule, "@@")
	for _, anchor := range []struct {
		text  string
		below bool
	}{{"||", true}, {"|", false}} {
		if name, ok := strings.CutPrefix(rest, anchor.text); ok {
			name, options, some := strings.Cut(name, "$")
			name, ok = strings.CutSuffix(strings.TrimSuffix(name, "|"), "^")
			if !ok || some && !aboutWholeHosts(options) {
				return errNoHost
			}
			return l.addName(name, anchor.below, open)
		}
	}
	if open {
		return errNoHost
	}
	for _, below := range []string{"*.", "."} {
		if name, ok := strings.CutPrefix(rule, below); ok {
			return l.addName(name, true, false)
		}
	}
	return l.addName(rule, false, false)
}

// aboutWholeHosts reports whether a rule of Adblock with options is still about a host as a
// whole: $all means every kind of content, and pages that are visited.
func aboutWholeHosts(options string) bool {
	for option := range strings.SplitSeq(options, ",") {
		if option != "all" && option != "important" {
			return false
		}
	}
	return true
}

func (l *Listed) addName(name string, below, open bool) error {
	if addr, err := netip.ParseAddr(name); err == nil && addr.IsUnspecified() {
		return nil // 0.0.0.0 0.0.0.0 is in many a hosts file
	}
	t, err := Canonical(name, 80)
	if err != nil || t.Addr.IsValid() || strings.Contains(name, ":") {
		return errNoHost
	}
	l.entries = append(l.entries, listEntry{t.Host, below, open})
	if !open {
		l.Hosts++
	}
	return nil
}

// A blocklist is all lists of an egress together. The zero value lists nothing.
type blocklist struct{ closed, open nameSet }

func (b *blocklist) take(l *Listed) {
	for _, e := range l.entries {
		if e.open {
			b.open.add(e.name, e.below)
		} else {
			b.closed.add(e.name, e.below)
		}
	}
}

// has reports whether host, in canonical form, is closed.
func (b *blocklist) has(host string) bool {
	return b.closed.has(host) && !b.open.has(host)
}

// A nameSet is a set of names in canonical form. The zero value is empty.
type nameSet struct {
	exact map[string]bool
	below map[string]bool // with every name below them
}

func (n *nameSet) add(name string, below bool) {
	set := &n.exact
	if below {
		set = &n.below
	}
	if *set == nil {
		*set = make(map[string]bool)
	}
	(*set)[name] = true
}

func (n *nameSet) equal(o *nameSet) bool {
	return maps.Equal(n.exact, o.exact) && maps.Equal(n.below, o.below)
}

func (n *nameSet) empty() bool { return len(n.exact) == 0 && len(n.below) == 0 }

// has reports whether host is one of n.exact, or of n.below, or below one of the latter.
func (n *nameSet) has(host string) bool {
	if n.exact[host] {
		return true
	}
	for len(n.below) > 0 {
		if n.below[host] {
			return true
		}
		_, parent, more := strings.Cut(host, ".")
		if !more {
			return false
		}
		host = parent
	}
	return false
}
