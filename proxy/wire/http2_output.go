package wire

import "sync"

// http2Outputs holds what frames wait in to be written, at either end.
var http2Outputs = sync.Pool{New: func() any { b := make([]byte, 0, maxOutput+4<<10); return &b }}

// unsent is what waits to be written, at either end.
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
