package wire

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"guise/proxy/pipe"
)

// An originConn is one connection to an origin or to the hop. One exchange
// at a time owns it, or the pool. Within an exchange, one goroutine reads
// and one writes; cancel may come from any.
type originConn struct {
	nc    net.Conn // the stream: a *tls.Conn, or what Dial returned
	tls   *tls.ConnectionState
	sock  *tlsSocket    // below TLS; nil without
	plain *socket       // nc's, without TLS; nil if it has none
	rw    io.ReadWriter // plain, or else nc
	probe *probe        // nil: serves one exchange
	key   poolKey

	// While idle:
	idleAt       time.Time   // since when, by the wall clock
	idleSince    time.Time   // since when, by the monotonic clock
	older, newer *originConn // in the pool

	// Within an exchange:
	br     *bufio.Reader // nil while idle, so that idleness costs no buffer
	reused bool
	got    int64         // bytes read in this exchange
	wrote  int64         // bytes written in this exchange
	after  time.Duration // limit of reads once the doubt whether the origin is there has ended; 0 if there is none

	// Within an exchange on a reused connection, if the request has a body or must not be
	// sent twice:
	acked      uint64 // what [probe.acked] said before it
	unreceived bool   // the origin had ended the connection before a byte of it arrived

	writing sync.Mutex // held during each write
	broken  bool       // a write failed as on a reset connection; guarded by writing

	mu        sync.Mutex
	waiting   bool          // for the response head
	cause     error         // why the exchange is to end, if it was cancelled
	perRead   time.Duration // limit of each read; 0 if all have one together, or none
	readSlow  error         // what a read past its deadline returns
	readTill  time.Time
	looked    time.Time // the readTill after which mayLook had a last look
	writeTill time.Time
}

var longAgo = time.Unix(1, 0)

// cancel makes all reads and writes of the running exchange fail with
// cause. The connection is of no use after it.
func (c *originConn) cancel(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endFor(cause)
}

// endFor is cancel under the lock.
func (c *originConn) endFor(cause error) {
	if c.cause == nil {
		c.cause = cause
	}
	c.nc.SetDeadline(longAgo)
}

// readsBy has all reads until the next such call fail with slow after d, or never if d
// is 0.
func (c *originConn) readsBy(d time.Duration, slow error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.setReadsBy(d, slow)
}

// setReadsBy is readsBy under the lock.
func (c *originConn) setReadsBy(d time.Duration, slow error) {
	c.perRead, c.readSlow = 0, slow
	switch {
	case c.cause != nil:
	case d > 0 && renew(&c.readTill, d):
		c.nc.SetReadDeadline(c.readTill)
	case d == 0 && !c.readTill.IsZero():
		c.readTill = time.Time{}
		c.nc.SetReadDeadline(c.readTill)
	}
}

// doubtfulRest is the idle time after which a connection may be dead without our knowing:
// nothing tells when a machine has changed networks, or a NAT has forgotten the connection.
// What is sent then is never acknowledged, and systems give up after a quarter of an hour.
const doubtfulRest = time.Second

// doubt returns for how long reads may wait for a response head: for d, or if c was idle
// for longer than doubtfulRest, first for patience; then [originConn.believe] looks whether
// the origin is there, and lets them wait for d. It is for requests that may be sent again.
func (c *originConn) doubt(d, patience time.Duration) time.Duration {
	if d <= patience || c.idled(time.Now()) < doubtfulRest {
		return d
	}
	c.after = d
	return patience
}

// believe ends the doubt, if any, after a read that returned err, and reports whether reads
// may go on: data came, or time was over but the origin has acknowledged all that was sent.
func (c *originConn) believe(err error) bool {
	d := c.after
	c.after = 0
	if d == 0 || err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.cause != nil:
		return false
	case err != nil && c.probe.unacked():
		c.readSlow = ErrNoResponse
		return false
	}
	c.setReadsBy(d, ErrResponseTimeout)
	return true
}

// waitForHead lifts the deadline of reads until requestSent.
func (c *originConn) waitForHead() {
	c.readsBy(0, ErrResponseTimeout)
	c.mu.Lock()
	c.waiting = true
	c.mu.Unlock()
}

// headHere limits each read from now on to d.
func (c *originConn) headHere(d time.Duration) {
	c.mu.Lock()
	c.waiting = false
	c.perRead, c.readSlow = d, ErrBodyTimeout
	c.mu.Unlock()
}

// noDeadlines lifts the deadlines of all reads and writes.
func (c *originConn) noDeadlines() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.perRead, c.readTill, c.writeTill = 0, time.Time{}, time.Time{}
	if c.cause == nil {
		c.nc.SetDeadline(time.Time{})
	}
}

// readNoMore makes all further reads from the connection fail; br may still hold bytes.
func (c *originConn) readNoMore() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.perRead, c.readTill, c.looked = 0, longAgo, longAgo
	c.nc.SetReadDeadline(longAgo)
}

// requestSent has reads for the response head fail with slow after d, unless the head is
// here.
func (c *originConn) requestSent(d time.Duration, slow error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting {
		c.setReadsBy(d, slow)
	}
}

// renew moves a deadline to d from now, and reports whether it has to be set. To set it for
// fewer than all of many small reads, it is made an eighth later, and stays until less than
// d is left.
func renew(till *time.Time, d time.Duration) bool { return renewAt(till, time.Now(), d) }

func renewAt(till *time.Time, now time.Time, d time.Duration) bool {
	if left := till.Sub(now); left >= d && left <= d+d/8 {
		return false
	}
	*till = now.Add(d + d/8)
	return true
}

// Read implements io.Reader for c.br.
func (c *originConn) Read(p []byte) (int, error) {
	c.renewRead()
	n, err := c.rw.Read(p)
	if c.believe(err) && err != nil {
		n, err = c.rw.Read(p)
	}
	if c.plain != nil && c.mayLook(err) {
		if n = c.plain.atHand(p); n > 0 {
			err = nil
		}
	}
	return c.afterRead(n, err)
}

// mayLook reports whether err is the end of a deadline after which there was no last look
// yet at what is there: bytes that are here came in time, since it may be this process that
// was stopped.
func (c *originConn) mayLook(err error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil || c.readTill.Equal(c.looked) {
		return false
	}
	c.looked = c.readTill
	return true
}

// renewRead has each read wait for perRead from now on, also one that is waiting.
func (c *originConn) renewRead() {
	c.mu.Lock()
	if c.perRead > 0 && c.cause == nil && renew(&c.readTill, c.perRead) {
		c.nc.SetReadDeadline(c.readTill)
	}
	c.mu.Unlock()
}

func (c *originConn) afterRead(n int, err error) (int, error) {
	c.got += int64(n)
	if err != nil && err != io.EOF {
		err = c.failure("read", err)
	}
	return n, err
}

// write writes all of p, or fails with an error fit for the caller.
func (c *originConn) write(p []byte, within time.Duration) error {
	c.mu.Lock()
	if c.cause == nil && renew(&c.writeTill, within) {
		c.nc.SetWriteDeadline(c.writeTill)
	}
	c.mu.Unlock()
	c.writing.Lock()
	n, err := c.rw.Write(p)
	c.broken = c.broken || pipe.Broke(err)
	c.writing.Unlock()
	c.wrote += int64(n)
	if c.sock != nil {
		c.writesAtLeisure()
	}
	if err != nil {
		return c.failure("write", err)
	}
	return nil
}

// leisure is the write deadline of TLS between writes: the peer may ask for new keys at any
// time (RFC 8446 §4.6.3), the library answers while it reads, and if it cannot, no more can be
// read. A peer that asks and does not read the answers loses its connection in the end.
const leisure = time.Hour

// writesAtLeisure sets the deadline of writes to [leisure] from now.
func (c *originConn) writesAtLeisure() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause == nil {
		c.writeTill = time.Time{}
		c.nc.SetWriteDeadline(time.Now().Add(leisure))
	}
}

// ask writes a request's head, and has all reads of the response's head fail after d. If c
// is reused and plain, and was closed or received something while idle, it returns errStale
// and writes nothing; with TLS, [pool.get] has looked.
func (c *originConn) ask(head []byte, within, d time.Duration) error {
	if c.plain == nil {
		err := c.write(head, within)
		c.readsBy(d, ErrResponseTimeout)
		return err
	}
	c.readsBy(d, ErrResponseTimeout)
	n, err := c.plain.ask(head, c.reused)
	c.wrote += int64(n)
	switch {
	case err == errStale:
		return err
	case err != nil && n == len(head) && c.believe(err): // an answer may come yet
		return nil
	case err != nil && n < len(head):
		return c.failure("write", err)
	case err != nil:
		return c.failure("read", err)
	case n < len(head): // the origin takes no more for now
		err = c.write(head[n:], within)
		c.readsBy(d, ErrResponseTimeout)
	}
	return err
}

// failure turns an error of the connection into one for the caller.
func (c *originConn) failure(op string, err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.cause != nil:
		return c.cause
	case errors.Is(err, os.ErrDeadlineExceeded) && op == "read":
		return c.readSlow
	case errors.Is(err, os.ErrDeadlineExceeded):
		return ErrWriteTimeout
	case errors.Is(err, io.ErrUnexpectedEOF):
		return ErrIncomplete // within a TLS record
	}
	return connError(op, err)
}

// cutShort tells whether TLS ended without a close_notify. crypto/tls returns io.EOF for
// that, but anyone on the way may have cut the connection (RFC 9112 §9.8).
func (c *originConn) cutShort() bool { return c.sock != nil && c.sock.ended }

// wasBroken tells whether the io.EOF of a read was in truth a reset: systems report that
// once, here to a write of the sender's. A close_notify is a real end, whatever the socket
// says. The connection is closed then, so a write that holds the lock ends soon.
func (c *originConn) wasBroken() bool {
	if c.sock != nil && !c.sock.ended || c.probe == nil || !c.probe.closed() {
		return false
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.broken
}

// tooEarly tells whether the origin sent what was just read before anything of the request
// arrived there, by what it has acknowledged: each segment acknowledges all that arrived
// before it (RFC 9293 §3.4). While a body is being sent, the number of bytes written changes,
// so acked is compared instead.
func (c *originConn) tooEarly(sending bool) bool {
	switch {
	case c.probe == nil:
		return false
	case sending:
		return c.acked > 0 && c.probe.acked() == c.acked
	case c.sock != nil:
		return c.probe.underWay() >= c.sock.wrote
	}
	return c.probe.underWay() >= c.wrote
}

// closeNow closes the connection without a close_notify: the Close of crypto/tls would
// wait to send one to an origin that may not read.
func (c *originConn) closeNow() {
	if c.sock != nil {
		c.sock.Close()
		return
	}
	c.nc.Close()
}

// closeIdle closes a connection on which no exchange is under way. Under TLS it sends a
// close_notify (RFC 9112 §9.8), if that takes no waiting.
func (c *originConn) closeIdle() {
	if c.probe == nil {
		c.closeNow()
		return
	}
	c.probe.hurry()
	c.nc.Close()
}

// begin readies c for an exchange.
func (c *originConn) begin() {
	c.got, c.wrote, c.after, c.waiting = 0, 0, 0, false
	c.acked, c.unreceived = 0, false
	if c.sock != nil {
		c.sock.wrote = 0
	}
	c.br = getReader(c)
}

// release gives back the read buffer, which only a running exchange needs.
func (c *originConn) release() {
	if c.br != nil {
		putReader(c.br)
		c.br = nil
	}
}

// Response heads of up to 4 KiB, nearly all, are parsed where they were
// read; larger reads of bodies bypass the buffer.
const readBuffer = 4 << 10

var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, readBuffer) }}

func getReader(r io.Reader) *bufio.Reader {
	br := readers.Get().(*bufio.Reader)
	br.Reset(r)
	return br
}

func putReader(br *bufio.Reader) {
	br.Reset(nil)
	readers.Put(br)
}
