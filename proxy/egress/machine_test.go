package egress

import (
	"net/netip"
	"time"
)

// pretend makes addr the machine's only address for the length of a test.
func (m *machine) pretend(addr netip.Addr) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.current = map[netip.Addr]bool{addr: true}
	m.asked = time.Now().Add(time.Hour)
}
