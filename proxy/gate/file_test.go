package gate

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

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
	w, err := newWatchedFile(path, c.now, func(data []byte) (string, error) { return string(data), nil })
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
