package egress

import (
	"context"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// A nameServer answers from a function, on loopback, and remembers what it
// was asked.
type nameServer struct {
	conn   net.PacketConn
	answer func(name string, turn int) ([]netip.Addr, dnsmessage.RCode)

	mu    sync.Mutex
	turns map[string]int // A questions by name
	asked map[string]bool
}

// silent are the questions that it does not answer.
var silent = map[string]dnsmessage.Type{
	"silent4.example.": dnsmessage.TypeA,
	"silent6.example.": dnsmessage.TypeAAAA,
}

// aliases are the names that others are other names of, in the order of the chain.
var aliases = map[string][]string{
	"metrics.site.example.": {"cname.middle.example.", "SITE.Tracker.example."},
	"fine.site.example.":    {"fine.tracker.example."},
	"shop.site.example.":    {"shop.cdn.example."},
	"db.site.example.":      {"db.denied.example."},
}

func startNameServer(t *testing.T, answer func(name string, turn int) ([]netip.Addr, dnsmessage.RCode)) *nameServer {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &nameServer{conn: conn, answer: answer, turns: map[string]int{}, asked: map[string]bool{}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.serve()
	}()
	t.Cleanup(func() {
		conn.Close()
		<-done
	})
	return s
}

// resolver asks s alone.
func (s *nameServer) resolver() *net.Resolver {
	return &net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "udp", s.conn.LocalAddr().String())
		},
	}
}

func (s *nameServer) serve() {
	buffer := make([]byte, 1500)
	for {
		n, from, err := s.conn.ReadFrom(buffer)
		if err != nil {
			return
		}
		if reply := s.reply(buffer[:n]); reply != nil {
			s.conn.WriteTo(reply, from)
		}
	}
}

func (s *nameServer) reply(question []byte) []byte {
	var m dnsmessage.Message
	if m.Unpack(question) != nil || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	name := q.Name.String()
	if silent[name] == q.Type {
		return nil
	}
	s.mu.Lock()
	s.asked[name] = true
	if q.Type == dnsmessage.TypeA {
		s.turns[name]++
	}
	addrs, code := s.answer(name, s.turns[name])
	s.mu.Unlock()
	m.Response, m.RCode, m.RecursionAvailable, m.Additionals = true, code, true, nil
	owner := q.Name
	for _, alias := range aliases[name] {
		next := dnsmessage.MustNewName(alias)
		header := dnsmessage.ResourceHeader{Name: owner, Class: dnsmessage.ClassINET}
		m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.CNAMEResource{CNAME: next}})
		owner = next
	}
	for _, addr := range addrs {
		header := dnsmessage.ResourceHeader{Name: owner, Class: dnsmessage.ClassINET}
		switch {
		case addr.Is4() && q.Type == dnsmessage.TypeA:
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: addr.As4()}})
		case addr.Is6() && q.Type == dnsmessage.TypeAAAA:
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: addr.As16()}})
		}
	}
	packed, err := m.Pack()
	if err != nil {
		return nil
	}
	return packed
}

// questions returns the names that s was asked for.
func (s *nameServer) questions() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.asked))
}

// always answers every name with addrs.
func always(addrs ...string) func(string, int) ([]netip.Addr, dnsmessage.RCode) {
	var parsed []netip.Addr
	for _, addr := range addrs {
		parsed = append(parsed, netip.MustParseAddr(addr))
	}
	return func(string, int) ([]netip.Addr, dnsmessage.RCode) { return parsed, dnsmessage.RCodeSuccess }
}
