package egress

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// TestSearchListIsForNamesWithoutADot: a name that does not exist must not become one of
// the network here, nor be shown to who knows those.
func TestSearchListIsForNamesWithoutADot(t *testing.T) {
	const inside = "GUISE_TEST_SEARCH_LIST"
	if os.Getenv(inside) == "" {
		inMountNamespace(t, inside, "/etc/resolv.conf", "nameserver 127.0.0.1\nsearch house.example\n")
		return
	}
	server := startNameServer(t, func(string, int) ([]netip.Addr, dnsmessage.RCode) { return nil, dnsmessage.RCodeNameError })
	e := newTestEgress(t, Options{Resolver: server.resolver()})
	for _, host := range []string{"nosuch.example", "printer"} {
		if addrs, err := e.names.resolve(t.Context(), Target{Host: host, Port: 80}); err == nil {
			t.Errorf("%s is at %v", host, addrs)
		}
	}
	asked := server.questions()
	if !slices.Contains(asked, "printer.house.example.") {
		t.Errorf("the search list is not used: asked for %v", asked)
	}
	if !slices.Contains(asked, "nosuch.example.") || slices.Contains(asked, "nosuch.example.house.example.") {
		t.Errorf("asked for %v", asked)
	}
}

// TestSearchListOpensNoClosedHost by its first label.
func TestSearchListOpensNoClosedHost(t *testing.T) {
	const inside = "GUISE_TEST_SEARCH_CLOSED"
	if os.Getenv(inside) == "" {
		inMountNamespace(t, inside, "/etc/resolv.conf", "nameserver 127.0.0.1\nsearch closed.example house.example\n")
		return
	}
	server := startNameServer(t, func(name string, _ int) ([]netip.Addr, dnsmessage.RCode) {
		if name == "printer.closed.example." || name == "printer.house.example." || name == "nas.house.example." {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, dnsmessage.RCodeSuccess
		}
		return nil, dnsmessage.RCodeNameError
	})
	for what, options := range map[string]Options{
		"rule": {Deny: []string{"*.closed.example"}}, "list": {DenyLists: []string{writeList(t, "||closed.example^")}},
	} {
		options.Resolver = server.resolver()
		e := newTestEgress(t, options)
		if addrs, err := e.names.resolve(t.Context(), Target{Host: "printer", Port: 80}); !errors.As(err, new(*Refused)) {
			t.Errorf("%s: %v, %v", what, addrs, err)
		}
		if _, err := e.names.resolve(t.Context(), Target{Host: "nas", Port: 80}); err != nil {
			t.Errorf("%s: a host that is not there closes one that is: %v", what, err)
		}
	}
}

// TestNextOfTheSystemsNameServersIsAsked at once, from the second name on: each waited
// for the first one anew.
func TestNextOfTheSystemsNameServersIsAsked(t *testing.T) {
	const inside = "GUISE_TEST_SILENT_SERVER"
	if os.Getenv(inside) == "" {
		inMountNamespace(t, inside, "/etc/resolv.conf", "nameserver 127.0.0.1\nnameserver 127.0.0.2\noptions timeout:1 attempts:1\n")
		return
	}
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	waiting := make(chan net.Conn, 100) // for the silent one, when the look-up is over
	defer func() {
		close(waiting)
		for conn := range waiting {
			conn.Close()
		}
	}()
	second := startNameServer(t, always("127.0.0.1"))
	asked := make(chan string, 100)
	e := newTestEgress(t, Options{Resolver: &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, address string) (net.Conn, error) {
		asked <- address
		if address != "127.0.0.1:53" {
			return new(net.Dialer).DialContext(ctx, "udp", second.conn.LocalAddr().String())
		}
		conn, err := new(net.Dialer).DialContext(ctx, "udp", silent.LocalAddr().String())
		if err == nil {
			waiting <- conn
		}
		return conn, err
	}}})
	for i, host := range []string{"one.example", "two.example", "three.example"} {
		if _, err := e.names.resolve(t.Context(), Target{Host: host, Port: 80}); err != nil {
			t.Errorf("%s: %v", host, err)
		}
		for range len(asked) {
			if first := <-asked == "127.0.0.1:53"; first && i > 0 {
				t.Errorf("%s: the one that is silent is asked again", host)
			}
		}
	}
}

// TestNameServersAreKnownBeforeDescriptorsRunShort: for seconds, all names would be asked
// for at this machine.
func TestNameServersAreKnownBeforeDescriptorsRunShort(t *testing.T) {
	const inside = "GUISE_TEST_FIRST_LOOK_UP"
	if os.Getenv(inside) == "" {
		inMountNamespace(t, inside, "/etc/resolv.conf", "nameserver 127.0.0.2\n")
		return
	}
	asked := make(chan string, 100)
	e := newTestEgress(t, Options{Resolver: &net.Resolver{PreferGo: true, Dial: func(_ context.Context, _, address string) (net.Conn, error) {
		asked <- address
		return nil, syscall.EMFILE
	}}})
	withoutDescriptors(t, func() { e.names.resolve(t.Context(), Target{Host: "site.example", Port: 80}) })
	if first := <-asked; first != "127.0.0.2:53" {
		t.Errorf("%s is asked", first)
	}
}

// TestNamesOfTheHouseAreAskedForWhereSomethingIsOpen in it: else nobody needs to know
// them, nor to learn by what becomes of a request which there are.
func TestNamesOfTheHouseAreAskedForWhereSomethingIsOpen(t *testing.T) {
	const inside = "GUISE_TEST_HOUSE"
	if os.Getenv(inside) == "" {
		inMountNamespace(t, inside, "/etc/hosts", "127.0.0.1 nas.local nas\n192.0.1.1 web.lan\n")
		return
	}
	o := startOrigin(t, "127.0.0.1:0")
	server := startNameServer(t, always("127.0.0.1"))
	reaches := func(e *Egress, host string) bool {
		target := Target{Host: host, Port: o.port()}
		conn, err := e.Dial(t.Context(), Plain, target)
		if known := e.Allow(Plain, target); (known == nil) != (err == nil) {
			t.Errorf("%s: it is known before that %v, and then %v", host, known, err)
		}
		if err != nil {
			if !errors.As(err, new(*Refused)) {
				t.Errorf("%s: %v", host, err)
			}
			return false
		}
		conn.Close()
		return true
	}
	closed := newTestEgress(t, Options{Resolver: server.resolver()})
	for _, host := range []string{"nas.local", "nas", "printer", "router.home.arpa", "db.internal", "nas.lan", "wiki.corp"} {
		if reaches(closed, host) {
			t.Errorf("%s is open", host)
		}
	}
	if err := closed.Allow(Plain, Target{Host: "web.lan", Port: 80}); err != nil {
		t.Errorf("a name that /etc/hosts leads to a public address: %v", err)
	}
	if asked := server.questions(); len(asked) > 0 {
		t.Errorf("the name servers were asked for %v", asked)
	}
	if err := newTestEgress(t, Options{Chain: []*url.URL{{Scheme: "socks5", Host: "127.0.0.1:1"}}}).Allow(Plain, Target{Host: "nas.lan", Port: 80}); err != nil {
		t.Errorf("a name that the upstream proxy looks up: %v", err)
	}
	byName := newTestEgress(t, Options{Resolver: server.resolver(), Allow: []string{"nas.local", "printer"}})
	if !reaches(byName, "nas.local") || !reaches(byName, "printer") || reaches(byName, "db.internal") {
		t.Error("what is open by name is not, or something else is")
	}
	byAddress := newTestEgress(t, Options{Resolver: server.resolver(), Allow: loopback})
	if !reaches(byAddress, "nas.local") || !reaches(byAddress, "db.internal") {
		t.Error("what is open by its address is not")
	}
}

// inMountNamespace runs the test once more, in a process of its own for which file holds
// content, and which finds the variable inside set.
func inMountNamespace(t *testing.T, inside, file, content string) {
	t.Helper()
	stand := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(stand, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	inNamespace(t, inside, "--mount", `mount --bind "$0" `+file, stand)
}

// inNamespace runs the test once more, in a process that has a namespace of some kind of
// its own, where command was run with the argument $0, and which finds the variable
// inside set.
func inNamespace(t *testing.T, inside, kind, command, argument string) {
	t.Helper()
	cmd := exec.Command("unshare", kind, "sh", "-c", command+` && exec "$@"`, argument, os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), inside+"=1")
	out, err := cmd.CombinedOutput()
	switch {
	case !strings.Contains(string(out), "=== RUN"):
		t.Skipf("there can be no such process here: %v: %s", err, out)
	case err != nil:
		t.Errorf("%v: %s", err, out)
	}
}

// TestNetworkOfIPv6AloneLeadsToIPv4 where it translates, by name and address; what is
// closed stays so.
func TestNetworkOfIPv6AloneLeadsToIPv4(t *testing.T) {
	prefix := netip.MustParsePrefix("2a01:4f8:c0c:1234::/96")
	server := startNameServer(t, func(name string, _ int) ([]netip.Addr, dnsmessage.RCode) {
		switch name {
		case translatedName:
			return []netip.Addr{made(prefix, translatedAddresses[0])}, dnsmessage.RCodeSuccess
		case "private.example.":
			return []netip.Addr{netip.MustParseAddr("10.0.0.1")}, dnsmessage.RCodeSuccess
		}
		return []netip.Addr{netip.MustParseAddr("45.6.7.8")}, dnsmessage.RCodeSuccess
	})
	inNetwork(t, func(ip func(string) bool) {
		if !ip("-6 route add local " + prefix.String() + " dev lo") {
			return
		}
		l, err := net.Listen("tcp6", "[::]:80")
		if err != nil {
			t.Error(err)
			return
		}
		defer l.Close()
		e, err := New(Options{Resolver: server.resolver()})
		if err != nil {
			t.Error(err)
			return
		}
		e.guard.machine.pretend(netip.MustParseAddr("192.0.2.1")) // and the translator is another one
		for host, want := range map[string]bool{"name.example": true, "45.6.7.8": true, "private.example": false, "10.0.0.1": false} {
			conn, err := e.Dial(t.Context(), Plain, mustCanonical(t, host+":80"))
			if (err == nil) != want {
				t.Errorf("%s: %v", host, err)
			}
			if err != nil {
				if !errors.As(err, new(*Refused)) {
					t.Errorf("%s: %v", host, err)
				}
				continue
			}
			if to := addrPort(conn.RemoteAddr()).Addr(); !prefix.Contains(to) {
				t.Errorf("%s: by way of %s", host, to)
			}
			conn.Close()
		}
	})
}

// TestAddressesThatLeadNowhereAreNoAnswer: who has no way to IPv4 waits for the addresses
// of IPv6, however late they come.
func TestAddressesThatLeadNowhereAreNoAnswer(t *testing.T) {
	const inside = "GUISE_TEST_NO_ROUTES"
	if os.Getenv(inside) == "" {
		inNamespace(t, inside, "--net", "ip link set lo up", "")
		return
	}
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &nameServer{conn: conn, answer: always("45.6.7.8", "::1"), turns: map[string]int{}, asked: map[string]bool{}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for late := 0; ; { // questions about IPv6
			buffer := make([]byte, 1500)
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			var question dnsmessage.Message
			if err := question.Unpack(buffer[:n]); err != nil {
				t.Error(err)
				return
			}
			if question.Questions[0].Type == dnsmessage.TypeAAAA {
				if late++; late == 1 {
					continue // the answer is lost
				}
			}
			conn.WriteTo(server.reply(buffer[:n]), from)
		}
	}()
	defer func() {
		conn.Close()
		<-done
	}()
	e := newTestEgress(t, Options{Resolver: impatientResolver(t, conn.LocalAddr())})
	addrs, err := e.names.resolve(t.Context(), Target{Host: "name.example", Port: 80})
	if err != nil || !slices.Contains(addrs, netip.MustParseAddr("::1")) {
		t.Errorf("%v, %v", addrs, err)
	}
}

// TestNoPortLeftIsNoFaultOfTheOrigin, in a network that has one.
func TestNoPortLeftIsNoFaultOfTheOrigin(t *testing.T) {
	inNetwork(t, func(func(string) bool) {
		if err := os.WriteFile("/proc/sys/net/ipv4/ip_local_port_range", []byte("40000 40000"), 0); err != nil {
			t.Log("ports cannot be taken away:", err)
			return
		}
		l, err := net.Listen("tcp", "127.0.0.1:80")
		if err != nil {
			t.Error(err)
			return
		}
		defer l.Close()
		e, err := New(Options{Allow: loopback})
		if err != nil {
			t.Error(err)
			return
		}
		target := Target{Host: "127.0.0.1", Addr: netip.MustParseAddr("127.0.0.1"), Port: 80}
		conn, err := e.Dial(t.Context(), Plain, target)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		if another, err := e.Dial(t.Context(), Plain, target); !errors.Is(err, syscall.ENOBUFS) || !Short(err) {
			t.Errorf("%v, %v; want %v", another, err, syscall.ENOBUFS)
		}
	})
}
