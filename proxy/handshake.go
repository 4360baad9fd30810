package proxy

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"io"
	"net"
	"sync/atomic"
	"time"

	"guise/proxy/inspect"
	"guise/proxy/wire"
)

// A TLS handshake costs a client next to nothing, for it may send the same
// hello again and again, and this side as much as dozens of requests. So each
// client gets handshakes at the rate of its requests, and all together get a
// part of the processors: requests on open connections do not wait behind
// handshakes of new ones.

// awaitHandshake returns when a client may begin its handshake, or with an
// error if it does too much.
func (p *Proxy) awaitHandshake(remote net.Addr) error {
	client, isTCP := remote.(*net.TCPAddr)
	if !isTCP {
		return nil
	}
	wait, err := p.current.Load().gate.Handshake(client.AddrPort().Addr())
	if err == nil && !pause(p.tunnels.ctx, wait) {
		err = errShort
	}
	return err
}

// shakeHands does the handshake.
func (p *Proxy) shakeHands(conn net.Conn, config *tls.Config) (*tls.Conn, error) {
	if tcp, isTCP := conn.(*net.TCPConn); isTCP {
		h := &handshake{TCPConn: tcp, rw: wire.Direct(tcp), proxy: p}
		defer h.done()
		conn = h
	}
	secure := tls.Server(conn, config)
	return secure, secure.Handshake()
}

// pause waits for d, and reports whether ctx has not ended by then.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// A handshake is a client's connection below TLS. What costs much is done between
// the client's hello and the first bytes of the answer, so only then does it have
// a token: while it waits for its client, it keeps nobody else waiting.
type handshake struct {
	*net.TCPConn
	rw    io.ReadWriter // reads and writes TCPConn
	proxy *Proxy
	token atomic.Bool // it holds one of Proxy.shaking
	again bool        // the client was asked for another hello, which needs a token too
	ended bool        // a read found the end of the bytes below TLS
	read  []byte      // what was read of that hello and not handed on yet
}

// limitHandshakes makes config wait for a token once it has the client's hello.
func limitHandshakes(config *tls.Config) *tls.Config {
	limited := config.Clone()
	limited.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if h, ok := hello.Conn.(*handshake); ok {
			return nil, h.begin()
		}
		return nil, nil
	}
	return limited
}

// begin waits for a token, as long as a client may take to send a head.
func (h *handshake) begin() error {
	timer := time.NewTimer(h.proxy.current.Load().options.Timeouts.Head)
	defer timer.Stop()
	select {
	case h.proxy.shaking <- struct{}{}:
		h.token.Store(true)
		return nil
	case <-h.proxy.tunnels.ctx.Done():
	case <-timer.C:
	}
	return errShort
}

// done gives the token back.
func (h *handshake) done() {
	if h.token.CompareAndSwap(true, false) {
		<-h.proxy.shaking
	}
}

func (h *handshake) Write(b []byte) (int, error) {
	h.done()
	if asksForAnotherHello(b) {
		h.again = true
	}
	return h.rw.Write(b)
}

// helloRetry is the random of a ServerHello that is a HelloRetryRequest, the
// SHA-256 of that word (RFC 8446 §4.1.3).
var helloRetry = sha256.Sum256([]byte("HelloRetryRequest"))

// asksForAnotherHello reports whether a record that this side sends is a
// HelloRetryRequest. All of the handshake's cost is yet to come then.
func asksForAnotherHello(record []byte) bool {
	const serverHello, random = 2, 5 + 4 + 2 // behind the heads of record and message, and the version
	return len(record) >= random+len(helloRetry) && record[5] == serverHello &&
		bytes.Equal(record[random:random+len(helloRetry)], helloRetry[:])
}

func (h *handshake) Read(b []byte) (int, error) {
	if h.again {
		h.again = false
		if err := h.readAnotherHello(); err != nil {
			return 0, err
		}
	}
	if len(h.read) > 0 {
		n := copy(b, h.read)
		h.read = h.read[n:]
		return n, nil
	}
	n, err := h.rw.Read(b)
	h.ended = h.ended || err == io.EOF
	return n, err
}

// readAnotherHello waits for a token once a whole hello is there, so that
// nobody holds one while it sends its hello.
func (h *handshake) readAnotherHello() error {
	const changeCipherSpec = "\x14\x03\x03\x00\x01\x01" // may come before (RFC 8446 §D.4)
	before := make([]byte, len(changeCipherSpec))
	if _, err := io.ReadFull(h.TCPConn, before); err != nil {
		return err
	}
	var hello []byte
	var err error
	if string(before) == changeCipherSpec {
		hello, _, err = inspect.ReadHello(h.TCPConn, nil)
		h.read = append(before, hello...)
	} else {
		h.read, _, err = inspect.ReadHello(h.TCPConn, before)
	}
	if err != nil {
		return err
	}
	return h.begin()
}

// NetConn returns the connection itself.
func (h *handshake) NetConn() net.Conn { return h.TCPConn }

// Ended tells a tunnel that TLS ended without a close_notify.
func (h *handshake) Ended() bool { return h.ended }
