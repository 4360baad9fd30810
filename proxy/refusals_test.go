package proxy

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"guise/proxy/egress"
	"guise/proxy/gate"
	"guise/proxy/wire/http2test"
)

// A badInput is what one client sends, and the one status that it gets. In
// raw, HOST stands for the origin's address and PORT for its port.
type badInput struct {
	raw    string
	status int
}

// each makes inputs of a form in which %s stands for one text each.
func each(form string, status int, texts ...string) []badInput {
	var all []badInput
	for _, text := range texts {
		all = append(all, badInput{strings.Replace(form, "%s", text, 1), status})
	}
	return all
}

const (
	badField  = "GET http://HOST/ HTTP/1.1\r\nHost: HOST\r\n%s\r\n\r\n"
	badLine   = "%s\r\nHost: HOST\r\nConnection: close\r\n\r\n"
	badBody   = "POST http://HOST/ HTTP/1.1\r\nHost: HOST\r\n%s\r\n\r\nhello"
	badTunnel = "CONNECT %s HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n"
)

// malformedInputs go to a proxy that lets everything through to the origin, so
// that what is not refused shows there.
func malformedInputs() map[string][]badInput {
	long := strings.Repeat("a", 70_000)
	return map[string][]badInput{
		"fields": append(each(badField, 400,
			"A : b", "A\t: b", ": b", "A", "A b", " A: b", "\tA: b", "A: b\r\n c", "A: b\r\n\tc", "A: b\rc", "A: b\nC: d", "A: b\x00", "A: \x01", "A: b\x0b", "A: b\x7f",
			"A\x00: b", "A\x7f: b", "A\xff: b", "A(b): c", "A,b: c", "A/b: c", "A;b: c", "A=b: c", "A@b: c", "A[b]: c", "A{b}: c", "A\"b: c", "A\\b: c", "A<b>: c", "A?b: c",
			"Host: HOST", "Host: other", "HoSt: HOST", "host:", "Host : HOST",
		), badInput{"GET http://HOST/ HTTP/1.1\r\n\r\n", 400}, badInput{"GET http://HOST/ HTTP/1.1\r\nHost: a b\r\n\r\n", 400}, badInput{"GET http://HOST/ HTTP/1.1\r\nHost: a,b\r\n\r\n", 400},
			badInput{"GET http://HOST/ HTTP/1.1\r\nHost: HOST\n\n", 400}, badInput{"GET http://HOST/ HTTP/1.1\r\nHost: HOST\r\n\n", 400}),
		"lengths": each(badBody, 400,
			"Content-Length: +5", "Content-Length: -5", "Content-Length: 0x5", "Content-Length: 5,5", "Content-Length: 5, 6", "Content-Length: 5 5", "Content-Length: \"5\"",
			"Content-Length: five", "Content-Length: 5.0", "Content-Length: 5e0", "Content-Length: 5_0", "Content-Length:", "Content-Length: ;", "Content-Length : 5",
			"Content-Length: 18446744073709551621", "Content-Length: 9223372036854775813", "Content-Length: 5\r\nContent-Length: 6", "Content-Length: 6\r\nContent-Length: 5",
			"Content-Length: \x0b5", "Content-Length: 5\x00", "Content-Length: \xd9\xa5", "Content-Length: 5\rX: y", "Content-Length:\r\n 5",
		),
		"codings": each(badBody, 400,
			"Transfer-Encoding: chunked\r\nContent-Length: 5", "Content-Length: 5\r\nTransfer-Encoding: chunked", "Transfer-Encoding: identity\r\nContent-Length: 5",
			"Transfer-Encoding: gzip", "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: chunked, gzip", "Transfer-Encoding: chunked, chunked", "Transfer-Encoding: identity",
			"Transfer-Encoding: xchunked", "Transfer-Encoding: \"chunked\"", "Transfer-Encoding: chunked;q=1", "Transfer-Encoding: chunked\x0b",
			"Transfer-Encoding:", "Transfer-Encoding: chunk\xc5\xbfed", "Transfer-Encoding : chunked", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
			"Transfer-Encoding: cow\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", "Transfer-Encoding\x00: chunked", "Transfer-Encoding: \x00chunked",
		),
		"lines": append(each(badLine, 400,
			"GET http://HOST/", "GET  http://HOST/ HTTP/1.1", "GET http://HOST/  HTTP/1.1", "GET http://HOST/ HTTP/1.1 ", " GET http://HOST/ HTTP/1.1", "GET\thttp://HOST/\tHTTP/1.1",
			"GET http://HOST/ http/1.1", "GET http://HOST/ HTTP/1.1 HTTP/1.1", "GET http://HOST/ HTTP/01.1", "GET http://HOST/ HTTP/1.10", "GET http://HOST/ HTTP/1", "GET http://HOST/ HTTP/1,1",
			"GET http://HOST/a b HTTP/1.1", "GET http://HOST/\x00 HTTP/1.1", "GET http://HOST/\x7f HTTP/1.1", "G\x00T http://HOST/ HTTP/1.1", "G(T http://HOST/ HTTP/1.1", "GET: http://HOST/ HTTP/1.1",
			"GET http://HOST/ HTTP/0.9", "GET http://HOST/ HTTP/2.0", "GET http://HOST/ HTTP/3.0", "GET http://HOST/ SHTTP/1.1", "http://HOST/", "GET", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
			"GET http:///path HTTP/1.1", "GET http:// HTTP/1.1", "GET ftp://HOST/ HTTP/1.1", "GET file:///etc/passwd HTTP/1.1", "GET gopher://HOST/ HTTP/1.1",
			"GET http://HOST:/../ HTTP/9.9",
		), badInput{"GET http://HOST/" + long + " HTTP/1.1\r\nHost: HOST\r\n\r\n", 414}, badInput{"TRACE http://HOST/ HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n", 405},
			badInput{"OPTIONS http://HOST/ HTTP/1.1\r\nHost: HOST\r\nMax-Forwards: 0\r\nConnection: close\r\n\r\n", 204}),
		"tunnels": each(badTunnel, 400,
			"http://HOST/", "/", "HOST/", "127.0.0.1", "127.0.0.1:", ":PORT", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:+PORT", "127.0.0.1:PORTx", "127.0.0.1:PORT:PORT",
			"user@HOST", "[::1:PORT", "::1:PORT", "[::1%25lo]:PORT", "[fe80::1%lo]:PORT", "a..b:PORT", "256.0.0.1:PORT", "1.2.3.4.5:PORT", "0x100000000:PORT", "a b:PORT", "[127.0.0.1]:PORT",
			"*:PORT", "[]:PORT", "%31:PORT/",
		),
		"sizes": {
			{"GET http://HOST/ HTTP/1.1\r\nHost: HOST\r\nA: " + long + "\r\n\r\n", 431},
			{"GET http://HOST/ HTTP/1.1\r\nHost: HOST\r\n" + strings.Repeat("A: b\r\n", 5000) + "\r\n", 431},
			{"POST http://HOST/ HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5\r\nExpect: something\r\n\r\nhello", 417},
		},
		"slow clients": {
			{"", 408}, {"G", 408}, {"GET http://HOST/ HTTP/1.1", 408}, {"GET http://HOST/ HTTP/1.1\r\n", 408}, {"GET http://HOST/ HTTP/1.1\r\nHost: HOST\r\nA: b", 408}, {"\r\n", 408},
		},
	}
}

// closedTargets lead to the origin, to this machine, to its neighbours or to
// what a cloud tells its machines; the guard knows them in every form.
var closedTargets = []string{
	"127.0.0.1", "127.1", "127.0.1", "0x7f.1", "0x7f000001", "2130706433", "017700000001", "0177.0.0.1", "0177.0.0.01", "127.000.000.001", "127.0.0.1.", "127.255.255.254", "0.0.0.0", "0", "0x0",
	"localhost", "LocalHost", "localhost.", "a.localhost", "ip6-localhost",
	"[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[::ffff:0:127.0.0.1]", "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::127.0.0.1]",
	"[2002:7f00:1::]", "[2001:0:0:0:0:0:80ff:fffe]", "[fe80::1]", "[fec0::1]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]", "[2001:db8::1]", "[100::1]",
	"10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.100.100.200", "100.64.0.1", "192.0.0.192", "168.63.129.16", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1",
	"255.255.255.255", "metadata.google.internal", "metadata", "instance-data",
}

// noTargets are forms of 127.0.0.1 that no client has a reason to send: a host
// is ASCII on the wire (RFC 9112 §3.2).
var noTargets = []string{"\uff11\uff12\uff17.0.0.1", "127\u30020\u30020\u30021", "%31%32%37.0.0.1", "127.0.0.1\x00", "\u24db\u24de\u24d2alhost", "[::1%25lo]", "[::ffff:127.0.0.1%25lo]"}

// TestBadInput: each gets one exact answer, the connection ends, and the
// origin sees nothing.
func TestBadInput(t *testing.T) {
	o := serveOrigin(t, answer(hello))
	open := serveProxy(t, nil)
	hasty := serveProxy(t, func(o *Options) { o.Timeouts.Head = 500 * time.Millisecond })
	cases := 0
	for group, inputs := range malformedInputs() {
		t.Run(group, func(t *testing.T) {
			for _, in := range inputs {
				cases++
				if in.status == 408 {
					refusedExactly(t, hasty, o, in)
				} else {
					refusedExactly(t, open, o, in)
				}
			}
		})
	}
	guarded := serveProxy(t, func(o *Options) {
		o.Egress.Allow = nil
		o.Egress.Ports = []egress.PortRange{{First: 1, Last: 65535}}
		o.Egress.ConnectPorts = o.Egress.Ports
	})
	for _, form := range []string{"CONNECT %s:PORT HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "GET http://%s:PORT/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"} {
		t.Run(form[:3]+" past the guard", func(t *testing.T) {
			for _, in := range append(each(form, 403, closedTargets...), each(form, 400, noTargets...)...) {
				cases++
				refusedExactly(t, guarded, o, in)
			}
		})
	}
	if cases < 150 {
		t.Errorf("%d cases, want at least 150", cases)
	}
	t.Logf("%d cases", cases)
}

// refusedExactly sends in and wants one answer with its status, of ours, on a
// connection that ends then.
func refusedExactly(t *testing.T, proxy string, o *origin, in badInput) {
	t.Helper()
	_, port, _ := net.SplitHostPort(o.address)
	raw := strings.NewReplacer("HOST", o.address, "PORT", port).Replace(in.raw)
	conn := dial(t, proxy)
	defer conn.Close()
	io.WriteString(conn, raw)
	all, err := io.ReadAll(conn)
	what := fmt.Sprintf("%.90q", in.raw)
	if in.raw == "" || in.status == 408 && len(raw) < 3 {
		// A client that has not asked for anything gets no answer, or a 408.
		if len(all) > 0 && !bytes.HasPrefix(all, []byte("HTTP/1.1 408 ")) || err != nil {
			t.Errorf("%s: got %.60q, %v", what, all, err)
		}
		return
	}
	r := bufio.NewReader(bytes.NewReader(all))
	resp, parseErr := http.ReadResponse(r, nil)
	if parseErr != nil || err != nil {
		t.Errorf("%s: got %.60q, %v", what, all, err)
		return
	}
	io.Copy(io.Discard, resp.Body)
	if resp.StatusCode != in.status {
		t.Errorf("%s: got %d, want %d", what, resp.StatusCode, in.status)
	}
	if rest, _ := io.ReadAll(r); len(rest) > 0 {
		t.Errorf("%s: more than one answer: %.60q", what, rest)
	}
	if saw := o.saw(); saw != "" {
		t.Errorf("%s: the origin saw %q", what, saw)
		o.mu.Lock()
		o.got.Reset()
		o.mu.Unlock()
	}
}

// TestBadHTTP2Input: one exact answer on the stream, be it a status or a reset
// with an error code, and the origin sees nothing.
func TestBadHTTP2Input(t *testing.T) {
	o := serveOrigin(t, answer(hello))
	proxy := serveProxy(t, nil)
	get := func(fields ...string) []string {
		return append([]string{":method: GET", ":scheme: http", ":authority: " + o.address, ":path: /"}, fields...)
	}
	for what, c := range map[string]struct {
		lines []string
		want  string
	}{
		"connection":           {get("connection: close"), "PROTOCOL_ERROR"},
		"keep-alive":           {get("keep-alive: 1"), "PROTOCOL_ERROR"},
		"transfer-encoding":    {get("transfer-encoding: chunked"), "PROTOCOL_ERROR"},
		"upgrade":              {get("upgrade: websocket"), "PROTOCOL_ERROR"},
		"te":                   {get("te: gzip"), "PROTOCOL_ERROR"},
		"upper case":           {get("X-Upper: a"), "PROTOCOL_ERROR"},
		"CR in a value":        {get("a: b\rc"), "PROTOCOL_ERROR"},
		"LF in a value":        {get("a: b\nc: d"), "PROTOCOL_ERROR"},
		"NUL in a value":       {get("a: b\x00c"), "PROTOCOL_ERROR"},
		"colon in a name":      {get("a:b: c"), "PROTOCOL_ERROR"},
		"space in a name":      {get("a b: c"), "PROTOCOL_ERROR"},
		"late pseudo":          {append(get("a: b"), ":path: /other"), "PROTOCOL_ERROR"},
		"two methods":          {get()[:1:1], ""},
		"unknown pseudo":       {get(":unknown: a"), "PROTOCOL_ERROR"},
		"no path":              {[]string{":method: GET", ":scheme: http", ":authority: " + o.address}, "PROTOCOL_ERROR"},
		"no scheme":            {[]string{":method: GET", ":authority: " + o.address, ":path: /"}, "PROTOCOL_ERROR"},
		"no method":            {[]string{":scheme: http", ":authority: " + o.address, ":path: /"}, "PROTOCOL_ERROR"},
		"path with space":      {[]string{":method: GET", ":scheme: http", ":authority: " + o.address, ":path: /a b"}, "PROTOCOL_ERROR"},
		"smuggled line":        {[]string{":method: GET", ":scheme: http", ":authority: " + o.address, ":path: / HTTP/1.1\r\nHost: x\r\n\r\nGET /smuggled"}, "PROTOCOL_ERROR"},
		"smuggled method":      {[]string{":method: GET / HTTP/1.1\r\nA: b", ":scheme: http", ":authority: " + o.address, ":path: /"}, "PROTOCOL_ERROR"},
		"CONNECT with a path":  {[]string{":method: CONNECT", ":scheme: http", ":authority: " + o.address, ":path: /"}, "PROTOCOL_ERROR"},
		"length without bytes": {get("content-length: 5"), "PROTOCOL_ERROR"},
		"two lengths":          {get("content-length: 0", "content-length: 1"), "PROTOCOL_ERROR"},
		"host differs":         {get("host: other.example"), "PROTOCOL_ERROR"},
		"another scheme":       {[]string{":method: GET", ":scheme: ftp", ":authority: " + o.address, ":path: /"}, "400"},
		"CONNECT, no port":     {[]string{":method: CONNECT", ":authority: 127.0.0.1"}, "PROTOCOL_ERROR"},
		"TRACE":                {append([]string{":method: TRACE"}, get()[1:]...), "405"},
	} {
		if c.want == "" {
			c.lines, c.want = append([]string{":method: GET"}, get()...), "PROTOCOL_ERROR"
		}
		t.Run(what, func(t *testing.T) {
			client := http2test.NewClient(t, dial(t, proxy))
			client.Head(1, true, c.lines...)
			got := client.Outcome(1)
			got = got[strings.LastIndexByte(got, ' ')+1:] // the code alone: reset or goaway
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if saw := o.saw(); saw != "" {
				t.Errorf("the origin saw %q", saw)
			}
		})
	}
}

// TestSlowClientsHoldNoMoreThanTheirShare: heads, bodies and readers that
// dawdle use up their own client's connections and nobody else's.
func TestSlowClientsHoldNoMoreThanTheirShare(t *testing.T) {
	big := strings.Repeat("x", 8<<20)
	o := serveOrigin(t, answerBy(func(r *http.Request) string {
		if r.URL.Path == "/big" {
			return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(big), big)
		}
		return hello
	}))
	for wait := 2 * time.Second; !slowClientsAreHeld(t, o.address, wait); wait *= 2 {
		if wait > patience {
			t.Fatal("this machine is too slow to tell")
		}
	}
}

// slowClientsAreHeld lets clients dawdle for wait. It returns false if that was over
// before all had come.
func slowClientsAreHeld(t *testing.T, origin string, wait time.Duration) bool {
	const share = 6
	proxy := serveProxy(t, func(o *Options) {
		o.Gate.Networks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		o.Gate.Client.Connections = share
		o.Timeouts.Write, o.Timeouts.Body, o.Timeouts.Head = wait, wait, wait
	})
	began := time.Now()
	slow := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP("127.0.7.7")}, Timeout: patience}
	var held []net.Conn
	for i := range share {
		conn, err := slow.Dial("tcp", proxy)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(patience))
		conn.(*net.TCPConn).SetReadBuffer(4 << 10)
		io.WriteString(conn, []string{
			"GET http://" + origin + "/ HTTP/1.1\r\nHost: x\r\nA: ",
			"POST http://" + origin + "/ HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nslow",
			"GET http://" + origin + "/big HTTP/1.1\r\nHost: x\r\n\r\n",
		}[i%3])
		held = append(held, conn)
	}
	extra, err := slow.Dial("tcp", proxy)
	if err != nil {
		t.Fatal(err)
	}
	defer extra.Close()
	extra.SetDeadline(time.Now().Add(patience))
	if got, _ := io.ReadAll(extra); !strings.HasPrefix(string(got), "HTTP/1.1 429 ") {
		if time.Since(began) >= wait {
			return false
		}
		t.Errorf("one more of the slow client: %.40q", got)
	}
	if resp, _ := get(t, proxy, "http://"+origin+"/"); resp.StatusCode != 200 {
		t.Errorf("another client: %d", resp.StatusCode)
	}
	for i, conn := range held {
		if i%3 == 2 {
			continue // it does not read, so that it cannot see the end
		}
		if got, _ := io.ReadAll(conn); !strings.HasPrefix(string(got), "HTTP/1.1 408 ") {
			t.Errorf("slow connection %d: %.40q, want a 408", i, got)
		}
	}
	for begin := time.Now(); ; {
		var got []byte
		conn, err := slow.Dial("tcp", proxy)
		if err == nil { // else it comes too often, and was reset at once
			conn.SetDeadline(time.Now().Add(patience))
			io.WriteString(conn, "GET http://"+origin+"/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
			got, _ = io.ReadAll(conn)
			conn.Close()
		}
		if strings.HasPrefix(string(got), "HTTP/1.1 200 ") {
			return true
		}
		if time.Since(begin) > patience {
			t.Fatalf("the slow client's share does not come back: %.40q", got)
		}
	}
}

// TestContentOfTheRefusedIsNotHeld: a client that is not let in can leave its answers unread,
// or wait for them, on hundreds of streams at once, each with all content that it may send.
func TestContentOfTheRefusedIsNotHeld(t *testing.T) {
	const streams, window = 200, 64 << 10 // some are answered at once, others wait
	c := http2test.NewClient(t, dial(t, serveProxy(t, withUsers(t))))
	c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	before := held().heap
	piece := make([]byte, window/4)
	for i := range streams {
		stream := uint32(2*i + 1)
		c.Head(stream, false, ":method: POST", ":scheme: http", ":authority: origin.example", ":path: /")
		for range window / len(piece) {
			c.WriteData(stream, false, piece)
		}
	}
	c.WritePing(false, [8]byte{})
	c.Until(func(f http2.Frame) bool { // all that came before was read
		ping, ok := f.(*http2.PingFrame)
		return ok && ping.IsAck()
	})
	until(t, "content is let go", func() bool { return held().heap < before+streams*window/2 })
}

// TestNoRefusalWaitsWhileRoomIsShort: neither for its turn, nor for a client that does not
// take it.
func TestNoRefusalWaitsWhileRoomIsShort(t *testing.T) {
	var used atomic.Int64
	pressure := gate.Watch(gate.PressureOptions{
		Every:       time.Millisecond,
		Memory:      func() (int64, int64) { return used.Load(), 100 },
		Descriptors: func() (int64, int64) { return 0, 0 },
	})
	defer pressure.Close()
	now := time.Now()
	proxy := serveProxy(t, func(o *Options) {
		o.Gate.Now = func() time.Time { return now }
		o.Pressure = pressure
	})
	c := http2test.NewClient(t, dial(t, proxy))
	c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	c.WritePing(false, [8]byte{})
	c.Until(func(f http2.Frame) bool {
		ping, ok := f.(*http2.PingFrame)
		return ok && ping.IsAck()
	})
	used.Store(99)
	until(t, "memory is short", pressure.Short)
	ask := func(stream uint32) string {
		c.Head(stream, true, ":method: GET", ":scheme: http", ":authority: origin.example", ":path: /")
		return c.Outcome(stream)
	}
	if got := ask(1); got != "503" {
		t.Fatalf("the first request: %s", got)
	}
	if got := c.Outcome(1); got != "reset CANCEL" {
		t.Errorf("its answer, which the client does not take: %s", got)
	}
	last := ""
	for stream := uint32(3); stream < 250; stream += 2 {
		last = ask(stream)
	}
	if last != "reset INTERNAL_ERROR" {
		t.Errorf("one after too many: %s", last)
	}
}
