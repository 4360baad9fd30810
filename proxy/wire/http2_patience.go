package wire

import "time"

// Frames to no purpose cost us something and bring nobody anything: a PING, a
// reset, a window update of nothing. A peer may send so many of them at once, and
// so many each second in the long run.
const (
	calmBurst     = 1000
	calmPerSecond = 100
)

// What we send, a peer has to answer. Go's client widens its windows with each 4
// KiB that it reads, some others with each KiB, and the window of a stream that
// has long ended as well; gRPC measures what a connection can carry by a PING for
// each DATA frame that comes while none is out. So each such frame, and each
// stream, lets a peer send so many more; but not one of which a narrow window let
// hardly anything go (CVE-2019-9511). Nor are frames that we pass over a flood where
// they come with what we do not: browsers say anew how urgent an answer is (RFC 9218
// §7.1), and Chromium can have a frame of no known type with each head and each piece of
// a body, so that nobody forgets to pass over those (RFC 9113 §5.5).
const (
	answersEach = 32
	pingCosts   = 16 // of these, since we answer it in turn
	narrowPiece = 256
)

// A patience counts what one peer does that is borne so many times at once, as a
// bucket that fills up by itself. The goroutine that reads the connection alone
// uses it.
type patience struct {
	burst, perSecond float64
	left             float64
	at               time.Time // when left was counted
}

func newPatience(burst, perSecond float64) patience {
	return patience{burst, perSecond, burst, time.Now()}
}

// ends takes one more, and reports whether it was one too many.
func (p *patience) ends() bool {
	now := time.Now()
	p.left = min(p.burst, p.left+now.Sub(p.at).Seconds()*p.perSecond)
	p.at = now
	p.left--
	return p.left < 0
}
