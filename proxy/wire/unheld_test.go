package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// TestHTTP2WantsAdequateTLS (RFC 9113 §9.2.2): the suites of TLS 1.2 that are barred
// there are refused, whatever the client has agreed on.
func TestHTTP2WantsAdequateTLS(t *testing.T) {
	made := httptest.NewUnstartedServer(nil)
	made.StartTLS()
	certificates, roots := made.TLS.Certificates, made.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	made.Close()
	for suite, adequate := range map[uint16]bool{
		tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: true,
		tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA:    false,
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		config := &tls.Config{Certificates: certificates, NextProtos: []string{"h2"}, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite}}
		s := &Server{HTTP2: true, Handler: http.NotFoundHandler()}
		serveOn(t, tls.NewListener(l, config), s)
		conn, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{RootCAs: roots, ServerName: "example.com", NextProtos: []string{"h2"}, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite}})
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, http2Preface+"\x00\x00\x00\x04\x00\x00\x00\x00\x00")
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		if n, _ := conn.Read(make([]byte, 9)); (n > 0) != adequate {
			t.Errorf("%s: %d octets came", tls.CipherSuiteName(suite), n)
		}
		conn.Close()
	}
}

// An opening is a connection that opens to itself, or not at all.
type opening struct {
	net.Conn
	left *atomic.Int32
	err  error
}

func (o opening) Open(context.Context) (Opened, error) {
	return Opened{Conn: o.Conn, Leave: func() { o.left.Add(1) }}, o.err
}

type openings struct {
	net.Listener
	left *atomic.Int32
	err  error
}

func (l openings) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return opening{conn, l.left, l.err}, nil
}

// TestWhoAdmitsWhenOpeningIsToldOfTheEnd, once, whether it opens or not.
func TestWhoAdmitsWhenOpeningIsToldOfTheEnd(t *testing.T) {
	for _, fails := range []error{nil, errors.New("no")} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		var left atomic.Int32
		s := &Server{Handler: http.NotFoundHandler()}
		serveOn(t, openings{l, &left, fails}, s)
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		io.Copy(io.Discard, conn)
		conn.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		if err := s.Shutdown(ctx); err != nil { // after it no connection is left
			t.Error(err)
		}
		cancel()
		if n := left.Load(); n != 1 {
			t.Errorf("opening fails with %v: told %d times", fails, n)
		}
	}
}
