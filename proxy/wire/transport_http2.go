package wire

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/net/http2/hpack"
)

// What an HTTP/2 connection to an origin may hold or cause, in bytes unless it
// says otherwise. The times of its PINGs are in transport_http2_health.go.
//
// A stream's window begins small, and grows while its response is read. HTTP2Conn.lent
// is the sum of all windows: beyond originLarge none grows any more, so that further
// streams can begin; beyond originUnread none begins. The connection's window bounds
// nothing: credit for all data is given back at once, so that a response that nobody
// reads does not stop the others.
const (
	originWindow     = 128 << 10 // of a new stream, unless HTTP2Start gives it more
	originGrown      = 1 << 20   // of one that is read, at most
	originLarge      = 16 << 20  // of all streams, before windows stop growing
	originUnread     = 32 << 20  // of all streams, before no more begin
	originConnWindow = 8 << 20   // unless HTTP2Start says how much
	originStreams    = 100       // at a time, unless the origin says how many

	// Many servers end a connection, with all streams on it, if too many streams are reset
	// (CVE-2023-44487): Varnish after 100 in a minute, Netty after 200 in half a minute. So
	// one on which originGivenUp were, or givenUpPerSecond in the long run, is worn.
	originGivenUp    = 50
	givenUpPerSecond = 0.5
)

// An HTTP2Conn is a connection to an origin that chose HTTP/2. It sends what
// [Transport] would, field by field in the same order, and reads as strictly.
// It is safe for concurrent use.
//
// Nothing of a request that may differ between two clients gets into the
// compression's table, which all share (RFC 7541 §7.1).
type HTTP2Conn struct {
	t     *Transport
	nc    secureConn
	ended func()
	start HTTP2Start

	// The reading goroutine's.
	br      *bufio.Reader
	decoder *hpack.Decoder
	block   responseBlock
	forbearance

	mu       sync.Mutex // guards what follows, and all of each stream
	changed  sync.Cond  // a stream became free, or the connection ended
	streams  map[uint32]*originStream
	next     uint32 // number of the next stream
	most     int    // streams at a time
	reserved int    // streams that Reserve set aside, and that have not begun
	greeted  bool   // the first SETTINGS came; only the reading goroutine writes it
	over     endedStreams
	crossing int      // frames that may have been on their way on streams when we reset those
	givenUp  patience // bears streams that we reset
	worn     bool     // they were too many, or the origin said so

	// Flow control (RFC 9113 §5.2).
	begin    int   // bytes of a new stream's window
	whole    int   // bytes of the connection's window
	lent     int   // bytes that the origin may send on streams, or has sent and nobody has read
	received int   // bytes that came and were not given back to the connection's window
	window   int64 // bytes that we may send
	spent    int64 // bytes of bodies that were sent, ever
	initial  int64 // bytes that we may send on a new stream

	// To the origin.
	encoder *hpack.Encoder
	encoded bytes.Buffer
	unsent

	// The end.
	retired bool        // to be closed once no stream is left
	going   bool        // no stream begins any more: GOAWAY came, or deaf is set
	deaf    error       // the failure of a write; what the origin sent before is still read
	err     error       // why the connection has ended; nil if it has not
	heard   bool        // a frame came since listen ran
	asked   int         // PINGs sent since the last frame came that is no PING
	heardAt time.Time   // when a frame came last, by the wall clock
	heardOn time.Time   // the same, by the monotonic clock; see elapsed
	pinged  bool        // a PING was sent since listen ran
	silent  bool        // and was not answered
	doubted bool        // a request got no answer in time, and no frame came since; no stream begins
	health  *time.Timer // runs listen while there are streams, or the first SETTINGS is to come
	idle    *time.Timer // retires the connection; runs while there are no streams
}

// HTTP2 begins to speak HTTP/2 on tc, which [Transport.Connect] returned. One
// stream is reserved; see [HTTP2Conn.Reserve]. When the connection has ended, ended
// is called once, with no lock held; it may be nil.
func (t *Transport) HTTP2(tc *tls.Conn, ended func()) *HTTP2Conn { return t.startHTTP2(tc, ended) }

// A secureConn has the methods of [tls.Conn] that are used here.
type secureConn interface {
	net.Conn
	NetConn() net.Conn // the connection below
	ConnectionState() tls.ConnectionState
}

func (t *Transport) startHTTP2(tc secureConn, ended func()) *HTTP2Conn {
	t.once.Do(t.init)
	start := t.HTTP2Start.orOurs(t.Limits.Head)
	c := &HTTP2Conn{
		t: t, nc: tc, ended: ended, start: start,
		begin: start.value(settingInitialWindow, firstWindow), whole: firstWindow + int(start.Window),
		streams: make(map[uint32]*originStream),
		next:    max(start.First, 1), most: 1, // until the origin says more: a body that it refuses is not sent again
		reserved: 1,
		window:   firstWindow, initial: firstWindow,
	}
	c.hears()
	c.changed.L = &c.mu
	c.calm = newPatience(calmBurst, calmPerSecond)
	c.givenUp = newPatience(originGivenUp, givenUpPerSecond)
	c.encoder = hpack.NewEncoder(&c.encoded)
	c.decoder = hpack.NewDecoder(uint32(start.value(settingHeaderTableSize, headerTable)), c.block.add)
	c.decoder.SetMaxStringLength(maxBlock(t.Limits)) // a longer string ends the connection
	c.health = time.AfterFunc(t.HandshakeTimeout, c.listen)
	c.idle = time.AfterFunc(t.IdleTimeout, c.Retire)
	c.mu.Lock()
	c.idle.Stop() // until the reserved stream is over
	c.out = append(c.output(), http2Preface...)
	settings := make([]setting, len(start.Settings))
	for i, s := range start.Settings {
		settings[i] = setting{uint16(s[0]), s[1]}
	}
	c.out = appendSettings(c.out, settings...)
	c.out = appendWindowUpdate(c.out, 0, int(start.Window))
	c.wake()
	c.mu.Unlock()
	go c.run()
	return c
}

// maxBlock bounds a head on the wire. It is larger than the limit of its fields, so that a
// head over that limit is decoded to its end: to skip a part would lose the dynamic table,
// and with it the connection.
func maxBlock(l Limits) int { return 4 * l.Head }

// Errors of HTTP/2.
var (
	// ErrNotProcessed means that the origin did nothing about the request,
	// and says so (RFC 9113 §8.7): it may be sent again.
	ErrNotProcessed = errors.New("wire: request not processed")

	// ErrWantsHTTP1 means that the origin wants the request in HTTP/1.1
	// (RFC 9113 §7, HTTP_1_1_REQUIRED), and did nothing about it.
	ErrWantsHTTP1 = errors.New("wire: HTTP/1.1 wanted")

	errStreamReset = &ConnError{"read", errors.New("stream was reset")}
)

// Reserve reports whether the connection has a stream to spare, which the
// next RoundTrip takes or Release gives back.
func (c *HTTP2Conn) Reserve() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reserve()
}

func (c *HTTP2Conn) reserve() bool {
	if c.usable() && c.begin > originWindow && c.lent+(c.reserved+1)*c.begin > originUnread {
		c.narrow()
	}
	if !c.usable() || c.doubted || len(c.out) > maxUnsent || len(c.streams)+c.reserved >= c.most || c.lent+(c.reserved+1)*c.begin > originUnread {
		return false
	}
	c.reserved++
	c.idle.Stop()
	return true
}

// narrow shrinks the windows of all streams, and the initial one, from what HTTP2Start has to
// originWindow (RFC 9113 §6.9.2), so that there is room for one more stream.
func (c *HTTP2Conn) narrow() {
	less := c.begin - originWindow
	c.begin = originWindow
	for _, st := range c.streams {
		st.first = st.allowed
		st.allowed -= less
		c.lent -= less
	}
	c.out = appendSettings(c.output(), setting{settingInitialWindow, originWindow})
	c.wake()
	for _, st := range c.streams {
		st.credit(0) // what was read may be more than the origin may send from now on
	}
}

// usable tells whether streams may still begin.
func (c *HTTP2Conn) usable() bool { return c.err == nil && !c.going && c.next < 1<<31 }

// Wait waits for Reserve, as long as for a response. It returns false if the
// connection takes no more streams, or is in doubt (see [HTTP2Conn.Doubted]): then another
// is needed. If it ended before the origin sent SETTINGS, Wait returns the error: on another
// connection, the same would be likely.
func (c *HTTP2Conn) Wait(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.t.ResponseTimeout, ErrResponseTimeout)
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		c.mu.Lock()
		c.changed.Broadcast()
		c.mu.Unlock()
	})()
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.reserve() {
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		if !c.usable() {
			if c.err != nil && c.err != errRetired && !c.greeted {
				return false, streamError(c.err)
			}
			return false, nil
		}
		if c.doubted {
			return false, nil
		}
		c.changed.Wait()
	}
	return true, nil
}

// Release gives a reserved stream back.
func (c *HTTP2Conn) Release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reserved--
	c.rest()
}

// Usable reports whether streams may still begin, now or later.
func (c *HTTP2Conn) Usable() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.usable() && !c.retired
}

// Worn reports whether so many streams were reset lately that the origin may take it for an
// attack and end the connection, or whether it has sent ENHANCE_YOUR_CALM. Further streams
// had better begin on another connection.
func (c *HTTP2Conn) Worn() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.worn
}

// Clogged reports whether request bodies have nearly used up the connection's window: if the
// origin does not read one of them, bodies on further streams have to wait as well.
func (c *HTTP2Conn) Clogged() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.window < firstWindow/4
}

// Greeted reports whether the origin's first SETTINGS came, which may say how many streams
// it takes.
func (c *HTTP2Conn) Greeted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.greeted
}

// Retire closes the connection after its last stream. Those that are reserved
// may still begin.
func (c *HTTP2Conn) Retire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.retired = true
	c.rest()
}

// LetGo closes the connection if nobody uses it, and reports whether it did.
func (c *HTTP2Conn) LetGo() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil || len(c.streams)+c.reserved > 0 {
		return false
	}
	c.end(errRetired)
	return true
}

// rest is called when a stream may have been the last one.
func (c *HTTP2Conn) rest() {
	c.changed.Broadcast()
	switch {
	case c.err != nil || len(c.streams)+c.reserved > 0:
	case c.retired || c.going:
		c.end(errRetired)
	default:
		if c.unanswered() { // or the next stream would send another PING
			c.doubted = true
		}
		if c.greeted && !c.doubted {
			c.health.Stop()
		}
		c.idle.Reset(c.t.IdleTimeout)
	}
}

var errRetired = errors.New("wire: connection retired")

// end ends the connection and every stream on it, for err; c.mu is held.
func (c *HTTP2Conn) end(err error) {
	if c.err != nil {
		return
	}
	c.err = err
	c.health.Stop()
	c.idle.Stop()
	for _, st := range c.streams {
		st.fail(st.lost(err))
		c.forget(st, true)
	}
	c.changed.Broadcast()
	fault, faulty := errors.AsType[*http2Fault](err)
	if faulty || err == errRetired {
		code := codeNone
		if faulty {
			code = fault.code
		}
		c.out = appendGoAway(c.output(), 0, code)
		c.wake() // closes when that is written
		if c.writing {
			return
		}
	}
	c.nc.NetConn().Close()
}

// wake sees to it that somebody writes what is in out.
func (c *HTTP2Conn) wake() {
	if !c.writing && len(c.out) > 0 {
		c.writing = true
		go c.write()
	}
}

// write sends what is in out until there is nothing more.
func (c *HTTP2Conn) write() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.out) > 0 {
		b := c.out
		c.out = nil
		c.changed.Broadcast() // there is room again
		c.wakeSenders()
		c.nc.SetWriteDeadline(time.Now().Add(c.t.WriteTimeout))
		c.mu.Unlock()
		_, err := c.nc.Write(b)
		putOutput(b)
		c.mu.Lock()
		if err != nil {
			c.out = nil
			switch {
			case c.err != nil || c.deaf != nil:
			case isTimeout(err):
				c.end(ErrWriteTimeout)
			default:
				// Why the origin takes no more can be the last that it sent.
				c.going, c.deaf = true, connError("write", err)
				c.nc.SetReadDeadline(time.Now().Add(lastWords))
			}
		}
	}
	c.writing = false
	if c.err != nil {
		c.nc.NetConn().Close()
		return
	}
	c.nc.SetWriteDeadline(time.Now().Add(leisure))
}

// wakeSenders wakes the senders that wait for room.
func (c *HTTP2Conn) wakeSenders() {
	for _, st := range c.streams {
		if st.sending {
			st.cond.Broadcast()
		}
	}
}

// run reads until the connection ends.
func (c *HTTP2Conn) run() {
	c.br = bufio.NewReaderSize(c.nc, ownMaxFrame)
	err := c.read()
	c.mu.Lock()
	switch _, faulty := errors.AsType[*http2Fault](err); {
	case faulty:
	case c.deaf != nil && isTimeout(err):
		err = c.deaf
	case err == io.EOF, err == io.ErrUnexpectedEOF:
		err = ErrNoResponse // see originStream.lost
	default:
		err = connError("read", err)
	}
	c.end(err)
	c.mu.Unlock()
	if c.ended != nil {
		c.ended()
	}
}
