package proxy

import (
	"bufio"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"guise/proxy/gate"
	"guise/proxy/inspect"
	"guise/proxy/wire"
)

// TestSOCKSNamesHaveNoColon: in the form that the gate reads, what stands behind one
// would be a part of the password (RFC 7617 §2), and the name another account's.
func TestSOCKSNamesHaveNoColon(t *testing.T) {
	users := filepath.Join(t.TempDir(), "users")
	if err := gate.SetUser(users, "ann", "x:y"); err != nil {
		t.Fatal(err)
	}
	p, _ := newProxy(t, func(o *Options) { o.Gate.Authentication, o.Gate.Users = gate.Basic, users })
	enters := new(viaSOCKS).authenticator(t.Context(), p.current.Load(), netip.MustParseAddr("127.0.0.1"))
	if enters("ann:x", "y") {
		t.Error("another name enters")
	}
	if !enters("ann", "x:y") {
		t.Error("the name itself does not")
	}
}

// TestHSTSLeavesSocketsAlone: a WebSocket in the clear follows no redirect, and what it
// would be redirected to is no ws: URL.
func TestHSTSLeavesSocketsAlone(t *testing.T) {
	hop := serveOrigin(t, answer("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
	p, proxy := newProxy(t, func(o *Options) { o.Egress.Chain = []*url.URL{{Scheme: "http", Host: hop.address}} })
	p.current.Load().inspects.hsts.Note("", "secure.example", []string{"max-age=100"})
	const socket = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nConnection: Upgrade\r\n"
	for upgrade, status := range map[string]int{"": http.StatusTemporaryRedirect, socket: http.StatusForbidden} {
		conn := dial(t, proxy)
		io.WriteString(conn, "GET http://secure.example/ HTTP/1.1\r\nHost: secure.example\r\n"+upgrade+"\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != status {
			t.Errorf("with %q: %d, want %d", upgrade, resp.StatusCode, status)
		}
	}
}

// TestHSTSRepeatsNoPassword: the page that is led on may be any, and read where it came to.
func TestHSTSRepeatsNoPassword(t *testing.T) {
	p, proxy := newProxy(t, nil)
	p.current.Load().inspects.hsts.Note("", "secure.example", []string{"max-age=100"})
	resp, body := get(t, proxy, "http://me:hunter2@secure.example/a?b")
	if to := resp.Header.Get("Location"); resp.StatusCode != http.StatusTemporaryRedirect || to != "https://secure.example/a?b" || strings.Contains(body, "hunter2") {
		t.Errorf("%d to %q", resp.StatusCode, to)
	}
}

type noOrigins struct{}

func (noOrigins) RoundTrip(*http.Request) (*http.Response, error) { return nil, io.EOF }

// TestWhatIsRememberedOfOriginsIsBounded, however many a client names.
func TestWhatIsRememberedOfOriginsIsBounded(t *testing.T) {
	i, s := newIssuers(noOrigins{}, nil), newSecureOrigins(new(wire.Transport))
	for n := range max(knownIssuers, maxPlaces) + 9 {
		i.at(t.Context(), "http://a.example/"+strconv.Itoa(n))
		s.place(placeKey{address: strconv.Itoa(n)})
	}
	if len(i.known) > knownIssuers || len(s.places) > maxPlaces {
		t.Errorf("%d issuers and %d origins are remembered", len(i.known), len(s.places))
	}
}

// TestZstdTakesNoMoreThanItsWindow of RFC 8878 §3.1.1.1.2: 8 MiB, whatever a frame says.
func TestZstdTakesNoMoreThanItsWindow(t *testing.T) {
	for exponent, ok := range map[byte]bool{13: true, 14: false, 31: false} {
		r, err := openZstd(strings.NewReader("\x28\xb5\x2f\xfd\x00" + string([]byte{exponent << 3}) + "\x01\x00\x00"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(r); (err == nil) != ok {
			t.Errorf("a window of 1 KiB << %d: %v", exponent, err)
		}
	}
}

// TestBoundCredentialsGoByHTTP1: over HTTP/2, where all clients share a connection, what
// authenticates that would let the others in as well.
func TestBoundCredentialsGoByHTTP1(t *testing.T) {
	o := serveSecure(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) }, nil, "h2", "http/1.1")
	c := visitor(t, serveProxy(t, inspecting(inspect.Always)), trusting(testAuthority()), false)
	for credentials, want := range map[string]string{"": "HTTP/2.0", "NTLM TlRMTVNTUAABAAAA": "HTTP/1.1", "Negotiate AAAA": "HTTP/1.1", "Basic YTpi": "HTTP/2.0"} {
		var fields []string
		if credentials != "" {
			fields = []string{"Authorization", credentials}
		}
		if _, body, err := read(c, "https://"+o.address+"/", fields...); err != nil || body != want {
			t.Errorf("with %q: %q, %v, want %q", credentials, body, err, want)
		}
	}
}

// TestWhoPassesOverCertificatesIsToldYet: a program that takes any certificate gets to
// hear whose is at fault, and its request goes nowhere.
func TestWhoPassesOverCertificatesIsToldYet(t *testing.T) {
	o := serveSecure(t, func(http.ResponseWriter, *http.Request) {}, nil, "h2", "http/1.1")
	proxy := serveProxy(t, func(o *Options) {
		inspecting(inspect.Always)(o)
		o.Inspection.Roots = trusting(pastAuthority()) // and nobody who vouches for the origin
	})
	c := visitor(t, proxy, trusting(testAuthority()), false)
	if _, _, err := read(c, "https://"+o.address+"/"); err == nil {
		t.Error("whoever looks at certificates sees no fault")
	}
	c.Transport.(*http.Transport).TLSClientConfig.InsecureSkipVerify = true
	resp, body, err := read(c, "https://"+o.address+"/")
	if err != nil || resp.StatusCode != http.StatusBadGateway || !strings.Contains(body, "unknown issuer") {
		t.Errorf("%v %q %v", resp, body, err)
	}
	if n := len(o.saw()); n > 0 {
		t.Errorf("the origin saw %d requests", n)
	}
}
