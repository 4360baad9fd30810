// Package pipe moves bytes from one socket to another inside the kernel: splice(2) takes
// them into a pipe, and out of it again. Where there is no splice(2), there are no pipes.
package pipe

import (
	"errors"
	"syscall"
)

// Size is how many bytes a [Pipe] holds, eight times what one does by default: with less,
// the two sockets spend their time waiting for each other. Half of it costs a seventh more
// time per byte; with twice as much, which gains a tenth, what comes meanwhile would wait
// for long.
const Size = 512 << 10

// Broke reports whether err, of a write to a socket, says what broke the connection: a
// reset, or that it was given up or taken down. The system tells of that once, and a read
// finds an end from then on. EPIPE is of what was told, or of one's own end.
func Broke(err error) bool {
	number, ok := errors.AsType[syscall.Errno](err)
	return ok && number != syscall.EPIPE && number != syscall.EAGAIN
}
