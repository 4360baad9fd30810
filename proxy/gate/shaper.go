package gate

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// A shaper lets so many bytes per second pass, and shares them fairly among
// flows that want more than there is: by start-time fair queueing (Goyal, Vin
// and Cheng, 1996), which serves the flow that has had the least, whatever the
// size of its pieces. A flow that wants little does not wait for those that
// want all. It is safe for concurrent use.
type shaper struct {
	mu      sync.Mutex
	rate    float64 // bytes per second
	tokens  float64 // bytes that may pass now; below zero after a piece that was larger
	at      time.Time
	virtual float64 // start tag of the piece served last
	queue   pieces
	timer   *time.Timer
}

// A flow is one of those that share a shaper, whose lock guards it.
type flow struct{ finish float64 } // virtual time at which its last piece is served

// A piece is some bytes of a flow that wait.
type piece struct {
	start float64
	n     int
	ready chan struct{}
	index int // in the queue; -1 once served
}

// shortBurst is how long a shaper that was idle lets bytes pass unshaped.
const (
	shortBurst = 100 * time.Millisecond
	leastBurst = 16 << 10
)

// take waits until n more bytes may pass at rate bytes per second; 0 lets all
// pass. It returns ctx's cause if that ends first.
func (s *shaper) take(ctx context.Context, f *flow, n int, rate int64) error {
	if rate <= 0 || n <= 0 {
		return nil
	}
	s.mu.Lock()
	s.rate = float64(rate)
	s.refill()
	start := max(s.virtual, f.finish)
	f.finish = start + float64(n)
	if len(s.queue) == 0 && s.tokens > 0 {
		s.tokens -= float64(n)
		s.virtual = start
		s.mu.Unlock()
		return nil
	}
	p := &piece{start: start, n: n, ready: make(chan struct{})}
	heap.Push(&s.queue, p)
	if len(s.queue) == 1 {
		s.arm()
	}
	s.mu.Unlock()
	select {
	case <-p.ready:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.index >= 0 {
		heap.Remove(&s.queue, p.index)
	}
	return context.Cause(ctx)
}

// refill adds what has come since the last time; s.mu is held.
func (s *shaper) refill() {
	now := time.Now()
	if s.at.IsZero() {
		s.tokens = s.burst()
	} else {
		s.tokens = min(s.tokens+now.Sub(s.at).Seconds()*s.rate, s.burst())
	}
	s.at = now
}

func (s *shaper) burst() float64 { return max(s.rate*shortBurst.Seconds(), leastBurst) }

// arm has serve run when the next byte may pass; s.mu is held.
func (s *shaper) arm() {
	wait := time.Duration(max(1-s.tokens, 0) / s.rate * float64(time.Second))
	if s.timer == nil {
		s.timer = time.AfterFunc(wait, s.serve)
		return
	}
	s.timer.Reset(wait)
}

// serve lets waiting pieces pass for as long as there are tokens.
func (s *shaper) serve() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refill()
	for len(s.queue) > 0 && s.tokens > 0 {
		p := heap.Pop(&s.queue).(*piece)
		s.tokens -= float64(p.n)
		s.virtual = max(s.virtual, p.start)
		close(p.ready)
	}
	if len(s.queue) > 0 {
		s.arm()
	}
}

// pieces is a heap, the one to be served next on top.
type pieces []*piece

func (q pieces) Len() int           { return len(q) }
func (q pieces) Less(i, j int) bool { return q[i].start < q[j].start }
func (q pieces) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

func (q *pieces) Push(x any) {
	p := x.(*piece)
	p.index = len(*q)
	*q = append(*q, p)
}

func (q *pieces) Pop() any {
	last := len(*q) - 1
	p := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	p.index = -1
	return p
}
