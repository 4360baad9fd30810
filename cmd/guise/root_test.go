package main

import (
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left") }

// TestLostOutputIsAFailure: who redirects what a command says must not take the file
// for whole.
func TestLostOutputIsAFailure(t *testing.T) {
	for _, args := range [][]string{{"check"}, {"explain", "http://a.example/"}, {"help", "configuration"}, {"pac"}, {"version"}} {
		var said strings.Builder
		if code := run(args, fullDisk{}, &said, nil); code != exitFound || said.String() != "guise: no space left\n" {
			t.Errorf("%q: exit code %d, %q", args, code, &said)
		}
		if code := run(args, io.Discard, &said, nil); code != exitFine {
			t.Errorf("%q: exit code %d where there is room", args, code)
		}
	}
}

// TestHelpFitsATerminal: of 80 columns, or words break where lines end.
func TestHelpFitsATerminal(t *testing.T) {
	var all func(*cobra.Command)
	all = func(about *cobra.Command) {
		var out strings.Builder
		topic := strings.Fields(about.CommandPath())[1:]
		if code := run(append([]string{"help"}, topic...), &out, io.Discard, nil); code != exitFine {
			t.Errorf("help %q: exit code %d", topic, code)
		}
		for line := range strings.Lines(out.String()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
				t.Errorf("help %q: %d columns: %s", topic, n, line)
			}
		}
		for _, below := range about.Commands() {
			all(below)
		}
	}
	all(newRootCommand(&program{}))
}
