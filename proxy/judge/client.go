package judge

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"
)

// received is what came back to the client.
type received struct {
	raw     []byte // head bytes, interim responses included
	head    Head   // of the final response
	status  int
	interim []int // 1xx statuses that came before
	body    []byte
	trailer http.Header
	err     error // why the answer was not whole
}

// all returns the bytes of the heads, with the trailer fields behind them.
func (r received) all() []byte {
	var b strings.Builder
	for name, lines := range r.trailer {
		for _, line := range lines {
			writeFields(&b, []Field{{name, line}})
		}
	}
	return append(r.raw[:len(r.raw):len(r.raw)], b.String()...)
}

// responseLimit bounds what a proxy may answer to one probe, in bytes.
const responseLimit = 8 << 20

// A client sends bytes to a proxy from an address of its own.
type client struct {
	proxy   string
	from    netip.Addr // local address; zero lets the system choose
	timeout time.Duration
	inside  *tls.Config // speak TLS with origin through a tunnel; nil for plain http
	origin  string      // host:port of the origin
}

// conversation is one connection to the proxy.
type conversation struct {
	net.Conn
	tap  *tap
	br   *bufio.Reader
	stop func() bool
}

func (c client) dial(ctx context.Context) (*conversation, error) {
	d := net.Dialer{Timeout: c.timeout}
	if c.from.IsValid() {
		d.LocalAddr = &net.TCPAddr{IP: c.from.AsSlice()}
	}
	outer, err := d.DialContext(ctx, "tcp", c.proxy)
	if err != nil {
		if call, ok := errors.AsType[*os.SyscallError](err); ok {
			err = call.Err // without the address that stands for a visitor
		}
		return nil, fmt.Errorf("reach the proxy at %s: %w", c.proxy, err)
	}
	outer.SetDeadline(time.Now().Add(c.timeout))
	stop := context.AfterFunc(ctx, func() { outer.SetDeadline(time.Unix(1, 0)) })
	conn := outer
	if c.inside != nil {
		if conn, err = c.enter(outer); err != nil {
			stop()
			outer.Close()
			return nil, err
		}
	}
	t := &tap{Conn: conn, limit: responseLimit}
	return &conversation{conn, t, bufio.NewReader(t), stop}, nil
}

// enter opens a tunnel to the origin and TLS inside it. TLS fails if the proxy does
// not inspect, since the origin speaks plain HTTP, or if the client does not trust it.
func (c client) enter(conn net.Conn) (net.Conn, error) {
	if _, err := io.WriteString(conn, "CONNECT "+c.origin+" HTTP/1.1\r\nHost: "+c.origin+"\r\n\r\n"); err != nil {
		return nil, fmt.Errorf("open a tunnel: %w", err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: http.MethodConnect})
	if err != nil {
		return nil, fmt.Errorf("open a tunnel: %w", err)
	}
	if resp.StatusCode/100 != 2 {
		return nil, fmt.Errorf("open a tunnel: the proxy answered %d", resp.StatusCode)
	}
	inner := tls.Client(conn, c.inside)
	if err := inner.Handshake(); err != nil {
		return nil, fmt.Errorf("begin TLS inside the tunnel: %w", err)
	}
	return inner, nil
}

func (c *conversation) Close() error {
	c.stop()
	return c.Conn.Close()
}

// readHead reads interim responses and the final head.
func (c *conversation) readHead(method string) (*http.Response, received) {
	var got received
	for {
		start := len(c.tap.consumed(c.br.Buffered()))
		resp, err := http.ReadResponse(c.br, &http.Request{Method: method})
		got.raw = c.tap.consumed(c.br.Buffered())
		if err != nil {
			got.err = err
			return nil, got
		}
		if resp.StatusCode < 200 && resp.StatusCode != http.StatusSwitchingProtocols {
			got.interim = append(got.interim, resp.StatusCode)
			continue
		}
		got.head, got.status = parseHead(got.raw[start:]), resp.StatusCode
		return resp, got
	}
}

// read reads a whole response.
func (c *conversation) read(method string) received {
	resp, got := c.readHead(method)
	if resp == nil {
		return got
	}
	got.body, got.err = io.ReadAll(resp.Body)
	got.trailer = resp.Trailer
	return got
}

// exchange sends raw and reads the answer. The error says that the proxy
// could not be reached at all; what went wrong later is in received.err.
func (c client) exchange(ctx context.Context, method string, raw []byte) (received, error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return received{}, err
	}
	defer conn.Close()
	// A proxy that refuses early stops reading; its answer counts, not
	// the failed write.
	conn.Write(raw)
	return conn.read(method), nil
}

// tunnel asks for a tunnel to target, sends early together with the head
// of that request and returns the answer to what was sent.
func (c client) tunnel(ctx context.Context, target string, early []byte) (connect, inside received, err error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return connect, inside, err
	}
	defer conn.Close()
	conn.Write(append([]byte("CONNECT "+target+" HTTP/1.1\r\nHost: "+target+"\r\n\r\n"), early...))
	_, connect = conn.readHead(http.MethodConnect)
	if connect.err != nil || connect.status/100 != 2 {
		return connect, inside, nil
	}
	return connect, conn.read(http.MethodGet), nil
}

// socket opens a WebSocket, sends message and returns what came back.
func (c client) socket(ctx context.Context, raw []byte, message string) (received, string, error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return received{}, "", err
	}
	defer conn.Close()
	conn.Write(raw)
	_, got := conn.readHead(http.MethodGet)
	if got.err != nil || got.status != http.StatusSwitchingProtocols {
		return got, "", nil
	}
	mask := []byte{1, 2, 3, 4}
	frame := append([]byte{0x81, 0x80 | byte(len(message))}, mask...)
	for i := range len(message) {
		frame = append(frame, message[i]^mask[i%4])
	}
	conn.Write(frame)
	back := make([]byte, 2+len(message))
	_, got.err = io.ReadFull(conn.br, back)
	return got, string(back[2:]), nil
}

// stream sends raw, and calls arrived as soon as the body holds first.
func (c client) stream(ctx context.Context, raw []byte, first string, arrived func()) (received, error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return received{}, err
	}
	defer conn.Close()
	conn.Write(raw)
	resp, got := conn.readHead(http.MethodGet)
	if resp == nil {
		return got, nil
	}
	buf := make([]byte, 1024)
	for got.err == nil {
		var n int
		n, got.err = resp.Body.Read(buf)
		got.body = append(got.body, buf[:n]...)
		if arrived != nil && bytes.Contains(got.body, []byte(first)) {
			arrived()
			arrived = nil
		}
	}
	if errors.Is(got.err, io.EOF) {
		got.err = nil
	}
	return got, nil
}

// request builds the bytes of a request.
func request(method, target string, fields []Field, body string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", method, target)
	writeFields(&b, fields)
	b.WriteString("\r\n")
	b.WriteString(body)
	return []byte(b.String())
}
