package proxy

import (
	"hash/maphash"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"guise/proxy/gate"
)

// With an upstream proxy, a request can come back by a way that this process
// cannot see. Nothing may be added to requests to recognise them by (Via would
// tell origins of the proxy), but a loop shows itself all the same: every turn
// waits for the next one, so identical requests pile up and none is answered. All
// but the first come from the upstream proxy's address, so they are counted by
// client: many clients may well ask for the same at a time.
const (
	nestingDepth = 64              // identical unanswered requests of one client: package managers open 50 tunnels at a time
	nestingWait  = 3 * time.Second // how long one more waits for any of them to be answered
)

// nesting counts the identical requests that wait for a response head. A nil
// nesting counts nothing. It is safe for concurrent use.
type nesting struct {
	seed    maphash.Seed
	mu      sync.Mutex
	waiting map[uint64]*turns
}

// turns are the unanswered requests of one kind.
type turns struct {
	count    int
	answered chan struct{} // closed when one of them is answered
}

func newNesting() *nesting {
	return &nesting{seed: maphash.MakeSeed(), waiting: make(map[uint64]*turns)}
}

// enter counts r, whose answer is a response head or for CONNECT a connection,
// until arrived is called. It reports false if r is a turn of a loop.
func (n *nesting) enter(r *http.Request) (arrived func(), ok bool) {
	if n == nil {
		return func() {}, true
	}
	key := n.key(r)
	deadline := time.NewTimer(nestingWait)
	defer deadline.Stop()
	for {
		n.mu.Lock()
		t := n.waiting[key]
		if t == nil {
			t = &turns{answered: make(chan struct{})}
			n.waiting[key] = t
		}
		if t.count < nestingDepth {
			t.count++
			n.mu.Unlock()
			return func() { n.leave(key) }, true
		}
		answered := t.answered
		n.mu.Unlock()

		select {
		case <-answered:
		case <-deadline.C:
			return nil, false
		case <-r.Context().Done():
			return nil, false
		}
	}
}

func (n *nesting) leave(key uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	t := n.waiting[key]
	close(t.answered)
	t.answered = make(chan struct{})
	if t.count--; t.count == 0 {
		delete(n.waiting, key)
	}
}

func (n *nesting) key(r *http.Request) uint64 {
	var h maphash.Hash
	h.SetSeed(n.seed)
	client, _ := netip.ParseAddrPort(r.RemoteAddr)
	h.Write(gate.NetworkOf(client.Addr()).AsSlice())
	for _, part := range []string{r.Method, r.URL.Scheme, r.URL.Host, r.URL.Path, r.URL.RawQuery} {
		h.WriteString(part)
		h.WriteByte(0)
	}
	return h.Sum64()
}
