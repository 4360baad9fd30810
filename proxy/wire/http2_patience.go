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
	calmUnsaid  = 50 // frames to no purpose before [Server.Disturbed] is asked
)

// A forbearance is what one connection's peer may yet do to no purpose. The goroutine
// that reads the connection alone uses it, but for answers, which the connection's lock
// guards.
type forbearance struct {
	calm    patience
	answers int                   // frames that the peer may yet send because of ours
	unsaid  int                   // frames to no purpose that ask does not know of yet
	ask     func(frames int) bool // reports whether the peer may go on; nil if nobody is to be asked
}

var errNotCalm = connFault(codeEnhanceYourCalm, "too much to no purpose")

// disturb accounts for a frame to no purpose. Browsers send some; a flood of them
// (CVE-2019-9512 to 9518, CVE-2023-44487, CVE-2025-8671) ends the connection.
func (f *forbearance) disturb() error {
	if f.calm.ends() {
		return errNotCalm
	}
	if f.unsaid++; f.unsaid >= calmUnsaid && f.ask != nil {
		f.unsaid = 0
		if !f.ask(calmUnsaid) {
			return errNotCalm
		}
	}
	return nil
}

// answered accounts for a frame that one of ours may have made necessary, which
// counts for so many; the connection's lock is held.
func (f *forbearance) answered(cost int) error {
	if f.answers < cost {
		return f.disturb()
	}
	f.answers -= cost
	return nil
}

// A patience counts what one peer does that is borne so many times at once, as a
// bucket that fills up by itself. One goroutine at a time may use it.
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
