package pipe

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A link is a connection of which both ends are here.
type link struct{ near, far net.Conn }

func connect(t *testing.T) link {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	far, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	near, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	near.SetDeadline(time.Now().Add(20 * time.Second))
	return link{near, far}
}

// once calls move with the descriptor of the near end until that need not wait.
func (l link) once(t *testing.T, writes bool, move func(fd uintptr) error) (err error) {
	t.Helper()
	raw, e := l.near.(*net.TCPConn).SyscallConn()
	if e != nil {
		t.Fatal(e)
	}
	wait := raw.Read
	if writes {
		wait = raw.Write
	}
	if e := wait(func(fd uintptr) bool { err = move(fd); return err != unix.EAGAIN }); e != nil {
		t.Fatal(e)
	}
	return err
}

// TestPipeCarries what is more than a socket has room for, to its end.
func TestPipeCarries(t *testing.T) {
	from, to := connect(t), connect(t)
	want := strings.Repeat("a few bytes, ", 1<<20)
	go func() {
		io.WriteString(from.far, want)
		from.far.Close()
	}()
	got := make(chan string)
	go func() {
		all, _ := io.ReadAll(to.far)
		got <- string(all)
	}()
	p := Get()
	if p == nil {
		t.Fatal("no pipe")
	}
	defer p.Release()
	drained := 0
	for {
		err := from.once(t, false, func(fd uintptr) error {
			n, err := p.Fill(fd, Size)
			if n != p.Len() {
				t.Errorf("%d bytes came, and %d are there", n, p.Len())
			}
			return err
		})
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := to.once(t, true, func(fd uintptr) error {
			n, err := p.Drain(fd)
			drained += n
			return err
		}); err != nil || p.Len() != 0 {
			t.Fatal(p.Len(), err)
		}
	}
	if drained != len(want) {
		t.Errorf("%d bytes are said to have gone, of %d", drained, len(want))
	}
	to.near.Close()
	if all := <-got; all != want {
		t.Errorf("%d bytes of %d arrived, or others", len(all), len(want))
	}
}

// A pipe with bytes left in it is never lent again: they would reach another client.
func TestPipesComeBackEmpty(t *testing.T) {
	Keep()
	defer Forget()
	for _, left := range []string{"", "bytes"} {
		from := connect(t)
		p := Get()
		if p == nil {
			t.Fatal("no pipe")
		}
		if left != "" {
			io.WriteString(from.far, left)
			if err := from.once(t, false, func(fd uintptr) error { _, err := p.Fill(fd, Size); return err }); err != nil {
				t.Fatal(err)
			}
		}
		p.Release()
		next := Get()
		if kept := next == p; kept != (left == "") {
			t.Errorf("with %q in it, it is lent again: %v", left, kept)
		}
		if n, err := syscall.Read(next.read, make([]byte, 1)); n > 0 || err != syscall.EAGAIN {
			t.Errorf("after %q was left in it, a pipe gives %d bytes, %v", left, n, err)
		}
		next.Release()
	}
}

// TestPipesAreBounded, and leave no descriptor behind.
func TestPipesAreBounded(t *testing.T) {
	descriptors := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip(err)
		}
		return len(entries)
	}
	before := descriptors()
	Keep()
	var all []*Pipe
	for p := Get(); p != nil && len(all) <= maxInUse; p = Get() {
		all = append(all, p)
	}
	if len(all) > maxInUse {
		t.Errorf("more than %d pipes are lent", maxInUse)
	}
	for _, p := range all {
		p.Release()
	}
	for range 2 * maxInUse { // no pipe counts as lent that was given back
		p := Get()
		if p == nil {
			t.Fatal("no pipe, and none is lent")
		}
		p.Release()
	}
	Keep()
	Forget()
	if n := descriptors() - before; n == 0 || n > 2*maxSpare {
		t.Errorf("%d descriptors are kept", n)
	}
	Forget()
	if n := descriptors() - before; n != 0 {
		t.Errorf("%d descriptors are left", n)
	}
	Keep() // what was closed is not lent again
	defer Forget()
	p := Get()
	if p == nil {
		t.Fatal("no pipe")
	}
	defer p.Release()
	if n := descriptors() - before; n != 2 {
		t.Errorf("a pipe has %d descriptors", n)
	}
}

// TestPipesLeaveDescriptors to connections: many who read slowly take no more than an
// eighth of them for their pipes.
func TestPipesLeaveDescriptors(t *testing.T) {
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	const limit = 400
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: limit, Max: before.Max}); err != nil {
		t.Skip(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_NOFILE, &before)
	lent := 0
	for p := Get(); p != nil; p = Get() {
		defer p.Release()
		lent++
	}
	if lent == 0 || 2*lent > limit/8 {
		t.Errorf("of %d descriptors, %d pipes take %d", limit, lent, 2*lent)
	}
}

// TestUrgentDataIsNoEnd, nor does it hide what follows: that has to be read.
func TestUrgentDataIsNoEnd(t *testing.T) {
	from, to := connect(t), connect(t)
	urgent(t, from.far)
	io.WriteString(from.far, "behind")
	p := Get()
	if p == nil {
		t.Fatal("no pipe")
	}
	defer p.Release()
	fill := func() error {
		return from.once(t, false, func(fd uintptr) error { _, err := p.Fill(fd, Size); return err })
	}
	if err := fill(); err != nil || p.Len() != len("before") {
		t.Fatal(p.Len(), err)
	}
	if err := to.once(t, true, func(fd uintptr) error { _, err := p.Drain(fd); return err }); err != nil {
		t.Fatal(err)
	}
	if err := fill(); err != errors.ErrUnsupported {
		t.Errorf("behind urgent data: %v", err)
	}
	from.far.Close()
	end := func(fd uintptr) error {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		if n, _ := unix.Poll(poll, 0); n == 0 {
			return unix.EAGAIN
		}
		return nil
	}
	if err := from.once(t, false, end); err != nil {
		t.Fatal(err)
	}
	if err := fill(); err != errors.ErrUnsupported {
		t.Errorf("behind urgent data, with the end there: %v", err)
	}
	if rest, err := io.ReadAll(from.near); string(rest) != "behind" || err != nil {
		t.Errorf("read %q, %v", rest, err)
	}
	if err := fill(); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
}

// urgent sends some bytes, and an urgent one after them.
func urgent(t *testing.T, conn net.Conn) {
	t.Helper()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) { err = unix.Sendto(int(fd), []byte("before!"), unix.MSG_OOB, nil) })
	if err != nil {
		t.Fatal(err)
	}
}
