package egress

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// attemptDelay is the head start of each address before the next one is
// tried beside it (RFC 8305 §5).
const attemptDelay = 250 * time.Millisecond

// mostAttempts bounds the addresses that are tried of one name: an answer has room
// for thousands, and whoever owns a name may list others' machines there.
const mostAttempts = 32

// attemptsAtOnce bounds those that run at a time, each of which holds a descriptor.
// One that as many wait behind is given up in time for them, but not before it sent
// a second SYN.
const attemptsAtOnce = 8

// KeepAlive finds dead peers of connections that say nothing for long.
var KeepAlive = net.KeepAliveConfig{Enable: true, Idle: time.Minute, Interval: 15 * time.Second, Count: 4}

// dialDirect resolves t, an origin or an upstream proxy, and connects to the first of
// its addresses that answers, among those that ok lets through.
func (e *Egress) dialDirect(ctx context.Context, t Target, ok check, origin bool) (net.Conn, error) {
	resolve := e.names.resolve
	switch {
	case !origin:
		resolve = e.ownNames.resolve
	case e.houseIsClosed(t):
		resolve = resolveHere
	}
	addrs, err := resolve(ctx, t)
	if err != nil {
		return nil, dialError(err)
	}
	closed := func(addr netip.Addr) bool { return ok(netip.AddrPortFrom(addr, t.Port)) != nil }
	open := slices.DeleteFunc(addrs, closed)
	if origin && slices.ContainsFunc(open, mayBeTranslated) {
		e.guard.translators.learn(ctx)
		open = slices.DeleteFunc(open, closed)
	}
	if len(open) == 0 {
		return nil, refusedDestination
	}
	tried := interleave(open)
	turn := e.turn(ctx, t.Host)
	conn, err := e.race(ctx, tried[:min(len(tried), mostAttempts)], t.Port, turn, ok)
	if origin && errors.Is(err, syscall.ENETUNREACH) {
		// A network of IPv6 alone may translate what its name servers were not asked for:
		// an address, or a name that others were (RFC 7050, RFC 8305 §7). Where there is a
		// route, and somebody on it says no, that stands.
		lost := slices.DeleteFunc(open, func(addr netip.Addr) bool { return !addr.Is4() || hasRoute(addr) })
		if by := slices.DeleteFunc(e.guard.translators.ways(ctx, lost), closed); len(by) > 0 {
			conn, err = e.race(ctx, by[:min(len(by), mostAttempts)], t.Port, turn, ok)
		}
	}
	if err != nil {
		return nil, dialError(err)
	}
	return conn, nil
}

// houseIsClosed reports whether t is a name of the house, and nothing there is open that
// a name could lead to but what Allow opens by its own.
func (e *Egress) houseIsClosed(t Target) bool {
	return !t.Addr.IsValid() && ofTheHouse(t.Host) && len(e.guard.allow.networks) == 0 && !e.guard.allow.host(t.Host)
}

// resolveHere returns the addresses that /etc/hosts has of t. Name servers are not asked:
// they may be anywhere, need not know what machines there are (RFC 6762 §22.1, RFC 8375
// §4), and whoever is let in would learn it by what becomes of a request.
func resolveHere(ctx context.Context, t Target) ([]netip.Addr, error) {
	addrs, err := asksNobody.LookupNetIP(ctx, "ip", t.Host)
	if err != nil {
		return nil, refusedDestination
	}
	for i, addr := range addrs {
		addrs[i] = addr.Unmap()
	}
	return addrs, nil
}

var asksNobody = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
	return nil, refusedDestination
}}

// A resolvers looks names up.
type resolvers struct {
	abroad *net.Resolver
	nearby *net.Resolver // for names of the house
}

// observedBoth returns both as [observed] does.
func observedBoth(abroad, nearby *net.Resolver, look func(note *rcodes, answer []byte)) resolvers {
	both := resolvers{nearby: observed(nearby, look)}
	if both.abroad = both.nearby; abroad != nearby {
		both.abroad = observed(abroad, look)
	}
	return both
}

// resolve returns the addresses of t, in the order in which the resolver
// would try them (RFC 6724), at least one if err is nil.
func (r resolvers) resolve(ctx context.Context, t Target) ([]netip.Addr, error) {
	if t.Addr.IsValid() {
		return []netip.Addr{t.Addr}, nil
	}
	name := t.Host
	dot := strings.LastIndexByte(name, '.')
	switch {
	case notInDNS[name[dot+1:]]:
		return nil, &LookupError{&net.DNSError{Err: "no such host", IsNotFound: true}, "NXDOMAIN"}
	case dot >= 0:
		name += "." // a whole name; the search list is for single labels
	}
	resolver := r.abroad
	if ofTheHouse(t.Host) {
		resolver = r.nearby
	}
	said := new(rcodes)
	addrs, err := lookUp(context.WithValue(ctx, rcodesKey{}, said), resolver, name)
	if said.closed.Load() {
		return nil, refusedDestination
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return nil, said.of(dns)
	}
	if err != nil {
		return nil, err
	}
	for i, addr := range addrs {
		addrs[i] = addr.Unmap()
	}
	return addrs, nil
}

// notInDNS are the top-level domains of names that no name server knows: a look-up
// would only tell them what is visited.
var notInDNS = map[string]bool{
	"onion":   true, // RFC 7686 §2
	"alt":     true, // RFC 9476 §2
	"invalid": true, // RFC 6761 §6.4
}

// houseSuffixes are of names that have no owner in the world's DNS.
var houseSuffixes = []string{
	".local",     // RFC 6762 §3
	".home.arpa", // RFC 8375 §4: never to leave the network
	".internal",  // ICANN, 2024-07-29
	// What networks call themselves that did not ask anybody (RFC 6762, appendix G).
	".lan", ".home", ".corp", ".intranet", ".private",
}

// ofTheHouse reports whether only name servers of the network here can know host, if
// anybody does: others would just learn what machines there are.
func ofTheHouse(host string) bool {
	return !strings.Contains(host, ".") ||
		slices.ContainsFunc(houseSuffixes, func(suffix string) bool { return strings.HasSuffix(host, suffix) })
}

// silence6 and silence4 are how long the name servers may take before they are asked
// for the addresses of one kind alone as well. Those of IPv6 lead nowhere from many
// a place, so others are worth a longer wait.
const (
	silence6 = 500 * time.Millisecond // then IPv4 will do
	silence4 = 2 * time.Second        // then IPv6 has to
)

// lookUp asks r for the addresses of name. Some name servers never answer what they
// are asked about one kind (RFC 4074 §4.1, where it is IPv6), and whoever waits for
// both answers gets none: then the other has to do, if it leads anywhere from here.
func lookUp(ctx context.Context, r *net.Resolver, name string) ([]netip.Addr, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var mu sync.Mutex
	var some []netip.Addr // of one kind; guarded by mu
	alone := func(network string, after time.Duration) (wait func()) {
		asked := make(chan struct{})
		timer := time.AfterFunc(after, func() {
			defer close(asked)
			addrs, err := r.LookupNetIP(ctx, network, name)
			if err != nil || !slices.ContainsFunc(addrs[:min(len(addrs), attemptsAtOnce)], hasRoute) {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if some == nil {
				some = addrs
				cancel()
			}
		})
		return func() {
			if !timer.Stop() {
				<-asked
			}
		}
	}
	four, six := alone("ip4", silence6), alone("ip6", silence4)
	addrs, err := r.LookupNetIP(ctx, "ip", name)
	cancel()
	four()
	six()
	if err != nil && some != nil {
		return some, nil
	}
	return addrs, err
}

// hasRoute reports whether the system knows a way to addr. Nothing is sent there.
func hasRoute(addr netip.Addr) bool {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, 9)))
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// interleave returns addrs with the families in turn, beginning with that of
// the first (RFC 8305 §4), so that a family without a way out costs little.
func interleave(addrs []netip.Addr) []netip.Addr {
	var first, second []netip.Addr
	for _, addr := range addrs {
		if addr.Is4() == addrs[0].Is4() {
			first = append(first, addr)
		} else {
			second = append(second, addr)
		}
	}
	mixed := addrs[:0:0]
	for len(first) > 0 || len(second) > 0 {
		if len(first) > 0 {
			mixed, first = append(mixed, first[0]), first[1:]
		}
		if len(second) > 0 {
			mixed, second = append(mixed, second[0]), second[1:]
		}
	}
	return mixed
}

// race connects to the addresses in order, each with a head start before the
// next, and returns the first connection. All attempts have ended when it
// returns.
func (e *Egress) race(ctx context.Context, addrs []netip.Addr, port uint16, turn uint32, ok check) (net.Conn, error) {
	if len(addrs) == 1 {
		return e.connect(ctx, netip.AddrPortFrom(addrs[0], port), turn, ok)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type outcome struct {
		conn net.Conn
		err  error
	}
	outcomes := make(chan outcome)
	var winner net.Conn
	var failure error
	head := time.NewTimer(0)
	defer head.Stop()
	for next, running := 0, 0; running > 0 || winner == nil && next < len(addrs); {
		start := head.C
		if winner != nil || next == len(addrs) || running == attemptsAtOnce {
			start = nil
		}
		select {
		case <-start:
			to := netip.AddrPortFrom(addrs[next], port)
			attempt, end := ctx, context.CancelFunc(func() {})
			if next+attemptsAtOnce < len(addrs) {
				attempt, end = context.WithTimeout(ctx, attemptsAtOnce*attemptDelay)
			}
			next++
			running++
			go func() {
				defer end()
				conn, err := e.connect(attempt, to, turn, ok)
				outcomes <- outcome{conn, err}
			}()
			head.Reset(attemptDelay)
		case o := <-outcomes:
			running--
			switch {
			case o.err != nil:
				failure = telling(failure, o.err)
				head.Reset(0)
			case winner == nil:
				winner = o.conn
				cancel()
			default:
				o.conn.Close()
			}
		}
	}
	if winner == nil {
		return nil, failure
	}
	return winner, nil
}

// telling returns the one of two failures that says more about the origin. That it
// is silent says most, then that it refuses; that there is no route to one of its
// addresses says least.
func telling(a, b error) error {
	rank := func(err error) int {
		switch {
		case err == nil:
			return 0
		case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.EADDRNOTAVAIL):
			return 1
		case errors.Is(err, syscall.ECONNREFUSED):
			return 3
		case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
			return 4
		}
		return 2
	}
	if rank(b) > rank(a) {
		return b
	}
	return a
}

// connect opens one connection, from the source address whose turn it is, or the next
// one that the machine still has.
func (e *Egress) connect(ctx context.Context, to netip.AddrPort, turn uint32, ok check) (conn net.Conn, err error) {
	sources, err := e.sources(to.Addr(), turn)
	for _, source := range sources {
		if conn, err = e.connectFrom(ctx, source, to, ok); !isLost(err) {
			break
		}
	}
	return conn, err
}

// connectFrom opens one connection from source. The check runs on the socket itself,
// right before it is connected.
func (e *Egress) connectFrom(ctx context.Context, source netip.Addr, to netip.AddrPort, ok check) (net.Conn, error) {
	dialer := net.Dialer{
		KeepAlive: -1,
		Control: func(_, address string, raw syscall.RawConn) error {
			actual, err := netip.ParseAddrPort(address)
			if err != nil {
				return refusedDestination
			}
			if err := ok(actual); err != nil {
				return err
			}
			_ = SetKeepAlive(raw) // a connection without it is one all the same
			if source.IsValid() {
				return shareSourcePorts(raw)
			}
			return nil
		},
	}
	if !earlyKeepAlive {
		dialer.KeepAliveConfig = KeepAlive
	}
	// Some middleboxes break Multipath TCP, and its options tell clients of
	// one machine apart.
	dialer.SetMultipathTCP(false)
	if source.IsValid() {
		dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(source, 0))
	}
	conn, err := dialer.DialContext(ctx, "tcp", to.String())
	if wantsPort(err, to.Addr()) {
		return nil, syscall.ENOBUFS // which nobody takes for a fault of the origin's
	}
	if err != nil {
		return nil, err
	}
	if e.guard.machine.has(to.Addr()) || to.Addr().IsLoopback() {
		e.open.add(conn.(*net.TCPConn))
	}
	return conn, nil
}

// wantsPort reports whether err says that no local port is left for a connection to an
// address (connect(2)). To one of IPv6, the same says that there is no address to come
// from; and so it does of a source address that the machine has lost, before it connects.
func wantsPort(err error, to netip.Addr) bool {
	call, ok := errors.AsType[*os.SyscallError](err)
	return ok && call.Syscall == "connect" && call.Err == syscall.EADDRNOTAVAIL && to.Is4()
}
