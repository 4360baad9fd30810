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
	"sync/atomic"
	"time"
)

// newResolver returns a resolver that asks servers over HTTPS (RFC 8484): nobody on
// the way learns which names are asked for. Each question goes to the first server
// that answers it. A server's own name, if it has one, is looked up at the system's
// name servers. The transport is the resolver's alone.
func newResolver(servers []*url.URL) (*net.Resolver, *http.Transport) {
	t := &http.Transport{
		DialContext:           (&net.Dialer{KeepAliveConfig: KeepAlive, Resolver: observed(systemResolver, func(*rcodes, []byte) {})}).DialContext,
		ForceAttemptHTTP2:     true,
		DisableCompression:    true,
		IdleConnTimeout:       time.Minute,
		TLSHandshakeTimeout:   5 * time.Second,
		ResponseHeaderTimeout: 5 * time.Second,
		// When a laptop changes networks, its connections stay, but nothing comes on them any
		// more. Pings end them within the five seconds that package net gives a question, so
		// that its second try is answered.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 2500 * time.Millisecond, PingTimeout: 2 * time.Second},
	}
	asked := make([]*secureServer, len(servers))
	for i, u := range servers {
		asked[i] = &secureServer{url: u.String()}
	}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return &questionConn{ctx: ctx, transport: t, servers: asked}, nil
	}}, t
}

// A secureServer is a name server over HTTPS. answered is when it answered last, failed
// when it failed to since then; nil for never. As [time.Time], they keep their order when
// the clock is set.
type secureServer struct {
	url              string
	answered, failed atomic.Pointer[time.Time]
}

// hasAnswered reports whether the server answered anything since.
func (s *secureServer) hasAnswered(since time.Time) bool {
	answered := s.answered.Load()
	return answered != nil && !answered.Before(since)
}

// ill reports whether the server failed within failedFor, and has not answered since.
func (s *secureServer) ill() bool {
	failed := s.failed.Load()
	return failed != nil && time.Since(*failed) < failedFor
}

// inTurn returns servers in the order to ask them in: those that failed a moment ago come
// last, for each question would wait for them anew.
func inTurn(servers []*secureServer) []*secureServer {
	var well, ill []*secureServer
	for _, s := range servers {
		if s.ill() {
			ill = append(ill, s)
		} else {
			well = append(well, s)
		}
	}
	return append(well, ill...)
}

// A questionConn carries one question of package net, which takes it for a TCP
// connection to a name server: message and answer have two octets of length before
// them (RFC 1035 §4.2.2).
type questionConn struct {
	ctx       context.Context // ends when package net waits no longer
	transport *http.Transport
	servers   []*secureServer
	answer    bytes.Reader
}

const (
	// silentServer is how long a server has to answer while another is left to be asked, or
	// its equal share of the time that is left, if that is less: package net gives a question
	// five seconds, unless resolv.conf says otherwise.
	silentServer = 2 * time.Second
	failedFor    = 10 * time.Second // how long a server that failed is asked last
)

// maxAnswer is the most that two octets of length can say.
const maxAnswer = 1<<16 - 1

// Write sends the question, and returns when the answer is there.
func (c *questionConn) Write(message []byte) (int, error) {
	question := pad(message[2:])
	var answer []byte
	var failure error
	servers := inTurn(c.servers)
	for i, server := range servers {
		said, err := c.askInTime(server, question, len(servers)-i)
		if err != nil {
			failure = err
			continue
		}
		if answer = said; !blamesServer(question, said) {
			break
		}
	}
	if answer == nil {
		return 0, failure
	}
	c.answer.Reset(slices.Concat(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer))
	return len(message), nil
}

// askInTime asks server, and leaves time for the others: left servers were not asked yet,
// this one included.
func (c *questionConn) askInTime(server *secureServer, question []byte, left int) ([]byte, error) {
	ctx := c.ctx
	if left > 1 {
		wait := silentServer
		if end, ok := ctx.Deadline(); ok {
			wait = min(wait, time.Until(end)/time.Duration(left))
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, wait)
		defer cancel()
	}
	began := time.Now()
	answer, err := c.ask(ctx, server.url, question)
	now := time.Now()
	switch {
	case err == nil:
		server.answered.Store(&now)
		server.failed.Store(nil)
	case c.ctx.Err() != nil: // it may be nobody's fault
	case !server.hasAnswered(began): // else it is about this name alone
		server.failed.Store(&now)
	}
	return answer, err
}

// ask asks one server.
func (c *questionConn) ask(ctx context.Context, server string, question []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ofNobody{ctx}, http.MethodPost, server, bytes.NewReader(question))
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

// An ofNobody is a context without the values of the client's request. One is a hook for
// 1xx responses (net/http/httptrace), which would send the client those of a name server.
type ofNobody struct{ context.Context }

// Value implements [context.Context]. The notes of the look-up stay.
func (c ofNobody) Value(key any) any {
	if key == (rcodesKey{}) {
		return c.Context.Value(key)
	}
	return nil
}

const dnsMessage = "application/dns-message" // RFC 8484 §6

// Questions are padded to a multiple of paddedTo octets, because their sizes would tell
// names apart (RFC 8467 §4.1).
const paddedTo = 128

// ednsTail is the length of the OPT record without options with which package net ends its
// questions (RFC 6891 §6.1.2).
const ednsTail = 11

// endsInEDNS reports whether question ends with such a record, and has no other additional
// one. The payload size, code and flags in it may be any.
func endsInEDNS(question []byte) bool {
	at := len(question) - ednsTail
	return at >= 12 && bytes.Equal(question[at:at+3], []byte{0, 0, 41}) && bytes.Equal(question[len(question)-2:], []byte{0, 0}) && binary.BigEndian.Uint16(question[10:]) == 1
}

// noSubnet is the option that has a server not tell those of the name from which network it is
// asked (RFC 7871 §7.1.2), in the form that Firefox sends: connections may leave from addresses of
// another.
var noSubnet = []byte{0, 8, 0, 4, 0, 1, 0, 0}

// pad returns question with noSubnet and a Padding option (RFC 7830 §3), or as it is without a
// record to put them in.
func pad(question []byte) []byte {
	if !endsInEDNS(question) {
		return question
	}
	const optionHead = 4
	own := len(noSubnet) + optionHead
	fill := (paddedTo - (len(question)+own)%paddedTo) % paddedTo
	padded := slices.Clone(question[:len(question)-2])
	padded = binary.BigEndian.AppendUint16(padded, uint16(own+fill))
	padded = append(padded, noSubnet...)
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
