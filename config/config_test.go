package config

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// load writes text to a file of that name in a fresh folder and loads it; "" is no
// file.
func load(t *testing.T, name, text string, environ, sets []string) (*Config, Problems) {
	t.Helper()
	if text == "" {
		return Load("", environ, sets)
	}
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(file, environ, sets)
}

func mustLoad(t *testing.T, name, text string, environ, sets []string) *Config {
	t.Helper()
	c, problems := load(t, name, text, environ, sets)
	if len(problems) > 0 {
		t.Fatalf("problems:\n%s", problems)
	}
	return c
}

func TestEmbeddedProfilesLoad(t *testing.T) {
	for _, name := range []Profile{Household, Public, PAC} {
		c, problems := Load("", nil, []string{"profile=" + string(name)})
		if len(problems) > 0 {
			t.Fatalf("%s:\n%s", name, problems)
		}
		if c.Profile != name {
			t.Errorf("profile %s says it is %s", name, c.Profile)
		}
		for _, listener := range c.Listeners {
			if !listener.Address.IP.IsLoopback() {
				t.Errorf("%s listens on %s, which is not loopback, without authentication", name, listener.Address)
			}
		}
	}
}

func TestHouseholdSetsEveryKey(t *testing.T) {
	l := newLoader()
	l.merge(l.profile(Household))
	for _, key := range allKeys {
		if l.viper.Get(key) == nil {
			t.Errorf("profiles/household.yaml does not set %s", key)
		}
	}
}

func TestLaterLayersOverrideEarlierOnes(t *testing.T) {
	const file = "profile: public\ncache: {memory: 1MiB, object: 1KiB, sharing: shared}\n"
	c := mustLoad(t, "guise.yaml", file,
		[]string{"GUISE_CACHE_MEMORY=2MiB", "GUISE_CACHE_OBJECT=2KiB", "HOME=/"},
		[]string{"cache.memory=3MiB", "cache.memory=4MiB"})
	if c.Headers.Unknown != Drop {
		t.Error("the file's profile is not the base")
	}
	if c.Cache.Sharing != SharingShared {
		t.Error("the file does not override the profile")
	}
	if c.Cache.Object != 2<<10 {
		t.Error("the environment does not override the file")
	}
	if c.Cache.Memory != 4<<20 {
		t.Error("the last --set does not override the environment and the first")
	}
	if c.Timeouts.Connect != Duration(10*time.Second) {
		t.Error("what public leaves out does not come from household")
	}
}

func TestProfileMayComeFromAnyLayer(t *testing.T) {
	for name, test := range map[string]struct {
		file    string
		environ []string
		sets    []string
		want    Profile
	}{
		"none":        {"", nil, nil, Household},
		"file":        {"profile: pac", nil, nil, PAC},
		"environment": {"profile: pac", []string{"GUISE_PROFILE=public"}, nil, Public},
		"set":         {"profile: pac", []string{"GUISE_PROFILE=public"}, []string{"profile=household"}, Household},
	} {
		c := mustLoad(t, "guise.yaml", test.file, test.environ, test.sets)
		if c.Profile != test.want {
			t.Errorf("%s: got %s, want %s", name, c.Profile, test.want)
		}
		// Not its name alone.
		if (c.Headers.Unknown == Drop) != (test.want == Public) || (c.Timeouts.Tunnel == Duration(30*time.Minute)) != (test.want == PAC) {
			t.Errorf("%s: what %s says is not there", name, test.want)
		}
	}
}

// A browser waits five minutes for a site (Firefox's network.http.response.timeout),
// and longer for what comes bit by bit.
func TestHouseholdWaitsAsLongAsBrowsers(t *testing.T) {
	c := mustLoad(t, "guise.yaml", "", nil, nil)
	if least := Duration(5 * time.Minute); c.Timeouts.Response < least || c.Timeouts.Body < least {
		t.Errorf("a head is waited for for %v, a body for %v", c.Timeouts.Response, c.Timeouts.Body)
	}
}

// The same configuration in three formats.
func TestFormatsAgree(t *testing.T) {
	yaml := `
listeners: [{address: "127.0.0.1:8118", protocol: http}, "[::1]:0"]
access: {networks: [10.0.0.0/8, "::1/128"]}
destinations: {ports: [80, "8000-8010"], allow: [192.168.1.1, "*.Lan"]}
identity: {source_addresses: [127.0.0.1]}
limits: {fields: 99}
timeouts: {tunnel: 1m30s}
console: {enabled: false}
upstream: {chain: ["socks5://u:p@127.0.0.1:9050"]}
sites: [{match: "*.bank.example", cookies: pass, inspection: false, headers: {unknown: drop, allow: [X-Pin]}}]
`
	toml := `
limits.fields = 99
console = {enabled = false}
upstream.chain = ["socks5://u:p@127.0.0.1:9050"]
[[listeners]]
address = "127.0.0.1:8118"
protocol = "http"
[[listeners]]
address = "[::1]:0"
[access]
networks = ["10.0.0.0/8", "::1/128"]
[destinations]
ports = [80, "8000-8010"]
allow = ["192.168.1.1", "*.Lan"]
[identity]
source_addresses = ["127.0.0.1"]
[timeouts]
tunnel = "1m30s"
[[sites]]
match = "*.bank.example"
cookies = "pass"
inspection = false
[sites.headers]
unknown = "drop"
allow = ["X-Pin"]
`
	json := `{
	"listeners": [{"address": "127.0.0.1:8118", "protocol": "http"}, {"address": "[::1]:0"}],
	"access": {"networks": ["10.0.0.0/8", "::1/128"]},
	"destinations": {"ports": [80, "8000-8010"], "allow": ["192.168.1.1", "*.Lan"]},
	"identity": {"source_addresses": ["127.0.0.1"]},
	"limits": {"fields": 99},
	"timeouts": {"tunnel": "1m30s"},
	"console": {"enabled": false},
	"upstream": {"chain": ["socks5://u:p@127.0.0.1:9050"]},
	"sites": [{"match": "*.bank.example", "cookies": "pass", "inspection": false, "headers": {"unknown": "drop", "allow": ["X-Pin"]}}]
}`
	for name, text := range map[string]string{"guise.yaml": yaml, "guise.toml": toml, "guise.json": json, "guise": yaml} {
		c := mustLoad(t, name, text, nil, nil)
		if len(c.Listeners) != 2 || c.Listeners[1].Address.String() != "[::1]:0" {
			t.Errorf("%s: listeners are %v", name, c.Listeners)
		}
		if !slices.Equal(c.Access.Networks, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}) {
			t.Errorf("%s: networks are %v", name, c.Access.Networks)
		}
		if !slices.Equal(c.Destinations.Ports, []PortRange{{80, 80}, {8000, 8010}}) {
			t.Errorf("%s: ports are %v", name, c.Destinations.Ports)
		}
		if !slices.Equal(c.Destinations.Allow, []Place{"192.168.1.1", "*.lan"}) {
			t.Errorf("%s: allow is %v", name, c.Destinations.Allow)
		}
		if c.Limits.Fields != 99 || c.Timeouts.Tunnel.String() != "1m30s" || c.Console.Enabled {
			t.Errorf("%s: fields %d, tunnel %s, console %t", name, c.Limits.Fields, c.Timeouts.Tunnel, c.Console.Enabled)
		}
		if len(c.Upstream.Chain) != 1 || c.Upstream.Chain[0].Host != "127.0.0.1:9050" || c.Upstream.Chain[0].User.Username() != "u" {
			t.Errorf("%s: chain is wrong", name)
		}
		want := Site{Match: "*.bank.example", Cookies: CookiesPass, Inspection: InspectNever}
		if len(c.Sites) != 1 || c.Sites[0].Match != want.Match || c.Sites[0].Cookies != want.Cookies || c.Sites[0].Inspection != want.Inspection ||
			c.Sites[0].Headers.Unknown != Drop || !slices.Equal(c.Sites[0].Headers.Allow, []FieldName{"X-Pin"}) {
			t.Errorf("%s: sites are %+v", name, c.Sites)
		}
	}
}

// TestRateOfAProfileCanBeLifted: the burst that goes with it is the profile's, and
// nothing that the user has to take back.
func TestRateOfAProfileCanBeLifted(t *testing.T) {
	lifted := []string{"profile=public", "limits.client.requests=0", "limits.client.tunnel_rate=0"}
	c := mustLoad(t, "guise.yaml", "", nil, lifted)
	if c.Limits.Client.Requests != 0 {
		t.Errorf("%d requests a second", c.Limits.Client.Requests)
	}
	if _, problems := Load("", nil, append(lifted, "limits.client.burst=5")); len(problems) != 1 {
		t.Errorf("a burst without a rate: %q", problems)
	}
}

// TestChainMayLeadToAnotherMachine, on the port that this one listens on as well.
func TestChainMayLeadToAnotherMachine(t *testing.T) {
	mustLoad(t, "guise.yaml", "", nil, []string{"listeners=0.0.0.0:8118", "upstream.chain=http://192.0.2.1:8118"})
}

// TestVariablesOfAClusterAreNotOurs: Kubernetes tells every container of the services
// beside it by variables of their names, some of which begin as ours do.
func TestVariablesOfAClusterAreNotOurs(t *testing.T) {
	for _, service := range []string{"GUISE", "GUISE_METRICS", "GUISE_LISTENERS", "GUISE_2"} {
		mustLoad(t, "guise.yaml", "", []string{
			service + "_SERVICE_HOST=10.0.0.1", service + "_SERVICE_PORT=80", service + "_SERVICE_PORT_HTTP_ALT=80",
			service + "_PORT=tcp://10.0.0.1:80", service + "_PORT_80_TCP=tcp://10.0.0.1:80", service + "_PORT_80_TCP_PROTO=tcp",
			service + "_PORT_80_TCP_PORT=80", service + "_PORT_53_UDP_ADDR=10.0.0.1",
		}, nil)
	}
	for _, wrong := range []string{"GUISE_DESTINATIONS_PORT=443", "GUISE_CONNECT_PORT=tcp", "GUISE_SERVICES=a", "GUISE_PORT=3128", "GUISE_METRICS_SERVICE=a", "GUISE_METRICS_HOST=10.0.0.1"} {
		if _, problems := Load("", []string{wrong}, nil); len(problems) != 1 {
			t.Errorf("%s is ignored", wrong)
		}
	}
}

// What the environment and --set can say although they have no types.
func TestLooseValues(t *testing.T) {
	c := mustLoad(t, "guise.yaml", "",
		[]string{
			"GUISE_LISTENERS=127.0.0.1:0, [::1]:0", "GUISE_ACCESS_NETWORKS=127.0.0.0/8,10.0.0.0/8", "GUISE_CONSOLE_ENABLED=false",
			"GUISE_LOG_LEVEL=", "GUISE_SERVICE_HOST=10.0.0.1", "GUISE_PORT=tcp://10.0.0.1:80", "GUISE_PORT_80_TCP=x",
		},
		[]string{
			`sites=[{match: "*.bank.example", inspection: false}]`, "destinations.allow=", "limits={fields: 7, head: 32KiB}",
			"destinations.ports=80, 90-99", "access.networks=[::1/128]",
		})
	if len(c.Listeners) != 2 || c.Listeners[1].Address.String() != "[::1]:0" || c.Listeners[1].Protocol != HTTP {
		t.Errorf("listeners are %v", c.Listeners)
	}
	if len(c.Access.Networks) != 1 || c.Console.Enabled || c.Log.Level != LevelWarn {
		t.Errorf("networks %v, console %t, level %s", c.Access.Networks, c.Console.Enabled, c.Log.Level)
	}
	if len(c.Sites) != 1 || c.Limits.Fields != 7 || c.Limits.Target != 16<<10 || len(c.Destinations.Ports) != 2 {
		t.Errorf("sites %v, limits %v, ports %v", c.Sites, c.Limits, c.Destinations.Ports)
	}
}

// A list as in YAML may begin with an IPv6 address, as well as a list with commas.
func TestLooseListsOfIPv6(t *testing.T) {
	for _, set := range []string{
		`["[::1]:1", "127.0.0.1:2"]`, `['[::1]:1', '127.0.0.1:2']`, `[[::1]:1, 127.0.0.1:2]`, `[::1]:1,127.0.0.1:2`, ` [::1]:1, 127.0.0.1:2 `,
		`[{address: "[::1]:1"}, {address: "127.0.0.1:2"}]`,
	} {
		c, problems := Load("", nil, []string{"listeners=" + set})
		if len(problems) > 0 || len(c.Listeners) != 2 || c.Listeners[0].Address.String() != "[::1]:1" || c.Listeners[1].Address.String() != "127.0.0.1:2" {
			t.Errorf("%s: %s", set, problems)
		}
	}
}

// Each file of testdata/bad is a configuration with faults; the golden file
// beside it holds what a person is told.
func TestProblemsAreReportedAllAtOnce(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*")
	if err != nil {
		t.Fatal(err)
	}
	tested := 0
	for _, file := range files {
		if strings.HasSuffix(file, ".golden") {
			continue
		}
		tested++
		c, problems := Load(file, nil, nil)
		if c != nil {
			t.Errorf("%s: a configuration with problems was returned", file)
		}
		golden := file + ".golden"
		if *update {
			if err := os.WriteFile(golden, []byte(problems.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if got := problems.String(); got != string(want) {
			t.Errorf("%s: got\n%swant\n%s", file, got, want)
		}
	}
	if tested < 10 {
		t.Errorf("only %d bad files were tested", tested)
	}
}

func TestProblemsOfEnvironmentAndSetNameTheirSource(t *testing.T) {
	_, problems := Load("", []string{"GUISE_CACHE_MEMORY=64", "GUISE_CACHE_MEMRY=1MiB", "GUISE_CONFIG=guise.yaml", "GUISE_DEBUG=1"}, []string{"cache.memory=lots", "log.levle=warn", "cache", "cache=5"})
	want := `GUISE_CACHE_MEMORY: cache.memory: "64" has no unit; write 64MiB or 64KiB
GUISE_CACHE_MEMRY: unknown key; did you mean GUISE_CACHE_MEMORY?
GUISE_CONFIG: unknown key; a file is named with --config
GUISE_DEBUG: unknown key; those of guise help configuration are known, as GUISE_CACHE_MEMORY for cache.memory
--set: cache: want key=value, such as cache.memory=128MiB
--set: cache.memory: "lots" is not a size; write a whole number and a unit, such as 64MiB
--set: log.levle: unknown key; did you mean log.level?
--set: cache: want keys under it (memory, object, sharing, differing), not text
`
	if got := problems.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestSuggestions(t *testing.T) {
	for set, want := range map[string]string{
		"listen=x": "did you mean listeners?", "cache.mem=1MiB": "did you mean cache.memory?", "identity.lang=de": "did you mean identity.language?",
		"log.level=warning": "did you mean warn?", "log.level=WARN": "did you mean warn?", "cokies.default=pass": "did you mean cookies?",
		"allow=x": "did you mean destinations.allow?", "no=x": "", "password=x": "", "limits.client.r=1": "",
		"deny=x": "did you mean access.deny or destinations.deny?", "cache.enabled=false": "", "log.file=x": "known here: level, requests",
	} {
		_, problems := Load("", nil, []string{set})
		if got := problems.String(); len(problems) != 1 || !strings.Contains(got, want) || want == "" && strings.Contains(got, "did you mean") {
			t.Errorf("%s: got %s", set, got)
		}
	}
}

func TestUnusableFiles(t *testing.T) {
	folder := t.TempDir()
	large := filepath.Join(folder, "large.yaml")
	if err := os.WriteFile(large, make([]byte, maxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	odd, empty := filepath.Join(folder, "guise.ini"), filepath.Join(folder, "empty.yaml")
	if err := errors.Join(os.WriteFile(odd, []byte("x"), 0o600), os.WriteFile(empty, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		filepath.Join(folder, "none.yaml"): ":1: file: does not exist\n",
		folder:                             ":1: file: cannot be read: is a directory\n",
		large:                              ":1: file: larger than 1 MiB\n",
		empty:                              ":1: file: is empty\n",
		odd:                                ":1: file: unknown extension; use .yaml, .toml or .json\n",
	} {
		_, problems := Load(file, nil, nil)
		if got := problems.String(); got != file+want {
			t.Errorf("got %swant %s", got, file+want)
		}
	}
}

// TestAliasesMultiplyNothing: a few lines of YAML can stand for more than there is
// memory.
func TestAliasesMultiplyNothing(t *testing.T) {
	text := "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
	for i := range 5 {
		text += fmt.Sprintf("a%d: &a%[1]d [%s]\n", i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 9), ", "))
	}
	c, problems := load(t, "guise.yaml", text, nil, nil)
	if got := problems.String(); c != nil || len(problems) != 1 || !strings.Contains(got, ": too large or too deeply nested for a configuration\n") {
		t.Errorf("got %.200s", got)
	}
}

// A chain's URL may hold a password; no message repeats it.
func TestProblemsDoNotRepeatPasswords(t *testing.T) {
	for _, hop := range []string{
		"http://me:hunter2@", "http://me:hunter2@host", "ftp://me:hunter2@host:1", "https://me:hunter2@host", "http://me:hunter2@host:0",
		"http://me:hunter2@host:1/x", "http://me:hunter2@[::1", "me:hunter2@host:1", "http://me:hunter2%zz@host:1", "http://me:hun\thunter2@host:1",
		"socks5://:hunter2@host:1", "http://me:hunter2@a..b:1", "http://me:hunter2@*.b:1", "http://me:hunter2@10.1:1",
		"http://hunter2!/@host:1", "http://me:777777/hunter2@host:1",
	} {
		for _, sets := range [][]string{{"upstream.chain=" + hop}, {"upstream.chain=['" + hop + "']"}, {"upstream=" + hop}} {
			_, problems := Load("", nil, sets)
			if len(problems) == 0 {
				t.Errorf("%q was accepted", sets)
			}
			if got := problems.String(); strings.Contains(got, "hunter2") || strings.Contains(got, "777777") {
				t.Errorf("a problem holds the password: %s", got)
			}
		}
	}
}

func TestOverlaps(t *testing.T) {
	parse := func(s string) (a Address) {
		if err := a.UnmarshalText([]byte(s)); err != nil {
			t.Fatal(err)
		}
		return a
	}
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"127.0.0.1:80", "127.0.0.1:80", true},
		{"127.0.0.1:80", "127.0.0.1:81", false},
		{"127.0.0.1:80", "127.0.0.2:80", false},
		{"0.0.0.0:80", "127.0.0.1:80", true},
		{"0.0.0.0:80", "[::1]:80", false},
		{"[::]:80", "[::1]:80", true},
		{"[::]:80", "127.0.0.1:80", true},
		{":80", "127.0.0.1:80", true},
		{":80", "[::]:80", true},
		{"[::ffff:127.0.0.1]:80", "127.0.0.1:80", true},
		{"127.0.0.1:0", "127.0.0.1:0", false},
		{":0", ":0", false},
	} {
		a, b := parse(test.a), parse(test.b)
		if a.Overlaps(b) != test.want || b.Overlaps(a) != test.want {
			t.Errorf("%s and %s: overlap is not %t", test.a, test.b, test.want)
		}
	}
}

func TestQuantities(t *testing.T) {
	for text, want := range map[string]Bytes{"0": 0, "1B": 1, "8KiB": 8 << 10, "64 MiB": 64 << 20, "1GiB": 1 << 30, "2kB": 2000, "3MB": 3e6} {
		var b Bytes
		if err := b.UnmarshalText([]byte(text)); err != nil || b != want {
			t.Errorf("%s: got %d, %v", text, b, err)
		}
		var again Bytes
		if err := again.UnmarshalText([]byte(b.String())); err != nil || again != b {
			t.Errorf("%s is printed as %s, which reads as %d, %v", text, b, again, err)
		}
	}
	for text, want := range map[string]string{
		"64":                    `"64" has no unit; write 64MiB or 64KiB`,
		"64M":                   `"64M" has an unknown unit; write 64MiB`,
		"64mib":                 `"64mib" has an unknown unit; write 64MiB`,
		"64 parsecs":            `"64 parsecs" has an unknown unit; use B, KiB, MiB or GiB`,
		"-1MiB":                 `"-1MiB" is not a size; write a whole number and a unit, such as 64MiB`,
		"1.5MiB":                `"1.5MiB" is not a size; write a whole number and a unit, such as 64MiB`,
		"9999999TiB":            `"9999999TiB" is too large`,
		"99999999999999999999B": `"99999999999999999999B" is too large`,
		"":                      `"" is not a size; write a whole number and a unit, such as 64MiB`,
	} {
		var b Bytes
		if err := b.UnmarshalText([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
	for text, want := range map[string]string{
		"30":       `"30" has no unit; write 30s`,
		"1.5":      `"1.5" has no unit; write 1.5s`,
		"0":        `"0" is not a positive length of time`,
		"":         `"" is not a length of time; write a number and a unit, such as 30s or 1m30s`,
		"0s":       `"0s" is not a positive length of time`,
		"-1s":      `"-1s" is not a positive length of time`,
		"2562047h": `"2562047h" is longer than a year; write 8760h at most`,
		"soon":     `"soon" is not a length of time; write a number and a unit, such as 30s or 1m30s`,
	} {
		var d Duration
		if err := d.UnmarshalText([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

func TestPatterns(t *testing.T) {
	for text, want := range map[string]Pattern{
		"bank.example": "bank.example", "*.Bank.Example": "*.bank.example", "bank.example.": "bank.example",
		"bücher.example": "xn--bcher-kva.example", "_dmarc.example": "_dmarc.example", "192.0.2.1": "192.0.2.1", "[2001:DB8::1]": "2001:db8::1",
		"localhost": "localhost", "*.com": "*.com", "r3---sn-4g5e.example": "r3---sn-4g5e.example",
		"ann-.blog.example": "ann-.blog.example", "*.Ann-.blog.example": "*.ann-.blog.example",
	} {
		var p Pattern
		if err := p.UnmarshalText([]byte(text)); err != nil || p != want {
			t.Errorf("%s: got %q, %v; want %q", text, p, err, want)
		}
	}
	for _, text := range []string{"", ".", "*", "*.", "10.1", "a.0x7f", "*.10.0.0.1", "*.*", "a..b", "*bank.example", "bank.*", "https://bank.example", "bank.example/x", "bank.example:443", "a b", "-a.b", "a@b", "fe80::1%eth0", strings.Repeat("a", 64) + ".example"} {
		var p Pattern
		if err := p.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was accepted as %q", text, p)
		}
	}
}

// TestDomains: what is said of one that is none proposes nothing that is refused as well.
func TestDomains(t *testing.T) {
	for text, want := range map[string]Domain{"Proxy.example.": "proxy.example", "bücher.example": "xn--bcher-kva.example"} {
		var d Domain
		if err := d.UnmarshalText([]byte(text)); err != nil || d != want {
			t.Errorf("%s: got %q, %v; want %q", text, d, err, want)
		}
	}
	for _, text := range []string{"", "*", "*.proxy.example", ".proxy.example", "https://proxy.example", "proxy.example:443", "a b", "192.0.2.1", "[2001:db8::1]", "fe80::1%eth0"} {
		var d Domain
		want := fmt.Sprintf("%q is not a host name; write one as proxy.example", text)
		if err := d.UnmarshalText([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%q: got %q, %v; want %s", text, d, err, want)
		}
	}
}

// TestAdminIsNotForStrangers: what access.networks may hold without a password, the
// operator's listener may be at.
func TestAdminIsNotForStrangers(t *testing.T) {
	for text, ok := range map[string]bool{
		"": true, "127.0.0.1:9118": true, "[::1]:9118": true, "10.1.2.3:9118": true, "[fd00::1]:9118": true,
		"100.64.0.1:9118": true, "169.254.0.1:9118": true, "[fe80::1%eth0]:9118": true, "unix:/run/admin": true,
		// What lies beside a private network is no part of it.
		"9.255.255.255:1": false, "11.0.0.1:1": false, "172.15.255.255:1": false, "172.32.0.1:1": false, "192.167.255.255:1": false, "192.169.0.1:1": false,
		"169.253.255.255:1": false, "169.255.0.1:1": false, "100.63.255.255:1": false, "100.128.0.1:1": false, "126.0.0.1:1": false, "128.0.0.1:1": false,
		"[fbff::1]:1": false, "[fe00::1]:1": false, "[fe7f::1]:1": false, "[fec0::1]:1": false, "[::2]:1": false,
		":9118": false, "0.0.0.0:9118": false, "[::]:9118": false, "192.0.2.1:9118": false, "[2001:db8::1]:9118": false, "unix:": false, "localhost:9118": false,
	} {
		var a AdminAddress
		if err := a.UnmarshalText([]byte(text)); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestLanguagesAreSpelledAsBrowsersDo(t *testing.T) {
	for text, want := range map[string]Language{"de": "de", "EN-us": "en-US", "zh-hANT-tw": "zh-Hant-TW", "es-419": "es-419", "fil": "fil"} {
		var l Language
		if err := l.UnmarshalText([]byte(text)); err != nil || l != want {
			t.Errorf("%s: got %q, %v; want %s", text, l, err, want)
		}
	}
	for _, text := range []string{"", "-", "e", "en-", "en-US-x-me", "en US", "english", "12", "en-U", "d\u00e9", "zh-Hant-TW-419"} {
		var l Language
		if err := l.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was accepted as %q", text, l)
		}
	}
}

// TestReferenceTellsOfEveryKey, those of listeners and sites too, of which no profile
// has one.
func TestReferenceTellsOfEveryKey(t *testing.T) {
	var walk func(of reflect.Type)
	walk = func(of reflect.Type) {
		if of.Kind() == reflect.Slice {
			of = of.Elem()
		}
		if !isSection(of) {
			return
		}
		for f := range of.Fields() {
			key := f.Tag.Get("key")
			if !regexp.MustCompile(`\b` + key + `\b`).MatchString(Reference()) {
				t.Errorf("of %s it says nothing", key)
			}
			walk(f.Type)
		}
	}
	walk(configType)
}

// TestFilesThatSayNothing are refused, but for what their format has for true.
func TestFilesThatSayNothing(t *testing.T) {
	deep := strings.Repeat("[", maxDepth+1) + strings.Repeat("]", maxDepth+1)
	for text, want := range map[string]string{
		" \n\t\r\n":               "file: is empty",
		"\ufeff\r\n":              "file: is empty",
		`{"sites": ` + deep + `}`: "too large or too deeply nested",
		`{"sites": [` + strings.Repeat("1,", maxNodes) + `1]}`: "too large or too deeply nested",
	} {
		if c, problems := load(t, "guise.json", text, nil, nil); c != nil || !strings.Contains(problems.String(), want) {
			t.Errorf("%.40q: got %.200s", text, problems)
		}
	}
	for _, word := range []string{"true", "True", "TRUE"} {
		if c := mustLoad(t, "guise.yaml", "access: {open: "+word+"}", nil, nil); !c.Access.Open {
			t.Errorf("%s is false", word)
		}
	}
}

// TestSignsOfPagesMeanNothing where they are pasted with a text; in quotes, a name may
// hold them.
func TestSignsOfPagesMeanNothing(t *testing.T) {
	for _, set := range []string{"destinations.deny=“ads.example”", "destinations.deny=[“ads.example”]", "sites=[{match: “a.example”}]"} {
		if _, problems := Load("", nil, []string{set}); len(problems) != 1 || !strings.Contains(problems.String(), "curly quotes") {
			t.Errorf("%s: %s", set, problems)
		}
	}
	if c := mustLoad(t, "guise.yaml", "inspection: {ca: \"/home/Ann’s\u00a0files\"} # “so”\n", nil, nil); c.Inspection.CA != "/home/Ann’s\u00a0files" {
		t.Errorf("the folder is %q", c.Inspection.CA)
	}
}

// TestProfilesAreWhatTheyPromise: README.md and their own comments tell people so.
func TestProfilesAreWhatTheyPromise(t *testing.T) {
	profile := func(name Profile) *Config { return mustLoad(t, "guise.yaml", "profile: "+string(name), nil, nil) }
	public := profile(Public)
	if d := public.Destinations; !slices.Equal(d.Ports, []PortRange{{80, 80}, {443, 443}}) || d.AbusedPorts != Closed || d.Tunnels != TunnelsTLS {
		t.Errorf("public lets strangers go to %+v", d)
	}
	if public.Headers.Unknown != Drop || public.Console.Enabled || public.Log.Level != LevelError {
		t.Errorf("public: %+v, %+v, %+v", public.Headers, public.Console, public.Log)
	}
	for what, share := range map[string]Share{"client": public.Limits.Client, "total": public.Limits.Total} {
		if share.Requests == 0 || share.Connections == 0 || share.Tunnels == 0 || share.TunnelRate == 0 || what == "client" && (share.Upload == 0 || share.Download == 0 || share.Daily == 0) {
			t.Errorf("public does not limit %s: %+v", what, share)
		}
	}
	for _, name := range []Profile{Household, Public, PAC} {
		c := profile(name)
		if len(c.Listeners) != 1 || !c.Listeners[0].Address.IP.IsLoopback() || slices.ContainsFunc(c.Access.Networks, reachesStrangers) || c.Access.Open {
			t.Errorf("%s is open to others: %+v, %+v", name, c.Listeners, c.Access)
		}
		if !slices.Equal(c.Destinations.ConnectPorts, []PortRange{{443, 443}}) || len(c.Destinations.Allow) > 0 || c.Inspection.Enabled || c.Log.Requests != RequestsNone {
			t.Errorf("%s: %+v, %+v, %+v", name, c.Destinations, c.Inspection, c.Log)
		}
		if c.Cookies.Default != CookiesFirstParty || c.Cache.Sharing != SharingDisguised || c.Identity.Persona == PersonaOff || c.Console.Enabled != (name != Public) {
			t.Errorf("%s: %+v, %+v, %+v, %+v", name, c.Cookies, c.Cache, c.Identity, c.Console)
		}
	}
}

// TestByteOrderMarkIsPassedOver, as some editors begin every file with one.
func TestByteOrderMarkIsPassedOver(t *testing.T) {
	for name, text := range map[string]string{"guise.yaml": "cookies: {default: block}", "guise.json": `{"cookies": {"default": "block"}}`, "guise.toml": "cookies.default = 'block'"} {
		if c := mustLoad(t, name, "\ufeff"+text, nil, nil); c.Cookies.Default != CookiesBlock {
			t.Errorf("%s: %s", name, c.Cookies.Default)
		}
	}
}
