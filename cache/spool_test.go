package cache

import (
	"io"
	"testing"
	"time"
)

// Who reads slowly keeps as much of a body as may be stored, but where too much is
// held by all bodies together: there it is dropped, and the memory given back.
func TestSlowReaderOfALargeBodyKeepsLittleWhereMemoryIsScarce(t *testing.T) {
	const size, step = 4 << 20, 64 << 10
	for _, scarce := range []bool{false, true} {
		var held int64
		s := &spool{limit: 2 * size, now: time.Now, scarce: func() bool { return scarce }, resize: func(by int64) bool {
			held += by
			return true // as where the budget for bodies on their way is used up
		}}
		fast, slow := s.reader(t.Context(), nil, func() {}), s.reader(t.Context(), nil, func() {})
		buf := make([]byte, step)
		for range size / step {
			if err := s.write(t.Context(), buf); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(fast, buf); err != nil {
				t.Fatal(err)
			}
		}
		s.finish(nil, nil)
		if held != int64(cap(s.buf)) {
			t.Errorf("scarce %t: %d bytes counted of %d", scarce, held, cap(s.buf))
		}
		got, err := io.Copy(io.Discard, slow)
		switch {
		case !scarce && (err != nil || got != size):
			t.Errorf("the slow reader got %d bytes, %v", got, err)
		case scarce && err != errLagged:
			t.Errorf("the slow reader got %d bytes, %v, where memory is scarce", got, err)
		case scarce && held > 4*ahead:
			t.Errorf("%d bytes are kept where memory is scarce", held)
		}
	}
}
