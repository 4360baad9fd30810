package egress

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// observed returns a resolver like r that passes over silent name servers, and calls look
// with each answer before package net reads it; look may edit the answer. note is the
// [rcodes] of the look-up, nil if it keeps none. Where the operating system, not package
// net, asks the name servers, look is never called.
func observed(r *net.Resolver, look func(note *rcodes, answer []byte)) *net.Resolver {
	dial := r.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	servers := new(systemServers)
	return &net.Resolver{PreferGo: r.PreferGo, StrictErrors: r.StrictErrors, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		note, _ := ctx.Value(rcodesKey{}).(*rcodes)
		maxWait, ok := servers.ask(address)
		if !ok {
			return nil, errPassedOver
		}
		conn, err := dial(ctx, network, address)
		if err != nil {
			note.missed(err)
			return nil, err
		}
		if udp, ok := conn.(*net.UDPConn); ok {
			return &observedPackets{UDPConn: udp, note: note, server: address, servers: servers, maxWait: maxWait, look: func(answer []byte) { look(note, answer) }}, nil
		}
		return &observedStream{Conn: conn, note: note, look: func(answer []byte) { look(note, answer) }}, nil
	}}
}

// An observedPackets is the UDP socket of one question. Anybody may send datagrams to it.
type observedPackets struct {
	*net.UDPConn
	note    *rcodes // nil if the look-up keeps none
	server  string
	servers *systemServers // told whether server answers
	maxWait time.Duration  // for the answer; 0 for as long as package net waits
	asked   time.Time
	look    func(answer []byte)
	id      [2]byte // of the question
	plain   []byte  // the question without EDNS(0); nil if there is none left to ask
}

// SetDeadline sets the deadline to t, or to maxWait from now if that is sooner. Package net
// calls it before it writes the question.
func (c *observedPackets) SetDeadline(t time.Time) error {
	if soon := time.Now().Add(c.maxWait); c.maxWait > 0 && soon.Before(t) {
		t = soon
	}
	return c.UDPConn.SetDeadline(t)
}

func (c *observedPackets) Write(b []byte) (int, error) {
	c.asked = time.Now()
	copy(c.id[:], b)
	if endsInEDNS(b) {
		c.plain = bytes.Clone(b[:len(b)-ednsTail])
		binary.BigEndian.PutUint16(c.plain[10:], 0)
	}
	return c.UDPConn.Write(b)
}

// Read passes answers to the question to look. A server that does not know EDNS(0), as
// that of some routers, is asked again without it (RFC 6891 §7): package net would give up.
func (c *observedPackets) Read(b []byte) (int, error) {
	for {
		n, err := c.UDPConn.Read(b)
		c.note.missed(err)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			c.servers.silent(c.server, c.asked)
		}
		if n < 12 || [2]byte(b) != c.id {
			return n, err
		}
		c.servers.answered(c.server, tellsOfName(b[:n]))
		if again := c.plain; again != nil && knowsNoEDNS(b[:n]) {
			c.plain = nil
			if _, err := c.UDPConn.Write(again); err != nil {
				return 0, err
			}
			continue
		}
		c.look(b[:n])
		return n, err
	}
}

// knowsNoEDNS reports whether an answer says that the server does not understand the
// question (RFC 6891 §7).
func knowsNoEDNS(answer []byte) bool {
	const formErr, notImp = 1, 4 // RFC 1035 §4.1.1
	code, ok := rcodeOf(answer)
	return ok && (code == formErr || code == notImp)
}

// tellsOfName reports whether an answer says what there is of the name, or that there is
// no such name.
func tellsOfName(answer []byte) bool {
	const nameError = 3 // RFC 1035 §4.1.1
	code, ok := rcodeOf(answer)
	return ok && (code == 0 || code == nameError)
}

// enoughAnswer is how much of an answer is read: the host's aliases and a hundred addresses
// or more. The owner of a name may list thousands, and package net opens a socket for each
// to sort them.
const enoughAnswer = 4 << 10 // octets

// An observedStream carries one question and its answer, over TCP or as a [questionConn]:
// each has its length before it (RFC 1035 §4.2.2).
type observedStream struct {
	net.Conn
	note   *rcodes // nil if the look-up keeps none
	look   func(answer []byte)
	answer *bytes.Reader // with its length; nil until it was read
}

// Write sends the question. That of a [questionConn] fails if there is no answer.
func (c *observedStream) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.note.missed(err)
	return n, err
}

// Read returns the answer, cut to enoughAnswer, after look has seen it.
func (c *observedStream) Read(b []byte) (int, error) {
	if c.answer == nil {
		var length [2]byte
		if _, err := io.ReadFull(c.Conn, length[:]); err != nil {
			c.note.missed(err)
			return 0, err
		}
		message := make([]byte, 2+min(int(binary.BigEndian.Uint16(length[:])), enoughAnswer))
		binary.BigEndian.PutUint16(message, uint16(len(message)-2))
		if _, err := io.ReadFull(c.Conn, message[2:]); err != nil {
			c.note.missed(err)
			return 0, err
		}
		c.look(message[2:])
		c.answer = bytes.NewReader(message)
	}
	return c.answer.Read(b)
}

// look notes the code of an answer. An answer that is aliased to a closed host is turned
// into one of no such host, with or without a note: package net gives one answer to all
// look-ups of a name that run at the same time.
func (e *Egress) look(note *rcodes, answer []byte) {
	if e.guard.aliased(answer) {
		const truncated, nameError = 0x02, 3 // RFC 1035 §4.1.1
		answer[2] &^= truncated
		answer[3] = answer[3]&0xf0 | nameError
		if note != nil {
			note.closed.Store(true)
		}
	}
	note.add(answer)
}

// aliased reports whether an answer leads to a closed host by a CNAME. That is how trackers
// become hosts of the sites that they watch, and get those sites' cookies. Where there is an
// answer, the question's own name is checked as well: the search list may have made it of a
// name without a dot.
func (g *guard) aliased(answer []byte) bool {
	if !g.closesHosts() {
		return false
	}
	var p dnsmessage.Parser
	if _, err := p.Start(answer); err != nil {
		return false
	}
	question, err := p.Question()
	if err != nil || p.SkipAllQuestions() != nil {
		return false
	}
	asked := plainName(question.Name)
	excepted := g.listed.open.has(asked) // from the lists, not from Deny
	closed := func(name string) bool { return g.deny.host(name) || !excepted && g.listed.has(name) }
	header, err := p.AnswerHeader()
	if err == nil && closed(asked) {
		return true
	}
	for ; err == nil; header, err = p.AnswerHeader() {
		if header.Type != dnsmessage.TypeCNAME {
			if p.SkipAnswer() != nil {
				return false
			}
			continue
		}
		alias, err := p.CNAMEResource()
		if err != nil {
			return false
		}
		if closed(plainName(alias.CNAME)) {
			return true
		}
	}
	return false
}

// plainName returns name as lists have hosts: in lower case, without the root's dot.
func plainName(name dnsmessage.Name) string {
	return strings.ToLower(strings.TrimSuffix(name.String(), "."))
}
