package filters

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/textproto"
	"strings"
)

// Options configures [New]. The zero value is the household default.
type Options struct {
	Unknown  UnknownPolicy // fields that no rule names
	Cookies  CookiePolicy
	Persona  string // one of [Personas]; "" means firefox
	Language string // BCP 47 tag that all visitors prefer; "" means en-US
	Sites    []Site // first match wins
}

// A Site changes the options for the hosts it matches.
type Site struct {
	Match   string        // "host", or "*.host" for every name below host
	Cookies CookiePolicy  // zero inherits
	Unknown UnknownPolicy // zero inherits
	Allow   []string      // further field names that may pass to these hosts
}

// Ruled returns why [Site.Allow] changes nothing about a field of the given
// name: filters decide about it on every site. It returns "" where it does.
func Ruled(name string) string {
	switch v := names.judge(textproto.CanonicalMIMEHeaderKey(name)); {
	case v.class == disguised && v.why == "":
		return "every browser sends it" // an ordinary one
	case tellsByName(v.class) || v.class == framing:
		return v.why
	}
	return ""
}

// UnknownPolicy says what happens to fields that no rule names.
type UnknownPolicy uint8

// The policies for fields that no rule names.
const (
	UnknownDefault UnknownPolicy = iota // inherit; at the top UnknownPass
	UnknownPass                         // pass what is judged harmless by name and value
	UnknownDrop                         // pass only registered fields that serve the request
)

// CookiePolicy says which cookies pass between client and origin.
type CookiePolicy uint8

// The cookie policies.
const (
	CookiesDefault    CookiePolicy = iota // inherit; at the top CookiesFirstParty
	CookiesPass                           // all
	CookiesSession                        // all, with their persistence removed
	CookiesFirstParty                     // third-party requests neither send nor set any
	CookiesBlock                          // none
)

// A Set holds the filters of one configuration, in order. It is safe for
// concurrent use.
type Set struct {
	persona *persona
	home    pipeline // for hosts that no site matches
	sites   []siteRule
}

// A pipeline lists the filters for one group of hosts.
type pipeline struct {
	request, response []Filter
	cookies           cookies
}

type siteRule struct {
	match string // lower case, without trailing dot
	below bool   // match names below it instead of itself
	pipeline
}

// New builds the filters that o asks for. It fails if o names a persona that
// does not exist, a language that is none, or a site pattern that is neither
// a host nor "*.host".
func New(o Options) (*Set, error) {
	p, err := loadPersona(cmp.Or(o.Persona, "firefox"), cmp.Or(o.Language, "en-US"))
	if err != nil {
		return nil, err
	}
	s := &Set{persona: p, home: o.pipeline(p, nil)}
	var errs []error
	for _, site := range o.Sites {
		rule, err := newSiteRule(site.Match)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		rule.pipeline = o.at(site).pipeline(p, site.Allow)
		s.sites = append(s.sites, rule)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return s, nil
}

// at returns o as it holds for site.
func (o Options) at(site Site) Options {
	o.Cookies, o.Unknown = cmp.Or(site.Cookies, o.Cookies), cmp.Or(site.Unknown, o.Unknown)
	return o
}

// pipeline lists the filters, in the order in which they run. What removes
// comes first, then what rebuilds from what is left, then the persona, so that
// nothing after it depends on the client but what the client's proof needs.
func (o Options) pipeline(p *persona, allow []string) pipeline {
	unknown := unknownFields{o.Unknown, allow}
	return pipeline{
		cookies: cookies{o.Cookies},
		request: []Filter{
			cleanURL{},
			hopByHop{},
			clientRoute{},
			clientIdentity{},
			cookies{o.Cookies},
			// Reads what is a proof, when no filter before it takes that away.
			unknown,
			fileNames{},
			ownAddress{unknown}, // a search through whole values: of those that would pass
			originField{p},
			fetchMetadata{p}, // reads Origin and Referer
			preflight{p},
			prefetching{},
			referer{p},
			negotiation{p},
			webSocket{},
			p,
			signedFields{},
		},
		response: []Filter{
			responseFields{},
			redirects{},
			cookies{o.Cookies},
			reports{},
			challenges{},
			browserState{},
			preflight{p},
		},
	}
}

func newSiteRule(pattern string) (siteRule, error) {
	host, below := strings.CutPrefix(pattern, "*.")
	host = foldHost(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	if host == "" || strings.ContainsAny(host, "*/ []") {
		return siteRule{}, fmt.Errorf("site %q is not a host or *.host", pattern)
	}
	return siteRule{match: host, below: below}, nil
}

// foldHost returns host in the one form that comparisons use.
func foldHost(host string) string {
	return strings.TrimSuffix(strings.ToLower(host), ".")
}

// Read learns what r is for, before anything is removed from it. client is
// the address the request came from; the zero Addr if unknown.
func (s *Set) Read(r *http.Request, client netip.Addr) *Message {
	return &Message{Request: r, Client: client, Visit: readVisit(r)}
}

// Request scrubs m.Request in place and appends what it changed to log.
func (s *Set) Request(m *Message, log []Change) []Change {
	return apply(s.at(m).request, m, log)
}

// Response scrubs m.Response in place and appends what it changed to log.
func (s *Set) Response(m *Message, log []Change) []Change {
	if allUntouched(m.Response.Header) && m.Visit.withheld == nil {
		return log
	}
	return apply(s.at(m).response, m, log)
}

// GivesFirstCookie reports whether m's answer gives a browser that has no cookies one that
// comes with its next request for the same URL. It reads the answer as the origin sent it.
func (s *Set) GivesFirstCookie(m *Message) bool { return s.at(m).cookies.given(m) }

// FieldOrder returns the names of m.Request's fields in the order and the
// case in which the persona's browser writes them on HTTP/1.1, with names that
// the request need not have, and behind them, as name: value, fields that it adds
// over HTTP/2. After [Set.Scrub] it speaks of what that left. The caller must not
// change the slice.
func (s *Set) FieldOrder(m *Message) []string {
	if m.order != nil {
		return m.order
	}
	h := m.Request.Header
	return s.persona.order(m.Visit.Kind.on(m.Request.URL.Scheme), h).of(h)
}

// HTTP2 returns what the persona's HTTP/2 connections begin with. The caller must not
// change it.
func (s *Set) HTTP2() HTTP2 { return s.persona.http2 }

func apply(list []Filter, m *Message, log []Change) []Change {
	for _, f := range list {
		log = f.Apply(m, log)
	}
	return log
}

func (s *Set) at(m *Message) pipeline {
	if len(s.sites) == 0 {
		return s.home
	}
	host := foldHost(m.Request.URL.Hostname())
	for i := range s.sites {
		rule := &s.sites[i]
		above, ends := strings.CutSuffix(host, rule.match)
		if ends && (rule.below && len(above) > 1 && above[len(above)-1] == '.' || !rule.below && above == "") {
			return rule.pipeline
		}
	}
	return s.home
}
