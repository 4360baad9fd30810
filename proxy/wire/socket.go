package wire

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// A socket reads and writes a TCP or Unix connection by system calls of its
// own. They are the same that package net makes, and waiting and deadlines are
// still net's. But net tells the scheduler of each call, in case it takes
// long, and with that wakes the runtime's monitor whenever the program was
// idle before: on a quiet proxy three changes of threads for each request. A
// call on a descriptor that never waits needs no such care.
//
// One goroutine may read while another writes.
type socket struct {
	raw syscall.RawConn

	room    []byte // what to read into
	got     int
	readErr error
	read    func(fd uintptr) bool // kept, or each use would allocate
	look    func(fd uintptr)

	pieces   [][]byte // what to write
	one      [1][]byte
	put      int64  // bytes written
	moved    func() // unless nil, called whenever the rest must wait after maxWrite further bytes were written
	told     int64  // put, when moved was called last
	writeErr error
	write    func(fd uintptr) bool // kept

	kept    bool // the connection was idle, and the other side may have closed it
	asked   bool
	askErr  error
	askOnce func(fd uintptr) bool // kept
}

// newSocket returns nil if reads from nc's descriptor may not be reads from
// nc, as of a wrapper, or if such calls cannot be made here.
func newSocket(nc net.Conn) *socket {
	var sc syscall.Conn
	switch nc := nc.(type) {
	case *net.TCPConn:
		sc = nc
	case *net.UnixConn:
		sc = nc
	}
	if sc == nil || !canCall {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	s := &socket{raw: raw}
	s.read, s.write, s.askOnce = s.tryRead, s.tryWrite, s.tryAsk
	s.look = func(fd uintptr) { s.tryRead(fd) }
	return s
}

// Direct returns a reader and writer of nc, a TCP or Unix connection, that makes system
// calls without telling the scheduler, and nc itself if it is anything else. It is for
// connections below TLS.
func Direct(nc net.Conn) io.ReadWriter {
	rw, _ := quickest(nc)
	return rw
}

// quickest returns nc's socket for reading and writing, or nc if it has none.
func quickest(nc net.Conn) (io.ReadWriter, *socket) {
	if s := newSocket(nc); s != nil {
		return s, s
	}
	return nc, nil
}

// Read implements [io.Reader].
func (s *socket) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	s.room = p
	err := s.raw.Read(s.read)
	s.room = nil
	if err != nil {
		return 0, err
	}
	return s.got, s.readErr
}

// atHand reads what is there already, and does not wait. It reports no error; the next
// Read will. A nil socket has nothing at hand.
func (s *socket) atHand(p []byte) int {
	if s == nil || len(p) == 0 {
		return 0
	}
	s.room, s.got = p, 0
	err := s.raw.Control(s.look)
	s.room = nil
	if err != nil {
		return 0
	}
	return s.got
}

func (s *socket) tryRead(fd uintptr) (done bool) {
	s.got, s.readErr = readDescriptor(fd, s.room)
	return s.readErr != errWouldBlock
}

// Write implements [io.Writer].
func (s *socket) Write(p []byte) (int, error) {
	s.one[0] = p
	n, err := s.writePieces(s.one[:])
	s.one[0] = nil
	return int(n), err
}

// writePieces writes all of the pieces, which it may change, and returns how
// many bytes went out.
func (s *socket) writePieces(pieces [][]byte) (int64, error) {
	s.pieces, s.put, s.told, s.writeErr = pieces, 0, 0, nil
	err := s.raw.Write(s.write)
	s.pieces = nil
	if err == nil {
		err = s.writeErr
	}
	return s.put, err
}

func (s *socket) tryWrite(fd uintptr) (done bool) {
	for {
		for len(s.pieces) > 0 && len(s.pieces[0]) == 0 {
			s.pieces = s.pieces[1:]
		}
		if len(s.pieces) == 0 {
			return true
		}
		n, err := writeNow(fd, s.pieces)
		switch err {
		case nil:
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			if s.moved != nil && s.put-s.told >= maxWrite {
				s.told = s.put
				s.moved()
			}
			return false
		default:
			s.writeErr = os.NewSyscallError("write", err)
			return true
		}
		s.put += int64(n)
		for i := 0; n > 0; i++ {
			k := min(n, len(s.pieces[i]))
			s.pieces[i] = s.pieces[i][k:]
			n -= k
		}
	}
}

// errStale says that the other side said something, or closed the connection,
// while nothing was asked.
var errStale = errors.New("wire: connection is stale")

// ask writes p, as much of it as the system takes at once, and then waits for
// something to read. It does both within one wait of the runtime's for input, which
// saves a read that finds nothing yet. If the connection was kept and something came
// on it meanwhile, the error is errStale and p is not written. Nobody else may read or
// write at the same time.
func (s *socket) ask(p []byte, kept bool) (n int, err error) {
	s.one[0] = p
	s.pieces, s.put, s.writeErr = s.one[:], 0, nil
	s.kept, s.asked, s.askErr = kept, false, nil
	err = s.raw.Read(s.askOnce)
	s.pieces, s.one[0] = nil, nil
	switch {
	case s.askErr != nil:
		err = s.askErr
	case s.writeErr != nil:
		err = s.writeErr
	}
	return int(s.put), err
}

func (s *socket) tryAsk(fd uintptr) (done bool) {
	if s.asked {
		return true
	}
	s.asked = true
	quiet := asleep(fd) // if not, do not wait: the runtime may have seen that input before
	if !quiet && s.kept {
		s.askErr = errStale
		return true
	}
	return !s.tryWrite(fd) || s.writeErr != nil || !quiet
}

var errWouldBlock = errors.New("would block")

// readDescriptor reads what is there, or returns errWouldBlock.
func readDescriptor(fd uintptr, p []byte) (int, error) {
	for {
		n, err := readNow(fd, p)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			return 0, errWouldBlock
		case err != nil:
			return 0, os.NewSyscallError("read", err)
		case n == 0:
			return 0, io.EOF
		}
		return n, nil
	}
}
