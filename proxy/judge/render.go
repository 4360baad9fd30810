package judge

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A View says how a report is written for people.
type View struct {
	Width   int  // columns; 0 means 100. Below 80 the two sides stand one below the other
	Verbose bool // every request in full, not only what tells something
}

// Write writes r for a person to read: the grade, what is wrong, then each request
// as it was sent and as it was seen, and the grade again, where a terminal stops.
//
// A sentence of the report is complete, names things as the person who runs
// the proxy does, and shows no byte that could steer a terminal.
func (r *Report) Write(w io.Writer, v View) error {
	if v.Width <= 0 {
		v.Width = 100
	}
	p := &printer{View: v}
	p.summary(r)
	p.leaks(r.Leaks)
	p.faults("What the proxy breaks", r.Broken)
	p.faults("What its settings turn off", r.Off)
	p.entropy(r.Entropy)
	p.requests(r.Requests)
	p.line("\nGrade: %s", r.Grade)
	_, err := io.WriteString(w, p.String())
	return err
}

// printer collects the text of a report.
type printer struct {
	strings.Builder
	View
}

func (p *printer) line(format string, args ...any) {
	fmt.Fprintf(p, format+"\n", args...)
}

var meaning = map[Grade]string{
	Ungraded:    "None of the requests arrived at the origin, so there is nothing to judge.",
	Transparent: "The origin learns where the client is, or which way the request took.",
	Anonymous:   "The origin does not learn where the client is. What keeps this from elite is below.",
	Elite:       "The origin sees one visitor like all others: no address, no proxy, no person.",
}

func (p *printer) summary(r *Report) {
	p.line("Grade: %s", r.Grade)
	p.line("%s", meaning[r.Grade])
	p.line("%d of %d identifying things hidden, %d of %d functions work.", r.Hidden, r.Planted, r.Works, r.Checks)
	for _, n := range r.Notes {
		p.line("Note: %s", n)
	}
}

// heading sets s between empty lines.
func (p *printer) heading(s string) {
	if !strings.HasSuffix(p.String(), "\n\n") {
		p.line("")
	}
	p.line("%s\n", s)
}

// leaks lists what leaked by what it betrays, the worst first.
func (p *printer) leaks(leaks []Leak) {
	if len(leaks) == 0 {
		return
	}
	p.heading(fmt.Sprintf("What leaks (%d)", len(leaks)))
	for _, alike := range grouped(leaks) {
		p.line("  %s: %s", alike[0].Class, alike[0].What)
		p.list("    ", places(alike))
	}
}

// grouped puts leaks together that betray the same in the same way.
func grouped(leaks []Leak) [][]Leak {
	type key struct {
		class Class
		what  string
	}
	at := map[key]int{}
	var out [][]Leak
	for _, l := range leaks {
		k := key{l.Class, l.What}
		i, known := at[k]
		if !known {
			i = len(out)
			at[k] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], l)
	}
	slices.SortStableFunc(out, func(a, b []Leak) int { return cmp.Compare(a[0].Class, b[0].Class) })
	return out
}

// places names where leaks happened, with the number of requests if it is
// more than one.
func places(leaks []Leak) []string {
	counts := map[string]int{}
	for _, l := range leaks {
		counts[l.Where]++
	}
	var out []string
	for _, l := range leaks {
		switch n := counts[l.Where]; {
		case n == 1:
			out = append(out, clean(l.Where))
		case n > 1:
			out = append(out, fmt.Sprintf("%s ×%d", clean(l.Where), n))
		}
		delete(counts, l.Where)
	}
	return out
}

// list writes words, separated by commas, on lines that are not too long.
func (p *printer) list(indent string, words []string) {
	line := indent
	for i, w := range words {
		if i < len(words)-1 {
			w += ","
		}
		if line != indent && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(w) > p.Width {
			p.line("%s", line)
			line = indent
		}
		if line != indent {
			w = " " + w
		}
		line += w
	}
	p.line("%s", line)
}

func (p *printer) faults(title string, faults []Fault) {
	if len(faults) == 0 {
		return
	}
	p.heading(fmt.Sprintf("%s (%d)", title, len(faults)))
	for _, f := range faults {
		p.line("  %s: %s", f.Probe, clean(f.What))
	}
}

func (p *printer) entropy(entropy []Entropy) {
	p.heading("Can different visitors be told apart who ask for the same thing?")
	widest := 20
	for _, e := range entropy {
		widest = max(widest, len(e.Kind))
	}
	p.line("  %-*s %8s %9s %6s", widest, "they ask for", "visitors", "different", "bits")
	for _, e := range entropy {
		p.line("  %-*s %8d %9d %6.1f", widest, e.Kind, e.Visitors, e.Distinct, e.Bits)
		if len(e.Fields) > 0 {
			words := slices.Clone(e.Fields)
			words[0] = "by " + words[0]
			for i, w := range words {
				words[i] = clean(w)
			}
			p.list("      ", words)
		}
	}
}

func (p *printer) requests(all []Exchange) {
	p.heading("What was sent, and what the origin saw")
	p.line("  - removed   ~ rewritten   + added by the proxy   ! leaked")
	section := ""
	for _, x := range all {
		if x.Section != section {
			section = x.Section
			p.heading(section)
		}
		p.exchange(x)
	}
}

func (p *printer) exchange(x Exchange) {
	result := "passed on"
	switch {
	case x.Fault != "":
		result = clean(x.Fault)
	case x.Section == string(working):
		result = "works"
	case len(x.Seen) == 0 && x.Refused != 0:
		result = fmt.Sprintf("answered by the proxy with %d", x.Refused)
	case len(x.Seen) == 0:
		result = "the proxy hung up"
	case x.Planted > 0:
		result = fmt.Sprintf("%d of %d hidden", x.Planted-len(x.Leaked), x.Planted)
	}
	p.line("  %s: %s", x.Name, result)
	if len(x.Seen) == 0 && !p.Verbose {
		return
	}
	full, written := p.Verbose || x.Section == string(ordinary), false
	for _, row := range align(x) {
		if full || row.mark == '!' {
			p.row(row)
			written = true
		}
	}
	if written {
		p.line("")
	}
}

// A row is a field on both sides.
type row struct {
	mark       rune // ' ', or one of the legend's
	sent, seen string
}

// align pairs the fields of both sides by name, in the sender's order;
// what the proxy added follows.
func align(x Exchange) []row {
	used := make([]bool, len(x.Seen))
	leaked := func(s string) bool { return slices.ContainsFunc(x.Leaked, look([]byte(s)).shows) }
	var rows []row
	for _, f := range x.Sent {
		r := row{mark: '-', sent: spell(f)}
		for i, g := range x.Seen {
			if !used[i] && strings.EqualFold(f.Name, g.Name) {
				used[i] = true
				r.seen, r.mark = spell(g), '~'
				if f == g {
					r.mark = ' '
				}
				break
			}
		}
		if leaked(r.seen) {
			r.mark = '!'
		}
		rows = append(rows, r)
	}
	for i, g := range x.Seen {
		if used[i] {
			continue
		}
		r := row{mark: '+', seen: spell(g)}
		if leaked(r.seen) {
			r.mark = '!'
		}
		rows = append(rows, r)
	}
	return rows
}

func spell(f Field) string {
	if f.Name == "" {
		return clean(f.Value)
	}
	return clean(f.Name + ": " + f.Value)
}

func (p *printer) row(r row) {
	if p.Width < 80 {
		if r.sent != "" {
			p.wrapped(fmt.Sprintf("  %c ", r.mark), r.sent, p.Width-4)
		}
		if r.seen != "" && r.seen != r.sent {
			lead := "    → "
			if r.sent == "" {
				lead = fmt.Sprintf("  %c → ", r.mark)
			}
			p.wrapped(lead, r.seen, p.Width-6)
		}
		return
	}
	side := (p.Width - 4 - 3) / 2
	left, right := fit(r.sent, side, p.Verbose), fit(r.seen, side, p.Verbose)
	for i := range max(len(left), len(right)) {
		mark, l, s := r.mark, "", ""
		if i > 0 {
			mark = ' '
		}
		if i < len(left) {
			l = left[i]
		}
		if i < len(right) {
			s = right[i]
		}
		pad := strings.Repeat(" ", side-utf8.RuneCountInString(l))
		p.line("%s", strings.TrimRight(fmt.Sprintf("  %c %s%s | %s", mark, l, pad, s), " "))
	}
}

func (p *printer) wrapped(lead, s string, width int) {
	for _, part := range fit(s, max(width, 20), p.Verbose) {
		p.line("%s", strings.TrimRight(lead+part, " "))
		lead = strings.Repeat(" ", utf8.RuneCountInString(lead))
	}
}

// fit breaks s into lines of width columns, or cuts it to one.
func fit(s string, width int, whole bool) []string {
	runes := []rune(s)
	if len(runes) <= width {
		return []string{s}
	}
	if !whole {
		return []string{string(runes[:width-1]) + "…"}
	}
	var out []string
	for len(runes) > width {
		out = append(out, string(runes[:width]))
		runes = runes[width:]
	}
	return append(out, string(runes))
}

// clean replaces what a terminal would act on.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '\ufffd'
		}
		return r
	}, s)
}
