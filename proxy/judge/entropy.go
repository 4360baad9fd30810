package judge

import (
	"bytes"
	"maps"
	"math"
	"slices"
	"strings"
)

// An Entropy says how well an origin can tell visitors apart who asked for
// the same thing.
type Entropy struct {
	Kind     string   `json:"kind"`     // what they asked for
	Visitors int      `json:"visitors"` // whose requests arrived
	Distinct int      `json:"distinct"` // different requests among them
	Bits     float64  `json:"bits"`     // Shannon entropy; 0 if all look alike
	Fields   []string `json:"fields"`   // in which they differ
}

// measure compares the heads of requests for one thing.
func measure(kind string, heads [][]byte) Entropy {
	e := Entropy{Kind: kind, Visitors: len(heads)}
	counts := map[string]int{}
	for _, h := range heads {
		counts[string(h)]++
	}
	e.Distinct = len(counts)
	for _, n := range counts {
		p := float64(n) / float64(len(heads))
		e.Bits -= p * math.Log2(p)
	}
	e.Bits = max(e.Bits, 0) // not -0
	if e.Distinct > 1 {
		e.Fields = differences(heads)
	}
	return e
}

// differences names the fields whose values are not the same in all heads,
// and "order and case" if even the names differ in more than that.
func differences(heads [][]byte) []string {
	first := parseHead(heads[0])
	differ := map[string]bool{}
	for _, raw := range heads[1:] {
		if bytes.Equal(raw, heads[0]) {
			continue
		}
		other, found := parseHead(raw), false
		for _, name := range slices.Concat(names(first), names(other)) {
			if !slices.Equal(first.values(name), other.values(name)) {
				differ[strings.ToLower(name)], found = true, true
			}
		}
		if first.Line != other.Line {
			differ["request line"], found = true, true
		}
		if !found {
			differ["order and case"] = true
		}
	}
	return slices.Sorted(maps.Keys(differ))
}

func names(h Head) []string {
	var out []string
	for _, f := range h.Fields {
		out = append(out, f.Name)
	}
	return out
}

// values returns the values of all fields with the given name, in order.
func (h Head) values(name string) []string {
	var out []string
	for _, f := range h.Fields {
		if strings.EqualFold(f.Name, name) {
			out = append(out, f.Value)
		}
	}
	return out
}
