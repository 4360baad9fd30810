package inspect

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"time"
)

// A terminator ends clients' TLS. trusted is one configuration for all connections,
// so that clients can resume sessions; distrusted is for origins whose certificate
// is bad, without tickets, since a resumed session would show no certificate.
type terminator struct{ trusted, distrusted *tls.Config }

// earlyData is the number of the extension by which a client says that it sends early
// data (RFC 8446 §4.2.10). Only the origin can have let it, before its TLS was
// terminated here. crypto/tls fails with such a client every time; answered in TLS 1.2
// it retries without (RFC 8446 §D.3), as Chromium and Firefox do.
const earlyData = 42

type certificateKey struct{}

func newTerminator() *terminator {
	trusted := &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			return hello.Context().Value(certificateKey{}).(*tls.Certificate), nil
		},
	}
	distrusted := trusted.Clone()
	distrusted.SessionTicketsDisabled = true
	older := distrusted.Clone()
	older.MaxVersion = tls.VersionTLS12
	forEarlyData := func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if slices.Contains(hello.Extensions, earlyData) {
			return older, nil
		}
		return nil, nil
	}
	trusted.GetConfigForClient, distrusted.GetConfigForClient = forEarlyData, forEarlyData
	return &terminator{trusted, distrusted}
}

// Terminate ends the TLS of the client on conn as host, and offers it HTTP/2 and
// HTTP/1.1. If fault is not "", the client gets a certificate that it will refuse, and
// that says fault. ctx bounds the handshake. conn is closed on an error.
func (a *Authority) Terminate(ctx context.Context, conn net.Conn, host, fault string) (*tls.Conn, error) {
	config, certify := a.terminator.trusted, a.Leaf
	if fault != "" {
		config = a.terminator.distrusted
		certify = func(host string) (*tls.Certificate, error) { return distrusted(host, fault) }
	}
	certificate, err := certify(host)
	if err != nil {
		conn.Close()
		return nil, err
	}
	tc := tls.Server(conn, config)
	if err := tc.HandshakeContext(context.WithValue(ctx, certificateKey{}, certificate)); err != nil {
		letRead(conn)
		conn.Close()
		return nil, err
	}
	return tc, nil
}

// letRead reads on for a moment what a client has sent by now, such as early data: bytes
// that are left unread would reset the connection, and take the answer with them.
func letRead(conn net.Conn) {
	conn.SetReadDeadline(time.Now().Add(time.Second))
	io.CopyN(io.Discard, conn, 64<<10)
}

// RefusedCertificate reports whether err, of a handshake or a read, is the
// client's word that it does not accept our certificate (RFC 8446 §6.2).
func RefusedCertificate(err error) bool {
	alert, _ := Alert(err)
	return alert >= 42 && alert <= 46 || alert == 48
}

// RefusedHello reports whether err is the client's word that its encrypted hello was not
// read (RFC 9849 §5).
func RefusedHello(err error) bool {
	alert, _ := Alert(err)
	return alert == 121
}

// Alert returns the alert by which a TLS peer ended the connection, if that is what err
// says. crypto/tls exports no type for these.
func Alert(err error) (tls.AlertError, bool) {
	op, ok := errors.AsType[*net.OpError](err)
	if !ok || op.Op != "remote error" || op.Err == nil {
		return 0, false
	}
	text := op.Err.Error()
	for alert := range tls.AlertError(122) {
		if alert.Error() == text {
			return alert, true
		}
	}
	return 0, false
}
