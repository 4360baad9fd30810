//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
)

// A workload is one thing to measure. It yields a figure for each measure.
type workload struct {
	name     string
	title    string // of its row, where it has one
	measures []measure
	once     bool             // one round is enough
	can      func(*peer) bool // nil: every peer can
	run      func(*plan, *running) ([]float64, error)
}

// A measure is a row of the table.
type measure struct {
	title  string
	format string // of a figure
}

type cell struct {
	row  string
	peer string
}

// A bench holds the running peers and what was measured.
type bench struct {
	*plan
	origin  *origin
	running []*running
	results map[cell][]float64
	failed  []string
}

func (b *bench) start(p *peer, dir string) error {
	s := &site{dir: filepath.Join(dir, p.name), origin: b.origin}
	if p.name == "guise" && b.profile != "" {
		path, err := filepath.Abs(b.profile)
		if err != nil {
			return err
		}
		os.Remove(path)
		s.profile = path
	}
	r, err := launch(p, s)
	if err == nil {
		b.running = append(b.running, r)
		fmt.Fprintf(os.Stderr, "bench: %s runs\n", p.name)
	}
	return err
}

func (b *bench) stop() {
	for _, r := range b.running {
		r.stop()
	}
	b.running = nil
}

// measure runs all rounds of each workload. A peer that fails in one is left
// out of it from then on.
func (b *bench) measure() {
	for _, w := range b.workloads {
		rounds := b.rounds
		if w.once {
			rounds = 1
		}
		failed := make(map[*running]bool)
		for round := range rounds {
			for _, r := range b.running {
				if failed[r] || w.can != nil && !w.can(r.peer) {
					continue
				}
				figures, err := w.run(b.plan, r)
				if err != nil {
					fmt.Fprintf(os.Stderr, "bench: %s: %s: %v\n", r.name, w.name, err)
					b.failed = append(b.failed, r.name+": "+w.name)
					failed[r] = true
					continue
				}
				for i, m := range w.measures {
					at := cell{m.title, r.name}
					b.results[at] = append(b.results[at], figures[i])
				}
			}
			fmt.Fprintf(os.Stderr, "bench: %s, round %d of %d\n", w.name, round+1, rounds)
		}
	}
}

// table prints a row for each measure and a column for each peer. With brief, a row
// is a workload and a cell the medians of its measures.
func (b *bench) table(out io.Writer) {
	t := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	row := func(cells []string) { fmt.Fprintf(t, "| %s\t|\n", strings.Join(cells, "\t| ")) }
	head, rule := []string{"workload"}, []string{"---"}
	for _, r := range b.running {
		name := r.name
		if r.note != "" {
			name += " (" + r.note + ")"
		}
		head, rule = append(head, name), append(rule, "---")
	}
	row(head)
	row(rule)
	for _, w := range b.workloads {
		if b.brief {
			cells := []string{w.title}
			for _, r := range b.running {
				cells = append(cells, b.medians(w, r.name))
			}
			row(cells)
			continue
		}
		for _, m := range w.measures {
			cells := []string{m.title}
			for _, r := range b.running {
				cells = append(cells, spread(m.format, b.results[cell{m.title, r.name}]))
			}
			row(cells)
		}
	}
	t.Flush()
}

// medians returns the medians of all measures of w for a peer.
func (b *bench) medians(w workload, peer string) string {
	var all []string
	for _, m := range w.measures {
		if figures := b.results[cell{m.title, peer}]; len(figures) > 0 {
			all = append(all, thousands(fmt.Sprintf(m.format, median(figures))))
		}
	}
	return strings.Join(all, "; ")
}

// thousands sets a comma between the digits of large numbers.
func thousands(number string) string {
	if strings.Contains(number, ".") || len(number) < 4 {
		return number
	}
	return thousands(number[:len(number)-3]) + "," + number[len(number)-3:]
}

func median(figures []float64) float64 {
	sorted := slices.Sorted(slices.Values(figures))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// spread is the median of figures, and their range if there are several.
func spread(format string, figures []float64) string {
	if len(figures) == 0 {
		return ""
	}
	text := fmt.Sprintf(format, median(figures))
	if len(figures) > 1 {
		text += fmt.Sprintf(" ("+format+"–"+format+")", slices.Min(figures), slices.Max(figures))
	}
	return text
}
