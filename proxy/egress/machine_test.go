package egress

import (
	"net/netip"
	"time"
)

// pretend makes addr the machine's only address for the length of a test.
func (m *machine) pretend(addr netip.Addr) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.current, m.routed, m.changes = map[netip.Addr]bool{addr: true}, nil, nil
	m.asked = time.Now().Add(time.Hour)
}
