package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"guise/proxy/inspect"
)

// Authorities for tests: ours, which clients trust, and the one that vouches
// for origins, which guise trusts.
// The past one vouches for origins whose certificates have ended.
var (
	testAuthority   = sync.OnceValue(newAuthority)
	originAuthority = sync.OnceValue(newAuthority)
	pastAuthority   = sync.OnceValue(func() *inspect.Authority { return authorityAt(time.Now().Add(-30 * 24 * time.Hour)) })
)

func newAuthority() *inspect.Authority { return authorityAt(time.Now()) }

func authorityAt(now time.Time) *inspect.Authority {
	a, err := inspect.Create(inspect.CreateOptions{Private: true, Now: func() time.Time { return now }})
	if err != nil {
		panic(err)
	}
	return a
}

func trusting(all ...*inspect.Authority) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, a := range all {
		pool.AddCert(a.Certificate())
	}
	return pool
}

// inspecting makes o inspect every host, and trust the origins of tests.
func inspecting(mode inspect.Mode) func(*Options) {
	return func(o *Options) {
		o.Inspection = Inspection{Enabled: true, Authority: testAuthority(), Default: mode, Roots: trusting(originAuthority(), pastAuthority())}
	}
}

// siteTLS is what an origin at 127.0.0.1 has for TLS that offers protocols.
func siteTLS(t *testing.T, protocols ...string) *tls.Config {
	t.Helper()
	leaf, err := originAuthority().Leaf("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{*leaf}, NextProtos: protocols}
}

// A secureOrigin is an https server that notes what reaches it.
type secureOrigin struct {
	*httptest.Server
	address string // host:port

	mu       sync.Mutex
	requests []*http.Request
	conns    map[net.Conn]bool
	resumed  int
}

// serveSecure runs an https origin that speaks the given protocols, with a
// certificate for 127.0.0.1 and localhost.
func serveSecure(t *testing.T, handle http.HandlerFunc, edit func(*tls.Config), protocols ...string) *secureOrigin {
	t.Helper()
	o := &secureOrigin{conns: make(map[net.Conn]bool)}
	o.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		o.requests = append(o.requests, r)
		o.mu.Unlock()
		handle(w, r)
	}))
	o.TLS = &tls.Config{
		NextProtos: protocols,
		GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if h.ServerName != "" {
				return originAuthority().Leaf(h.ServerName)
			}
			return originAuthority().Leaf("127.0.0.1")
		},
	}
	if edit != nil {
		edit(o.TLS)
	}
	// httptest adds a certificate of its own, which would go before ours.
	config := o.TLS.Clone()
	o.TLS.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return config, nil }
	o.Config.ConnState = func(c net.Conn, state http.ConnState) {
		o.mu.Lock()
		defer o.mu.Unlock()
		if tc, ok := c.(*tls.Conn); ok && state == http.StateActive {
			o.conns[c] = true
			if tc.ConnectionState().DidResume {
				o.resumed++
			}
		}
	}
	for _, p := range protocols {
		o.EnableHTTP2 = o.EnableHTTP2 || p == "h2"
	}
	o.Config.ErrorLog = discardLog
	o.StartTLS()
	o.address = o.Listener.Addr().String()
	t.Cleanup(o.Close)
	return o
}

func (o *secureOrigin) saw() []*http.Request {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]*http.Request(nil), o.requests...)
}

func (o *secureOrigin) connections() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.conns)
}

// cut ends the connection that comes from remote.
func (o *secureOrigin) cut(remote string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for c := range o.conns {
		if c.RemoteAddr().String() == remote {
			c.Close()
		}
	}
}

// A visitor is a browser that uses the proxy and trusts roots.
func visitor(t *testing.T, proxy string, roots *x509.CertPool, http2 bool) *http.Client {
	t.Helper()
	transport := &http.Transport{
		Proxy:              http.ProxyURL(&url.URL{Scheme: "http", Host: proxy}),
		TLSClientConfig:    &tls.Config{RootCAs: roots},
		DisableCompression: true,
		ForceAttemptHTTP2:  http2,
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 2 * patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// read makes a GET and returns status and body.
func read(c *http.Client, url string, fields ...string) (*http.Response, string, error) {
	r, err := http.NewRequest("GET", url, nil)
	if err != nil {
		return nil, "", err
	}
	for i := 0; i < len(fields); i += 2 {
		r.Header.Add(fields[i], fields[i+1])
	}
	resp, err := c.Do(r)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, string(body), err
}

// dialInside opens an inspected connection to target by hand.
func dialInside(t *testing.T, proxy, target string, config *tls.Config) (*tls.Conn, error) {
	t.Helper()
	conn, _ := openTunnel(t, proxy, target, "")
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(target)
	}
	tc := tls.Client(conn, config)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	t.Cleanup(func() { tc.Close() })
	return tc, tc.HandshakeContext(ctx)
}

// insideRaw sends raw on an inspected connection and returns all that comes
// back.
func insideRaw(t *testing.T, proxy, target, raw string) string {
	t.Helper()
	tc, err := dialInside(t, proxy, target, &tls.Config{RootCAs: trusting(testAuthority())})
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(tc, raw)
	got, _ := io.ReadAll(tc)
	return string(got)
}

// until waits for what must come to be.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

func echoLine(conn net.Conn, r *bufio.Reader) {
	line, _ := r.ReadString('\n')
	fmt.Fprintf(conn, "got %s", line)
}
