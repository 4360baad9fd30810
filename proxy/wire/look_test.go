package wire

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
)

// connected returns both ends of a TCP connection.
func connected(t *testing.T) (near, far net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if far, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if near, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

// TestWhatIsThereAtTheEndOfTheTimeCameInTime: a process that stood still finds its time
// over, and beside it what came meanwhile. Nothing comes in time after that, nor where the
// reading was ended on purpose.
func TestWhatIsThereAtTheEndOfTheTimeCameInTime(t *testing.T) {
	if !canCall {
		t.Skip("no system calls of our own here")
	}
	buf := make([]byte, 10)
	read := func(name string, r io.Reader, want string) {
		t.Helper()
		n, err := r.Read(buf)
		if got := string(buf[:n]); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
	}

	near, far := connected(t)
	o := &originConn{nc: near, readSlow: ErrResponseTimeout}
	o.rw, o.plain = quickest(near)
	o.readTill = longAgo
	near.SetReadDeadline(longAgo)
	read("nothing from an origin", o, "")
	io.WriteString(far, "late")
	read("after the last look at an origin", o, "")
	o.looked = o.readTill.AddDate(-1, 0, 0)
	read("an origin", o, "late")
	io.WriteString(far, "later")
	o.looked = o.readTill.AddDate(-1, 0, 0)
	o.cancel(errors.New("cancelled"))
	read("an exchange that was cancelled", o, "")

	near, far = connected(t)
	c := newConn(&Server{}, near)
	c.rw, c.sock = quickest(near)
	near.SetReadDeadline(longAgo)
	io.WriteString(far, "head")
	read("a head", c, "")
	c.perRead = true
	read("a body", c, "head")
	if _, err := c.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("nothing more of a body: %v", err)
	}
	io.WriteString(far, "more")
	c.interrupt()
	read("a body that nobody wants", c, "")
}
