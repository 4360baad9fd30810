package proxy

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/net/http/httpguts"

	"guise/proxy/egress"
	"guise/proxy/gate"
	"guise/proxy/inspect"
	"guise/proxy/tunnel"
	"guise/proxy/wire"
)

// An inner is a client's connection inside a CONNECT whose content is read here: what
// lies below its TLS, or carries plain HTTP.
type inner struct {
	net.Conn                 // nil until it is taken over
	rw       io.ReadWriter   // reads and writes Conn
	remote   net.Addr        // of the client
	greeting []byte          // answers the CONNECT
	early    []byte          // read already
	target   egress.Target   // of the CONNECT
	plain    bool            // without TLS
	mode     inspect.Mode    // of the target's host
	name     string          // of the host, in the client's hello
	program  uint64          // the client's, see [inspect.Hello]
	unnamed  bool            // the hello names no protocol
	veiled   bool            // name may be the public one of an encrypted hello (RFC 9849 §6.1) for the target
	fault    *failure        // of the origin's certificate; nil for none
	late     error           // of an origin that was waited for in vain; nil for none
	told     atomic.Bool     // late was the answer to a request
	visit    *visit          // of the CONNECT, whose client does not show again what it was let in by
	guest    guest           // the client, as one that has a tunnel
	memory   *inspect.Memory // told whether inspection worked
	came     time.Time       // when the CONNECT did
	shown    time.Time       // when the client got to see a certificate; zero before
	shaken   time.Time       // when the handshake inside was done; zero before
	ended    bool            // a read found the end of the bytes below TLS
	spoke    atomic.Bool     // a request came, or it is known why none did
	closed   atomic.Bool
}

// newInner answers a CONNECT to t, whose client's address was parsed before.
func newInner(a *assembly, w http.ResponseWriter, r *http.Request, v *visit, t egress.Target) *inner {
	// Clones: parts of the CONNECT's head would keep all of it in memory.
	t.Host = strings.Clone(t.Host)
	v.authorization = slices.Clone(v.authorization)
	for i, value := range v.authorization {
		v.authorization[i] = strings.Clone(value)
	}
	remote, _ := v.connection.remote.of(r.RemoteAddr, netip.ParseAddrPort) // it was parsed before the client was let in
	return &inner{
		remote:   net.TCPAddrFromAddrPort(remote),
		came:     time.Now(),
		target:   t,
		visit:    v,
		guest:    v.hand(a),
		greeting: greeting(w, r),
	}
}

// takeOver has carry work on the client's connection, on a goroutine of its own. A panic
// there closes in, and so does an error.
func (in *inner) takeOver(t *tunnels, w http.ResponseWriter, carry func()) error {
	err := t.take(w, func(conn net.Conn, early []byte) {
		in.Conn, in.rw, in.early = conn, wire.Direct(conn), early
		carried := false
		defer func() {
			if !carried {
				in.Close()
			}
		}()
		carry()
		carried = true
	})
	if err != nil {
		in.Close()
	}
	return err
}

// remembered is the target's name in the memory.
func (in *inner) remembered() string { return remembered(in.visit.Isolation, in.target.Host) }

// rememberedHere is the same with the port: what a client does at others is something else.
func (in *inner) rememberedHere() string { return remembered(in.visit.Isolation, in.target.String()) }

// leave has it remembered why this client's connections to here are to be left alone.
func (in *inner) leave(why inspect.Reason) {
	in.memory.Leave(in.visit.Visitor(), in.rememberedHere(), why)
}

// leaveProgram has it remembered that this program of the client speaks something else than
// HTTP here. Other programs stay inspected: the site would see a browser left alone.
func (in *inner) leaveProgram() {
	in.memory.LeaveProgram(in.visit.Visitor(), in.rememberedHere(), in.program, inspect.OtherProtocol)
}

// asksForCertificate has it remembered that the origin asks each client for one.
func (in *inner) asksForCertificate() {
	in.memory.AsksForCertificate(in.remembered())
	in.askedForCertificate()
}

// askedForCertificate has it remembered that the origin asked this client for one: it may
// do so on some of its pages alone, and which a client visits is for nobody else to know.
func (in *inner) askedForCertificate() {
	in.memory.Leave(in.visit.Visitor(), in.remembered(), inspect.ClientCertificate)
}

// RemoteAddr returns the client's address as the CONNECT came from it, which
// need not be where the connection ends.
func (in *inner) RemoteAddr() net.Addr { return in.remote }

// NetConn returns the connection below.
func (in *inner) NetConn() net.Conn { return in.Conn }

// Ended tells a tunnel that TLS ended without a close_notify.
func (in *inner) Ended() bool { return in.ended }

func (in *inner) Read(p []byte) (int, error) {
	if len(in.early) > 0 {
		n := copy(p, in.early)
		if in.early = in.early[n:]; len(in.early) == 0 {
			in.early = nil
		}
		return n, nil
	}
	n, err := in.rw.Read(p)
	if n == 0 && err == io.EOF { // with bytes, the TLS around this has ended well
		in.ended = true
	}
	if err == io.ErrUnexpectedEOF { // a stream that was reset; crypto/tls takes this for an end
		err = syscall.ECONNRESET
	}
	return n, err
}

func (in *inner) Write(p []byte) (int, error) { return in.rw.Write(p) }

// CloseWrite ends this side's bytes, if the connection has two sides.
func (in *inner) CloseWrite() error {
	if half, ok := in.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// silentSoon is how soon a client leaves that refuses a certificate and does not say so.
// Browsers keep connections that they opened ahead of need, as any page can have them do,
// for longer.
const silentSoon = 3 * time.Second

// Close notes whether the client accepted the certificate.
func (in *inner) Close() error {
	if in.closed.Swap(true) {
		return net.ErrClosed
	}
	in.guest.end(tunnel.Bytes{}) // what is inside is counted by request
	if in.Conn == nil {
		return nil
	}
	switch {
	case in.spoke.Load():
	case in.shaken.IsZero() || time.Since(in.shaken) < silentSoon:
		in.memory.Silent(in.visit.Visitor(), in.remembered(), in.program, in.came, in.shown)
	case in.unnamed && in.target.Port == 443: // a browser would name protocols; and no request came
		in.leaveProgram()
	case in.unnamed: // at other ports no browser comes as well
		in.leave(inspect.OtherProtocol)
	}
	return in.Conn.Close()
}

// cut ends the connection and the request that runs on it. The client connects again, and
// learns then what is the matter.
func (in *inner) cut() {
	in.Close()
	panic(http.ErrAbortHandler)
}

// failed cuts the connection if err is about certificates, the origin's or the client's:
// the client has to learn of that in the handshake.
func (in *inner) failed(err error) {
	if _, bad := certificateFault(err); bad {
		in.cut()
	}
	if in.mode == inspect.Auto && wantsRenegotiation(err) {
		in.askedForCertificate()
		in.cut()
	}
}

// waited returns the timeout that ended the wait for the origin before the handshake,
// once, for a first request that comes at once: to wait anew would take twice as long as
// allowed.
func (in *inner) waited() error {
	if in.late == nil || in.told.Swap(true) || time.Since(in.shaken) >= silentSoon {
		return nil
	}
	return in.late
}

// anotherProtocol cuts the connection if r asks for another protocol on it, as kubectl and
// Tailscale do: only WebSockets pass. The program's next connection is left alone. No page can
// have its browser ask, and no server switches to what Connection does not name (RFC 9110
// §7.8).
func (in *inner) anotherProtocol(r *http.Request) {
	if in.mode != inspect.Auto || !httpguts.HeaderValuesContainsToken(r.Header["Connection"], "Upgrade") {
		return
	}
	for _, line := range r.Header["Upgrade"] {
		for protocol := range strings.SplitSeq(line, ",") {
			name, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(protocol)), "/")
			switch name {
			case "", "websocket", "h2c", "h2", "http", "tls": // WebSockets pass, the others are optional (RFC 7540 §3.2, RFC 2817)
			default:
				in.leaveProgram()
				in.cut()
			}
		}
	}
}

// wantsRenegotiation reports whether an origin wanted to renegotiate TLS 1.2 (RFC 5246
// §7.4.1.1). Those that do want a client certificate, for a part of their pages.
func wantsRenegotiation(err error) bool {
	const noRenegotiation = tls.AlertError(100)
	read, ok := errors.AsType[*wire.ConnError](err)
	return ok && read.Err.Error() == noRenegotiation.Error()
}

// speaks notes that the client speaks HTTP, and so took the certificate.
func (in *inner) speaks() {
	if !in.spoke.Swap(true) {
		in.memory.Works(in.visit.Visitor(), in.remembered())
	}
}

// speaksInside is speaks for the connection that nc is, if it is inside a CONNECT.
func speaksInside(nc net.Conn) {
	if in := innerUnder(nc); in != nil {
		in.speaks()
	}
}

// innerUnder returns the connection inside a CONNECT that nc is, or nil.
func innerUnder(nc net.Conn) *inner {
	if tc, ok := nc.(*tls.Conn); ok {
		nc = tc.NetConn()
	}
	in, _ := nc.(*inner)
	return in
}

// insideConnect reports whether nc is a connection inside a CONNECT. Firefox leaves
// Origin, cookies and more out of a WebSocket that it opens there over HTTP/2, which
// few origins offer it; over HTTP/1.1 it sends them.
func insideConnect(nc net.Conn) bool { return innerUnder(nc) != nil }

// enter asks the gate again about the client of the CONNECT. One that may not
// enter any more is cut.
func (in *inner) enter(ctx context.Context, g *gate.Gate, remote netip.Addr) gate.Entrant {
	entrant, err := g.EnterOn(ctx, in.visit.connection.shown, remote, in.visit.tls, in.visit.authorization)
	if err != nil {
		in.cut()
	}
	return entrant
}

// absolute brings a request of a connection inside a CONNECT into the form that
// clients send to proxies. It must be for the host that CONNECT was allowed
// for, or without TLS for one that [carries] lets pass.
func (in *inner) absolute(r *http.Request) (*http.Request, *failure) {
	if in.fault != nil {
		return r, in.fault
	}
	in.speaks()
	scheme, port := "https", uint16(443)
	if in.plain {
		scheme, port = "http", webPort
	}
	target, err := egress.Canonical(cmp.Or(r.Host, in.target.HostHeader(port)), port) // HTTP/1.0 need not say it
	switch {
	case r.Method == http.MethodConnect:
		return r, &nestedConnect
	case err != nil:
		return r, &badTarget
	case target != in.target && !(in.plain && carries(in.target, target)), r.URL.IsAbs() && r.URL.Scheme != scheme:
		return r, &misdirected
	}
	u := *r.URL
	u.Scheme, u.Host = scheme, target.HostHeader(port)
	r2 := *r
	r2.URL = &u
	return &r2, nil
}
