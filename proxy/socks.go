package proxy

import (
	"bufio"
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"guise/proxy/egress"
	"guise/proxy/gate"
	"guise/proxy/socks"
	"guise/proxy/wire"
)

const (
	webPort    = 80 // where SOCKS clients speak plain HTTP to origins
	socksProto = 5  // the ProtoMajor of a CONNECT that came by SOCKS5
)

// A viaSOCKS is a SOCKS connection. HTTP may be spoken in it.
type viaSOCKS struct {
	target        egress.Target // for HTTP
	authorization []string      // what the client showed, as Proxy-Authorization
	shown         gate.Shown
}

type socksKey struct{}

// openSOCKS serves a SOCKS client up to where HTTP begins or a tunnel stands.
// To port 80 nothing is dialled: requests that come go through the filters,
// as they would on another listener.
func (p *Proxy) openSOCKS(ctx context.Context, asks func() bool, opened *wire.Opened) error {
	conn := opened.Conn
	remote, err := netip.ParseAddrPort(opened.Remote.String())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.tunnels.ctx, cancel)()

	a := p.current.Load()
	client := &viaSOCKS{}
	request, err := socks.Accept(conn, client.authenticator(ctx, a, remote.Addr()))
	switch {
	case errors.Is(err, socks.ErrHTTP):
		p.away.answer(conn, socksWanted)
		return wire.ErrTaken
	case errors.Is(err, socks.ErrMethod):
		a.options.Metrics.Refused(reasonOf(gate.ErrCredentials))
	}
	if err != nil {
		return err
	}
	if !asks() {
		return os.ErrDeadlineExceeded // as if it had asked too late to be read
	}
	hostport := net.JoinHostPort(request.Host, strconv.Itoa(int(request.Port)))
	if request.Port != webPort {
		return p.connectSOCKS(ctx, opened, hostport, client)
	}
	if client.target, err = egress.Canonical(hostport, 0); err != nil {
		socks.Reply(conn, socks.Failed)
		return err
	}
	if _, err = a.gate.EnterOn(ctx, &client.shown, remote.Addr(), nil, client.authorization); err != nil {
		a.options.Metrics.Refused(reasonOf(err))
	} else if err = a.egress.Allow(egress.Plain, client.target); err != nil {
		a.options.Metrics.Error(failureOf(err).kind)
	}
	if err != nil {
		socks.Reply(conn, socks.NotAllowed)
		return err
	}
	opened.Context = context.WithValue(context.WithoutCancel(ctx), socksKey{}, client)
	return socks.Reply(conn, socks.Succeeded)
}

// authenticator asks the gate about names and passwords, if it wants any.
func (c *viaSOCKS) authenticator(ctx context.Context, a *assembly, from netip.Addr) socks.Authenticator {
	if a.gate.Challenge() == nil {
		return nil
	}
	return func(user, password string) bool {
		if strings.Contains(user, ":") {
			return false // RFC 7617 §2, whose form this takes
		}
		c.authorization = []string{"Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))}
		_, err := a.gate.EnterOn(ctx, &c.shown, from, nil, c.authorization)
		if err != nil {
			a.options.Metrics.Refused(reasonOf(err))
		}
		return err == nil
	}
}

// connectSOCKS carries out a request as the CONNECT that it is.
func (p *Proxy) connectSOCKS(ctx context.Context, opened *wire.Opened, hostport string, client *viaSOCKS) error {
	r := (&http.Request{
		Method:     http.MethodConnect,
		URL:        &url.URL{Host: hostport},
		RequestURI: hostport,
		Host:       hostport,
		Proto:      "SOCKS/5",
		ProtoMajor: socksProto,
		Header:     make(http.Header),
		Body:       http.NoBody,
		RemoteAddr: opened.Remote.String(),
	}).WithContext(context.WithValue(ctx, connectionKey{}, &connection{shown: &client.shown}))
	if client.authorization != nil {
		r.Header["Proxy-Authorization"] = client.authorization
	}
	w := &socksAnswer{conn: opened.Conn, header: make(http.Header)}
	p.ServeHTTP(w, r)
	if w.taken {
		return wire.ErrTaken
	}
	kind := strings.TrimPrefix(w.header.Get("Proxy-Status"), "guise;error=")
	// The time for the client's own words may be over by now.
	opened.Conn.SetWriteDeadline(time.Now().Add(awayTime))
	socks.Reply(opened.Conn, socksCode(kind))
	return errSOCKSRefused
}

// socksCode says in SOCKS what kind says in RFC 9209's words.
func socksCode(kind string) socks.Code {
	switch kind, _, _ = strings.Cut(kind, ";"); kind {
	case "http_request_denied":
		return socks.NotAllowed
	case "destination_ip_unroutable":
		return socks.NetworkUnreachable
	case "connection_refused":
		return socks.ConnectionRefused
	case "connection_timeout", "connection_read_timeout", "dns_timeout":
		return socks.TimedOut
	case "dns_error", "destination_unavailable":
		return socks.HostUnreachable
	}
	return socks.Failed
}

// A socksAnswer is the ResponseWriter for a CONNECT that came by SOCKS: either the
// connection is taken over for a tunnel, or the fields say why not.
type socksAnswer struct {
	conn   net.Conn
	header http.Header
	taken  bool
}

func (w *socksAnswer) Header() http.Header         { return w.header }
func (w *socksAnswer) WriteHeader(int)             {}
func (w *socksAnswer) Write(b []byte) (int, error) { return len(b), nil }

// Hijack implements [http.Hijacker].
func (w *socksAnswer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.taken = true
	return w.conn, bufio.NewReadWriter(bufio.NewReaderSize(w.conn, 16), bufio.NewWriterSize(w.conn, 16)), nil
}

// inside makes a request that came through a SOCKS connection to port 80 one
// to the proxy: r's URL becomes absolute. It returns an answer for what is no
// request to the target of the connection, as [carries] has it.
func (c *viaSOCKS) inside(r *http.Request) (*http.Request, *failure) {
	named := cmp.Or(r.Host, c.target.HostHeader(webPort)) // HTTP/1.0 need not say it
	host, err := egress.Canonical(named, webPort)
	switch {
	case err != nil:
		return r, &badTarget
	case r.Method == http.MethodConnect:
		return r, &badRequest
	case !carries(c.target, host), r.URL.IsAbs() && r.URL.Scheme != "http":
		return r, &misdirected
	}
	inner := *r
	u := *r.URL
	u.Scheme, u.Host = "http", named
	if r.RequestURI == "*" {
		u.Path = "" // RFC 9112 §3.2.4
	}
	inner.URL = &u
	delete(r.Header, "Proxy-Authorization")
	if c.authorization != nil {
		r.Header["Proxy-Authorization"] = c.authorization
	}
	return &inner, nil
}

// carries reports whether plain HTTP for host may come on a connection that its client
// had opened to t.
//
// If t is a name, host must be that. If it is an address, the client has looked the name
// up by itself, as do proxychains and redsocks, and Host says which: it is looked up
// again here, since what an address of the client's choice answers must not be stored as
// that host's.
func carries(t, host egress.Target) bool {
	return host == t || t.Addr.IsValid() && !host.Addr.IsValid() && host.Port == t.Port
}
