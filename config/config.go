// Package config is guise's configuration: typed, layered and checked as a
// whole before anything runs on it.
//
// Call [Load]. It layers an embedded profile, a file, the environment and
// --set arguments with viper, in that order, and returns either a [Config]
// whose every value has been checked or all [Problems] at once. A file is
// never used in part.
//
// Keys are lower case. Viper would fold case and split on dots; guise
// refuses Cache and "cache.memory" as unknown keys, so that a key has one
// spelling in every format.
package config

import "net/netip"

// Config mirrors the configuration file. Every field holds what the profile
// says unless a later layer said otherwise; there are no hidden defaults.
type Config struct {
	Profile      Profile      `key:"profile"`
	Listeners    []Listener   `key:"listeners"`
	Access       Access       `key:"access"`
	Destinations Destinations `key:"destinations"`
	Headers      Headers      `key:"headers"`
	Cookies      Cookies      `key:"cookies"`
	Identity     Identity     `key:"identity"`
	Inspection   Inspection   `key:"inspection"`
	Cache        Cache        `key:"cache"`
	Upstream     Upstream     `key:"upstream"`
	Console      Console      `key:"console"`
	Admin        Admin        `key:"admin"`
	Log          Log          `key:"log"`
	Limits       Limits       `key:"limits"`
	Timeouts     Timeouts     `key:"timeouts"`
	Sites        []Site       `key:"sites"` // first match wins
}

// A Listener is one place where clients connect. It may be written as its
// address alone.
type Listener struct {
	Address  Address  `key:"address"`
	Protocol Protocol `key:"protocol"` // http if it is left out

	// Where https has its certificate: in PEM files, made on the spot, or
	// from an authority that speaks ACME.
	Certificate string `key:"certificate"`
	Key         string `key:"key"`
	SelfSigned  bool   `key:"self_signed"` // kept in certificate and key, if they are named
	ACME        ACME   `key:"acme"`

	ProxyProtocol bool           `key:"proxy_protocol"` // connections from relays name their client
	Relays        []netip.Prefix `key:"relays"`
}

// ACME is how a listener comes by a certificate of its own.
type ACME struct {
	Domains   []Domain `key:"domains"`
	Email     string   `key:"email"`     // for the authority; may be left out
	Directory HTTPSURL `key:"directory"` // the authority; Let's Encrypt if it is left out
	Storage   string   `key:"storage"`   // folder; the user's own if it is left out
	HTTPPort  int      `key:"http_port"` // where HTTP-01 is answered; 80 if it is left out
}

// Access says who may enter.
type Access struct {
	Networks       []netip.Prefix `key:"networks"`
	Deny           []netip.Prefix `key:"deny"` // closed within networks; the longer prefix decides
	Open           bool           `key:"open"` // states that anybody may enter
	Authentication Authentication `key:"authentication"`
	Users          string         `key:"users"`       // htpasswd file, for basic
	TokenKey       string         `key:"token_key"`   // file, for token
	Revoked        string         `key:"revoked"`     // file of names, token ids and serial numbers, for token and certificate
	Authorities    string         `key:"authorities"` // PEM file, for certificate
}

// Destinations says where requests may go.
type Destinations struct {
	Ports        []PortRange `key:"ports"`         // plain HTTP
	ConnectPorts []PortRange `key:"connect_ports"` // CONNECT
	AbusedPorts  Openness    `key:"abused_ports"`  // whether a range includes those of mail, chat, databases and the like
	Tunnels      Tunnels     `key:"tunnels"`
	Allow        []Place     `key:"allow"`      // let through the private-network guard
	Deny         []Place     `key:"deny"`       // goes before allow
	DenyLists    []string    `key:"deny_lists"` // files of hosts
}

// Headers says what becomes of request fields that no rule names.
type Headers struct {
	Unknown Unknown `key:"unknown"`
}

// Cookies is the policy for sites that set none of their own.
type Cookies struct {
	Default CookiePolicy `key:"default"`
}

// Identity is what origins see instead of the client.
type Identity struct {
	Persona         Persona      `key:"persona"`
	Language        Language     `key:"language"`
	SourceAddresses []netip.Addr `key:"source_addresses"` // one, or several in turn
}

// Inspection is TLS interception.
type Inspection struct {
	Enabled bool           `key:"enabled"`
	CA      string         `key:"ca"`      // folder of the certificate authority; "" is the user's own
	Default SiteInspection `key:"default"` // for sites that do not set it
}

// Cache bounds the store and says who shares it.
type Cache struct {
	Memory    Bytes     `key:"memory"` // 0 stores nothing
	Object    Bytes     `key:"object"` // largest body stored
	Sharing   Sharing   `key:"sharing"`
	Differing Differing `key:"differing"`
}

// Upstream is what guise itself goes through, if anything: a proxy, name servers.
type Upstream struct {
	Chain       []Hop      `key:"chain"`
	Authorities string     `key:"authorities"`  // PEM file of those who sign for an https proxy; "" for the system's
	NameServers []HTTPSURL `key:"name_servers"` // asked over HTTPS, in this order; none for the system's
}

// Console is the PAC file and the start page on the listener.
type Console struct {
	Enabled bool `key:"enabled"`
}

// Admin is where the operator's own tools connect, apart from all listeners.
type Admin struct {
	Address AdminAddress `key:"address"` // /metrics, /healthz, /readyz and /purge; "" for none
	Pprof   string       `key:"pprof"`   // path of a Unix socket; "" for none
}

// Log says how much is reported on standard error.
type Log struct {
	Level    Level       `key:"level"`
	Requests RequestLine `key:"requests"`
}

// Limits bounds what a client may send in one request head, and how much it
// may do.
type Limits struct {
	Head   Bytes `key:"head"`   // request line and fields together
	Line   Bytes `key:"line"`   // one field
	Fields int   `key:"fields"` // number of fields
	Target Bytes `key:"target"` // the request line's URL
	Client Share `key:"client"` // each client: a user, else an IPv4 address or IPv6 /64
	Total  Share `key:"total"`  // all together
}

// A Share is how much may be done. Zero sets no limit.
type Share struct {
	Requests    int   `key:"requests"`    // per second
	Burst       int   `key:"burst"`       // at once; 0 for one second's worth
	Connections int   `key:"connections"` // open at once
	Tunnels     int   `key:"tunnels"`     // open at once
	TunnelRate  int   `key:"tunnel_rate"` // new ones per second
	Upload      Bytes `key:"upload"`      // per second
	Download    Bytes `key:"download"`    // per second
	Daily       Bytes `key:"daily"`       // both ways, per day of UTC
}

// Timeouts bounds every wait.
type Timeouts struct {
	Head      Duration `key:"head"`       // reading one request head
	KeepAlive Duration `key:"keep_alive"` // idle client connection
	Body      Duration `key:"body"`       // each read of a body
	Write     Duration `key:"write"`      // each write
	Connect   Duration `key:"connect"`    // dialling an origin, all addresses together
	Response  Duration `key:"response"`   // waiting for an origin's response head
	Tunnel    Duration `key:"tunnel"`     // tunnel with no bytes in either direction
	Shutdown  Duration `key:"shutdown"`   // what running work gets to finish in at exit
}

// A Site overrides policy for the hosts that match. Zero fields keep the
// global policy.
type Site struct {
	Match      Pattern        `key:"match"`
	Cookies    CookiePolicy   `key:"cookies"`
	Headers    SiteHeaders    `key:"headers"`
	Inspection SiteInspection `key:"inspection"`
	Upstream   SiteUpstream   `key:"upstream"`
}

// SiteHeaders overrides [Headers] for one site.
type SiteHeaders struct {
	Unknown Unknown     `key:"unknown"`
	Allow   []FieldName `key:"allow"` // passed although no rule names them
}
