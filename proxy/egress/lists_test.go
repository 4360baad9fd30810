package egress

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func writeList(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "list.txt")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestListsClose: in each form in which lists are published, what it says and not
// more.
func TestListsClose(t *testing.T) {
	for _, c := range []struct{ line, closed, open string }{
		{"ads.example", "ads.example", "a.ads.example example xads.example"},
		{"  ADS.example.  # comment", "ads.example", "a.ads.example"},
		{"0.0.0.0 ads.example", "ads.example", "a.ads.example"},
		{"0.0.0.0 ads.example#comment more.example", "ads.example", "more.example"},
		{"127.0.0.1\tads.example  more.example # both", "ads.example more.example", "a.ads.example"},
		{"::1 ads.example", "ads.example", "a.ads.example"},
		{":: ads.example", "ads.example", "a.ads.example"},
		{".ads.example", "ads.example a.ads.example a.b.ads.example", "xads.example example"},
		{"*.ads.example", "ads.example a.ads.example", "xads.example"},
		{"||ads.example^", "ads.example a.ads.example", "xads.example"},
		{"||ads.example^\n@@||cdn.ads.example^", "ads.example a.ads.example", "cdn.ads.example a.cdn.ads.example"},
		{"|ads.example^\n|more.example^|", "ads.example more.example", "a.ads.example xads.example"},
		{"||ads.example^$all\n||more.example^|$important,all", "ads.example a.ads.example more.example a.more.example", "example"},
		{"||ads.example^|\n||more.example^$important", "ads.example a.ads.example more.example a.more.example", "example"},
		{"||ads.example^\n@@||cdn.ads.example^|", "ads.example a.ads.example", "cdn.ads.example a.cdn.ads.example"}, // as AdGuard's has them
		{"||ads.example^\n@@|cdn.ads.example^|$important", "ads.example a.cdn.ads.example", "cdn.ads.example"},
		{"@@||ads.example^\nads.example\nother.example", "other.example", "ads.example"},
		{"bücher.example", "xn--bcher-kva.example", "bucher.example"},
		{"\ufeff! title\r\n[Adblock Plus]\r\nads.example\r\n", "ads.example", "title"},
		{"255.255.255.255\tbroadcasthost\nfe80::1%lo0 localhost\nfe00::0 ip6-localnet\nff02::1 ip6-allnodes\n0.0.0.0 ads.example", "ads.example", "a.ads.example"}, // as macOS and Debian begin it
	} {
		e := newTestEgress(t, Options{DenyLists: []string{writeList(t, c.line)}, Allow: loopback}) // names without a dot are open with it
		for name := range strings.FieldsSeq(c.closed) {
			if err := e.Allow(Plain, mustCanonical(t, name+":80")); !errors.As(err, new(*Refused)) {
				t.Errorf("%q: %s: %v, want it closed", c.line, name, err)
			}
		}
		for name := range strings.FieldsSeq(c.open) {
			if err := e.Allow(Connect, mustCanonical(t, name+":443")); err != nil {
				t.Errorf("%q: %s: %v, want it open", c.line, name, err)
			}
		}
		if l := e.Lists()[0]; l.Left != 0 {
			t.Errorf("%q: %d lines were left out", c.line, l.Left)
		}
	}
}

// TestListsSayWhatTheyLeaveOut: a line that means something else closes nothing, and
// is counted.
func TestListsSayWhatTheyLeaveOut(t *testing.T) {
	left := []string{
		"||ads.example^$third-party", "||ads.example/banner", "||ads.example^path", "|ads.example", "@@|ads.example|", "||ads.example^$important,third-party", "||ads.example^$", "||ads.example^$all,badfilter", "|https://ads.example^", "/ads[0-9]+/", "@@ads.example", "*ads.example", "ads.*",
		"192.0.2.1 ads.example", "192.0.2.1", "ads.example:8080", "http://ads.example/", "a b", "||192.0.2.1^",
		"news.example##.ad", "news.example#@#.ad", "news.example#?#div", "*.news.example##.ad", "ads.example#comment",
	}
	l, err := ReadList(writeList(t, "good.example\n0.0.0.0 0.0.0.0\n127.0.0.1 localhost localhost.localdomain\n"+strings.Join(left, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	if l.Hosts != 1 || l.Left != len(left) || l.LeftAt != 4 {
		t.Errorf("%d hosts, %d of %d lines left out, the first is %d", l.Hosts, l.Left, len(left), l.LeftAt)
	}
}

// TestListsSayHowManyHostsTheyClose: neither remarks nor exceptions are hosts, nor are they
// left out. A list may be of exceptions alone, to another list.
func TestListsSayHowManyHostsTheyClose(t *testing.T) {
	for text, hosts := range map[string]int{
		"# title\n\n! remark\n[Adblock Plus 2.0]\n \t\n||ads.example^ # one\n0.0.0.0 a.example b.example\n": 3,
		"ads.example\n@@||cdn.example^\n@@|b.example^\n":                                                    1,
		"@@||cdn.example^\n": 0,
	} {
		l, err := ReadList(writeList(t, text))
		if err != nil {
			t.Errorf("%q: %v", text, err)
		} else if l.Hosts != hosts || l.Left != 0 {
			t.Errorf("%q: %d hosts, and %d lines left out, want %d and none", text, l.Hosts, l.Left, hosts)
		}
	}
}

// TestListsCloseTheOthersOfALine: a name that is no host leaves those around it closed.
func TestListsCloseTheOthersOfALine(t *testing.T) {
	e := newTestEgress(t, Options{DenyLists: []string{writeList(t, "0.0.0.0 a.example b..example 192.0.2.1 c.example\n")}})
	for _, name := range []string{"a.example", "c.example"} {
		if e.Allow(Plain, mustCanonical(t, name+":80")) == nil {
			t.Errorf("%s is open", name)
		}
	}
	if l := e.Lists()[0]; l.Hosts != 2 || l.Left != 1 || l.LeftAt != 1 {
		t.Errorf("%+v", l)
	}
}

// TestListsGoBeforeAllow, as what is denied by name does.
func TestListsGoBeforeAllow(t *testing.T) {
	e := newTestEgress(t, Options{Allow: []string{"ads.example"}, DenyLists: []string{writeList(t, "ads.example")}})
	if err := e.Allow(Plain, mustCanonical(t, "ads.example:80")); err == nil {
		t.Error("it is open")
	}
}

func TestListsOfNoUse(t *testing.T) {
	for _, path := range []string{writeList(t, ""), writeList(t, "<html>\n<body>\n"), filepath.Join(t.TempDir(), "none"), t.TempDir()} {
		if _, err := New(Options{DenyLists: []string{path}}); err == nil {
			t.Errorf("%s is accepted", path)
		}
	}
}

// FuzzList: whatever a list holds, what it closes are names in canonical form, which
// are closed unless it says otherwise.
func FuzzList(f *testing.F) {
	f.Add("0.0.0.0 ads.example\n||a.example^\n@@||b.a.example^\n*.c.example # x\n! y\n[z]\n.d.example\n")
	f.Add("|a.example^|\n@@|a.b.example^|\n||c.example^$important\n|^\n@@|")
	f.Add("||^\n@@||\n*.\n.\n0.0.0.0\n:: \n\ufeffa\x00b\n||a..b^")
	f.Fuzz(func(t *testing.T, text string) {
		l := parseList(text)
		var b blocklist
		b.take(l)
		for _, e := range l.entries {
			target, err := Canonical(e.name, 80)
			if err != nil || target.Host != e.name || target.Addr.IsValid() {
				t.Errorf("%q stands for %q: %v", text, e.name, err)
			}
			if !e.open && !b.has(e.name) && !b.open.has(e.name) {
				t.Errorf("%q leaves %q open", text, e.name)
			}
		}
		if l.Hosts > len(l.entries) || (l.Left == 0) != (l.LeftAt == 0) {
			t.Errorf("%q: %+v", text, l)
		}
	})
}
