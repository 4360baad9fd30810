package tunnel

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"guise/proxy/pipe"
)

// A splicer moves a stream's bytes from socket to pipe to socket inside the
// kernel. io.Copy does so too, but holds its pipe while it waits for bytes;
// a splicer borrows one for as long as bytes flow. Single messages, such as
// those of a TLS handshake, cost less through memory, until they add up to a
// bulk transfer.
type splicer struct {
	stream *stream
	begun  int64 // what the stream had carried before
	bulk   bool
	memory *[largeBuffer]byte // holds what was read; nil if nothing is or the pipe does
	pipe   *pipe.Pipe         // nil while idle
	filled int                // bytes that the last fill took into memory or pipe
	errno  error              // of the last fill or drain
	eof    bool
	read   bool // fall back to Read: there is no pipe, or it cannot take these bytes
}

// bulkAfter is how many bytes a stream carries through memory before it counts
// as a bulk transfer, unless it fills the buffer at once. When it has been
// quiet for long enough to be parked, it starts over.
const bulkAfter = 64 << 10

// splice carries the stream if both ends are TCP. It returns done false, and
// has carried nothing, if they are not.
func (s *stream) splice() (done bool, err error) {
	src, ok1 := s.src.(*net.TCPConn)
	dst, ok2 := s.dst.(*net.TCPConn)
	if !ok1 || !ok2 {
		return false, nil
	}
	from, err := src.SyscallConn()
	if err != nil {
		return true, err
	}
	to, err := dst.SyscallConn()
	if err != nil {
		return true, errWrite{err}
	}
	p := &splicer{stream: s, begun: s.carried}
	defer p.release()
	return true, p.run(from, to)
}

func (p *splicer) run(from, to syscall.RawConn) error {
	fill, drain := p.fill, p.drain // bound once: a method value per call is garbage
	for {
		err := from.Read(fill)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			err = p.stream.park()
		case err != nil:
		case p.errno != nil:
			err = p.errno
		case p.eof:
			return nil
		case p.read:
			if err = p.passRead(); err == io.EOF {
				return nil
			}
		default:
			err = p.passFilled(to, drain)
		}
		if err != nil {
			return err
		}
	}
}

// passRead carries what one read returns.
func (p *splicer) passRead() error {
	n, err := p.stream.pass(true)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil // the next round parks
	case err != nil:
		return err
	}
	return p.stream.wait(n)
}

// passFilled carries what is in memory or pipe.
func (p *splicer) passFilled(to syscall.RawConn, drain func(uintptr) bool) error {
	p.stream.tunnel.touch()
	n := p.filled
	if p.memory != nil {
		if err := p.passMemory(); err != nil {
			return err
		}
		return p.stream.wait(n)
	}
	p.stream.writing.Lock()
	err := to.Write(drain)
	if err == nil {
		err = p.errno
	}
	p.stream.wrote(err)
	if err != nil {
		return errWrite{err}
	}
	if p.stream.pace == nil {
		return nil
	}
	p.release()
	return p.stream.wait(n)
}

// fill takes what the socket has into the pipe. It returns false, holding no
// pipe, if there is nothing.
func (p *splicer) fill(socket uintptr) bool {
	p.errno, p.eof, p.read = nil, false, false
	if !p.bulk {
		return p.fillMemory(socket)
	}
	if p.pipe == nil {
		if p.pipe = pipe.Get(); p.pipe == nil {
			p.read = true
			return true
		}
	}
	most := pipe.Size
	if p.stream.pace != nil {
		most = maxPaced
	}
	n, err := p.pipe.Fill(socket, most)
	switch err {
	case nil:
	case unix.EAGAIN:
		p.release()
		return false
	case errors.ErrUnsupported:
		p.release()
		p.read = true
	case io.EOF:
		p.eof = true
	default:
		p.errno = err
	}
	p.filled = n
	return true
}

// fillMemory is fill for what goes through memory.
func (p *splicer) fillMemory(socket uintptr) bool {
	memory := largeBuffers.Get().(*[largeBuffer]byte)
	n, err := readOnce(int(socket), memory[:])
	switch {
	case err == nil && n > 0:
		p.memory, p.filled = memory, n
		p.bulk = p.stream.opening == nil && (n == len(memory) || p.stream.carried-p.begun+int64(n) >= bulkAfter)
		return true
	case err == nil:
		p.eof = true
	case err != unix.EAGAIN:
		p.errno = err
	}
	largeBuffers.Put(memory)
	return err != unix.EAGAIN
}

// passMemory writes what is in memory.
func (p *splicer) passMemory() error {
	err := p.stream.deliver(p.memory[:p.filled])
	largeBuffers.Put(p.memory)
	p.memory, p.filled = nil, 0
	return err
}

// drain gives the socket what is in the pipe. It returns false if the socket
// has no room for all of it yet.
func (p *splicer) drain(socket uintptr) bool {
	open := !ready(socket, unix.POLLRDHUP)
	n, err := p.pipe.Drain(socket)
	if n > 0 {
		p.stream.carried += int64(n)
		p.stream.tunnel.touch()
	}
	switch {
	case err == unix.EAGAIN:
		return false
	case err == unix.EPIPE && open:
		// The splice before met the reset, but reported what it had moved until
		// then.
		err = unix.ECONNRESET
	}
	p.errno = err
	return true
}

// wasBroken reports whether what looks like the end of the source is a reset, which a
// write of the other direction has met. While such a write is under way, it can only have
// met one if the system holds the connection for closed.
func (s *stream) wasBroken() bool {
	src, ok := innermost(s.src).(*net.TCPConn)
	if !ok {
		return false
	}
	other := &s.tunnel.up
	if s == other {
		other = &s.tunnel.down
	}
	if !other.writing.TryLock() {
		if !closed(src) {
			return false
		}
		other.writing.Lock()
	}
	defer other.writing.Unlock()
	return other.broken
}

// closed reports whether conn is closed in both directions, as the system has it.
func closed(conn *net.TCPConn) (closed bool) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return false
	}
	raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		closed = err == nil && info.State == unix.BPF_TCP_CLOSE
	})
	return closed
}

// release gives the pipe back.
func (p *splicer) release() {
	if p.pipe != nil {
		p.pipe.Release()
		p.pipe = nil
	}
}

// awaitTCP waits until there is something to read, an end or an error.
func awaitTCP(conn *net.TCPConn) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	raw.Read(func(fd uintptr) bool { return ready(fd, unix.POLLIN|unix.POLLRDHUP) })
}

// ready reports whether poll(2) finds one of the events, an error or a broken socket.
func ready(socket uintptr, events int16) bool {
	poll := unix.PollFd{Fd: int32(socket), Events: events}
	var now unix.Timespec
	n, _, errno := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&poll)), 1, uintptr(unsafe.Pointer(&now)), 0, 0, 0)
	return n != 0 || errno != 0
}

// readOnce, writeOnce, shutOnce and ready do not tell the scheduler: what never
// blocks gives it nothing to do, and waking its watcher after each pause costs a
// busy proxy a tenth of its time.
func readOnce(from int, b []byte) (int, error) { return transfer(unix.SYS_READ, from, b) }
func writeOnce(to int, b []byte) (int, error)  { return transfer(unix.SYS_WRITE, to, b) }

func transfer(call uintptr, socket int, b []byte) (int, error) {
	for {
		n, _, errno := unix.RawSyscall(call, uintptr(socket), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
			continue
		}
		return 0, errno
	}
}

// shutOnce ends the sending half of a connection.
func shutOnce(to int) { unix.RawSyscall(unix.SYS_SHUTDOWN, uintptr(to), unix.SHUT_WR, 0) }

// lots holds the lot while there are tunnels. It is a global because descriptors are the
// process's, and safe for concurrent use.
var lots struct {
	mu   sync.Mutex
	open int // tunnels
	lot  *lot
}

// tunnelOpens counts a tunnel, and returns the lot for its streams, nil if the system has
// no room for one.
func tunnelOpens() *lot {
	pipe.Keep()
	lots.mu.Lock()
	defer lots.mu.Unlock()
	lots.open++
	if lots.lot == nil {
		lots.lot = openLot()
	}
	return lots.lot
}

// tunnelEnds counts a tunnel less. After the last it returns the lot, for the caller to
// close.
func tunnelEnds() *lot {
	pipe.Forget()
	lots.mu.Lock()
	defer lots.mu.Unlock()
	if lots.open--; lots.open > 0 {
		return nil
	}
	last := lots.lot
	lots.lot = nil
	return last
}
