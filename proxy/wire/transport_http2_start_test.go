package wire

import (
	"testing"

	"golang.org/x/net/http2/hpack"
)

// TestHTTP2StreamsComeBehindWhatIsMoreUrgent: an exclusive dependency on nothing would put
// each stream before all others that there are, as an image before its page.
func TestHTTP2StreamsComeBehindWhatIsMoreUrgent(t *testing.T) {
	c := &HTTP2Conn{
		start:   HTTP2Start{Weights: []int{256, 220, 183, 147, 110, 74, 37, 1}, Exclusive: true},
		streams: make(map[uint32]*originStream),
	}
	for i, s := range []struct {
		priority string
		weight   byte
		behind   byte
	}{ // as Chromium 156 began them
		{"u=0, i", 255, 0},
		{"u=0", 255, 1},
		{"u=1", 219, 3},
		{"u=1, i", 219, 5},
		{"i", 146, 7},
		{"", 146, 9},
		{"u=0", 255, 3},
		{"u=2", 182, 7},
		{"i, u=4", 109, 11},
	} {
		st := &originStream{id: uint32(2*i + 1), urgency: urgencyOf([]hpack.HeaderField{{Name: "priority", Value: s.priority}})}
		if got := string(c.priority(st.urgency)); got != string([]byte{0x80, 0, 0, s.behind, s.weight}) {
			t.Errorf("stream %d, %q: %x", st.id, s.priority, got)
		}
		c.streams[st.id] = st
	}
	c.start.Weights = nil
	if got := c.priority(3); got != nil {
		t.Errorf("without weights: %x", got)
	}
}
