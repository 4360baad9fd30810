package egress

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

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

// TestWhatIsNoAnswerOfANameServer has the next one asked: a page that a hotel puts
// before the network comes with status 200 as well.
func TestWhatIsNoAnswerOfANameServer(t *testing.T) {
	o := startOrigin(t, "127.0.0.1:0")
	dns := startSecureNameServer(t, always("127.0.0.1"))
	elsewhere := startNameServer(t, always("192.0.2.1"))
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		question, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "text/html")
		w.Write(elsewhere.reply(question)) // what it holds is of no account
	}))
	defer page.Close()
	u, err := url.Parse(page.URL)
	if err != nil {
		t.Fatal(err)
	}
	e := newTestEgress(t, Options{Allow: loopback, NameServers: []*url.URL{u, dns.url(t)}})
	defer e.Close()
	conn, err := e.Dial(t.Context(), Connect, Target{Host: "a.example", Port: o.port()})
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

// TestServersAreBlamedForTheirOwnSilenceAlone: not for that of a client who has left, nor
// for one name while they answer about others.
func TestServersAreBlamedForTheirOwnSilenceAlone(t *testing.T) {
	silent := &secureServer{url: (&url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", freePort(t))}).String()}
	gone, leave := context.WithCancel(t.Context())
	leave()
	for _, c := range []struct {
		what     string
		ctx      context.Context
		answered time.Time
		blamed   bool
	}{
		{"the client has left", gone, time.Time{}, false},
		{"it answered others meanwhile", t.Context(), time.Now().Add(time.Hour), false},
		{"it is silent", t.Context(), time.Now(), true},
	} {
		silent.failed.Store(nil)
		silent.answered.Store(&c.answered)
		q := &questionConn{ctx: c.ctx, transport: new(http.Transport), servers: []*secureServer{silent}}
		if _, err := q.askInTime(silent, make([]byte, 12), 1); err == nil {
			t.Errorf("%s: answered", c.what)
		}
		if blamed := silent.failed.Load() != nil; blamed != c.blamed {
			t.Errorf("%s: blamed %t", c.what, blamed)
		}
	}
}

// A server that answers again is asked in its turn at once.
func TestServersThatAnswerAgainAreNotIll(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Type", dnsMessage) }))
	defer s.Close()
	server, now := &secureServer{url: s.URL}, time.Now()
	server.failed.Store(&now)
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	q := &questionConn{ctx: t.Context(), transport: transport, servers: []*secureServer{server}}
	if _, err := q.askInTime(server, make([]byte, 12), 1); err != nil || server.ill() {
		t.Errorf("ill %t: %v", server.ill(), err)
	}
}

// TestServersHaveLessTimeThanPackageNetGives, those that were silent before.
func TestServersHaveLessTimeThanPackageNetGives(t *testing.T) {
	conn, err := net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", freePort(t)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := &observedPackets{UDPConn: conn.(*net.UDPConn), servers: new(systemServers), maxWait: time.Nanosecond}
	if err := c.SetDeadline(time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 512)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
}

// TestAnswersThatAreTooLongAreNone, and another server is asked.
func TestAnswersThatAreTooLongAreNone(t *testing.T) {
	long := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", dnsMessage)
		w.Write(make([]byte, maxAnswer+1))
	}))
	defer long.Close()
	u, err := url.Parse(long.URL)
	if err != nil {
		t.Fatal(err)
	}
	q := &questionConn{ctx: t.Context(), transport: new(http.Transport)}
	defer q.transport.CloseIdleConnections()
	if answer, err := q.ask(t.Context(), u.String(), make([]byte, 12)); err == nil {
		t.Errorf("%d octets are an answer", len(answer))
	}
}

// TestStrangersAnswersAreNotLookedAt: one for another question than was asked closes no
// host.
func TestStrangersAnswersAreNotLookedAt(t *testing.T) {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	conn, err := net.Dial("udp", server.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	looked := 0
	c := &observedPackets{UDPConn: conn.(*net.UDPConn), servers: new(systemServers), look: func([]byte) { looked++ }}
	question := make([]byte, 12)
	copy(question, "me")
	if _, err := c.Write(question); err != nil {
		t.Fatal(err)
	}
	for i, id := range []string{"no", "me"} {
		answer := append([]byte(id), make([]byte, 10)...)
		if _, err := server.WriteTo(answer, conn.LocalAddr()); err != nil {
			t.Fatal(err)
		}
		if n, err := c.Read(make([]byte, 100)); n != 12 || err != nil || looked != i {
			t.Errorf("to %s: %d octets, %v; looked at %d", id, n, err, looked)
		}
	}
}
