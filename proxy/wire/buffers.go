package wire

import (
	"sync"
	"sync/atomic"
)

const (
	smallBuffer = 4 << 10
	copyBuffer  = 64 << 10
	largeBuffer = 256 << 10
	maxLarge    = 32 // so many large ones are in use at most
)

var (
	smallBuffers = sync.Pool{New: func() any { b := make([]byte, 0, smallBuffer); return &b }}
	copyBuffers  = sync.Pool{New: func() any { b := make([]byte, copyBuffer); return &b }}
	largeBuffers = sync.Pool{New: func() any { b := make([]byte, largeBuffer); return &b }}
	largeInUse   atomic.Int32
)

// A lent is a buffer from one of the pools, for a copy. What comes faster than it
// is passed on takes a quarter less with large pieces than with those of
// copyBuffer. But many slow clients would each hold what waits for them, so most
// of them go without.
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

// take gets a buffer of one of the sizes, or of copyBuffer if all large ones are
// in use.
func (l *lent) take(size int) {
	l.pool = &copyBuffers
	switch size {
	case smallBuffer:
		l.pool = &smallBuffers
	case largeBuffer:
		if largeInUse.Add(1) <= maxLarge {
			l.pool = &largeBuffers
		} else {
			largeInUse.Add(-1)
		}
	}
	l.buf = l.pool.Get().(*[]byte)
}

func (l *lent) giveBack() {
	if l.pool == &largeBuffers {
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
	case l.pool == &smallBuffers && n == cap(*l.buf):
		size = copyBuffer
	default:
		return
	}
	l.giveBack()
	l.take(size)
}
