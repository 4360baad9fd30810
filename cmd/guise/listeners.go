package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"

	"guise/config"
	"guise/proxy"
)

// listeners are the open listeners of a server. Each is served by a goroutine
// that ends when the listener or the proxy is closed. The methods are called
// from one goroutine.
type listeners struct {
	serve   func(net.Listener, proxy.Listening) error
	out     io.Writer // told what a person must know of certificates
	given   *stock    // what this process was started with; nil for nothing
	open    []*listener
	changed bool       // the last change opened or closed one
	failed  chan error // a listener ended by itself
	serving sync.WaitGroup
}

type listener struct {
	net.Listener
	as      config.Listener // as configured: port 0 stays 0
	real    config.Address  // where it is, with the port that it got
	door    *door
	dropped atomic.Bool   // closed by a change
	ended   chan struct{} // closed when it is served no more
}

func newListeners(serve func(net.Listener, proxy.Listening) error, out io.Writer) *listeners {
	return &listeners{serve: serve, out: out, failed: make(chan error, 1)}
}

// change makes want the open listeners: those that are open already stay as
// they are, new ones are opened, then accept is called, and only if it
// returns nil are the others closed and the new ones served. On any error
// what was open stays open. Connections outlive their listener.
func (ls *listeners) change(want []config.Listener, accept func() error) error {
	keep, added, dropped := ls.plan(want)
	opened, blocked, err := ls.openAll(added, dropped)
	defer func() {
		for _, old := range blocked {
			old.socket.Close() // does nothing for nil
		}
	}()
	if err == nil {
		err = accept()
	}
	if err != nil {
		for _, l := range opened {
			l.Close()
			l.door.close()
		}
		return errors.Join(err, ls.reopen(blocked))
	}
	for _, l := range dropped {
		l.dropped.Store(true)
		l.Close()
		l.door.close()
	}
	for _, l := range opened {
		ls.start(l)
	}
	ls.changed = len(opened)+len(dropped) > 0
	ls.open = append(keep, opened...)
	return nil
}

// plan matches want with what is open. An address may be wanted twice: port 0
// is another port each time.
func (ls *listeners) plan(want []config.Listener) (keep []*listener, added []config.Listener, dropped []*listener) {
	dropped = append(dropped, ls.open...)
	for _, w := range want {
		i := slices.IndexFunc(dropped, func(l *listener) bool { return reflect.DeepEqual(l.as, w) })
		if i < 0 {
			added = append(added, w)
			continue
		}
		keep = append(keep, dropped[i])
		dropped = slices.Delete(dropped, i, i+1)
	}
	return keep, added, dropped
}

// openAll opens added. Those of dropped that are in the way are closed first
// and returned as blocked.
func (ls *listeners) openAll(added []config.Listener, dropped []*listener) (opened []*listener, blocked []gaveWay, err error) {
	for _, as := range added {
		l, gone, err := ls.openOne(as.Address, dropped)
		blocked = append(blocked, gone...)
		if err != nil {
			return opened, blocked, err
		}
		l.as = as
		if l.door, err = newDoor(as, l.real, ls.out); err != nil {
			l.Close()
			return opened, blocked, err
		}
		opened = append(opened, l)
	}
	return opened, blocked, nil
}

// openOne opens a listener at at. Of dropped it closes only what turns out to be in
// the way: a process that may not open the new one (a port below 1024, say) could not
// open the old one again either.
func (ls *listeners) openOne(at config.Address, dropped []*listener) (l *listener, gone []gaveWay, err error) {
	for _, old := range dropped {
		if old.real == at && old.dropped.CompareAndSwap(false, true) {
			gone = append(gone, old.giveWay(at))
			l, err = gone[0].reopen()
			return l, gone, err
		}
	}
	if l, err = listen(at, ls.given); !errors.Is(err, syscall.EADDRINUSE) {
		return l, nil, err
	}
	for _, old := range dropped {
		if at.Overlaps(old.real) && old.dropped.CompareAndSwap(false, true) {
			gone = append(gone, old.giveWay(at))
		}
	}
	if len(gone) > 0 {
		l, err = listen(at, ls.given)
	}
	return l, gone, err
}

// A gaveWay is a listener that was closed to make room.
type gaveWay struct {
	*listener
	socket *os.File // still open, for another at the same address; nil for none
}

// giveWay closes l for a listener at the address to. If that is its own, the
// socket stays open: clients wait instead of being refused, and this process
// may not be allowed to open one there, as where systemd did.
func (l *listener) giveWay(to config.Address) gaveWay {
	gone := gaveWay{listener: l}
	if to == l.real {
		if fd, err := duplicate(l.Listener); err == nil {
			gone.socket = os.NewFile(fd, "listener")
		}
	}
	l.Close()
	<-l.ended // the socket stays open until Accept has returned
	return gone
}

// reopen listens again where g did.
func (g gaveWay) reopen() (*listener, error) {
	if g.socket == nil {
		return listen(g.real, nil)
	}
	l, err := net.FileListener(g.socket)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", g.real, err)
	}
	return newListener(l, g.real), nil
}

// reopen opens the listeners again that openAll closed.
func (ls *listeners) reopen(blocked []gaveWay) error {
	var errs []error
	for _, old := range blocked {
		l, err := old.reopen()
		if err != nil {
			errs = append(errs, err)
			continue
		}
		l.as, l.door = old.as, old.door
		if i := slices.Index(ls.open, old.listener); i >= 0 {
			ls.open[i] = l
		}
		ls.start(l)
	}
	return errors.Join(errs...)
}

// A stock holds the listeners that this process was given, until they are
// taken for an address of the configuration. Its methods are called from one
// goroutine.
type stock struct{ given []net.Listener }

// take returns a given listener at an address; port 0 takes any.
func (s *stock) take(at config.Address) net.Listener {
	if s == nil {
		return nil
	}
	for i, l := range s.given {
		tcp, ok := l.Addr().(*net.TCPAddr)
		if !ok {
			continue
		}
		have := tcp.AddrPort()
		there := have.Addr().Unmap() == at.IP
		if !at.IP.IsValid() { // where there is no IPv6, that is all of IPv4
			there = have.Addr().IsUnspecified()
		}
		if there && (have.Port() == at.Port || at.Port == 0) {
			s.given = slices.Delete(s.given, i, i+1)
			return l
		}
	}
	return nil
}

// near returns where a given listener is that has the port of at, nil for none.
func (s *stock) near(at config.Address) net.Addr {
	if s == nil {
		return nil
	}
	for _, l := range s.given {
		if tcp, ok := l.Addr().(*net.TCPAddr); ok && tcp.Port == int(at.Port) {
			return tcp
		}
	}
	return nil
}

// leftover closes listeners that were not taken, and returns an error that names one: it
// would accept connections that nobody serves.
func (s *stock) leftover() error {
	if s == nil || len(s.given) == 0 {
		return nil
	}
	at := s.given[0].Addr()
	for _, l := range s.given {
		l.Close()
	}
	s.given = nil
	return fmt.Errorf("a listener on %s was passed to this process, but listeners does not name it; with systemd, listeners and ListenStream= of guise.socket have to say the same", at)
}

// listening is how listeners are opened. Multipath TCP, net's default, is off: a second
// path of a connection may come from an address that the gate has not admitted, the
// barrier cannot bar sources, and sockets pass only some of their options on to
// connections.
var listening = func() net.ListenConfig {
	config := inheritedKeepAlive()
	config.SetMultipathTCP(false)
	return config
}()

// listen opens a listener at at, or takes it from given, nil for none.
func listen(at config.Address, given *stock) (*listener, error) {
	if l := given.take(at); l != nil {
		return newListener(l, at), nil
	}
	network := "tcp"
	if at.IP == netip.IPv4Unspecified() {
		network = "tcp4" // net.Listen would take IPv6 in as well
	}
	l, err := listening.Listen(context.Background(), network, at.String())
	if have := given.near(at); err != nil && have != nil {
		return nil, fmt.Errorf("listen on %s: %v; this process was given %s, so listeners and ListenStream= of guise.socket have to say the same", at, systemError(err), have)
	}
	if errors.Is(err, syscall.EACCES) && at.Port < 1024 {
		return nil, fmt.Errorf("listen on %s: %w; only root opens ports below 1024, or systemd for guise (scripts/systemd/guise.socket)", at, systemError(err))
	}
	if err != nil {
		return nil, notOpened(network, at.String(), err)
	}
	return newListener(l, at), nil
}

// notOpened is why there is no listener at address.
func notOpened(network, address string, err error) error {
	err = fmt.Errorf("listen on %s: %w", address, systemError(err))
	if network != "unix" && errors.Is(err, syscall.EPERM) { // SocketBindDeny= of systemd
		err = fmt.Errorf("%w; systemd opens for guise what ListenStream= of guise.socket names, and lets it open what SocketBindAllow= of guise.service names", err)
	}
	return err
}

// systemError is what the system said, without the address and the call that net
// adds to it.
func systemError(err error) error {
	if call, ok := errors.AsType[*os.SyscallError](err); ok {
		return call.Err
	}
	return err
}

func newListener(l net.Listener, at config.Address) *listener {
	real := at
	if a, ok := l.Addr().(*net.TCPAddr); ok {
		real.Port = uint16(a.Port)
	}
	return &listener{Listener: l, real: real, ended: make(chan struct{})}
}

func (ls *listeners) start(l *listener) {
	ls.serving.Go(func() {
		defer close(l.ended)
		// Whatever serve returns once the listener or the proxy was
		// closed on purpose is of no interest.
		err := ls.serve(l.Listener, l.door.how)
		if l.dropped.Load() || err == nil || errors.Is(err, net.ErrClosed) || errors.Is(err, http.ErrServerClosed) {
			return
		}
		select {
		case ls.failed <- fmt.Errorf("accept on %s: %w", l.as.Address, err):
		default: // one failure is enough to stop
		}
	})
}

// wait returns when no listener is served any more, and nothing of theirs is
// left.
func (ls *listeners) wait() {
	ls.serving.Wait()
	for _, l := range ls.open {
		l.door.close()
	}
}

// addresses are where the listeners really listen.
func (ls *listeners) addresses() []netip.AddrPort {
	var at []netip.AddrPort
	for _, l := range ls.open {
		if a, ok := l.Addr().(*net.TCPAddr); ok {
			ap := a.AddrPort()
			at = append(at, netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()))
		}
	}
	return at
}
