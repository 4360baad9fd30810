package proxy

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"guise/proxy/calls"
	"guise/proxy/egress"
	"guise/proxy/inspect"
	"guise/proxy/socks"
	"guise/proxy/tunnel"
)

// established answers a CONNECT, ahead of the origin's first byte. It carries
// no field: there is nothing to say.
const established = "HTTP/1.1 200 Connection established\r\n\r\n"

// greeting says that the tunnel is open, in the protocol that r came in. What
// it returns is to be the first on the connection that is taken over.
func greeting(w http.ResponseWriter, r *http.Request) []byte {
	switch r.ProtoMajor {
	case 2:
		w.WriteHeader(http.StatusOK)
		return nil
	case socksProto:
		return socks.Success
	}
	return []byte(established)
}

// connect opens a tunnel, unless the host is inspected. The bytes in a tunnel
// belong to client and origin; only the destination is checked (RFC 9110
// §9.3.6). To port 80, if tunnels may go there, it is plain HTTP that is
// filtered: so browsers send WebSockets (RFC 6455 §4.1).
func (p *Proxy) connect(a *assembly, w http.ResponseWriter, r *http.Request, v *visit) {
	target, err := egress.Canonical(r.URL.Host, 0)
	if err != nil {
		badTarget.write(w, r)
		return
	}
	if err := a.egress.Allow(egress.Connect, target); err != nil {
		failureOf(err).write(w, r)
		return
	}
	if err := a.beginTunnel(v); err != nil {
		a.refusal(err).write(w, r)
		return
	}
	if target.Port == webPort {
		p.servePlain(a, w, r, v, target)
		return
	}
	connected, ok := a.nesting.enter(r)
	if !ok {
		looped.write(w, r)
		return
	}
	if mode := a.inspects.mode(v, target); mode != inspect.Never {
		p.inspect(a, w, r, v, target, mode, connected)
		return
	}
	origin, err := a.egress.Dial(egress.WithIsolation(r.Context(), v.Isolation), egress.Connect, target)
	connected()
	if err != nil {
		failureOf(err).write(w, r)
		return
	}
	o := a.tunnelOptions(v)
	o.Opening, o.FromOrigin = a.opening(target), greeting(w, r)
	p.tunnels.run(w, origin, o, v.hand(a))
}

// beginTunnel asks for leave to open one more. The server stops counting a connection
// that becomes a tunnel, which has two descriptors until it ends: they are taken and not
// given back, since the next look counts what is open.
func (a *assembly) beginTunnel(v *visit) error {
	err := v.use.Tunnel()
	for range 2 {
		if err == nil && !a.options.Pressure.Take() {
			err = errShort
		}
	}
	if err != nil {
		a.options.Metrics.Refused(reasonOf(err))
	}
	return err
}

// servePlain answers a CONNECT and has the server read what comes: each request
// inside goes the way of all others.
func (p *Proxy) servePlain(a *assembly, w http.ResponseWriter, r *http.Request, v *visit, t egress.Target) {
	in := newInner(a, w, r, v, t)
	in.plain = true
	in.spoke.Store(true) // there is no certificate to be refused
	in.takeOver(p.tunnels, w, func() {
		in.SetDeadline(time.Now().Add(a.options.Timeouts.Head))
		if _, err := in.Conn.Write(in.greeting); err != nil {
			in.Close()
			return
		}
		in.SetDeadline(time.Time{})
		p.server.ServeConn(in)
	})
}

// tunnelOptions are those of every tunnel of a visit.
func (a *assembly) tunnelOptions(v *visit) tunnel.Options {
	o := tunnel.Options{Idle: a.options.Timeouts.Tunnel}
	if v.use.Metered() {
		o.Up, o.Down = v.use.Up, v.use.Down
	}
	return o
}

// upgraded turns an exchange that switched protocols into a tunnel.
func (p *Proxy) upgraded(a *assembly, e *exchange) {
	origin, early := e.upgrade.Detach()
	o := a.tunnelOptions(e.visit)
	o.FromOrigin = early
	p.tunnels.run(e.ResponseWriter, origin, o, e.visit.hand(a))
}

// tunnels runs the open tunnels. Each has one owner here, so that the server's
// own state for the connection can go.
type tunnels struct {
	ctx    context.Context // ends the tunnels
	cancel context.CancelFunc
	log    *slog.Logger // of panics

	mu     sync.Mutex
	open   int           // tunnels, and connections that may become one
	closed bool          // none begins any more
	none   chan struct{} // closed when the last has ended; nil unless somebody waits
}

func newTunnels(log *slog.Logger) *tunnels {
	t := &tunnels{log: log}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	return t
}

// begin counts one more, and reports whether it may begin. Handlers may still run when
// close is called.
func (t *tunnels) begin() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed {
		t.open++
	}
	return !t.closed
}

// end counts one less.
func (t *tunnels) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open--; t.open == 0 && t.none != nil {
		close(t.none)
		t.none = nil
	}
}

// over returns a channel that is closed once no tunnel is open.
func (t *tunnels) over() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	over := t.none
	if over == nil {
		over = make(chan struct{})
	}
	if t.open == 0 {
		close(over)
	} else {
		t.none = over
	}
	return over
}

// hijack takes the client's connection over, with the bytes that arrived behind the
// head, and counts it before the server lets go: a shutdown waits for the one or the other.
func (t *tunnels) hijack(w http.ResponseWriter) (client net.Conn, early []byte, err error) {
	if !t.begin() {
		return nil, nil, http.ErrServerClosed
	}
	defer func() {
		if client == nil { // also after a panic
			t.end()
		}
	}()
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, nil, err
	}
	early = make([]byte, buffered.Reader.Buffered())
	if _, err := io.ReadFull(buffered, early); err != nil {
		conn.Close()
		return nil, nil, err
	}
	return conn, early, nil
}

// run takes the client's connection over and has bytes carried between it and
// origin.
func (t *tunnels) run(w http.ResponseWriter, origin net.Conn, o tunnel.Options, g guest) {
	client, early, err := t.hijack(w)
	if err != nil {
		origin.Close()
		g.end(tunnel.Bytes{})
		return
	}
	defer t.end()
	o.FromClient = early
	t.carry(client, origin, o, g)
}

// carry has bytes carried between client and origin, without a goroutine while there are
// none, and for no longer than the guest may enter. The caller has hijacked client, and
// counts as open itself until carry returns.
func (t *tunnels) carry(client, origin net.Conn, o tunnel.Options, g guest) {
	t.mu.Lock()
	t.open++
	t.mu.Unlock()
	s := &stay{pass: g.pass}
	o.Panicked = func(stack []byte) { t.log.Error("tunnel panicked", "stack", string(stack)) }
	s.cut = tunnel.Carry(t.ctx, client, origin, o, func(carried tunnel.Bytes, _ error) { // nobody is left to be told how it ended
		defer t.end()
		defer t.logPanic(client)
		g.of.ends(s)
		g.end(carried)
	})
	g.of.begins(s)
}

// logPanic, deferred, ends a panic and the connection that it was about. The
// value is left out: what it holds may be the client's.
func (t *tunnels) logPanic(client net.Conn) {
	if recover() != nil {
		t.log.Error("tunnel panicked", "stack", string(calls.Stack()))
		client.Close()
	}
}

// take takes the client's connection over, with the bytes that arrived behind
// the head, and calls carry for it on a goroutine of its own. A panic of carry
// closes the connection; carry's defers see to the rest.
func (t *tunnels) take(w http.ResponseWriter, carry func(client net.Conn, early []byte)) error {
	client, early, err := t.hijack(w)
	if err != nil {
		return err
	}
	go func() {
		defer t.end()
		defer t.logPanic(client)
		carry(client, early)
	}()
	return nil
}

// drain waits for the tunnels until ctx ends.
func (t *tunnels) drain(ctx context.Context) error {
	select {
	case <-t.over():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// close ends every tunnel and waits for it. No other begins.
func (t *tunnels) close() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.cancel()
	<-t.over()
}
