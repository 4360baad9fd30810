//go:build !race && !msan && !asan

package wire

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// canCall tells that the calls below can be made.
const canCall = true

// readNow is read(2).
func readNow(fd uintptr, p []byte) (int, error) {
	n, _, err := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	return result(n, err)
}

// writeNow is write(2) of one piece, and writev(2) of up to four.
func writeNow(fd uintptr, pieces [][]byte) (int, error) {
	if p := pieces[0]; len(pieces) == 1 {
		n, _, err := syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
		return result(n, err)
	}
	var vec [4]unix.Iovec
	count := min(len(pieces), len(vec))
	for i, p := range pieces[:count] {
		vec[i].Base = unsafe.SliceData(p)
		vec[i].SetLen(len(p))
	}
	n, _, err := syscall.RawSyscall(syscall.SYS_WRITEV, fd, uintptr(unsafe.Pointer(&vec)), uintptr(count))
	return result(n, err)
}

// asleep tells whether fd, a socket, is open and has nothing to read. A recv(2) that
// peeks costs less than poll(2).
func asleep(fd uintptr) bool {
	var b [1]byte
	for {
		_, _, err := syscall.RawSyscall6(unix.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&b)), 1, unix.MSG_PEEK|unix.MSG_DONTWAIT, 0, 0)
		if err != syscall.EINTR {
			return err == syscall.EAGAIN
		}
	}
}

func result(n uintptr, err syscall.Errno) (int, error) {
	if err != 0 {
		return 0, err
	}
	return int(n), nil
}
