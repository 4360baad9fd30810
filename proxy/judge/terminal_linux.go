package judge

import (
	"os"
	"syscall"
	"unsafe"
)

// TerminalWidth returns the columns of the terminal behind f, and 0 if
// there is none.
func TerminalWidth(f *os.File) int {
	var size struct{ rows, columns, x, y uint16 }
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), syscall.TIOCGWINSZ, uintptr(unsafe.Pointer(&size)))
	if errno != 0 {
		return 0
	}
	return int(size.columns)
}
