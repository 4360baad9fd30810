package tunnel

import (
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A lot is where streams wait for bytes without a goroutine, which would be most of the
// memory of an idle tunnel, and whose start and end cost as much as carrying a message.
// One goroutine waits for all of them at a descriptor of epoll(7), and carries what fits
// into its buffer itself. It is safe for concurrent use.
type lot struct {
	file *os.File
	fd   int // of file, which stays open while there are tunnels
	raw  syscall.RawConn

	mu    sync.Mutex
	slots []slot
	free  []uint32 // indexes of slots
}

// A slot holds a parked stream. turn counts the streams that were in it, since an event
// for one that has left may still be on its way.
type slot struct {
	stream *stream // nil if free
	turn   uint32
}

// A place is a stream's state in the lot.
type place struct {
	from, to int    // descriptors of src and dst
	slot     uint32 // where it is, while it is parked
	entered  bool   // from is known to epoll
	begun    int64  // what the stream had carried when it last was quiet
}

// openLot returns nil if the system has no room for it.
func openLot() *lot {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil
	}
	return newLot(fd)
}

// newLot returns nil if the runtime cannot wait for the descriptor, as where there are
// too many of such waits (epoll_ctl(2)): nobody would attend to the streams.
func newLot(fd int) *lot {
	unix.SetNonblock(fd, true) // which is how the runtime is told to wait for it
	l := &lot{file: os.NewFile(uintptr(fd), "epoll"), fd: fd}
	err := l.file.SetReadDeadline(time.Time{})
	if err == nil {
		l.raw, err = l.file.SyscallConn()
	}
	if err != nil {
		l.file.Close()
		return nil
	}
	go l.attend()
	return l
}

// close ends attend, and waits until it has left file.
func (l *lot) close() { l.file.Close() }

// attend carries the bytes of parked streams until the lot is closed.
func (l *lot) attend() {
	var events [64]unix.EpollEvent
	buffer := largeBuffers.Get().(*[largeBuffer]byte)
	defer largeBuffers.Put(buffer)
	l.raw.Read(func(fd uintptr) bool {
		for {
			n := pollOnce(fd, events[:])
			for _, e := range events[:n] {
				if s := l.find(uint32(e.Fd), uint32(e.Pad)); s != nil {
					s.ready(e.Events, buffer[:])
				}
			}
			if n < len(events) {
				return false // true would end the wait; new events call this again
			}
		}
	})
}

// pollOnce returns how many events there are, without waiting. Like readOnce it does not
// tell the scheduler.
func pollOnce(epoll uintptr, events []unix.EpollEvent) int {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, epoll, uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}

// find returns the stream in a slot, nil if it has left.
func (l *lot) find(at, turn uint32) *stream {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.slots[at]; s.turn == turn {
		return s.stream
	}
	return nil
}

// Events of a parked stream. A read that returns less than it may has emptied
// the socket (epoll(7)), unless it stopped at urgent data: after any event beside
// EPOLLIN, relay reads on. A paced stream leaves the lot at each event.
const (
	readable = unix.EPOLLIN | unix.EPOLLPRI | unix.EPOLLRDHUP
	atEdges  = unix.EPOLLET & 0xffffffff
)

// park puts s into the lot until it has bytes to read, or their end; its tunnel's lock is
// held. If there are some already, that is at once.
func (l *lot) park(s *stream) error {
	l.mu.Lock()
	if last := len(l.free) - 1; last >= 0 {
		s.place.slot, l.free = l.free[last], l.free[:last]
	} else {
		s.place.slot = uint32(len(l.slots))
		l.slots = append(l.slots, slot{})
	}
	at := &l.slots[s.place.slot]
	at.stream = s
	turn := at.turn
	l.mu.Unlock()
	e := unix.EpollEvent{Events: readable | unix.EPOLLONESHOT, Fd: int32(s.place.slot), Pad: int32(turn)}
	if s.pace == nil {
		e.Events = readable | atEdges
	}
	op := unix.EPOLL_CTL_ADD
	if s.place.entered {
		op = unix.EPOLL_CTL_MOD
	}
	if err := unix.EpollCtl(l.fd, op, s.place.from, &e); err != nil {
		l.leave(s)
		return err
	}
	s.place.entered = true
	return nil
}

// leave takes s out of the lot; its tunnel's lock is held.
func (l *lot) leave(s *stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := &l.slots[s.place.slot]
	at.stream = nil
	at.turn++
	l.free = append(l.free, s.place.slot)
}

// canPark notes the stream's descriptors, and reports whether both ends are TCP
// connections: only such streams can be parked.
func (s *stream) canPark() bool {
	from, ok1 := descriptor(s.src)
	to, ok2 := descriptor(s.dst)
	s.place.from, s.place.to = from, to
	return ok1 && ok2
}

// descriptor returns that of a TCP connection. It is good until the
// connection is closed.
func descriptor(conn net.Conn) (fd int, ok bool) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return 0, false
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return 0, false
	}
	err = raw.Control(func(at uintptr) { fd = int(at) })
	return fd, err == nil
}

// settle sends early bytes and parks the stream. It returns false for a stream that needs
// a goroutine, as its early bytes have to be paced, judged or waited with; the tunnel's
// lock is held.
func (s *stream) settle() bool {
	if len(s.early) > 0 {
		if s.pace != nil || s == &s.tunnel.up && s.opening != nil {
			return false
		}
		s.writing.Lock()
		n, err := writeOnce(s.place.to, s.early)
		s.wrote(err)
		s.carried += int64(n)
		s.early = s.early[n:]
		if len(s.early) > 0 {
			return false
		}
		s.early = nil
	}
	return s.tunnel.lot.park(s) == nil
}

// ready is called when a parked stream has bytes to read, or their end.
func (s *stream) ready(events uint32, buffer []byte) {
	t := s.tunnel
	t.mu.Lock()
	defer t.unlock()
	defer func() {
		if recover() != nil {
			t.tellPanic()
			t.cutLocked(errPanicked)
		}
	}()
	// A tunnel that was cut has closed its descriptors, and their numbers may
	// be others'.
	if s.state != stateParked {
		return
	}
	if s.pace != nil {
		s.promote()
		return
	}
	for s.relay(buffer) && events&^unix.EPOLLIN != 0 { // there may be more, or the end
	}
}

// relay carries what one read returns. It returns true if the stream is still
// parked, and may have more to read; the tunnel's lock is held.
func (s *stream) relay(buffer []byte) bool {
	n, err := readOnce(s.place.from, buffer)
	switch {
	case err == unix.EAGAIN:
		return false
	case err != nil:
		s.tunnel.cutLocked(err)
		return false
	case n == 0:
		s.relayEnd()
		return false
	}
	b := buffer[:n]
	if s.opening != nil {
		if b, err = s.admitLocked(b); err != nil {
			s.tunnel.cutLocked(err)
			return false
		}
	}
	s.writing.Lock()
	written, err := writeOnce(s.place.to, b)
	s.wrote(err)
	s.carried += int64(written)
	if s.tunnel.touch() > parkAfter {
		s.place.begun = s.carried - int64(written)
	}
	switch {
	case err != nil && err != unix.EAGAIN:
		s.tunnel.noteLocked(err)
		s.tunnel.over(s)
		return false
	case written < len(b):
		s.early = slices.Clone(b[written:])
		fallthrough
	case n == len(buffer), s.carried-s.place.begun >= bulkAfter:
		s.promote()
		return false
	}
	return true
}

// relayEnd ends a parked stream whose source is done.
func (s *stream) relayEnd() {
	t := s.tunnel
	if s.wasBroken() {
		t.cutLocked(unix.ECONNRESET)
		return
	}
	if s.unheard() {
		t.cutLocked(errUnheard)
		return
	}
	if t.left > 1 { // else the tunnel ends, and closes it
		shutOnce(s.place.to) // fails if it is broken, which the other direction finds out
	}
	t.over(s)
}

// promote gives a parked stream a goroutine.
func (s *stream) promote() {
	t := s.tunnel
	if s.pace == nil { // else epoll is done with it
		unix.EpollCtl(t.lot.fd, unix.EPOLL_CTL_DEL, s.place.from, nil)
		s.place.entered = false
	}
	t.lot.leave(s)
	s.start()
	t.watch()
}
