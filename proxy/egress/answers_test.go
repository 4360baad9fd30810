package egress

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// overTCP returns a resolver that s answers over TCP alone: what it sends by UDP has room
// for nothing.
func (s *nameServer) overTCP(t *testing.T) *net.Resolver {
	t.Helper()
	short := startPackets(t, func(question []byte) []byte {
		var m dnsmessage.Message
		if m.Unpack(question) != nil {
			return nil
		}
		m.Response, m.Truncated, m.RecursionAvailable, m.Additionals = true, true, true, nil
		packed, _ := m.Pack()
		return packed
	})
	whole := startPeer(t, func(conn net.Conn) {
		for {
			var length [2]byte
			if _, err := io.ReadFull(conn, length[:]); err != nil {
				return
			}
			question := make([]byte, binary.BigEndian.Uint16(length[:]))
			if _, err := io.ReadFull(conn, question); err != nil {
				return
			}
			reply := s.reply(question)
			conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...))
		}
	})
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		address := short
		if network == "tcp" {
			address = whole.Addr()
		}
		return new(net.Dialer).DialContext(ctx, network, address.String())
	}}
}

// startPackets answers what comes by UDP.
func startPackets(t *testing.T, reply func(question []byte) []byte) net.Addr {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	done.Go(func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			if answer := reply(buffer[:n]); answer != nil {
				conn.WriteTo(answer, from)
			}
		}
	})
	t.Cleanup(func() {
		conn.Close()
		done.Wait()
	})
	return conn.LocalAddr()
}

// TestOtherNamesOfClosedHostsAreClosed, however the name servers are asked: a tracker is
// one by any name.
func TestOtherNamesOfClosedHostsAreClosed(t *testing.T) {
	o := startOrigin(t, "127.0.0.1:0")
	plain := startNameServer(t, always("127.0.0.1"))
	secure := startSecureNameServer(t, always("127.0.0.1"))
	lists := []string{writeList(t, "||tracker.example^\n@@||fine.site.example^")}
	for how, options := range map[string]Options{
		"UDP":   {Resolver: plain.resolver()},
		"TCP":   {Resolver: plain.overTCP(t)},
		"HTTPS": {NameServers: []*url.URL{secure.url(t)}},
	} {
		options.Allow, options.Deny, options.DenyLists = loopback, []string{"*.denied.example"}, lists
		e := newTestEgress(t, options)
		defer e.Close()
		for host, open := range map[string]bool{
			"metrics.site.example": false, "db.site.example": false,
			"fine.site.example": true, "shop.site.example": true, "site.example": true,
		} {
			conn, err := e.Dial(t.Context(), Connect, Target{Host: host, Port: o.port()})
			if err == nil {
				conn.Close()
			}
			if open && err != nil || !open && !errors.As(err, new(*Refused)) {
				t.Errorf("%s: %s: %v, want it open: %t", how, host, err, open)
			}
		}
	}
}

// TestOtherNamesAreClosedByWhateverClosesHosts: a rule of either kind, or a list alone.
func TestOtherNamesAreClosedByWhateverClosesHosts(t *testing.T) {
	dns := startNameServer(t, always("127.0.0.1"))
	for what, options := range map[string]Options{
		"host":           {Deny: []string{"db.denied.example"}},
		"hosts below it": {Deny: []string{"*.denied.example"}},
		"list":           {DenyLists: []string{writeList(t, "db.denied.example")}},
		"list of sites":  {DenyLists: []string{writeList(t, "||denied.example^")}},
	} {
		options.Allow, options.Resolver = []string{"db.site.example"}, dns.resolver()
		e := newTestEgress(t, options)
		target := Target{Host: "db.site.example", Port: startOrigin(t, "127.0.0.1:0").port()}
		if conn, err := e.Dial(t.Context(), Connect, target); !errors.As(err, new(*Refused)) {
			if err == nil {
				conn.Close()
			}
			t.Errorf("%s: %v, want it closed", what, err)
		}
	}
}

// TestExceptionsOfListsOpenNoOtherNameOfADeniedHost: Deny closes whatever else is said.
func TestExceptionsOfListsOpenNoOtherNameOfADeniedHost(t *testing.T) {
	e := newTestEgress(t, Options{
		Allow: loopback, Deny: []string{"*.denied.example"}, DenyLists: []string{writeList(t, "@@||site.example^\n||tracker.example^")},
		Resolver: startNameServer(t, always("127.0.0.1")).resolver(),
	})
	port := startOrigin(t, "127.0.0.1:0").port()
	for host, open := range map[string]bool{"db.site.example": false, "metrics.site.example": true} {
		conn, err := e.Dial(t.Context(), Connect, Target{Host: host, Port: port})
		if err == nil {
			conn.Close()
		}
		if open && err != nil || !open && !errors.As(err, new(*Refused)) {
			t.Errorf("%s: %v, want it open: %t", host, err, open)
		}
	}
}

// TestOtherNamesAreSeenWhereverTheyStand in an answer, behind addresses and what nobody
// asked for too. What is no answer leads nowhere.
func TestOtherNamesAreSeenWhereverTheyStand(t *testing.T) {
	name := dnsmessage.MustNewName
	head := func(owner string, kind dnsmessage.Type) dnsmessage.ResourceHeader {
		return dnsmessage.ResourceHeader{Name: name(owner), Type: kind, Class: dnsmessage.ClassINET}
	}
	alias := dnsmessage.Resource{Header: head("site.example.", dnsmessage.TypeCNAME), Body: &dnsmessage.CNAMEResource{CNAME: name("Db.Denied.example.")}}
	address := dnsmessage.Resource{Header: head("db.denied.example.", dnsmessage.TypeA), Body: &dnsmessage.AResource{A: [4]byte{9, 9, 9, 9}}}
	text := dnsmessage.Resource{Header: head("site.example.", dnsmessage.TypeTXT), Body: &dnsmessage.TXTResource{TXT: []string{"a"}}}
	other := dnsmessage.Resource{Header: head("site.example.", dnsmessage.TypeCNAME), Body: &dnsmessage.CNAMEResource{CNAME: name("cdn.example.")}}
	g := newTestGuard(t, nil, []string{"db.denied.example"})
	for what, c := range map[string]struct {
		answers []dnsmessage.Resource
		closed  bool
	}{
		"first":                 {[]dnsmessage.Resource{alias, address}, true},
		"behind its address":    {[]dnsmessage.Resource{address, alias}, true},
		"behind something else": {[]dnsmessage.Resource{text, other, alias}, true},
		"not there":             {[]dnsmessage.Resource{text, other, address}, false},
		"nothing":               {nil, false},
	} {
		m := dnsmessage.Message{
			Header:    dnsmessage.Header{Response: true},
			Questions: []dnsmessage.Question{{Name: name("site.example."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}},
			Answers:   c.answers,
		}
		packed, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		if got := g.aliased(packed); got != c.closed {
			t.Errorf("%s: closed %t", what, got)
		}
		if g.aliased(packed[:12]) {
			t.Errorf("%s: a head alone is closed", what)
		}
	}
}

// TestOtherNameIsClosedToAllWhoAskAtOnce: package net asks once for all of them.
func TestOtherNameIsClosedToAllWhoAskAtOnce(t *testing.T) {
	o := startOrigin(t, "127.0.0.1:0")
	dns := startNameServer(t, always("127.0.0.1"))
	e := newTestEgress(t, Options{Allow: loopback, DenyLists: []string{writeList(t, "||tracker.example^")}, Resolver: dns.resolver()})
	var all sync.WaitGroup
	var reached atomic.Int32
	for range 50 {
		all.Go(func() {
			if conn, err := e.Dial(t.Context(), Connect, Target{Host: "metrics.site.example", Port: o.port()}); err == nil {
				reached.Add(1)
				conn.Close()
			}
		})
	}
	all.Wait()
	if n := reached.Load(); n > 0 {
		t.Errorf("%d of 50 reached it", n)
	}
}

// TestNameServersThatKnowNoEDNSAreUnderstood: some routers say FORMERR, as they must
// (RFC 6891 §7), with the question or without.
func TestNameServersThatKnowNoEDNSAreUnderstood(t *testing.T) {
	o := startOrigin(t, "127.0.0.1:0")
	for what, code := range map[string]byte{"FORMERR": 1, "NOTIMP": 4} {
		for _, short := range []bool{false, true} {
			plain := &nameServer{answer: always("127.0.0.1"), turns: map[string]int{}, asked: map[string]bool{}}
			address := startPackets(t, func(question []byte) []byte {
				answer := plain.reply(question)
				if binary.BigEndian.Uint16(question[10:]) == 0 || answer == nil {
					return answer
				}
				answer[3] |= code
				if short {
					clear(answer[4:12])
					return answer[:12]
				}
				return answer
			})
			e := newTestEgress(t, Options{Allow: loopback, Resolver: impatientResolver(t, address)})
			conn, err := e.Dial(t.Context(), Connect, Target{Host: "site.example", Port: o.port()})
			if err != nil {
				t.Errorf("%s, short %t: %v", what, short, err)
				continue
			}
			conn.Close()
		}
	}
}

// TestThousandsOfAddressesCostLittle: package net opens a socket for each to put them in
// order, so that one request could keep the processor for a sixth of a second.
func TestThousandsOfAddressesCostLittle(t *testing.T) {
	o := startOrigin(t, "127.0.0.1:0")
	many := []string{"127.0.0.1"}
	for i := range 4000 {
		many = append(many, fmt.Sprintf("127.1.%d.%d", i/250, i%250))
	}
	e := newTestEgress(t, Options{Allow: []string{"127.0.0.1"}, Resolver: startNameServer(t, always(many...)).overTCP(t)})
	target := Target{Host: "site.example", Port: o.port()}
	addrs, err := e.names.resolve(t.Context(), target)
	if err != nil || len(addrs) < 2*mostAttempts || len(addrs) > 300 {
		t.Errorf("%d addresses of %d are looked at, %v", len(addrs), len(many), err)
	}
	conn, err := e.Dial(t.Context(), Connect, target)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

// FuzzAnswer: whatever name servers send, to look at it does no harm.
func FuzzAnswer(f *testing.F) {
	s := &nameServer{turns: map[string]int{}, asked: map[string]bool{}, answer: always("192.0.2.1", "2001:db8::1")}
	for _, name := range []string{"metrics.site.example.", "site.example."} {
		question := dnsmessage.Message{Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}}
		packed, err := question.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(s.reply(packed))
	}
	f.Add([]byte{})
	f.Add(make([]byte, 12))
	e, err := New(Options{Deny: []string{"*.tracker.example", "a"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		note, size := new(rcodes), len(answer)
		e.look(note, answer)
		if len(answer) != size {
			t.Error("its size changed")
		}
		if note.closed.Load() && (answer[3]&0x0f != 3 || answer[2]&0x02 != 0) {
			t.Errorf("%x is closed, and can be read all the same", answer)
		}
	})
}
