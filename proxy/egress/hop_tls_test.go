package egress

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A securePeer is an upstream proxy over TLS that makes tunnels by itself.
type securePeer struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string // request lines, with Proxy-Authorization
	open  sync.WaitGroup
}

// startSecurePeer starts one whose tunnels lead to what it is asked for, or to an
// echo for names.
func startSecurePeer(t *testing.T) *securePeer {
	t.Helper()
	p := &securePeer{}
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.asked = append(p.asked, r.Method+" "+r.RequestURI+" "+r.Header.Get("Proxy-Authorization"))
		p.mu.Unlock()
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		p.open.Add(1)
		defer p.open.Done()
		defer conn.Close()
		io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
		onward, err := net.Dial("tcp", r.RequestURI)
		if err != nil { // a name: it answers itself
			io.Copy(conn, buffered)
			return
		}
		defer onward.Close()
		back := make(chan struct{})
		go func() {
			defer close(back)
			io.Copy(conn, onward)
			conn.Close()
		}()
		io.Copy(onward, buffered)
		onward.Close()
		<-back
	}))
	p.Config.ErrorLog = log.New(io.Discard, "", 0)
	p.StartTLS()
	t.Cleanup(func() {
		p.Close()
		p.open.Wait()
	})
	return p
}

// requests returns what it was asked so far.
func (p *securePeer) requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

func (p *securePeer) chain(t *testing.T, userinfo string) *url.URL {
	t.Helper()
	u, err := url.Parse("https://" + userinfo + p.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// roots is a file with the peer's certificate.
func (p *securePeer) roots(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func echoes(t *testing.T, conn net.Conn) {
	t.Helper()
	defer conn.Close()
	if _, err := io.WriteString(conn, "ping"); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 4)
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != "ping" {
		t.Errorf("through the tunnel came %q, %v", got, err)
	}
}

func TestSecureHopMakesTunnels(t *testing.T) {
	p := startSecurePeer(t)
	e := newTestEgress(t, Options{Chain: []*url.URL{p.chain(t, "user:pass@")}, ChainRoots: p.roots(t), Resolver: noLookups(t)})
	for range 2 {
		conn, err := e.Dial(t.Context(), Connect, mustCanonical(t, "site.example:443"))
		if err != nil {
			t.Fatal(err)
		}
		echoes(t, conn)
	}
	want := []string{"CONNECT site.example:443 Basic dXNlcjpwYXNz", "CONNECT site.example:443 Basic dXNlcjpwYXNz"}
	if !slices.Equal(p.requests(), want) {
		t.Errorf("the hop was asked %q", p.requests())
	}
	if e.HopTLS() == nil {
		t.Error("requests in absolute form would go in clear")
	}
}

// TestSecureHopShowsWhoItIs: whoever stands in its place gets neither the
// destination nor the password.
func TestSecureHopShowsWhoItIs(t *testing.T) {
	p := startSecurePeer(t)
	byName := p.chain(t, "user:pass@")
	byName.Host = net.JoinHostPort("proxy.test", byName.Port()) // its certificate is for example.com and 127.0.0.1
	for _, c := range []struct {
		what  string
		o     Options
		fault any
	}{
		{"nobody trusted", Options{Chain: []*url.URL{p.chain(t, "user:pass@")}}, new(x509.UnknownAuthorityError)},
		{"another name", Options{Chain: []*url.URL{byName}, ChainRoots: p.roots(t), Resolver: startNameServer(t, always("127.0.0.1")).resolver()}, new(x509.HostnameError)},
	} {
		_, err := newTestEgress(t, c.o).Dial(t.Context(), Connect, mustCanonical(t, "secret.example:443"))
		var hop *HopError
		var secure *TLSError
		if !errors.As(err, &hop) || !errors.As(err, &secure) || !errors.As(err, c.fault) || strings.Contains(err.Error(), "example") || strings.Contains(err.Error(), "proxy.test") {
			t.Errorf("%s: %v", c.what, err)
		}
	}
	if len(p.requests()) > 0 {
		t.Errorf("it was asked %q", p.requests())
	}
}

// TestIsolationSharesNoSession: a resumed session would tell the upstream proxy that
// two connections are of one.
func TestIsolationSharesNoSession(t *testing.T) {
	p := startSecurePeer(t)
	e := newTestEgress(t, Options{Chain: []*url.URL{p.chain(t, "")}, ChainRoots: p.roots(t)})
	resumed := func(isolation string) (yes bool) {
		t.Helper()
		for range 2 {
			conn, err := e.Dial(WithIsolation(t.Context(), isolation), Connect, mustCanonical(t, "site.example:443"))
			if err != nil {
				t.Fatal(err)
			}
			echoes(t, conn)
			yes = conn.(*tls.Conn).ConnectionState().DidResume
		}
		return yes
	}
	if !resumed("") {
		t.Error("no session is resumed, so each tunnel costs a whole handshake")
	}
	if resumed("ann+work") {
		t.Error("a session is resumed across what is kept apart")
	}
}

// TestIsolationShowsInNoHello: an upstream proxy, and who is on the way to it, sees the
// same of those who are kept apart as of others who come for the first time.
func TestIsolationShowsInNoHello(t *testing.T) {
	p := startSecurePeer(t)
	hellos := make(chan []uint16, 1)
	p.TLS.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		hellos <- slices.Sorted(slices.Values(hello.Extensions))
		return nil, nil
	}
	hello := func(isolation string) []uint16 {
		t.Helper()
		e := newTestEgress(t, Options{Chain: []*url.URL{p.chain(t, "")}, ChainRoots: p.roots(t)})
		conn, err := e.Dial(WithIsolation(t.Context(), isolation), Connect, mustCanonical(t, "site.example:443"))
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		return <-hellos
	}
	if all, apart := hello(""), hello("ann+work"); !slices.Equal(all, apart) {
		t.Errorf("extensions %v, of those who are kept apart %v", all, apart)
	}
}

func TestChainGoesThroughEachHop(t *testing.T) {
	last := startSecurePeer(t)
	first := startSecurePeer(t) // both have one certificate
	e := newTestEgress(t, Options{Chain: []*url.URL{first.chain(t, "a:b@"), last.chain(t, "")}, ChainRoots: last.roots(t)})
	conn, err := e.Dial(t.Context(), Connect, mustCanonical(t, "site.example:443"))
	if err != nil {
		t.Fatal(err)
	}
	echoes(t, conn)
	if want := []string{"CONNECT " + last.Listener.Addr().String() + " Basic YTpi"}; !slices.Equal(first.requests(), want) {
		t.Errorf("the first was asked %q, want %q", first.requests(), want)
	}
	if want := []string{"CONNECT site.example:443 "}; !slices.Equal(last.requests(), want) {
		t.Errorf("the last was asked %q, want %q", last.requests(), want)
	}
	if address, _, ok := e.HTTPHop(); !ok || address != last.Listener.Addr().String() {
		t.Errorf("requests in absolute form go to %s, %t", address, ok)
	}
	if conn, err = e.DialHop(t.Context()); err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

// TestFaultWithinAChainIsNotTheDestinations: the first proxy says that it cannot
// reach the next one.
func TestFaultWithinAChainIsNotTheDestinations(t *testing.T) {
	refuses := startPeer(t, socksScript(t, []byte{5, 1, 0}, []byte{5, 0}, []byte{5, 1, 0, 3, 10}, []byte{5, 5, 0, 1, 0, 0, 0, 0, 0, 0}))
	chain := append(refuses.chain("socks5", ""), &url.URL{Scheme: "http", Host: "proxy.test:3128"})
	_, err := newTestEgress(t, Options{Chain: chain, Resolver: noLookups(t)}).Dial(t.Context(), Connect, mustCanonical(t, "site.example:443"))
	if _, ok := errors.AsType[*HopError](err); !ok {
		t.Errorf("%v, want a fault of the chain", err)
	}
}
