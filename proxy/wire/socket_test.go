package wire

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"
)

// Pieces arrive whole and in order, however little the kernel takes at a time.
func TestSocketWritesAllPieces(t *testing.T) {
	here, there := tcpPair(t)
	here.SetWriteBuffer(4 << 10)
	s := newSocket(here)
	r := rand.New(rand.NewPCG(1, 2))
	var want []byte
	var all [][][]byte
	for range 50 {
		pieces := make([][]byte, r.IntN(8))
		for i := range pieces {
			piece := make([]byte, []int{0, 1, 700, 60_000}[r.IntN(4)])
			for j := range piece {
				piece[j] = byte(r.Uint32())
			}
			pieces[i] = piece
			want = append(want, piece...)
		}
		all = append(all, pieces)
	}
	done := make(chan error, 1)
	go func() {
		for _, pieces := range all {
			n := 0
			for _, p := range pieces {
				n += len(p)
			}
			if put, err := s.writePieces(slices.Clone(pieces)); err != nil || put != int64(n) {
				done <- errors.Join(err, errors.New("wrote another number of bytes"))
				return
			}
		}
		done <- here.CloseWrite()
	}()
	got, err := io.ReadAll(littleByLittle{newSocket(there)})
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("read %d bytes, %v; want the %d that were written", len(got), err, len(want))
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// littleByLittle reads little at a time.
type littleByLittle struct{ r io.Reader }

func (s littleByLittle) Read(p []byte) (int, error) { return s.r.Read(p[:min(len(p), 1000)]) }

// Waiting ends with net's deadlines, closing and resets with net's errors.
func TestSocketWaitsAsNetDoes(t *testing.T) {
	here, there := tcpPair(t)
	s := newSocket(here)
	here.SetDeadline(time.Now().Add(-time.Second))
	if _, err := s.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read past the deadline: %v", err)
	}
	if _, err := s.Write(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("write past the deadline: %v", err)
	}
	here.SetDeadline(time.Time{})
	failed := make(chan error)
	go func() {
		_, err := s.Read(make([]byte, 1))
		failed <- err
	}()
	here.SetReadDeadline(longAgo)
	if err := <-failed; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("waiting read: %v", err)
	}
	here.SetReadDeadline(time.Time{})
	there.SetLinger(0)
	there.Close()
	if _, err := s.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read after a reset: %v", err)
	}
	if _, err := s.Write(make([]byte, 1)); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("write after a reset: %v", err)
	}
	here.Close()
	if _, err := s.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("read after closing: %v", err)
	}
	if _, err := s.Write(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write after closing: %v", err)
	}
}

// What is at hand is had without waiting.
func TestSocketAtHand(t *testing.T) {
	here, there := tcpPair(t)
	s := newSocket(here)
	buf := make([]byte, 10)
	if n := s.atHand(buf); n != 0 {
		t.Errorf("%d bytes out of nothing", n)
	}
	io.WriteString(there, "ab")
	there.CloseWrite()
	if n, err := s.Read(buf[:1]); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if n := s.atHand(buf); n != 1 || buf[0] != 'b' {
		t.Errorf("%d bytes, %q; want the b that is left", n, buf[:n])
	}
	if n := s.atHand(buf); n != 0 {
		t.Errorf("%d bytes after the end", n)
	}
	if n, err := s.Read(buf); n != 0 || err != io.EOF {
		t.Errorf("read at the end: %d, %v", n, err)
	}
	if n := (*socket)(nil).atHand(buf); n != 0 {
		t.Errorf("no socket has %d bytes", n)
	}
}

// tcpPair returns the two ends of a connection.
func tcpPair(t *testing.T) (a, b *net.TCPConn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	d, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); d.Close() })
	return c.(*net.TCPConn), d.(*net.TCPConn)
}

// What came before a question is not waited for: an origin that spoke first, or
// closed, may have nothing to add. A kept connection is asked nothing then.
func TestAskingSeesWhatCameBefore(t *testing.T) {
	for name, before := range map[string]func(there *net.TCPConn) error{
		"bytes": func(there *net.TCPConn) error { _, err := there.Write([]byte("!")); return err },
		"end":   (*net.TCPConn).CloseWrite,
	} {
		for _, kept := range []bool{false, true} {
			here, there := tcpPair(t)
			s := newSocket(here)
			here.SetDeadline(time.Now().Add(10 * time.Second))
			if err := before(there); err != nil {
				t.Fatal(err)
			}
			s.raw.Read(func(fd uintptr) bool { return !asleep(fd) })
			n, err := s.ask([]byte("question"), kept)
			if kept && (n != 0 || err != errStale) || !kept && (n != len("question") || err != nil) {
				t.Errorf("%s, kept %v: wrote %d bytes, %v", name, kept, n, err)
			}
		}
	}
}

func TestAskingWaitsForTheAnswer(t *testing.T) {
	here, there := tcpPair(t)
	s := newSocket(here)
	go io.Copy(there, io.LimitReader(there, 8))
	for range 2 {
		if n, err := s.ask([]byte("echo"), true); n != 4 || err != nil {
			t.Fatalf("wrote %d bytes, %v", n, err)
		}
		var got [8]byte
		if n := s.atHand(got[:]); string(got[:n]) != "echo" {
			t.Errorf("%q was there after the wait", got[:n])
		}
	}
	here.SetReadDeadline(longAgo)
	if n, err := s.ask([]byte("late"), true); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("past the deadline: wrote %d bytes, %v", n, err)
	}
}

// What the other side does not take at once is the caller's to write.
func TestAskingWritesNoMoreThanIsTaken(t *testing.T) {
	here, _ := tcpPair(t)
	if n, err := newSocket(here).ask(make([]byte, 64<<20), true); n == 0 || n == 64<<20 || err != nil {
		t.Errorf("wrote %d bytes, %v", n, err)
	}
}
