package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"

	"guise/config"
	"guise/proxy"
)

// greet serves a listener with one word for each connection.
func greet(l net.Listener, _ proxy.Listening) error {
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		io.WriteString(c, "hello")
		c.Close()
	}
}

func greets(at netip.AddrPort) bool {
	c, err := net.Dial("tcp", at.String())
	if err != nil {
		return false
	}
	defer c.Close()
	got, _ := io.ReadAll(c)
	return string(got) == "hello"
}

func wanted(addresses ...string) []config.Listener {
	var want []config.Listener
	for _, a := range addresses {
		var l config.Listener
		l.Protocol = config.HTTP
		if err := l.Address.UnmarshalText([]byte(a)); err != nil {
			panic(err)
		}
		want = append(want, l)
	}
	return want
}

func accept() error { return nil }

func newTestListeners(t *testing.T) *listeners {
	ls := newListeners(greet, io.Discard)
	t.Cleanup(func() {
		if err := ls.change(nil, accept); err != nil {
			t.Error(err)
		}
		ls.wait()
		select {
		case err := <-ls.failed:
			t.Errorf("a listener that was closed on purpose failed: %v", err)
		default:
		}
	})
	return ls
}

func (ls *listeners) must(t *testing.T, want []config.Listener) {
	t.Helper()
	if err := ls.change(want, accept); err != nil {
		t.Fatal(err)
	}
	for _, at := range ls.addresses() {
		if !greets(at) {
			t.Fatalf("%s does not serve", at)
		}
	}
}

func TestUnchangedListenersStayOpen(t *testing.T) {
	ls := newTestListeners(t)
	ls.must(t, wanted("127.0.0.1:0", "127.0.0.1:0"))
	before := ls.addresses()
	ls.must(t, wanted("127.0.0.1:0", "127.0.0.2:0", "127.0.0.1:0"))
	after := ls.addresses()
	if len(after) != 3 || after[0] != before[0] || after[1] != before[1] {
		t.Errorf("were %v, are %v", before, after)
	}
	ls.must(t, wanted("127.0.0.2:0"))
	if greets(before[0]) || greets(before[1]) {
		t.Error("a dropped listener still serves")
	}
	if now := ls.addresses(); len(now) != 1 || now[0] != after[2] {
		t.Errorf("the one that stays was reopened: %v", now)
	}
}

func TestListenerGivesWayToOneThatOverlaps(t *testing.T) {
	ls := newTestListeners(t)
	ls.must(t, wanted("127.0.0.1:0"))
	port := ls.addresses()[0]
	ls.must(t, wanted(port.String()))
	if ls.addresses()[0] != port {
		t.Errorf("listens on %v", ls.addresses())
	}
}

// TestListenerKeepsItsSocket when only what it speaks changes: the system holds
// connections that come meanwhile, and the process need not be allowed to open
// it again. A change that fails in the end leaves it as it was.
func TestListenerKeepsItsSocket(t *testing.T) {
	ls := newTestListeners(t)
	want := wanted("127.0.0.1:0")
	ls.must(t, want)
	at := ls.addresses()[0]
	want = wanted(at.String())
	waits := func() *net.TCPConn {
		c, err := net.DialTCP("tcp", nil, net.TCPAddrFromAddrPort(at))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	want[0].Relays = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	var during *net.TCPConn
	if err := ls.change(want, func() error { during = waits(); return errors.New("refused") }); err == nil {
		t.Fatal("the change was accepted")
	}
	if got, err := io.ReadAll(during); string(got) != "hello" {
		t.Errorf("a connection that came during the failed change got %q, %v", got, err)
	}
	during.Close()
	if err := ls.change(want, func() error { during = waits(); return nil }); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(during); string(got) != "hello" {
		t.Errorf("a connection that came during the change got %q, %v", got, err)
	}
	during.Close()
}

func TestFailedChangeLeavesAllAsItWas(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	ls := newTestListeners(t)
	ls.must(t, wanted("127.0.0.1:0"))
	first := ls.addresses()[0]

	if err := ls.change(wanted("127.0.0.2:0", taken.Addr().String()), accept); err == nil {
		t.Error("a taken address was accepted")
	}
	refused := errors.New("refused")
	if err := ls.change(wanted("127.0.0.2:0"), func() error { return refused }); !errors.Is(err, refused) {
		t.Errorf("got %v", err)
	}
	if now := ls.addresses(); len(now) != 1 || now[0] != first || !greets(first) {
		t.Errorf("listens on %v, not on %v alone", now, first)
	}
}

// A listener that was closed to make room is opened again when the change
// fails after all.
func TestFailedChangeReopensWhatGaveWay(t *testing.T) {
	ls := newTestListeners(t)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := free.Addr().(*net.TCPAddr).AddrPort()
	free.Close()
	ls.must(t, wanted(at.String()))
	everywhere := netip.AddrPortFrom(netip.IPv4Unspecified(), at.Port()).String()
	if err := ls.change(wanted(everywhere), func() error { return errors.New("refused") }); err == nil {
		t.Error("the change was accepted")
	}
	if now := ls.addresses(); len(now) != 1 || now[0] != at || !greets(at) {
		t.Errorf("listens on %v, not on %v", now, at)
	}
	// Another process may have taken the port on another address meanwhile.
	if err := ls.change(wanted(everywhere), accept); err != nil && !errors.Is(err, syscall.EADDRINUSE) {
		t.Error(err)
	}
}

// TestGivenListenersAreTaken for the address that they are at, as the system
// has it.
func TestGivenListenersAreTaken(t *testing.T) {
	for _, c := range []struct {
		network, given, configured string
		taken                      bool
	}{
		{"tcp4", "127.0.0.1:0", "127.0.0.1", true},
		{"tcp4", "127.0.0.1:0", "127.0.0.2", false},
		{"tcp4", "127.0.0.1:0", "", false},
		{"tcp4", "127.0.0.1:0", "0.0.0.0", false},
		{"tcp4", "0.0.0.0:0", "0.0.0.0", true},
		{"tcp4", "0.0.0.0:0", "", true}, // of a machine without IPv6
		{"tcp4", "0.0.0.0:0", "[::]", false},
		{"tcp6", "[::]:0", "", true},
		{"tcp6", "[::]:0", "[::]", true},
		{"tcp6", "[::]:0", "0.0.0.0", false},
	} {
		l, err := net.Listen(c.network, c.given)
		if err != nil {
			t.Log(err) // no IPv6 here
			continue
		}
		_, port, _ := net.SplitHostPort(l.Addr().String())
		s := &stock{[]net.Listener{l}}
		if got := s.take(wanted(c.configured + ":" + port)[0].Address); (got != nil) != c.taken {
			t.Errorf("%s at %s is taken for %s: %t", c.network, c.given, c.configured, got != nil)
		}
		l.Close()
	}
}

// TestGivenListenerElsewhereIsNamed: as where guise.socket has another address than
// the configuration, nobody has to be stopped.
func TestGivenListenerElsewhereIsNamed(t *testing.T) {
	given, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer given.Close()
	_, port, _ := net.SplitHostPort(given.Addr().String())
	_, err = listen(wanted("0.0.0.0:" + port)[0].Address, &stock{[]net.Listener{given}})
	if err == nil || errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "was given 127.0.0.1:"+port) {
		t.Errorf("got %v", err)
	}
}

// TestPortClosedBySystemdIsExplained: one in the configuration alone, as when a second
// listener or admin.address is added to a service.
func TestPortClosedBySystemdIsExplained(t *testing.T) {
	as := listening
	defer func() { listening = as }()
	listening.Control = func(string, string, syscall.RawConn) error {
		return os.NewSyscallError("bind", syscall.EPERM) // what SocketBindDeny= does
	}
	_, err := listen(wanted("127.0.0.1:0")[0].Address, nil)
	if !errors.Is(err, syscall.EPERM) || !strings.Contains(err.Error(), "SocketBindAllow=") {
		t.Errorf("got %v", err)
	}
	if err := notOpened("unix", "admin.sock", syscall.EPERM); strings.Contains(err.Error(), "systemd") {
		t.Errorf("got %v", err)
	}
}

// TestListenersTakeNoMore than they are for: no IPv6 at an IPv4 address, and no
// connection to which a second path may be added, of whose address the gate would
// not know.
func TestListenersTakeNoMore(t *testing.T) {
	l, err := listen(config.Address{IP: netip.IPv4Unspecified()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if at := l.Addr().String(); !strings.HasPrefix(at, "0.0.0.0:") {
		t.Errorf("listens on %s", at)
	}
	dialer := net.Dialer{Timeout: patience}
	dialer.SetMultipathTCP(true)
	client, err := dialer.Dial("tcp", net.JoinHostPort("127.0.0.1", fmt.Sprint(l.real.Port)))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	if more, err := accepted.(*net.TCPConn).MultipathTCP(); more || err != nil {
		t.Errorf("multipath: %t, %v", more, err)
	}
}
