package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"

	"guise/proxy/gate"
	"guise/proxy/tunnel"
	"guise/proxy/wire"
)

// A visit is one request of a client that was let in, and the tunnel that
// the request may become.
type visit struct {
	gate.Entrant
	connection *connection // that it came on
	use        *gate.Use
	seen       *observation // nil for none
	handed     bool         // to a tunnel, which ends the use
	told       bool         // the client has the whole answer
	decoded    func()       // gives the gate's leave to decode back; nil for none

	// What the client was let in by.
	tls           *tls.ConnectionState
	authorization []string
}

// inner returns the connection inside a CONNECT that the request came on, or nil.
func (v *visit) inner() *inner { return v.connection.inner }

// end tells the gate that the request is over, unless it has become a tunnel.
// whole is false for an answer that was cut.
func (v *visit) end(whole bool) {
	if v.decoded != nil {
		v.decoded()
	}
	if !v.handed {
		v.seen.answered(whole)
		v.use.End()
	}
}

// hand returns the guest for a tunnel, which takes over v's use, and ends it.
func (v *visit) hand(a *assembly) guest {
	v.handed = true
	use, seen := v.use, v.seen.tunnelBegins() // not v: the tunnel would keep its request in memory
	return guest{a.gate.Pass(v.Entrant, v.tls, v.authorization), a.guests, func(carried tunnel.Bytes) {
		seen.tunnelEnded(carried)
		use.End()
	}}
}

// errShort refuses new work while there is no room for it.
var errShort = &gate.Over{Limit: "pressure", Total: true, Retry: 2 * time.Second}

// enter asks the gate who sent r, and whether it may be carried out now. A
// request for the proxy's own pages needs no credentials, since browsers
// send none with it.
func (a *assembly) enter(v *visit, r *http.Request, remote netip.Addr) error {
	if a.options.Pressure.Short() {
		return errShort
	}
	var err error
	v.Entrant = gate.Entrant{Address: remote.Unmap()}
	v.tls, v.authorization = r.TLS, r.Header["Proxy-Authorization"]
	if in := v.inner(); in != nil {
		v.tls, v.authorization = in.visit.tls, in.visit.authorization
		v.Entrant = in.enter(r.Context(), a.gate, remote)
	} else if r.Method != http.MethodConnect && !r.URL.IsAbs() {
		err = a.gate.Admit(remote)
	} else {
		v.Entrant, err = a.gate.EnterOn(r.Context(), v.connection.shown, remote, v.tls, v.authorization)
	}
	if err != nil {
		return err
	}
	if v.use, err = a.gate.Begin(v.Entrant); err == nil && v.Account != "" && v.connection.answersChallenge() {
		a.gate.Forgive(remote)
	}
	return err
}

// refuse answers a client that was not let in, after a while if it keeps
// coming. Once too many answers wait, or memory or descriptors are short, the request ends
// without one, and if that does not help either, so does the connection.
func (a *assembly) refuse(w http.ResponseWriter, r *http.Request, remote netip.Addr, err error) {
	a.options.Metrics.Refused(reasonOf(err))
	closeBody(r.Body) // it would be held for as long as the answer is
	hold, ok := a.gate.Hold(remote)
	if a.options.Pressure.Short() { // which it would be for longer, if anything waited
		ok = ok && hold == 0
		http.NewResponseController(w).SetWriteDeadline(time.Now().Add(awayTime))
	}
	if !ok {
		if !a.bears(remote, 1) {
			panic(wire.ErrCutOff)
		}
		panic(http.ErrAbortHandler)
	}
	pause(r.Context(), hold)
	if errors.Is(err, gate.ErrCredentials) {
		c := connectionOf(r.Context())
		if c.socks != nil {
			panic(http.ErrAbortHandler) // the client would take the challenge for an origin's
		}
		c.asked.Add(1)
	}
	a.refusal(err).write(w, r)
}

// disturbed is told by the server of HTTP/2 frames to no purpose. ok lets the client go on.
func (p *Proxy) disturbed(remote string, frames int) (ok bool) {
	client, err := netip.ParseAddrPort(remote)
	return err != nil || p.current.Load().bears(client.Addr(), frames)
}

// bears reports whether a client may go on after n disturbances. Otherwise the caller
// cuts its connection, which is counted here.
func (a *assembly) bears(client netip.Addr, n int) (ok bool) {
	if ok = a.gate.Disturbed(client, n); !ok {
		a.gate.Cut(client)
	}
	return ok
}

// refusal says to a client why it was not let in, or not now.
func (a *assembly) refusal(err error) failure {
	over, limited := errors.AsType[*gate.Over](err)
	switch {
	case limited:
		return overLimit(over)
	case errors.Is(err, gate.ErrCredentials):
		challenge := a.gate.Challenge()
		if challenge == nil {
			return noCertificate
		}
		f := needsCredentials
		f.header = http.Header{"Proxy-Authenticate": challenge}
		return f
	case errors.Is(err, gate.ErrNotAdmitted):
		return notAdmitted
	}
	return failureOf(err)
}

func overLimit(over *gate.Over) failure {
	f := failure{status: over.Status(), kind: "http_request_denied", header: over.Fields()}
	if over.Total {
		f.title, f.detail = "Busy", "This proxy carries all that it can at the moment."
	} else {
		f.title, f.detail = "Too much at once", "You have reached a limit of this proxy ("+over.Limit+")."
	}
	f.detail += " Try again in " + over.Wait().String() + "."
	return f
}

// admit is asked by the server about every connection.
func (p *Proxy) admit(nc net.Conn) (leave func(), ok bool) {
	protocol, relayed := HTTP, false
	if a, ok := nc.(arrival); ok {
		nc, protocol, relayed = a.Conn, a.at.how.Protocol, a.relayed()
	}
	var err error
	if !relayed { // else the client is known once its PROXY header is read
		leave, err = p.connected(nc.RemoteAddr())
	}
	if err == nil {
		leave, err = p.held(leave)
	}
	if err != nil {
		p.turnAway(nc, nc.RemoteAddr(), relayed, protocol, err)
	}
	return leave, err == nil
}

// held reserves a descriptor for a connection until it leaves. It returns errShort if none is left.
func (p *Proxy) held(leave func()) (func(), error) {
	pressure := p.current.Load().options.Pressure
	if pressure == nil {
		return leave, nil
	}
	if !pressure.Take() {
		if leave != nil {
			leave()
		}
		return nil, errShort
	}
	return func() {
		if leave != nil {
			leave()
		}
		pressure.Give()
	}, nil
}

// turnAway counts and ends a connection that is not let in, with an answer if the client could
// read one. A client that keeps coming gets none, and is barred if the system can do
// that. A relay is not barred: all its other clients would be too.
func (p *Proxy) turnAway(nc net.Conn, remote net.Addr, relayed bool, protocol Protocol, err error) {
	a := p.current.Load()
	a.options.Metrics.Refused(reasonOf(err))
	client, isTCP := remote.(*net.TCPAddr)
	switch again := isTCP && !a.gate.Answers(client.AddrPort().Addr()); {
	case again && !relayed && p.barrier.bar(client.AddrPort().Addr()):
		drop(nc)
	case again:
		p.away.keep(nc)
	case protocol != HTTP:
		drop(nc)
	default:
		p.away.answer(nc, a.refusal(err))
	}
}

// connected asks the gate about a connection of the client at remote. leave,
// unless nil, tells the gate that it is no more.
func (p *Proxy) connected(remote net.Addr) (leave func(), err error) {
	client, isTCP := remote.(*net.TCPAddr)
	if !isTCP {
		return nil, nil
	}
	a := p.current.Load()
	metrics := a.options.Metrics
	connection, err := a.gate.Connect(client.AddrPort().Addr(), func(over *gate.Over) bool {
		return p.server.GiveWay(clientAt(client), !over.Total)
	})
	if err != nil {
		return nil, err
	}
	if metrics == nil && connection == nil {
		return nil, nil
	}
	metrics.Connection(1)
	return func() {
		metrics.Connection(-1)
		connection.Close()
	}, nil
}

// clientAt returns whom the gate counts a connection from remote for; zero for nobody.
func clientAt(remote net.Addr) netip.Addr {
	if tcp, isTCP := remote.(*net.TCPAddr); isTCP {
		return gate.NetworkOf(tcp.AddrPort().Addr())
	}
	return netip.Addr{}
}

// A meteredBody tells the gate of each piece that a client sends.
type meteredBody struct {
	io.ReadCloser
	ctx  context.Context
	use  *gate.Use
	seen *observation // nil for none
}

func (b *meteredBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.seen != nil {
		b.seen.up.Add(int64(n))
	}
	if over := paced(b.use.Up(b.ctx, n)); over != nil && err == nil {
		err = over
	}
	return n, err
}

// paced drops the error of a spent volume: what has begun is finished, and the next
// request is refused.
func paced(err error) error {
	if is[*gate.Over](err) {
		return nil
	}
	return err
}
