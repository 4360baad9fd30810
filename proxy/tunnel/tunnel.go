// Package tunnel carries bytes between a client and an origin without
// looking at them.
//
// [Copy] is all there is to call. Between two TCP connections the kernel
// moves the bytes, on Linux, and an idle tunnel holds nothing but its two
// descriptors and two goroutines: no buffer, no pipe.
package tunnel

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Options configures one tunnel. The zero value never times out.
type Options struct {
	Idle       time.Duration // a tunnel without a byte in either direction for so long is cut; 0 means never
	FromClient []byte        // what the client sent before; goes to the origin first
	FromOrigin []byte        // what the origin sent before; goes to the client first

	// Up and Down, unless nil, are told of each piece that was carried, and
	// return when the next may be, or with an error that cuts the tunnel. No
	// pipe or buffer is held while they wait; ctx ends with the tunnel.
	Up, Down func(ctx context.Context, n int) error
}

// Bytes counts what a tunnel handed to the sockets of either side.
type Bytes struct {
	Up   int64 // from the client to the origin
	Down int64 // from the origin to the client
}

// ErrIdle is returned for a tunnel that carried nothing for too long.
var ErrIdle = errors.New("tunnel idle for too long")

// Copy carries bytes both ways until both sides have said that they are done,
// and closes both connections before it returns. Deadlines that were set on
// them are lifted.
//
// A side that is done sending closes its half, and the other side is told by
// its CloseWrite (*net.TCPConn and *tls.Conn have it); bytes still flow the
// other way. If one side breaks, if ctx ends, or after an idle time, both
// connections are cut: TCP connections are reset, so that nobody takes a part
// for the whole.
//
// The error is nil only if both sides ended well; else it is [ErrIdle], the
// context's cause, or what broke first. It names no address.
//
// Copy uses the calling goroutine and one more, which ends before it returns.
func Copy(ctx context.Context, client, origin net.Conn, o Options) (Bytes, error) {
	client.SetDeadline(time.Time{})
	origin.SetDeadline(time.Time{})
	end := context.CancelFunc(func() {})
	if o.Up != nil || o.Down != nil { // someone may wait in them; else it would be memory for nothing
		ctx, end = context.WithCancel(ctx)
		defer end()
	}
	t := &tunnel{client: client, origin: origin, idle: o.Idle, start: time.Now(), ctx: ctx, end: end}
	up := stream{tunnel: t, src: client, dst: origin, early: o.FromClient, pace: o.Up}
	down := stream{tunnel: t, src: origin, dst: client, early: o.FromOrigin, pace: o.Down}
	tunnelOpens()
	defer tunnelEnds()
	stopWatching := t.watch(ctx)

	var other sync.WaitGroup
	other.Go(up.run)
	down.run()
	other.Wait()

	stopWatching()
	client.Close()
	origin.Close()
	return Bytes{Up: up.carried, Down: down.carried}, t.err
}

// A tunnel is what its two directions share.
type tunnel struct {
	client, origin net.Conn
	idle           time.Duration
	start          time.Time
	ctx            context.Context // ends when the tunnel is cut
	end            context.CancelFunc
	active         atomic.Int64 // when a byte last moved, in nanoseconds after start

	mu    sync.Mutex
	err   error // what went wrong first
	ended bool  // cut, or about to be closed by Copy
	timer *time.Timer
}

// touch notes that a byte moved.
func (t *tunnel) touch() { t.active.Store(int64(time.Since(t.start))) }

// watch cuts the tunnel when ctx ends or it has been idle, until stop is
// called. One timer watches both directions, and asks when it fires: setting
// a deadline at each read costs more than carrying a short message.
func (t *tunnel) watch(ctx context.Context) (stop func()) {
	stopContext := context.AfterFunc(ctx, func() { t.cut(context.Cause(ctx)) })
	if t.idle > 0 {
		t.mu.Lock()
		t.timer = time.AfterFunc(t.idle, t.checkIdle)
		t.mu.Unlock()
	}
	return func() {
		stopContext()
		t.mu.Lock()
		defer t.mu.Unlock()
		t.ended = true
		if t.timer != nil {
			t.timer.Stop()
		}
	}
}

func (t *tunnel) checkIdle() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return
	}
	idle := time.Since(t.start) - time.Duration(t.active.Load())
	if idle < t.idle {
		t.timer.Reset(t.idle - idle)
		return
	}
	t.cutLocked(ErrIdle)
}

// note keeps err if it is the first.
func (t *tunnel) note(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil && !t.ended {
		t.err = plain(err)
	}
}

// cut ends the tunnel at once: both directions come back from their reads
// and writes. Only the first cut counts.
func (t *tunnel) cut(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cutLocked(plain(err))
}

func (t *tunnel) cutLocked(err error) {
	if t.ended {
		return
	}
	t.ended = true
	if t.err == nil {
		t.err = err
	}
	t.end()
	abort(t.client)
	abort(t.origin)
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
// place of a FIN, and no close_notify. What wraps a TCP connection shows it by
// NetConn, as *tls.Conn does.
func abort(conn net.Conn) {
	for {
		inner, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		conn = inner.NetConn()
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}
