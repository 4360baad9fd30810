package judge

import (
	"bytes"
	"net/netip"
	"reflect"
	"strings"
	"testing"
)

func TestParseHead(t *testing.T) {
	got := parseHead([]byte("GET / HTTP/1.1\r\nB:  1 \r\na:\n no colon: here\r\n more\r\nnothing\r\n\r\nbody: no\r\n"))
	want := Head{"GET / HTTP/1.1", []Field{{"B", "1"}, {"a", " no colon: here more"}, {"nothing", ""}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
}

// FuzzParseHead holds that every byte of a head is accounted for: a name
// or value is found in the input, and the rest is left alone.
func FuzzParseHead(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\nX"))
	f.Add([]byte("\n\n: \r\n"))
	f.Add([]byte("\n0"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		n := headLength(raw)
		if n > len(raw) {
			t.Fatalf("a head of %d bytes in %d", n, len(raw))
		}
		whole, cut := parseHead(raw), parseHead(raw[:n])
		if !reflect.DeepEqual(whole, cut) {
			t.Errorf("what follows the head changes it: %q and %q", whole, cut)
		}
		for _, f := range cut.Fields {
			for _, part := range append(strings.Fields(f.Value), f.Name) {
				if !bytes.Contains(raw[:n], []byte(part)) {
					t.Errorf("%q is not in the head", part)
				}
			}
		}
	})
}

func TestSightFindsCanaries(t *testing.T) {
	for _, c := range []struct {
		raw, canary string
		want        bool
	}{
		{"X: 192.0.2.1\r\n", "192.0.2.1", true},
		{"X: 192.0.2.17\r\n", "192.0.2.1", false},
		{"X: 1192.0.2.1\r\n", "192.0.2.1", false},
		{"X: 192.0.2.17, 192.0.2.1", "192.0.2.1", true},
		{"x: ABCDEF", "abcdef", true},
		{"GET /?a=%61%62c HTTP/1.1", "abc", true},
		{"GET /?a=%6 HTTP/1.1", "%6", true},
		{"nothing", "abc", false},
	} {
		if got := look([]byte(c.raw)).shows(c.canary); got != c.want {
			t.Errorf("%q in %q: %v", c.canary, c.raw, got)
		}
	}
}

func TestSightFindsAddressesInEverySpelling(t *testing.T) {
	for _, a := range []string{"127.83.21.9", "2001:db8::17"} {
		addr := netip.MustParseAddr(a)
		for _, s := range append(spellings(addr), "::ffff:127.83.21.9", "2136151305", "127%2e83%2E21.9") {
			if addr.Is6() && !strings.Contains(s, ":") || addr.Is6() && strings.HasPrefix(s, "::") {
				continue
			}
			if !look([]byte("X: a=" + s + ";b\r\n")).showsAddress(addr) {
				t.Errorf("%s is not found as %s", a, s)
			}
		}
	}
	if look([]byte("X: 127.83.21.90, 127.83.2.19, 12136151305")).showsAddress(netip.MustParseAddr("127.83.21.9")) {
		t.Error("another address is taken for it")
	}
}

// Nothing that is planted in a run is planted twice, or found in another.
func TestCanariesAreUnlike(t *testing.T) {
	s := newSeeder(1)
	seen := map[string]bool{}
	for range 5 {
		for _, n := range identifying {
			f, p := s.field(n)
			if !strings.Contains(f.Value, p.canary) {
				t.Errorf("%s: %q lacks %q", f.Name, f.Value, p.canary)
			}
			if seen[p.canary] {
				t.Errorf("%q is drawn twice", p.canary)
			}
			seen[p.canary] = true
		}
	}
}

func TestVisitorsAreUnlike(t *testing.T) {
	const n = 100
	for k := range fetchMetadata {
		heads := map[string]bool{}
		for _, v := range visitors(n) {
			heads[string(request("GET", "/", v.fields(k, "http", "a"), ""))] = true
		}
		if len(heads) < n*3/4 {
			t.Errorf("%s: %d visitors make %d requests", k, n, len(heads))
		}
	}
}
