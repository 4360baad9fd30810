package wire

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A deadlined connection notes the latest deadline of its writes.
type deadlined struct {
	*net.TCPConn
	mu   sync.Mutex
	till time.Time
}

func (d *deadlined) SetDeadline(t time.Time) error {
	d.mu.Lock()
	d.till = t
	d.mu.Unlock()
	return d.TCPConn.SetDeadline(t)
}

func (d *deadlined) SetWriteDeadline(t time.Time) error {
	d.mu.Lock()
	d.till = t
	d.mu.Unlock()
	return d.TCPConn.SetWriteDeadline(t)
}

func (d *deadlined) putOff() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Until(d.till) > leisure/2
}

func (d *deadlined) within(limit time.Duration) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.till.IsZero() && time.Until(d.till) < limit
}

// TLS answers a KeyUpdate (RFC 8446 §4.6.3) while it reads, long after the last write.
func TestKeysCanBeUpdatedLongAfterTheLastWrite(t *testing.T) {
	for _, protocol := range []string{"http/1.1", "h2"} {
		t.Run(protocol, func(t *testing.T) {
			done := make(chan bool)
			o := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				http.NewResponseController(w).Flush()
				<-done
			}))
			o.EnableHTTP2 = protocol == "h2"
			o.StartTLS()
			defer o.Close()
			defer close(done)
			var conn *deadlined
			tr := &Transport{
				TLS: o.Client().Transport.(*http.Transport).TLSClientConfig,
				Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
					nc, err := new(net.Dialer).DialContext(ctx, network, address)
					if err != nil {
						return nil, err
					}
					conn = &deadlined{TCPConn: nc.(*net.TCPConn)}
					return conn, nil
				},
			}
			defer tr.Close()
			var rt http.RoundTripper = tr
			if protocol == "h2" {
				tc, err := tr.Connect(t.Context(), o.Listener.Addr().String(), "h2")
				if err != nil {
					t.Fatal(err)
				}
				rt = tr.HTTP2(tc, nil)
			}
			r, _ := http.NewRequestWithContext(t.Context(), "GET", o.URL, nil)
			resp, err := rt.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			until(t, conn.putOff) // what answers the origin's SETTINGS may be under way
		})
	}
}

// A deadlinedListener accepts deadlined connections.
type deadlinedListener struct {
	net.Listener
	last atomic.Pointer[deadlined]
}

func (l *deadlinedListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	d := &deadlined{TCPConn: nc.(*net.TCPConn)}
	l.last.Store(d)
	return d, nil
}

// Clients may ask for new keys, too.
func TestClientsCanUpdateKeysLongAfterTheAnswer(t *testing.T) {
	for _, protocol := range []string{"http/1.1", "h2"} {
		t.Run(protocol, func(t *testing.T) {
			secure := httptest.NewTLSServer(nil) // for its certificate
			defer secure.Close()
			tcp, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			l := &deadlinedListener{Listener: tcp}
			s := &Server{HTTP2: true, Timeouts: Timeouts{Write: time.Minute}, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {})}
			serveOn(t, tls.NewListener(l, &tls.Config{Certificates: secure.TLS.Certificates, NextProtos: []string{protocol}}), s)
			tr := secure.Client().Transport.(*http.Transport).Clone()
			tr.ForceAttemptHTTP2 = protocol == "h2"
			defer tr.CloseIdleConnections()
			resp, err := (&http.Client{Transport: tr}).Get("https://" + tcp.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			until(t, func() bool { return l.last.Load().putOff() })
		})
	}
}

// A carryingListener hides that its connections are of TLS, as what carries plain HTTP in a
// CONNECT does.
type carryingListener struct{ net.Listener }

func (l carryingListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	return carriedConn{nc}, err
}

// A client that has TLS write while it reads, and reads nothing itself, has no more time
// for that than for what it is to send.
func TestTLSWritesNoLongerThanTheServerReads(t *testing.T) {
	for name, hide := range map[string]func(net.Listener) net.Listener{
		"its own":  func(l net.Listener) net.Listener { return l },
		"below it": func(l net.Listener) net.Listener { return carryingListener{l} },
	} {
		t.Run(name, func(t *testing.T) {
			secure := httptest.NewTLSServer(nil) // for its certificate
			defer secure.Close()
			tcp, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			l := &deadlinedListener{Listener: tcp}
			limited := func() bool { return l.last.Load().within(2 * time.Minute) }
			began := make(chan bool)
			s := &Server{Timeouts: Timeouts{Head: time.Minute, Body: time.Minute, Write: time.Minute}, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				r.Body.Read(make([]byte, 1))
				began <- true
				io.Copy(io.Discard, r.Body)
			})}
			serveOn(t, hide(tls.NewListener(l, &tls.Config{Certificates: secure.TLS.Certificates})), s)
			c, err := tls.Dial("tcp", tcp.Addr().String(), secure.Client().Transport.(*http.Transport).TLSClientConfig)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			io.WriteString(c, "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\n1")
			<-began
			if !limited() {
				t.Error("in a body, TLS may write for as long as the client does not read")
			}
			io.WriteString(c, "2")
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			until(t, l.last.Load().putOff)
			io.WriteString(c, "G")
			until(t, limited)
		})
	}
}
