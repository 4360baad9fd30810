package wire

import "time"

// Frames to no purpose cost us something and bring nobody anything: a PING, a
// reset, a window update of nothing. A peer may send so many of them at once, and
// so many each second in the long run.
const (
	calmBurst     = 1000
	calmPerSecond = 100
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
