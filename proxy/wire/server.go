package wire

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"guise/proxy/calls"
	"guise/proxy/pipe"
)

// A Server answers HTTP/1.1 and HTTP/1.0 requests on the connections of its
// listeners, one goroutine a connection, and HTTP/2 if it is asked to. Handlers
// may rely on what [http.Server] promises them, with these differences:
//
//   - A request that is not valid beyond doubt is answered 400 (or 408, 414,
//     417, 431) and its connection closed; Handler does not see it.
//   - Request bodies may always be read while the response is written.
//   - No field is added to a response but Date, Connection and its framing:
//     Content-Type is not guessed, since responses are mostly not ours.
//   - Written data waits at most a few milliseconds for more.
//   - A client that went away is noticed while Handler waits, by a look at the
//     socket once in a while and not by a read: at once if it reset the
//     connection. One that sent its end has closed the connection, or only its
//     sending half, and waits for the answer. After two seconds without a write
//     it is sent a 100 (Continue), which the former answers with a reset. Where
//     none may be sent, as to HTTP/1.0 or within an answer, it counts as gone.
//     On systems other than Linux only a failing write or read tells.
//
// Set the fields before the first call of Serve and leave them alone then;
// [Server.SetLimits] changes what may change.
type Server struct {
	Handler  http.Handler
	Limits   Limits
	Timeouts Timeouts

	// ConnContext, unless nil, derives the parent of all request contexts of
	// a connection. It is called on the connection's goroutine.
	ConnContext func(ctx context.Context, nc net.Conn) context.Context

	// HTTP2 lets clients speak HTTP/2: those that agreed on it by ALPN, and in
	// the clear those that start with its preface (RFC 9113 §3.3).
	HTTP2 bool

	// OwnSockets, unless nil, reports whether each WebSocket of the client at the other
	// end of nc is to have a connection of its own: then extended CONNECT (RFC 8441) is
	// not offered on nc.
	OwnSockets func(nc net.Conn) bool

	// Admit, unless nil, is asked about every connection on the accepting
	// goroutine, before anything is read. leave, unless nil, is called once,
	// when the connection is closed or hijacked, or gives way. If ok is false, Admit has
	// taken the connection over and closes it.
	Admit func(nc net.Conn) (leave func(), ok bool)

	// Client returns the client that a connection from remote counts for: connections of
	// one client give the same address. [Server.GiveWay] needs it.
	Client func(remote net.Addr) netip.Addr

	// Refused, unless nil, is told of each answer that is given without Handler, such as a
	// 400, and returns fields to add to it.
	Refused func(status int) http.Header

	// Speaks, unless nil, is called when the client at the other end of nc turns out to
	// speak HTTP without a call of Handler: it has begun HTTP/2, or sent a request that is
	// too large.
	Speaks func(nc net.Conn)

	// Disturbed, unless nil, is called when the client at remote has sent so many further
	// HTTP/2 frames that cost something and bring nobody anything, such as resets, and
	// reports whether it may go on. If not, its connection ends.
	Disturbed func(remote string, frames int) (ok bool)

	// Large, unless nil, is asked for leave to hold a head in HTTP/1.1 that does not fit the
	// buffer of its connection. If ok is false, that is answered with 503; else done is
	// called once the head is read, or will not be.
	Large func() (done func(), ok bool)

	Log *slog.Logger // panics and failing accepts; nil discards

	flushDelay time.Duration // 0 means flushDelay; tests that compare bytes set more, for slow machines

	settings atomic.Pointer[settings]
	closing  atomic.Bool
	waiting  candidates

	mu        sync.Mutex
	begun     time.Time // when the server started; written before the first connection
	listeners map[*net.Listener]struct{}
	conns     map[*conn]struct{}
	accepting int           // calls of Serve that may still add a connection
	closed    bool          // by Close
	watching  bool          // the watcher runs
	stop      chan struct{} // closed to end it
	idle      chan struct{} // closed when the last connection is gone; nil unless somebody waits
}

type settings struct {
	limits   Limits
	timeouts Timeouts
}

// ErrCutOff is for handlers to panic with, like [http.ErrAbortHandler], where
// the client is to lose its whole connection and not this stream of it alone.
var ErrCutOff = errors.New("wire: client is cut off")

// ErrElsewhere is for handlers of HTTP/2 to panic with that did nothing about a request:
// the client is to send it again on another connection (RFC 9113 §8.7). This one ends
// after the other streams on it.
var ErrElsewhere = errors.New("wire: request belongs on another connection")

// SetLimits replaces limits and timeouts from the next request of each
// connection on; the limits that an HTTP/2 connection announced stay its own.
func (s *Server) SetLimits(l Limits, t Timeouts) {
	s.settings.Store(&settings{l.withDefaults(), t.withDefaults()})
}

// current returns the settings in force.
func (s *Server) current() *settings {
	if now := s.settings.Load(); now != nil {
		return now
	}
	s.settings.CompareAndSwap(nil, &settings{s.Limits.withDefaults(), s.Timeouts.withDefaults()})
	return s.settings.Load()
}

func (s *Server) flushesAfter() time.Duration { return cmp.Or(s.flushDelay, flushDelay) }

// refused tells [Server.Refused], and returns the fields to add.
func (s *Server) refused(status int) http.Header {
	if s.Refused == nil {
		return nil
	}
	return s.Refused(status)
}

func (s *Server) tellSpeaks(nc net.Conn) {
	if s.Speaks != nil {
		s.Speaks(nc)
	}
}

func (s *Server) log() *slog.Logger {
	if s.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return s.Log
}

// logPanic logs where a handler panicked. The value is left out, since it may
// hold anything of the request, unless it is the runtime's.
func (s *Server) logPanic(v any) {
	if v == http.ErrAbortHandler || v == ErrCutOff || v == ErrElsewhere {
		return
	}
	what := "panic"
	if err, ok := v.(interface {
		error
		RuntimeError()
	}); ok {
		what = err.Error()
	}
	s.log().Error("handler panicked", "what", what, "stack", string(calls.Stack()))
}

// Serve accepts connections on l until [Server.Shutdown] or [Server.Close],
// then returns [http.ErrServerClosed]. Failing accepts, such as for want of
// file descriptors, are retried after a pause that grows to a second. Serve
// closes l.
func (s *Server) Serve(l net.Listener) error {
	defer l.Close()
	if !s.addListener(&l) {
		return http.ErrServerClosed
	}
	defer s.removeListener(&l)
	pipe.Keep()
	defer pipe.Forget()
	var pause time.Duration
	for {
		nc, err := l.Accept()
		if err != nil {
			if s.closing.Load() {
				return http.ErrServerClosed
			}
			if !temporary(err) {
				return err
			}
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.log().Warn("accept failed; retrying", "err", withoutAddress(err), "in", pause)
			if !s.sleep(pause) {
				return http.ErrServerClosed
			}
			continue
		}
		pause = 0
		var leave func()
		if s.Admit != nil {
			ok := false
			if leave, ok = s.admit(nc); !ok {
				continue
			}
		}
		if !s.serveConn(nc, leave) {
			nc.Close()
			return http.ErrServerClosed
		}
	}
}

// admit asks Admit. A panic in it ends this connection alone.
func (s *Server) admit(nc net.Conn) (leave func(), ok bool) {
	defer func() {
		if v := recover(); v != nil {
			s.logPanic(v)
			nc.Close()
		}
	}()
	return s.Admit(nc)
}

// serveConn serves nc on a goroutine of its own, unless the server is closed.
// It calls leave, unless that is nil, when it is done.
func (s *Server) serveConn(nc net.Conn, leave func()) bool {
	c := newConn(s, nc)
	c.leave = leave
	if !s.addConn(c) {
		c.left()
		return false
	}
	go c.serve()
	return true
}

// ServeConn serves a connection that comes from no listener, as Serve does but
// without Admit, and does not wait for its end. While the server shuts down, it is
// treated as one that was accepted a moment ago. Once the server is closed, it closes
// nc and returns [http.ErrServerClosed].
func (s *Server) ServeConn(nc net.Conn) error {
	s.mu.Lock()
	s.start()
	s.mu.Unlock()
	if !s.serveConn(nc, nil) {
		nc.Close()
		return http.ErrServerClosed
	}
	return nil
}

// temporary tells whether an accept may succeed later. Errors of the system are about one
// connection, or a shortage of descriptors or memory (accept(2)), except those that say
// that there is no listener.
func temporary(err error) bool {
	if number, ok := errors.AsType[syscall.Errno](err); ok {
		return number != syscall.EBADF && number != syscall.EINVAL && number != syscall.ENOTSOCK
	}
	// The method is deprecated for having no clear meaning in general; for
	// accepts it has one.
	t, ok := errors.AsType[interface {
		error
		Temporary() bool
	}](err)
	return ok && t.Temporary()
}

// sleep waits for d and returns false if the server stops before.
func (s *Server) sleep(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.stop:
		return false
	}
}

// Shutdown stops accepting, closes idle connections and waits for the running
// requests, whose connections close after their response. A connection that was
// accepted a moment ago gets one answered, if it asks at once. It returns ctx's
// error if that ends first; call [Server.Close] then. Hijacked connections are
// not waited for.
func (s *Server) Shutdown(ctx context.Context) error {
	idle := make(chan struct{})
	s.mu.Lock()
	s.closing.Store(true)
	err := s.closeListeners()
	if s.idle != nil { // a second Shutdown waits with the first
		idle = s.idle
	} else if len(s.conns)+s.accepting == 0 {
		close(idle)
	} else {
		s.idle = idle
	}
	for c := range s.conns {
		c.closeIdle()
	}
	s.mu.Unlock()
	defer s.stopWatching()
	select {
	case <-idle:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close closes the listeners and all connections that are not hijacked, and
// cancels the contexts of running requests. It does not wait for handlers.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closing.Store(true)
	s.closed = true
	err := s.closeListeners()
	for c := range s.conns {
		c.abort()
	}
	s.mu.Unlock()
	s.stopWatching()
	return err
}

// closeListeners closes them; s.mu is held.
func (s *Server) closeListeners() error {
	var err error
	for l := range s.listeners {
		err = errors.Join(err, (*l).Close())
		delete(s.listeners, l)
	}
	return err
}

func (s *Server) addListener(l *net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.start() {
		return false
	}
	s.listeners[l] = struct{}{}
	s.accepting++
	return true
}

// start makes the server ready for connections, and reports whether it is to go on; s.mu
// is held.
func (s *Server) start() bool {
	if s.listeners == nil {
		s.begun = time.Now()
		s.listeners = make(map[*net.Listener]struct{})
		s.conns = make(map[*conn]struct{})
		s.stop = make(chan struct{})
	}
	if s.closing.Load() {
		return false
	}
	if !s.watching {
		s.watching = true
		go s.watch(s.stop)
	}
	return true
}

func (s *Server) removeListener(l *net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l)
	s.accepting--
	s.tellIdle()
}

// addConn adds c, unless the server is closed. While it shuts down, c was accepted before.
func (s *Server) addConn(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.conns[c] = struct{}{}
	return true
}

func (s *Server) removeConn(c *conn) {
	defer c.left()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	s.tellIdle()
}

// tellIdle tells Shutdown when the last connection is gone and none can come;
// s.mu is held.
func (s *Server) tellIdle() {
	if s.idle != nil && len(s.conns)+s.accepting == 0 {
		close(s.idle)
		s.idle = nil
	}
}

func (s *Server) stopWatching() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watching {
		s.watching = false
		close(s.stop)
	}
}

// withoutAddress returns err without the peer's address, which net puts into
// the errors of a connection and nobody may log.
func withoutAddress(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Err != nil {
		return op.Err
	}
	return err
}
