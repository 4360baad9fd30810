package config

import (
	"errors"
	"fmt"
	"strings"
)

// A Profile names an embedded starting point.
type Profile string

// The profiles.
const (
	Household Profile = "household"
	Public    Profile = "public"
	PAC       Profile = "pac"
)

// A Protocol is what a listener speaks with its clients.
type Protocol string

// The protocols.
const (
	HTTP   Protocol = "http"
	HTTPS  Protocol = "https"
	SOCKS5 Protocol = "socks5"
)

// Authentication is how a client proves who it is.
type Authentication string

// The kinds of authentication.
const (
	AuthNone        Authentication = "none"
	AuthBasic       Authentication = "basic"
	AuthToken       Authentication = "token"
	AuthCertificate Authentication = "certificate"
)

// Unknown is what happens to request fields that no rule names.
type Unknown string

// The choices for unknown fields.
const (
	Pass Unknown = "pass"
	Drop Unknown = "drop"
)

// A CookiePolicy says which cookies travel.
type CookiePolicy string

// The cookie policies.
const (
	CookiesPass       CookiePolicy = "pass"
	CookiesSession    CookiePolicy = "session"
	CookiesFirstParty CookiePolicy = "first-party"
	CookiesBlock      CookiePolicy = "block"
)

// A Persona names the header set that all clients share.
type Persona string

// The personas.
const (
	PersonaOff     Persona = "off"
	PersonaFirefox Persona = "firefox"
	PersonaChrome  Persona = "chrome"
)

// Sharing says who may reuse whose responses.
type Sharing string

// The modes of sharing.
const (
	SharingShared    Sharing = "shared"
	SharingDisguised Sharing = "disguised"
	SharingPerClient Sharing = "per-client"
)

// Differing says who may reuse long-lived content that an origin gave differently
// to two clients.
type Differing string

// The choices for content that differs.
const (
	DifferingShare    Differing = "share"    // as other content
	DifferingSeparate Differing = "separate" // nobody but who fetched it
)

// A Level is the least severe message that is logged.
type Level string

// The log levels.
const (
	LevelDebug Level = "debug"
	LevelInfo  Level = "info"
	LevelWarn  Level = "warn"
	LevelError Level = "error"
	LevelOff   Level = "off"
)

// Openness says whether something that is closed for good reasons may be used.
type Openness string

// The choices.
const (
	Open   Openness = "open"
	Closed Openness = "closed"
)

// Tunnels says what may go through CONNECT.
type Tunnels string

// The choices for tunnels.
const (
	TunnelsAny Tunnels = "any"
	TunnelsTLS Tunnels = "tls" // a TLS ClientHello for the host of CONNECT
)

// RequestLine is what is logged of each request.
type RequestLine string

// The choices for requests in the log.
const (
	RequestsNone      RequestLine = "none"
	RequestsAnonymous RequestLine = "anonymous" // minute, method, class of status, size bucket
)

// SiteInspection says whether a site's TLS is ended here.
type SiteInspection string

// The choices for one site.
const (
	InspectNever  SiteInspection = "false"
	InspectAlways SiteInspection = "true"
	InspectAuto   SiteInspection = "auto"
)

// SiteUpstream says whether a site is reached through upstream.chain.
type SiteUpstream string

// The choices for one site.
const (
	UpstreamChain  SiteUpstream = "chain"
	UpstreamDirect SiteUpstream = "direct"
)

// UnmarshalText accepts the name of an embedded profile.
func (p *Profile) UnmarshalText(text []byte) error {
	return choose(p, text, Household, Public, PAC)
}

// UnmarshalText accepts a protocol that this version speaks.
func (p *Protocol) UnmarshalText(text []byte) error {
	return choose(p, text, HTTP, HTTPS, SOCKS5)
}

// UnmarshalText accepts a kind of authentication.
func (a *Authentication) UnmarshalText(text []byte) error {
	return choose(a, text, AuthNone, AuthBasic, AuthToken, AuthCertificate)
}

// UnmarshalText accepts open or closed.
func (o *Openness) UnmarshalText(text []byte) error { return choose(o, text, Open, Closed) }

// UnmarshalText accepts any or tls.
func (t *Tunnels) UnmarshalText(text []byte) error { return choose(t, text, TunnelsAny, TunnelsTLS) }

// UnmarshalText accepts none or anonymous.
func (r *RequestLine) UnmarshalText(text []byte) error {
	return choose(r, text, RequestsNone, RequestsAnonymous)
}

// UnmarshalText accepts chain or direct.
func (u *SiteUpstream) UnmarshalText(text []byte) error {
	return choose(u, text, UpstreamChain, UpstreamDirect)
}

// UnmarshalText accepts pass or drop.
func (u *Unknown) UnmarshalText(text []byte) error { return choose(u, text, Pass, Drop) }

// UnmarshalText accepts the name of a cookie policy.
func (c *CookiePolicy) UnmarshalText(text []byte) error {
	return choose(c, text, CookiesPass, CookiesSession, CookiesFirstParty, CookiesBlock)
}

// UnmarshalText accepts the name of a persona.
func (p *Persona) UnmarshalText(text []byte) error {
	return choose(p, text, PersonaOff, PersonaFirefox, PersonaChrome)
}

// UnmarshalText accepts the name of a mode of sharing.
func (s *Sharing) UnmarshalText(text []byte) error {
	return choose(s, text, SharingShared, SharingDisguised, SharingPerClient)
}

// UnmarshalText accepts share or separate.
func (d *Differing) UnmarshalText(text []byte) error {
	return choose(d, text, DifferingShare, DifferingSeparate)
}

// UnmarshalText accepts the name of a log level.
func (l *Level) UnmarshalText(text []byte) error {
	return choose(l, text, LevelDebug, LevelInfo, LevelWarn, LevelError, LevelOff)
}

// UnmarshalText accepts false, true and auto.
func (s *SiteInspection) UnmarshalText(text []byte) error {
	return choose(s, text, InspectNever, InspectAlways, InspectAuto)
}

// choose sets *dst to the choice spelled by text, or says what the choices are.
func choose[T ~string](dst *T, text []byte, choices ...T) error {
	names := make([]string, len(choices))
	for i, c := range choices {
		if string(text) == string(c) {
			*dst = c
			return nil
		}
		names[i] = string(c)
	}
	what := fmt.Sprintf("%s is not one of %s", quote(string(text)), strings.Join(names, ", "))
	if s := closest(string(text), names); s != "" {
		what += "; did you mean " + s + "?"
	}
	return errors.New(what)
}
