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
	maxCopies   = 128 // so many of copyBuffer are in use at most
	maxLarge    = 32  // and so many large ones
)

var (
	smallBuffers = sync.Pool{New: func() any { b := make([]byte, 0, smallBuffer); return &b }}
	pieceBuffers = sync.Pool{New: func() any { b := make([]byte, pieceBuffer); return &b }}
	copyBuffers  = sync.Pool{New: func() any { b := make([]byte, copyBuffer); return &b }}
	largeBuffers = sync.Pool{New: func() any { b := make([]byte, largeBuffer); return &b }}
	copiesInUse  atomic.Int32
	largeInUse   atomic.Int32
)

// A lent is a buffer from one of the pools, for a copy. What comes faster than it
// is passed on takes a quarter less with large pieces than with those of
// copyBuffer. But many slow clients would each hold what waits for them, so most
// of them go without, and where there are very many, they get by with pieces of
// which HTTP/2 makes a frame each.
type lent struct {
	buf  *[]byte
	pool *sync.Pool
}

// takeFor gets a buffer to begin the copy of a body with, which has length bytes, or
// nobody knows how many if that is -1: then it may be little, and come slowly.
func (l *lent) takeFor(length int64) {
	if length > smallBuffer {
		l.take(copyBuffer)
	} else {
		l.take(smallBuffer)
	}
}

// take gets a buffer of one of the sizes, or of the next smaller one of those that have not
// too many in use.
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

// fit takes another buffer if n bytes, which the last read had, show that there is
// more than this one takes, or not enough for a large one.
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
