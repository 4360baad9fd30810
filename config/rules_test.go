package config

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

// TestDoors: which listeners strangers reach, and what beside them is refused. want is
// a part of the only problem, "" for none.
func TestDoors(t *testing.T) {
	relay := func(address, relays string) string {
		return `listeners=[{address: "` + address + `", proxy_protocol: true, relays: [` + relays + `]}]`
	}
	for _, c := range []struct {
		sets []string
		want string
	}{
		// On loopback, whoever sends PROXY headers is on this machine, but whom they name is not.
		{[]string{relay("127.0.0.1:1", "0.0.0.0/0")}, ""},
		{[]string{relay("0.0.0.0:1", "0.0.0.0/0")}, "takes in everybody"},
		{[]string{relay("0.0.0.0:1", "0.0.0.0/1, 10.0.0.0/8")}, "takes in everybody"},
		{[]string{relay("0.0.0.0:1", `"::ffff:0.0.0.0/96"`)}, "takes in everybody"},
		{[]string{relay("[::]:1", `"2000::/3"`)}, "takes in everybody"},
		{[]string{relay("[::]:1", `10.0.0.0/8, "fc00::/7", 203.0.113.0/24, "::ffff:10.0.0.0/104"`)}, ""},
		{[]string{relay("127.0.0.1:1", "127.0.0.1/32"), "access.networks=0.0.0.0/0"}, "is open to strangers"},
		{[]string{"listeners=127.0.0.1:1", "access.networks=0.0.0.0/0"}, ""},
		// Networks of IPv4-mapped addresses are those of IPv4.
		{[]string{"listeners=0.0.0.0:1", "access.networks=::ffff:10.0.0.0/104"}, ""},
		{[]string{"listeners=0.0.0.0:1", "access.networks=::ffff:0.0.0.0/96"}, "is open to strangers"},
		{[]string{"listeners=0.0.0.0:1", "access.networks=10.0.0.0/7"}, "is open to strangers"},
		{[]string{"listeners=0.0.0.0:1", "access.networks=0.0.0.0/0", "access.open=true"}, ""},
		// The operator's listener is none of clients'.
		{[]string{"listeners=127.0.0.1:9118", "admin.address=127.0.0.1:9118"}, "overlaps listeners[0]"},
		{[]string{"listeners=0.0.0.0:9118", "admin.address=127.0.0.1:9118"}, "overlaps listeners[0]"},
		{[]string{"listeners=127.0.0.2:9118", "admin.address=127.0.0.1:9118"}, ""},
	} {
		_, problems := Load("", nil, c.sets)
		if got := problems.String(); (c.want == "") != (len(problems) == 0) || len(problems) > 1 || !strings.Contains(got, c.want) {
			t.Errorf("%q: got %q, want %q", c.sets, got, c.want)
		}
	}
}

// TestURLsHoldNothingMore than a place: what stands behind a port, or a password where
// none is sent, would be ignored.
func TestURLsHoldNothingMore(t *testing.T) {
	for _, set := range []string{
		"upstream.chain=http://127.0.0.1:1?", "upstream.chain=http://127.0.0.1:1?a", "upstream.chain=http://127.0.0.1:1#a",
		"upstream.name_servers=https://me:secret@192.0.2.1/dns-query",
	} {
		if c, _ := Load("", nil, []string{set}); c != nil {
			t.Errorf("%s is accepted", set)
		}
	}
}

// TestWhatCannotBeMeantIsRefused: want is a part of the only problem.
func TestWhatCannotBeMeantIsRefused(t *testing.T) {
	for _, c := range []struct{ set, want string }{
		{"limits={head: 1023B, target: 1B}", "want between 1KiB and 16MiB"},
		{"limits.head=16385KiB", "want between 1KiB and 16MiB"},
		{"limits.line=0", "want more than 0"},
		{"limits.target=0", "want more than 0"},
		{"limits.fields=0", "want between 1 and 10000"},
		{"limits.fields=10001", "want between 1 and 10000"},
		{"limits.client.requests=-1", "want between 0 (no limit) and 1000000"},
		{"limits.total.tunnel_rate=1000001", "want between 0 (no limit) and 1000000"},
		{"limits.client.upload=1023B", "want at least 1KiB"},
		{"limits.total.download=1B", "want at least 1KiB"},
		{"limits.client.burst=5", "changes nothing unless requests or tunnel_rate is set"},
		{"cache.object=0", "to store nothing, set cache.memory to 0"},
		{"limits.head=1KiB", "limits.head: 1KiB is less than limits.target"},
		{"admin.pprof=127.0.0.1:6060", "is the path of a Unix socket"},
		{"access={users: 5}", "access.users: want text, in quotes, not a number"},
		{"access.networks=", "so nobody could enter"},
		{"listeners=", "so nothing would be served"},
		{"identity.source_addresses=224.0.0.1", "is no address to send from"},
		{"destinations.deny=" + strings.Repeat("a.", 126) + "bb", "is not a host"},
		{"upstream.name_servers=http://192.0.2.1/dns-query", "is not an https URL"},
		{"upstream.name_servers=http://dns.example/dns-query", "is not an https URL"},
		{"upstream.name_servers=ftp://127.0.0.1/dns-query", "is not an https URL"},
		{"upstream.name_servers=https:///dns-query", "is not a URL"},
		{"upstream.name_servers=https://192.0.2.1:99999/dns-query", `"99999" is not a port`},
		{"upstream.chain=socks5://" + strings.Repeat("a", 256) + ":b@h:1", "1 to 255 octets"},
		{"upstream.chain=socks5://a:" + strings.Repeat("b", 256) + "@h:1", "1 to 255 octets"},
		{`sites=[{match: a.example, headers: {allow: [""]}}]`, "an empty text is not a field name"},
		{"access.open=maybe", "want true or false"},
		{"access.authentication=basic", "basic needs access.users"},
		{"destinations.ports=5-x", `"x" is not a port`},
		{"upstream.chain=http://:1", "names no host"},
		{"inspection.default=true", "does nothing while inspection.enabled is false"},
		{"cache={memory: 1MiB, memory: 2MiB}", "cache.memory: is set twice"},
		{"sites=[a", "a list in brackets has commas, and a ] at its end"},
		{`listeners=[{address: "127.0.0.1:1", protocol: https, acme: {domains: [a.example, localhost]}}]`, "acme.domains: has a name without a dot"},
		{`listeners=[{address: "127.0.0.1:1", protocol: https, certificate: a, key: b, acme: {domains: [a.example]}}]`, "acme: is one way to a certificate"},
		{`listeners=[{address: "127.0.0.1:1", acme: {domains: [a.example]}}]`, "acme: changes nothing unless protocol is https"},
		{`listeners=[{address: "127.0.0.1:1", acme: {email: a@b.example}}]`, "acme: changes nothing unless protocol is https"},
		{`listeners=[{address: "127.0.0.1:1", acme: {directory: "https://a.example/d"}}]`, "acme: changes nothing unless protocol is https"},
		{`listeners=[{address: "127.0.0.1:1", acme: {storage: a}}]`, "acme: changes nothing unless protocol is https"},
		{`listeners=[{address: "127.0.0.1:1", acme: {http_port: 80}}]`, "acme: changes nothing unless protocol is https"},
	} {
		_, problems := Load("", nil, []string{c.set})
		if got := problems.String(); len(problems) != 1 || !strings.Contains(got, c.want) {
			t.Errorf("%.60s: got %q, want %q", c.set, got, c.want)
		}
	}
	if _, problems := Load("", []string{"GUISE_SITES=[a"}, nil); len(problems) != 1 || !strings.Contains(problems.String(), "a list in brackets") {
		t.Errorf("got %q", problems)
	}
	for want, sets := range map[string][]string{
		"changes nothing while identity.persona is off":                {"identity.persona=off", "identity.language=de-DE"},
		"changes nothing while log.level is off":                       {"log.level=off", "log.requests=anonymous"},
		"certificate needs https listeners, and listeners[0] is http":  {"access.authentication=certificate", "access.authorities=a"},
		"changes nothing: the proxy of upstream.chain looks names up":  {"upstream.chain=socks5://192.0.2.1:1", "upstream.name_servers=https://192.0.2.1/q"},
		"changes nothing unless access.authentication is token or cer": {"access.authentication=basic", "access.users=a", "access.revoked=b"},
	} {
		_, problems := Load("", nil, sets)
		if got := problems.String(); len(problems) != 1 || !strings.Contains(got, want) {
			t.Errorf("%q: got %q, want %q", sets, got, want)
		}
	}
}

// TestSignsOfPasswordsAreExplained: what no URL holds as it is, whichever it is, and without
// saying which.
func TestSignsOfPasswordsAreExplained(t *testing.T) {
	for _, sign := range []string{" ", "^", "|", "[", "\"", "{", "\\", "é"} {
		var h Hop
		err := h.UnmarshalText([]byte("https://ann:correct" + sign + "horse@192.0.2.7:8443"))
		if err == nil || !strings.Contains(err.Error(), "all but letters, digits and -._~") || strings.Contains(err.Error(), "horse") {
			t.Errorf("%q: got %v", sign, err)
		}
	}
}

// TestWhatBelongsTogetherIsTaken: what is refused alone has a meaning beside something else.
func TestWhatBelongsTogetherIsTaken(t *testing.T) {
	for _, sets := range [][]string{
		{"limits.client.requests=5", "limits.client.burst=10"},
		{"limits.client.tunnel_rate=5", "limits.client.burst=10"},
		{"access.authentication=token", "access.token_key=a", "access.revoked=b"},
		{`listeners=[{address: "127.0.0.1:1", protocol: https, certificate: a, key: b}]`, "access.authentication=certificate", "access.authorities=a", "access.revoked=b"},
		{"upstream.name_servers=http://127.0.0.1:1/dns-query"},
		{"inspection.enabled=true", "inspection.default=true"},
		{"inspection.enabled=true", "sites=[{match: a.example, inspection: true}]"},
		{"identity.language=de-DE"},
		{"identity.persona=off"},
		{"log.level=off"},
		{"log.requests=anonymous"},
		{"upstream.chain=http://ann@192.0.2.1:1"},
		{"upstream.chain=https://192.0.2.1:1", "upstream.authorities=a"},
		{"upstream.chain=socks5://192.0.2.1:1", "upstream.name_servers=https://192.0.2.1/q", "sites=[{match: a.example, upstream: direct}]"},
		{"upstream.chain=https://proxy.example:1", "upstream.name_servers=https://192.0.2.1/q"},
	} {
		if _, problems := Load("", nil, sets); len(problems) > 0 {
			t.Errorf("%q: %s", sets, problems)
		}
	}
	c, problems := Load("", nil, []string{`listeners=[{address: "127.0.0.1:1", protocol: https, acme: {domains: ["Proxy.Example"], storage: a}}]`})
	if len(problems) > 0 || string(c.Listeners[0].ACME.Domains[0]) != "proxy.example" {
		t.Errorf("a certificate is asked for by another name: %s", problems)
	}
	c, problems = Load("", nil, []string{"destinations.deny=10.0.0.0/8, 192.0.2.1, a.example", "admin.address=unix:/run/admin"})
	if len(problems) > 0 || c.Destinations.Deny[0].Network() != netip.MustParsePrefix("10.0.0.0/8") ||
		c.Destinations.Deny[1].Network() != netip.MustParsePrefix("192.0.2.1/32") || c.Destinations.Deny[2] != "a.example" || c.Admin.Address != "unix:/run/admin" {
		t.Errorf("denied: %v, the operator's socket: %q: %s", c.Destinations.Deny, c.Admin.Address, problems)
	}
}

// TestMessagesAreShort: a long value is not repeated.
func TestMessagesAreShort(t *testing.T) {
	_, problems := Load("", nil, []string{"log.level=" + strings.Repeat("a", 1000)})
	if got := problems.String(); len(problems) != 1 || len(got) > 300 {
		t.Errorf("%d problems, %d bytes", len(problems), len(got))
	}
}

// TestChecks are told of the rest where a part of a configuration is wrong, and where
// they find nothing wrong their notes are returned with it, but for what a profile says.
func TestChecks(t *testing.T) {
	check := func(_ *Config, fail, note Say) {
		fail("access.users", "%v", errors.New("is gone"))
		note("access.users", "is old")
	}
	_, problems := Load("", nil, []string{"access.networks=here", "access.users=users"}, check)
	if got := problems.String(); strings.Contains(got, "is gone") || strings.Contains(got, "is old") {
		t.Errorf("beside what is wrong already: %s", got)
	}
	_, problems = Load("", nil, []string{"access.authentication=basic", "access.users=users", "cache.memory=1"}, check)
	if got := problems.String(); !strings.Contains(got, "--set: access.users: is gone\n") || strings.Contains(got, "is old") {
		t.Errorf("beside what is wrong elsewhere: %s", got)
	}
	c, notes := Load("", nil, []string{"access.authentication=basic", "access.users=users"}, func(_ *Config, _, note Say) {
		note("access.users", "is %s", "old")
		note("cache.memory", "is small")
	})
	if got := notes.String(); c == nil || got != "--set: note: access.users: is old\n" {
		t.Errorf("notes are %q", got)
	}
}
