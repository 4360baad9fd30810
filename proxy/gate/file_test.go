package gate

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func unnamed(err error) error { return err }

// TestFilesAreReadAgain that were written again within their stamp's grain, or while the
// clock was set back: what was revoked must not enter for that.
func TestFilesAreReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	c := newClock()
	put := func(content string, at time.Time) {
		write(t, path, content)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	put("one", c.now())
	w, err := newWatchedFile(path, watching{now: c.now}, unnamed, func(data []byte) (string, error) { return string(data), nil })
	if err != nil {
		t.Fatal(err)
	}
	put("two", c.now())
	c.advance(lookAgain)
	if got := w.get(); got != "two" {
		t.Errorf("written again at the same time, of the same size: still %s", got)
	}
	c.advance(-time.Hour)
	put("six", c.now())
	if got := w.get(); got != "six" {
		t.Errorf("with a clock that was set back: still %s", got)
	}
	long := c.now().Add(-time.Hour)
	put("ten", long)
	c.advance(lookAgain)
	w.get()
	put("eleven", long)
	c.advance(lookAgain)
	if got := w.get(); got != "eleven" {
		t.Errorf("written again with its old time: still %s", got)
	}
}

// TestUnusableChangesAreTold: who took a user out, or revoked a token, must not believe
// that it is done. A file that is being written is no fault.
func TestUnusableChangesAreTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	c := newClock()
	var told []string
	common := watching{c.now, func(err error) { told = append(told, err.Error()) }}
	named := func(err error) error { return fmt.Errorf("file: %w", err) }
	write(t, path, "whole")
	w, err := newWatchedFile(path, common, named, func(data []byte) (string, error) {
		if strings.HasPrefix(string(data), "half") {
			return "", errors.New(string(data))
		}
		return string(data), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		content string // "" for no file
		told    string
	}{
		{"whole", ""}, {"half", ""}, {"half", "file: half"}, {"half", ""}, {"half", ""},
		{"half of it", ""}, {"half of it", "file: half of it"}, {"whole", ""},
		{"half", ""}, {"whole", ""}, {"", ""}, {"", "file: does not exist"}, {"", ""},
	} {
		if os.Remove(path); step.content != "" {
			write(t, path, step.content)
		}
		c.advance(lookAgain)
		if told = nil; w.get() != "whole" {
			t.Errorf("with %q in the file it holds %q", step.content, w.get())
		}
		if got := strings.Join(told, "; "); got != step.told {
			t.Errorf("with %q in the file %q is told, want %q", step.content, got, step.told)
		}
	}
}
