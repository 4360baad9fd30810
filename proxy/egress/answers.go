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

// observed returns a resolver like r that passes over name servers that are silent, and
// hands each answer to look, which may edit it, before package net reads it. note is the
// [rcodes] of the look-up, nil if nobody wants them. Where the system looks names up by
// itself, there is nothing to see.
func observed(r *net.Resolver, look func(note *rcodes, answer []byte)) *net.Resolver {
	dial := r.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	servers := new(systemServers)
	return &net.Resolver{PreferGo: r.PreferGo, StrictErrors: r.StrictErrors, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		note, _ := ctx.Value(rcodesKey{}).(*rcodes)
		most, ok := servers.ask(address)
		if !ok {
			return nil, errPassedOver
		}
		conn, err := dial(ctx, network, address)
		if err != nil {
			note.missed(err)
			return nil, err
		}
		if udp, ok := conn.(*net.UDPConn); ok {
			return &observedPackets{UDPConn: udp, note: note, server: address, servers: servers, most: most, look: func(answer []byte) { look(note, answer) }}, nil
		}
		return &observedStream{Conn: conn, note: note, look: func(answer []byte) { look(note, answer) }}, nil
	}}
}

// observedPackets carry one question, and what somebody sends back.
type observedPackets struct {
	*net.UDPConn
	note    *rcodes // nil for nobody's
	server  string
	servers *systemServers // told how it goes
	most    time.Duration  // to wait for the answer; 0 for as long as package net does
	asked   time.Time
	look    func(answer []byte)
	id      [2]byte // of the question
	plain   []byte  // the question without EDNS(0), until it is asked
}

// SetDeadline is called before the question.
func (c *observedPackets) SetDeadline(t time.Time) error {
	if soon := time.Now().Add(c.most); c.most > 0 && soon.Before(t) {
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

// Read has the answers to the question looked at. Who does not know EDNS(0), as some
// routers, is asked again without (RFC 6891 §7): package net takes their answer for the
// last word.
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

// knowsNoEDNS reports whether an answer is of who does not understand the question.
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

// enoughAnswer is what counts of an answer: a hundred addresses and more, and the other
// names of the host before them. To put addresses in order, package net opens a socket
// for each, and whoever owns a name may give it thousands.
const enoughAnswer = 4 << 10 // octets

// An observedStream carries one question and its answer, each with its length before it
// (RFC 1035 §4.2.2).
type observedStream struct {
	net.Conn
	note   *rcodes // nil for nobody's
	look   func(answer []byte)
	answer *bytes.Reader // nil until it is there
}

// Write sends the question, which may take a connection of its own.
func (c *observedStream) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.note.missed(err)
	return n, err
}

// Read waits for what counts of the answer.
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

// look notes what an answer says. One that leads to a closed host by another name is
// made to say that there is no such host, whoever waits for it: package net gives one
// answer to all who ask for a name at the same time.
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

// aliased reports whether an answer says that what was asked for is another name of a
// host that is closed (CNAME). So trackers come to be hosts of the sites that they
// watch, and get the cookies of those. A name without a dot is another one of that which
// the search list made of it, if there is such a host.
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

// plainName is a name of DNS in the form that hosts are listed in.
func plainName(name dnsmessage.Name) string {
	return strings.ToLower(strings.TrimSuffix(name.String(), "."))
}
