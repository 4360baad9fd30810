package proxy

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"guise/proxy/egress"
)

// A belief is a whole request as one end understood it.
type belief struct {
	method, path, body string
	status             int // what it was answered; only a witness that stands in front knows
}

// alike compares requests as they are meant. An empty path is "/" (RFC 9110
// §4.2.3), and Squid takes a method that it knows in any case.
func alike(a, b belief) bool {
	return strings.EqualFold(a.method, b.method) && cmp.Or(a.path, "/") == cmp.Or(b.path, "/") && a.body == b.body
}

func (b belief) String() string { return fmt.Sprintf("%s %s %q", b.method, b.path, b.body) }

// A witness is an HTTP end that notes what it believes it was asked.
type witness struct {
	next http.Handler // nil: the witness is the origin

	mu   sync.Mutex
	seen []belief
}

// passed is the status of what reached the origin. Nobody else answers it.
const passed = 299

func (w *witness) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	var body lockedBuffer // guise may read on for a moment after an early answer
	saw := belief{method: r.Method, path: r.URL.Path}
	if strings.HasPrefix(r.URL.Path, "/squid-internal") {
		return // its own
	}
	if w.next == nil {
		if _, err := io.Copy(&body, r.Body); err != nil {
			return // cut on the way: nobody takes it for a request
		}
		saw.body = body.String()
		w.note(saw)
		rw.WriteHeader(passed)
		return
	}
	if r.Body != http.NoBody {
		r.Body = struct {
			io.Reader
			io.Closer
		}{io.TeeReader(r.Body, &body), r.Body}
	}
	answered := &statusWriter{ResponseWriter: rw}
	defer func() {
		saw.body, saw.status = body.String(), answered.status
		w.note(saw)
	}()
	w.next.ServeHTTP(answered, r)
}

func (w *witness) note(b belief) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, b)
}

// take returns what was seen since the last call, of that what was passed on.
func (w *witness) take() []belief {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := w.seen
	w.seen = nil
	if w.next != nil {
		seen = slices.DeleteFunc(seen, func(b belief) bool { return b.status != passed })
	}
	return seen
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// TestNothingIsSmuggled sends what smugglers send through guise to an origin
// behind another server, and compares what each of the two took for requests.
func TestNothingIsSmuggled(t *testing.T) {
	for name, front := range map[string]func(t *testing.T, origin string) string{
		"net/http": func(_ *testing.T, origin string) string { return origin },
		"nginx":    startNginx,
		"squid":    startSquid,
	} {
		t.Run(name, func(t *testing.T) {
			origin := &witness{}
			server := &http.Server{Handler: origin}
			l := listen(t)
			served := make(chan error, 1)
			go func() { served <- server.Serve(l) }()
			t.Cleanup(func() {
				server.Close()
				<-served
			})
			host := front(t, l.Addr().String())
			guise := &witness{}
			address := serveWitnessed(t, guise)
			var sent, through int
			for _, p := range append(payloads(host), mutants(host, *mutations)...) {
				answered := converse(t, address, p.raw)
				believes, knows := guise.take(), origin.take()
				sent++
				if len(knows) > 0 {
					through++
				}
				if !slices.EqualFunc(believes, knows, alike) {
					t.Errorf("%.90q:\nguise passed on %v\norigin believes %v", p.name, believes, knows)
				}
				if n := strings.Count(answered, fmt.Sprintf("HTTP/1.1 %d ", passed)); n > len(knows) {
					t.Errorf("%.90q: %d answers to %d requests", p.name, n, len(knows))
				}
				if strings.HasPrefix(p.name, "control: ") && len(knows) != 2 {
					t.Errorf("%q: the origin saw %v, want it and the next", p.name, knows)
				}
			}
			t.Logf("%d payloads, %d passed on as what they are", sent, through)
		})
	}
}

var mutations = flag.Int("mutants", 1000, "mutants of payloads that TestNothingIsSmuggled tries; they are others with each number")

// mutants returns n payloads with something amiss that nobody has thought of.
func mutants(host string, n int) []payload {
	r := rand.New(rand.NewPCG(uint64(n), 9112))
	known := payloads(host)
	end := len(strings.ReplaceAll(after, "HOST", host))
	var all []payload
	for i := range n {
		raw := known[r.IntN(len(known))].raw
		raw, rest := raw[:len(raw)-end], raw[len(raw)-end:]
		for range 1 + r.IntN(3) {
			raw = mutate(r, host, raw)
		}
		all = append(all, payload{fmt.Sprintf("mutant %d %q", i, raw), raw + rest})
	}
	return all
}

// mutate inserts, removes, doubles or replaces something in raw. What names the
// origin stays as it is: another name would be looked up.
func mutate(r *rand.Rand, host, raw string) string {
	at := r.IntN(len(raw) + 1)
	for from := 0; ; {
		i := strings.Index(raw[from:], host)
		if i < 0 {
			break
		}
		begin, end := from+i-1, from+i+len(host)+1
		if at >= begin && at <= end {
			return raw
		}
		from = end
	}
	size := min(1+r.IntN(4), len(raw)-at)
	if strings.Contains(raw[at:at+size], host[:1]) {
		size = 0
	}
	piece := []string{"\r", "\n", "\r\n", "\r\n\r\n", " ", "\t", "\x00", "\x0b", "\x85", "\xa0", "\xff", ":", ";", ",", "\"", "+", "-", "_", "0", "5", "f", "0x",
		"chunked", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", "\r\n ", "Expect: 100-continue\r\n", "HTTP/1.0", "0\r\n\r\n"}[r.IntN(29)]
	switch r.IntN(4) {
	case 0:
		return raw[:at] + piece + raw[at:]
	case 1:
		return raw[:at] + raw[at+size:]
	case 2:
		return raw[:at+size] + raw[at:]
	}
	return raw[:at] + piece + raw[at+size:]
}

// serveWitnessed runs a proxy that w stands in front of.
func serveWitnessed(t *testing.T, w *witness) string {
	t.Helper()
	o := Options{}
	o.Gate.Networks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	o.Egress.Allow = []string{"127.0.0.0/8"}
	o.Egress.Ports = []egress.PortRange{{First: 1, Last: 65535}}
	o.Cache.Memory = -1
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	w.next, p.server.Handler = p, w
	return serve(t, p)
}

// converse sends raw, says that nothing follows, and returns all that is
// answered. The proxy may hang up while it is still being told more.
func converse(t *testing.T, address, raw string) string {
	t.Helper()
	conn := dial(t, address)
	defer conn.Close()
	io.WriteString(conn, raw)
	conn.CloseWrite()
	got, err := io.ReadAll(conn)
	if e := net.Error(nil); errors.As(err, &e) && e.Timeout() {
		t.Errorf("no end of the answer to %.120q", raw)
	}
	return string(got)
}

func startNginx(t *testing.T, origin string) string {
	return startServer(t, "nginx", "-c", `daemon off;
worker_processes 1;
pid DIR/pid;
error_log /dev/null;
events {}
http {
	access_log off;
	client_body_temp_path DIR/a; proxy_temp_path DIR/b; fastcgi_temp_path DIR/c; uwsgi_temp_path DIR/d; scgi_temp_path DIR/e;
	upstream origin { server `+origin+`; keepalive 8; }
	server {
		listen ADDRESS;
		underscores_in_headers on;
		location / { proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ""; }
	}
}
`)
}

func startSquid(t *testing.T, origin string) string {
	host, port, _ := net.SplitHostPort(origin)
	name := fmt.Sprint("guise", os.Getpid()) // of the memory that it shares, which another squid may hold
	return startServer(t, "squid", "-N -n "+name+" -f", `http_port ADDRESS accel defaultsite=origin.test no-vhost
cache_peer `+host+` parent `+port+` 0 no-query originserver
http_access allow all
cache deny all
access_log none
cache_log DIR/log
pid_filename none
coredump_dir DIR
netdb_filename none
shutdown_lifetime 0 seconds
`)
}

// startServer runs an installed server with a configuration in which DIR and
// ADDRESS are replaced, and returns where it listens.
func startServer(t *testing.T, program, flags, config string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		if path, err = exec.LookPath("/usr/sbin/" + program); err != nil {
			t.Skip(program + " is not installed")
		}
	}
	dir := t.TempDir()
	os.Chmod(filepath.Dir(dir), 0o755) // for those that drop root
	os.Chmod(dir, 0o777)
	for range 3 { // somebody else may take the port before the server does
		var address string
		if address, err = tryServer(t, path, flags, config, dir); err == nil {
			return address
		}
	}
	t.Fatal(err)
	return ""
}

func tryServer(t *testing.T, path, flags, config, dir string) (address string, err error) {
	t.Helper()
	free := listen(t)
	address = free.Addr().String()
	free.Close()
	file := filepath.Join(dir, "conf")
	text := strings.NewReplacer("DIR", dir, "ADDRESS", address).Replace(config)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	server := exec.Command(path, append(strings.Fields(flags), file)...)
	server.Stdout, server.Stderr = &said, &said
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	var exit error
	ended := make(chan struct{})
	go func() {
		exit = server.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		server.Process.Signal(os.Interrupt)
		select {
		case <-ended:
		case <-time.After(patience):
			server.Process.Kill()
			<-ended
		}
	})
	for until := time.Now().Add(patience); time.Now().Before(until); {
		conn, dialed := net.Dial("tcp", address)
		if dialed == nil {
			conn.Close()
			return address, nil
		}
		select {
		case <-ended:
			return "", fmt.Errorf("%s ended: %v\n%s", path, exit, &said)
		case <-time.After(10 * time.Millisecond):
		}
	}
	t.Fatalf("%s does not listen", path)
	return "", nil
}
