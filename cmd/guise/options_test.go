package main

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"guise/cache"
	"guise/config"
	"guise/filters"
	"guise/proxy"
	"guise/proxy/egress"
	"guise/proxy/gate"
	"guise/proxy/inspect"
)

// another holds, for each key that the proxy's options depend on, a value
// that no profile has, and what it sets.
var another = map[string]struct{ value, field string }{
	"access.networks":            {"10.0.0.0/8", "Gate.Networks"},
	"access.deny":                {"127.0.0.9/32", "Gate.Deny"},
	"access.authentication":      {"basic", "Gate.Authentication Gate.Users"},
	"access.users":               {"other", "Gate.Users"},
	"access.token_key":           {"other", "Gate.TokenKey"},
	"access.revoked":             {"other", "Gate.Revoked"},
	"access.authorities":         {"other", "Gate.Authorities"},
	"destinations.abused_ports":  {"closed", "Egress.CloseAbused"},
	"destinations.tunnels":       {"tls", "TunnelTLS"},
	"limits.client.requests":     {"1", "Gate.Client.Requests"},
	"limits.client.burst":        {"1", "Gate.Client.Burst"},
	"limits.client.connections":  {"1", "Gate.Client.Connections"},
	"limits.client.tunnels":      {"1", "Gate.Client.Tunnels"},
	"limits.client.tunnel_rate":  {"1", "Gate.Client.TunnelRate"},
	"limits.client.upload":       {"1KiB", "Gate.Client.Upload"},
	"limits.client.download":     {"1KiB", "Gate.Client.Download"},
	"limits.client.daily":        {"1KiB", "Gate.Client.Daily"},
	"limits.total.requests":      {"1", "Gate.Total.Requests"},
	"limits.total.burst":         {"1", "Gate.Total.Burst"},
	"limits.total.connections":   {"1", "Gate.Total.Connections"},
	"limits.total.tunnels":       {"1", "Gate.Total.Tunnels"},
	"limits.total.tunnel_rate":   {"1", "Gate.Total.TunnelRate"},
	"limits.total.upload":        {"1KiB", "Gate.Total.Upload"},
	"limits.total.download":      {"1KiB", "Gate.Total.Download"},
	"limits.total.daily":         {"1KiB", "Gate.Total.Daily"},
	"destinations.ports":         {"8080", "Egress.Ports"},
	"destinations.connect_ports": {"8443", "Egress.ConnectPorts"},
	"destinations.allow":         {"10.0.0.1", "Egress.Allow"},
	"destinations.deny":          {"deny.example", "Egress.Deny"},
	"destinations.deny_lists":    {"ads.txt", "Egress.DenyLists"},
	"headers.unknown":            {"drop", "Filters.Unknown"},
	"cookies.default":            {"block", "Filters.Cookies"},
	"identity.persona":           {"chrome", "Filters.Persona"},
	"identity.language":          {"de", "Filters.Language"},
	"identity.source_addresses":  {"127.0.0.1", "Egress.SourceAddresses"},
	"inspection.enabled":         {"true", "Inspection.Enabled"},
	"inspection.ca":              {"elsewhere", "Inspection.CA"},
	"inspection.default":         {"true", "Inspection.Default"},
	"cache.memory":               {"128MiB", "Cache.Memory"},
	"cache.object":               {"1KiB", "Cache.Object"},
	"cache.sharing":              {"per-client", "Cache.Sharing"},
	"cache.differing":            {"separate", "Cache.Distrust"},
	"upstream.chain":             {"socks5://127.0.0.1:9050", "Egress.Chain"},
	"upstream.authorities":       {"proxy.pem", "Egress.ChainRoots"},
	"upstream.name_servers":      {"https://192.0.2.1/dns-query", "Egress.NameServers"},
	"console.enabled":            {"false", "Console"},
	"log.level":                  {"off", "Log"},
	"log.requests":               {"anonymous", "LogRequests"},
	"limits.head":                {"63KiB", "Limits.Head"},
	"limits.line":                {"1KiB", "Limits.Line"},
	"limits.fields":              {"99", "Limits.Fields"},
	"limits.target":              {"1KiB", "Limits.Target"},
	"timeouts.head":              {"1ms", "Timeouts.Head"},
	"timeouts.keep_alive":        {"1ms", "Timeouts.KeepAlive"},
	"timeouts.body":              {"1ms", "Timeouts.Body"},
	"timeouts.write":             {"1ms", "Timeouts.Write"},
	"timeouts.connect":           {"1ms", "Timeouts.Connect"},
	"timeouts.response":          {"1ms", "Timeouts.Response"},
	"timeouts.tunnel":            {"1ms", "Timeouts.Tunnel"},
	"sites":                      {"[{match: a.example, cookies: pass}]", "Filters.Sites Egress.Sites Inspection.Sites"},
}

// elsewhere are the keys that do not end up in the proxy's options, and why.
var elsewhere = map[string]string{
	"profile":           "names the other values",
	"listeners":         "opened by serve",
	"timeouts.shutdown": "waited by serve",
	"admin.address":     "opened by serve",
	"admin.pprof":       "opened by serve",
	"access.open":       "lets the configuration be accepted",
}

// needs are the settings without which a key is refused.
var needs = map[string][]string{
	"access.authentication": {"access.users=users"},
	"access.users":          {"access.authentication=basic", "access.users=users"},
	"access.token_key":      {"access.authentication=token", "access.token_key=key"},
	"access.authorities":    {"access.authentication=certificate", "access.authorities=ca", `listeners=[{address: "127.0.0.1:0", protocol: https, self_signed: true}]`},
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

// changes returns the names of the fields in which a and b differ, below path.
func changes(path string, a, b reflect.Value) []string {
	if a.Kind() != reflect.Struct {
		if reflect.DeepEqual(a.Interface(), b.Interface()) {
			return nil
		}
		return []string{path}
	}
	var names []string
	for f := range a.Type().Fields() {
		names = append(names, changes(strings.TrimPrefix(path+"."+f.Name, "."), a.FieldByIndex(f.Index), b.FieldByIndex(f.Index))...)
	}
	return names
}

// TestNoKeyIsSilentlyIgnored, nor sets what another does.
func TestNoKeyIsSilentlyIgnored(t *testing.T) {
	for _, key := range config.Keys() {
		sets, used := another[key]
		if _, known := elsewhere[key]; known == used {
			t.Errorf("%s must be in exactly one of the two tables", key)
			continue
		}
		if !used {
			continue
		}
		with := append(slices.Clone(needs[key]), key+"="+sets.value)
		without := needs[key]
		if key == "access.authentication" {
			without = nil // nothing but this key can need a file
		}
		changed := changes("", reflect.ValueOf(options(t, without...)), reflect.ValueOf(options(t, with...)))
		if got := strings.Join(changed, " "); got != sets.field {
			t.Errorf("%s=%s sets %q, want %q", key, sets.value, got, sets.field)
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
		s.reload(nil)
		if got, want := kept.Enabled(t.Context(), slog.LevelWarn), level != "off"; got != want {
			t.Errorf("at %s a warning is logged: %t", level, got)
		}
	}
}

// TestUnusableFilesAreSaid, whatever log.level is.
func TestUnusableFilesAreSaid(t *testing.T) {
	c, problems := config.Load("", nil, []string{"log.level=off"})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var said bytes.Buffer
	s := &server{program: &program{stderr: &said}, admin: newAdmin(slog.New(slog.DiscardHandler), nil, nil)}
	s.options(c).Gate.Unread(errors.New("users file users: does not exist"))
	if got, want := said.String(), "guise: users file users: does not exist; what it held before stays\n"; got != want {
		t.Errorf("it is said that %q, want %q", got, want)
	}
}

func TestSitesReachTheWayOut(t *testing.T) {
	o := options(t, "upstream.chain=socks5://127.0.0.1:9050", `sites=[{match: a.example, upstream: direct}, {match: "*.example", cookies: pass}, {match: b.test, upstream: chain}]`)
	want := []egress.Site{{Match: "a.example", Direct: true}, {Match: "*.example"}, {Match: "b.test"}}
	if !slices.Equal(o.Egress.Sites, want) {
		t.Errorf("%+v", o.Egress.Sites)
	}
}

func TestSiteKeysReachFiltersAndInspection(t *testing.T) {
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
	if want := []inspect.Site{{Match: "*.a.example", Mode: inspect.Never}, {Match: "b.example", Mode: inspect.Auto}}; !slices.Equal(o.Inspection.Sites, want) {
		t.Errorf("of inspection they say %+v", o.Inspection.Sites)
	}
}

// TestEveryChoiceIsMapped: a word of the configuration that a table here forgets would
// be taken for a default, and one that it mixes up for its opposite.
func TestEveryChoiceIsMapped(t *testing.T) {
	for set, want := range map[string]any{
		"access.authentication=none":        gate.None,
		"access.authentication=basic":       gate.Basic,
		"access.authentication=token":       gate.Token,
		"access.authentication=certificate": gate.Certificate,
		"destinations.abused_ports=open":    false,
		"destinations.abused_ports=closed":  true,
		"destinations.tunnels=any":          false,
		"destinations.tunnels=tls":          true,
		"headers.unknown=pass":              filters.UnknownPass,
		"headers.unknown=drop":              filters.UnknownDrop,
		"cookies.default=pass":              filters.CookiesPass,
		"cookies.default=session":           filters.CookiesSession,
		"cookies.default=first-party":       filters.CookiesFirstParty,
		"cookies.default=block":             filters.CookiesBlock,
		"inspection.default=auto":           inspect.Auto,
		"inspection.default=true":           inspect.Always,
		"inspection.default=false":          inspect.Never,
		"cache.sharing=shared":              cache.Shared,
		"cache.sharing=disguised":           cache.Disguised,
		"cache.sharing=per-client":          cache.PerClient,
		"cache.differing=share":             false,
		"cache.differing=separate":          true,
		"console.enabled=true":              true,
		"console.enabled=false":             false,
		"log.requests=none":                 false,
		"log.requests=anonymous":            true,
	} {
		key, value, _ := strings.Cut(set, "=")
		sets := []string{set}
		switch {
		case key == "inspection.default":
			sets = append(sets, "inspection.enabled=true")
		case key != "access.authentication" || value == "none":
		case value == "certificate":
			sets = append(sets, needs["access.authorities"]...)
		default:
			sets = append(needs[map[string]string{"basic": "access.users", "token": "access.token_key"}[value]], set)
		}
		got := reflect.ValueOf(options(t, sets...))
		field, _, _ := strings.Cut(another[key].field, " ")
		for name := range strings.SplitSeq(field, ".") {
			got = got.FieldByName(name)
		}
		if got.Interface() != want {
			t.Errorf("%s sets %s to %v", set, field, got)
		}
	}
	for _, level := range []string{"debug", "info", "warn", "error"} {
		log := options(t, "log.level="+level).Log
		if at := levels[config.Level(level)]; !strings.EqualFold(at.String(), level) || !log.Enabled(t.Context(), at) || log.Enabled(t.Context(), at-1) {
			t.Errorf("log.level=%s logs from elsewhere on", level)
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

// TestCacheLeavesRoomWhereMemoryIsLimited, by the container's limit or GOMEMLIMIT.
func TestCacheLeavesRoomWhereMemoryIsLimited(t *testing.T) {
	before := debug.SetMemoryLimit(64 << 20)
	defer debug.SetMemoryLimit(before)
	for set, want := range map[string][2]int64{
		"cache.memory=256MiB": {32 << 20, 8 << 20},
		"cache.memory=16MiB":  {16 << 20, 8 << 20},
		"cache.object=64MiB":  {32 << 20, 32 << 20},
		"cache.memory=0":      {-1, 0},
	} {
		c, problems := config.Load("", nil, []string{set})
		if c == nil {
			t.Fatal(problems)
		}
		s := &server{program: &program{stderr: io.Discard}, admin: newAdmin(slog.New(slog.DiscardHandler), nil, nil)}
		if o := s.options(c).Cache; o.Memory != want[0] || o.Object != want[1] {
			t.Errorf("%s: %d bytes, %d of one body; want %d", set, o.Memory, o.Object, want)
		}
	}
}
