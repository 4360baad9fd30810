package inspect

import (
	"maps"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/net/publicsuffix"

	"guise/cache/lru"
)

const (
	hstsSites = 4096
	hstsHosts = 16 // of one registrable domain
	hstsMost  = 365 * 24 * time.Hour
)

// HSTS keeps what origins say by Strict-Transport-Security (RFC 6797), once for all
// clients and once for each name under which clients are kept apart. In a browser, which
// of a site's many host names have it is a cookie that nobody can delete; what all share
// identifies nobody. It is safe for concurrent use.
type HSTS struct {
	now func() time.Time

	mu    sync.Mutex
	sites *simplelru.LRU[hstsSite, map[string]policy] // then by host
}

// An hstsSite is a registrable domain, for those who are kept apart under a name, ""
// for all others.
type hstsSite struct{ apart, domain string }

type policy struct {
	until      time.Time
	subdomains bool
}

// NewHSTS returns an empty HSTS.
func NewHSTS() *HSTS {
	return &HSTS{now: time.Now, sites: lru.New[hstsSite, map[string]policy](hstsSites)}
}

// Note takes the values of the field that host, a lower-case name, sent over a connection
// whose certificate was verified. apart is the name under which the client is kept apart,
// "" for none. Only the first value counts (§8.1); a malformed one says nothing.
//
// It returns the field's value for the client, "" for none: a registrable domain's policy
// for all names below it, or the end of its own, so that a browser keeps to it without
// guise. Policies of single names stay here: a site would write such a cookie with them
// (WebKit, "Protecting Against HSTS Abuse", 2018, draws the same line).
func (s *HSTS) Note(apart, host string, values []string) (onward string) {
	if len(values) == 0 {
		return ""
	}
	age, subdomains, ok := parseHSTS(values[0])
	site := siteOf(host)
	if !ok || site == "" {
		return ""
	}
	// Clones: these are parts of a request's whole head.
	s.note(hstsSite{strings.Clone(apart), strings.Clone(site)}, strings.Clone(host), age, subdomains)
	switch {
	case host != site:
		return ""
	case subdomains:
		return "max-age=" + strconv.FormatInt(int64(age/time.Second), 10) + "; includeSubDomains"
	case age == 0:
		return "max-age=0"
	}
	return ""
}

func (s *HSTS) note(site hstsSite, host string, age time.Duration, subdomains bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	hosts, _ := s.sites.Get(site)
	if age == 0 {
		delete(hosts, host)
		return
	}
	if hosts == nil {
		hosts = make(map[string]policy)
		s.sites.Add(site, hosts)
	}
	now := s.now()
	maps.DeleteFunc(hosts, func(_ string, p policy) bool { return !now.Before(p.until) })
	if _, known := hosts[host]; known || len(hosts) < hstsHosts {
		hosts[host] = policy{now.Add(age), subdomains}
	}
}

// Applies reports whether host, a lower-case name, is to be visited by https
// only (§8.2). apart is as in Note.
func (s *HSTS) Applies(apart, host string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	hosts, _ := s.sites.Get(hstsSite{apart, siteOf(host)})
	for name, parent := host, false; name != ""; parent = true {
		if p := hosts[name]; s.now().Before(p.until) && (!parent || p.subdomains) {
			return true
		}
		_, name, _ = strings.Cut(name, ".")
	}
	return false
}

// siteOf returns the registrable domain of host, "" if it has none. Addresses have none,
// nor has a public suffix: it would speak for everyone below it.
func siteOf(host string) string {
	site, _ := publicsuffix.EffectiveTLDPlusOne(host)
	return site
}

// parseHSTS reads the field's value (§6.1). Each directive may be there once.
func parseHSTS(value string) (age time.Duration, subdomains, ok bool) {
	seen := make(map[string]bool)
	for directive := range strings.SplitSeq(value, ";") {
		name, argument, valued := strings.Cut(directive, "=")
		name = strings.ToLower(strings.Trim(name, " \t"))
		if name == "" {
			continue
		}
		if seen[name] {
			return 0, false, false
		}
		seen[name] = true
		switch name {
		case "max-age":
			argument = strings.Trim(argument, " \t")
			if n := len(argument); n >= 2 && argument[0] == '"' && argument[n-1] == '"' {
				argument = argument[1 : n-1]
			}
			if argument == "" || strings.Trim(argument, "0123456789") != "" {
				return 0, false, false
			}
			seconds, _ := strconv.ParseInt(argument, 10, 64) // the largest int64 for what is larger
			age = time.Duration(min(seconds, int64(hstsMost/time.Second))) * time.Second
		case "includesubdomains":
			if valued {
				return 0, false, false
			}
			subdomains = true
		}
	}
	return age, subdomains, seen["max-age"]
}
