package wire

import "sync"

// An http2Input holds what came on a stream and was not read yet, in pieces of one size:
// a single buffer would be copied, and cleared, each time that it grows. An empty one
// holds no memory.
type http2Input struct {
	first, last *inputPiece
	at          int // of the first piece, read so far
	end         int // of the last piece, filled so far
	size        int // of what is not read
}

// An inputPiece is 16 KiB with its link.
type inputPiece struct {
	next *inputPiece
	b    [16<<10 - 8]byte
}

var inputPieces = sync.Pool{New: func() any { return new(inputPiece) }}

// left is how many bytes there are.
func (in *http2Input) left() int { return in.size }

// windowGrowth returns by how much a stream's window of allowed bytes grows: it doubles, up
// to most, and by no more than room, which is left for all streams. If half of the window or
// more is unread, it does not grow: more would only wait here for a slow reader.
func (in *http2Input) windowGrowth(allowed, most, room int) int {
	if in.left() >= allowed/2 {
		return 0
	}
	return max(0, min(allowed, most-allowed, room))
}

// add takes bytes in.
func (in *http2Input) add(b []byte) {
	in.size += len(b)
	for len(b) > 0 {
		if in.last == nil || in.end == len(in.last.b) {
			in.append(inputPieces.Get().(*inputPiece))
		}
		n := copy(in.last.b[in.end:], b)
		in.end += n
		b = b[n:]
	}
}

func (in *http2Input) append(p *inputPiece) {
	if in.last == nil {
		in.first = p
	} else {
		in.last.next = p
	}
	in.last, in.end = p, 0
}

// read takes bytes out.
func (in *http2Input) read(p []byte) (n int) {
	for n < len(p) && in.size > 0 {
		filled := len(in.first.b)
		if in.first == in.last {
			filled = in.end
		}
		took := copy(p[n:], in.first.b[in.at:filled])
		n += took
		in.size -= took
		if in.at += took; in.at == filled {
			in.drop()
		}
	}
	return n
}

// drop gives the first piece back.
func (in *http2Input) drop() {
	p := in.first
	in.first, in.at = p.next, 0
	if in.first == nil {
		in.last = nil
	}
	p.next = nil
	inputPieces.Put(p)
}

// free gives up what is left.
func (in *http2Input) free() {
	for in.first != nil {
		in.drop()
	}
	in.size = 0
}
