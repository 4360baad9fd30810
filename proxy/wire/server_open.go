package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"time"
)

// An Opener is a connection, as a listener returns it, that needs a handshake
// with its client, such as SOCKS, before it carries HTTP. [Server] calls Open on
// the connection's goroutine, with [Timeouts].Head as its deadline, and serves
// what that returns.
type Opener interface {
	net.Conn

	// Open returns the connection that carries HTTP. ctx holds what all requests
	// of the connection share. After the error [ErrTaken], somebody else has the
	// connection; after any other error, it is closed.
	//
	// If the client makes a request of the handshake's own protocol, Open calls asks,
	// which reports false if the connection has given way; see [Server.GiveWay].
	Open(ctx context.Context, asks func() bool) (Opened, error)
}

// An interruptible [Opener] reports whether its connection may give way while Open runs, as
// long as the client has made no request; see [Server.GiveWay]. Other Openers' may not.
type interruptible interface{ MayEnd() bool }

// Opened is what an [Opener] opened to.
type Opened struct {
	Conn    net.Conn        // a *tls.Conn need not have done its handshake; another [Opener] is opened next
	Remote  net.Addr        // the client; nil means the one known so far, at first the connection's own
	Context context.Context // parent of the requests' contexts; nil means ctx
	Leave   func()          // called once, before Admit's leave, when the connection is closed or hijacked, or if Open fails; not nil says that the connection counts for Remote from now on
}

// ErrTaken is returned by [Opener.Open] for a connection that it handed to
// somebody else.
var ErrTaken = errors.New("wire: connection is in other hands")

// open prepares the connection on its own goroutine.
func (c *conn) open() error {
	head := c.srv.current().timeouts.Head
	c.ctx = context.WithValue(context.Background(), http.LocalAddrContextKey, c.accepted.LocalAddr())
	remote := c.accepted.RemoteAddr()
	o, opens := c.accepted.(Opener)
	if opens {
		c.limitOpening(head)
	}
	for ; opens; o, opens = c.nc.(Opener) {
		opened, err := c.openSafely(o)
		if opened.Leave != nil {
			c.leave = both(opened.Leave, c.leave)
		}
		if err != nil {
			return err
		}
		if opened.Context != nil {
			c.ctx = opened.Context
		}
		if opened.Remote != nil {
			remote = opened.Remote
		}
		if opened.Leave != nil { // otherwise GiveWay may be reading c.from
			c.from = remote
		}
		c.nc = opened.Conn
	}
	c.remote = remote.String()
	c.overTLS = overTLS(c.nc)
	if f := c.srv.ConnContext; f != nil {
		c.ctx = f(c.ctx, c.nc)
	}
	if tc, ok := c.nc.(*tls.Conn); ok {
		c.limitOpening(head)
		if err := tc.Handshake(); err != nil {
			return err
		}
		state := tc.ConnectionState()
		c.tls = &state
		if state.NegotiatedProtocol == "h2" && (!c.srv.HTTP2 || !adequate(&state)) {
			return errInadequate
		}
	}
	c.nc.SetDeadline(time.Time{})
	c.rw, c.sock = quickest(c.nc)
	if c.sock != nil {
		c.readOnce = c.tryRead
	}
	return nil
}

// both returns what calls two functions, of which the second may be nil.
func both(first, second func()) func() {
	if second == nil {
		return first
	}
	return func() {
		first()
		second()
	}
}

// openSafely calls Open. A panic in it ends this connection alone.
func (c *conn) openSafely(o Opener) (opened Opened, err error) {
	err = errPanicked
	defer func() {
		if v := recover(); v != nil {
			c.srv.logPanic(v)
		}
	}()
	return o.Open(c.ctx, c.asks)
}

// asks notes that the client has made a request, after which the connection does not give
// way. It reports false if it already has.
func (c *conn) asks() bool { return c.state.CompareAndSwap(stateOpening, stateActive) }

var errPanicked = errors.New("wire: opening a connection panicked")

var errInadequate = errors.New("wire: HTTP/2 over a TLS connection that is not for it")

func (c *conn) limitOpening(d time.Duration) {
	if d > 0 {
		c.accepted.SetDeadline(time.Now().Add(d))
	}
}

// speaksHTTP2 tells whether the client starts to speak HTTP/2: it agreed on that by ALPN, or
// sends the preface. Go's Transport sends a proxy a CONNECT of HTTP/1.1 even if it agreed on
// HTTP/2 (golang/go#26479), so that is looked for first.
func (c *conn) speaksHTTP2() bool {
	if c.tls != nil && c.tls.NegotiatedProtocol == "h2" {
		return !c.beginsWith(http.MethodConnect + " ")
	}
	return c.beginsWith(http2Preface)
}

// beginsWith tells whether the next bytes are s. It waits for no more than the first that
// differs.
func (c *conn) beginsWith(s string) bool {
	for n := 1; n <= len(s); n++ {
		if n > c.br.Buffered() {
			c.headBegan()
		}
		if b, err := c.br.Peek(n); err != nil || b[n-1] != s[n-1] {
			return false
		}
	}
	return true
}
