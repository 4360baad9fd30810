package config

import (
	"errors"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

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

// TestMessagesAreShort: a long value is not repeated.
func TestMessagesAreShort(t *testing.T) {
	_, problems := Load("", nil, []string{"log.level=" + strings.Repeat("a", 1000)})
	if got := problems.String(); len(problems) != 1 || len(got) > 300 {
		t.Errorf("%d problems, %d bytes", len(problems), len(got))
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
