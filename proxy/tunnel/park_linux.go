package tunnel

import (
	"net"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// A lot is where streams wait for bytes without a goroutine, whose stack and
// kin are most of what an idle tunnel would take. One goroutine waits for all
// of them at a descriptor of epoll(7), and gives those with bytes one of their
// own. It is safe for concurrent use.
type lot struct {
	file *os.File
	raw  syscall.RawConn

	mu     sync.Mutex
	next   uint64
	parked map[uint64]*stream
}

// A place is what a lot knows of a stream.
type place struct {
	ticket  uint64 // 0 for none
	entered bool   // the descriptor is known to epoll
}

// openLot returns nil if there is no descriptor for it.
func openLot() *lot {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil
	}
	unix.SetNonblock(fd, true) // which is how the runtime is told to wait for it
	l := &lot{file: os.NewFile(uintptr(fd), "epoll"), parked: make(map[uint64]*stream)}
	if l.raw, err = l.file.SyscallConn(); err != nil {
		l.file.Close()
		return nil
	}
	go l.attend()
	return l
}

// attend wakes streams until the lot is closed.
func (l *lot) attend() {
	var events [64]unix.EpollEvent
	for {
		n := 0
		if l.raw.Read(func(fd uintptr) bool {
			n, _ = unix.EpollWait(int(fd), events[:], 0)
			return n > 0
		}) != nil {
			return
		}
		for _, e := range events[:n] {
			l.mu.Lock()
			ticket := uint64(uint32(e.Fd)) | uint64(uint32(e.Pad))<<32
			s := l.parked[ticket]
			delete(l.parked, ticket)
			l.mu.Unlock()
			if s != nil { // else it was taken meanwhile
				s.wake()
			}
		}
	}
}

// park wakes s once it has bytes to read, or their end; its tunnel's lock is
// held. Sockets report once: an event finds the stream parked or taken.
func (l *lot) park(s *stream) error {
	src, err := s.src.(*net.TCPConn).SyscallConn()
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.next++
	s.place.ticket = l.next
	l.parked[s.place.ticket] = s
	l.mu.Unlock()
	var failed error
	err = src.Control(func(fd uintptr) {
		e := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLONESHOT}
		e.Fd, e.Pad = int32(uint32(s.place.ticket)), int32(uint32(s.place.ticket>>32))
		op := unix.EPOLL_CTL_ADD
		if s.place.entered {
			op = unix.EPOLL_CTL_MOD
		}
		var into int
		l.raw.Control(func(fd uintptr) { into = int(fd) })
		failed = unix.EpollCtl(into, op, int(fd), &e)
		s.place.entered = s.place.entered || failed == nil
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		l.take(s)
	}
	return err
}

// take takes s out, and reports whether it was still there.
func (l *lot) take(s *stream) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.parked[s.place.ticket] != s {
		return false
	}
	delete(l.parked, s.place.ticket)
	return true
}

// canPark reports whether a lot takes the stream: it is between two TCP
// connections.
func (s *stream) canPark() bool {
	_, from := s.src.(*net.TCPConn)
	_, to := s.dst.(*net.TCPConn)
	return from && to
}
