//go:build linux

package wire

import (
	"net"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// The runtime interrupts threads by signals all the time. One that comes while a
// connection is looked at must not cost the connection.
func TestSignalsAreNotTakenForTheOriginsEnd(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
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
