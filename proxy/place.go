package proxy

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"guise/proxy/wire"
)

// A placeKey is an origin's host:port, and for whom: those who want to be kept
// apart share no connection with others.
type placeKey struct{ address, isolation string }

func keyOf(ctx context.Context, address string) placeKey {
	return placeKey{address, wire.Isolation(ctx)}
}

// A place is what is known of one origin. Its secureOrigins' mu guards it, and is held
// where its methods are called.
type place struct {
	address  string
	verified time.Time         // when a handshake last succeeded
	http1    time.Time         // the origin does not speak HTTP/2, as it showed then
	wanted   time.Time         // when http1 was last used
	conns    []*wire.HTTP2Conn // HTTP/2
	asks     atomic.Bool       // the origin wants to know clients by certificates
	opening  *opening          // the connection being opened; nil if none is
}

// An opening is a connection being opened. Those who wait for it share what
// goes wrong: one after the other they would wait for the same fault.
type opening struct {
	done chan struct{}
	err  error // once done is closed
}

const (
	// knownFor is how long an origin is taken to speak the protocol that it
	// showed, while there are requests.
	knownFor = 10 * time.Minute

	// warmFor is how long an origin is taken to have the certificate that it
	// showed: as long as a connection stays open that nobody uses. A client that
	// is answered without the origin can tell that somebody was there.
	warmFor = time.Minute
)

// showsHTTP1 notes that the origin does not speak HTTP/2.
func (p *place) showsHTTP1() {
	p.http1 = time.Now()
	p.wanted = p.http1
}

// knownHTTP1 reports whether the origin is known not to speak HTTP/2. If so, several
// connections are opened at once, by which a client can tell that somebody was there: so
// it is forgotten as soon as idle connections are.
func (p *place) knownHTTP1() bool {
	now := time.Now()
	if now.Sub(p.http1) >= knownFor || now.Sub(p.wanted) >= warmFor {
		p.http1 = time.Time{}
		return false
	}
	p.wanted = now
	return true
}

// reserve returns a connection with a stream reserved, one to wait for if all are busy,
// or nil if another may be opened, up to most. Uploads skip clogged connections, and all
// skip those in doubt or not heard of since heardSince.
func (p *place) reserve(upload bool, most int, heardSince time.Time) (cc *wire.HTTP2Conn, reserved bool) {
	p.forgetEnded()
	conns := p.conns
	lost := func(cc *wire.HTTP2Conn) bool { return cc.Doubted() || cc.HeardBefore(heardSince) }
	if slices.ContainsFunc(conns, lost) {
		conns = slices.DeleteFunc(slices.Clone(conns), lost)
	}
	for _, cc := range conns {
		switch {
		case upload && cc.Clogged():
			most = min(most+1, mostPerOrigin)
		case cc.Reserve():
			return cc, true
		}
	}
	for _, cc := range conns {
		if !cc.Greeted() {
			return cc, false
		}
	}
	if len(conns) >= most {
		cc := conns[rand.IntN(len(conns))]
		return cc, cc.Reserve()
	}
	return nil, false
}

// forgetEnded drops the connections that take no more streams, or are to get none.
func (p *place) forgetEnded() {
	p.conns = slices.DeleteFunc(p.conns, func(cc *wire.HTTP2Conn) bool {
		if cc.Worn() {
			cc.Retire()
		}
		return !cc.Usable()
	})
}

// letGo closes idle connections, and returns how many there were.
func (p *place) letGo() (n int) {
	for _, cc := range p.conns {
		if cc.LetGo() {
			n++
		}
	}
	p.forgetEnded()
	return n
}
