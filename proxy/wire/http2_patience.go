package wire

import "time"

// Frames to no purpose cost us something and bring nobody anything: a PING, a
// reset, a window update of nothing. A peer may send calmBurst of them at once, and
// calmPerSecond in the long run.
const (
	calmBurst     = 1000
	calmPerSecond = 100
)

// What we send, a peer has to answer. Go's client widens its windows with each 4
// KiB that it reads, some others with each KiB, and the window of a stream that
// has long ended as well; gRPC sends a PING for each DATA frame that comes while none is
// unanswered, to measure the bandwidth. So each DATA frame that we send, and each stream,
// lets a peer send answersEach such frames; but not a frame that a narrow window kept
// smaller than narrowPiece (CVE-2019-9511). Frames that we ignore count against the same
// allowance, and a peer's requests and data add to it: browsers send PRIORITY_UPDATE (RFC
// 9218 §7.1), and Chromium can send a frame of unknown type with each head and piece of a
// body, to keep servers ignoring those (RFC 9113 §5.5).
const (
	answersEach = 32
	pingCosts   = 16  // as many as a PING counts for, since we have to answer it
	narrowPiece = 256 // bytes
	calmUnsaid  = 50  // frames to no purpose before [Server.Disturbed] is asked
)

// A forbearance is how many frames to no purpose one connection's peer may still send. Only
// the goroutine that reads the connection uses it, except answers, which the connection's
// lock guards.
type forbearance struct {
	calm    patience
	answers int                   // frames that the peer may yet send because of ours
	unsaid  int                   // frames to no purpose since ask was called last
	ask     func(frames int) bool // is told of so many, and reports whether the peer may go on; nil if it always may
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

// answered accounts for a frame that one of ours may have made necessary, and that
// counts for cost frames; the connection's lock is held.
func (f *forbearance) answered(cost int) error {
	if f.answers < cost {
		return f.disturb()
	}
	f.answers -= cost
	return nil
}

// A patience is a token bucket: it bears burst events at once, and perSecond in the long
// run. One goroutine at a time may use it.
type patience struct {
	burst, perSecond float64
	left             float64
	at               time.Time // when left was counted
}

func newPatience(burst, perSecond float64) patience {
	return patience{burst, perSecond, burst, time.Now()}
}

// ends counts one more event, and reports whether it was one too many.
func (p *patience) ends() bool {
	now := time.Now()
	p.left = min(p.burst, p.left+now.Sub(p.at).Seconds()*p.perSecond)
	p.at = now
	p.left--
	return p.left < 0
}
