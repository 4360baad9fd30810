package egress

import (
	"net"
	"net/netip"
	"runtime"
	"sync"
)

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
	return unmapped(tcp.AddrPort())
}

func unmapped(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}

// IsOwn reports whether a connection that was accepted at local from remote
// is one that e itself opened: a request on it has come back. It is told by
// both ends, since a port may serve connections of several processes.
func (e *Egress) IsOwn(remote, local netip.AddrPort) bool {
	return e.open.has(link{local: unmapped(remote), remote: unmapped(local)})
}
