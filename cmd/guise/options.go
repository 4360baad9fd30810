package main

import (
	"io"
	"log/slog"
	"math"
	"net/url"
	"time"

	"guise/cache"
	"guise/config"
	"guise/filters"
	"guise/proxy"
	"guise/proxy/egress"
	"guise/proxy/gate"
	"guise/proxy/inspect"
	"guise/proxy/wire"
)

// proxyOptions translates c for the proxy. Every key of c that changes what the proxy
// does is here; the listeners and timeouts.shutdown are for whoever runs it.
func proxyOptions(c *config.Config, stderr io.Writer) proxy.Options {
	return proxy.Options{
		Gate:    gateOptions(c),
		Filters: filterOptions(c),
		Cache:   cacheOptions(c.Cache),
		Egress:  egressOptions(c),
		Limits: wire.Limits{
			Head:   int(c.Limits.Head),
			Line:   int(c.Limits.Line),
			Fields: c.Limits.Fields,
			Target: int(c.Limits.Target),
		},
		Timeouts: proxy.Timeouts{
			Head:      time.Duration(c.Timeouts.Head),
			KeepAlive: time.Duration(c.Timeouts.KeepAlive),
			Body:      time.Duration(c.Timeouts.Body),
			Write:     time.Duration(c.Timeouts.Write),
			Connect:   time.Duration(c.Timeouts.Connect),
			Response:  time.Duration(c.Timeouts.Response),
			Tunnel:    time.Duration(c.Timeouts.Tunnel),
		},
		Inspection: inspectionOptions(c),
		TunnelTLS:  c.Destinations.Tunnels == config.TunnelsTLS,
		Console:    c.Console.Enabled,
		Log:        logger(c.Log.Level, stderr),

		LogRequests: c.Log.Requests == config.RequestsAnonymous,
	}
}

var authentications = map[config.Authentication]gate.Authentication{
	config.AuthNone:        gate.None,
	config.AuthBasic:       gate.Basic,
	config.AuthToken:       gate.Token,
	config.AuthCertificate: gate.Certificate,
}

func gateOptions(c *config.Config) gate.Options {
	return gate.Options{
		Networks:       c.Access.Networks,
		Deny:           c.Access.Deny,
		Authentication: authentications[c.Access.Authentication],
		Users:          c.Access.Users,
		TokenKey:       c.Access.TokenKey,
		Revoked:        c.Access.Revoked,
		Authorities:    c.Access.Authorities,
		Client:         gateLimits(c.Limits.Client),
		Total:          gateLimits(c.Limits.Total),
	}
}

func gateLimits(s config.Share) gate.Limits {
	return gate.Limits{
		Requests:    s.Requests,
		Burst:       s.Burst,
		Connections: s.Connections,
		Tunnels:     s.Tunnels,
		TunnelRate:  s.TunnelRate,
		Upload:      int64(s.Upload),
		Download:    int64(s.Download),
		Daily:       int64(s.Daily),
	}
}

var inspectionModes = map[config.SiteInspection]inspect.Mode{
	config.InspectNever:  inspect.Never,
	config.InspectAlways: inspect.Always,
	config.InspectAuto:   inspect.Auto,
}

func inspectionOptions(c *config.Config) proxy.Inspection {
	o := proxy.Inspection{Enabled: c.Inspection.Enabled, CA: caFolder(c), Default: inspectionModes[c.Inspection.Default]}
	for _, s := range c.Sites {
		mode := o.Default
		if s.Inspection != "" {
			mode = inspectionModes[s.Inspection]
		}
		o.Sites = append(o.Sites, inspect.Site{Match: string(s.Match), Mode: mode})
	}
	return o
}

var unknownPolicies = map[config.Unknown]filters.UnknownPolicy{
	"":          filters.UnknownDefault,
	config.Pass: filters.UnknownPass,
	config.Drop: filters.UnknownDrop,
}

var cookiePolicies = map[config.CookiePolicy]filters.CookiePolicy{
	"":                       filters.CookiesDefault,
	config.CookiesPass:       filters.CookiesPass,
	config.CookiesSession:    filters.CookiesSession,
	config.CookiesFirstParty: filters.CookiesFirstParty,
	config.CookiesBlock:      filters.CookiesBlock,
}

func filterOptions(c *config.Config) filters.Options {
	o := filters.Options{
		Unknown:  unknownPolicies[c.Headers.Unknown],
		Cookies:  cookiePolicies[c.Cookies.Default],
		Persona:  string(c.Identity.Persona),
		Language: string(c.Identity.Language),
	}
	for _, s := range c.Sites {
		site := filters.Site{
			Match:   string(s.Match),
			Cookies: cookiePolicies[s.Cookies],
			Unknown: unknownPolicies[s.Headers.Unknown],
		}
		for _, name := range s.Headers.Allow {
			site.Allow = append(site.Allow, string(name))
		}
		o.Sites = append(o.Sites, site)
	}
	return o
}

var sharings = map[config.Sharing]cache.Sharing{
	config.SharingDisguised: cache.Disguised,
	config.SharingShared:    cache.Shared,
	config.SharingPerClient: cache.PerClient,
}

func cacheOptions(c config.Cache) cache.Options {
	o := cache.Options{
		Memory: int64(c.Memory), Object: int64(min(c.Object, c.Memory)), Sharing: sharings[c.Sharing],
		Distrust: c.Differing == config.DifferingSeparate,
	}
	if c.Memory == 0 {
		o.Memory = -1 // the cache reads 0 as its default
	}
	return o
}

func egressOptions(c *config.Config) egress.Options {
	o := egress.Options{
		SourceAddresses: c.Identity.SourceAddresses,
		Ports:           portRanges(c.Destinations.Ports),
		ConnectPorts:    portRanges(c.Destinations.ConnectPorts),
		CloseAbused:     c.Destinations.AbusedPorts == config.Closed,
		DenyLists:       c.Destinations.DenyLists,
		ChainRoots:      c.Upstream.Authorities,
	}
	for _, hop := range c.Upstream.Chain {
		o.Chain = append(o.Chain, &hop.URL)
	}
	for _, s := range c.Sites {
		o.Sites = append(o.Sites, egress.Site{Match: string(s.Match), Direct: s.Upstream == config.UpstreamDirect})
	}
	for _, server := range c.Upstream.NameServers {
		if u, err := url.Parse(string(server)); err == nil { // config has parsed it before
			o.NameServers = append(o.NameServers, u)
		}
	}
	for _, place := range c.Destinations.Allow {
		o.Allow = append(o.Allow, string(place))
	}
	for _, place := range c.Destinations.Deny {
		o.Deny = append(o.Deny, string(place))
	}
	return o
}

// portRanges is never nil: no port in the configuration means none.
func portRanges(ports []config.PortRange) []egress.PortRange {
	ranges := make([]egress.PortRange, len(ports))
	for i, p := range ports {
		ranges[i] = egress.PortRange{First: p.First, Last: p.Last}
	}
	return ranges
}

var levels = map[config.Level]slog.Level{
	config.LevelDebug: slog.LevelDebug,
	config.LevelInfo:  slog.LevelInfo,
	config.LevelWarn:  slog.LevelWarn,
	config.LevelError: slog.LevelError,
	config.LevelOff:   math.MaxInt,
}

// logger returns nil, which logs nothing, for the level off.
func logger(level config.Level, stderr io.Writer) *slog.Logger {
	if level == config.LevelOff {
		return nil
	}
	return slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: levels[level]}))
}
