package proxy

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"guise/cache"
	"guise/proxy/egress"
	"guise/proxy/gate"
	"guise/proxy/telemetry"
)

// A lockedBuffer is written by many and read by one.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// canaryClient is the address that the client with the canaries comes from.
const canaryClient = "127.0.9.9"

// asCanary sends raw from canaryClient and reads until the connection ends.
func asCanary(t *testing.T, proxy, raw string) string {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(canaryClient)}, Timeout: patience}
	conn, err := dialer.Dial("tcp", proxy)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	io.WriteString(conn, raw)
	if half, ok := conn.(*net.TCPConn); ok && (strings.HasPrefix(raw, "CONNECT") || strings.Contains(raw, "canary-frame")) {
		half.CloseWrite()
	}
	got, _ := io.ReadAll(conn)
	return string(got)
}

// metricsText is what the operator's tools get.
func metricsText(t *testing.T, m *telemetry.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler(func() bool { return true }).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("metrics: %d", w.Code)
	}
	return w.Body.String()
}

// TestNothingOfAClientIsWrittenDown feeds canaries (address, user, password,
// method, host, path, query, fields, cookie, body) through every way a
// request can go and fail, with all logs on, and looks for them in the logs,
// the metrics and the pages that another client gets.
func TestNothingOfAClientIsWrittenDown(t *testing.T) {
	users := usersFile(t, "canary-password", "canary-user", "other")
	origin := func(script string) string {
		return serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			io.Copy(io.Discard, req.Body)
			io.WriteString(conn, script)
			if strings.Contains(script, " 101 ") {
				io.Copy(conn, r)
			}
		}).address
	}
	fine := origin("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nX-Canary: canary-answer\r\nProxy-Status: canary-proxy;error=canary_error\r\nContent-Length: 13\r\n\r\ncanary-answer")

	closed := refusing(t)
	var log lockedBuffer
	metrics := telemetry.New()
	p, proxy := newProxy(t, func(o *Options) {
		o.Gate.Authentication, o.Gate.Users = gate.Basic, users
		o.Gate.Client = gate.Limits{Tunnels: 2, Daily: 1 << 30, Connections: 50}
		o.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: true}))
		o.LogRequests, o.Metrics = true, metrics
		o.Timeouts.Response, o.Timeouts.Head = time.Second, time.Second
		o.Egress.Deny = []string{"canary-denied.example"}
		o.Egress.ConnectPorts = []egress.PortRange{{First: 1, Last: 65535}}
	})
	p.console = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { panic("canary-panic " + r.URL.Path) })

	fields := "Host: canary-host.example\r\nConnection: close\r\nX-Canary: canary-field\r\nCookie: canary=canary-cookie\r\nReferer: http://canary-referer.example/\r\nAccept: text/html\r\n"
	auth := authorization("canary-user+canary-suffix", "canary-password") + "\r\n"
	request := func(method, target, body string) string {
		length := ""
		if body != "" {
			length = fmt.Sprintf("Content-Length: %d\r\n", len(body))
		}
		return method + " " + target + " HTTP/1.1\r\n" + fields + auth + length + "\r\n" + body
	}
	url := func(address string) string { return "http://" + address + "/canary-path?canary=query" }
	for what, raw := range map[string]string{
		"fine":              request("GET", url(fine), ""),
		"an upload":         request("POST", url(fine), "canary-body"),
		"a method":          request("CANARY", url(fine), ""),
		"no such host":      request("GET", "http://canary-nowhere.invalid/canary-path", ""),
		"denied":            request("GET", "http://canary-denied.example/", ""),
		"refused":           request("GET", url(closed), ""),
		"malformed answer":  request("GET", url(origin("canary-garbage\r\n\r\n")), ""),
		"cut answer":        request("GET", url(origin("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\ncanary-part")), ""),
		"no answer":         request("GET", url(origin("")), ""),
		"bad field":         "GET " + url(fine) + " HTTP/1.1\r\n" + fields + "canary bad: x\r\n\r\n",
		"bad target":        request("GET", "http://canary host/", ""),
		"too large":         "GET " + url(fine) + " HTTP/1.1\r\nX-Canary: " + strings.Repeat("canary", 20_000) + "\r\n\r\n",
		"slow head":         "GET " + url(fine) + " HTTP/1.1\r\nX-Canary: canary",
		"wrong password":    "GET " + url(fine) + " HTTP/1.1\r\n" + fields + authorization("canary-nobody", "canary-guess") + "\r\n\r\n",
		"no password":       "GET " + url(fine) + " HTTP/1.1\r\n" + fields + "\r\n",
		"TRACE":             request("TRACE", url(fine), ""),
		"a panic":           "GET /canary-panic HTTP/1.1\r\n" + fields + "\r\n",
		"WebSocket":         "GET " + url(origin("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n")) + " HTTP/1.1\r\nHost: x\r\n" + auth + "Upgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Key: canary\r\nSec-WebSocket-Version: 13\r\n\r\ncanary-frame",
		"a tunnel":          "CONNECT " + fine + " HTTP/1.1\r\n" + fields + auth + "\r\ncanary-bytes",
		"tunnel to nowhere": "CONNECT canary-nowhere.invalid:443 HTTP/1.1\r\n" + fields + auth + "\r\n",
		"tunnel refused":    "CONNECT " + closed + " HTTP/1.1\r\n" + fields + auth + "\r\n",
		"tunnel denied":     "CONNECT canary-denied.example:443 HTTP/1.1\r\n" + fields + auth + "\r\n",
	} {
		done := make(chan string, 1)
		go func() { done <- asCanary(t, proxy, raw) }()
		select {
		case <-done:
		case <-time.After(patience):
			t.Fatalf("%s: no end", what)
		}
	}

	canary := regexp.MustCompile(`(?i)canary[^ \n]*|` + regexp.QuoteMeta(canaryClient) + `|Y2FuYXJ5[^ \n]*`)
	if found := canary.FindString(log.String()); found != "" {
		t.Errorf("the log holds %q:\n%s", found, log.String())
	}
	if !strings.Contains(log.String(), "handler panicked") || strings.Count(log.String(), "msg=request") < 15 {
		t.Errorf("the log lacks what should be there:\n%s", log.String())
	}
	if stamp := regexp.MustCompile(`(?m)^time=\S+ .*msg=request`).FindAllString(log.String(), -1); len(stamp) > 0 {
		for _, line := range stamp {
			if !strings.Contains(line, ":00.000") {
				t.Errorf("a line tells more than the minute: %s", line)
			}
		}
	}
	until(t, "the tunnel is counted as ended", func() bool { return strings.Contains(metricsText(t, metrics), "guise_tunnels 0") })
	told := metricsText(t, metrics)
	if found := canary.FindString(told); found != "" {
		t.Errorf("the metrics hold %q", found)
	}
	for _, want := range []string{
		`guise_requests_total{class="plain",status="2xx"}`, `guise_requests_total{class="connect",status="2xx"} 1`, `status="cut"`,
		`guise_refused_total{reason="credentials"}`, `guise_errors_total{type="connection_refused"}`, `guise_errors_total{type="dns_error"}`,
		`guise_errors_total{type="http_protocol_error"}`, "guise_tunnels 0", `guise_bytes_total{class="connect",direction="up"}`,
	} {
		if !strings.Contains(told, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	for _, target := range []string{"http://elsewhere.invalid/", "http://" + closed + "/", "http://" + fine + "/other"} {
		resp, body := get(t, proxy, target, authorization("other", "canary-password"), "Accept: text/html")
		page := strings.ReplaceAll(fmt.Sprint(resp.Header, body), "canary-answer", "") // what this client asked for itself
		if found := canary.FindString(strings.NewReplacer("X-Canary", "", "canary-proxy", "", "canary_error", "").Replace(page)); found != "" {
			t.Errorf("another client's page of %s holds %q", target, found)
		}
	}
}

// TestMetricsTellAllOfTheCache: each of its figures, by one name.
func TestMetricsTellAllOfTheCache(t *testing.T) {
	names := map[string]string{
		"Hits": "hits_total", "Misses": "misses_total", "Validated": "validated_total", "Pretended": "disguised_total",
		"Collapsed": "joined_total", "Stale": "stale_total", "Stored": "stored_total", "Evicted": "evicted_total",
		"Rejected": "rejected_total", "Invalid": "invalidated_total", "Differing": "differing_total",
		"Resources": "resources", "Bytes": "bytes", "FlightSize": "flight_bytes", "Lingering": "lingering_bytes",
	}
	var stats cache.Stats
	figures, number := reflect.ValueOf(&stats).Elem(), 0
	for _, figure := range figures.Fields() {
		number++
		figure.Set(reflect.ValueOf(number).Convert(figure.Type()))
	}
	m := telemetry.New()
	tellOfCache(m, func() cache.Stats { return stats })
	for field, figure := range figures.Fields() {
		if !counts(t, m, fmt.Sprintf("guise_cache_%s %v", names[field.Name], figure)) {
			t.Errorf("Stats.%s is not told as guise_cache_%s", field.Name, names[field.Name])
		}
	}
}

// TestShedding: while there is no room, new work gets a 503 at the door and on
// open connections; what runs goes on.
func TestShedding(t *testing.T) {
	o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) { io.Copy(conn, r) })
	plain := serveOrigin(t, answer(hello))
	var used atomic.Int64
	pressure := gate.Watch(gate.PressureOptions{
		Every:       time.Millisecond,
		Memory:      func() (int64, int64) { return used.Load(), 100 },
		Descriptors: func() (int64, int64) { return 0, 0 },
	})
	defer pressure.Close()
	become := func(n int64, short bool) {
		used.Store(n)
		for pressure.Short() != short {
			time.Sleep(time.Millisecond)
		}
	}
	metrics := telemetry.New()
	proxy := serveProxy(t, func(o *Options) { o.Pressure, o.Metrics = pressure, metrics })
	open := dial(t, proxy)
	io.WriteString(open, "GET http://"+plain.address+"/ HTTP/1.1\r\nHost: x\r\n\r\n")
	answers := bufio.NewReader(open)
	if resp, err := http.ReadResponse(answers, nil); err != nil || resp.StatusCode != 200 {
		t.Fatal(resp, err)
	} else {
		io.Copy(io.Discard, resp.Body)
	}
	conn, r := openTunnel(t, proxy, o.address, "")

	become(99, true)
	got, err := exchangeRaw(t, proxy, "GET http://"+plain.address+"/ HTTP/1.1\r\nHost: x\r\n\r\n")
	if !strings.HasPrefix(got, "HTTP/1.1 503 ") || !strings.Contains(got, "\r\nRetry-After: 2\r\n") || err != nil {
		t.Errorf("a new connection: %q, %v", got, err)
	}
	io.WriteString(open, "GET http://"+plain.address+"/ HTTP/1.1\r\nHost: x\r\n\r\n")
	if resp, err := http.ReadResponse(answers, nil); err != nil || resp.StatusCode != 503 {
		t.Errorf("a request on an open connection: %v, %v", resp, err)
	}
	io.WriteString(conn, "still\n")
	if line, err := r.ReadString('\n'); line != "still\n" {
		t.Errorf("the open tunnel: %q, %v", line, err)
	}
	if told := metricsText(t, metrics); !strings.Contains(told, `guise_refused_total{reason="pressure"} 2`) || !strings.Contains(told, "guise_short 1") {
		t.Error("the metrics do not say so")
	}

	become(10, false)
	if resp, _ := get(t, proxy, "http://"+plain.address+"/"); resp.StatusCode != 200 {
		t.Errorf("afterwards: %d", resp.StatusCode)
	}
}

// withMemoryForThree is of a proxy that has memory for three requests at a time.
func withMemoryForThree(t *testing.T) func(*Options) {
	pressure := gate.Watch(gate.PressureOptions{
		Every:       time.Hour,
		Memory:      func() (int64, int64) { return 0, 400 << 10 },
		Descriptors: func() (int64, int64) { return 0, 0 },
	})
	t.Cleanup(pressure.Close)
	return func(o *Options) { o.Pressure = pressure }
}

// TestRequestsBeginWhereMemoryIsLeftForAll: what they will hold does not show yet while
// their origin is silent, and they may all be answered at once.
func TestRequestsBeginWhereMemoryIsLeftForAll(t *testing.T) {
	silent := make(chan bool)
	o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
		<-silent
		answer(hello)(conn, r)
	})
	proxy := serveProxy(t, withMemoryForThree(t))
	statuses := make(chan int)
	for i := range 10 {
		conn := dial(t, proxy)
		go func() {
			fmt.Fprintf(conn, "GET http://%s/%d HTTP/1.1\r\nHost: x\r\n\r\n", o.address, i)
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				statuses <- 0
				return
			}
			statuses <- resp.StatusCode
		}()
	}
	for i := range 10 {
		want := 503
		if i >= 7 { // three are left that run
			want = 200
		}
		if i == 7 {
			close(silent)
		}
		if got := <-statuses; got != want {
			t.Errorf("answer %d: %d, want %d", i, got, want)
		}
	}
	if resp, _ := get(t, proxy, "http://"+o.address+"/"); resp.StatusCode != 200 {
		t.Errorf("afterwards: %d", resp.StatusCode)
	}
}

// TestLargeHeadsFindMemory: heads that are on their way take as much as requests, and
// what is read of one in vain is given back.
func TestLargeHeadsFindMemory(t *testing.T) {
	o := serveOrigin(t, answer(hello))
	proxy := serveProxy(t, withMemoryForThree(t))
	var heads []net.Conn
	refused := make(chan string)
	for range 10 {
		conn := dial(t, proxy)
		heads = append(heads, conn)
		go func() {
			io.WriteString(conn, "GET http://"+o.address+"/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-A: "+strings.Repeat("a", 20<<10))
			got, _ := io.ReadAll(conn)
			refused <- string(got)
		}()
	}
	for range 7 { // three are left that are read on
		if got := <-refused; !strings.HasPrefix(got, "HTTP/1.1 503 ") || !strings.Contains(got, "\r\nRetry-After: 2\r\n") {
			t.Fatalf("got %q", got)
		}
	}
	for _, conn := range heads {
		io.WriteString(conn, "\r\n\r\n")
	}
	for range 3 {
		if got := <-refused; !strings.HasPrefix(got, "HTTP/1.1 200 ") {
			t.Errorf("got %.60q", got)
		}
	}
}

// TestPanicEndsOnlyItsRequest: its connection is cut, all others go on.
func TestPanicEndsOnlyItsRequest(t *testing.T) {
	o := serveOrigin(t, answer(hello))
	p, proxy := newProxy(t, func(o *Options) { o.Gate.Client = gate.Limits{Connections: 3, Requests: 1000} })
	p.console = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("on purpose") })
	for range 10 { // more than may be open: none may stay counted
		if got, _ := exchangeRaw(t, proxy, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); got != "" {
			t.Fatalf("got %q", got)
		}
	}
	if resp, _ := get(t, proxy, "http://"+o.address+"/"); resp.StatusCode != 200 {
		t.Errorf("the next request: %d", resp.StatusCode)
	}
}

// TestAdminListenerIsNoDestination even where its network is open.
func TestAdminListenerIsNoDestination(t *testing.T) {
	o := serveOrigin(t, answer(hello))
	proxy := serveProxy(t, func(options *Options) { options.Admin = []netip.AddrPort{netip.MustParseAddrPort(o.address)} })
	if resp, _ := get(t, proxy, "http://"+o.address+"/metrics"); resp.StatusCode != 403 || o.saw() != "" {
		t.Errorf("%d, and the listener saw %q", resp.StatusCode, o.saw())
	}
}

// TestTunnelsTakeRoomBetweenLooks: hundreds can come in the time from one look at
// what is open to the next, and what they hold must not be all that there is.
func TestTunnelsTakeRoomBetweenLooks(t *testing.T) {
	o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) { io.Copy(conn, r) })
	pressure := gate.Watch(gate.PressureOptions{
		Every:       time.Hour,
		Memory:      func() (int64, int64) { return 0, 0 },
		Descriptors: func() (int64, int64) { return 0, 20 },
	})
	defer pressure.Close()
	proxy := serveProxy(t, func(o *Options) { o.Pressure = pressure })
	var statuses []int
	for range 10 { // at two each there is no room for the last
		conn := dial(t, proxy)
		io.WriteString(conn, "CONNECT "+o.address+" HTTP/1.1\r\nHost: x\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: http.MethodConnect})
		if err != nil {
			t.Fatal(err)
		}
		statuses = append(statuses, resp.StatusCode)
	}
	if statuses[0] != 200 || statuses[9] != 503 {
		t.Errorf("got %v", statuses)
	}
}

// TestRelayedConnectionsTakeRoomBeforeTheyNameAnybody, and give it back once, whatever
// becomes of them.
func TestRelayedConnectionsTakeRoomBeforeTheyNameAnybody(t *testing.T) {
	o := serveOrigin(t, answer(hello))
	pressure := gate.Watch(gate.PressureOptions{
		Every:       time.Hour,
		Memory:      func() (int64, int64) { return 0, 0 },
		Descriptors: func() (int64, int64) { return 0, 10 },
	})
	defer pressure.Close()
	p, _ := newProxy(t, func(o *Options) { o.Pressure = pressure })
	relayed := serveAs(t, p, Listening{Relays: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	ask := func(conn net.Conn) string {
		conn.SetDeadline(time.Now().Add(patience))
		io.WriteString(conn, "PROXY TCP4 127.0.0.2 127.0.0.1 1234 8118\r\nGET http://"+o.address+"/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		got, _ := io.ReadAll(conn)
		return string(got)
	}
	var silent []net.Conn
	for range 9 { // of ten, nine may be held
		silent = append(silent, dial(t, relayed))
	}
	tenth := dial(t, relayed)
	tenth.SetDeadline(time.Now().Add(patience))
	if got, _ := io.ReadAll(tenth); !strings.HasPrefix(string(got), "HTTP/1.1 503") {
		t.Fatalf("a tenth: %.60q", got)
	}
	for _, conn := range silent {
		conn.Close()
	}
	for range 20 {
		for !pressure.Take() { // until those are gone
			runtime.Gosched()
		}
		pressure.Give()
		if got := ask(dial(t, relayed)); !strings.HasPrefix(got, "HTTP/1.1 200") {
			t.Fatalf("after them: %.60q", got)
		}
	}
}

// TestConnectionsThereIsNoRoomForCountNoLonger: what is refused under pressure takes no
// place of those that all clients may have.
func TestConnectionsThereIsNoRoomForCountNoLonger(t *testing.T) {
	plain := serveOrigin(t, answer(hello))
	var open atomic.Int64
	pressure := watchDescriptors(&open)
	defer pressure.Close()
	proxy := serveProxy(t, func(o *Options) { o.Pressure, o.Gate.Total.Connections = pressure, 2 })
	for _, c := range []struct {
		open   int64
		status string
	}{{99, "503"}, {99, "503"}, {0, "200"}} {
		for open.Store(c.open); pressure.Short() != (c.open > 0); {
			time.Sleep(time.Millisecond)
		}
		if got, err := exchangeRaw(t, proxy, "GET http://"+plain.address+"/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 "+c.status) {
			t.Errorf("with %d descriptors open: got %q, %v", c.open, got, err)
		}
	}
}
