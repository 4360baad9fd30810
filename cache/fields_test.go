package cache

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func FuzzFields(f *testing.F) {
	f.Add("Etag", `"1"`, `"2"`, "Vary", "")
	f.Add("A", strings.Repeat("a", 127), strings.Repeat("b", 128), "B", strings.Repeat("c", 1<<14))
	f.Add("", "", "", "a", strings.Repeat("d", 1<<21))
	f.Fuzz(func(t *testing.T, name, first, second, other, only string) {
		h := http.Header{name: {first, second}}
		if other != name {
			h[other] = []string{only}
		}
		stored := fieldsOf(h)
		if got := stored.header(); !maps.EqualFunc(got, h, slices.Equal) {
			t.Errorf("%q became %q", h, got)
		}
		for name, lines := range h {
			if got := stored.get(name); got != lines[0] {
				t.Errorf("%q: got %q", name, got)
			}
			if !stored.equal(name, lines) || stored.equal(name, append(slices.Clone(lines), "")) || stored.equal(name, lines[1:]) {
				t.Errorf("%q: lines are not what they are", name)
			}
		}
		if name != "absent" && other != "absent" && (stored.get("absent") != "" || !stored.equal("absent", nil)) {
			t.Error("there is what is not")
		}
	})
}

// A header that was made of stored fields is the caller's own.
func TestFieldsStayAsTheyAre(t *testing.T) {
	stored := fieldsOf(http.Header{"A": {"1", "2"}, "B": {"3"}})
	h := stored.header()
	h["A"] = append(h["A"], "4")
	h["A"][0] = "5"
	h.Add("B", "6")
	if got, want := stored.header(), (http.Header{"A": {"1", "2"}, "B": {"3"}}); !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("got %q", got)
	}
	if got, want := h, (http.Header{"A": {"5", "2", "4"}, "B": {"3", "6"}}); !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("the caller's has become %q", got)
	}
}
