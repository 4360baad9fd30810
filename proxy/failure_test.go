package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"guise/proxy/egress"
	"guise/proxy/inspect"
	"guise/proxy/socks"
	"guise/proxy/telemetry"
	"guise/proxy/wire"
	"guise/proxy/wire/http2test"
)

// TestUpstreamFaultsAreNamed expects of every fault upstream its own status
// and Proxy-Status (RFC 9209).
func TestUpstreamFaultsAreNamed(t *testing.T) {
	reply := func(raw string) string {
		return serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
			http.ReadRequest(r)
			io.WriteString(conn, raw)
		}).address
	}
	silent := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) { io.Copy(io.Discard, r) }).address
	reset := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
		http.ReadRequest(r)
		conn.(*net.TCPConn).SetLinger(0)
	}).address
	for _, c := range []struct {
		name, url string
		status    int
		kind      string
	}{
		{"refused", "http://" + refusing(t) + "/", 502, "connection_refused"},
		{"closed", "http://" + reply("") + "/", 502, "connection_terminated"},
		{"reset", "http://" + reset + "/", 502, "connection_terminated"},
		{"silent", "http://" + silent + "/", 504, "http_response_timeout"},
		{"garbage", "http://" + reply("garbage\r\n\r\n") + "/", 502, "http_protocol_error"},
		{"folded field", "http://" + reply("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n") + "/", 502, "http_protocol_error"},
		{"large head", "http://" + reply("HTTP/1.1 200 OK\r\nA: "+strings.Repeat("b", 200<<10)+"\r\n\r\n") + "/", 502, "http_response_header_section_size"},
		{"many fields", "http://" + reply("HTTP/1.1 200 OK\r\n"+strings.Repeat("A: b\r\n", 10_000)+"\r\n") + "/", 502, "http_response_header_section_size"},
		{"two lengths", "http://" + reply("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab") + "/", 502, "http_protocol_error"},
		{"length and coding", "http://" + reply("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n") + "/", 502, "http_protocol_error"},
		{"unknown coding", "http://" + reply("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n") + "/", 502, "http_response_transfer_coding"},
		{"not TLS", "https://" + reply("HTTP/1.1 400 no\r\n\r\n") + "/", 502, "tls_protocol_error"},
		{"no such name", "http://nothing.invalid/", 502, `dns_error;rcode="NXDOMAIN"`},
		{"private address", "http://10.0.0.1/", 403, "http_request_denied"},
		{"bad host", "http://999.1.1.1/", 400, "http_request_error"},
		{"other scheme", "ftp://127.0.0.1/", 400, "http_request_error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			proxy := serveProxy(t, func(o *Options) {
				if c.name == "silent" {
					o.Timeouts.Response = 200 * time.Millisecond
				}
			})
			resp, body := get(t, proxy, c.url)
			if got := resp.Header.Get("Proxy-Status"); resp.StatusCode != c.status || !strings.HasPrefix(got, "guise;error="+c.kind) {
				t.Errorf("got %d %q, want %d %q", resp.StatusCode, got, c.status, c.kind)
			}
			if strings.Contains(body, "<") || len(body) == 0 || strings.Contains(body, "tLS") {
				t.Errorf("not a line of text: %q", body)
			}
			if resp, body = get(t, proxy, c.url, "Accept: text/html"); !strings.Contains(body, "<h1>") || resp.StatusCode != c.status {
				t.Errorf("not a page: %q", body)
			}
			// It stands in the site's place, and runs nothing.
			if policy := resp.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; ") || strings.Contains(policy, "script") {
				t.Errorf("the page's policy is %q", policy)
			}
		})
	}
}

// TestFaultsHaveTheirNames, also those that no server on one machine brings about. SOCKS
// clients, which get no words, get a code for it.
func TestFaultsHaveTheirNames(t *testing.T) {
	call := func(op string, err error) error { return &net.OpError{Op: op, Net: "tcp", Err: err} }
	certificate := func(err error) error {
		return &wire.HandshakeError{Err: &tls.CertificateVerificationError{Err: err}}
	}
	for _, c := range []struct {
		err    error
		status int
		kind   string
		says   string
		code   socks.Code
	}{
		{call("dial", os.NewSyscallError("connect", syscall.ENETUNREACH)), 502, "destination_ip_unroutable", "no route", socks.NetworkUnreachable},
		{call("dial", os.NewSyscallError("connect", syscall.EHOSTUNREACH)), 502, "destination_ip_unroutable", "no route", socks.NetworkUnreachable},
		{call("dial", os.NewSyscallError("bind", syscall.EADDRNOTAVAIL)), 502, "destination_ip_unroutable", "no route", socks.NetworkUnreachable},
		{call("dial", os.NewSyscallError("connect", syscall.ECONNREFUSED)), 502, "connection_refused", "does not accept", socks.ConnectionRefused},
		{call("dial", os.ErrDeadlineExceeded), 504, "connection_timeout", "accept the connection in time", socks.TimedOut},
		{call("dial", errors.New("else")), 502, "destination_unavailable", "No connection", socks.HostUnreachable},
		{call("read", os.ErrDeadlineExceeded), 504, "connection_read_timeout", "stood still", socks.TimedOut},
		{wire.ErrWriteTimeout, 504, "connection_write_timeout", "take the request", socks.Failed},
		{wire.ErrResponseTimeout, 504, "http_response_timeout", "did not answer in time", socks.Failed},
		{wire.ErrIncomplete, 502, "http_response_incomplete", "broke off", socks.Failed},
		{&net.DNSError{IsTimeout: true}, 504, "dns_timeout", "in time", socks.TimedOut},
		{&net.DNSError{IsNotFound: true}, 502, "dns_error", "No name server knows", socks.HostUnreachable},
		{&egress.LookupError{DNSError: &net.DNSError{IsNotFound: true}, RCode: "NXDOMAIN"}, 502, `dns_error;rcode="NXDOMAIN"`, "No name server knows", socks.HostUnreachable},
		{&egress.LookupError{DNSError: &net.DNSError{IsNotFound: true}, RCode: "NOERROR"}, 502, `dns_error;rcode="NOERROR"`, "no address of it", socks.HostUnreachable},
		{&egress.LookupError{DNSError: &net.DNSError{}, RCode: "SERVFAIL"}, 502, `dns_error;rcode="SERVFAIL"`, "could not answer", socks.HostUnreachable},
		{certificate(x509.HostnameError{}), 502, "tls_certificate_error", "for another name", socks.Failed},
		{certificate(x509.UnknownAuthorityError{}), 502, "tls_certificate_error", "trusts vouches", socks.Failed},
		{certificate(x509.CertificateInvalidError{Reason: x509.Expired}), 502, "tls_certificate_error", "has expired", socks.Failed},
		{certificate(x509.CertificateInvalidError{Reason: x509.TooManyIntermediates}), 502, "tls_certificate_error", "could not be verified", socks.Failed},
		{certificate(errRevoked), 502, "tls_certificate_error", "revoked it", socks.Failed},
		{&wire.HandshakeError{Err: os.ErrDeadlineExceeded}, 504, "connection_timeout", "TLS handshake in time", socks.TimedOut},
		{&egress.HopError{Err: egress.ErrOwnHop}, 502, "proxy_loop_detected", "The upstream proxy is at fault: It is this proxy itself", socks.Failed},
		{&egress.HopError{Err: call("dial", os.NewSyscallError("connect", syscall.ECONNREFUSED))}, 502, "connection_refused", "The upstream proxy is at fault: It does not accept", socks.ConnectionRefused},
		{&wire.RequestBodyError{Err: os.ErrDeadlineExceeded}, 408, "http_request_error", "did not arrive in time", socks.Failed},
		{&wire.RequestBodyError{Err: io.ErrUnexpectedEOF}, 400, "http_request_error", "malformed", socks.Failed},
		{context.Canceled, 400, "http_request_error", "client ended", socks.Failed},
		{errPanicked, 500, "proxy_internal_error", "failed to handle", socks.Failed},
		{egress.ErrPort, 403, "http_request_denied", "connect_ports", socks.NotAllowed},
		{&egress.Refused{}, 403, "http_request_denied", "rules do not let", socks.NotAllowed},
	} {
		f := failureOf(c.err)
		if f.status != c.status || f.kind != c.kind || !strings.Contains(f.detail, c.says) {
			t.Errorf("%#v: %d %s %q, want %d %s %q", c.err, f.status, f.kind, f.detail, c.status, c.kind, c.says)
		}
		if code := socksCode(f.kind); code != c.code {
			t.Errorf("%s is code %d to SOCKS clients, want %d", f.kind, code, c.code)
		}
	}
}

// TestOtherSchemesAreSaidToBe, as of a program whose ftp_proxy is guise: the host itself
// may well exist.
func TestOtherSchemesAreSaidToBe(t *testing.T) {
	if _, body := get(t, serveProxy(t, nil), "ftp://example.com/"); !strings.Contains(body, "http and https") {
		t.Errorf("got %q", body)
	}
}

// TestTLSFaultsAreNamed, also those after the handshake; but a connection that ends in
// it says nothing of its TLS.
func TestTLSFaultsAreNamed(t *testing.T) {
	config := siteTLS(t)
	afterwards := func(raw string) func(net.Conn) {
		return func(conn net.Conn) {
			http.ReadRequest(bufio.NewReader(tls.Server(conn, config)))
			io.WriteString(conn, raw)
			io.Copy(io.Discard, conn)
		}
	}
	for name, c := range map[string]struct {
		fault func(net.Conn)
		kind  string
	}{
		"a record that is none":  {afterwards("HTTP/1.1 400 Bad Request\r\n\r\n"), "tls_protocol_error"},
		"a record of nobody's":   {afterwards("\x17\x03\x03\x00\x28" + strings.Repeat("x", 40)), "tls_protocol_error"},
		"an end in a handshake":  {func(conn net.Conn) { io.ReadFull(conn, make([]byte, 100)) }, "connection_terminated"},
		"a reset in a handshake": {func(conn net.Conn) { conn.(*net.TCPConn).SetLinger(0) }, "connection_terminated"},
	} {
		o := serveOrigin(t, func(conn net.Conn, _ *bufio.Reader) { c.fault(conn) })
		proxy := serveProxy(t, func(o *Options) { o.Inspection.Roots = trusting(originAuthority()) })
		resp, _ := get(t, proxy, "https://"+o.address+"/")
		if got := resp.Header.Get("Proxy-Status"); resp.StatusCode != 502 || got != "guise;error="+c.kind {
			t.Errorf("%s: %d %q", name, resp.StatusCode, got)
		}
	}
}

// TestSilentOriginsAreWaitedForOnce: a client inside a CONNECT is told at its first request
// what was found out before, and asks anew with the next.
func TestSilentOriginsAreWaitedForOnce(t *testing.T) {
	var came atomic.Int32
	o := serveOrigin(t, func(_ net.Conn, r *bufio.Reader) {
		came.Add(1)
		io.Copy(io.Discard, r)
	})
	proxy := serveProxy(t, func(o *Options) {
		inspecting(inspect.Auto)(o)
		o.Timeouts.Connect = 200 * time.Millisecond
	})
	client := visitor(t, proxy, trusting(testAuthority()), false)
	for i := range int32(2) {
		resp, _, err := read(client, "https://"+o.address+"/")
		if err != nil {
			t.Fatal(err)
		}
		if got := resp.Header.Get("Proxy-Status"); resp.StatusCode != 504 || got != "guise;error=connection_timeout" {
			t.Errorf("%d %q", resp.StatusCode, got)
		}
		if n := came.Load(); n != i+1 {
			t.Errorf("request %d: asked %d times", i+1, n)
		}
	}
}

// TestUpstreamProxysFaultsAreNotTheOrigins, nor told as if they were.
func TestUpstreamProxysFaultsAreNotTheOrigins(t *testing.T) {
	ends := serveOrigin(t, func(net.Conn, *bufio.Reader) {})
	halts := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
		io.WriteString(conn, "\x05")
		io.Copy(io.Discard, r)
	})
	for _, c := range []struct {
		what, address string
		status        int
		kind          string
	}{
		{"refuses", refusing(t), 502, "connection_refused"},
		{"ends", ends.address, 502, "connection_terminated"},
		{"halts", halts.address, 504, "connection_read_timeout"},
	} {
		proxy := serveProxy(t, func(o *Options) {
			o.Egress.Chain = []*url.URL{{Scheme: "socks5", Host: c.address}}
			if c.what == "halts" {
				o.Timeouts.Connect = 200 * time.Millisecond
			}
		})
		resp, body := get(t, proxy, "http://a.example/")
		if got := resp.Header.Get("Proxy-Status"); resp.StatusCode != c.status || got != "guise;error="+c.kind || !strings.Contains(body, "upstream proxy") || strings.Contains(body, "origin") {
			t.Errorf("%s: %d %q: %q", c.what, resp.StatusCode, got, body)
		}
	}
}

// TestResetIsNoWantOfAWay: an origin can accept a connection and reset it before it
// shows here that it was accepted.
func TestResetIsNoWantOfAWay(t *testing.T) {
	err := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNRESET}
	if f := failureOf(&wire.DialError{Err: err}); f.status != 502 || f.kind != "connection_terminated" {
		t.Errorf("%+v", f)
	}
}

// TestShortageIsNobodyElsesFault: where there is no descriptor for a connection, the
// client may come again, and neither the origin nor an upstream proxy is blamed.
func TestShortageIsNobodyElsesFault(t *testing.T) {
	var err error = &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("socket", syscall.EMFILE)}
	var watches error = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ENOSPC} // for epoll(7)
	for _, err := range []error{&wire.DialError{Err: err}, &egress.HopError{Err: err}, &wire.DialError{Err: watches}} {
		f := failureOf(err)
		if f.status != 503 || f.kind != "proxy_internal_error" || f.header.Get("Retry-After") == "" || strings.Contains(f.detail, "upstream") {
			t.Errorf("%T: %+v", err, f)
		}
	}
}

// TestLargeTrailersAreNoLargeHeads, if anybody can still be told.
func TestLargeTrailersAreNoLargeHeads(t *testing.T) {
	f := failureOf(&wire.CodingError{Err: &wire.ProtocolError{Status: 431, What: "head too large"}})
	if f.status != 502 || f.kind != "http_response_trailer_section_size" {
		t.Errorf("%+v", f)
	}
}

// TestFaultsBehindTheHeadAreNamedWhileTheyCanBe: what breaks off when the client has
// not seen a byte of it is answered like what breaks off before its head. Heads wait
// for their bodies, but not for long, so there are several tries.
func TestFaultsBehindTheHeadAreNamedWhileTheyCanBe(t *testing.T) {
	for name, c := range map[string]struct{ raw, kind string }{
		"reset":     {"Content-Length: 10\r\n\r\n", "connection_terminated"},
		"closed":    {"Content-Length: 10\r\n\r\n", "http_response_incomplete"},
		"no chunk":  {"Transfer-Encoding: chunked\r\n\r\n", "http_response_incomplete"},
		"bad chunk": {"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", "http_response_transfer_coding"},
		"not gzip":  {"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nplain", "http_response_content_coding"},
		"cut gzip":  {"Content-Encoding: gzip\r\nContent-Length: 12\r\n\r\n\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff", "http_response_incomplete"},
	} {
		for _, version := range []string{"1.1", "1.0"} {
			t.Run(name+" "+version, func(t *testing.T) {
				o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
					http.ReadRequest(r)
					io.WriteString(conn, "HTTP/1.1 200 OK\r\n"+c.raw)
					if name == "reset" {
						conn.(*net.TCPConn).SetLinger(0)
					}
				})
				proxy := serveProxy(t, func(o *Options) { o.Metrics = telemetry.New() })
				request := "GET http://" + o.address + "/ HTTP/" + version + "\r\nHost: x\r\nConnection: "
				raw, answers := request+"close\r\n\r\n", 1
				if version == "1.1" { // the connection goes on
					raw, answers = request+"keep-alive\r\n\r\n"+raw, 2
				}
				for range 50 {
					got, _ := exchangeRaw(t, proxy, raw)
					if strings.Count(got, "HTTP/1.1 502 ") == answers && strings.Count(got, "\r\nProxy-Status: guise;error="+c.kind+"\r\n") == answers {
						return
					}
				}
				t.Error("nobody was told")
			})
		}
	}
}

// TestUpstreamProxysWishIsNotTheClients: an upstream proxy that wants other
// credentials wants them of guise, so its 407 goes no further: the client would
// take it for one of guise's own.
func TestUpstreamProxysWishIsNotTheClients(t *testing.T) {
	hop := serveOrigin(t, answer("HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"hop\"\r\nCache-Control: max-age=600\r\nContent-Length: 3\r\n\r\nhop"))
	proxy := serveProxy(t, func(o *Options) { o.Egress.Chain = []*url.URL{{Scheme: "http", Host: hop.address}} })
	for _, request := range []string{"GET http://a.example/", "CONNECT a.example:443"} {
		got, err := exchangeRaw(t, proxy, request+" HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n")
		if !strings.HasPrefix(got, "HTTP/1.1 502 ") || !strings.Contains(got, "\r\nProxy-Status: guise;error=destination_unavailable\r\n") || strings.Contains(got, "hop") || err != nil {
			t.Errorf("%s: %q, %v", request, got, err)
		}
	}
}

// TestBrokenResponseIsNeverWhole breaks responses off in every way: the
// client's connection must end without the response being complete.
func TestBrokenResponseIsNeverWhole(t *testing.T) {
	for name, raw := range map[string]string{
		"short body":       "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
		"no last chunk":    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
		"cut chunk":        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nshort",
		"bad chunk size":   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\nxyz\r\n",
		"bare LF chunk":    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\nshort\n0\n\n",
		"broken trailer":   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n0\r\nbad trailer\r\n\r\n",
		"gzip cut":         "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 12\r\n\r\n\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x4b\x04",
		"gzip that is not": "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nplain",
	} {
		for _, version := range []string{"1.1", "1.0"} {
			for _, reset := range []bool{false, true} {
				t.Run(name+" "+version, func(t *testing.T) {
					o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
						http.ReadRequest(r)
						io.WriteString(conn, raw)
						if reset {
							conn.(*net.TCPConn).SetLinger(0)
						}
					})
					got, err := exchangeRaw(t, serveProxy(t, nil), "GET http://"+o.address+"/ HTTP/"+version+"\r\nHost: x\r\nConnection: close\r\n\r\n")
					if err != nil {
						return // reset: no client takes that for whole
					}
					resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(got)), nil)
					if err != nil {
						return
					}
					if resp.StatusCode == 502 {
						return // it broke before anything was passed on
					}
					if resp.ContentLength < 0 && len(resp.TransferEncoding) == 0 {
						t.Fatalf("a close-delimited response ended cleanly: %q", got)
					}
					if _, err := io.ReadAll(resp.Body); err == nil {
						t.Errorf("a part passed for the whole: %q", got)
					}
				})
			}
		}
	}
}

// TestCutUploadIsNeverWhole breaks a request's body off: the origin must not
// take the part for the whole.
func TestCutUploadIsNeverWhole(t *testing.T) {
	for name, raw := range map[string]string{
		"short":          "Content-Length: 10\r\n\r\nshort",
		"no last chunk":  "Transfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
		"bad chunk size": "Transfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n-1\r\nx\r\n0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			whole := make(chan bool, 4)
			o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
				req, err := http.ReadRequest(r)
				if err != nil {
					return
				}
				_, err = io.Copy(io.Discard, req.Body)
				whole <- err == nil
			})
			conn := dial(t, serveProxy(t, nil))
			io.WriteString(conn, "POST http://"+o.address+"/ HTTP/1.1\r\nHost: x\r\n"+raw)
			conn.CloseWrite()
			io.Copy(io.Discard, conn)
			select {
			case got := <-whole:
				if got {
					t.Error("the origin took a part for the whole")
				}
			default: // refused before anything was sent on
			}
		})
	}
}

// TestWhatIsNoRequestIsNamedToo: also what is refused before it is a request says so
// in Proxy-Status, and no cache keeps it.
func TestWhatIsNoRequestIsNamedToo(t *testing.T) {
	proxy := serveProxy(t, nil)
	long := strings.Repeat("a", 70_000)
	for status, raw := range map[string]string{
		"400": "GET http://a.example/ HTTP/1.1\r\n\r\n",
		"414": "GET http://a.example/" + long + " HTTP/1.1\r\nHost: a.example\r\n\r\n",
		"417": "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\nExpect: much\r\n\r\n",
		"431": "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\nA: " + long + "\r\n\r\n",
	} {
		got, err := exchangeRaw(t, proxy, raw)
		head, _, _ := strings.Cut(got, "\r\n\r\n")
		if !strings.HasPrefix(head, "HTTP/1.1 "+status+" ") || !strings.Contains(head, "\r\nProxy-Status: guise;error=http_request_error\r\n") || !strings.Contains(head, "\r\nCache-Control: no-store\r\n") || err != nil {
			t.Errorf("got %q, %v, want a %s", got, err, status)
		}
	}
	client := http2test.NewClient(t, dial(t, proxy))
	client.Head(1, true, ":method: GET", ":scheme: http", ":authority: a.example", ":path: /", "expect: much")
	head := client.Headers(1)
	var named bool
	for _, f := range head.RegularFields() {
		named = named || f.Name == "proxy-status" && f.Value == "guise;error=http_request_error"
	}
	if head.PseudoValue("status") != "417" || !named {
		t.Errorf("over HTTP/2: got %v", head.Fields)
	}
}
