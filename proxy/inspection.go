package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"regexp"
	"sync"
	"time"

	"guise/proxy/egress"
	"guise/proxy/inspect"
	"guise/proxy/tunnel"
	"guise/proxy/wire"
)

// Inspection says for which hosts TLS is terminated here, so that requests inside HTTPS
// get the same treatment as others. The zero value inspects nothing.
type Inspection struct {
	Enabled   bool
	CA        string             // folder of the certificate authority that clients trust
	Authority *inspect.Authority // used instead of what is in CA, unless nil
	Sites     []inspect.Site     // first match wins
	Default   inspect.Mode       // for hosts that no site matches
	Roots     *x509.CertPool     // what origins' certificates are verified against; nil means the system's
}

// helloWait is how long a client that may not speak TLS at all has for its
// first byte. One that speaks TLS begins at once; elsewhere the server may
// have to speak first.
const helloWait = 3 * time.Second

// helloTime is how long a client has for the first byte of its hello; within is for all
// of it. On port 443 no client waits for the server to speak first, and a late hello, as
// over a bad link, must not be tunnelled uninspected.
func helloTime(port uint16, within time.Duration) time.Duration {
	if port == 443 {
		return within
	}
	return min(helloWait, within)
}

// An inspection decides where TLS is terminated. What it learns outlives a reload.
type inspection struct {
	authority *inspect.Authority // nil inspects nothing
	rules     inspect.Rules
	memory    *inspect.Memory
	hsts      *inspect.HSTS
}

// newInspection takes over what before learned; nil for a first one.
func newInspection(o Inspection, before *inspection) (*inspection, error) {
	i := &inspection{}
	if before != nil {
		i.authority, i.memory, i.hsts = before.authority, before.memory, before.hsts
	} else {
		i.memory, i.hsts = inspect.NewMemory(), inspect.NewHSTS()
	}
	var err error
	if i.rules, err = inspect.NewRules(o.Sites, o.Default); err != nil {
		return nil, err
	}
	switch {
	case !o.Enabled:
		i.authority = nil
	case o.Authority != nil:
		i.authority = o.Authority
	default:
		now, err := inspect.Load(o.CA)
		if err != nil {
			return nil, fmt.Errorf("inspection: %w", err)
		}
		if !now.Equal(i.authority) { // else it has signed already
			i.authority = now
		}
	}
	return i, nil
}

// AuthorityEnds returns until when the certificate authority for inspection is
// valid; the zero time if nothing is inspected.
func (p *Proxy) AuthorityEnds() time.Time {
	authority := p.current.Load().inspects.authority
	if authority == nil {
		return time.Time{}
	}
	return authority.Certificate().NotAfter
}

// remembered is the name of a host, or a host:port, in the memory. Those who are kept
// apart have names of their own: how a host is treated shows what others' visits taught
// guise.
func remembered(apart, host string) string {
	if apart == "" {
		return host
	}
	return apart + " " + host // no host has a blank
}

// mode says how a CONNECT of v to t is to be treated.
func (i *inspection) mode(v *visit, t egress.Target) inspect.Mode {
	if i.authority == nil {
		return inspect.Never
	}
	mode := i.rules.Mode(t.Host)
	if mode != inspect.Never && !i.authority.Permits(t.Host) {
		i.memory.Left(inspect.OutsideAuthority)
		return inspect.Never
	}
	if mode == inspect.Auto {
		for _, place := range [...]string{t.Host, t.String()} {
			host := remembered(v.Isolation, place)
			why, left := i.memory.Fallback(v.Visitor(), host)
			if left && i.memory.ForAll(v.Visitor(), host) { // else the hello tells whether this program is meant
				i.memory.Left(why)
				return inspect.Never
			}
		}
	}
	return mode
}

// leaves reports whether in is to be read no further, since a reload has its host left alone.
func (i *inspection) leaves(in *inner) bool {
	return !in.plain && (i.authority == nil || i.rules.Mode(in.target.Host) == inspect.Never)
}

// inspect answers a CONNECT and ends the TLS inside. Until the client's hello
// is there, the connection can still become a tunnel. It calls approached when
// the origin was asked.
func (p *Proxy) inspect(a *assembly, w http.ResponseWriter, r *http.Request, v *visit, t egress.Target, mode inspect.Mode, approached func()) {
	in := newInner(a, w, r, v, t)
	in.mode, in.memory = mode, a.inspects.memory
	approached = sync.OnceFunc(approached)
	err := in.takeOver(p.tunnels, w, func() {
		defer approached() // after a panic
		stop := context.AfterFunc(p.tunnels.ctx, func() { in.Conn.Close() })
		defer stop()
		why, left := in.hello(a)
		if !left {
			why, left = in.approach(p.tunnels.ctx, a)
		}
		approached()
		switch {
		case !left:
			p.terminate(a, in)
		case in.mayFallBack(a, why) && stop(): // a tunnel alone may close what it works on
			in.memory.Left(why)
			p.fallBack(a, in)
		case in.mode == inspect.Always && why == inspect.NotTLS && requestStart.Match(in.early):
			in.plain = true // a WebSocket's: browsers open those in the clear, too, by CONNECT (RFC 6455 §4.1)
			in.spoke.Store(true)
			in.SetDeadline(time.Time{})
			p.server.ServeConn(in)
		default:
			in.spoke.Store(true)
			in.Close()
		}
	})
	if err != nil {
		approached()
	}
}

// requestStart matches the start of a request.
var requestStart = regexp.MustCompile("^[A-Z]+ /")

// gone is no reason for a tunnel: there is no client any more.
const gone = inspect.Reason(0xff)

// hello answers the CONNECT and reads the client's first bytes. left says that
// TLS cannot be ended here, and why.
func (in *inner) hello(a *assembly) (why inspect.Reason, left bool) {
	within := a.options.Timeouts.Head
	till := time.Now().Add(within)
	in.SetDeadline(till)
	if _, err := in.Conn.Write(in.greeting); err != nil {
		return gone, true
	}
	first := till
	if in.mode == inspect.Auto {
		first = time.Now().Add(helloTime(in.target.Port, within))
	}
	raw, hello, err := readHello(in.Conn, in.early, first, till)
	in.early, in.name, in.unnamed, in.program = raw, hello.ServerName, hello.Protocols == nil, hello.Program
	if in.mode == inspect.Always && in.target.Addr.IsValid() {
		in.goByName(a)
	}
	in.veiled = hello.Encrypted && in.name != "" && !in.target.Addr.IsValid() && !in.named()
	if hello.Early {
		in.spoke.Store(true) // it retries without, which is no refusal
	}
	switch {
	case err == inspect.ErrNotTLS, len(raw) == 0 && errors.Is(err, os.ErrDeadlineExceeded):
		return inspect.NotTLS, true
	case err != nil:
		return gone, true
	case in.mode == inspect.Never, in.mode == inspect.Auto && in.name != "" && !in.named() && !in.veiled:
		return inspect.OtherName, true
	case in.mode == inspect.Auto && !hello.HTTP():
		return inspect.OtherProtocol, true
	case in.mode == inspect.Auto && !hello.Current:
		return inspect.OtherTLS, true
	case in.mode == inspect.Auto && in.memory.RefusedBy(in.visit.Visitor(), in.remembered(), in.program):
		return inspect.Pinned, true
	case in.mode == inspect.Auto && in.memory.RefusedBy(in.visit.Visitor(), in.rememberedHere(), in.program):
		return inspect.OtherProtocol, true
	}
	return 0, false
}

// readHello reads a client's hello, of which early came before: its first byte until
// first, and the whole until till.
func readHello(client net.Conn, early []byte, first, till time.Time) (raw []byte, hello inspect.Hello, err error) {
	client.SetReadDeadline(first)
	raw, hello, err = inspect.ReadHello(client, early)
	if len(raw) > 0 && errors.Is(err, os.ErrDeadlineExceeded) && first.Before(till) {
		client.SetReadDeadline(till)
		raw, hello, err = inspect.ReadHello(client, raw)
	}
	return raw, hello, err
}

// goByName makes the hello's server name the target where the CONNECT has an address, as
// of clients that look names up themselves, over SOCKS and elsewhere: a certificate for
// the address is none to them, and site rules are about names. The client's address for
// the name is ignored, or a name that is left alone would lead anywhere.
func (in *inner) goByName(a *assembly) {
	if named, err := egress.Canonical(in.name, in.target.Port); err == nil && !named.Addr.IsValid() {
		in.target, in.mode = named, a.inspects.mode(in.visit, named)
	}
}

// named reports whether the client asks for the host of its CONNECT.
func (in *inner) named() bool {
	named, err := egress.Canonical(in.name, in.target.Port)
	return err == nil && named == in.target
}

// approach connects to the origin before the client gets to see a certificate. What goes
// wrong but for certificates is told to the first request.
func (in *inner) approach(ctx context.Context, a *assembly) (why inspect.Reason, left bool) {
	address, apart := in.target.String(), in.visit.Isolation
	ctx = wire.WithIsolation(egress.WithIsolation(ctx, apart), apart)
	err := a.secure.ready(ctx, address)
	if fault, bad := certificateFault(err); bad {
		in.fault = &fault
	}
	if err != nil && failureOf(err).status == http.StatusGatewayTimeout {
		in.late = err
	}
	switch {
	case in.mode != inspect.Auto:
	case a.secure.asksForCertificate(ctx, address):
		in.asksForCertificate()
		return inspect.ClientCertificate, true
	case disagree(err):
		return inspect.OtherTLS, true
	case !in.stays():
		return gone, true
	}
	return 0, false
}

// stays reports whether the client is still there. One that left while the origin was
// asked has seen no certificate that it could refuse: any page can have its browser ask
// for what is slow to come, and leave.
func (in *inner) stays() bool {
	var b [1]byte
	in.SetReadDeadline(time.Now().Add(time.Millisecond))
	n, err := in.Conn.Read(b[:])
	in.early = append(in.early, b[:n]...)
	return err == nil || errors.Is(err, os.ErrDeadlineExceeded)
}

// disagree reports whether err says that the origin and guise found no TLS that
// both speak. The client may speak another.
func disagree(err error) bool {
	handshake, failed := errors.AsType[*wire.HandshakeError](err)
	if !failed {
		return false
	}
	_, alerted := inspect.Alert(handshake.Err)
	return alerted || notTaken(handshake.Err) && !is[*tls.CertificateVerificationError](err)
}

// mayFallBack reports whether the connection may become a tunnel.
func (in *inner) mayFallBack(a *assembly, why inspect.Reason) bool {
	check := a.tunnelCheck(in.target)
	switch {
	case in.mode == inspect.Always, why == gone:
		return false
	case check == nil:
		return true
	case why == inspect.NotTLS:
		return check.closes != nil
	}
	return check.lets(in.name)
}

// terminate ends the client's TLS and hands what is inside to the server.
func (p *Proxy) terminate(a *assembly, in *inner) {
	ctx, cancel := context.WithTimeout(p.tunnels.ctx, a.options.Timeouts.Head)
	defer cancel()
	in.SetDeadline(time.Time{})
	fault := ""
	if in.fault != nil {
		fault = in.fault.title
		in.spoke.Store(true) // the client is meant to refuse
	}
	host := in.target.Host
	if in.veiled {
		// A client that finds its encrypted hello unread takes no certificate but one for
		// the name around it, and comes again without (RFC 9849 §6.1.6).
		host = in.name
		in.spoke.Store(true)
	}
	in.shown = time.Now()
	conn, err := a.inspects.authority.Terminate(ctx, in, host, fault)
	switch {
	case in.veiled && in.mode == inspect.Auto && in.fault == nil:
		in.unread(conn, err, a.options.Timeouts.Head)
	case err == nil:
		in.memory.Inspected()
		in.shaken = time.Now()
		p.server.ServeConn(conn)
	case in.fault == nil && inspect.RefusedCertificate(err):
		in.memory.Refused(in.visit.Visitor(), in.remembered(), in.program)
	}
}

// unread judges what a client whose hello may be encrypted makes of a certificate for its
// outer name. conn and err are what came of its handshake.
func (in *inner) unread(conn *tls.Conn, err error, within time.Duration) {
	if err == nil { // some refuse after the handshake
		conn.SetReadDeadline(time.Now().Add(within))
		_, err = conn.Read(make([]byte, 1))
		conn.Close()
	}
	switch who, host := in.visit.Visitor(), in.remembered(); {
	case inspect.RefusedHello(err): // it comes again without
	case inspect.RefusedCertificate(err):
		in.memory.Refused(who, host, in.program)
	case err == nil: // it has none, and means the other name
		in.leave(inspect.OtherName)
	default:
		in.memory.Silent(who, host, in.program, in.came, in.shown)
	}
}

// fallBack makes a tunnel of a connection whose CONNECT is answered.
func (p *Proxy) fallBack(a *assembly, in *inner) {
	ctx := egress.WithIsolation(p.tunnels.ctx, in.visit.Isolation)
	origin, err := a.egress.Dial(ctx, egress.Connect, in.target)
	in.closed.Store(true) // or Close would end what the tunnel ends
	if err != nil {
		in.Conn.Close()
		in.guest.end(tunnel.Bytes{})
		return
	}
	o := a.tunnelOptions(in.visit)
	o.Opening, o.FromClient = a.opening(in.target), in.early // its client may have said nothing yet
	p.tunnels.carry(in.Conn, origin, o, in.guest)
}
