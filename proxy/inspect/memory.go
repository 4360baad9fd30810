package inspect

import (
	"hash/maphash"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"guise/cache/lru"
)

// A Reason says why a connection is a tunnel although its host is inspected.
type Reason uint8

// The reasons.
const (
	NotTLS            Reason = iota // the client speaks something else
	OtherName                       // the client asks for another host than its CONNECT
	OutsideAuthority                // the authority's constraints leave the host out
	ClientCertificate               // the origin asks who the client is
	Pinned                          // the client does not accept our certificate
	OtherTLS                        // the client or the origin does not speak TLS as we do
	OtherProtocol                   // the client wants something else than HTTP in it
	reasonCount
)

// String returns the reason in words.
func (r Reason) String() string {
	return [reasonCount]string{
		NotTLS:            "the client does not speak TLS there",
		OtherName:         "the client asks for another host than it connected to",
		OutsideAuthority:  "the certificate authority may not sign for the host",
		ClientCertificate: "the site asks for a client certificate",
		Pinned:            "the client refuses guise's certificate",
		OtherTLS:          "guise has no TLS in common with the site or the client",
		OtherProtocol:     "the client does not want to speak HTTP there",
	}[r]
}

const (
	memorySize     = 4096
	memoryTime     = time.Hour
	hearsayTime    = time.Minute      // for what another client found; as telling as a kept connection
	silentStrikes  = 3                // connections that end without a request, in a row
	strikeInterval = 10 * time.Minute // within this
	mostRefusers   = 16               // programs of one client whose connections to one host are left alone
)

// A Memory holds where inspection did not work lately. Hosts and clients are
// in it only as keyed hashes, so that nothing can be read from it. It is safe
// for concurrent use.
type Memory struct {
	seed maphash.Seed
	now  func() time.Time

	mu     sync.Mutex
	kept   *simplelru.LRU[uint64, trace]
	counts Counts
}

// A trace is what is known of a host, for one client or for all.
type trace struct {
	client   uint64 // the client's key without a host, by which Forget finds it
	reason   Reason
	until    time.Time // connections are tunnels until then
	refusers []uint64  // programs whose connections those are; nil for all
	works    bool      // a request came through inspection
	strikes  int       // connections that ended without a request
	struck   time.Time // when the first of them did
	shown    time.Time // when the latest that counted saw our certificate
}

// Counts says how many connections were inspected, and how many were left as
// tunnels, by reason.
type Counts struct {
	Inspected uint64
	Left      [reasonCount]uint64
}

// NewMemory returns an empty Memory.
func NewMemory() *Memory {
	return &Memory{seed: maphash.MakeSeed(), now: time.Now, kept: lru.New[uint64, trace](memorySize)}
}

func (m *Memory) key(client, host string) uint64 {
	var h maphash.Hash
	h.SetSeed(m.seed)
	h.WriteString(client)
	h.WriteByte(0)
	h.WriteString(host)
	return h.Sum64()
}

// Fallback reports whether connections of client to host are to be tunnels, and why: all
// of them if [Memory.ForAll] says so, else those of which [Memory.RefusedBy] does.
func (m *Memory) Fallback(client, host string) (Reason, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, who := range [...]string{client, ""} {
		if t, _ := m.kept.Get(m.key(who, host)); m.now().Before(t.until) {
			return t.reason, true
		}
	}
	return 0, false
}

// ForAll reports whether Fallback is about all programs of client.
func (m *Memory) ForAll(client, host string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, who := range [...]string{client, ""} {
		if t, _ := m.kept.Get(m.key(who, host)); m.now().Before(t.until) && t.refusers == nil {
			return true
		}
	}
	return false
}

// AsksForCertificate notes for all clients that host asks for client certificates, which
// inspection cannot pass on. It is known for hearsayTime only: a tunnel in place of an
// inspected connection shows a client that another was there.
func (m *Memory) AsksForCertificate(host string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keep("", host, trace{reason: ClientCertificate, until: m.now().Add(hearsayTime)})
}

// Refused notes that a program of client, known by its [Hello], did not accept a
// certificate of ours for host.
func (m *Memory) Refused(client, host string, program uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refused(client, host, program, Pinned)
}

// LeaveProgram notes why the connections of a program of client, known by its [Hello], to host
// are to be tunnels. host may be a host:port.
func (m *Memory) LeaveProgram(client, host string, program uint64, why Reason) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refused(client, host, program, why)
}

// refused is LeaveProgram with m.mu held.
func (m *Memory) refused(client, host string, program uint64, why Reason) {
	t, _ := m.kept.Get(m.key(client, host))
	if !m.now().Before(t.until) {
		t.refusers = nil
	}
	if !slices.Contains(t.refusers, program) {
		t.refusers = append(t.refusers, program)
		t.refusers = t.refusers[max(0, len(t.refusers)-mostRefusers):]
	}
	t.reason, t.until, t.strikes = why, m.now().Add(memoryTime), 0
	m.keep(client, host, t)
}

// RefusedBy reports whether program refused our certificate for host, or is left alone
// there. Other programs stay inspected: one that brings its own list of authorities must
// not keep a browser beside it, which trusts ours, out of inspection.
func (m *Memory) RefusedBy(client, host string, program uint64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, _ := m.kept.Get(m.key(client, host))
	return m.now().Before(t.until) && slices.Contains(t.refusers, program)
}

// Leave notes why client's connections to host are to be tunnels. host may be a host:port.
func (m *Memory) Leave(client, host string, why Reason) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keep(client, host, trace{reason: why, until: m.now().Add(memoryTime)})
}

// keep stores t for client and host. m.mu is held.
func (m *Memory) keep(client, host string, t trace) {
	t.client = m.key(client, "")
	m.kept.Add(m.key(client, host), t)
}

// Forget drops what is known for client alone.
func (m *Memory) Forget(client string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	whose := m.key(client, "")
	for _, key := range m.kept.Keys() {
		if t, _ := m.kept.Peek(key); t.client == whose {
			m.kept.Remove(key)
		}
	}
}

// Silent notes that a program of client saw our certificate for host, on a connection
// that came and was shown it at these times, and left at once without a word. Some that
// pin do that; but so does every browser now and then, with all connections that it is
// opening. Only several in a row, each begun after the one before saw it, from a client
// that never made a request there, count as a refusal.
func (m *Memory) Silent(client, host string, program uint64, came, shown time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	t, _ := m.kept.Get(m.key(client, host))
	if t.works || came.Before(t.shown) {
		return
	}
	if now.Sub(t.struck) > strikeInterval {
		t.strikes, t.struck = 0, now
	}
	t.shown = shown
	t.strikes++
	m.keep(client, host, t)
	if t.strikes >= silentStrikes {
		m.refused(client, host, program, Pinned)
	}
}

// Works notes that a request of client to host came through inspection. What was noted of
// other connections stays: another program refuses what it refused, and a site that asks
// for certificates on some of its pages asks for them still.
func (m *Memory) Works(client, host string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, _ := m.kept.Get(m.key(client, host))
	t.works = true
	m.keep(client, host, t)
}

// Inspected counts a connection whose TLS was ended here.
func (m *Memory) Inspected() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counts.Inspected++
}

// Left counts a connection that was left as a tunnel.
func (m *Memory) Left(why Reason) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counts.Left[why]++
}

// Counts returns what was counted so far.
func (m *Memory) Counts() Counts {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.counts
}

// Each calls f for every reason that left a connection a tunnel.
func (c Counts) Each(f func(why Reason, count uint64)) {
	for why, count := range c.Left {
		if count > 0 {
			f(Reason(why), count)
		}
	}
}
