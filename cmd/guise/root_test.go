package main

import (
	"errors"
	"io"
	"strings"
	"testing"
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
