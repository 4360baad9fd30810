package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"guise/proxy/gate"
	"guise/proxy/inspect"
	"guise/proxy/telemetry"
)

// helloOf returns a client's hello, for sending it by hand.
func helloOf(t *testing.T) []byte {
	t.Helper()
	var hello bytes.Buffer
	client, server := net.Pipe()
	client.SetDeadline(time.Now().Add(patience))
	defer client.Close()
	go func() {
		tls.Client(server, &tls.Config{ServerName: "proxy.example"}).Handshake()
		server.Close()
	}()
	head := make([]byte, 5) // RFC 8446 §5.1
	if _, err := io.ReadFull(client, head); err != nil {
		t.Fatal(err)
	}
	hello.Write(head)
	if _, err := io.CopyN(&hello, client, int64(head[3])<<8|int64(head[4])); err != nil {
		t.Fatal(err)
	}
	return hello.Bytes()
}

func handshakeWith(address string, pool *x509.CertPool) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	dialer := tls.Dialer{Config: &tls.Config{RootCAs: pool, ServerName: "proxy.example"}}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err == nil {
		conn.Close()
	}
	return err
}

// TestHandshakesTakePartOfTheProcessors: while as many handshakes run as may,
// the next waits and those who are in do not; and who does not answer after
// its hello keeps nobody waiting.
func TestHandshakesTakePartOfTheProcessors(t *testing.T) {
	o := serveOrigin(t, answer(helloResponse))
	p, plain := newProxy(t, nil)
	config, _, pool := newTLS(t)
	address := serveAs(t, p, Listening{Protocol: HTTPS, TLS: config})

	hello := helloOf(t)
	for range 2 * cap(p.shaking) {
		silent := dial(t, address)
		if _, err := silent.Write(hello); err != nil {
			t.Fatal(err)
		}
		if _, err := silent.Read(make([]byte, 1)); err != nil {
			t.Fatalf("no answer to a hello: %v", err)
		}
	}
	if err := handshakeWith(address, pool); err != nil {
		t.Errorf("with clients that never finish: %v", err)
	}

	for range cap(p.shaking) {
		p.shaking <- struct{}{}
	}
	done := make(chan error, 1)
	go func() { done <- handshakeWith(address, pool) }()
	if resp, body := get(t, plain, "http://"+o.address+"/"); resp.StatusCode != http.StatusOK || body != "hello" {
		t.Errorf("a request meanwhile: %d %q", resp.StatusCode, body)
	}
	select {
	case err := <-done:
		t.Errorf("a handshake beyond those that may run: %v", err)
	default:
	}
	for range cap(p.shaking) {
		<-p.shaking
	}
	if err := <-done; err != nil {
		t.Errorf("when it is its turn: %v", err)
	}
}

// TestSecondHelloTakesATurnToo: a client whose key this side cannot use is
// asked for another, and what is costly comes after that.
func TestSecondHelloTakesATurnToo(t *testing.T) {
	p, _ := newProxy(t, nil)
	config, _, pool := newTLS(t)
	config = config.Clone()
	config.CurvePreferences = []tls.CurveID{tls.CurveP384} // no client sends a key for it unasked
	address := serveAs(t, p, Listening{Protocol: HTTPS, TLS: config})
	conn := &asked{Conn: dial(t, address), again: make(chan struct{}), goOn: make(chan struct{})}
	client := tls.Client(conn, &tls.Config{RootCAs: pool, ServerName: "proxy.example"})
	done := make(chan error, 1)
	go func() { done <- client.Handshake() }()
	select {
	case <-conn.again:
	case err := <-done:
		t.Fatalf("no second hello: %v", err)
	}
	for range cap(p.shaking) { // the first hello's turn is over
		p.shaking <- struct{}{}
	}
	close(conn.goOn)
	select {
	case err := <-done:
		t.Fatalf("the second hello takes no turn: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	for range cap(p.shaking) {
		<-p.shaking
	}
	if err := <-done; err != nil || !client.ConnectionState().HelloRetryRequest {
		t.Errorf("when it is its turn: %v", err)
	}
	if len(p.shaking) != 0 {
		t.Errorf("%d turns are not over", len(p.shaking))
	}
}

// An asked connection waits between the client's two hellos.
type asked struct {
	net.Conn
	writes      int
	again, goOn chan struct{}
}

func (a *asked) Write(b []byte) (int, error) {
	if a.writes++; a.writes == 2 {
		close(a.again)
		<-a.goOn
	}
	return a.Conn.Write(b)
}

// TestTooManyHandshakesAreRefusedUnheard: they are cut before this side has
// done anything, and counted as what they are.
func TestTooManyHandshakesAreRefusedUnheard(t *testing.T) {
	now := time.Now()
	metrics := telemetry.New()
	p, _ := newProxy(t, func(o *Options) {
		o.Gate.Client = gate.Limits{Requests: 1, Burst: 2}
		o.Gate.Now = func() time.Time { return now }
		o.Metrics = metrics
	})
	config, _, pool := newTLS(t)
	address := serveAs(t, p, Listening{Protocol: HTTPS, TLS: config})
	for range 2 {
		if err := handshakeWith(address, pool); err != nil {
			t.Fatal(err)
		}
	}
	cut := make(chan error, 3)
	for range 3 { // two of them wait for their turn
		conn, err := net.DialTimeout("tcp", address, patience)
		if errors.Is(err, syscall.ECONNRESET) {
			cut <- err // before the dial was over
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		conn.SetDeadline(time.Now().Add(patience))
		go func() {
			_, err := conn.Read(make([]byte, 1))
			cut <- err
		}()
	}
	if err := <-cut; err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("one that says nothing gets %v", err)
	}
	if got := metricsText(t, metrics); !strings.Contains(got, `guise_refused_total{reason="handshakes"} 1`) {
		t.Errorf("the metrics say nothing of it:\n%s", got)
	}
}

// TestWhoPassesOverCertificatesIsToldYet: a program that takes any certificate gets to
// hear whose is at fault, and its request goes nowhere.
func TestWhoPassesOverCertificatesIsToldYet(t *testing.T) {
	o := serveSecure(t, func(http.ResponseWriter, *http.Request) {}, nil, "h2", "http/1.1")
	proxy := serveProxy(t, func(o *Options) {
		inspecting(inspect.Always)(o)
		o.Inspection.Roots = trusting(pastAuthority()) // and nobody who vouches for the origin
	})
	c := visitor(t, proxy, trusting(testAuthority()), false)
	if _, _, err := read(c, "https://"+o.address+"/"); err == nil {
		t.Error("whoever looks at certificates sees no fault")
	}
	c.Transport.(*http.Transport).TLSClientConfig.InsecureSkipVerify = true
	resp, body, err := read(c, "https://"+o.address+"/")
	if err != nil || resp.StatusCode != http.StatusBadGateway || !strings.Contains(body, "unknown issuer") {
		t.Errorf("%v %q %v", resp, body, err)
	}
	if n := len(o.saw()); n > 0 {
		t.Errorf("the origin saw %d requests", n)
	}
}
