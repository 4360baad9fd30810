package egress

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// newResolver returns a resolver that asks servers over HTTPS (RFC 8484): nobody on
// the way learns which names are asked for. Each question goes to the first server
// that answers it. A server's own name, if it has one, is looked up at the system's
// name servers. The transport is the resolver's alone.
func newResolver(servers []*url.URL) (*net.Resolver, *http.Transport) {
	t := &http.Transport{
		DialContext:           (&net.Dialer{KeepAliveConfig: KeepAlive, Resolver: systemResolver}).DialContext,
		ForceAttemptHTTP2:     true,
		DisableCompression:    true,
		IdleConnTimeout:       time.Minute,
		TLSHandshakeTimeout:   5 * time.Second,
		ResponseHeaderTimeout: 5 * time.Second,
	}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return &questionConn{ctx: ctx, transport: t, servers: servers}, nil
	}}, t
}

// A questionConn carries one question of package net, which takes it for a TCP
// connection to a name server: message and answer have two octets of length before
// them (RFC 1035 §4.2.2).
type questionConn struct {
	ctx       context.Context // ends when package net waits no longer
	transport *http.Transport
	servers   []*url.URL
	answer    bytes.Reader
}

// silentServer is how long a server has where another can be asked: package net gives a
// question five seconds.
const silentServer = 2 * time.Second

// maxAnswer is the most that two octets of length can say.
const maxAnswer = 1<<16 - 1

// Write sends the question, and returns when the answer is there.
func (c *questionConn) Write(message []byte) (int, error) {
	if len(message) < 2+12 {
		return 0, errors.New("not a question")
	}
	question := pad(message[2:])
	var err error
	for i, server := range c.servers {
		ctx, cancel := c.ctx, context.CancelFunc(func() {})
		if i+1 < len(c.servers) {
			ctx, cancel = context.WithTimeout(ctx, silentServer)
		}
		var answer []byte
		answer, err = c.ask(ctx, server, question)
		cancel()
		if err != nil {
			continue
		}
		c.answer.Reset(slices.Concat(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer))
		return len(message), nil
	}
	return 0, err
}

// ask asks one server.
func (c *questionConn) ask(ctx context.Context, server *url.URL, question []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.String(), bytes.NewReader(question))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", dnsMessage)
	r.Header.Set("Accept", dnsMessage)
	r.Header.Set("User-Agent", "") // sends none
	resp, err := c.transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	kind, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	switch {
	case err != nil:
		return nil, err
	case resp.StatusCode != http.StatusOK || !strings.EqualFold(strings.TrimSpace(kind), dnsMessage):
		return nil, fmt.Errorf("the name server answers with status %d", resp.StatusCode)
	case len(answer) > maxAnswer:
		return nil, errors.New("the name server's answer is too long")
	}
	return answer, nil
}

const dnsMessage = "application/dns-message" // RFC 8484 §6

// Sizes of questions tell names apart: they are padded to a multiple of paddedTo
// (RFC 8467 §4.1).
const paddedTo = 128

// ednsTail is how package net ends its questions: a pseudo-record without options
// (RFC 6891 §6.1.2), of which the size that it takes, its code and its flags differ.
const ednsTail = 11

// pad returns question with the option that fills it up (RFC 7830 §3), if it is of
// the form that package net gives it.
func pad(question []byte) []byte {
	at := len(question) - ednsTail
	if at < 12 || !bytes.Equal(question[at:at+3], []byte{0, 0, 41}) || !bytes.Equal(question[len(question)-2:], []byte{0, 0}) || binary.BigEndian.Uint16(question[10:]) != 1 {
		return question
	}
	const optionHead = 4
	fill := (paddedTo - (len(question)+optionHead)%paddedTo) % paddedTo
	padded := slices.Clone(question[:len(question)-2])
	padded = binary.BigEndian.AppendUint16(padded, uint16(optionHead+fill))
	padded = binary.BigEndian.AppendUint16(padded, 12) // RFC 7830 §3
	padded = binary.BigEndian.AppendUint16(padded, uint16(fill))
	return append(padded, make([]byte, fill)...)
}

// Read reads the answer.
func (c *questionConn) Read(p []byte) (int, error) { return c.answer.Read(p) }

func (c *questionConn) SetDeadline(time.Time) error      { return nil } // ctx has it
func (c *questionConn) SetReadDeadline(time.Time) error  { return nil }
func (c *questionConn) SetWriteDeadline(time.Time) error { return nil }
func (c *questionConn) Close() error                     { return nil }
func (c *questionConn) LocalAddr() net.Addr              { return nil }
func (c *questionConn) RemoteAddr() net.Addr             { return nil }
