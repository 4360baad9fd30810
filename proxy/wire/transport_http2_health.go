package wire

import "time"

// How a PING asks an origin whether it is there.
const (
	originSilence  = 30 * time.Second // without a frame, while there are streams, before a PING
	originPingTime = 15 * time.Second // for the answer
	originRest     = 10 * time.Second // without a frame, before a new stream sends a PING

	// gRPC's servers end a connection for the third PING that comes less than five
	// minutes after the one before, unless they have sent something in between. So after
	// originAsked of them, the next one comes after originCalm.
	originAsked = 3
	originCalm  = 5*time.Minute + originSilence
)

// Doubted reports whether no frame came since a request got no answer in time. A stream that
// began now would be likely to get none either.
func (c *HTTP2Conn) Doubted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.doubted
}

// HeardBefore reports whether the last frame from the origin, or the beginning of the
// connection, was before t, which has a monotonic clock reading.
func (c *HTTP2Conn) HeardBefore(t time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.heardOn.Before(t)
}

// hears notes that a frame comes. The caller holds c.mu.
func (c *HTTP2Conn) hears() {
	c.heardOn = time.Now()
	c.heardAt = c.heardOn.Round(0)
}

// Silent reports whether the connection has ended because the origin did not even
// answer a PING.
func (c *HTTP2Conn) Silent() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.silent
}

// listen looks whether an origin that owes us a response is still there: a connection that
// is dead without our knowing would hold requests for as long as they may take.
func (c *HTTP2Conn) listen() {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.err != nil:
	case !c.greeted: // others may be waiting for that
		c.end(ErrResponseTimeout)
	case len(c.streams) == 0 && !c.doubted:
	case c.heard:
		c.listenLater()
	case c.pinged:
		c.silent = true
		c.end(ErrResponseTimeout)
	default:
		c.ping()
	}
}

// listenLater has listen run after originSilence, or originCalm.
func (c *HTTP2Conn) listenLater() {
	c.heard, c.pinged = false, false
	if c.asked < originAsked {
		c.health.Reset(originSilence)
	} else {
		c.health.Reset(originCalm)
	}
}

// ping asks an origin whether it is there.
func (c *HTTP2Conn) ping() {
	c.heard, c.pinged = false, true
	c.asked++
	c.out = append(appendFrameHead(c.output(), frameHead{length: 8, kind: framePing}), make([]byte, 8)...)
	c.wake()
	c.health.Reset(originPingTime)
}

// unanswered tells whether a PING is out, and nothing came since.
func (c *HTTP2Conn) unanswered() bool { return c.pinged && !c.heard }

// doubt has no stream begin until a frame comes, and sends a PING for one: a request was not
// answered in time, and the reason may be that the connection is dead.
func (c *HTTP2Conn) doubt() {
	if c.err != nil || c.doubted {
		return
	}
	c.doubted = true
	c.changed.Broadcast()
	switch {
	case !c.greeted, c.unanswered(): // listen will see to it
	case c.asked < originAsked:
		c.ping()
	default:
		c.retired = true
	}
}

// attend is called for a stream that begins. It sends a PING if nothing came for originRest,
// since the connection may be dead without our knowing, or else starts to listen.
func (c *HTTP2Conn) attend() {
	first := len(c.streams) == 0
	switch {
	case !c.greeted || c.pinged && (c.doubted || !first):
	case c.asked < originAsked && elapsed(c.heardAt, c.heardOn, time.Now()) > originRest:
		c.ping()
	case first:
		c.listenLater()
	}
}
