package pipe

import (
	"errors"
	"io"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Pipe is a buffer inside the kernel. It is for one goroutine at a time.
type Pipe struct {
	read, write int
	filled      int
}

// Len returns how many bytes are in the pipe.
func (p *Pipe) Len() int { return p.filled }

// Fill takes what a socket has, at most so many bytes, into the pipe, which has to be
// empty. It returns [unix.EAGAIN] if the socket has nothing, [io.EOF] at its end, and
// [errors.ErrUnsupported] if what comes next has to be read.
func (p *Pipe) Fill(socket uintptr, most int) (n int, err error) {
	n, err = splice(int(socket), p.write, most)
	switch {
	case n == 0 && (err == nil || err == unix.EAGAIN) && atMark(socket),
		err == unix.ENOSYS, err == unix.EPERM: // as sandboxes say
		err = errors.ErrUnsupported
	case n == 0 && err == nil:
		err = io.EOF
	}
	p.filled = n
	return n, err
}

// atMark reports whether urgent data is next. A read passes over it, but splice(2) stops
// there and says that nothing has come, or even that nothing will.
func atMark(socket uintptr) bool {
	var at int32
	_, _, errno := unix.RawSyscall(unix.SYS_IOCTL, socket, unix.SIOCATMARK, uintptr(unsafe.Pointer(&at)))
	return errno == 0 && at != 0
}

// Queued returns how many bytes were written to a socket that the other side has not
// acknowledged, or -1 if that is not known.
func Queued(socket uintptr) int64 {
	var n int32
	_, _, errno := unix.RawSyscall(unix.SYS_IOCTL, socket, unix.SIOCOUTQ, uintptr(unsafe.Pointer(&n)))
	if errno != 0 {
		return -1
	}
	return int64(n)
}

// Drain gives a socket what is in the pipe. It returns [unix.EAGAIN] if the socket has
// no room for all of that yet.
func (p *Pipe) Drain(socket uintptr) (n int, err error) {
	for p.filled > 0 {
		m, err := splice(p.read, int(socket), p.filled)
		if err != nil {
			return n, err
		}
		n += m
		p.filled -= m
	}
	return n, nil
}

// splice does not tell the scheduler: a call that never waits gives it nothing to do, and
// waking its watcher with each costs a busy proxy a tenth of its time.
func splice(from, to, most int) (int, error) {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_SPLICE, uintptr(from), 0, uintptr(to), 0, uintptr(most), unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
			continue
		}
		return 0, errno
	}
}

func (p *Pipe) close() {
	unix.Close(p.read)
	unix.Close(p.write)
}

// A pool keeps a few empty pipes while somebody expects to need them. It is a global
// because descriptors are the process's, and safe for concurrent use.
type pool struct {
	mu    sync.Mutex
	keep  int // calls of Keep less those of Forget
	inUse int
	spare []*Pipe
}

const (
	// maxSpare covers what flows at the same instant; more would only hold descriptors.
	maxSpare = 16
	// maxInUse bounds what wait for those who read slowly: what is in a pipe stays there
	// until they take it. Who gets none uses memory. It is as many as the system lets a
	// user have by default (pipe(7), pipe-user-pages-soft).
	maxInUse = 64 << 20 / Size
	// perPipe is for how many descriptors of the process's limit there is a pipe, which
	// takes two: without pipes all works, and without connections nothing does.
	perPipe = 16
)

var pipes pool

// Get returns an empty pipe, to be given back by [Pipe.Release], or nil if there is none to
// be had.
func Get() *Pipe {
	pipes.mu.Lock()
	defer pipes.mu.Unlock()
	var p *Pipe
	if last := len(pipes.spare) - 1; last >= 0 {
		p, pipes.spare = pipes.spare[last], pipes.spare[:last]
	} else if pipes.inUse >= most() {
		return nil
	} else if p = open(); p == nil {
		return nil
	}
	pipes.inUse++
	return p
}

// most returns how many pipes there may be.
func most() int {
	var descriptors unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &descriptors) != nil {
		return 0
	}
	return int(min(maxInUse, descriptors.Cur/perPipe))
}

func open() *Pipe {
	var fds [2]int
	if unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK) != nil {
		return nil
	}
	p := &Pipe{read: fds[0], write: fds[1]}
	if _, err := unix.FcntlInt(uintptr(p.write), unix.F_SETPIPE_SZ, Size); err != nil {
		// The user's share of pipe memory is used up (pipe(7)), and what
		// comes now holds two pages: going through memory is faster.
		p.close()
		return nil
	}
	return p
}

// Release gives the pipe back. One with bytes in it would hand them to somebody else, so
// it is closed.
func (p *Pipe) Release() {
	pipes.mu.Lock()
	pipes.inUse--
	kept := p.filled == 0 && pipes.keep > 0 && len(pipes.spare) < maxSpare
	if kept {
		pipes.spare = append(pipes.spare, p)
	}
	pipes.mu.Unlock()
	if !kept {
		p.close()
	}
}

// Keep has empty pipes be kept for whoever wants one next, until [Forget] was called as often.
func Keep() {
	pipes.mu.Lock()
	defer pipes.mu.Unlock()
	pipes.keep++
}

// Forget ends what [Keep] began.
func Forget() {
	pipes.mu.Lock()
	defer pipes.mu.Unlock()
	if pipes.keep--; pipes.keep > 0 {
		return
	}
	for _, p := range pipes.spare {
		p.close()
	}
	pipes.spare = nil
}
