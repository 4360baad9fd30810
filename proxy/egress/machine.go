package egress

import (
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"time"
)

// A machine knows the addresses of this machine: those of its interfaces, and the
// networks that its routes make its own. Asking the system costs more than a
// connection to a neighbour does, so the answer is kept for a moment. It is safe
// for concurrent use.
type machine struct {
	mu      sync.Mutex
	asked   time.Time
	current map[netip.Addr]bool
	routed  []netip.Prefix // of more than one address
	changes *changes       // nil where the system does not tell of them
}

// machineFresh is how long an answer is good for where the system does not say that
// it has changed: addresses come when a laptop changes networks, or with the day.
const machineFresh = 5 * time.Second

// has reports whether addr is one of the machine's own. Any may be while the system could
// not be asked yet for want of a descriptor. If it does not say, none is; the ranges that
// matter most are closed without it.
func (m *machine) has(addr netip.Addr) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.changes.seen() || time.Since(m.asked) > machineFresh {
		m.ask()
	}
	return m.current == nil || m.current[addr] || slices.ContainsFunc(m.routed, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// ask asks the system; m.mu is held. Where there is no descriptor to ask by, what is known
// stands until the next time, which comes with the next address: clients can bring that about.
func (m *machine) ask() {
	if m.changes == nil {
		m.changes = watchAddresses() // first: none is missed
	}
	m.asked = time.Time{}
	current, err := interfaceAddresses()
	if Short(err) {
		return
	}
	routes, err := localRoutes()
	if Short(err) {
		return
	}
	m.asked, m.current, m.routed = time.Now(), current, nil
	for _, network := range routes {
		if network.IsSingleIP() {
			m.current[network.Addr()] = true
		} else {
			m.routed = append(m.routed, network)
		}
	}
}

// interfaceAddresses returns none with an error.
func interfaceAddresses() (map[netip.Addr]bool, error) {
	addresses := make(map[netip.Addr]bool)
	listed, err := net.InterfaceAddrs()
	for _, a := range listed {
		if network, ok := a.(*net.IPNet); ok {
			if addr, ok := netip.AddrFromSlice(network.IP); ok {
				addresses[addr.Unmap()] = true
			}
		}
	}
	return addresses, err
}

// isBroadcast reports whether addr is the broadcast address of IPv4, or of a
// network that this machine is on.
func isBroadcast(addr netip.Addr) bool {
	if !addr.Is4() {
		return false
	}
	if addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return true
	}
	listed, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range listed {
		network, ok := a.(*net.IPNet)
		if !ok || network.IP.To4() == nil {
			continue
		}
		ones, _ := network.Mask.Size()
		if ones < 31 && network.Contains(addr.AsSlice()) && !network.Contains(addr.Next().AsSlice()) {
			return true
		}
	}
	return false
}

// A registry holds the connections that this process opened to addresses of
// its own machine, to recognise them when they come in at a listener. Others
// cannot come in, so they cost nothing. It is safe for concurrent use.
type registry struct {
	mu   sync.Mutex
	open map[link]int
}

// A link is a connection by its two ends.
type link struct{ local, remote netip.AddrPort }

// add takes conn in until it is garbage: its owner need not tell when it is
// closed, and may splice it. A closed connection that still counts does no
// harm, since the system does not use the pair of ends again so soon.
func (r *registry) add(conn *net.TCPConn) {
	l := link{addrPort(conn.LocalAddr()), addrPort(conn.RemoteAddr())}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open == nil {
		r.open = make(map[link]int)
	}
	r.open[l]++
	runtime.AddCleanup(conn, r.remove, l)
}

func (r *registry) remove(l link) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open[l]--; r.open[l] <= 0 {
		delete(r.open, l)
	}
}

func (r *registry) has(l link) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open[l] > 0
}

func addrPort(a net.Addr) netip.AddrPort {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	at := tcp.AddrPort()
	return netip.AddrPortFrom(at.Addr().Unmap().WithZone(""), at.Port())
}

// IsOwn reports whether a connection that was accepted at local from remote
// is one that e itself opened: a request on it has come back. It is told by
// both ends, since a port may serve connections of several processes.
func (e *Egress) IsOwn(remote, local netip.AddrPort) bool {
	unmapped := func(a netip.AddrPort) netip.AddrPort {
		return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
	}
	return e.open.has(link{local: unmapped(remote), remote: unmapped(local)})
}
