package proxy

import (
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"guise/proxy/gate"
)

// Clients that are turned away at the door get an answer, if not too many
// wait for one already.
const (
	awayAtOnce = 256
	awayShort  = 8 // when descriptors run short
	awayTime   = time.Second
	awayBytes  = 64 << 10
)

// Clients that keep coming get none. Where they cannot be barred, their connections
// are kept open for a moment: a client that is cut at once is back at once, and to
// accept it over and over costs far more than a descriptor.
const (
	keptAtOnce = 1024
	keptTime   = time.Second
)

// A doorkeeper ends connections that are not let in. Its zero value is ready
// to use, and safe for concurrent use.
type doorkeeper struct {
	pressure *gate.Pressure // told of what is kept open; nil for nobody

	mu      sync.Mutex
	talking int
	kept    []keptConn  // the oldest first
	timer   *time.Timer // for the first of them; nil until there was one
	closed  bool
	all     sync.WaitGroup
}

type keptConn struct {
	net.Conn
	until time.Time
}

// answer answers f on nc, and closes it, without making the caller wait.
func (d *doorkeeper) answer(nc net.Conn, f failure) {
	d.mu.Lock()
	defer d.mu.Unlock()
	most, room := awayAtOnce, d.pressure.Take()
	if !room {
		most = awayShort
	}
	tcp, isTCP := nc.(*net.TCPConn)
	if !isTCP || d.closed || d.talking >= most {
		drop(nc)
		d.giveBack(room)
		return
	}
	d.talking++
	d.all.Go(func() {
		answerAndClose(tcp, f)
		d.giveBack(room)
		d.mu.Lock()
		d.talking--
		d.mu.Unlock()
	})
}

func (d *doorkeeper) giveBack(taken bool) {
	if taken {
		d.pressure.Give()
	}
}

// keep drops nc after a while, or now if too many are kept already.
func (d *doorkeeper) keep(nc net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || len(d.kept) >= keptAtOnce || !d.pressure.Take() {
		drop(nc)
		return
	}
	d.kept = append(d.kept, keptConn{nc, time.Now().Add(keptTime)})
	switch {
	case d.timer == nil:
		d.timer = time.AfterFunc(keptTime, d.letGo)
	case len(d.kept) == 1:
		d.timer.Reset(keptTime)
	}
}

// letGo drops the kept connections whose time is over.
func (d *doorkeeper) letGo() {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	over := 0
	for over < len(d.kept) && !now.Before(d.kept[over].until) {
		drop(d.kept[over].Conn)
		d.pressure.Give()
		over++
	}
	d.kept = slices.Delete(d.kept, 0, over)
	if len(d.kept) > 0 {
		d.timer.Reset(d.kept[0].until.Sub(now))
	}
}

// drop closes nc by a reset, after which the system keeps nothing of it.
func drop(nc net.Conn) {
	if tcp, isTCP := nc.(*net.TCPConn); isTCP {
		tcp.SetLinger(0)
	}
	nc.Close()
}

func answerAndClose(tcp *net.TCPConn, f failure) {
	defer tcp.Close()
	resp := f.response(&http.Request{Method: http.MethodGet}, false)
	resp.Status = strconv.Itoa(f.status) + " " + f.title // as [failure.write] has it
	resp.Close = true
	tcp.SetDeadline(time.Now().Add(awayTime))
	if resp.Write(tcp) == nil {
		letRead(tcp)
	}
}

// wait drops the kept connections, and returns when nobody is being answered, or will be.
func (d *doorkeeper) wait() {
	d.mu.Lock()
	d.closed = true
	for _, k := range d.kept {
		drop(k.Conn)
		d.pressure.Give()
	}
	d.kept = nil
	d.mu.Unlock()
	d.all.Wait()
}

// letRead ends a connection after its last answer, and reads on for a moment:
// bytes that are left unread would reset it, and take the answer with them.
func letRead(tcp *net.TCPConn) {
	tcp.SetDeadline(time.Now().Add(awayTime))
	if tcp.CloseWrite() == nil {
		io.CopyN(io.Discard, tcp, awayBytes)
	}
}
