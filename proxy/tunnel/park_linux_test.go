package tunnel

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestParkedTunnelsGoOn: a tunnel that lost its goroutines carries the next
// byte, an end and a reset as before, and is cut as before.
func TestParkedTunnelsGoOn(t *testing.T) {
	parkedNow := func(n int) bool {
		lots.mu.Lock()
		l := lots.lot
		lots.mu.Unlock()
		if l == nil {
			return n == 0
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.slots)-len(l.free) == n
	}
	await := func(t *testing.T, n int) {
		t.Helper()
		eventually(t, func() bool { return parkedNow(n) }, func() { t.Errorf("not %d streams are parked", n) })
	}
	parkedTunnel := func(t *testing.T, o Options) *running {
		t.Helper()
		r := start(t, kinds[0], kinds[0], o)
		for range 2 { // from the start, and again
			await(t, 2)
			send(t, r.client, "ping")
			receive(t, r.origin, "ping")
			send(t, r.origin, "pong")
			receive(t, r.client, "pong")
		}
		await(t, 2)
		return r
	}
	t.Run("ends", func(t *testing.T) {
		r := parkedTunnel(t, Options{})
		closeWrite(t, r.client)
		receiveEnd(t, r.origin)
		await(t, 1)
		send(t, r.origin, "late")
		receive(t, r.client, "late")
		closeWrite(t, r.origin)
		receiveEnd(t, r.client)
		if err := r.wait(t); err != nil || r.bytes != (Bytes{8, 12}) {
			t.Errorf("the tunnel carried %+v, %v", r.bytes, err)
		}
	})
	t.Run("reset", func(t *testing.T) {
		r := parkedTunnel(t, Options{})
		abort(r.origin)
		if _, err := r.client.Read(make([]byte, 1)); err == nil || err == io.EOF {
			t.Errorf("the client sees %v", err)
		}
		if r.wait(t) == nil {
			t.Error("a reset passes for an end")
		}
	})
	t.Run("idle", func(t *testing.T) {
		r := start(t, kinds[0], kinds[0], Options{Idle: 2 * parkAfter})
		send(t, r.client, "ping")
		receive(t, r.origin, "ping")
		if err := r.wait(t); err != ErrIdle {
			t.Error(err)
		}
	})
	t.Run("paced", func(t *testing.T) {
		paced := 0
		pace := func(context.Context, int) error { paced++; return nil }
		r := parkedTunnel(t, Options{Up: pace})
		closeWrite(t, r.client)
		closeWrite(t, r.origin)
		if err := r.wait(t); err != nil || paced != 2 {
			t.Errorf("%v after %d pieces", err, paced)
		}
	})
	full := 0 // what is on its way to an origin that takes nothing yet
	tight := kind{"tight", func(t testing.TB) (near, far net.Conn) {
		near, far = tcpPair(t)
		near.(*net.TCPConn).SetReadBuffer(smallBuffer)
		far.(*net.TCPConn).SetWriteBuffer(smallBuffer)
		to, _ := descriptor(far)
		var err error
		for full = 0; err == nil; {
			var n int
			n, err = writeOnce(to, make([]byte, largeBuffer))
			full += n
		}
		return near, far
	}}
	message := strings.Repeat("0123456789abcdef", 3000) // and the tunnel's goroutine never gets all of it off
	later := func(t *testing.T, r *running) {
		t.Helper()
		await(t, 1)
		send(t, r.origin, "ping") // the other direction goes on
		receive(t, r.client, "ping")
		io.CopyN(io.Discard, r.origin, int64(full))
		receive(t, r.origin, message)
		await(t, 2)
		send(t, r.client, "pong")
		receive(t, r.origin, "pong")
	}
	t.Run("full", func(t *testing.T) {
		r := start(t, kinds[0], tight, Options{})
		await(t, 2)
		send(t, r.client, message)
		later(t, r)
	})
	t.Run("full from the start", func(t *testing.T) {
		later(t, start(t, kinds[0], tight, Options{FromClient: []byte(message)}))
	})
	t.Run("urgent", func(t *testing.T) {
		r := parkedTunnel(t, Options{})
		raw, err := r.client.(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		send(t, r.client, "before ")
		raw.Control(func(fd uintptr) { err = unix.Sendto(int(fd), []byte("!"), unix.MSG_OOB, nil) })
		if err != nil {
			t.Fatal(err)
		}
		send(t, r.client, "after")
		receive(t, r.origin, "before after") // what is out of band goes nowhere, and nothing waits behind it
	})
	await(t, 0)
}

// TestLotThatNobodyAttendsIsNone: where the runtime cannot wait for the lot's descriptor, as
// where a user has too many of such waits, streams keep their goroutines.
func TestLotThatNobodyAttendsIsNone(t *testing.T) {
	fd, err := unix.Open(t.TempDir(), unix.O_RDONLY|unix.O_CLOEXEC, 0) // epoll_ctl(2) takes no folder
	if err != nil {
		t.Fatal(err)
	}
	if l := newLot(fd); l != nil {
		l.close()
		t.Error("there is a lot")
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != unix.EBADF {
		t.Errorf("its descriptor: %v, want it closed", err)
	}
}
