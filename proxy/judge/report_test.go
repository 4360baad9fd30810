package judge

import (
	"encoding/json"
	"flag"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

func TestGrade(t *testing.T) {
	leak := func(classes ...Class) (out []Leak) {
		for _, c := range classes {
			out = append(out, Leak{Class: c})
		}
		return out
	}
	for _, c := range []struct {
		name    string
		report  Report
		arrived int
		want    Grade
	}{
		{"nothing arrived", Report{}, 0, Ungraded},
		{"nothing leaked", Report{}, 1, Elite},
		{"the route", Report{Leaks: leak(Identity, Route)}, 1, Transparent},
		{"the person", Report{Leaks: leak(Identity)}, 1, Anonymous},
		{"the proxy", Report{Leaks: leak(Visible)}, 1, Anonymous},
		{"the way back", Report{Leaks: leak(Return)}, 1, Anonymous},
		{"hidden by breaking", Report{Broken: []Fault{{}}}, 1, Anonymous},
		{"turned off", Report{Off: []Fault{{}}}, 1, Elite},
	} {
		c.report.Grade = c.report.grade(c.arrived)
		if c.report.Grade != c.want || c.report.Clean() != (c.want == Elite) {
			t.Errorf("%s: %v", c.name, c.report.Grade)
		}
	}
}

func TestEntropy(t *testing.T) {
	head := func(s string) []byte { return []byte("GET / HTTP/1.1\r\n" + s + "\r\n\r\n") }
	for _, c := range []struct {
		name   string
		heads  [][]byte
		bits   float64
		fields []string
	}{
		{"nobody", nil, 0, nil},
		{"all alike", [][]byte{head("A: 1"), head("A: 1"), head("A: 1")}, 0, nil},
		{"two halves", [][]byte{head("A: 1"), head("A: 2"), head("A: 1"), head("A: 2")}, 1, []string{"a"}},
		{"everyone apart", [][]byte{head("A: 1"), head("A: 2"), head("A: 3\r\nB: 1"), head("A: 4")}, 2, []string{"a", "b"}},
		{"only the order", [][]byte{head("A: 1\r\nB: 2"), head("B: 2\r\nA: 1")}, 1, []string{"order and case"}},
		{"only the case", [][]byte{head("A: 1"), head("a: 1")}, 1, []string{"order and case"}},
		{"one of four", [][]byte{head("A: 1"), head("A: 1"), head("A: 1"), head("A: 2")}, 0.8113, []string{"a"}},
	} {
		e := measure("document", c.heads)
		if math.Abs(e.Bits-c.bits) > 1e-4 || !slices.Equal(e.Fields, c.fields) || math.Signbit(e.Bits) {
			t.Errorf("%s: %+v", c.name, e)
		}
	}
}

// sample is a small report with everything in it.
func sample() *Report {
	r := &Report{Planted: 9, Hidden: 6, Works: 1, Checks: 3,
		Notes: []string{"upstream.chain was left out: the origin is on this machine."},
		Leaks: []Leak{
			{Identity, "X-UIDH", "arrived at the origin", "Chrome asks for a document", "mmbd77qk"},
			{Route, "X-Forwarded-For", "arrived at the origin", "Chrome asks for a document", "192.0.2.7"},
			{Route, "X-Forwarded-For", "arrived at the origin", "Firefox asks for an image", "192.0.2.8"},
		},
		Broken: []Fault{{"An upload", "the upload did not arrive whole"}},
		Off:    []Fault{{"A cookie of the site itself", "Cookie did not arrive as it was sent"}},
		Entropy: []Entropy{{"a document", 35, 1, 0, nil},
			{"an image", 35, 4, 1.9, []string{"accept", "accept-language", "sec-ch-ua-platform", "user-agent"}}},
		Requests: []Exchange{
			{Name: "Chrome asks for a document", Section: string(ordinary), Planted: 3, Leaked: []string{"192.0.2.7"},
				Sent: []Field{{"", "GET http://a/ HTTP/1.1"}, {"Host", "a"}, {"User-Agent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36"}, {"X-Forwarded-For", "192.0.2.7"}, {"Via", "1.1 home\x1b[2J"}},
				Seen: []Field{{"", "GET / HTTP/1.1"}, {"Host", "a"}, {"User-Agent", "Mozilla/5.0"}, {"X-Forwarded-For", "192.0.2.7, 10.0.0.1"}, {"Connection", "keep-alive"}}},
			{Name: "A second Host", Section: string(malformed), Planted: 1, Refused: 400, Sent: []Field{{"", "GET / HTTP/1.1"}}},
			{Name: "An upload", Section: string(working), Fault: "the upload did not arrive whole"},
			{Name: "A WebSocket", Section: string(working)},
		},
	}
	r.Grade = r.grade(1)
	return r
}

func TestReportReads(t *testing.T) {
	for name, view := range map[string]View{
		"wide": {}, "narrow": {Width: 48}, "verbose": {Width: 80, Verbose: true},
	} {
		var b strings.Builder
		if err := sample().Write(&b, view); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(b.String(), "\x1b\r") {
			t.Errorf("%s: the report steers the terminal", name)
		}
		for line := range strings.Lines(b.String()) {
			if n := len([]rune(strings.TrimSuffix(line, "\n"))); view.Width >= 80 && n > view.Width {
				t.Errorf("%s: a line of %d columns: %q", name, n, line)
			}
		}
		file := filepath.Join("testdata", "report-"+name+".golden")
		if *update {
			os.WriteFile(file, []byte(b.String()), 0o644)
		}
		want, err := os.ReadFile(file)
		if err != nil || b.String() != string(want) {
			t.Errorf("%s: %v\ngot:\n%s", name, err, b.String())
		}
	}
}

func TestReportInJSON(t *testing.T) {
	b, err := json.Marshal(sample())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"grade":"transparent"`, `"class":"route"`, `"bits":1.9`, `"works":1`, `"fault":"the upload did not arrive whole"`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("no %s in %s", want, b)
		}
	}
}
