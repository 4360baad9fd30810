package proxy

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"guise/proxy/egress"
)

func TestMain(m *testing.M) {
	if origin := os.Getenv(toxicOrigin); origin != "" {
		if err := runToxiproxy(origin); err != nil {
			log.Fatal(err)
		}
		return
	}
	if role := os.Getenv(probingRole); role != "" {
		if err := runProbing(role); err != nil {
			log.Fatal(err)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// patience bounds every wait of a test, also on a machine that has much else to do.
const patience = 30 * time.Second

// serveProxy runs a proxy that lets requests go to loopback, and returns its
// address. edit may change the options; nil leaves them.
func serveProxy(t testing.TB, edit func(*Options)) string {
	t.Helper()
	_, address := newProxy(t, edit)
	return address
}

func newProxy(t testing.TB, edit func(*Options)) (*Proxy, string) {
	t.Helper()
	o := Options{Console: true}
	o.Gate.Networks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	o.Egress.Allow = []string{"127.0.0.0/8", "::1/128", "localhost"}
	o.Egress.Ports = []egress.PortRange{{First: 1, Last: 65535}}
	o.Egress.ConnectPorts = o.Egress.Ports
	if edit != nil {
		edit(&o)
	}
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p, serve(t, p)
}

// serve runs p until the test ends, and returns its address.
func serve(t testing.TB, p *Proxy) string {
	t.Helper()
	l := listen(t)
	served := make(chan error, 1)
	go func() { served <- p.Serve(l) }()
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve returned %v, want ErrServerClosed", err)
		}
	})
	return l.Addr().String()
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	var how net.ListenConfig
	how.SetMultipathTCP(false) // as the program listens
	l, err := how.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// refusing returns an address at which nobody listens, nor can until the test ends: it
// is the near end's of a connection.
func refusing(t testing.TB) string {
	t.Helper()
	conn, err := net.Dial("tcp", listen(t).Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn.LocalAddr().String()
}

// An origin answers each connection by a script and records the bytes that
// arrive before the script ends.
type origin struct {
	address string
	mu      sync.Mutex
	got     bytes.Buffer
}

// serveOrigin runs script for every connection, one goroutine each. The
// reader records what the script takes from it.
func serveOrigin(t *testing.T, script func(conn net.Conn, r *bufio.Reader)) *origin {
	t.Helper()
	l := listen(t)
	o := &origin{address: l.Addr().String()}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer conn.Close()
				defer context.AfterFunc(ctx, func() { conn.Close() })()
				script(conn, bufio.NewReader(io.TeeReader(conn, recorder{o})))
			})
		}
	})
	t.Cleanup(func() {
		cancel()
		l.Close()
		running.Wait()
	})
	return o
}

// tunnelTo answers a CONNECT to address on conn, of whose bytes r has read some, and
// passes what comes both ways.
func tunnelTo(address string, conn net.Conn, r *bufio.Reader) {
	origin, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer origin.Close()
	io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
	go io.Copy(origin, r)
	io.Copy(conn, origin)
}

type recorder struct{ o *origin }

func (r recorder) Write(p []byte) (int, error) {
	r.o.mu.Lock()
	defer r.o.mu.Unlock()
	return r.o.got.Write(p)
}

// saw returns every byte that reached the origin.
func (o *origin) saw() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.got.String()
}

// answer is a script that answers every request with the same bytes.
func answer(response string) func(net.Conn, *bufio.Reader) {
	return answerBy(func(*http.Request) string { return response })
}

// answerBy is a script that answers every request by what it is.
func answerBy(response func(*http.Request) string) func(net.Conn, *bufio.Reader) {
	return func(conn net.Conn, r *bufio.Reader) {
		for {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			said := response(req)
			if _, err := io.Copy(io.Discard, req.Body); err != nil {
				return
			}
			if _, err := io.WriteString(conn, said); err != nil {
				return
			}
		}
	}
}

// dial connects to address; every read and write has a deadline.
func dial(t *testing.T, address string) *net.TCPConn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { conn.Close() })
	return conn.(*net.TCPConn)
}

// exchangeRaw sends raw and returns all that comes back until the connection
// ends, with the error that ended it.
func exchangeRaw(t *testing.T, address, raw string) (string, error) {
	t.Helper()
	conn := dial(t, address)
	if _, err := io.WriteString(conn, raw); err != nil {
		return "", err
	}
	got, err := io.ReadAll(conn)
	return string(got), err
}

// get sends one GET for url through the proxy on a connection of its own.
func get(t *testing.T, proxy, url string, fields ...string) (*http.Response, string) {
	t.Helper()
	return send(t, proxy, "GET", url, "", fields...)
}

// send makes one request through the proxy. A response that breaks off fails
// the test.
func send(t *testing.T, proxy, method, url, body string, fields ...string) (*http.Response, string) {
	t.Helper()
	conn := dial(t, proxy)
	host := strings.TrimPrefix(url, "http://")
	host, _, _ = strings.Cut(host, "/")
	host = host[strings.LastIndexByte(host, '@')+1:]
	raw := method + " " + url + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n"
	for _, field := range fields {
		raw += field + "\r\n"
	}
	if body != "" {
		raw += "Content-Length: " + strconv.Itoa(len(body)) + "\r\n"
	}
	if _, err := io.WriteString(conn, raw+"\r\n"+body); err != nil {
		t.Fatal(err)
	}
	return readAnswer(t, bufio.NewReader(conn), method)
}

// readAnswer reads the response to a request, and fails the test if it is not whole.
func readAnswer(t *testing.T, r *bufio.Reader, method string) (*http.Response, string) {
	t.Helper()
	resp, err := http.ReadResponse(r, &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s: read body: %v", method, err)
	}
	return resp, string(body)
}
