package main

import (
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
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

// TestFlagsWithoutAValueAreRefused: they come of a script's unset variable, and the
// default would be taken for what was asked for.
func TestFlagsWithoutAValueAreRefused(t *testing.T) {
	tried := 0
	var all func(*cobra.Command)
	all = func(about *cobra.Command) {
		args := strings.Fields(about.CommandPath())[1:]
		switch {
		case strings.HasSuffix(about.Use, "NAME"):
			args = append(args, "ann")
		case strings.HasSuffix(about.Use, "URL"):
			args = append(args, "http://a.example/")
		}
		about.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if kind := f.Value.Type(); kind != "string" && kind != "stringSlice" {
				return
			}
			tried++
			var said strings.Builder
			if code := run(append(args, "--"+f.Name+"="), io.Discard, &said, nil); code != exitUsage || !strings.Contains(said.String(), "--"+f.Name+" ") {
				t.Errorf("%q with an empty --%s: exit code %d, %q", args, f.Name, code, said.String())
			}
		})
		for _, below := range about.Commands() {
			all(below)
		}
	}
	all(newRootCommand(&program{}))
	if tried < 10 {
		t.Errorf("only %d flags were tried", tried)
	}
}
