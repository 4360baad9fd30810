package proxy

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"guise/proxy/certs"
	"guise/proxy/inspect"
)

// A corkable connection can keep back what is written until its half is closed.
type corkable struct {
	*net.TCPConn
	cork    bool
	written []byte
}

func (c *corkable) Write(b []byte) (int, error) {
	if !c.cork {
		return c.TCPConn.Write(b)
	}
	c.written = append(c.written, b...)
	return len(b), nil
}

func (c *corkable) CloseWrite() error {
	c.SetDeadline(time.Now().Add(patience)) // crypto/tls lets nothing be written behind a close_notify
	c.TCPConn.Write(c.written)
	return c.TCPConn.CloseWrite()
}

// halves is a connection whose two directions end on their own.
type halves interface {
	net.Conn
	CloseWrite() error
}

// A watchedEnd notes whether the bytes below TLS have ended.
type watchedEnd struct {
	halves
	ended bool
}

func (c *watchedEnd) Read(b []byte) (int, error) {
	n, err := c.halves.Read(b)
	c.ended = c.ended || n == 0 && err == io.EOF
	return n, err
}

// A half is one end of a TLS connection whose two directions end on their own.
type half struct {
	*tls.Conn
	r      *bufio.Reader
	below  *watchedEnd
	around *half // the TLS that it is inside of, or nil
	socket *corkable
}

func newHalf(conn net.Conn, secure func(net.Conn) *tls.Conn) *half {
	socket := &corkable{TCPConn: conn.(*net.TCPConn)}
	socket.SetDeadline(time.Now().Add(patience))
	return (&half{socket: socket}).over(socket, secure)
}

// inside begins TLS inside of h's.
func (h *half) inside(secure func(net.Conn) *tls.Conn) *half {
	return (&half{socket: h.socket, around: h}).over(h, secure)
}

func (h *half) over(conn halves, secure func(net.Conn) *tls.Conn) *half {
	h.below = &watchedEnd{halves: conn}
	h.Conn = secure(h.below)
	h.r = bufio.NewReader(h)
	return h
}

// end ends what h sends and all below it, or all below it alone, in one piece.
func (h *half) end(cut bool) {
	h.socket.cork = true
	io.WriteString(h, "half of it")
	if !cut {
		h.CloseWrite()
	}
	for around := h.around; around != nil; around = around.around {
		around.CloseWrite()
	}
	h.socket.CloseWrite()
}

// told reads to the end, and reports whether that was said.
func (h *half) told(t *testing.T) bool {
	if got, err := io.ReadAll(h.r); err != nil || string(got) != "half of it" {
		t.Errorf("received %q, %v", got, err)
	}
	return !h.below.ended
}

// TestCutTunnelsAreNotEnded: of TLS that was cut on one side, nobody on the other side
// hears from guise that it has ended.
func TestCutTunnelsAreNotEnded(t *testing.T) {
	const connected = "HTTP/1.1 200 OK\r\n\r\n"
	const switched = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n"
	type layer struct {
		config *tls.Config
		answer string
	}
	// serveFar answers one head in each layer of TLS on each connection.
	serveFar := func(t *testing.T, layers ...layer) (address string, fars chan *half) {
		fars = make(chan *half)
		over := make(chan struct{})
		o := serveOrigin(t, func(conn net.Conn, _ *bufio.Reader) {
			var far *half
			for _, l := range layers {
				secure := func(c net.Conn) *tls.Conn { return tls.Server(c, l.config) }
				if far == nil {
					far = newHalf(conn, secure)
				} else {
					far = far.inside(secure)
				}
				if _, err := http.ReadRequest(far.r); err != nil {
					return
				}
				io.WriteString(far, l.answer)
			}
			fars <- far
			<-over
		})
		t.Cleanup(func() { close(over) })
		return o.address, fars
	}
	older := func(config *tls.Config) *tls.Config { // there an alert shows around what is inside, and crypto/tls looks ahead for it
		config = config.Clone()
		config.MaxVersion = tls.VersionTLS12
		return config
	}
	hop := func(t *testing.T) (config *tls.Config, roots string) {
		dir := t.TempDir()
		roots = filepath.Join(dir, "cert.pem")
		pair, _, err := certs.KeptSelfSigned(roots, filepath.Join(dir, "key.pem"), "127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		return certs.Config(pair), roots
	}
	site := func(t *testing.T) *tls.Config {
		leaf, err := originAuthority().Leaf("127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		return &tls.Config{Certificates: []tls.Certificate{*leaf}}
	}
	// overTLS sends CONNECT to p over TLS.
	overTLS := func(t *testing.T, p *Proxy, adapt func(*tls.Config) *tls.Config, target string) *half {
		config, _, pool := newTLS(t)
		near := newHalf(dial(t, serveAs(t, p, Listening{Protocol: HTTPS, TLS: adapt(config)})), func(c net.Conn) *tls.Conn {
			return tls.Client(c, &tls.Config{RootCAs: pool, ServerName: "proxy.example"})
		})
		io.WriteString(near, "CONNECT "+target+" HTTP/1.1\r\nHost: "+target+"\r\n\r\n")
		return near
	}
	same := func(config *tls.Config) *tls.Config { return config }
	toSite := func(c net.Conn) *tls.Conn {
		return tls.Client(c, &tls.Config{RootCAs: trusting(testAuthority()), ServerName: "127.0.0.1"})
	}
	askForWebSocket := func(near *half, origin string) {
		io.WriteString(near, "GET /chat HTTP/1.1\r\nHost: "+origin+"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
	}
	chained := func(roots string, addresses ...string) func(*Options) {
		return func(o *Options) {
			for _, address := range addresses {
				o.Egress.Chain = append(o.Egress.Chain, &url.URL{Scheme: "https", Host: address})
			}
			o.Egress.ChainRoots = roots
		}
	}
	cases := map[string]func(t *testing.T) (near *half, fars chan *half){
		"through an upstream proxy": func(t *testing.T) (*half, chan *half) {
			config, roots := hop(t)
			upstream, fars := serveFar(t, layer{config, connected})
			p, _ := newProxy(t, chained(roots, upstream))
			return overTLS(t, p, same, "far.example:443"), fars
		},
		"through two upstream proxies": func(t *testing.T) (*half, chan *half) {
			config, roots := hop(t)
			upstream, fars := serveFar(t, layer{older(config), connected}, layer{config, connected})
			p, _ := newProxy(t, chained(roots, upstream, upstream))
			return overTLS(t, p, same, "far.example:443"), fars
		},
		"a WebSocket inside": func(t *testing.T) (*half, chan *half) {
			origin, fars := serveFar(t, layer{site(t), switched})
			conn, _ := openTunnel(t, serveProxy(t, inspecting(inspect.Always)), origin, "")
			near := newHalf(conn, toSite)
			askForWebSocket(near, origin)
			return near, fars
		},
		"a WebSocket inside, over TLS, through an upstream proxy": func(t *testing.T) (*half, chan *half) {
			config, roots := hop(t)
			upstream, fars := serveFar(t, layer{older(config), connected}, layer{site(t), switched})
			p, _ := newProxy(t, func(o *Options) {
				inspecting(inspect.Always)(o)
				chained(roots, upstream)(o)
			})
			origin := "127.0.0.1:443"
			near := overTLS(t, p, older, origin)
			if resp, err := http.ReadResponse(near.r, &http.Request{Method: "CONNECT"}); err != nil || resp.StatusCode != 200 {
				t.Fatal(resp, err)
			}
			near = near.inside(toSite)
			askForWebSocket(near, origin)
			return near, fars
		},
	}
	for name, open := range cases {
		t.Run(name, func(t *testing.T) {
			for _, cut := range []bool{false, true} {
				for _, fromFar := range []bool{false, true} {
					near, fars := open(t)
					resp, err := http.ReadResponse(near.r, &http.Request{Method: "CONNECT"})
					if err != nil || resp.StatusCode != 200 && resp.StatusCode != 101 {
						t.Fatal(resp, err)
					}
					first, second := near, <-fars
					if fromFar {
						first, second = second, first
					}
					first.end(cut)
					if told := second.told(t); told == cut {
						t.Errorf("cut %t, fromFar %t: the other side is told of an end: %t", cut, fromFar, told)
					}
				}
			}
		})
	}
}
