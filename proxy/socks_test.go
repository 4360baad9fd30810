package proxy

import (
	"bufio"
	"encoding/base64"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"guise/proxy/gate"
	"guise/proxy/socks"
	"guise/proxy/telemetry"
)

// socksDial says over SOCKS where to go, and returns the connection and the
// code of the answer.
func socksDial(t *testing.T, address, host string, port int) (*net.TCPConn, socks.Code) {
	t.Helper()
	conn := dial(t, address)
	request := "\x05\x01\x00" + "\x05\x01\x00"
	if ip, err := netip.ParseAddr(host); err != nil {
		request += "\x03" + string(rune(len(host))) + host
	} else if ip.Is4() {
		request += "\x01" + string(ip.AsSlice())
	} else {
		request += "\x04" + string(ip.AsSlice())
	}
	request = string(binary.BigEndian.AppendUint16([]byte(request), uint16(port)))
	io.WriteString(conn, request)
	answer := make([]byte, 2+10)
	if _, err := io.ReadFull(conn, answer); err != nil {
		t.Fatalf("SOCKS to %s: %v", host, err)
	}
	return conn, socks.Code(answer[3])
}

func portOf(t *testing.T, address string) int {
	t.Helper()
	return int(netip.MustParseAddrPort(address).Port())
}

// TestSOCKSTunnel: other ports than 80 are bytes, both ways, with two halves.
func TestSOCKSTunnel(t *testing.T) {
	o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
		all, _ := io.ReadAll(r)
		io.WriteString(conn, "after the end: "+string(all))
	})
	p, _ := newProxy(t, nil)
	address := serveAs(t, p, Listening{Protocol: SOCKS5})
	for _, host := range []string{"127.0.0.1", "localhost", "::ffff:127.0.0.1"} {
		conn, code := socksDial(t, address, host, portOf(t, o.address))
		if code != socks.Succeeded {
			t.Errorf("%s: code %d", host, code)
			continue
		}
		io.WriteString(conn, "bytes")
		conn.CloseWrite()
		if got, err := io.ReadAll(conn); string(got) != "after the end: bytes" {
			t.Errorf("%s: got %q, %v", host, got, err)
		}
	}
}

func TestSOCKSRefusals(t *testing.T) {
	free := func(o *Options) {}
	guarded := func(o *Options) { o.Egress.Allow, o.Egress.ConnectPorts, o.Egress.Ports = nil, nil, nil }
	for _, c := range []struct {
		what, host string
		port       int
		edit       func(*Options)
		code       socks.Code
	}{
		{"closed port", "127.0.0.1", portOf(t, refusing(t)), free, socks.ConnectionRefused},
		{"private address", "127.0.0.1", 443, guarded, socks.NotAllowed},
		{"private address, web", "127.0.0.1", 80, guarded, socks.NotAllowed},
		{"private address in IPv6", "::ffff:7f00:1", 443, guarded, socks.NotAllowed},
		{"port that is not open", "192.0.2.1", 25, guarded, socks.NotAllowed},
		{"name of this machine", "localhost", 443, guarded, socks.NotAllowed},
		{"number for a name", "0x7f.1", 443, guarded, socks.NotAllowed},
		{"name that cannot be", "a b", 443, free, socks.Failed},
		{"empty name", "", 443, free, socks.Failed},
		{"port 0", "192.0.2.1", 0, free, socks.Failed},
		{"unknown name", "no-such-host.invalid", 443, free, socks.HostUnreachable},
	} {
		t.Run(c.what, func(t *testing.T) {
			p, _ := newProxy(t, c.edit)
			conn, code := socksDial(t, serveAs(t, p, Listening{Protocol: SOCKS5}), c.host, c.port)
			if code != c.code {
				t.Errorf("code %d, want %d", code, c.code)
			}
			if _, err := conn.Read(make([]byte, 1)); err != io.EOF && err != syscall.ECONNRESET && !strings.Contains(err.Error(), "reset") {
				t.Errorf("the connection stays open: %v", err)
			}
		})
	}
}

// TestSOCKSWebGoesThroughTheFilters: a request in a SOCKS connection to port 80
// is one like any other.
func TestSOCKSWebGoesThroughTheFilters(t *testing.T) {
	w, hop := serveWeb(t) // every name leads there, port 80 too
	p, _ := newProxy(t, func(o *Options) { o.Egress.Chain = append(o.Egress.Chain, hop) })
	address := serveAs(t, p, Listening{Protocol: SOCKS5})
	for _, c := range []struct{ what, target, raw, status string }{
		{"origin form", "site.example", "GET /p HTTP/1.1\r\nHost: site.example\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n", "200"},
		{"port in Host", "port.example", "GET / HTTP/1.1\r\nHost: port.example:80\r\n\r\n", "200"},
		{"absolute form", "abs.example", "GET http://abs.example/ HTTP/1.1\r\nHost: abs.example\r\n\r\n", "200"},
		{"name in another case", "case.example", "GET / HTTP/1.1\r\nHost: CASE.example.\r\n\r\n", "200"},
		{"address that the client looked up", "8.8.8.8", "GET / HTTP/1.1\r\nHost: looked-up.example\r\n\r\n", "200"},
		{"no Host", "old.example", "GET / HTTP/1.0\r\n\r\n", "200"},
		{"no Host but an address", "8.8.8.8", "GET / HTTP/1.0\r\n\r\n", "200"},
		{"other host", "site.example", "GET / HTTP/1.1\r\nHost: other.example\r\n\r\n", "421"},
		{"other host in absolute form", "site.example", "GET http://other.example/ HTTP/1.1\r\nHost: site.example\r\n\r\n", "421"},
		{"other port", "site.example", "GET / HTTP/1.1\r\nHost: site.example:81\r\n\r\n", "421"},
		{"other address", "8.8.8.8", "GET / HTTP/1.1\r\nHost: 8.8.4.4\r\n\r\n", "421"},
		{"https URL", "site.example", "GET https://site.example:80/ HTTP/1.1\r\nHost: site.example\r\n\r\n", "421"},
		{"CONNECT", "site.example", "CONNECT site.example:80 HTTP/1.1\r\nHost: site.example:80\r\n\r\n", "400"},
		{"no HTTP", "site.example", "\x16\x03\x01\x00\x00\r\n\r\n", "400"},
		{"own page", "site.example", "GET /proxy.pac HTTP/1.1\r\nHost: site.example\r\n\r\n", "200"},
		{"the whole server", "server.example", "OPTIONS * HTTP/1.1\r\nHost: server.example\r\n\r\n", "200"},
	} {
		t.Run(c.what, func(t *testing.T) {
			conn, code := socksDial(t, address, c.target, 80)
			if code != socks.Succeeded {
				t.Fatalf("code %d", code)
			}
			io.WriteString(conn, c.raw)
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			if resp.Status[:3] != c.status {
				t.Errorf("status %s, want %s", resp.Status, c.status)
			}
		})
	}
	var asked []string
	for _, r := range append(w.requests("site.example"), w.requests("server.example")...) {
		if r.Header.Get("X-Forwarded-For") != "" {
			t.Error("the request was not filtered")
		}
		asked = append(asked, r.RequestURI)
	}
	if !slices.Equal(asked, []string{"http://site.example/p", "http://site.example/proxy.pac", "http://server.example"}) {
		t.Errorf("the origins were asked for %q", asked)
	}
	if len(w.requests("site.example")) != 2 || len(w.requests("looked-up.example")) != 1 || len(w.requests("old.example")) != 1 || len(w.requests("other.example")) != 0 {
		t.Errorf("the origins saw %d, %d, %d requests", len(w.requests("site.example")), len(w.requests("looked-up.example")), len(w.requests("other.example")))
	}
}

func TestCurlOverSOCKS(t *testing.T) {
	o := serveOrigin(t, answer(helloResponse))
	_, hop := serveWeb(t)
	p, _ := newProxy(t, nil)
	chained, _ := newProxy(t, func(o *Options) { o.Egress.Chain = append(o.Egress.Chain, hop) })
	if got := curl(t, "--socks5-hostname", serveAs(t, p, Listening{Protocol: SOCKS5}), "http://localhost:"+strings.TrimPrefix(o.address, "127.0.0.1:")+"/"); got != "hello" {
		t.Errorf("got %q", got)
	}
	address := serveAs(t, chained, Listening{Protocol: SOCKS5})
	for _, url := range []string{"http://plain.example/", "https://secure.example/"} {
		if got := curl(t, "--insecure", "--socks5-hostname", address, url); !strings.Contains(got, "it works") {
			t.Errorf("%s: got %q", url, got)
		}
	}
}

// TestSOCKSUnsupportedCommands get an answer that says so.
func TestSOCKSUnsupportedCommands(t *testing.T) {
	p, _ := newProxy(t, nil)
	address := serveAs(t, p, Listening{Protocol: SOCKS5})
	for _, command := range []string{"\x02", "\x03"} {
		conn := dial(t, address)
		io.WriteString(conn, "\x05\x01\x00\x05"+command+"\x00\x01\x00\x00\x00\x00\x00\x00")
		if got, _ := io.ReadAll(conn); len(got) != 12 || got[3] != byte(socks.BadCommand) {
			t.Errorf("command %q: %q", command, got)
		}
	}
}

// TestSOCKSCredentials: who must show a password over HTTP must do so here,
// and what is in the connection is that user's.
func TestSOCKSCredentials(t *testing.T) {
	users := usersFile(t, "secret", "me")
	_, hop := serveWeb(t)
	metrics := telemetry.New()
	p, _ := newProxy(t, func(o *Options) {
		o.Gate.Authentication, o.Gate.Users, o.Metrics = gate.Basic, users, metrics
		o.Egress.Chain = append(o.Egress.Chain, hop)
	})
	address := serveAs(t, p, Listening{Protocol: SOCKS5})
	for _, url := range []string{"http://plain.example/", "https://secure.example/"} {
		if got := curl(t, "--insecure", "--socks5-hostname", address, "--proxy-user", "me:secret", url); !strings.Contains(got, "it works") {
			t.Errorf("%s: got %q", url, got)
		}
		for _, wrong := range [][]string{nil, {"--proxy-user", "me:wrong"}, {"--proxy-user", "you:secret"}} {
			args := append([]string{"--silent", "--insecure", "--noproxy", "", "--socks5-hostname", address, url}, wrong...)
			if out, err := exec.Command("curl", args...).Output(); err == nil {
				t.Errorf("%s with %q: got %q", url, wrong, out)
			}
		}
	}
	if told := metricsText(t, metrics); !strings.Contains(told, `guise_refused_total{reason="credentials"} 6`) {
		t.Error("the metrics do not count who was refused")
	}
}

// TestSOCKSRefusalsAreCounted where the web is spoken as elsewhere.
func TestSOCKSRefusalsAreCounted(t *testing.T) {
	metrics := telemetry.New()
	p, _ := newProxy(t, func(o *Options) { o.Egress.Allow, o.Metrics = nil, metrics })
	address := serveAs(t, p, Listening{Protocol: SOCKS5})
	for _, port := range []int{80, 443} {
		if _, code := socksDial(t, address, "10.0.0.1", port); code != socks.NotAllowed {
			t.Errorf("port %d: code %d", port, code)
		}
	}
	if told := metricsText(t, metrics); !strings.Contains(told, `guise_errors_total{type="http_request_denied"} 2`) {
		t.Errorf("the metrics do not count both:\n%s", told)
	}
}

// TestSOCKSRefusalIsRead by a client that sends on without waiting for it:
// what it sent must not reset the connection.
func TestSOCKSRefusalIsRead(t *testing.T) {
	p, _ := newProxy(t, nil)
	address := serveAs(t, p, Listening{Protocol: SOCKS5})
	for name, request := range map[string]string{
		"udp":          "\x05\x01\x00\x05\x03\x00\x01\x7f\x00\x00\x01\x01\xbb",
		"address type": "\x05\x01\x00\x05\x01\x00\x09\x7f\x00\x00\x01\x01\xbb",
		"private":      "\x05\x01\x00\x05\x01\x00\x01\x0a\x00\x00\x01\x01\xbb",
	} {
		conn := dial(t, address)
		io.WriteString(conn, request+strings.Repeat("early ", 100))
		conn.CloseWrite()
		got, err := io.ReadAll(conn)
		if err != nil || len(got) < 4 || got[2] != 5 || got[3] == 0 {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// TestSOCKSListenerTellsWhoSpeaksHTTP: a program that takes it for an HTTP proxy reads
// what it is, also while it sends on.
func TestSOCKSListenerTellsWhoSpeaksHTTP(t *testing.T) {
	p, _ := newProxy(t, nil)
	address := serveAs(t, p, Listening{Protocol: SOCKS5})
	for _, request := range []string{
		"GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n",
		"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n",
		"POST http://a.example/ HTTP/1.1\r\nHost: a.example\r\nContent-Length: 60000\r\n\r\n" + strings.Repeat("early ", 10000),
	} {
		conn := dial(t, address)
		io.WriteString(conn, request)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%.20q: %v", request, err)
			continue
		}
		text, err := io.ReadAll(resp.Body)
		if err != nil || resp.Status != "400 SOCKS wanted" || !strings.Contains(string(text), "socks5://") {
			t.Errorf("%.20q: %s, %q, %v", request, resp.Status, text, err)
		}
	}
}

// TestSOCKSFailureIsToldHoweverLate it comes: the limit on what the client says is
// none on what it is told.
func TestSOCKSFailureIsToldHoweverLate(t *testing.T) {
	silent := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) { io.Copy(io.Discard, r) })
	p, _ := newProxy(t, func(o *Options) {
		o.Egress.Chain = []*url.URL{{Scheme: "http", Host: silent.address}}
		o.Timeouts.Head, o.Timeouts.Connect = 200*time.Millisecond, 300*time.Millisecond
	})
	if _, code := socksDial(t, serveAs(t, p, Listening{Protocol: SOCKS5}), "a.example", 443); code != socks.TimedOut {
		t.Errorf("code %d, want %d", code, socks.TimedOut)
	}
}

// TestSOCKSNamesHaveNoColon: in the form that the gate reads, what stands behind one
// would be a part of the password (RFC 7617 §2), and the name another account's.
func TestSOCKSNamesHaveNoColon(t *testing.T) {
	users := usersFile(t, "x:y", "ann")
	p, _ := newProxy(t, func(o *Options) { o.Gate.Authentication, o.Gate.Users = gate.Basic, users })
	enters := new(viaSOCKS).authenticator(t.Context(), p.current.Load(), netip.MustParseAddr("127.0.0.1"))
	if enters("ann:x", "y") {
		t.Error("another name enters")
	}
	if !enters("ann", "x:y") {
		t.Error("the name itself does not")
	}
}

// TestSOCKSPasswordIsShownOnce: what it was right for holds for all that the connection asks
// for, as over HTTP, though others behind the same address guess on.
func TestSOCKSPasswordIsShownOnce(t *testing.T) {
	users := usersFile(t, "secret", "me")
	_, hop := serveWeb(t)
	for _, url := range []string{"http://plain.example/", "https://secure.example/"} {
		begun := time.Now()
		var passed atomic.Int64
		p, _ := newProxy(t, func(o *Options) {
			o.Gate.Authentication, o.Gate.Users = gate.Basic, users
			o.Gate.Now = func() time.Time { return begun.Add(time.Duration(passed.Load())) }
			o.Egress.Chain = append(o.Egress.Chain, hop)
		})
		guess := func(password string) {
			proof := "Basic " + base64.StdEncoding.EncodeToString([]byte("you:"+password))
			p.current.Load().gate.Enter(t.Context(), netip.MustParseAddr("127.0.0.1"), nil, []string{proof})
		}
		for i := range 2000 { // until nothing more of theirs is looked up
			guess(strconv.Itoa(i))
		}
		for _, at := range []time.Duration{1300, 2200, 3250} { // so that it stays so until the next guess of anybody is judged
			passed.Store(int64(at * time.Millisecond))
			guess(at.String())
		}
		passed.Store(int64(3350 * time.Millisecond))
		if got := curl(t, "--insecure", "--socks5-hostname", serveAs(t, p, Listening{Protocol: SOCKS5}), "--proxy-user", "me:secret", url); !strings.Contains(got, "it works") {
			t.Errorf("%s: got %q", url, got)
		}
	}
}

// TestSOCKSClientsWhoseAccountIsGoneAreCut: what comes in the connection is for an origin in
// its client's eyes, and no origin asks for credentials of a proxy.
func TestSOCKSClientsWhoseAccountIsGoneAreCut(t *testing.T) {
	users := usersFile(t, "secret", "me", "you")
	_, hop := serveWeb(t)
	begun := time.Now()
	var passed atomic.Int64
	p, _ := newProxy(t, func(o *Options) {
		o.Gate.Authentication, o.Gate.Users = gate.Basic, users
		o.Gate.Now = func() time.Time { return begun.Add(time.Duration(passed.Load())) }
		o.Egress.Chain = append(o.Egress.Chain, hop)
	})
	conn := dial(t, serveAs(t, p, Listening{Protocol: SOCKS5}))
	io.WriteString(conn, "\x05\x01\x02"+"\x01\x02me\x06secret"+"\x05\x01\x00\x03\x0dplain.example\x00\x50")
	if _, err := io.ReadFull(conn, make([]byte, 2+2+10)); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	get := func() (*http.Response, error) {
		io.WriteString(conn, "GET / HTTP/1.1\r\nHost: plain.example\r\n\r\n")
		return http.ReadResponse(r, nil)
	}
	resp, err := get()
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%v, %v", resp, err)
	}
	io.Copy(io.Discard, resp.Body)
	if err := gate.RemoveUser(users, "me"); err != nil {
		t.Fatal(err)
	}
	passed.Store(int64(time.Minute)) // when the file is looked at again
	if resp, err := get(); err == nil {
		t.Errorf("answered with %s, %q", resp.Status, resp.Header["Proxy-Authenticate"])
	}
}
