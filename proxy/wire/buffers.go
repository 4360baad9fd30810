package wire

import (
	"sync"
	"sync/atomic"
)

const (
	smallBuffer = 4 << 10
	pieceBuffer = 16 << 10
	copyBuffer  = 64 << 10
	largeBuffer = 256 << 10
	maxCopies   = 128 // most buffers of copyBuffer in use at a time
	maxLarge    = 32  // most of largeBuffer
)

var (
	smallBuffers = sync.Pool{New: func() any { b := make([]byte, 0, smallBuffer); return &b }}
	pieceBuffers = sync.Pool{New: func() any { b := make([]byte, pieceBuffer); return &b }}
	copyBuffers  = sync.Pool{New: func() any { b := make([]byte, copyBuffer); return &b }}
	largeBuffers = sync.Pool{New: func() any { b := make([]byte, largeBuffer); return &b }}
	copiesInUse  atomic.Int32
	largeInUse   atomic.Int32
)

// A lent is a buffer from one of the pools, for a copy. A copy whose source is faster
// than its destination costs a quarter less with large buffers than with those of
// copyBuffer. But many slow clients would each hold one, so the numbers of both are
// bounded; further copies get pieceBuffer, as large as a frame of HTTP/2.
type lent struct {
	buf  *[]byte
	pool *sync.Pool
}

// takeFor gets a buffer to begin the copy of a body of length bytes. If that is -1, for an
// unknown length, it is a small one: the body may be small, and come slowly.
func (l *lent) takeFor(length int64) {
	if length > smallBuffer {
		l.take(copyBuffer)
	} else {
		l.take(smallBuffer)
	}
}

// take gets a buffer of one of the sizes, or of the next smaller size if as many of that are
// in use as may be.
func (l *lent) take(size int) {
	switch {
	case size == smallBuffer:
		l.pool = &smallBuffers
	case size == largeBuffer && oneOf(&largeInUse, maxLarge):
		l.pool = &largeBuffers
	case size >= copyBuffer && oneOf(&copiesInUse, maxCopies):
		l.pool = &copyBuffers
	default:
		l.pool = &pieceBuffers
	}
	l.buf = l.pool.Get().(*[]byte)
}

// oneOf counts one more in use, unless there are as many as there may be.
func oneOf(inUse *atomic.Int32, most int32) bool {
	if inUse.Add(1) <= most {
		return true
	}
	inUse.Add(-1)
	return false
}

func (l *lent) giveBack() {
	switch l.pool {
	case &copyBuffers:
		copiesInUse.Add(-1)
	case &largeBuffers:
		largeInUse.Add(-1)
	}
	l.pool.Put(l.buf)
}

// fit exchanges the buffer for a larger one if the last read, of n bytes, filled it, and a
// large one for a smaller if the read left most of it empty.
func (l *lent) fit(n int) {
	size := 0
	switch {
	case l.pool == &largeBuffers && n < copyBuffer:
		size = copyBuffer
	case l.pool == &copyBuffers && n == copyBuffer:
		size = largeBuffer
	case (l.pool == &smallBuffers || l.pool == &pieceBuffers) && n == cap(*l.buf):
		size = copyBuffer
	default:
		return
	}
	l.giveBack()
	l.take(size)
}
