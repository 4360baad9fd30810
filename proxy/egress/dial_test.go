package egress

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

var everyPort = []PortRange{{1, 65535}}

// loopback opens loopback, where the tests' peers are.
var loopback = []string{"127.0.0.0/8", "::1"}

func newTestEgress(t *testing.T, o Options) *Egress {
	t.Helper()
	if o.Ports == nil {
		o.Ports = everyPort
	}
	if o.ConnectPorts == nil {
		o.ConnectPorts = everyPort
	}
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// An origin on loopback that hands over what it accepts.
type origin struct {
	net.Listener
	accepted chan net.Conn
	count    atomic.Int32
}

func startOrigin(t *testing.T, address string) *origin {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Skipf("cannot listen at %s: %v", address, err)
	}
	o := &origin{Listener: listener, accepted: make(chan net.Conn, 64)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			o.count.Add(1)
			o.accepted <- conn
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		<-done
		close(o.accepted)
		for conn := range o.accepted {
			conn.Close()
		}
	})
	return o
}

func (o *origin) port() uint16 { return addrPort(o.Addr()).Port() }

// freePort is one that nothing listens on at 127.0.0.1, nor can until the test ends: it
// is the near end's of a connection.
func freePort(t *testing.T) uint16 {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return addrPort(conn.LocalAddr()).Port()
}

func mustCanonical(t *testing.T, hostport string) Target {
	t.Helper()
	target, err := Canonical(hostport, 0)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

func TestDialReachesALiteralAndAName(t *testing.T) {
	o := startOrigin(t, "127.0.0.1:0")
	dns := startNameServer(t, always("127.0.0.1"))
	e := newTestEgress(t, Options{Allow: loopback, Resolver: dns.resolver()})
	for _, target := range []Target{
		{Host: "site.example", Port: o.port()},
		mustCanonical(t, o.Addr().String()),
	} {
		conn, err := e.Dial(t.Context(), Connect, target)
		if err != nil {
			t.Fatalf("%s: %v", target, err)
		}
		if _, ok := conn.(*net.TCPConn); !ok {
			t.Errorf("%s: a %T, which cannot be spliced", target, conn)
		}
		conn.Close()
	}
	if asked := dns.questions(); !slices.Equal(asked, []string{"site.example."}) {
		t.Errorf("the name servers were asked for %v, want the name alone", asked)
	}
}

// A name that is public when it is checked and loopback when it is dialled
// reaches nothing, however often the look-up is repeated.
func TestRebindingNeverReachesLoopback(t *testing.T) {
	o := startOrigin(t, "127.0.0.1:0")
	dns := startNameServer(t, func(_ string, turn int) ([]netip.Addr, dnsmessage.RCode) {
		if turn%2 == 1 {
			// Public, but nothing can be reached there from 127.0.0.1.
			return []netip.Addr{netip.MustParseAddr("1.1.1.1")}, dnsmessage.RCodeSuccess
		}
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, dnsmessage.RCodeSuccess
	})
	e := newTestEgress(t, Options{
		Resolver:        dns.resolver(),
		SourceAddresses: []netip.Addr{netip.MustParseAddr("127.0.0.1")},
		ConnectTimeout:  2 * time.Second,
	})
	target := Target{Host: "rebind.example", Port: o.port()}
	var refused *Refused
	for turn := 1; turn <= 6; turn++ {
		conn, err := e.Dial(t.Context(), Plain, target)
		if err == nil {
			conn.Close()
			t.Fatalf("turn %d connected", turn)
		}
		if private := turn%2 == 0; errors.As(err, &refused) != private {
			t.Errorf("turn %d: %v, refused by the guard: want %t", turn, err, private)
		}
	}
	if n := o.count.Load(); n != 0 {
		t.Errorf("loopback saw %d connections", n)
	}
}

// Should anything between check and connect ever change the address, the
// socket's own check still stands.
func TestTheSocketItselfIsChecked(t *testing.T) {
	o := startOrigin(t, "127.0.0.1:0")
	e := newTestEgress(t, Options{})
	_, err := e.connect(t.Context(), addrPort(o.Addr()), 0, e.guard.check(Target{Host: "name.example"}))
	if _, ok := errors.AsType[*Refused](err); !ok {
		t.Errorf("connecting to loopback: %v, want a refusal", err)
	}
	if n := o.count.Load(); n != 0 {
		t.Errorf("loopback saw %d connections", n)
	}
}

func TestPrivateAddressesOfANameAreLeftOut(t *testing.T) {
	closed := startOrigin(t, "127.0.0.1:0")
	dns := startNameServer(t, always("127.0.0.1", "10.0.0.1", "::1", "169.254.169.254"))
	e := newTestEgress(t, Options{Resolver: dns.resolver()})
	var refused *Refused
	if _, err := e.Dial(t.Context(), Plain, Target{Host: "site.example", Port: closed.port()}); !errors.As(err, &refused) {
		t.Errorf("a name with private addresses only: %v, want a refusal", err)
	}
	// Of two addresses one is allowed, and that one is used.
	e = newTestEgress(t, Options{Resolver: dns.resolver(), Allow: []string{"127.0.0.1"}})
	conn, err := e.Dial(t.Context(), Plain, Target{Host: "site.example", Port: closed.port()})
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

func TestAllowedHostOpensItsAddressesForItselfAlone(t *testing.T) {
	o := startOrigin(t, "127.0.0.1:0")
	dns := startNameServer(t, always("127.0.0.1"))
	e := newTestEgress(t, Options{Resolver: dns.resolver(), Allow: []string{"nas.home"}})
	conn, err := e.Dial(t.Context(), Plain, Target{Host: "nas.home", Port: o.port()})
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	var refused *Refused
	if _, err := e.Dial(t.Context(), Plain, Target{Host: "other.home", Port: o.port()}); !errors.As(err, &refused) {
		t.Errorf("another name with the same address: %v, want a refusal", err)
	}
}

func TestFailuresAreToldApart(t *testing.T) {
	dns := startNameServer(t, func(name string, _ int) ([]netip.Addr, dnsmessage.RCode) {
		switch name {
		case "none.example.":
			return nil, dnsmessage.RCodeNameError
		case "broken.example.":
			return nil, dnsmessage.RCodeRefused
		case "empty.example.":
			return nil, dnsmessage.RCodeSuccess
		}
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, dnsmessage.RCodeSuccess
	})
	e := newTestEgress(t, Options{Allow: loopback, Resolver: dns.resolver()})
	said := func(code string, notFound bool) func(error) bool {
		return func(err error) bool {
			var lookup *LookupError
			return errors.As(err, &lookup) && lookup.RCode == code && lookup.IsNotFound == notFound && !lookup.IsTimeout
		}
	}
	deaf := newTestEgress(t, Options{Allow: loopback, ConnectTimeout: 100 * time.Millisecond, Resolver: silentResolver(t)})
	poor := newTestEgress(t, Options{Allow: loopback, Resolver: &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "udp", Err: os.NewSyscallError("socket", syscall.EMFILE)}
	}}})
	var found *net.DNSError
	for _, c := range []struct {
		what   string
		e      *Egress
		target Target
		is     func(error) bool
	}{
		{"name not found", e, Target{Host: "none.example", Port: 80}, said("NXDOMAIN", true)},
		{"name without an address", e, Target{Host: "empty.example", Port: 80}, said("NOERROR", true)},
		{"name servers refuse", e, Target{Host: "broken.example", Port: 80}, said("REFUSED", false)},
		{"onion", e, Target{Host: "secret.onion", Port: 80}, said("NXDOMAIN", true)},
		{"alternative", e, Target{Host: "secret.gns.alt", Port: 80}, said("NXDOMAIN", true)},
		{"invalid", e, Target{Host: "invalid", Port: 80}, said("NXDOMAIN", true)},
		{"name servers are silent", deaf, Target{Host: "site.example", Port: 80}, func(err error) bool { return errors.As(err, &found) && found.IsTimeout }},
		{"no descriptor to ask with", poor, Target{Host: "site.example", Port: 80}, Short},
		{"connection refused", e, Target{Host: "site.example", Port: freePort(t)}, func(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }},
	} {
		conn, err := c.e.Dial(t.Context(), Plain, c.target)
		if err == nil {
			conn.Close()
		}
		var op *net.OpError
		var hop *HopError
		if !c.is(err) || !errors.As(err, &op) || op.Op != "dial" || errors.As(err, &hop) {
			t.Errorf("%s: %v (%T)", c.what, err, err)
			continue
		}
		for _, part := range []string{"example", "secret", "127.0.0.1", "::1"} {
			if strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q names the destination", c.what, err)
			}
		}
	}
	if asked := dns.questions(); !slices.Equal(asked, []string{"broken.example.", "empty.example.", "none.example.", "site.example."}) {
		t.Errorf("the name servers were asked for %v", asked)
	}
}

// TestHalfAnAnswerIsNoLackOfAddresses: where there was no descriptor to ask about the other
// kind of address with, that is what is told; but a name that is not has neither.
func TestHalfAnAnswerIsNoLackOfAddresses(t *testing.T) {
	said := new(rcodes)
	said.add([]byte{0, 0, 0x80, 0})
	said.missed(syscall.EMFILE)
	if err := said.of(&net.DNSError{IsNotFound: true}); !Short(err) {
		t.Error(err)
	}
	said.add([]byte{0, 0, 0x80, 3})
	if err := said.of(&net.DNSError{IsNotFound: true}); Short(err) {
		t.Error(err)
	}
}

// TestSilenceAboutOneFamilyIsNoLackOfAddresses either: package net tells of the question
// that it asked last.
func TestSilenceAboutOneFamilyIsNoLackOfAddresses(t *testing.T) {
	for _, silent := range []dnsmessage.Type{dnsmessage.TypeA, dnsmessage.TypeAAAA, 0} {
		said := new(rcodes)
		for _, kind := range []dnsmessage.Type{dnsmessage.TypeA, dnsmessage.TypeAAAA} {
			if kind == silent {
				said.missed(os.ErrDeadlineExceeded)
				continue
			}
			answer := dnsmessage.Message{Header: dnsmessage.Header{Response: true}, Questions: []dnsmessage.Question{{
				Name: dnsmessage.MustNewName("site.example."), Type: kind, Class: dnsmessage.ClassINET,
			}}}
			packed, err := answer.Pack()
			if err != nil {
				t.Fatal(err)
			}
			said.add(packed)
		}
		err := said.of(&net.DNSError{IsNotFound: true})
		var dns *net.DNSError
		var lookup *LookupError
		if none := silent == 0; !errors.As(err, &dns) || dns.IsTimeout == none || errors.As(err, &lookup) != none {
			t.Errorf("%v is not answered: %v", silent, err)
		}
	}
}

// TestWhatTheNextServerSaysIsTold, of both kinds of address, though the first said nothing.
func TestWhatTheNextServerSaysIsTold(t *testing.T) {
	said := new(rcodes)
	said.missed(os.ErrDeadlineExceeded)
	said.add([]byte{0, 0, 0x80, 0})
	said.kinds.Store(bothKinds)
	if lookup, ok := errors.AsType[*LookupError](said.of(&net.DNSError{IsNotFound: true})); !ok || lookup.RCode != "NOERROR" {
		t.Error(lookup)
	}
	said.add([]byte{0, 0, 0x80, 3}) // of a name of the search list
	if err := said.of(&net.DNSError{IsTimeout: true}); errors.As(err, new(*LookupError)) {
		t.Error(err)
	}
}

// silentResolver returns a resolver whose name server says nothing.
func silentResolver(t *testing.T) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return impatientResolver(t, server.LocalAddr())
}

// impatientResolver asks the name server at address, and waits for it no longer
// than until the test ends: the net package's own look-up outlives the caller's
// deadline by seconds, so its connections are closed then.
func impatientResolver(t *testing.T, address net.Addr) *net.Resolver {
	ended := make(chan struct{})
	t.Cleanup(func() { close(ended) })
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		select {
		case <-ended:
			return nil, net.ErrClosed
		default:
		}
		conn, err := net.Dial("udp", address.String())
		if err == nil {
			go func() {
				<-ended
				conn.Close()
			}()
		}
		return conn, err
	}}
}

// TestSilenceAboutOneFamilyIsNoSilence: name servers that never answer one of the
// two questions are common enough (RFC 4074 §4.1).
func TestSilenceAboutOneFamilyIsNoSilence(t *testing.T) {
	for name, address := range map[string]string{"silent6.example": "127.0.0.1", "silent4.example": "::1"} {
		o := startOrigin(t, net.JoinHostPort(address, "0"))
		dns := startNameServer(t, always("127.0.0.1", "::1"))
		e := newTestEgress(t, Options{Allow: loopback, Resolver: impatientResolver(t, dns.conn.LocalAddr())})
		conn, err := e.Dial(t.Context(), Connect, Target{Host: name, Port: o.port()})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		conn.Close()
	}
}

// fullBacklog returns an address on loopback at which connecting hangs: its
// queue of connections is full and nobody accepts. The port is that one, or any for 0.
func fullBacklog(t *testing.T, port uint16) netip.AddrPort {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Port: int(port), Addr: [4]byte{127, 0, 0, 9}}); err != nil {
		t.Skip(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	bound, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	at := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.9"), uint16(bound.(*syscall.SockaddrInet4).Port))
	for range 16 {
		conn, err := net.DialTimeout("tcp", at.String(), 200*time.Millisecond)
		if err != nil {
			return at
		}
		t.Cleanup(func() { conn.Close() })
	}
	t.Skip("this system takes any number of connections")
	return at
}

func TestConnectTimeoutHoldsForAllAddressesTogether(t *testing.T) {
	hangs := fullBacklog(t, 0)
	e := newTestEgress(t, Options{Allow: loopback, ConnectTimeout: 150 * time.Millisecond})
	start := time.Now()
	_, err := e.Dial(t.Context(), Plain, literal(hangs.Addr(), hangs.Port()))
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v, want a timeout", err)
	}
	var timeout net.Error
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("%v does not say that it is a timeout", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

// An address that hangs does not hold up one that answers.
func TestASlowAddressIsOvertaken(t *testing.T) {
	o := startOrigin(t, "127.0.0.1:0")
	hangs := fullBacklog(t, o.port())
	e := newTestEgress(t, Options{Allow: loopback})
	target := Target{Host: "site.example", Port: hangs.Port()}
	conn, err := e.race(t.Context(), []netip.Addr{hangs.Addr(), netip.MustParseAddr("127.0.0.1")}, target.Port, 0, e.guard.check(target))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if conn.RemoteAddr().String() != o.Addr().String() {
		t.Errorf("connected to %v", conn.RemoteAddr())
	}
}

// A name that lists addresses at which nobody answers takes no descriptor for each
// at once, and still leads to the one that does.
func TestManySlowAddressesGiveWay(t *testing.T) {
	o := startOrigin(t, "127.0.0.1:0")
	hangs := fullBacklog(t, o.port())
	e := newTestEgress(t, Options{Allow: loopback})
	target := Target{Host: "site.example", Port: hangs.Port()}
	addrs := slices.Repeat([]netip.Addr{hangs.Addr()}, attemptsAtOnce)
	addrs = append(addrs, netip.MustParseAddr("127.0.0.1"))
	before, most := openDescriptors(t), 0
	var one sync.Mutex
	conn, err := e.race(t.Context(), addrs, target.Port, 0, func(to netip.AddrPort) error {
		one.Lock()
		defer one.Unlock()
		most = max(most, openDescriptors(t)-before) // with its own socket, and before it is connected
		return e.guard.check(target)(to)
	})
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if most > attemptsAtOnce {
		t.Errorf("%d descriptors at once", most)
	}
}

func openDescriptors(t *testing.T) int {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip(err)
	}
	return len(open)
}

func TestEveryAddressIsTried(t *testing.T) {
	o := startOrigin(t, "127.0.0.3:0")
	dns := startNameServer(t, always("127.0.0.1", "127.0.0.2", "127.0.0.3", "::1"))
	e := newTestEgress(t, Options{Allow: loopback, Resolver: dns.resolver()})
	conn, err := e.Dial(t.Context(), Plain, Target{Host: "site.example", Port: o.port()})
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	_, err = e.Dial(t.Context(), Plain, Target{Host: "site.example", Port: freePort(t)})
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("with no address that answers: %v, want connection refused", err)
	}
}

// A name with many addresses makes no scanner of the proxy.
func TestFewAddressesOfManyAreTried(t *testing.T) {
	var many []string
	for i := range 60 {
		many = append(many, fmt.Sprintf("127.0.1.%d", i+1))
	}
	e := newTestEgress(t, Options{Resolver: startNameServer(t, always(many...)).resolver()})
	target := mustCanonical(t, fmt.Sprintf("many.example:%d", freePort(t)))
	var asked atomic.Int32
	_, err := e.dialDirect(t.Context(), target, func(netip.AddrPort) error {
		asked.Add(1)
		return nil
	}, true)
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatalf("dial: %v", err)
	}
	if tried := int(asked.Load()) - len(many); tried != mostAttempts { // each is checked before, too
		t.Errorf("%d addresses were tried", tried)
	}
}

func TestCancellationEndsADial(t *testing.T) {
	hangs := fullBacklog(t, 0)
	e := newTestEgress(t, Options{Allow: loopback})
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("client left")
	time.AfterFunc(20*time.Millisecond, func() { cancel(why) })
	if _, err := e.Dial(ctx, Plain, literal(hangs.Addr(), hangs.Port())); !errors.Is(err, why) {
		t.Errorf("%v, want the context's cause", err)
	}
}

func TestFamiliesAreInterleaved(t *testing.T) {
	var in []netip.Addr
	for _, text := range []string{"2600::1", "2600::2", "2600::3", "1.1.1.1", "1.1.1.2"} {
		in = append(in, netip.MustParseAddr(text))
	}
	var got []string
	for _, addr := range interleave(in) {
		got = append(got, addr.String())
	}
	if want := "2600::1 1.1.1.1 2600::2 1.1.1.2 2600::3"; strings.Join(got, " ") != want {
		t.Errorf("order is %v, want %s", got, want)
	}
}

func TestSourceAddressesTakeTurns(t *testing.T) {
	o := startOrigin(t, "127.0.0.1:0")
	sources := []netip.Addr{netip.MustParseAddr("127.0.0.5"), netip.MustParseAddr("127.0.0.6"), netip.MustParseAddr("::ffff:127.0.0.7")}
	e := newTestEgress(t, Options{Allow: loopback, SourceAddresses: sources})
	seen := map[string]int{}
	for range 9 {
		conn, err := e.Dial(t.Context(), Plain, mustCanonical(t, o.Addr().String()))
		if err != nil {
			t.Fatal(err)
		}
		accepted := <-o.accepted
		seen[addrPort(accepted.RemoteAddr()).Addr().String()]++
		accepted.Close()
		conn.Close()
	}
	for _, source := range []string{"127.0.0.5", "127.0.0.6", "127.0.0.7"} {
		if seen[source] != 3 {
			t.Errorf("the origin saw %v, want each source three times", seen)
		}
	}
}

// TestALostSourceAddressIsPassedOver: machines lose addresses while guise runs.
func TestALostSourceAddressIsPassedOver(t *testing.T) {
	o := startOrigin(t, "127.0.0.1:0")
	e := newTestEgress(t, Options{Allow: loopback, SourceAddresses: []netip.Addr{netip.MustParseAddr("127.0.0.5")}})
	lost := netip.MustParseAddr("192.0.2.99")
	e.source4 = append(e.source4, lost, lost)
	to := mustCanonical(t, o.Addr().String())
	for range 2 * len(e.source4) {
		conn, err := e.Dial(t.Context(), Plain, to)
		if err != nil {
			t.Fatal(err)
		}
		accepted := <-o.accepted
		if from := addrPort(accepted.RemoteAddr()).Addr().String(); from != "127.0.0.5" {
			t.Errorf("it comes from %s", from)
		}
		accepted.Close()
		conn.Close()
	}
	e.source4 = e.source4[1:]
	if _, err := e.Dial(t.Context(), Plain, to); !errors.Is(err, syscall.EADDRNOTAVAIL) {
		t.Errorf("with none left: %v", err)
	}
}

// With source addresses of one family, the other family would show an
// address that was not listed.
func TestNoSourceAddressNoWay(t *testing.T) {
	o := startOrigin(t, "[::1]:0")
	e := newTestEgress(t, Options{Allow: loopback, SourceAddresses: []netip.Addr{netip.MustParseAddr("127.0.0.5")}})
	if _, err := e.Dial(t.Context(), Plain, mustCanonical(t, o.Addr().String())); !errors.Is(err, syscall.ENETUNREACH) {
		t.Errorf("%v, want no route", err)
	}
	if n := o.count.Load(); n != 0 {
		t.Errorf("the origin saw %d connections", n)
	}
	e = newTestEgress(t, Options{Allow: loopback, SourceAddresses: []netip.Addr{netip.MustParseAddr("127.0.0.5"), netip.MustParseAddr("::1")}})
	conn, err := e.Dial(t.Context(), Plain, mustCanonical(t, o.Addr().String()))
	if err != nil {
		t.Fatalf("with a source of the same family: %v", err)
	}
	conn.Close()
}

func TestForeignSourceAddressesAreErrors(t *testing.T) {
	for _, source := range []string{"192.0.2.99", "8.8.8.8", "2001:db8::99", "0.0.0.0", "::", "224.0.0.1", "255.255.255.255", "127.255.255.255"} {
		if _, err := New(Options{SourceAddresses: []netip.Addr{netip.MustParseAddr(source)}}); err == nil || !strings.Contains(err.Error(), source) {
			t.Errorf("source address %s: %v, want an error that names it", source, err)
		}
	}
	if _, err := New(Options{SourceAddresses: make([]netip.Addr, 1)}); err == nil {
		t.Error("the zero Addr is accepted")
	}
}

func TestOwnConnectionsAreRecognised(t *testing.T) {
	o := startOrigin(t, "127.0.0.1:0")
	e := newTestEgress(t, Options{Allow: loopback})
	conn, err := e.Dial(t.Context(), Plain, mustCanonical(t, o.Addr().String()))
	if err != nil {
		t.Fatal(err)
	}
	accepted := <-o.accepted
	defer accepted.Close()
	remote, local := addrPort(accepted.RemoteAddr()), addrPort(accepted.LocalAddr())
	if !e.IsOwn(remote, local) {
		t.Error("a connection of its own is not recognised")
	}
	if !e.IsOwn(netip.AddrPortFrom(netip.AddrFrom16(remote.Addr().As16()), remote.Port()), local) {
		t.Error("nor in IPv4-mapped form")
	}
	if e.IsOwn(netip.AddrPortFrom(remote.Addr(), remote.Port()+1), local) || e.IsOwn(remote, netip.AddrPortFrom(local.Addr(), local.Port()+1)) {
		t.Error("a foreign connection is taken for its own")
	}
	foreign, err := net.Dial("tcp", o.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer foreign.Close()
	if e.IsOwn(addrPort(foreign.LocalAddr()), addrPort(foreign.RemoteAddr())) {
		t.Error("another's connection is taken for its own")
	}

	io.WriteString(conn, "still open")
	conn.Close()
	conn = nil
	for deadline := time.Now().Add(10 * time.Second); e.IsOwn(remote, local); runtime.Gosched() {
		if runtime.GC(); time.Now().After(deadline) {
			t.Fatal("a closed connection stays in the registry")
		}
	}
}

// TestWantOfPortsIsNoFaultOfTheOrigin: there is a route to it.
func TestWantOfPortsIsNoFaultOfTheOrigin(t *testing.T) {
	said := func(call string, number syscall.Errno) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError(call, number)}
	}
	four, six := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	for _, c := range []struct {
		err  error
		to   netip.Addr
		want bool
	}{
		{said("connect", syscall.EADDRNOTAVAIL), four, true},
		{said("connect", syscall.EADDRNOTAVAIL), six, false},
		{said("bind", syscall.EADDRNOTAVAIL), four, false},
		{said("connect", syscall.ENETUNREACH), four, false},
		{nil, four, false},
	} {
		if got := wantsPort(c.err, c.to); got != c.want {
			t.Errorf("%v, to %s: %v", c.err, c.to, got)
		}
	}
}

// TestFailureThatSaysMostIsTold: of several addresses, that one is silent says more
// than that another refuses, and that more than that there is no way to a third.
func TestFailureThatSaysMostIsTold(t *testing.T) {
	most := []error{os.ErrDeadlineExceeded, syscall.ECONNREFUSED, errors.New("something else"), syscall.ENETUNREACH, nil}
	for i, more := range most {
		for _, less := range most[i:] {
			if a, b := telling(more, less), telling(less, more); a != more || b != more {
				t.Errorf("of %v and %v, %v and %v are told", more, less, a, b)
			}
		}
	}
}
