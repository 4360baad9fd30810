package inspect

import (
	"fmt"
	"strings"
)

// A Mode says whether the TLS of a host is ended here.
type Mode uint8

// The modes.
const (
	Never  Mode = iota // a tunnel
	Always             // ended here; what cannot be is refused
	Auto               // ended here where that works, else a tunnel
)

// A Site changes the mode for the hosts it matches.
type Site struct {
	Match string // "host", or "*.host" for every name below host
	Mode  Mode
}

// Rules say which hosts are inspected. The first site that matches decides;
// hosts that none matches are [Auto].
type Rules []Site

// NewRules checks sites and brings them into the form that hosts have.
func NewRules(sites []Site) (Rules, error) {
	rules := make(Rules, len(sites))
	for i, s := range sites {
		host := strings.Trim(strings.TrimPrefix(s.Match, "*."), "[]")
		if host == "" || strings.ContainsAny(host, "*/ []") {
			return nil, fmt.Errorf("site %q is not a host or *.host", s.Match)
		}
		rules[i] = Site{strings.ToLower(strings.TrimSuffix(strings.Replace(s.Match, "["+host+"]", host, 1), ".")), s.Mode}
	}
	return rules, nil
}

// Mode returns what holds for host, a lower-case name or an address.
func (r Rules) Mode(host string) Mode {
	for _, s := range r {
		if parent, below := strings.CutPrefix(s.Match, "*"); below {
			if len(host) > len(parent) && strings.HasSuffix(host, parent) {
				return s.Mode
			}
		} else if host == s.Match {
			return s.Mode
		}
	}
	return Auto
}
