package proxy

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"guise/proxy/inspect"
)

// TestBoundCredentialsKeepTheirConnection: NTLM and Negotiate authenticate the
// connection, so nobody else's request may go out on it.
func TestBoundCredentialsKeepTheirConnection(t *testing.T) {
	o := serveNumbered(t)
	proxy := serveProxy(t, nil)
	client := func() func(authorization string) string {
		conn := dial(t, proxy)
		r := bufio.NewReader(conn)
		return func(authorization string) string {
			io.WriteString(conn, "GET http://"+o.address+"/ HTTP/1.1\r\nHost: x\r\n"+authorization+"\r\n")
			_, body := readAnswer(t, r, "GET")
			return body
		}
	}
	const ntlm = "Authorization: NTLM TlRMTVNTUAABAAAA\r\n"
	alice, bob := client(), client()
	bound := alice(ntlm)
	if again := alice("authorization: negotiate YII=\r\n"); again != bound {
		t.Errorf("the handshake began on connection %s and went on over %s", bound, again)
	}
	for _, authorization := range []string{"", "Authorization: Basic YTpi\r\n", ntlm} {
		if got := bob(authorization); got == bound {
			t.Errorf("another client with %q got connection %s", authorization, got)
		}
	}
}

// TestBoundCredentialsAreNoLegacy: who comes after another from the same address and
// port, as behind a NAT, gets nothing of what that one's credentials opened.
func TestBoundCredentialsAreNoLegacy(t *testing.T) {
	var opened atomic.Int32
	o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
		opened.Add(1)
		answer(hello)(conn, r)
	})
	proxy := serveProxy(t, nil)
	from := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}
	for range 2 {
		conn, err := (&net.Dialer{LocalAddr: from, Timeout: patience}).Dial("tcp", proxy)
		if err != nil {
			t.Fatal(err)
		}
		from = conn.LocalAddr().(*net.TCPAddr)
		io.WriteString(conn, "GET http://"+o.address+"/ HTTP/1.1\r\nHost: x\r\nAuthorization: NTLM TlRMTVNTUAABAAAA\r\n\r\n")
		if _, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil {
			t.Error(err)
		}
		conn.(*net.TCPConn).SetLinger(0) // the port is free at once
		conn.Close()
	}
	if opened.Load() != 2 {
		t.Errorf("%d connections for two clients", opened.Load())
	}
}

// TestUsersOfOneConnectionAreApart: a proxy before this one may send the requests of
// several users on one connection. What the origin knows of its own, by credentials for
// it or by content that it has not read, it knows of one of them.
func TestUsersOfOneConnectionAreApart(t *testing.T) {
	o := serveNumbered(t)
	conn := dial(t, serveProxy(t, withUsers(t)))
	r := bufio.NewReader(conn)
	for _, user := range []string{"ann", "bob"} { // to check a password may take longer than a connection is kept for a POST
		io.WriteString(conn, "GET http://"+o.address+"/ HTTP/1.1\r\nHost: x\r\n"+authorization(user, "secret")+"\r\n\r\n")
		readAnswer(t, r, "GET")
	}
	for _, rest := range []string{"Authorization: NTLM TlRMTVNTUAABAAAA\r\n\r\n", "Content-Length: 1\r\n\r\nx"} {
		on := map[string]string{}
		for _, user := range []string{"ann", "bob", "ann"} {
			io.WriteString(conn, "POST http://"+o.address+"/ HTTP/1.1\r\nHost: x\r\n"+authorization(user, "secret")+"\r\n"+rest)
			_, got := readAnswer(t, r, "POST")
			if before, again := on[user]; again && got != before {
				t.Errorf("%q: %s was on connection %s, and then on %s", rest, user, before, got)
			}
			on[user] = got
		}
		if on["ann"] == on["bob"] {
			t.Errorf("%q: two users on one connection", rest)
		}
	}
}

// TestUnreadContentReachesNobodyElse: an origin that does not read what comes with a
// POST takes it for the beginning of the next request. That is never another client's.
func TestUnreadContentReachesNobodyElse(t *testing.T) {
	script := func(conn net.Conn, r *bufio.Reader) {
		for {
			var first string
			for line := "\n"; line != "\r\n"; {
				var err error
				if line, err = r.ReadString('\n'); err != nil {
					return
				}
				if first == "" {
					first = strings.TrimSpace(line)
				}
			}
			fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: %d\r\n\r\n%s", len(first), first)
		}
	}
	plain, secure := serveOrigin(t, script), serveOrigin(t, overTLS(t, script))
	proxy := serveProxy(t, inspecting(inspect.Always))
	for _, url := range []string{"http://" + plain.address + "/", "https://" + secure.address + "/"} {
		for _, http2 := range []bool{false, true} {
			sender, other := visitor(t, proxy, trusting(testAuthority()), http2), visitor(t, proxy, trusting(testAuthority()), http2)
			if _, got, err := read(other, url+"first"); err != nil || got != "GET /first HTTP/1.1" {
				t.Fatal(got, err)
			}
			resp, err := sender.Post(url+"form", "text/plain", strings.NewReader("GET /planted HTTP/1.1\r\nX-Rest: "))
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			for _, c := range []*http.Client{other, sender} {
				if _, got, err := read(c, url+"own"); err != nil || got != "GET /own HTTP/1.1" {
					t.Errorf("a request with nothing planted got the answer to %s (%v)", got, err)
				}
			}
		}
	}
}

// serveNumbered runs an origin that says on which of its connections a request came.
func serveNumbered(t *testing.T) *origin {
	t.Helper()
	var opened atomic.Int32
	return serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
		id := fmt.Sprint(opened.Add(1))
		answer(fmt.Sprintf("HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: %d\r\n\r\n%s", len(id), id))(conn, r)
	})
}

// overTLS is a script for the same over TLS, with HTTP/1.1.
func overTLS(t *testing.T, script func(net.Conn, *bufio.Reader)) func(net.Conn, *bufio.Reader) {
	config := siteTLS(t)
	return func(conn net.Conn, _ *bufio.Reader) {
		tc := tls.Server(conn, config)
		script(tc, bufio.NewReader(tc))
	}
}

// TestUploadsOfSitesShareNoConnection: what pages of two sites send to a third comes on
// two connections, or it would know that one visitor has opened both.
func TestUploadsOfSitesShareNoConnection(t *testing.T) {
	o := serveNumbered(t)
	conn := dial(t, serveProxy(t, nil))
	r := bufio.NewReader(conn)
	from := func(site string) string {
		fmt.Fprintf(conn, "POST http://%s/ HTTP/1.1\r\nHost: x\r\nOrigin: http://%s\r\nContent-Length: 1\r\n\r\na", o.address, site)
		_, body := readAnswer(t, r, "POST")
		return body
	}
	shop, bank := from("shop.example"), from("bank.example")
	if again := from("www.shop.example"); bank == shop || again != shop {
		t.Errorf("connections %s and %s, then %s", shop, bank, again)
	}
}

// TestUploadsOfUnknownSitesShareNoConnection: neither does what pages send whose site is not
// known, since each may be another's.
func TestUploadsOfUnknownSitesShareNoConnection(t *testing.T) {
	o := serveNumbered(t)
	conn := dial(t, serveProxy(t, nil))
	r := bufio.NewReader(conn)
	for name, fields := range map[string]string{
		"null":  "Origin: null\r\n",
		"frame": "Origin: http://" + o.address + "\r\nSec-Fetch-Storage-Access: none\r\n",
	} {
		seen := map[string]bool{}
		for range 2 {
			fmt.Fprintf(conn, "POST http://%s/ HTTP/1.1\r\nHost: x\r\nUser-Agent: Mozilla/5.0\r\n%sContent-Length: 1\r\n\r\na", o.address, fields)
			_, body := readAnswer(t, r, "POST")
			if seen[body] {
				t.Errorf("%s: two on connection %s", name, body)
			}
			seen[body] = true
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
