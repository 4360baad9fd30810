//go:build linux

package wire

import (
	"crypto/tls"
	"errors"
	"net/http/httptest"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The runtime interrupts threads by signals all the time. One that comes while a
// connection is looked at must not cost the connection.
func TestSignalsAreNotTakenForTheOriginsEnd(t *testing.T) {
	nc, _ := tcpPair(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	thread := unix.Gettid()
	started, stop, stopped := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		close(started)
		for {
			select {
			case <-stop:
				return
			default:
				unix.Tgkill(os.Getpid(), thread, unix.SIGURG)
			}
		}
	}()
	p := newProbe(nc, nil, nil)
	<-started
	for i := range 100_000 {
		if !p.quiet(true) {
			t.Errorf("look %d: not quiet", i)
			break
		}
	}
	close(stop)
	<-stopped
}

// TestLookingAtAConnectionWaitsForNoWrite: an origin can make the TLS library
// answer while a connection rests, and read none of it. The pool, and all who
// want a connection, must not wait for that.
func TestLookingAtAConnectionWaitsForNoWrite(t *testing.T) {
	nc, _ := tcpPair(t)
	sock := &tlsSocket{Conn: nc}
	sock.rw, _ = quickest(nc)
	p := newProbe(nc, tls.Client(sock, &tls.Config{InsecureSkipVerify: true}), sock)
	if !p.quiet(false) {
		t.Fatal("not quiet at first")
	}
	nc.SetWriteDeadline(time.Now().Add(10 * time.Second))
	sock.nowait = true
	if _, err := sock.Write(make([]byte, 64<<20)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("it waited: %v", err)
	}
	if p.quiet(false) {
		t.Error("a connection on which a part of a record was sent is used again")
	}
}

// TestClosingARestingConnectionWaitsForNoWrite: it happens in the middle of
// other clients' requests.
func TestClosingARestingConnectionWaitsForNoWrite(t *testing.T) {
	secure := httptest.NewTLSServer(nil) // for its certificate
	secure.Close()
	nc, origin := tcpPair(t) // which reads no more than the handshake
	go tls.Server(origin, &tls.Config{Certificates: secure.TLS.Certificates}).Handshake()
	sock := &tlsSocket{Conn: nc}
	sock.rw, _ = quickest(nc)
	tc := tls.Client(sock, &tls.Config{InsecureSkipVerify: true})
	if err := tc.Handshake(); err != nil {
		t.Fatal(err)
	}
	p := newProbe(nc, tc, sock)
	sock.nowait = true
	for n := 1; n > 0; { // all that it can take
		n, _ = sock.Write(make([]byte, 64<<20))
	}
	sock.nowait = false
	closed := make(chan struct{})
	go func() {
		(&originConn{nc: tc, sock: sock, probe: p}).closeIdle()
		close(closed)
	}()
	select {
	case <-closed:
	case <-time.After(2 * time.Second):
		t.Error("it waits")
		<-closed
	}
}
