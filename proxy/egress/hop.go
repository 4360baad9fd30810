package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"time"
)

// A hop is an upstream proxy that all connections go through.
type hop struct {
	target        Target
	socks         bool
	tls           *tls.Config // nil speaks to it in clear
	authorization string      // of HTTP, for Proxy-Authorization; "" for none
	user          string      // of SOCKS
	password      string
}

// newHop reads the URL of an upstream proxy. roots are what its certificate is
// verified against if it is an https:// one; nil means the system's.
func newHop(u *url.URL, roots *x509.CertPool) (*hop, error) {
	h := &hop{}
	port := uint16(80)
	switch u.Scheme {
	case "http":
	case "https":
		port = 443
		h.tls = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, ClientSessionCache: tls.NewLRUClientSessionCache(8)}
	case "socks5", "socks5h": // names go to the proxy either way: a look-up here would show them to the resolver
		h.socks, port = true, 1080
	default:
		return nil, errors.New("upstream chain: want http://host:port, https://host:port or socks5://host:port")
	}
	if u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("upstream chain: a proxy has no path")
	}
	var err error
	if h.target, err = Canonical(u.Host, port); err != nil {
		return nil, fmt.Errorf("upstream chain: %w", err)
	}
	if h.tls != nil {
		h.tls.ServerName = h.target.Host
	}
	if u.User == nil {
		return h, nil
	}
	h.user = u.User.Username()
	h.password, _ = u.User.Password()
	if h.socks && (len(h.user) == 0 || len(h.user) > 255 || len(h.password) == 0 || len(h.password) > 255) {
		return nil, errors.New("upstream chain: user and password of a SOCKS proxy have 1 to 255 octets each") // RFC 1929 §2
	}
	if !h.socks {
		h.authorization = "Basic " + base64.StdEncoding.EncodeToString([]byte(h.user+":"+h.password))
	}
	return h, nil
}

// ReadRoots returns the certificates in a PEM file. Without any, it fails.
func ReadRoots(path string) (*x509.CertPool, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("%s: holds no certificate in PEM form", path)
	}
	return roots, nil
}

// dialHop connects to the last upstream proxy, through those before it. The operator
// named them, so they may be anywhere, except at this process's own listeners.
func (e *Egress) dialHop(ctx context.Context) (net.Conn, error) {
	conn, err := e.dialDirect(ctx, e.hops[0].target, func(to netip.AddrPort) error {
		if e.guard.isOwn(to.Addr().Unmap(), to.Port()) {
			return ErrOwnHop
		}
		return nil
	}, false)
	if errors.Is(err, refusedDestination) {
		err = ErrOwnHop
	}
	for i, next := range e.hops[1:] {
		if err == nil {
			conn, err = e.hops[i].connect(ctx, conn, next.target)
		}
	}
	if err == nil {
		return conn, nil
	}
	if fault, ok := errors.AsType[*HopError](err); ok {
		return nil, fault
	}
	return nil, &HopError{err}
}

// ErrOwnHop is the fault of an upstream proxy whose name leads to this process.
var ErrOwnHop = errors.New("it is this proxy itself")

// dialThrough connects to t by way of the upstream proxies.
func (e *Egress) dialThrough(ctx context.Context, t Target) (net.Conn, error) {
	conn, err := e.dialHop(ctx)
	if err != nil {
		return nil, err
	}
	return e.lastHop().connect(ctx, conn, t)
}

// connect asks the hop at the other end of conn to connect to t. It returns the
// connection through the hop, which is conn or TLS on it, and closes conn if that fails.
func (h *hop) connect(ctx context.Context, conn net.Conn, t Target) (through net.Conn, err error) {
	// Every read and write of the handshake ends with ctx.
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	through = conn
	if h.tls != nil {
		through, err = h.secure(ctx, conn)
	}
	switch {
	case err != nil:
	case h.socks:
		err = h.socksConnect(through, t, isolation(ctx))
	default:
		err = h.httpConnect(through, t)
	}
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		conn.Close()
		return nil, handshakeError(err)
	}
	return through, nil
}

// secure sets TLS up with the hop, on conn. Isolated connections (see [WithIsolation])
// resume no session, which would link them to others: with an empty cache, they look
// like a first connection to the hop.
func (h *hop) secure(ctx context.Context, conn net.Conn) (net.Conn, error) {
	conf := h.tls
	if isolation(ctx) != "" {
		conf = conf.Clone()
		conf.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	}
	secure := tls.Client(&belowTLS{Conn: conn}, conf)
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, &TLSError{err}
	}
	return secure, nil
}

// A belowTLS is the connection below TLS with a hop.
type belowTLS struct {
	net.Conn
	ended bool // a read returned io.EOF and no bytes
}

func (c *belowTLS) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.ended = c.ended || n == 0 && err == io.EOF // with bytes, Conn is TLS itself, and was closed as a whole
	return n, err
}

// NetConn shows a tunnel the connection that it may have to reset.
func (c *belowTLS) NetConn() net.Conn { return c.Conn }

// Ended tells a tunnel that TLS ended without a close_notify.
func (c *belowTLS) Ended() bool { return c.ended }

// handshakeError lays the fault of a handshake on the hop, unless the hop
// said that the destination is at fault.
func handshakeError(err error) error {
	if secure, ok := errors.AsType[*TLSError](err); ok {
		return &HopError{secure}
	}
	if answer, ok := errors.AsType[*HopAnswer](err); ok {
		return &HopError{answer}
	}
	if destination, ok := errors.AsType[*net.OpError](err); ok && destination.Op == "dial" {
		return destination
	}
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = io.ErrUnexpectedEOF
	} else {
		err = syscallError(err)
	}
	return &HopError{&net.OpError{Op: "read", Net: "tcp", Err: err}} // the connection was there
}

// A HopAnswer is what is wrong with the answer of an upstream proxy that is there, but does
// not do what it is asked to.
type HopAnswer struct {
	What string // begins with "it" or "its", and quotes nothing of the answer but a status
}

func (a *HopAnswer) Error() string { return a.What }
