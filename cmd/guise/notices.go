package main

import (
	"fmt"
	"io"
	"slices"
	"sync/atomic"
	"time"
)

const (
	noticesKept = 1024        // that wait for who reads them
	lastNotices = time.Second // for those that wait at the end
)

// A notices passes on what is said to people without waiting for them. A terminal that
// was stopped (Ctrl-S), or a log that nobody reads, takes no more after some 64 KiB, and
// who writes there waits: each request that is logged, and the process that is told to
// end. What there is no room for is lost, and counted. It is safe for concurrent use.
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

// pass writes b, and how many could not be kept while who reads was behind.
func (n *notices) pass(b []byte) {
	n.out.Write(b)
	if lost := n.lost.Swap(0); lost > 0 {
		fmt.Fprintf(n.out, "guise: %d messages were lost while nobody read them\n", lost)
	}
}

// end passes on what waits, but waits no longer than lastNotices, and returns where to
// say what is left to be said.
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
