package egress

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"time"
)

// attemptDelay is the head start of each address before the next one is
// tried beside it (RFC 8305 §5).
const attemptDelay = 250 * time.Millisecond

// mostAttempts bounds the addresses of one name that are tried: an answer has room for
// thousands, and the owner of a name may list other people's machines there.
const mostAttempts = 32

// attemptsAtOnce bounds the attempts that run at a time, each of which holds a descriptor.
// While as many addresses are left behind it, an attempt ends after attemptsAtOnce delays:
// that is after its second SYN.
const attemptsAtOnce = 8

// KeepAlive is how keep-alive probes find out that the peer of an idle connection is dead.
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
		// An IPv6-only network may translate IPv4 addresses that its own name servers did not
		// (NAT64): those in URLs, or of names that other servers were asked for (RFC 7050,
		// RFC 8305 §7). An address that has a route failed for another reason.
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
	mixed := make([]netip.Addr, 0, len(addrs))
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
			_ = SetKeepAlive(raw) // a connection works without it
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
		return nil, syscall.ENOBUFS // which [Short] takes for this machine's fault
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
// IPv4 address (connect(2)). For an IPv6 address, the same error says that there is no
// source address; of bind(2), that the source address is lost (see isLost).
func wantsPort(err error, to netip.Addr) bool {
	call, ok := errors.AsType[*os.SyscallError](err)
	return ok && call.Syscall == "connect" && call.Err == syscall.EADDRNOTAVAIL && to.Is4()
}
