package egress

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"time"
)

// A hop is the upstream proxy that all connections go through.
type hop struct {
	target        Target
	socks         bool
	authorization string // of HTTP, for Proxy-Authorization; "" for none
	user          string // of SOCKS
	password      string
}

// newHop reads the URL of an upstream proxy.
func newHop(u *url.URL) (*hop, error) {
	h := &hop{}
	port := uint16(80)
	switch u.Scheme {
	case "http":
	case "socks5", "socks5h": // names go to the proxy either way: a look-up here would show them to the resolver
		h.socks, port = true, 1080
	default:
		return nil, errors.New("upstream chain: want http://host:port or socks5://host:port")
	}
	if u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" {
		return nil, errors.New("upstream chain: a proxy has no path")
	}
	var err error
	if h.target, err = Canonical(u.Host, port); err != nil {
		return nil, fmt.Errorf("upstream chain: %w", err)
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

// dialHop connects to the upstream proxy. The operator named it, so it may be
// anywhere, except at this process's own listeners.
func (e *Egress) dialHop(ctx context.Context) (net.Conn, error) {
	conn, err := e.dialDirect(ctx, e.hop.target, func(to netip.AddrPort) error {
		if e.guard.isOwn(to.Addr().Unmap(), to.Port()) {
			return errOwnHop
		}
		return nil
	})
	if errors.Is(err, refusedDestination) {
		err = errOwnHop
	}
	if err != nil {
		return nil, &HopError{err}
	}
	return conn, nil
}

var errOwnHop = errors.New("it is this proxy itself")

// dialThrough connects to t by way of the upstream proxy.
func (e *Egress) dialThrough(ctx context.Context, t Target) (net.Conn, error) {
	conn, err := e.dialHop(ctx)
	if err != nil {
		return nil, err
	}
	// Every read and write of the handshake ends with ctx.
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	if e.hop.socks {
		err = e.hop.socksConnect(conn, t)
	} else {
		err = e.hop.httpConnect(conn, t)
	}
	if !stop() && err == nil {
		err = &HopError{ctx.Err()}
	}
	if err != nil {
		conn.Close()
		return nil, handshakeError(err)
	}
	return conn, nil
}

// handshakeError lays the fault of a handshake on the hop, unless the hop
// said that the destination is at fault.
func handshakeError(err error) error {
	if hop, ok := errors.AsType[*HopError](err); ok {
		return &HopError{dialError(hop.Err)}
	}
	if answer, ok := errors.AsType[*hopAnswer](err); ok {
		return &HopError{answer}
	}
	if destination, ok := errors.AsType[*net.OpError](err); ok && destination.Op == "dial" {
		return destination
	}
	return &HopError{dialError(err)}
}

// A hopAnswer is what is wrong with an upstream proxy's answer.
type hopAnswer struct{ what string }

func (a *hopAnswer) Error() string { return a.what }

// Is tells [errors.Is] that it is an [ErrHopAnswer].
func (a *hopAnswer) Is(target error) bool { return target == ErrHopAnswer }
