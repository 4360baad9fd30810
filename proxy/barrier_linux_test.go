package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestBarredSourcesAreNotAccepted: for a while, and nobody else notices.
func TestBarredSourcesAreNotAccepted(t *testing.T) {
	needFilters(t)
	for _, c := range []struct{ what, at, source, other string }{
		{"IPv4", "127.0.0.1:0", "127.0.0.2", "127.0.0.3"},
		{"IPv4 to a listener of both", "[::]:0", "127.0.0.2", "127.0.0.3"},
		{"IPv6", "[::1]:0", "::1", ""}, // there is no other on this machine
	} {
		t.Run(c.what, func(t *testing.T) {
			var how net.ListenConfig
			how.SetMultipathTCP(false)
			l, err := how.Listen(context.Background(), "tcp", c.at)
			if err != nil {
				t.Skip(err)
			}
			defer l.Close()
			come := func(source string, patience time.Duration) error {
				at := netip.AddrPortFrom(netip.MustParseAddr(source), uint16(l.Addr().(*net.TCPAddr).Port))
				d := net.Dialer{LocalAddr: &net.TCPAddr{IP: at.Addr().AsSlice()}, Timeout: patience}
				conn, err := d.Dial("tcp", at.String())
				if err == nil {
					conn.Close()
				}
				return err
			}
			var b barrier
			release := b.guard(l)
			if err := come(c.source, patience); err != nil {
				t.Skip(err)
			}
			for _, source := range []string{c.source, c.source, "2001:db8::1", "192.0.2.1"} {
				if !b.bar(netip.MustParseAddr(source)) {
					t.Fatalf("%s cannot be barred", source)
				}
			}
			var late net.Error
			if err := come(c.source, 50*time.Millisecond); !errors.As(err, &late) || !late.Timeout() {
				t.Errorf("a barred source connects: %v", err)
			}
			if c.other != "" {
				if err := come(c.other, patience); err != nil {
					t.Errorf("another source: %v", err)
				}
			}
			b.mu.Lock()
			for source := range b.until {
				b.until[source] = time.Now()
			}
			b.mu.Unlock()
			b.lift()
			if err := come(c.source, patience); err != nil {
				t.Errorf("when its time is over: %v", err)
			}

			b.bar(netip.MustParseAddr(c.source))
			b.close()
			release()
			if err := come(c.source, patience); err != nil {
				t.Errorf("after the end: %v", err)
			}
			if b.bar(netip.MustParseAddr(c.source)) {
				t.Error("it is barred after the end")
			}
		})
	}
}

// TestManyBarredSources: as many as a filter may tell, and no more.
func TestManyBarredSources(t *testing.T) {
	needFilters(t)
	l := listen(t)
	var b barrier
	defer b.guard(l)()
	defer b.close()
	for _, network := range []string{"2001:db8::", "192.0.2.1"} {
		addr := netip.MustParseAddr(network)
		for i := range mostBarred + 1 {
			b4 := addr.AsSlice()
			b4[3] = byte(i)
			one, _ := netip.AddrFromSlice(b4)
			if ok := b.bar(one); ok != (i < mostBarred) {
				t.Fatalf("source %d of %s: %v", i, network, ok)
			}
		}
		b.mu.Lock()
		clear(b.until)
		b.mu.Unlock()
	}
}

// TestSourceIsBarredEverywhereOrNowhere: where one listener cannot be guarded,
// nobody lifts what stands before the others.
func TestSourceIsBarredEverywhereOrNowhere(t *testing.T) {
	var b barrier
	defer b.close()
	one, other := listen(t), listen(t)
	defer b.guard(one)()
	defer b.guard(other)()
	other.Close()
	if b.bar(netip.MustParseAddr("127.0.0.1")) {
		t.Error("it is barred from a listener that is closed")
	}
	conn, err := net.DialTimeout("tcp", one.Addr().String(), barredFor/2)
	if err != nil {
		t.Fatalf("it is barred from the other for good: %v", err)
	}
	conn.Close()
}

// TestNobodyIsBarredFromWhoeverHasTheListenersNext: that may be systemd, which
// starts the next guise when somebody comes.
func TestNobodyIsBarredFromWhoeverHasTheListenersNext(t *testing.T) {
	needFilters(t)
	for what, stop := range map[string]func(*Proxy) error{
		"Shutdown": func(p *Proxy) error { return p.Shutdown(t.Context()) },
		"Close":    (*Proxy).Close,
	} {
		p, _ := newProxy(t, nil)
		l := listen(t)
		kept, err := l.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		defer kept.Close()
		served := make(chan error, 1)
		go func() { served <- p.Serve(l) }()
		conn := dial(t, l.Addr().String())
		io.WriteString(conn, "GET / HTTP/1.1\r\n\r\n")
		io.ReadAll(conn) // so it is served
		if !p.barrier.bar(netip.MustParseAddr("127.0.0.1")) {
			t.Fatal("it cannot be barred")
		}
		if err := stop(p); err != nil {
			t.Error(err)
		}
		<-served
		next, err := net.DialTimeout("tcp", l.Addr().String(), barredFor/2)
		if err != nil {
			t.Errorf("after %s: %v", what, err)
			continue
		}
		next.Close()
	}
}

// needFilters skips t where the system keeps socket filters for the privileged:
// nobody is barred there.
func needFilters(t *testing.T) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	pass := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: wholly}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &pass}); errors.Is(err, unix.EPERM) {
		t.Skip("socket filters take a privilege here")
	}
}
