package config

import (
	"errors"
	"fmt"
	"slices"
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

// Openness says whether something may be used that is best closed.
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

// oneOf returns a parser for one of choices. Its errors list them.
func oneOf[T ~string](choices ...T) func(string) (any, error) {
	names := make([]string, len(choices))
	for i, c := range choices {
		names[i] = string(c)
	}
	return func(text string) (any, error) {
		if slices.Contains(names, text) {
			return T(text), nil
		}
		what := fmt.Sprintf("%s is not one of %s", quote(text), strings.Join(names, ", "))
		if s := closest(text, names); s != "" {
			what += "; did you mean " + s + "?"
		}
		return nil, errors.New(what)
	}
}
