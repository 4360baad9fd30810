package wire

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"guise/cache/ending"
)

// States of a connection. Shutdown may close only an idle one, and GiveWay also an
// opening or fresh one, or one that waits for the rest of a head. A goroutine that takes
// a connection out of these states does so by compare-and-swap, so that only one can.
const (
	stateActive int32 = iota
	stateIdle
	stateOpening // an [Opener] is at work, or TLS
	stateFresh   // no request has come yet
	stateHead    // a part of a head has come
	stateClosing
)

// A conn is one client connection. Its goroutine reads a request, runs the
// handler, writes the response and starts over; between requests it holds no
// buffers.
type conn struct {
	srv      *Server
	accepted net.Conn      // as it came; any goroutine may close it
	nc       net.Conn      // what carries HTTP: accepted, or what an [Opener] made of it
	sock     *socket       // nc's; nil if it has none
	rw       io.ReadWriter // sock, or else nc
	ctx      context.Context
	remote   string
	from     net.Addr // of the client that Server.Client is asked about
	tls      *tls.ConnectionState
	overTLS  bool   // nc, or a connection below it, is TLS
	leave    func() // from Admit and Openers; nil after it was called

	state   atomic.Int32
	running atomic.Pointer[serverExchange] // the current request, for others' goroutines
	http2   atomic.Pointer[http2Conn]      // nil unless that is spoken
	watched watched
	since   atomic.Int64 // when it began to wait for a request, or for the rest of a head: nanoseconds after Server.begun
	yields  bool         // it has given way, and the next answer is the last; see Server.GiveWay
	limits  Limits
	times   Timeouts

	// Reading. One goroutine at a time: the connection's, or the one that holds the
	// request body's lock.
	br          *bufio.Reader // nil while idle
	fd          uintptr       // the descriptor to read without waiting, if polling
	polling     bool
	readOnce    func(fd uintptr) bool // c.tryRead, kept
	readOnceErr error                 // its result
	checkEarly  func([]byte) error    // c.early, kept
	large       func()                // ends the leave that [Server.Large] gave; nil without one
	first       [1]byte               // read by firstRead, if hasFirst
	hasFirst    bool
	headTimed   bool // the head has a deadline
	lineRead    bool // the request line of an incomplete head is valid
	perRead     bool // each read gets a new deadline
	readTill    time.Time
	manualRead  atomic.Pointer[time.Time] // the deadline that a handler has set, or interrupt; nil for none

	mu        sync.Mutex // guards writing: all of responseWriter and what follows
	timer     *time.Timer
	writeTill time.Time
	manual    bool // the handler has set a write deadline
	vec       [4][]byte
	bufs      net.Buffers
}

// A serverExchange is all that one request needs, in one piece.
type serverExchange struct {
	ctx  requestContext
	body requestBody
	w    responseWriter
}

// A requestContext is the context of one request. Its values are those of the
// connection's context, whose cancellation it does not follow.
type requestContext struct {
	values context.Context
	ending.End
}

func (c *requestContext) Deadline() (time.Time, bool) { return time.Time{}, false }
func (c *requestContext) Value(key any) any           { return c.values.Value(key) }

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{srv: s, accepted: nc, nc: nc, from: nc.RemoteAddr()}
	c.since.Store(int64(time.Since(s.begun)))
	c.state.Store(stateOpening)
	c.checkEarly = c.early
	return c
}

// serve answers requests until the connection is done for. A panic, wherever
// it comes from, ends this connection and no other.
func (c *conn) serve() {
	defer c.srv.removeConn(c)
	defer func() {
		if v := recover(); v != nil {
			c.srv.logPanic(v)
			c.accepted.Close()
		}
	}()
	if err := c.open(); err != nil {
		if err != ErrTaken {
			c.accepted.Close()
		}
		return
	}
	if c.state.Load() != stateActive && !c.asks() {
		c.accepted.Close()
		return
	}
	for first := true; ; first = false {
		s := c.srv.current()
		c.limits, c.times = s.limits, s.timeouts
		wait := c.times.KeepAlive
		if first {
			wait = c.times.Head
		}
		if !c.await(wait, first) || !first && c.onlyEmptyLine() && !c.await(wait, first) {
			c.close(false)
			return
		}
		if first && c.srv.HTTP2 && c.speaksHTTP2() {
			c.headEnded()
			c.serveHTTP2()
			return
		}
		if !c.serveOne() {
			return
		}
	}
}

// left calls leave, unless that was called before. The server must not know the connection
// any more.
func (c *conn) left() {
	if leave := c.leave; leave != nil {
		c.leave = nil
		leave()
	}
}

// Read implements io.Reader for c.br.
func (c *conn) Read(p []byte) (int, error) {
	if c.polling {
		return readDescriptor(c.fd, p)
	}
	if c.hasFirst {
		c.hasFirst = false
		return copy(p, c.first[:]), nil
	}
	n, err := c.readSoon(p)
	for c.isSlow(err) && c.answers() {
		n, err = c.readSoon(p)
	}
	if err != nil && err != io.EOF {
		err = withoutAddress(err)
	}
	return n, err
}

// readSoon reads once, which fails after timeouts.Body if it is of a body.
func (c *conn) readSoon(p []byte) (int, error) {
	if c.perRead && c.manualRead.Load() == nil {
		c.extendRead(c.times.Body)
		c.limitAnswers(c.readTill)
		if t := c.manualRead.Load(); t != nil { // it came in between
			c.nc.SetReadDeadline(*t)
		}
	}
	n, err := c.rw.Read(p)
	if c.isSlow(err) && c.sock != nil {
		// Bytes that are here came in time: it may be this process that was stopped.
		if n = c.sock.atHand(p); n > 0 {
			err = nil
		}
	}
	return n, err
}

// isSlow reports whether err says that no more of a body came within timeouts.Body.
func (c *conn) isSlow(err error) bool {
	return err != nil && c.perRead && c.manualRead.Load() == nil && errors.Is(err, os.ErrDeadlineExceeded)
}

// answers reports whether the response has begun and not ended: meanwhile a client may be
// silent for longer, as over HTTP/2 (see [http2Stream.read]).
func (c *conn) answers() bool {
	if !c.mu.TryLock() {
		return true // somebody is writing
	}
	defer c.mu.Unlock()
	x := c.running.Load()
	return x != nil && x.w.wroteHeader && !x.w.done
}

// extendRead moves the deadline of reads to d from now, or lifts it if d is not above 0.
func (c *conn) extendRead(d time.Duration) { c.extendReadAt(time.Now(), d) }

func (c *conn) extendReadAt(now time.Time, d time.Duration) {
	switch {
	case d > 0 && renewAt(&c.readTill, now, d):
		c.nc.SetReadDeadline(c.readTill)
	case d <= 0 && !c.readTill.IsZero():
		c.readTill = time.Time{}
		c.nc.SetReadDeadline(c.readTill)
	}
}

// readBy has all reads from now on fail after d.
func (c *conn) readBy(d time.Duration) {
	c.perRead, c.readTill = false, time.Now().Add(d)
	c.nc.SetReadDeadline(c.readTill)
	c.limitAnswers(c.readTill)
}

// limitAnswers sets t, or if it is zero, [leisure] from now, as the deadline of what TLS writes
// while it reads. A read waits for the answer to a client that asks for new keys (RFC 8446
// §4.6.3), for longer than its own deadline if that client does not read. Over HTTP/2 the next
// write has a deadline anyway.
func (c *conn) limitAnswers(t time.Time) {
	if !c.overTLS || c.times.Write <= 0 || c.http2.Load() != nil || !c.mu.TryLock() {
		return // the holder of c.mu writes, and sets a deadline
	}
	defer c.mu.Unlock()
	if t.IsZero() {
		t = time.Now().Add(leisure)
	}
	if !c.manual {
		c.nc.SetWriteDeadline(t)
	}
}

// setReadDeadline replaces the deadlines of reads for the rest of the request.
// A read may be waiting, or about to.
func (c *conn) setReadDeadline(t time.Time) error {
	c.manualRead.Store(&t)
	return c.nc.SetReadDeadline(t)
}

// interrupt makes a waiting read return. No later one will succeed.
func (c *conn) interrupt() { c.setReadDeadline(longAgo) }

// headBegan notes that a part of a head has come, and the rest is waited for.
func (c *conn) headBegan() {
	if c.state.Load() == stateActive {
		c.since.Store(int64(time.Since(c.srv.begun)))
		c.state.Store(stateHead)
	}
	if !c.headTimed && c.times.Head > 0 {
		c.headTimed = true
		c.readBy(c.times.Head)
	}
}

// headEnded notes that no more of the head is waited for.
func (c *conn) headEnded() {
	if c.state.Load() != stateActive && !c.state.CompareAndSwap(stateHead, stateActive) {
		c.lastRequest()
	}
}

// early judges a head of which only the beginning has come.
func (c *conn) early(head []byte) error {
	c.headBegan()
	if err := c.grow(head); err != nil {
		return err
	}
	if c.lineRead {
		return nil
	}
	if end := bytes.IndexByte(head, '\n'); end > 0 {
		c.lineRead = true
		_, _, _, err := parseRequestLine(string(head[:end-1]), c.limits.Target)
		return err
	}
	if len(head) <= c.limits.Target+64 {
		return nil
	}
	if bytes.IndexByte(head[:64], ' ') < 0 {
		return malformed("invalid method")
	}
	return &ProtocolError{http.StatusRequestURITooLong, "request target too long"}
}

// grow asks for leave to hold a head of which the connection's buffer is full.
func (c *conn) grow(head []byte) error {
	if c.srv.Large == nil || c.large != nil || len(head) < c.br.Size() {
		return nil
	}
	done, ok := c.srv.Large()
	if !ok {
		return &ProtocolError{http.StatusServiceUnavailable, "no room for a large head"}
	}
	c.large = done
	return nil
}

// grown gives that leave back.
func (c *conn) grown() {
	if c.large != nil {
		c.large()
		c.large = nil
	}
}

// readRequest reads the next head. One empty line before it is skipped, for
// clients that add one to a body (RFC 9112 §2.2). With an error, the request has nothing
// but a method, for the answer's sake, or is nil.
func (c *conn) readRequest(ctx context.Context) (*http.Request, error) {
	defer c.grown()
	head, err := readHead(c.br, c.limits.Head, isValue, c.checkEarly)
	if err == nil && len(head) == 0 {
		head, err = readHead(c.br, c.limits.Head, isValue, c.checkEarly)
	}
	c.headEnded()
	var r *http.Request
	if err == nil {
		r, err = parseRequest(ctx, string(head), &c.limits)
	}
	if err != nil && bytes.HasPrefix(head, []byte(http.MethodHead+" ")) {
		return &http.Request{Method: http.MethodHead}, err
	}
	return r, err
}

// serveOne answers one request and tells whether another may follow; if not,
// the connection is closed or somebody else's.
func (c *conn) serveOne() bool {
	x := &serverExchange{ctx: requestContext{values: c.ctx}}
	r, err := c.readRequest(&x.ctx)
	if err == nil {
		err = checkExpect(r)
	}
	if err != nil {
		c.refuse(err, r)
		return false
	}
	r.RemoteAddr, r.TLS = c.remote, c.tls
	x.attach(c, r)
	c.perRead = true
	c.watched.serial.Add(1)
	c.running.Store(x)
	whole := c.handle(x, r)
	c.running.Store(nil)
	c.watched.serial.Add(1)
	x.ctx.Cancel(context.Canceled)
	if x.w.hijacked {
		return false
	}
	if !whole {
		more := x.w.body != nil && x.body.giveUp()
		c.cut(x.w.untilClose, more || c.br.Buffered() > 0)
		return false
	}
	bodyRead := x.w.body == nil || x.body.drain(x.w.promised) // not r.Body, which the handler may have replaced
	if x.w.closeAfter || !bodyRead {
		unasked := !x.w.asked && !c.srv.closing.Load()
		extra := x.w.asked && x.w.body != nil // old clients add an empty line (RFC 9112 §2.2)
		c.close(!bodyRead || unasked || extra || c.hasMore())
		return false
	}
	c.resetDeadlines()
	return true
}

// attach readies x for r, and gives r its body.
func (x *serverExchange) attach(c *conn, r *http.Request) {
	x.w.init(c, r, &x.ctx)
	if r.ContentLength == 0 {
		return
	}
	x.body.c, x.body.w, x.body.r, x.body.left = c, &x.w, c.br, r.ContentLength
	if r.ContentLength < 0 {
		x.body.left, x.body.into = 0, r.Trailer
		x.body.chunks = newChunkedReader(c.br, c.limits)
		x.body.chunks.named = r.Header["Connection"]
	}
	x.body.expect = expectsContinue(r.Header)
	r.Body, x.w.body, x.w.expects, x.w.awaited = &x.body, &x.body, x.body.expect, x.body.expect
}

// checkExpect refuses expectations other than 100-continue (RFC 9110 §10.1.1).
func checkExpect(r *http.Request) error {
	for _, line := range r.Header["Expect"] {
		for expectation := range strings.SplitSeq(line, ",") {
			if expectation = trimSpace(expectation); expectation != "" && !strings.EqualFold(expectation, "100-continue") {
				return &ProtocolError{http.StatusExpectationFailed, "unknown expectation"}
			}
		}
	}
	return nil
}

// handle runs the handler and completes the response. It returns false if the
// response is not whole and must not look so.
func (c *conn) handle(x *serverExchange, r *http.Request) (whole bool) {
	defer func() {
		if v := recover(); v != nil {
			c.srv.logPanic(v)
			if whole = v == http.ErrAbortHandler && x.w.hasEnded(); !whole {
				x.w.abandon()
			}
		}
	}()
	c.srv.Handler.ServeHTTP(&x.w, r)
	return x.w.finish()
}

// resetDeadlines lifts deadlines that the handler has set.
func (c *conn) resetDeadlines() {
	if c.manualRead.Swap(nil) != nil {
		c.readTill = time.Time{}
		c.nc.SetReadDeadline(c.readTill)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.manual {
		c.manual = false
		c.writeTill = time.Time{}
		c.nc.SetWriteDeadline(c.writeTill)
	}
}
