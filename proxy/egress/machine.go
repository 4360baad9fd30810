package egress

import (
	"net"
	"net/netip"
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
// it has changed: laptops change networks, and IPv6 addresses may change daily (RFC 8981).
const machineFresh = 5 * time.Second

// has reports whether addr is one of the machine's own. Until the system could be asked for
// the first time, which takes a descriptor, every address counts as one. If it is asked and
// does not say, none does: the ranges that matter most are closed anyway.
func (m *machine) has(addr netip.Addr) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.changes.seen() || time.Since(m.asked) > machineFresh {
		m.ask()
	}
	return m.current == nil || m.current[addr] || slices.ContainsFunc(m.routed, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// ask asks the system; m.mu is held. Without a descriptor to ask by, which clients can bring
// about, it keeps what is known, and the next call of has asks again.
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

// interfaceAddresses returns the addresses of all interfaces; with an error, an empty map.
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
