package cache

import (
	"strings"
	"testing"
	"time"
)

// TestHeadThatTellsAnotherLength drops what is stored (RFC 9111 §4.3.5), though the tag
// is the same: one of the two is wrong.
func TestHeadThatTellsAnotherLength(t *testing.T) {
	newScene(t, shared).run(
		step{give: "200\nCache-Control: max-age=60\nETag: \"1\"\nContent-Length: 1\n\na", want: "200\n\na"},
		step{after: time.Hour, do: "HEAD /", give: "200\nCache-Control: max-age=60\nETag: \"1\"\nContent-Length: 2", want: "200"},
		step{give: "200\n\nb", sent: "!If-None-Match", want: "200\n\nb"})
}

// TestRestOfAnotherLengthIsNotJoined: that the tag is the same makes no whole of two
// parts that contradict each other.
func TestRestOfAnotherLengthIsNotJoined(t *testing.T) {
	const fields = "Cache-Control: max-age=60\nETag: \"1\""
	s := newScene(t, shared)
	s.run(step{do: "GET /\nRange: bytes=0-5", give: "206\n" + fields + "\nContent-Range: bytes 0-5/10\n\n012345", want: "206"})
	s.mu.Lock()
	s.give = "206\n" + fields + "\nContent-Range: bytes 6-11/12\n\n6789ab"
	s.mu.Unlock()
	resp, err := s.rt.RoundTrip(s.request(step{}))
	if err != nil {
		return
	}
	defer resp.Body.Close()
	if resp.StatusCode == 200 {
		t.Errorf("it is told to be whole: %v", resp.Header)
	}
}

// TestWeakTagsStayWeak where the client sees another: by If-Range or for parts of it, a
// strong one would promise the same bytes (RFC 9110 §8.8.1).
func TestWeakTagsStayWeak(t *testing.T) {
	for tag, weak := range map[string]bool{`"1"`: false, `W/"1"`: true} {
		s := newScene(t, disguised)
		resp, _ := s.step(1, step{as: "a", give: "200\nCache-Control: max-age=60\nETag: " + tag + "\n\na", want: "200"})
		if got := resp.Header.Get("ETag"); got == tag || strings.HasPrefix(got, "W/") != weak {
			t.Errorf("%s becomes %s", tag, got)
		}
	}
}

// TestOwnReloadsAreNoDifference: what one client got twice, the second time anew, says
// nothing of what others get.
func TestOwnReloadsAreNoDifference(t *testing.T) {
	s := newScene(t, Options{Sharing: Disguised, Distrust: true})
	const lives = "200\nCache-Control: max-age=86400\n\n"
	s.run(
		step{as: "a", give: lives + "old", want: "200\n\nold"},
		step{as: "a", do: "GET /\nCache-Control: no-cache", give: lives + "new", want: "200\n\nnew"})
	if n := s.c.Stats().Differing; n != 0 {
		t.Errorf("%d differences are counted", n)
	}
	// The origin is asked for the time that it takes alone.
	s.run(step{as: "b", give: lives + "other", want: "200\n\nnew"})
}
