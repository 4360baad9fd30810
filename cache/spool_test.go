package cache

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Who reads slowly keeps as much of a body as may be stored, but where too much is
// held by all bodies together: there it is dropped, and the memory given back.
func TestSlowReaderOfALargeBodyKeepsLittleWhereMemoryIsScarce(t *testing.T) {
	const size, step = 4 << 20, 64 << 10
	for _, scarce := range []bool{false, true} {
		var held int64
		s := &spool{limit: 2 * size, most: size, now: time.Now, scarce: func() bool { return scarce }, resize: func(by int64) bool {
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

// TestManyBodiesAtOnceKeepToTheirRoom: where so many come that their readers take slowly,
// all announced before any has come, each holds little beyond the room for all.
func TestManyBodiesAtOnceKeepToTheirRoom(t *testing.T) {
	const size, step, count, room = 4 << 20, 32 << 10, 100, 8 << 20
	var held, most int64
	resize := func(by int64) bool {
		held += by
		most = max(most, held)
		return held > room
	}
	full, cancel := context.WithCancel(t.Context()) // a writer that would wait for readers ends instead
	cancel()
	var all []*spool
	for range count {
		s := &spool{limit: size, most: size, sized: true, now: time.Now, scarce: func() bool { return false }, resize: resize}
		s.reader(t.Context(), nil, func() {})
		all = append(all, s)
	}
	for range size / step {
		for _, s := range all {
			s.write(full, make([]byte, step))
		}
	}
	if limit := int64(room + size + count*2*(littleAhead+step)); most > limit {
		t.Errorf("%d bytes are held at once, of %d that there is room for", most, limit)
	}
	counted := int64(0)
	for _, s := range all {
		counted += int64(cap(s.buf))
	}
	if counted != held {
		t.Errorf("%d bytes are counted of %d", held, counted)
	}
}

// What is as large as an object may be is stored, whether its size is announced or
// not, and takes no more memory than it has to.
func TestLargestObjectIsStored(t *testing.T) {
	const object = 1 << 20
	for _, announced := range []bool{true, false} {
		for size, want := range map[int]int{object: 1, object + 1: 2} {
			asked, text := 0, strings.Repeat("x", size)
			c := New(Options{Memory: 8 * object, Object: object, Sharing: Shared})
			rt := c.Transport(roundTripper(func(r *http.Request) (*http.Response, error) {
				asked++
				resp := parseResponse("200\nCache-Control: max-age=60", r)
				resp.Body, resp.ContentLength = io.NopCloser(strings.NewReader(text)), -1
				if announced {
					resp.ContentLength = int64(size)
				}
				return resp, nil
			}))
			for range 2 {
				r, err := http.NewRequestWithContext(t.Context(), "GET", "http://origin.example/", nil)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := rt.RoundTrip(r)
				if err != nil {
					t.Fatal(err)
				}
				if n := drain(resp.Body, 2*object); n != int64(size) {
					t.Fatalf("got %d bytes of %d", n, size)
				}
				c.settled()
			}
			if held := c.Stats().Bytes; asked != want || held > object+4<<10 {
				t.Errorf("%d bytes, announced %t: the origin was asked %d times; %d bytes are held", size, announced, asked, held)
			}
			c.Close()
		}
	}
}

// A body that comes in many little pieces does so for who comes later, too: in as many, or
// where that would be too many in larger ones of about one size, each at the time at which it came.
func TestManyPiecesAreRemembered(t *testing.T) {
	const size = 10
	for _, pieces := range []int{100, 10 * maxPieces} {
		var passed time.Duration
		s := &spool{limit: 1 << 20, most: 1 << 20, resize: func(int64) bool { return false }, scarce: func() bool { return false }}
		s.now = func() time.Time { return s.start.Add(passed) }
		for range pieces {
			passed += time.Millisecond
			if err := s.write(t.Context(), make([]byte, size)); err != nil {
				t.Fatal(err)
			}
		}
		if got := len(s.pieces); pieces < maxPieces && got != pieces || got < min(pieces, maxPieces/4) || got > maxPieces {
			t.Errorf("%d pieces of %d are told apart", got, pieces)
		}
		at := int64(0)
		for _, p := range s.pieces {
			if p.to <= at || p.to-at > int64(8*size*pieces/maxPieces) || p.after != time.Duration(p.to/size)*time.Millisecond {
				t.Errorf("of %d pieces, one from %d to %d came at %s", pieces, at, p.to, p.after)
			}
			at = p.to
		}
		if at != s.head() {
			t.Errorf("the pieces end at %d of %d bytes", at, s.head())
		}
	}
}
