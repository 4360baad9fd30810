// Package tunnel carries bytes between a client and an origin without
// looking at them, but for an [Opening] that may have to be judged.
//
// Call [Carry]. Between two TCP connections, on Linux, an idle tunnel holds
// nothing but its two descriptors: no goroutine, no buffer, no pipe. One
// goroutine carries the messages of many tunnels; the bytes of a bulk transfer
// are moved by the kernel.
//
// A tunnel is two streams, one for each direction (stream.go). A stream that has
// a goroutine runs; one that waits without is parked in the lot (park_linux.go).
// The pipes that splice(2) needs are borrowed while bytes flow (splice_linux.go).
// What the client begins with is held until it is judged (opening.go).
package tunnel

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"guise/proxy/calls"
	"guise/proxy/pipe"
)

// Options configures one tunnel. The zero value never times out.
type Options struct {
	Idle       time.Duration // a tunnel without a byte in either direction for so long is cut; 0 means never
	FromClient []byte        // already read from the client; goes to the origin first
	FromOrigin []byte        // already read from the origin; goes to the client first
	Opening    *Opening      // what the client has to begin with; nil for anything

	// Up and Down, unless nil, are called after each piece of n bytes, and return
	// when the next may be carried, or with an error that cuts the tunnel. No
	// pipe or buffer is held while they wait; ctx ends with the tunnel.
	Up, Down func(ctx context.Context, n int) error

	Panicked func(stack []byte) // told of a panic in one of those, which cuts the tunnel; nil tells nobody
}

// Bytes counts what a tunnel handed to the sockets of either side.
type Bytes struct {
	Up   int64 // from the client to the origin
	Down int64 // from the origin to the client
}

// ErrIdle is the error of a tunnel that carried nothing for too long, or whose opening
// was not complete in time.
var ErrIdle = errors.New("tunnel idle for too long")

// Carry carries bytes both ways until both sides have said that they are done,
// and closes both connections. It does not wait for that: it calls done once,
// when nothing of the tunnel is left, and not before Carry has returned. done
// should return soon: other tunnels may wait for it. Deadlines that were set on
// the connections are lifted. cut ends the tunnel as if err had broken it.
//
// A side that is done sending closes its half, and the other side is told by
// its CloseWrite (*net.TCPConn and *tls.Conn have it); bytes still flow the
// other way. TLS that ended without a close_notify, as a method Ended of the
// connection below tells, ends so on the other side as well, after all bytes. If
// one side breaks, ctx ends, the tunnel is idle or its opening is refused, both
// connections are cut: TCP connections are reset, so that nobody takes a part for
// the whole.
//
// The error is nil only if both sides ended well; else it is [ErrIdle], the
// context's cause, the opening's error, or what broke first. It names no address.
func Carry(ctx context.Context, client, origin net.Conn, o Options, done func(carried Bytes, err error)) (cut func(err error)) {
	client.SetDeadline(time.Time{})
	origin.SetDeadline(time.Time{})
	t := &tunnel{client: client, origin: origin, idle: o.Idle, start: time.Now(), ctx: ctx, done: done, panicked: o.Panicked, left: 2}
	if o.Up != nil || o.Down != nil { // only these wait for the context's end
		t.ctx, t.end = context.WithCancel(ctx)
	}
	t.up = stream{tunnel: t, src: client, dst: origin, early: o.FromClient, pace: o.Up}
	t.down = stream{tunnel: t, src: origin, dst: client, early: o.FromOrigin, pace: o.Down}
	t.opens(o.Opening)
	t.lot = tunnelOpens()
	if !t.up.canPark() || !t.down.canPark() {
		t.lot = nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopContext = context.AfterFunc(ctx, func() { t.cut(context.Cause(ctx)) })
	t.up.begin()
	t.down.begin()
	t.watch()
	return t.cut
}

// A tunnel is what its two directions share.
type tunnel struct {
	client, origin net.Conn
	idle           time.Duration
	start          time.Time
	ctx            context.Context    // ends when the tunnel is cut
	end            context.CancelFunc // of ctx; nil without Up and Down
	done           func(Bytes, error)
	panicked       func(stack []byte)
	stopContext    func() bool
	lot            *lot         // nil where streams cannot be parked
	active         atomic.Int64 // when a byte last moved, in nanoseconds after start

	mu       sync.Mutex
	up, down stream
	running  int   // streams with a goroutine
	left     int   // streams that are not over
	err      error // what went wrong first
	ended    bool  // cut, or over
	timer    *time.Timer
	queued   [2]int64      // to client and origin, when the tunnel was last quiet for long
	openTill time.Duration // after start; the opening has to be judged until then, unless 0

	concluded bool
}

// touch notes that a byte moved, and returns how long none had.
func (t *tunnel) touch() time.Duration {
	now := int64(time.Since(t.start))
	return time.Duration(now - t.active.Swap(now))
}

// parkAfter is how long a stream keeps its goroutine for the next byte.
const parkAfter = 200 * time.Millisecond

// watch sets the timer for when the tunnel, or a goroutine of its, may have been idle for
// long enough, or the opening is late; t.mu is held. One timer watches both directions,
// and asks when it fires: setting a deadline at each read costs more than carrying a
// short message.
func (t *tunnel) watch() {
	var next time.Duration
	now := time.Since(t.start)
	if t.idle > 0 {
		next = max(t.idle-(now-time.Duration(t.active.Load())), 1)
	}
	if left := max(t.openTill-now, 1); t.openTill > 0 && (next == 0 || next > left) {
		next = left
	}
	if t.running > 0 && t.lot != nil && (next == 0 || next > parkAfter) {
		next = parkAfter
	}
	switch {
	case t.ended || next == 0:
	case t.timer == nil:
		t.timer = time.AfterFunc(next, t.look)
	default:
		t.timer.Reset(next)
	}
}

// look cuts a tunnel that is idle or whose opening is late, and parks streams before
// that.
func (t *tunnel) look() {
	t.mu.Lock()
	if t.ended {
		t.mu.Unlock()
		return
	}
	now := time.Since(t.start)
	quiet := now - time.Duration(t.active.Load())
	late, idle := t.openTill > 0 && now >= t.openTill, t.idle > 0 && quiet >= t.idle
	if idle && !late && t.drains() {
		t.touch()
		idle = false
	}
	if late || idle {
		t.cutLocked(ErrIdle)
		t.unlock()
		return
	}
	defer t.mu.Unlock()
	if quiet >= parkAfter && t.lot != nil {
		for _, s := range []*stream{&t.up, &t.down} {
			if s.state == stateRunning {
				s.src.SetReadDeadline(longAgo) // s.park follows
			}
		}
	}
	t.watch()
}

// drains reports whether what was written still moves: the system holds megabytes, which a
// slow peer goes on to take after the last write. t.mu is held.
func (t *tunnel) drains() bool {
	before := t.queued
	t.queued = [2]int64{queued(t.client), queued(t.origin)}
	return t.queued != before
}

// queued returns how many bytes were written to conn that its peer has not acknowledged, 0
// if that is not known.
func queued(conn net.Conn) (n int64) {
	socket, ok := innermost(conn).(syscall.Conn)
	if !ok {
		return 0
	}
	if raw, err := socket.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { n = max(0, pipe.Queued(fd)) })
	}
	return n
}

var longAgo = time.Unix(1, 0)

// note keeps err if it is the first.
func (t *tunnel) note(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.noteLocked(err)
}

func (t *tunnel) noteLocked(err error) {
	if t.err == nil && !t.ended {
		t.err = plain(err)
	}
}

// cut ends the tunnel at once: both directions come back from their reads
// and writes. Only the first cut counts.
func (t *tunnel) cut(err error) {
	t.mu.Lock()
	t.cutLocked(plain(err))
	t.unlock()
}

func (t *tunnel) cutLocked(err error) {
	if t.ended {
		return
	}
	t.ended = true
	if t.err == nil {
		t.err = err
	}
	if t.end != nil {
		t.end()
	}
	abort(t.client)
	abort(t.origin)
	for _, s := range []*stream{&t.up, &t.down} {
		if s.state == stateParked {
			t.over(s)
		}
	}
}

// over notes that a stream is over; t.mu is held. After both, unlock concludes the
// tunnel.
func (t *tunnel) over(s *stream) {
	switch s.state {
	case stateRunning:
		t.running--
	case stateParked:
		t.lot.leave(s)
	}
	s.state = stateGone
	t.left--
	t.ended = t.ended || t.left == 0
}

// unlock unlocks t.mu, and concludes a tunnel whose streams are over.
func (t *tunnel) unlock() {
	last := t.left == 0 && !t.concluded
	t.concluded = t.concluded || last
	t.mu.Unlock()
	if last {
		t.conclude()
	}
}

// conclude lets go of all that the tunnel held. Nothing of it runs any more.
func (t *tunnel) conclude() {
	t.stopContext()
	if t.timer != nil {
		t.timer.Stop()
	}
	if t.end != nil {
		t.end()
	}
	for _, s := range []*stream{&t.up, &t.down} {
		if s.broken { // s.dst may be there yet, and has not got everything
			abort(s.dst)
		}
	}
	t.client.Close()
	t.origin.Close()
	carried := Bytes{Up: t.up.carried, Down: t.down.carried}
	if last := tunnelEnds(); last != nil {
		go func() { // close waits for the lot's goroutine, which may be this one
			last.close()
			t.done(carried, t.err)
		}()
		return
	}
	t.done(carried, t.err)
}

// tellPanic reports a panic; call it where that was recovered from.
func (t *tunnel) tellPanic() {
	if t.panicked != nil {
		t.panicked(calls.Stack())
	}
}

// finish ends the tunnel well, for connections that cannot be closed by half.
func (t *tunnel) finish() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return
	}
	t.ended = true
	t.client.Close()
	t.origin.Close()
}

// abort closes conn so that the peer sees it broken, not done: a reset in
// place of a FIN, and no close_notify.
func abort(conn net.Conn) {
	conn = innermost(conn)
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}

// innermost returns what conn wraps. What wraps a TCP connection shows it by NetConn, as
// *tls.Conn does.
func innermost(conn net.Conn) net.Conn {
	for {
		inner, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			return conn
		}
		conn = inner.NetConn()
	}
}
