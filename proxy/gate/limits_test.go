package gate

import (
	"bytes"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func entrant(addr string) Entrant { return Entrant{Address: netip.MustParseAddr(addr)} }

// over returns the limit that err names, "" for none.
func over(t *testing.T, err error) string {
	t.Helper()
	var o *Over
	switch {
	case err == nil:
		return ""
	case !errors.As(err, &o):
		t.Fatal(err)
	case o.Retry <= 0:
		t.Errorf("%+v does not say when to come back", o)
	case o.Total:
		return "all " + o.Limit
	}
	return o.Limit
}

// TestRequestsPerSecond: a burst, then the rate, for each client by itself.
func TestRequestsPerSecond(t *testing.T) {
	c := newClock()
	g := mustNew(t, Options{Client: Limits{Requests: 10, Burst: 20}, Total: Limits{Requests: 1000}, Now: c.now})
	begin := func(addr string) string {
		u, err := g.Begin(entrant(addr))
		u.End()
		return over(t, err)
	}
	for i := range 20 {
		if got := begin("192.0.2.1"); got != "" {
			t.Fatalf("request %d of the burst: %s", i, got)
		}
	}
	if got := begin("192.0.2.1"); got != "requests" {
		t.Fatalf("after the burst: %q", got)
	}
	if got := begin("192.0.2.2"); got != "" {
		t.Errorf("another client: %s", got)
	}
	allowed := 0
	for range 100 {
		c.advance(20 * time.Millisecond)
		if begin("192.0.2.1") == "" {
			allowed++
		}
	}
	if allowed < 19 || allowed > 21 {
		t.Errorf("%d requests in two seconds at 10 a second", allowed)
	}
}

// TestWhoIsOneClient: an IPv6 /64, an IPv4 address in either form, a user
// wherever from and with whatever suffix.
func TestWhoIsOneClient(t *testing.T) {
	for _, c := range []struct {
		a, b Entrant
		same bool
	}{
		{entrant("2001:db8::1"), entrant("2001:db8::ffff:1"), true},
		{entrant("2001:db8::1"), entrant("2001:db8:0:1::1"), false},
		{entrant("192.0.2.1"), entrant("::ffff:192.0.2.1"), true},
		{entrant("192.0.2.1"), entrant("192.0.2.2"), false},
		{Entrant{Address: here, Account: "ann"}, Entrant{Address: netip.MustParseAddr("::1"), Account: "ann", Isolation: "ann+x"}, true},
		{Entrant{Address: here, Account: "ann"}, Entrant{Address: here, Account: "bob"}, false},
		{Entrant{Address: here, Account: "192.0.2.1"}, entrant("192.0.2.1"), false},
	} {
		g := mustNew(t, Options{Client: Limits{Requests: 1}, Now: newClock().now})
		u, _ := g.Begin(c.a)
		u.End()
		_, err := g.Begin(c.b)
		if same := over(t, err) != ""; same != c.same {
			t.Errorf("%+v and %+v: one client %t", c.a, c.b, same)
		}
	}
}

// TestNeighboursAreNotOneVisitor: what one device of a house reads is not kept for
// another that is in the same /64.
func TestNeighboursAreNotOneVisitor(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"2001:db8::1", "2001:db8::2", false},
		{"fe80::1%eth0", "fe80::1%eth1", true},
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
	} {
		if same := entrant(c.a).Visitor() == entrant(c.b).Visitor(); same != c.same {
			t.Errorf("%s and %s: one visitor %t", c.a, c.b, same)
		}
	}
	ann, work := entrant("192.0.2.1"), entrant("192.0.2.1")
	ann.Account, work.Account, work.Isolation = "ann", "ann", "ann+work"
	if ann.Visitor() != "ann" || work.Visitor() != "ann+work" {
		t.Errorf("ann is %s, and %s at work", ann.Visitor(), work.Visitor())
	}
}

// TestOneThatGivesWayLeavesItsPlace to the next, which counts once in how fast they come;
// and what panics meanwhile leaves the gate usable.
func TestOneThatGivesWayLeavesItsPlace(t *testing.T) {
	g := mustNew(t, Options{
		Networks: prefixes("192.0.2.0/24"),
		Client:   Limits{Connections: 2, Requests: 1, Burst: 2}, // six connections at once
		Total:    Limits{Connections: 3},
	})
	var held []*Connection
	var asked []string
	connect := func(addr string) string {
		conn, err := g.Connect(netip.MustParseAddr(addr), func(o *Over) bool {
			asked = append(asked, over(t, o))
			if len(held) == 0 {
				return false
			}
			held[0].Close()
			held = held[1:]
			return true
		})
		if err == nil {
			held = append(held, conn)
		}
		return over(t, err)
	}
	for range 6 {
		if got := connect("192.0.2.1"); got != "" {
			t.Errorf("refused: %q", got)
		}
	}
	if got := connect("192.0.2.1"); got != "connection-rate" {
		t.Errorf("the seventh: %q", got)
	}
	for range 2 {
		if got := connect("192.0.2.2"); got != "" {
			t.Errorf("another client is refused: %q", got)
		}
	}
	if got, want := strings.Join(asked, ", "), "connections, connections, connections, connections, all connections"; got != want {
		t.Errorf("asked for %q, want %q", got, want)
	}
	func() {
		defer func() { recover() }()
		g.Connect(netip.MustParseAddr("192.0.2.3"), func(*Over) bool { panic("on purpose") })
	}()
	held[0].Close()
	if _, err := g.Connect(netip.MustParseAddr("192.0.2.3"), nil); err != nil {
		t.Error(err)
	}
}

// TestWhatIsOpenAtOnce counts connections, requests and tunnels, of one client
// and of all, and takes them back.
func TestWhatIsOpenAtOnce(t *testing.T) {
	g := mustNew(t, Options{
		Networks: prefixes("0.0.0.0/0"),
		Client:   Limits{Connections: 2, Tunnels: 2},
		Total:    Limits{Connections: 3, Tunnels: 3},
	})
	for range 3 { // what was closed leaves room
		var held []*Connection
		for _, c := range []struct{ addr, want string }{
			{"192.0.2.1", ""}, {"192.0.2.1", ""}, {"192.0.2.1", "connections"}, {"192.0.2.2", ""}, {"192.0.2.2", "all connections"},
		} {
			conn, err := g.Connect(netip.MustParseAddr(c.addr), nil)
			if got := over(t, err); got != c.want {
				t.Errorf("connection of %s: %q, want %q", c.addr, got, c.want)
			}
			if err == nil {
				held = append(held, conn)
			}
		}
		for _, conn := range held {
			conn.Close()
		}
		var uses []*Use
		for _, c := range []struct{ addr, want string }{ // as many requests as connections: HTTP/2 has them on one
			{"192.0.2.1", ""}, {"192.0.2.1", ""}, {"192.0.2.1", "connections"}, {"192.0.2.2", ""}, {"192.0.2.2", "all connections"},
		} {
			u, err := g.Begin(entrant(c.addr))
			if got := over(t, err); got != c.want {
				t.Errorf("request of %s: %q, want %q", c.addr, got, c.want)
			}
			if err == nil {
				uses = append(uses, u)
			}
		}
		for _, u := range uses {
			u.End()
		}
		uses = nil
		for _, c := range []struct{ addr, want string }{
			{"192.0.2.1", ""}, {"192.0.2.1", ""}, {"192.0.2.1", "tunnels"}, {"192.0.2.2", ""}, {"192.0.2.2", "all tunnels"},
		} {
			u, err := g.Begin(entrant(c.addr))
			if err != nil {
				t.Fatal(err)
			}
			if got := over(t, u.Tunnel()); got != c.want {
				t.Errorf("tunnel of %s: %q, want %q", c.addr, got, c.want)
			}
			if c.want != "" {
				u.End()
				continue
			}
			uses = append(uses, u)
		}
		for _, u := range uses {
			u.End()
		}
	}
	l := g.state.ledger
	if len(l.active) != 0 || l.total.connections != 0 || l.total.requests != 0 || l.total.tunnels != 0 {
		t.Errorf("left over: %d clients, %d connections, %d requests, %d tunnels", len(l.active), l.total.connections, l.total.requests, l.total.tunnels)
	}
}

func TestNewTunnelsPerSecond(t *testing.T) {
	c := newClock()
	g := mustNew(t, Options{Client: Limits{TunnelRate: 5}, Now: c.now})
	opened := 0
	for range 100 {
		u, err := g.Begin(entrant("192.0.2.1"))
		if err != nil {
			t.Fatal(err)
		}
		if over(t, u.Tunnel()) == "" {
			opened++
		}
		u.End()
		c.advance(10 * time.Millisecond)
	}
	if opened < 9 || opened > 10 {
		t.Errorf("%d tunnels in a second at 5 a second and a burst of 5", opened)
	}
}

// TestDailyVolume ends at midnight UTC.
func TestDailyVolume(t *testing.T) {
	c := &clock{time.Date(2026, 1, 2, 22, 0, 0, 0, time.UTC)}
	g := mustNew(t, Options{Client: Limits{Daily: 1000}, Now: c.now})
	u, err := g.Begin(entrant("192.0.2.1"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(u.Up(t.Context(), 400), u.Down(t.Context(), 600)); err != nil {
		t.Errorf("within the volume: %v", err)
	}
	if got := over(t, u.Down(t.Context(), 1)); got != "volume" {
		t.Errorf("beyond: %q", got)
	}
	u.End()
	_, err = g.Begin(entrant("192.0.2.1"))
	var o *Over
	if !errors.As(err, &o) || o.Retry != 2*time.Hour || o.Status() != 429 {
		t.Fatalf("%+v", err)
	}
	h := o.Fields()
	if h.Get("Retry-After") != "7200" || h.Get("RateLimit-Policy") != `"volume";q=1000;qu="content-bytes";w=86400` || h.Get("RateLimit") != `"volume";r=0;t=7200` {
		t.Errorf("%v", h)
	}
	c.advance(2 * time.Hour)
	if u, err = g.Begin(entrant("192.0.2.1")); err != nil {
		t.Errorf("the next day: %v", err)
	}
	u.End()
}

// TestDailyVolumeOfAll: what all have spent together, nobody is to blame for.
func TestDailyVolumeOfAll(t *testing.T) {
	c := &clock{time.Date(2026, 1, 2, 22, 0, 0, 0, time.UTC)}
	g := mustNew(t, Options{Networks: prefixes("192.0.2.0/24"), Total: Limits{Daily: 1000}, Now: c.now})
	u, err := g.Begin(entrant("192.0.2.1"))
	if err != nil {
		t.Fatal(err)
	}
	defer u.End()
	if err := u.Down(t.Context(), 999); err != nil {
		t.Errorf("within the volume: %v", err)
	}
	other, err := g.Begin(entrant("192.0.2.2"))
	if err != nil {
		t.Fatalf("a byte is left: %v", err)
	}
	defer other.End()
	if err := other.Up(t.Context(), 1); err != nil {
		t.Errorf("the last byte: %v", err)
	}
	c.advance(time.Hour)
	_, err = g.Begin(entrant("192.0.2.3"))
	var o *Over
	if !errors.As(err, &o) || !o.Total || o.Limit != "volume" || o.Retry != time.Hour || o.Status() != 503 || o.Fields()["Ratelimit-Policy"] != nil {
		t.Errorf("all is spent, and a third begins: %+v", err)
	}
	if got := over(t, other.Up(t.Context(), 1)); got != "all volume" {
		t.Errorf("beyond: %q", got)
	}
}

// TestWhatIsOpenHasNoWindow in which its quota would hold.
func TestWhatIsOpenHasNoWindow(t *testing.T) {
	o := &Over{Limit: "tunnels", Quota: 5, Retry: 2 * time.Second}
	if got := o.Fields().Get("RateLimit-Policy"); got != `"tunnels";q=5;qu="concurrent-requests"` {
		t.Errorf("policy %s", got)
	}
}

// TestVolumesAreHandedOver to the process that takes over, for the rest of the
// day.
func TestVolumesAreHandedOver(t *testing.T) {
	c := newClock()
	o := Options{Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, Client: Limits{Daily: 1000}, Total: Limits{Daily: 5000}, Now: c.now}
	before, after := mustNew(t, o), mustNew(t, o)
	spend := func(e Entrant, n int) *Use {
		u, err := before.Begin(e)
		if err != nil {
			t.Fatal(err)
		}
		u.Up(t.Context(), n)
		return u
	}
	ann, bob := Entrant{Address: netip.MustParseAddr("192.0.2.1"), Account: "ann"}, entrant("192.0.2.2")
	spend(ann, 1000).End()
	defer spend(bob, 900).End() // under way
	var volumes bytes.Buffer
	if err := before.SaveVolumes(&volumes); err != nil {
		t.Fatal(err)
	}
	saved := bytes.Clone(volumes.Bytes())
	if err := after.LoadVolumes(&volumes); err != nil {
		t.Fatal(err)
	}
	if kept := len(after.state.ledger.active); kept != 0 {
		t.Errorf("%d clients count as active", kept)
	}
	if _, err := after.Begin(ann); over(t, err) != "volume" {
		t.Errorf("ann has spent nothing: %v", err)
	}
	u, err := after.Begin(bob)
	if err != nil {
		t.Fatal(err)
	}
	defer u.End()
	if err := u.Up(t.Context(), 100); err != nil {
		t.Errorf("bob has spent more: %v", err)
	}
	if err := u.Up(t.Context(), 1); over(t, err) != "volume" {
		t.Errorf("bob has spent less: %v", err)
	}
	if total := after.state.ledger.total.volume.on(dayOf(c.now())); total != 2001 {
		t.Errorf("all together have spent %d", total)
	}

	c.advance(day)
	late := mustNew(t, o)
	if err := late.LoadVolumes(bytes.NewReader(saved)); err != nil {
		t.Fatal(err)
	}
	if u, err := late.Begin(ann); err != nil {
		t.Errorf("a day later: %v", err)
	} else {
		u.End()
	}
	if err := late.LoadVolumes(strings.NewReader("nonsense")); err == nil {
		t.Error("nonsense is taken over")
	}
}

// TestManyNetworksHaveNoAccountForgotten: whoever has an account and a prefix of
// IPv6 could begin the day anew at will.
func TestManyNetworksHaveNoAccountForgotten(t *testing.T) {
	c := newClock()
	g := mustNew(t, Options{Networks: prefixes("2001:db8::/32"), Client: Limits{Daily: 1000, Connections: 10}, Now: c.now})
	ann := Entrant{Address: netip.MustParseAddr("2001:db8::1"), Account: "ann"}
	u, err := g.Begin(ann)
	if err != nil {
		t.Fatal(err)
	}
	u.Up(t.Context(), 1000)
	u.End()
	for i := range maxIdle + 1 {
		connection, err := g.Connect(netip.AddrFrom16([16]byte{0: 0x20, 1: 0x01, 2: 0x0d, 3: 0xb8, 5: byte(i >> 16), 6: byte(i >> 8), 7: byte(i)}), nil)
		if err != nil {
			t.Fatal(err)
		}
		connection.Close()
	}
	if _, err := g.Begin(ann); over(t, err) != "volume" {
		t.Errorf("she may go on: %v", err)
	}
}

// TestNobodyWithSomethingOpenIsForgotten, whatever else of it came and went.
func TestNobodyWithSomethingOpenIsForgotten(t *testing.T) {
	g := mustNew(t, Options{Networks: prefixes("192.0.2.0/24"), Client: Limits{Connections: 2}})
	here := netip.MustParseAddr("192.0.2.1")
	open, err := g.Connect(here, nil)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := g.Connect(here, nil); err != nil {
		t.Error(err)
	} else {
		again.Close()
	}
	l := g.state.ledger
	if a := l.active[client{network: NetworkOf(here)}]; a == nil || l.networks.Len() != 0 {
		t.Error("it counts as one that is away")
	}
	if open.Close(); len(l.active) != 0 || l.networks.Len() != 1 {
		t.Error("when it has left, it counts as one that is there")
	}
}

// TestReloadKeepsWhatIsKnown: other limits, the same clients.
func TestReloadKeepsWhatIsKnown(t *testing.T) {
	c := newClock()
	g := mustNew(t, Options{Client: Limits{Tunnels: 1}, Now: c.now})
	u, _ := g.Begin(entrant("192.0.2.1"))
	if err := u.Tunnel(); err != nil {
		t.Fatal(err)
	}
	g2, err := New(Options{Client: Limits{Tunnels: 2, Requests: 5}, Now: c.now}, g)
	if err != nil {
		t.Fatal(err)
	}
	second, _ := g2.Begin(entrant("192.0.2.1"))
	third, _ := g2.Begin(entrant("192.0.2.1"))
	if got := over(t, second.Tunnel()); got != "" {
		t.Errorf("the second tunnel: %s", got)
	}
	if got := over(t, third.Tunnel()); got != "tunnels" {
		t.Errorf("the third tunnel: %q", got)
	}
	for _, u := range []*Use{u, second, third} {
		u.End()
	}
}

// pump moves pieces of n bytes through f for d, and returns how many bytes.
func pump(t *testing.T, d time.Duration, n int, f func(context.Context, int) error) int64 {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	var moved int64
	for f(ctx, n) == nil && ctx.Err() == nil {
		moved += int64(n)
	}
	return moved
}

// TestBandwidthIsShaped: one client gets its rate, however many uses it has.
func TestBandwidthIsShaped(t *testing.T) { synctest.Test(t, bandwidthIsShaped) } // in the bubble's time

func bandwidthIsShaped(t *testing.T) {
	g := mustNew(t, Options{Client: Limits{Download: 4 << 20, Upload: 1 << 20}})
	const d = 500 * time.Millisecond
	var down, up atomic.Int64
	var all sync.WaitGroup
	for range 4 {
		u, err := g.Begin(entrant("192.0.2.1"))
		if err != nil {
			t.Fatal(err)
		}
		defer u.End()
		all.Go(func() { down.Add(pump(t, d, 16<<10, u.Down)) })
		all.Go(func() { up.Add(pump(t, d, 16<<10, u.Up)) })
	}
	all.Wait()
	for what, c := range map[string]struct{ got, rate int64 }{"down": {down.Load(), 4 << 20}, "up": {up.Load(), 1 << 20}} {
		want := c.rate/2 + c.rate/10 // and the short burst
		if c.got < want*7/10 || c.got > want*13/10 {
			t.Errorf("%s: %d bytes in %v, want about %d", what, c.got, d, want)
		}
	}
}

// TestBandwidthIsFair: a client with many uses and large pieces gets as much
// of what all share as one with a single use and small pieces; one that
// wants little does not wait.
func TestBandwidthIsFair(t *testing.T) { synctest.Test(t, bandwidthIsFair) } // in the bubble's time

func bandwidthIsFair(t *testing.T) {
	g := mustNew(t, Options{Total: Limits{Download: 8 << 20}})
	const d = time.Second
	var greedy, modest atomic.Int64
	var all sync.WaitGroup
	begin := func(addr string) *Use {
		u, err := g.Begin(entrant(addr))
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	for range 20 {
		u := begin("192.0.2.1")
		defer u.End()
		all.Go(func() { greedy.Add(pump(t, d, 32<<10, u.Down)) })
	}
	u := begin("192.0.2.2")
	defer u.End()
	all.Go(func() { modest.Add(pump(t, d, 16<<10, u.Down)) })
	seldom := begin("192.0.2.3")
	defer seldom.End()
	var longest time.Duration
	for range 10 {
		select {
		case <-time.After(d / 20):
		case <-t.Context().Done():
		}
		asked := time.Now()
		if err := seldom.Down(t.Context(), 1<<10); err != nil {
			t.Fatal(err)
		}
		longest = max(longest, time.Since(asked))
	}
	all.Wait()
	if a, b := greedy.Load(), modest.Load(); b < a/2 {
		t.Errorf("20 uses of one client moved %d bytes, the one of another %d", a, b)
	}
	if longest > 60*time.Millisecond {
		t.Errorf("who wants 1 KiB waits for %v", longest)
	}
}

// TestWaitingEndsWithItsContext and leaves nothing in the queue.
func TestWaitingEndsWithItsContext(t *testing.T) {
	g := mustNew(t, Options{Client: Limits{Download: 1 << 10}})
	u, err := g.Begin(entrant("192.0.2.1"))
	if err != nil {
		t.Fatal(err)
	}
	if err := u.Down(t.Context(), 1<<20); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- u.Down(ctx, 1) }()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if n := len(u.pace.down.queue); n != 0 {
		t.Errorf("%d pieces wait", n)
	}
	u.pace.down.timer.Stop()
	u.End()
}

// TestMillionAddressesDoNotExhaustMemory: what is kept is bounded, and who is
// in the middle of something is not forgotten.
func TestMillionAddressesDoNotExhaustMemory(t *testing.T) {
	c := newClock()
	g := mustNew(t, Options{Client: Limits{Requests: 1, Tunnels: 1, Download: 1 << 20, Daily: 1 << 30}, Now: c.now})
	first, err := g.Begin(entrant("192.0.2.1"))
	if err != nil {
		t.Fatal(err)
	}
	defer first.End()
	if err := first.Tunnel(); err != nil {
		t.Fatal(err)
	}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for i := range 1_000_000 {
		addr := netip.AddrFrom16([16]byte{0x20, 1, 0x0d, 0xb8, byte(i >> 16), byte(i >> 8), byte(i), 0, 15: 1})
		u, err := g.Begin(Entrant{Address: addr})
		if err != nil {
			t.Fatalf("address %d: %v", i, err)
		}
		u.End()
	}
	after := heap()
	if grown := int64(after) - int64(before); grown > 48<<20 {
		t.Errorf("a million addresses hold %d MiB", grown>>20)
	} else {
		t.Logf("a million addresses hold %d MiB", grown>>20)
	}
	second, err := g.Begin(entrant("192.0.2.1"))
	if err == nil {
		err = second.Tunnel()
		second.End()
	}
	if got := over(t, err); got != "requests" {
		t.Errorf("a client with an open tunnel was forgotten: %q", got)
	}
}

func BenchmarkBegin(b *testing.B) {
	g, err := New(Options{Client: Limits{Requests: 1_000_000, Connections: 100}, Total: Limits{Requests: 1_000_000}}, nil)
	if err != nil {
		b.Fatal(err)
	}
	e := make([]Entrant, 64)
	for i := range e {
		e[i] = entrant(fmt.Sprintf("192.0.2.%d", i))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		u, _ := g.Begin(e[i%len(e)])
		u.End()
	}
}

// TestRefusalsAreHeldBack: some at once, then so many a second for each source,
// and only so many wait.
func TestRefusalsAreHeldBack(t *testing.T) {
	c := newClock()
	g := mustNew(t, Options{Now: c.now})
	source, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	for i := range refusalBurst {
		if hold, ok := g.Hold(source); hold != 0 || !ok {
			t.Fatalf("refusal %d is held back for %v", i, hold)
		}
	}
	if g.Answers(source) {
		t.Error("one that cannot wait is answered before its turn")
	}
	last, waiting := time.Duration(0), 0
	for range 1000 {
		hold, ok := g.Hold(source)
		if !ok {
			continue
		}
		waiting++
		if hold < last || hold > longestHold {
			t.Fatalf("held back for %v after %v", hold, last)
		}
		last = hold
	}
	if most := int(longestHold.Seconds()) * refusalRate; last != longestHold || waiting != most {
		t.Errorf("%d wait, the last for %v; want %d", waiting, last, most)
	}
	if hold, ok := g.Hold(other); hold != 0 || !ok {
		t.Errorf("another source is held back for %v", hold)
	}
	c.advance(longestHold + refusalBurst*time.Second/refusalRate)
	if hold, ok := g.Hold(source); hold != 0 || !ok {
		t.Errorf("a source that has been quiet is held back for %v", hold)
	}
}

// TestWhoIsAskedAndSaysWhoItIsWasNotRefused: clients that never send their
// credentials unasked are not held back for it.
func TestWhoIsAskedAndSaysWhoItIsWasNotRefused(t *testing.T) {
	c := newClock()
	g := mustNew(t, Options{Now: c.now})
	source := netip.MustParseAddr("192.0.2.1")
	ask := func() {
		t.Helper()
		if hold, ok := g.Hold(source); hold != 0 || !ok {
			t.Fatalf("held back for %v", hold)
		}
	}
	for range 3 * refusalBurst {
		ask()
		g.Forgive(source)
	}
	if n := len(g.state.ledger.active); n != 0 {
		t.Errorf("%d clients are held that have nothing open", n)
	}
	for range refusalBurst {
		ask()
	}
	if hold, _ := g.Hold(source); hold == 0 {
		t.Error("those who are refused for good are not held back")
	}
}

// TestABusyAccountLiftsNoHold: what others behind its address are refused stays so,
// however much it asks for.
func TestABusyAccountLiftsNoHold(t *testing.T) {
	c := newClock()
	g := mustNew(t, Options{Client: Limits{Requests: 1000}, Now: c.now})
	source := netip.MustParseAddr("192.0.2.1")
	for range refusalBurst {
		g.Hold(source)
		u, err := g.Begin(Entrant{Address: source, Account: "ann"})
		if err != nil {
			t.Fatal(err)
		}
		u.End()
	}
	if hold, _ := g.Hold(source); hold == 0 {
		t.Error("another's requests have made room for more guesses")
	}
}

// TestConnectionsComeAtAMultipleOfTheRateOfRequests: and later after some were cut,
// but not for long.
func TestConnectionsComeAtAMultipleOfTheRateOfRequests(t *testing.T) {
	c := newClock()
	g := mustNew(t, Options{Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, Client: Limits{Requests: 10, Burst: 20}, Now: c.now})
	source, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	come := func(addr netip.Addr) error {
		connection, err := g.Connect(addr, nil)
		if err == nil {
			connection.Close()
		}
		return err
	}
	comes := func(most int) (n int) {
		for n < most && come(source) == nil {
			n++
		}
		return n
	}
	if n := comes(100); n != 20*connectionsPerRequest {
		t.Fatalf("%d at once", n)
	}
	if err := come(source); over(t, err) != "connection-rate" {
		t.Errorf("one more: %v", err)
	}
	if err := come(other); err != nil {
		t.Errorf("another client: %v", err)
	}
	c.advance(time.Second)
	if n := comes(100); n != 10*connectionsPerRequest {
		t.Errorf("%d a second later", n)
	}
	for range 1000 {
		g.Cut(source)
	}
	c.advance(longestAway - time.Second)
	if n := comes(100); n != 0 {
		t.Errorf("%d after many were cut", n)
	}
	c.advance(time.Second + time.Second/10/connectionsPerRequest)
	if n := comes(100); n != 1 {
		t.Errorf("%d when that was long ago", n)
	}
}

// TestDisturbancesAreCountedForTheSource: not for each of its connections.
func TestDisturbancesAreCountedForTheSource(t *testing.T) {
	c := newClock()
	g := mustNew(t, Options{Client: Limits{Requests: 10}, Now: c.now})
	source, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	for i := range disturbanceBurst / 50 {
		if !g.Disturbed(source, 50) {
			t.Fatalf("%d are too many", 50*(i+1))
		}
	}
	if g.Disturbed(source, 50) || !g.Disturbed(other, 50) {
		t.Error("none are too many, or another source's count")
	}
	c.advance(time.Second)
	if !g.Disturbed(source, disturbanceRate) || g.Disturbed(source, 1) {
		t.Error("more or fewer a second later")
	}
	if g := mustNew(t, Options{}); !g.Disturbed(source, 1<<20) {
		t.Error("without a limit of requests")
	}
}

// TestHandshakesComeAtTheRateOfRequests: a burst at once, more in turn, and
// none that would wait too long.
func TestHandshakesComeAtTheRateOfRequests(t *testing.T) {
	c := newClock()
	g := mustNew(t, Options{Client: Limits{Requests: 10, Burst: 20}, Now: c.now})
	source := netip.MustParseAddr("192.0.2.1")
	for i := range 20 {
		if wait, err := g.Handshake(source); wait != 0 || err != nil {
			t.Fatalf("handshake %d of the burst: %v, %v", i, wait, err)
		}
	}
	for i := range 20 {
		if wait, err := g.Handshake(source); wait != time.Duration(i+1)*time.Second/10 || err != nil {
			t.Fatalf("handshake %d after the burst: %v, %v", i, wait, err)
		}
	}
	if _, err := g.Handshake(source); over(t, err) != "handshakes" {
		t.Errorf("one that would wait longer than %v: %v", longestQueue, err)
	}
	if wait, err := g.Handshake(netip.MustParseAddr("192.0.2.2")); wait != 0 || err != nil {
		t.Errorf("another client: %v, %v", wait, err)
	}
	c.advance(time.Second)
	if wait, err := g.Handshake(source); wait > longestQueue || err != nil {
		t.Errorf("a second later: %v, %v", wait, err)
	}
	g = mustNew(t, Options{Client: Limits{Connections: 1}})
	for range 1000 {
		if wait, err := g.Handshake(source); wait != 0 || err != nil {
			t.Fatalf("without a limit of requests: %v, %v", wait, err)
		}
	}
}

// TestWhatAllTogetherMayNotCostsNobody: a client whose request, or tunnel, is refused
// for what others do has spent nothing of its own.
func TestWhatAllTogetherMayNotCostsNobody(t *testing.T) {
	c := newClock()
	g := mustNew(t, Options{Client: Limits{Requests: 1, Burst: 3, Tunnels: 9, TunnelRate: 1}, Total: Limits{Connections: 1, Tunnels: 1}, Now: c.now})
	other, err := g.Begin(entrant("192.0.2.2"))
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if _, err := g.Begin(entrant("192.0.2.1")); over(t, err) != "all connections" {
			t.Fatalf("all together: %v", err)
		}
	}
	if err := other.Tunnel(); err != nil {
		t.Fatal(err)
	}
	u, err := g.Begin(entrant("192.0.2.1"))
	if err != nil {
		t.Fatalf("of its own it has %v", err)
	}
	for range 10 {
		if err := u.Tunnel(); over(t, err) != "all tunnels" {
			t.Fatalf("all together: %v", err)
		}
	}
	other.End()
	if err := u.Tunnel(); err != nil {
		t.Errorf("of its own it has %v", err)
	}
	u.End()
}

// TestRatesHoldForAllTogether, whoever comes; and who met them has lost nothing of its own.
func TestRatesHoldForAllTogether(t *testing.T) {
	c := newClock()
	g := mustNew(t, Options{Networks: prefixes("192.0.2.0/24"), Client: Limits{Requests: 1, Burst: 1, TunnelRate: 1}, Total: Limits{Requests: 4, Burst: 4, TunnelRate: 2}, Now: c.now})
	visit := func(i int) (begun, tunnelled string) {
		u, err := g.Begin(entrant(fmt.Sprintf("192.0.2.%d", i)))
		if err != nil {
			return over(t, err), ""
		}
		defer u.End()
		return "", over(t, u.Tunnel())
	}
	for i, want := range [][2]string{{"", ""}, {"", ""}, {"", ""}, {"", ""}, {"all requests", ""}, {"all requests", ""}} {
		if begun, tunnelled := visit(i + 1); begun != want[0] || tunnelled != want[1] {
			t.Errorf("client %d: request %q, tunnel %q", i+1, begun, tunnelled)
		}
	}
	c.advance(time.Second / 4)
	if begun, tunnelled := visit(6); begun != "" || tunnelled != "all tunnel-rate" {
		t.Errorf("as soon as there is room: request %q, tunnel %q", begun, tunnelled)
	}
}

// TestVolumesOfYesterdayAreNotHandedOver: they would count as today's.
func TestVolumesOfYesterdayAreNotHandedOver(t *testing.T) {
	c := newClock()
	o := Options{Client: Limits{Daily: 1000}, Total: Limits{Daily: 1000}, Now: c.now}
	before := mustNew(t, o)
	u, err := before.Begin(entrant("192.0.2.1"))
	if err != nil {
		t.Fatal(err)
	}
	u.Up(t.Context(), 1000)
	u.End()
	c.advance(day)
	var volumes bytes.Buffer
	if err := before.SaveVolumes(&volumes); err != nil {
		t.Fatal(err)
	}
	after := mustNew(t, o)
	if err := after.LoadVolumes(&volumes); err != nil {
		t.Fatal(err)
	}
	if u, err := after.Begin(entrant("192.0.2.1")); err != nil {
		t.Errorf("a day later: %v", err)
	} else {
		u.End()
	}
}

// TestLargePiecesAreNotPassedOver: whoever had the least is served, whatever the size
// of what waits; by size, small pieces without end would come before a large one.
func TestLargePiecesAreNotPassedOver(t *testing.T) {
	var q pieces
	for i := range 20 {
		heap.Push(&q, &piece{start: float64(1000 * i), n: 1000})
	}
	heap.Push(&q, &piece{start: 5500, n: 60_000})
	for turn := range 7 {
		if p := heap.Pop(&q).(*piece); p.n == 60_000 {
			if turn != 6 {
				t.Errorf("the large piece is served in turn %d", turn)
			}
			return
		}
	}
	t.Error("the large piece was passed over")
}
