package tunnel

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// descriptors counts the process's open descriptors.
func descriptors(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip(err)
	}
	return len(entries)
}

// An idle tunnel holds the descriptors of its two connections and no other,
// before and after bytes went through, and all come back when it ends.
func TestIdleTunnelHoldsTwoDescriptors(t *testing.T) {
	const tunnels, spare = 500, 2 * 16 // of pipes
	before := descriptors(t)
	var all []*running
	for range tunnels {
		all = append(all, start(t, kinds[0], kinds[0], Options{Idle: time.Minute}))
	}
	// Four descriptors a tunnel are its connections, seen from both ends.
	idle := func(when string) {
		t.Helper()
		eventually(t, func() bool { return descriptors(t)-before <= 4*tunnels+spare }, func() {
			t.Errorf("%s, %d tunnels hold %d descriptors at both ends", when, tunnels, descriptors(t)-before)
		})
	}
	idle("before any byte")
	for _, r := range all {
		send(t, r.client, "ping")
		send(t, r.origin, "pong")
	}
	for _, r := range all {
		receive(t, r.origin, "ping")
		receive(t, r.client, "pong")
	}
	idle("after some bytes")
	for _, r := range all {
		r.client.Close()
		r.origin.Close()
	}
	for _, r := range all {
		r.wait(t)
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors are left, there were %d", after, before)
	}
}

// eventually waits for ok, and calls failed if it does not come.
func eventually(t testing.TB, ok func() bool, failed func()) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); runtime.Gosched() {
		if time.Now().After(deadline) {
			failed()
			return
		}
	}
}

// An idle tunnel's memory is its connections and little else, also while it waits for
// what it has to begin with.
func TestIdleTunnelTakesLittleMemory(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector's own memory counts")
	}
	const tunnels = 400
	memory := func() uint64 {
		debug.FreeOSMemory()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	for _, opening := range []*Opening{nil, greets(len("ping"))} {
		before := memory()
		var all []*running
		for range tunnels {
			all = append(all, start(t, kinds[0], kinds[0], Options{Idle: time.Minute, Opening: opening}))
		}
		for _, r := range all {
			from, to := r.client, r.origin
			if opening != nil {
				from, to = to, from
			}
			send(t, from, "ping")
			receive(t, to, "ping")
		}
		per := int64(memory()-before) / tunnels
		t.Logf("%d octets a tunnel, the test's own ends included", per)
		if per > 12<<10 {
			t.Errorf("an idle tunnel takes %d octets, want at most 12 KiB", per)
		}
		runtime.KeepAlive(all)
	}
}

// Without descriptors for a pipe, a bulk transfer still goes on, to its end.
func TestWithoutPipesBytesStillFlow(t *testing.T) {
	r := start(t, kinds[0], kinds[0], Options{Idle: time.Minute})
	send(t, r.client, "ping")
	receive(t, r.origin, "ping")

	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	none := syscall.Rlimit{Cur: 0, Max: limit.Max}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none); err != nil {
		t.Skip(err)
	}
	bulk := strings.Repeat("more", bulkAfter)
	var sent sync.WaitGroup
	for _, way := range []struct{ from, to net.Conn }{{r.client, r.origin}, {r.origin, r.client}} {
		sent.Go(func() {
			send(t, way.from, bulk)
			closeWrite(t, way.from)
		})
		receive(t, way.to, bulk)
		receiveEnd(t, way.to)
	}
	sent.Wait()
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if err := r.wait(t); err != nil || r.bytes != (Bytes{int64(len("ping") + len(bulk)), int64(len(bulk))}) {
		t.Errorf("the tunnel carried %+v, %v", r.bytes, err)
	}
}

func BenchmarkTunnel(b *testing.B) {
	for _, c := range []struct {
		name string
		kind kind
	}{{"spliced", kinds[0]}, {"copied", kinds[2]}} {
		b.Run(c.name, func(b *testing.B) {
			r := start(b, kinds[0], c.kind, Options{Idle: time.Minute})
			go io.Copy(io.Discard, r.origin)
			block := make([]byte, 1<<20)
			b.SetBytes(int64(len(block)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.client.Write(block); err != nil {
					b.Fatal(err)
				}
				r.client.SetDeadline(time.Now().Add(20 * time.Second))
			}
		})
	}
}

// TestResetThatAWriteMeetsIsNoEnd: systems tell of a reset once. Where the bytes that the
// other side sends meet it first, what comes next looks like an end.
func TestResetThatAWriteMeetsIsNoEnd(t *testing.T) {
	for _, origin := range kinds[:2] {
		t.Run(origin.name, func(t *testing.T) { resetThatAWriteMeets(t, origin) })
	}
}

func resetThatAWriteMeets(t *testing.T, origin kind) {
	for range 50 {
		r := start(t, kinds[0], origin, Options{Idle: time.Minute})
		send(t, r.origin, "part")
		receive(t, r.client, "part")
		go func() {
			io.CopyN(io.Discard, r.origin, 1<<20)
			abort(r.origin)
		}()
		var err error
		for err == nil {
			_, err = r.client.Write(make([]byte, 32<<10))
		}
		if !errors.Is(err, syscall.ECONNRESET) { // EPIPE says that an end came first
			t.Fatalf("the client's write fails with %v, want a reset", err)
		}
		if err := r.wait(t); !errors.Is(err, syscall.ECONNRESET) && (origin.name != "tls" || !errors.Is(err, syscall.EPIPE)) { // a write over TLS may come between a read that meets the reset and what it says of it
			t.Fatalf("the tunnel ends with %v, want a reset", err)
		}
	}
}

// TestTimeoutThatAWriteMeetsIsNoEnd: systems tell once, too, that the other side takes
// nothing more and was given up.
func TestTimeoutThatAWriteMeetsIsNoEnd(t *testing.T) {
	for range 3 {
		r := start(t, kinds[0], kind{"impatient", impatientPair}, Options{Idle: time.Minute})
		send(t, r.origin, "part")
		receive(t, r.client, "part")
		var err error
		for err == nil {
			_, err = r.client.Write(make([]byte, 32<<10))
		}
		if !errors.Is(err, syscall.ECONNRESET) { // EPIPE says that an end came first
			t.Errorf("the client's write fails with %v, want a reset", err)
		}
		if r.wait(t) == nil {
			t.Error("the tunnel ends as if it were whole")
		}
	}
}

// impatientPair is a tcpPair whose far end soon gives up a near one that takes nothing.
func impatientPair(t testing.TB) (near, far net.Conn) {
	near, far = tcpPair(t)
	raw, err := far.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 1) })
	if err != nil {
		t.Fatal(err)
	}
	return near, far
}

// TestUrgentDataEndsNoBulk: who writes it goes on after it.
func TestUrgentDataEndsNoBulk(t *testing.T) {
	before, behind := strings.Repeat("before ", 1<<20), strings.Repeat("behind ", 1<<18)
	for range 5 {
		r := start(t, kinds[0], kinds[0], Options{Idle: time.Minute})
		go func() {
			send(t, r.origin, before)
			raw, err := r.origin.(*net.TCPConn).SyscallConn()
			if err != nil {
				t.Error(err)
				return
			}
			raw.Write(func(fd uintptr) bool {
				err = unix.Sendto(int(fd), []byte("!"), unix.MSG_OOB, nil)
				return err != unix.EAGAIN
			})
			if err != nil {
				t.Error(err)
			}
			send(t, r.origin, behind)
			closeWrite(t, r.origin)
		}()
		if got, err := io.ReadAll(r.client); string(got) != before+behind || err != nil {
			t.Fatalf("%d bytes of %d came, or others; %v", len(got), len(before+behind), err)
		}
		closeWrite(t, r.client)
		if err := r.wait(t); err != nil {
			t.Error(err)
		}
	}
}
