package main

import (
	"fmt"
	"io"
	"slices"
	"sync/atomic"
	"time"
)

const (
	noticesKept = 1024        // most messages that wait to be written
	lastNotices = time.Second // how long the last ones may take
)

// A notices writes messages to people without having the caller wait. A terminal that was
// stopped (Ctrl-S), or a log that nobody reads, takes no more after some 64 KiB, and
// would block its writers: each request that is logged, and the process when it is to
// end. Messages beyond noticesKept are lost, and counted. It is safe for concurrent use.
type notices struct {
	out     io.Writer
	waiting chan []byte
	lost    atomic.Int64
	ending  chan struct{}
	ended   chan struct{}
}

func newNotices(out io.Writer) *notices {
	n := &notices{out: out, waiting: make(chan []byte, noticesKept), ending: make(chan struct{}), ended: make(chan struct{})}
	go n.run()
	return n
}

// Write implements [io.Writer]. It never fails.
func (n *notices) Write(b []byte) (int, error) {
	select {
	case n.waiting <- slices.Clone(b):
	default:
		n.lost.Add(1)
	}
	return len(b), nil
}

func (n *notices) run() {
	defer close(n.ended)
	for {
		select {
		case b := <-n.waiting:
			n.pass(b)
			continue
		case <-n.ending:
		}
		for {
			select {
			case b := <-n.waiting:
				n.pass(b)
			default:
				return
			}
		}
	}
}

// pass writes b, and how many messages were lost before it.
func (n *notices) pass(b []byte) {
	n.out.Write(b)
	if lost := n.lost.Swap(0); lost > 0 {
		fmt.Fprintf(n.out, "guise: %d messages were lost while nobody read them\n", lost)
	}
}

// end writes what waits, for lastNotices at most, and returns where to write what is left
// to say.
func (n *notices) end() io.Writer {
	close(n.ending)
	timer := time.NewTimer(lastNotices)
	defer timer.Stop()
	select {
	case <-n.ended:
		return n.out
	case <-timer.C:
		return io.Discard
	}
}
