package inspect

import (
	"fmt"
	"testing"
	"time"
)

func TestHSTS(t *testing.T) {
	now := time.Now()
	s := NewHSTS()
	s.now = func() time.Time { return now }
	s.Note("", "www.a.example", []string{"max-age=100; includeSubDomains"})
	s.Note("", "b.example", []string{`max-age="100"`, "max-age=0"})
	s.Note("", "127.0.0.1", []string{"max-age=100"})
	applies := func(host string, want bool) {
		t.Helper()
		if got := s.Applies("", host); got != want {
			t.Errorf("Applies(%s) = %v", host, got)
		}
	}
	applies("www.a.example", true)
	applies("x.www.a.example", true)
	applies("a.example", false)
	applies("xwww.a.example", false)
	applies("b.example", true)
	applies("www.b.example", false)
	applies("127.0.0.1", false)

	s.Note("", "b.example", []string{"max-age=0"})
	applies("b.example", false)
	now = now.Add(101 * time.Second)
	applies("www.a.example", false)
}

// TestHSTSOfSingleNamesStaysHere: which of a site's names have it is a cookie;
// what holds for all of them is not.
func TestHSTSOfSingleNamesStaysHere(t *testing.T) {
	s := NewHSTS()
	for _, c := range []struct{ host, value, want string }{
		{"a.example", "max-age=31536000; includeSubDomains; preload", "max-age=31536000; includeSubDomains"},
		{"a.example", "max-age=0; includeSubDomains", "max-age=0; includeSubDomains"},
		{"a.example", "max-age=0", "max-age=0"}, // a browser would keep what it was told before
		{"www.a.example", "max-age=0", ""},
		{"a.co.uk", `Max-Age="9"; IncludeSubdomains`, "max-age=9; includeSubDomains"},
		{"a.example", "max-age=31536000", ""},
		{"a.example", "includeSubDomains", ""},
		{"bit1.a.example", "max-age=31536000; includeSubDomains", ""},
		{"www.a.example", "max-age=31536000", ""},
		{"co.uk", "max-age=31536000; includeSubDomains", ""},
		{"127.0.0.1", "max-age=31536000; includeSubDomains", ""},
	} {
		if got := s.Note("", c.host, []string{c.value}); got != c.want {
			t.Errorf("%s: %s: %q goes on, want %q", c.host, c.value, got, c.want)
		}
	}
}

func TestHSTSValues(t *testing.T) {
	for value, want := range map[string]bool{
		"max-age=31536000":                    true,
		"MAX-AGE=1;INCLUDESUBDOMAINS":         true,
		" max-age = 1 ; preload; unknown=x ;": true,
		";; max-age=1":                        true,
		"max-age=99999999999999999999":        true,
		"includeSubDomains":                   false,
		"":                                    false,
		"max-age":                             false,
		"max-age=":                            false,
		"max-age=-1":                          false,
		`max-age="12`:                         false,
		`max-age=12"`:                         false,
		"max-age=1; max-age=2":                false,
		"max-age=1; includeSubDomains=1":      false,
		"max-age=1; includeSubDomains; max-age = 1": false,
	} {
		if _, _, ok := parseHSTS(value); ok != want {
			t.Errorf("%q: %v", value, ok)
		}
	}
	for _, value := range []string{"max-age=99999999999999999999", "max-age=9000000000000000000", `max-age="99999999999"`} {
		if age, _, _ := parseHSTS(value); age != hstsMost {
			t.Errorf("%s: for %v", value, age)
		}
	}
}

// Who is kept apart reads nothing of what others wrote, nor they of theirs.
func TestHSTSIsApart(t *testing.T) {
	s := NewHSTS()
	s.Note("ann+a", "bit1.tracker.example", []string{"max-age=1000"})
	s.Note("", "bit2.tracker.example", []string{"max-age=1000"})
	for _, c := range []struct {
		apart, host string
		want        bool
	}{
		{"ann+a", "bit1.tracker.example", true},
		{"ann+b", "bit1.tracker.example", false},
		{"", "bit1.tracker.example", false},
		{"", "bit2.tracker.example", true},
		{"ann+a", "bit2.tracker.example", false},
	} {
		if got := s.Applies(c.apart, c.host); got != c.want {
			t.Errorf("%q asks for %s: applies %t", c.apart, c.host, got)
		}
	}
}

// One site can neither fill the memory of all nor write more than a few bits.
func TestHSTSIsBounded(t *testing.T) {
	s := NewHSTS()
	s.Note("", "keep.example", []string{"max-age=1000"})
	known := 0
	for i := range 1000 {
		host := fmt.Sprintf("bit%d.tracker.example", i)
		s.Note("", host, []string{"max-age=1000"})
		if s.Applies("", host) {
			known++
		}
	}
	if known > hstsHosts {
		t.Errorf("one site wrote %d bits", known)
	}
	if s.Note("", "bit0.tracker.example", []string{"max-age=1000; includeSubDomains"}); !s.Applies("", "www.bit0.tracker.example") {
		t.Error("what is known cannot be renewed")
	}
	if !s.Applies("", "keep.example") {
		t.Error("another site's entry is gone")
	}
	before := s.sites.Len()
	s.Note("", "none.example", []string{"max-age=0"})
	s.Note("", "127.0.0.1", []string{"max-age=1000"})
	s.Note("", "silent.example", nil)
	if n := s.sites.Len(); n != before {
		t.Errorf("%d sites with what says nothing of any, want %d", n, before)
	}
	s.Note("", "com", []string{"max-age=1000; includeSubDomains"})
	if s.Applies("", "www.com") {
		t.Error("a public suffix speaks for everyone below it")
	}
}

// TestHSTSThatIsOverLeavesItsPlace: to another host of the site.
func TestHSTSThatIsOverLeavesItsPlace(t *testing.T) {
	now := time.Now()
	s := NewHSTS()
	s.now = func() time.Time { return now }
	for i := range hstsHosts {
		s.Note("", fmt.Sprintf("h%d.a.example", i), []string{"max-age=100"})
	}
	now = now.Add(100 * time.Second)
	s.Note("", "late.a.example", []string{"max-age=100"})
	if !s.Applies("", "late.a.example") {
		t.Error("hosts that are to be visited by http again keep another from being noted")
	}
}

func FuzzParseHSTS(f *testing.F) {
	f.Add("max-age=1; includeSubDomains")
	f.Add(`max-age="1"; preload`)
	f.Fuzz(func(t *testing.T, value string) {
		if age, _, ok := parseHSTS(value); ok && (age < 0 || age > hstsMost) {
			t.Errorf("%q: %v", value, age)
		}
	})
}
