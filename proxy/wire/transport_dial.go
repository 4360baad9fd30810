package wire

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"slices"
	"strings"
)

// Connect opens a TLS connection to address, host:port, and offers protocols,
// by their ALPN names, before HTTP/1.1. If the origin chooses one of them, Connect
// returns the connection, which the caller has to close. Otherwise it puts it into the
// pool for HTTP/1.1 and returns nil and nil. Errors are those of RoundTrip.
func (t *Transport) Connect(ctx context.Context, address string, protocols ...string) (*tls.Conn, error) {
	t.once.Do(t.init)
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, &RequestError{"a bad address"}
	}
	k := poolKey{tls: true, host: host, port: port, isolation: Isolation(ctx)}
	c, err := t.dial(ctx, k, protocols...)
	if err != nil {
		return nil, err
	}
	if chosen := c.tls.NegotiatedProtocol; chosen != "" && slices.Contains(protocols, chosen) {
		return c.nc.(*tls.Conn), nil
	}
	if c.probe == nil {
		c.closeNow() // it could not be told whether it is still open
		return nil, nil
	}
	t.pool.put(c)
	return nil, nil
}

// dial opens a connection for k, with TLS if k or the hop asks for it.
func (t *Transport) dial(ctx context.Context, k poolKey, protocols ...string) (*originConn, error) {
	c, err := t.connect(ctx, k)
	if err != nil || !k.tls {
		return c, err
	}
	err = t.handshake(ctx, c, t.originTLS(k, protocols, nil))
	if issuers := t.leftOut(ctx, err); len(issuers) > 0 {
		if c, err = t.connect(ctx, k); err == nil {
			err = t.handshake(ctx, c, t.originTLS(k, protocols, issuers))
		}
	}
	return c, err
}

// leftOut returns certificates that the origin left out of its chain, if a handshake failed
// with err for want of them, else none.
func (t *Transport) leftOut(ctx context.Context, err error) []*x509.Certificate {
	refused, ok := errors.AsType[*tls.CertificateVerificationError](err)
	if !ok || t.Issuers == nil || len(refused.UnverifiedCertificates) == 0 {
		return nil
	}
	if _, unknown := errors.AsType[x509.UnknownAuthorityError](refused.Err); !unknown {
		return nil
	}
	return t.Issuers(ctx, refused.UnverifiedCertificates)
}

// connect opens a connection for k, without TLS to the origin.
func (t *Transport) connect(ctx context.Context, k poolKey) (*originConn, error) {
	var nc net.Conn
	var err error
	if k.hop {
		nc, err = t.DialHop(ctx)
	} else {
		nc, err = t.Dial(ctx, "tcp", net.JoinHostPort(k.host, k.port))
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, &DialError{err}
	}
	// The connection outlives the request that opened it; its host may be a substring
	// of that request's head, which would stay in memory.
	k.host, k.port = strings.Clone(k.host), strings.Clone(k.port)
	c := &originConn{nc: nc, key: k}
	switch {
	case k.tls: // the caller's
	case k.hop && t.HopTLS != nil:
		return c, t.handshake(ctx, c, t.hopTLS.Clone())
	default:
		c.probe = newProbe(nc, nil, nil)
		c.rw, c.plain = quickest(nc)
	}
	return c, nil
}

// originTLS returns the TLS configuration for the origin of k. issuers are intermediate
// certificates beside those that the origin sends.
func (t *Transport) originTLS(k poolKey, protocols []string, issuers []*x509.Certificate) *tls.Config {
	conf := t.tls.Clone()
	conf.NextProtos = append(slices.Clip(protocols), conf.NextProtos...)
	conf.ServerName = strings.TrimSuffix(k.host, ".")
	if len(issuers) > 0 {
		verifyBy(conf, issuers)
	}
	return conf
}

// handshake sets up TLS on c as conf says, and closes c if that fails.
func (t *Transport) handshake(ctx context.Context, c *originConn, conf *tls.Config) error {
	if c.key.isolation != "" && conf.ClientSessionCache != nil {
		conf.ClientSessionCache = sessionsApart{conf.ClientSessionCache, c.key.isolation}
	}
	sock := &tlsSocket{Conn: c.nc}
	sock.rw, _ = quickest(c.nc)
	tc := tls.Client(sock, conf)
	hctx, cancel := context.WithTimeout(ctx, t.HandshakeTimeout)
	defer cancel()
	if err := tc.HandshakeContext(hctx); err != nil {
		c.nc.Close()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return &HandshakeError{err}
	}
	state := tc.ConnectionState()
	c.tls = &state
	c.sock, c.probe = sock, newProbe(c.nc, tc, sock)
	c.nc, c.rw = tc, tc
	return nil
}

// NetConn shows a tunnel the connection that it may have to reset.
func (s *tlsSocket) NetConn() net.Conn { return s.Conn }

// Ended tells a tunnel that TLS ended without a close_notify.
func (s *tlsSocket) Ended() bool { return s.ended }

// verifyBy has conf verify as crypto/tls does, with issuers as further intermediates.
func verifyBy(conf *tls.Config, issuers []*x509.Certificate) {
	host, roots, further := conf.ServerName, conf.RootCAs, conf.VerifyConnection
	conf.ClientSessionCache = nil // a session would be resumed without issuers
	conf.InsecureSkipVerify = true
	conf.VerifyConnection = func(state tls.ConnectionState) (err error) {
		between := x509.NewCertPool()
		for _, c := range slices.Concat(state.PeerCertificates[1:], issuers) {
			between.AddCert(c)
		}
		state.VerifiedChains, err = state.PeerCertificates[0].Verify(x509.VerifyOptions{DNSName: host, Roots: roots, Intermediates: between})
		if err != nil {
			return &tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: err}
		}
		if further == nil {
			return nil
		}
		return further(state)
	}
}

// tlsConfig returns the configuration that all handshakes start from. Only
// HTTP/1.1 is offered, unless [Transport.Connect] was asked for more. Without
// a session cache no session is resumed, which would let an origin tie
// connections together.
func tlsConfig(given *tls.Config) *tls.Config {
	conf := &tls.Config{}
	if given != nil {
		conf = given.Clone()
	}
	conf.NextProtos = []string{"http/1.1"}
	conf.MinVersion = max(conf.MinVersion, tls.VersionTLS12)
	return conf
}

// sessionsApart are the TLS sessions of one isolation: to resume another's would link
// the two. To resume none would make the ClientHello differ from that of others.
type sessionsApart struct {
	all       tls.ClientSessionCache
	isolation string
}

func (s sessionsApart) key(of string) string { return s.isolation + " " + of }

// Get implements [tls.ClientSessionCache].
func (s sessionsApart) Get(of string) (*tls.ClientSessionState, bool) { return s.all.Get(s.key(of)) }

// Put implements [tls.ClientSessionCache].
func (s sessionsApart) Put(of string, session *tls.ClientSessionState) {
	s.all.Put(s.key(of), session)
}
