package wire

import "sync"

// An http2Input holds what came on a stream and was not read yet. One that
// waits for bytes holds no memory.
type http2Input struct {
	b  []byte
	at int // of b, read so far
}

// http2Inputs holds what an http2Input begins with, and loses when it grows.
var http2Inputs = sync.Pool{New: func() any { b := make([]byte, 0, inputBuffer); return &b }}

const inputBuffer = 16 << 10

// left is how many bytes there are.
func (in *http2Input) left() int { return len(in.b) - in.at }

// add takes bytes in.
func (in *http2Input) add(b []byte) {
	if in.b == nil {
		in.b = *http2Inputs.Get().(*[]byte)
	}
	if in.at > 0 && len(in.b)+len(b) > cap(in.b) {
		in.b = in.b[:copy(in.b, in.b[in.at:])]
		in.at = 0
	}
	in.b = append(in.b, b...)
}

// read takes bytes out.
func (in *http2Input) read(p []byte) int {
	n := copy(p, in.b[in.at:])
	if in.at += n; in.left() == 0 {
		in.free()
	}
	return n
}

// free gives up what is left.
func (in *http2Input) free() {
	if b := in.b[:0]; cap(b) == inputBuffer {
		http2Inputs.Put(&b)
	}
	in.b, in.at = nil, 0
}
