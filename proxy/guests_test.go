package proxy

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"guise/proxy/gate"
	"guise/proxy/socks"
	"guise/proxy/wire/http2test"
)

// tunnelAs opens a tunnel to an echo as user, and sees it work.
func tunnelAs(t *testing.T, proxy, echo, user string) *bufio.ReadWriter {
	t.Helper()
	conn := dial(t, proxy)
	io.WriteString(conn, "CONNECT "+echo+" HTTP/1.1\r\nHost: x\r\n"+authorization(user, "secret")+"\r\n\r\n")
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, &http.Request{Method: "CONNECT"})
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%s: %v, %v", user, resp, err)
	}
	return works(t, user, bufio.NewReadWriter(r, bufio.NewWriter(conn)))
}

// works fails the test unless the tunnel to an echo does.
func works(t *testing.T, whose string, rw *bufio.ReadWriter) *bufio.ReadWriter {
	t.Helper()
	rw.WriteString("hello\n")
	rw.Flush()
	if line, err := rw.ReadString('\n'); line != "hello\n" {
		t.Fatalf("the tunnel of %s: %q, %v", whose, line, err)
	}
	return rw
}

// ends fails the test unless the tunnel is cut by itself.
func ends(t *testing.T, whose string, rw *bufio.ReadWriter) {
	t.Helper()
	if _, err := rw.ReadByte(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the tunnel of %s goes on: %v", whose, err)
	}
}

func serveEcho(t *testing.T) *origin {
	t.Helper()
	return serveOrigin(t, func(conn net.Conn, r *bufio.Reader) { io.Copy(conn, r) })
}

// TestTunnelsEndWithTheirUser, by whatever way they came, and no others.
func TestTunnelsEndWithTheirUser(t *testing.T) {
	o := serveEcho(t)
	users := usersFile(t, "secret", "ann", "bob")
	p, address := newProxy(t, func(o *Options) { o.Gate.Authentication, o.Gate.Users = gate.Basic, users })
	p.current.Load().guests.every = 10 * time.Millisecond
	viaSOCKS := func(user string) *bufio.ReadWriter {
		conn := dial(t, serveAs(t, p, Listening{Protocol: SOCKS5}))
		io.WriteString(conn, "\x05\x01\x02"+"\x01"+string(rune(len(user)))+user+"\x06secret"+"\x05\x01\x00\x01\x7f\x00\x00\x01"+string([]byte{byte(portOf(t, o.address) >> 8), byte(portOf(t, o.address))}))
		answer := make([]byte, 2+2+10)
		if _, err := io.ReadFull(conn, answer); err != nil || socks.Code(answer[5]) != socks.Succeeded {
			t.Fatalf("%s: % x, %v", user, answer, err)
		}
		return works(t, user, bufio.NewReadWriter(bufio.NewReader(conn), bufio.NewWriter(conn)))
	}
	ann := []*bufio.ReadWriter{tunnelAs(t, address, o.address, "ann"), tunnelAs(t, address, o.address, "ann+work"), viaSOCKS("ann")}
	bob := []*bufio.ReadWriter{tunnelAs(t, address, o.address, "bob"), viaSOCKS("bob")}
	h2 := http2test.NewClient(t, dial(t, address))
	for stream, user := range []string{"ann", "bob"} {
		_, credentials, _ := strings.Cut(authorization(user, "secret"), ": ")
		h2.Head(uint32(2*stream+1), false, ":method: CONNECT", ":authority: "+o.address, "proxy-authorization: "+credentials)
		if head := h2.Headers(uint32(2*stream + 1)); head.PseudoValue("status") != "200" {
			t.Fatalf("%s over HTTP/2: %v", user, head.Fields)
		}
	}
	if err := gate.RemoveUser(users, "ann"); err != nil {
		t.Fatal(err)
	}
	for _, tunnel := range ann {
		ends(t, "ann", tunnel)
	}
	if reset := h2.Until(func(f http2.Frame) bool { return f.Header().Type == http2.FrameRSTStream }); reset.Header().StreamID != 1 {
		t.Errorf("stream %d was reset, and not that of ann", reset.Header().StreamID)
	}
	for _, tunnel := range bob {
		works(t, "bob", tunnel)
	}
}

// TestTunnelsThatHaveNotBegunEndWithTheirUser: a client that is awaited says nothing more
// once its account is gone.
func TestTunnelsThatHaveNotBegunEndWithTheirUser(t *testing.T) {
	hello := clientHello(t, "localhost")
	for what, judged := range map[string]func(*Options){
		"closed hosts": func(o *Options) { o.Egress.Deny = []string{"*.closed.example"} },
		"TLS alone":    func(o *Options) { o.TunnelTLS = true },
	} {
		o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) { io.Copy(io.Discard, r) })
		users := usersFile(t, "secret", "ann")
		p, address := newProxy(t, func(o *Options) {
			o.Gate.Authentication, o.Gate.Users = gate.Basic, users
			o.Timeouts.Head = 2 * patience
			judged(o)
		})
		p.current.Load().guests.every = 10 * time.Millisecond
		at := fmt.Sprintf("localhost:%d", portOf(t, o.address))
		var tunnels []*bufio.ReadWriter
		for _, early := range []string{"", hello[:1], hello[:len(hello)-1]} {
			conn := dial(t, address)
			io.WriteString(conn, "CONNECT "+at+" HTTP/1.1\r\nHost: x\r\n"+authorization("ann", "secret")+"\r\n\r\n"+early)
			r := bufio.NewReader(conn)
			if resp, err := http.ReadResponse(r, &http.Request{Method: "CONNECT"}); err != nil || resp.StatusCode != 200 {
				t.Fatalf("%s: %v, %v", what, resp, err)
			}
			tunnels = append(tunnels, bufio.NewReadWriter(r, bufio.NewWriter(conn)))
		}
		if err := gate.RemoveUser(users, "ann"); err != nil {
			t.Fatal(err)
		}
		for _, tunnel := range tunnels {
			ends(t, what, tunnel)
		}
		if saw := o.saw(); saw != "" {
			t.Errorf("%s: the origin saw %d bytes", what, len(saw))
		}
	}
}

// TestWebSocketsEndWithTheirUser, who sends nothing on them any more that is asked for.
func TestWebSocketsEndWithTheirUser(t *testing.T) {
	o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
		if _, err := http.ReadRequest(r); err == nil {
			io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
			io.Copy(conn, r)
		}
	})
	users := usersFile(t, "secret", "ann", "bob")
	p, address := newProxy(t, func(o *Options) { o.Gate.Authentication, o.Gate.Users = gate.Basic, users })
	p.current.Load().guests.every = 10 * time.Millisecond
	conn := dial(t, address)
	io.WriteString(conn, "GET http://"+o.address+"/chat HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"+authorization("ann", "secret")+"\r\n\r\n")
	r := bufio.NewReader(conn)
	if resp, err := http.ReadResponse(r, nil); err != nil || resp.StatusCode != 101 {
		t.Fatalf("%v %v", resp, err)
	}
	tunnel := works(t, "ann", bufio.NewReadWriter(r, bufio.NewWriter(conn)))
	if err := gate.RemoveUser(users, "ann"); err != nil {
		t.Fatal(err)
	}
	ends(t, "ann", tunnel)
}

// TestReloadEndsNoTunnel, whatever it says of who may enter, and where to. But whose account
// ends later is out, as before.
func TestReloadEndsNoTunnel(t *testing.T) {
	o := serveEcho(t)
	users := usersFile(t, "secret", "ann", "bob")
	var options Options
	p, address := newProxy(t, func(o *Options) {
		o.Gate.Authentication, o.Gate.Users = gate.Basic, users
		options = *o
	})
	before := p.current.Load().guests
	before.every = 10 * time.Millisecond
	ann, bob := tunnelAs(t, address, o.address, "ann"), tunnelAs(t, address, o.address, "bob")
	options.Gate.Users = filepath.Join(t.TempDir(), "others")
	if err := os.WriteFile(options.Gate.Users, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	options.Gate.Deny = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	options.Egress.Allow = nil
	if err := p.Reload(options); err != nil {
		t.Fatal(err)
	}
	before.judge()
	works(t, "ann", ann)
	works(t, "bob", bob)
	if err := gate.RemoveUser(users, "ann"); err != nil {
		t.Fatal(err)
	}
	ends(t, "ann", ann)
	works(t, "bob", bob)
	p.tunnels.cancel()
	<-p.tunnels.over()
	before.mu.Lock()
	defer before.mu.Unlock()
	if left := len(before.stays); left > 0 {
		t.Errorf("%d tunnels are kept in mind", left)
	}
}

// TestWhoIsShutOutMeanwhileGetsNoTunnel: while the origin was waited for, all others were
// judged.
func TestWhoIsShutOutMeanwhileGetsNoTunnel(t *testing.T) {
	users := usersFile(t, "secret", "ann")
	g, err := gate.New(gate.Options{Authentication: gate.Basic, Users: users}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for user, want := range map[string]error{"ann": nil, "removed": errShutOut} {
		var cut error
		(&guests{gate: g, every: time.Hour}).begins(&stay{pass: g.Pass(gate.Entrant{Account: user}, nil, nil), cut: func(err error) { cut = err }})
		if cut != want {
			t.Errorf("%s: %v", user, cut)
		}
	}
}

// TestOneTellsOfFiles, however many reloads there were since those came who have tunnels.
func TestOneTellsOfFiles(t *testing.T) {
	o := serveEcho(t)
	users := usersFile(t, "secret", "ann")
	begun := time.Now()
	var passed atomic.Int64
	told := make([]atomic.Int32, 3)
	with := func(o *Options, which int) Options {
		o.Gate.Authentication, o.Gate.Users = gate.Basic, users
		o.Gate.Now = func() time.Time { return begun.Add(time.Duration(passed.Load())) }
		o.Gate.Unread = func(error) { told[which].Add(1) }
		return *o
	}
	var options Options
	p, proxy := newProxy(t, func(o *Options) { options = with(o, 0) })
	var gates []*gate.Gate
	for which := range told {
		if err := p.Reload(with(&options, which)); err != nil {
			t.Fatal(err)
		}
		current := p.current.Load()
		current.guests.every = time.Hour
		gates = append(gates, current.gate)
		tunnelAs(t, proxy, o.address, "ann")
	}
	bad := with(&options, 0)
	bad.Egress.Deny = []string{"*"}
	if err := p.Reload(bad); err == nil {
		t.Fatal("a bad configuration was taken")
	}
	if err := os.WriteFile(users, []byte("nobody\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		passed.Add(int64(time.Minute))
		for _, g := range gates {
			g.Version()
		}
	}
	for which, want := range []int32{0, 0, 1} {
		if got := told[which].Load(); got != want {
			t.Errorf("gate %d told %d times of a users file that cannot be used, want %d", which, got, want)
		}
	}
}
