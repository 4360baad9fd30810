package main

import (
	"io"
	"log/slog"
	"reflect"
	"slices"
	"testing"

	"guise/config"
	"guise/proxy"
	"guise/proxy/egress"
)

// another holds, for each key that the proxy's options depend on, a value
// that no profile has.
var another = map[string]string{
	"access.networks":            "10.0.0.0/8",
	"access.deny":                "127.0.0.9/32",
	"access.authentication":      "basic",
	"access.users":               "other",
	"access.token_key":           "other",
	"access.revoked":             "other",
	"destinations.abused_ports":  "closed",
	"destinations.tunnels":       "tls",
	"limits.client.requests":     "1",
	"limits.client.burst":        "1",
	"limits.client.connections":  "1",
	"limits.client.tunnels":      "1",
	"limits.client.tunnel_rate":  "1",
	"limits.client.upload":       "1KiB",
	"limits.client.download":     "1KiB",
	"limits.client.daily":        "1KiB",
	"limits.total.requests":      "1",
	"limits.total.burst":         "1",
	"limits.total.connections":   "1",
	"limits.total.tunnels":       "1",
	"limits.total.tunnel_rate":   "1",
	"limits.total.upload":        "1KiB",
	"limits.total.download":      "1KiB",
	"limits.total.daily":         "1KiB",
	"destinations.ports":         "8080",
	"destinations.connect_ports": "8443",
	"destinations.allow":         "10.0.0.1",
	"destinations.deny":          "deny.example",
	"destinations.deny_lists":    "ads.txt",
	"headers.unknown":            "drop",
	"cookies.default":            "block",
	"identity.persona":           "chrome",
	"identity.language":          "de",
	"identity.source_addresses":  "127.0.0.1",
	"inspection.enabled":         "true",
	"inspection.ca":              "elsewhere",
	"inspection.default":         "true",
	"cache.memory":               "0",
	"cache.object":               "1KiB",
	"cache.sharing":              "per-client",
	"cache.differing":            "separate",
	"upstream.chain":             "socks5://127.0.0.1:9050",
	"upstream.authorities":       "proxy.pem",
	"upstream.name_servers":      "https://192.0.2.1/dns-query",
	"console.enabled":            "false",
	"log.level":                  "off",
	"log.requests":               "anonymous",
	"limits.head":                "63KiB",
	"limits.line":                "1KiB",
	"limits.fields":              "99",
	"limits.target":              "1KiB",
	"timeouts.head":              "1ms",
	"timeouts.keep_alive":        "1ms",
	"timeouts.body":              "1ms",
	"timeouts.write":             "1ms",
	"timeouts.connect":           "1ms",
	"timeouts.response":          "1ms",
	"timeouts.tunnel":            "1ms",
	"sites":                      "[{match: a.example, cookies: pass}]",
}

// elsewhere are the keys that do not end up in the proxy's options, and why.
var elsewhere = map[string]string{
	"profile":            "names the other values",
	"listeners":          "opened by serve",
	"timeouts.shutdown":  "waited by serve",
	"admin.address":      "opened by serve",
	"admin.pprof":        "opened by serve",
	"access.authorities": "needs https listeners",
	"access.open":        "lets the configuration be accepted",
}

// needs are the settings without which a key is refused.
var needs = map[string][]string{
	"access.authentication": {"access.users=users"},
	"access.users":          {"access.authentication=basic", "access.users=users"},
	"access.token_key":      {"access.authentication=token", "access.token_key=key"},
	"access.revoked":        {"access.authentication=token", "access.token_key=key", "access.revoked=list"},
	"limits.client.burst":   {"limits.client.requests=9"},
	"limits.total.burst":    {"limits.total.requests=9"},
	"inspection.default":    {"inspection.enabled=true"},
	"upstream.authorities":  {"upstream.chain=https://127.0.0.1:8443"},
}

func options(t *testing.T, sets ...string) proxy.Options {
	t.Helper()
	c, problems := config.Load("", nil, sets)
	if len(problems) > 0 {
		t.Fatalf("%q:\n%s", sets, problems)
	}
	return proxyOptions(c, io.Discard)
}

func TestNoKeyIsSilentlyIgnored(t *testing.T) {
	for _, key := range config.Keys() {
		value, used := another[key]
		if _, known := elsewhere[key]; known == used {
			t.Errorf("%s must be in exactly one of the two tables", key)
			continue
		}
		if !used {
			continue
		}
		with := append(slices.Clone(needs[key]), key+"="+value)
		without := needs[key]
		if key == "access.authentication" {
			without = nil // nothing but this key can need a file
		}
		if reflect.DeepEqual(options(t, with...), options(t, without...)) {
			t.Errorf("%s=%s changes nothing", key, value)
		}
	}
}

// TestReloadedLogLevelReachesAll: those too that have their logger from the
// start, such as the watch on memory.
func TestReloadedLogLevelReachesAll(t *testing.T) {
	p := &program{stderr: io.Discard, sets: []string{"listeners=127.0.0.1:0", "log.level=off"}}
	s, err := p.start()
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	defer s.listeners.wait()
	defer s.proxy.Close()
	kept := s.options(s.config).Log
	for _, level := range []string{"off", "warn", "off", "debug"} {
		p.sets[1] = "log.level=" + level
		s.reload()
		if got, want := kept.Enabled(t.Context(), slog.LevelWarn), level != "off"; got != want {
			t.Errorf("at %s a warning is logged: %t", level, got)
		}
	}
}

func TestSitesReachTheWayOut(t *testing.T) {
	o := options(t, "upstream.chain=socks5://127.0.0.1:9050", `sites=[{match: a.example, upstream: direct}, {match: "*.example", cookies: pass}, {match: b.test, upstream: chain}]`)
	want := []egress.Site{{Match: "a.example", Direct: true}, {Match: "*.example"}, {Match: "b.test"}}
	if !slices.Equal(o.Egress.Sites, want) {
		t.Errorf("%+v", o.Egress.Sites)
	}
}

func TestSiteKeysReachTheFilters(t *testing.T) {
	o := options(t, `sites=[{match: "*.a.example", cookies: session, headers: {unknown: drop, allow: [X-A]}, inspection: false}, {match: b.example}]`)
	if len(o.Filters.Sites) != 2 {
		t.Fatalf("sites are %+v", o.Filters.Sites)
	}
	a, b := o.Filters.Sites[0], o.Filters.Sites[1]
	if a.Match != "*.a.example" || a.Cookies != cookiePolicies[config.CookiesSession] || a.Unknown != unknownPolicies[config.Drop] || !slices.Equal(a.Allow, []string{"X-A"}) {
		t.Errorf("first site is %+v", a)
	}
	if b.Cookies != cookiePolicies[""] || b.Unknown != unknownPolicies[""] {
		t.Errorf("second site does not inherit: %+v", b)
	}
}

// A word of the configuration that a table here forgets would be mapped to
// a default.
func TestEveryChoiceIsMapped(t *testing.T) {
	for key, choices := range map[string][]string{
		"cookies.default": {"pass", "session", "first-party", "block"},
		"headers.unknown": {"pass", "drop"},
		"cache.sharing":   {"shared", "disguised", "per-client"},
		"cache.differing": {"share", "separate"},
		"log.level":       {"debug", "info", "warn", "error", "off"},
	} {
		var seen []proxy.Options
		for _, choice := range choices {
			o := options(t, key+"="+choice)
			if slices.ContainsFunc(seen, func(other proxy.Options) bool { return reflect.DeepEqual(o, other) }) {
				t.Errorf("%s=%s gives the same options as another choice", key, choice)
			}
			seen = append(seen, o)
		}
	}
}

// Zero means a default to the rooms below; what the configuration calls none
// must arrive as none.
func TestNoneIsNotTheDefault(t *testing.T) {
	o := options(t, "destinations.ports=", "destinations.connect_ports=", "cache.memory=0", "log.level=off")
	if o.Egress.Ports == nil || o.Egress.ConnectPorts == nil {
		t.Error("an empty list of ports becomes the default ports")
	}
	if o.Cache.Memory >= 0 {
		t.Error("no memory becomes the default memory")
	}
	if c := options(t, "cache.memory=4MiB").Cache; c.Object != c.Memory {
		t.Errorf("of %d bytes one object may have %d", c.Memory, c.Object)
	}
	if o.Log != nil {
		t.Error("off logs")
	}
}

// Whatever the configuration accepts, the rooms below take: their errors name
// no line. What it refuses does not matter here.
func TestWhatIsAcceptedWorks(t *testing.T) {
	hosts := []string{
		"a.example", "A.Example.", "*.a.example", "*.com", "localhost", "_dmarc.a.example", "xn--bcher-kva.example", "b\u00fccher.example",
		"*.b\u00fccher.example", "192.0.2.1", "10.1", "0x7f.1", "1.2.3.4.5", "[2001:db8::1]", "2001:db8::1", "::ffff:192.0.2.1", "fe80::1%lo",
		"a..b", "-a.b", "a-.b", "a_b", "r3---sn-4g5e.example", "ab--c.example", "xn--a", "xn--.example", "\uff11\uff12\uff17.\uff10.0.1", "a\u3002b", "a b", "*", "*.", "*.*.a", "10.0.0.0/8", "::/0", "fd00::/8",
		"::ffff:10.0.0.0/104", "a/8", "0.0.0.0/0", "a.1", "a.0x1", "a.x1", "1a", "\u2160", "\u00df.example", "a\u200db.example",
	}
	sets := []string{
		"upstream.chain=http://127.0.0.1:1", "upstream.chain=http://me@h:1", "upstream.chain=http://me:p%40@[::1]:1", "upstream.chain=socks5://h:1",
		"upstream.chain=socks5h://me:p@h:1", "upstream.chain=socks5://me@h:1", "upstream.chain=http://a_b:1/", "upstream.chain=http://10.1:1",
		"identity.language=de", "identity.language=pt-BR", "identity.language=zh-Hant-TW", "identity.language=es-419", "identity.language=fil", "identity.language=EN-us",
		"identity.source_addresses=127.0.0.1,127.0.0.2", "identity.source_addresses=::ffff:127.0.0.1", "access.networks=::ffff:10.0.0.0/104", "access.networks=0.0.0.0/0",
		"destinations.ports=1-65535", "destinations.ports=80,80",
	}
	for _, h := range hosts {
		sets = append(sets, "destinations.allow=["+h+"]", "destinations.deny=["+h+"]", `sites=[{match: "`+h+`", cookies: pass}]`)
	}
	accepted := 0
	for _, set := range sets {
		c, problems := config.Load("", nil, []string{set})
		if len(problems) > 0 {
			continue
		}
		accepted++
		p, err := proxy.New(proxyOptions(c, io.Discard))
		if err != nil {
			t.Errorf("%s is accepted, but: %v", set, err)
			continue
		}
		p.Close()
	}
	if accepted < len(sets)/3 {
		t.Errorf("only %d of %d were accepted", accepted, len(sets))
	}
}
