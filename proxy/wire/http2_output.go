package wire

import "sync"

// http2Outputs pools the buffers of unsent frames.
var http2Outputs = sync.Pool{New: func() any { b := make([]byte, 0, maxOutput+4<<10); return &b }}

// unsent holds the frames that wait to be written, of a server's or a client's connection.
type unsent struct {
	out     []byte // frames; see output
	writing bool   // a goroutine writes them
}

// output returns out, to which frames are appended.
func (u *unsent) output() []byte {
	if u.out == nil {
		u.out = *http2Outputs.Get().(*[]byte)
	}
	return u.out
}

// putOutput gives back a buffer whose frames are written, unless it grew large.
func putOutput(b []byte) {
	if cap(b) <= 2*maxOutput {
		b = b[:0]
		http2Outputs.Put(&b)
	}
}
