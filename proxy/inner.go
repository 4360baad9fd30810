package proxy

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"

	"guise/proxy/egress"
	"guise/proxy/gate"
	"guise/proxy/inspect"
	"guise/proxy/tunnel"
)

// An inner is a client's connection whose TLS is ended here, below TLS.
type inner struct {
	net.Conn                    // nil until it is taken over
	rw       io.ReadWriter      // of it
	remote   net.Addr           // of the client
	greeting []byte             // answers the CONNECT
	early    []byte             // read already
	target   egress.Target      // of the CONNECT
	mode     inspect.Mode       // of the target's host
	name     string             // in the client's hello
	fault    *failure           // of the origin's certificate; nil for none
	visit    *visit             // of the CONNECT
	end      func(tunnel.Bytes) // ends that
	memory   *inspect.Memory    // told how it went
	spoke    atomic.Bool        // a request came, or it is known why none did
	closed   atomic.Bool

	// What the client showed with its CONNECT, and does not show again.
	outer         *tls.ConnectionState
	authorization []string
}

// RemoteAddr returns the client's address as the CONNECT came from it, which
// need not be where the connection ends.
func (in *inner) RemoteAddr() net.Addr { return in.remote }

// NetConn returns the connection below.
func (in *inner) NetConn() net.Conn { return in.Conn }

func (in *inner) Read(p []byte) (int, error) {
	if len(in.early) > 0 {
		n := copy(p, in.early)
		if in.early = in.early[n:]; len(in.early) == 0 {
			in.early = nil
		}
		return n, nil
	}
	return in.rw.Read(p)
}

func (in *inner) Write(p []byte) (int, error) { return in.rw.Write(p) }

// Close notes whether the client accepted the certificate.
func (in *inner) Close() error {
	if in.closed.Swap(true) {
		return net.ErrClosed
	}
	in.end(tunnel.Bytes{}) // what is inside is counted by request
	if in.Conn == nil {
		return nil
	}
	if !in.spoke.Load() {
		in.memory.Silent(in.visit.Visitor(), in.target.Host)
	}
	return in.Conn.Close()
}

// cut ends the connection and the request that runs on it. The client begins
// anew, and is told at its next CONNECT what is the matter.
func (in *inner) cut() {
	in.Close()
	panic(http.ErrAbortHandler)
}

type innerKey struct{}

// innerContext gives the requests of an inspected connection its *inner.
func innerContext(ctx context.Context, nc net.Conn) context.Context {
	if tc, ok := nc.(*tls.Conn); ok {
		if in, ok := tc.NetConn().(*inner); ok {
			return context.WithValue(ctx, innerKey{}, in)
		}
	}
	return ctx
}

// innerOf returns the inspected connection that a request came on, or nil.
func innerOf(ctx context.Context) *inner {
	in, _ := ctx.Value(innerKey{}).(*inner)
	return in
}

// enter asks the gate again about the client of the CONNECT. One that may not
// enter any more is cut.
func (in *inner) enter(ctx context.Context, g *gate.Gate, remote netip.Addr) gate.Entrant {
	entrant, err := g.Enter(ctx, remote, in.outer, in.authorization)
	if err != nil {
		in.cut()
	}
	return entrant
}

// absolute brings a request of an inspected connection into the form that
// clients send to proxies. It must be for the host that CONNECT was allowed
// for; no other was checked against the rules.
func (in *inner) absolute(r *http.Request) (*http.Request, *failure) {
	if in.fault != nil {
		return r, in.fault
	}
	if !in.spoke.Swap(true) {
		in.memory.Works(in.visit.Visitor(), in.target.Host)
	}
	target, err := egress.Canonical(r.Host, 443)
	switch {
	case r.Method == http.MethodConnect:
		return r, &nestedConnect
	case err != nil:
		return r, &badTarget
	case target != in.target, r.URL.IsAbs() && r.URL.Scheme != "https":
		return r, &misdirected
	}
	u := *r.URL
	u.Scheme, u.Host = "https", target.HostHeader(443)
	r2 := *r
	r2.URL = &u
	return &r2, nil
}
