package inspect

import (
	"fmt"
	"strings"
)

// A Mode says whether the TLS of a host is terminated here.
type Mode uint8

// The modes.
const (
	Never  Mode = iota // a tunnel
	Always             // terminated; what cannot be is refused
	Auto               // terminated where that works, else a tunnel
)

// A Site changes the mode for the hosts it matches.
type Site struct {
	Match string // "host", or "*.host" for every name below host
	Mode  Mode
}

// Rules say which hosts are inspected.
type Rules struct {
	sites     []Site
	otherwise Mode
}

// NewRules returns rules under which the first of sites that matches a host decides, and
// otherwise holds for hosts that none matches. It fails if a Match is neither a host nor
// *.host.
func NewRules(sites []Site, otherwise Mode) (Rules, error) {
	r := Rules{otherwise: otherwise}
	for _, s := range sites {
		host := strings.Trim(strings.TrimPrefix(s.Match, "*."), "[]")
		if host == "" || strings.ContainsAny(host, "*/ []") {
			return Rules{}, fmt.Errorf("site %q is not a host or *.host", s.Match)
		}
		match := strings.Replace(s.Match, "["+host+"]", host, 1)
		r.sites = append(r.sites, Site{strings.ToLower(strings.TrimSuffix(match, ".")), s.Mode})
	}
	return r, nil
}

// Mode returns what holds for host, a lower-case name or an address.
func (r Rules) Mode(host string) Mode {
	for _, s := range r.sites {
		if parent, below := strings.CutPrefix(s.Match, "*"); below {
			if len(host) > len(parent) && strings.HasSuffix(host, parent) {
				return s.Mode
			}
		} else if host == s.Match {
			return s.Mode
		}
	}
	return r.otherwise
}
