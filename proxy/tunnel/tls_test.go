package tunnel

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"
)

var certificate = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})

// tlsPair returns the two ends of a TLS connection over loopback.
func tlsPair(t testing.TB) (near, far net.Conn) {
	t.Helper()
	a, b := tcpPair(t)
	client := tls.Client(&belowTLS{Conn: a}, &tls.Config{InsecureSkipVerify: true})
	server := tls.Server(&belowTLS{Conn: b}, &tls.Config{Certificates: []tls.Certificate{certificate()}})
	failed := make(chan error, 1)
	go func() { failed <- server.Handshake() }()
	if err := client.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	return client, server
}

// A belowTLS notes whether the bytes below TLS have ended.
type belowTLS struct {
	net.Conn
	ended bool
}

func (c *belowTLS) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.ended = c.ended || err == io.EOF
	return n, err
}

func (c *belowTLS) NetConn() net.Conn { return c.Conn }

func (c *belowTLS) Ended() bool { return c.ended }

// TestTLSThatIsCutIsNotEnded: where TLS ends on one side without a close_notify, there is
// none on the other side, and no byte is lost.
func TestTLSThatIsCutIsNotEnded(t *testing.T) {
	overTLS := kind{"tls", tlsPair}
	sent := bytes.Repeat([]byte("half of it"), 100<<10)
	for _, cut := range []bool{false, true} {
		for _, originFirst := range []bool{false, true} {
			r := start(t, overTLS, overTLS, Options{})
			first, second := r.client.(*tls.Conn), r.origin.(*tls.Conn)
			if originFirst {
				first, second = second, first
			}
			go func() {
				first.Write(sent)
				if cut {
					innermost(first).(*net.TCPConn).CloseWrite()
				} else {
					first.CloseWrite()
				}
			}()
			if got, err := io.ReadAll(second); err != nil || !bytes.Equal(got, sent) {
				t.Errorf("cut %t, originFirst %t: received %d octets, %v", cut, originFirst, len(got), err)
			}
			if ended := second.NetConn().(*belowTLS).ended; ended != cut {
				t.Errorf("cut %t, originFirst %t: the other side is told of an end: %t", cut, originFirst, !ended)
			}
			send(t, second, "answer")
			receive(t, first, "answer")
			closeWrite(t, second)
			receiveEnd(t, first)
			if err := r.wait(t); errors.Is(err, io.ErrUnexpectedEOF) != cut {
				t.Errorf("cut %t, originFirst %t: it ended with %v", cut, originFirst, err)
			}
		}
	}
	plain := start(t, kinds[0], overTLS, Options{}) // which has another end alone, a reset, that would cost bytes
	go func() {
		plain.origin.Write(sent)
		innermost(plain.origin).(*net.TCPConn).CloseWrite()
	}()
	if got, err := io.ReadAll(plain.client); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("without TLS: received %d octets, %v", len(got), err)
	}
}
