package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestOneProcessorWhileEnough: at rest the program keeps to one processor, at work
// it uses all, and its successor does so too, though it was started from one.
func TestOneProcessorWhileEnough(t *testing.T) {
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		t.Fatal(err)
	}
	if all.Count() < 2 {
		t.Skip("there is only one")
	}
	cmd := exec.Command(buildGuise(t), "--set", "listeners=127.0.0.1:0")
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "GUISE_") || strings.HasPrefix(v, "GOMAXPROCS=")
	})
	said := startGuise(t, cmd)
	at := said.must(t, `listening on ([^ ]+:\d+)`)[1]
	guise := process(cmd.Process.Pid)
	guise.awaitProcessors(t, 1)
	ended := ask(t, at)
	guise.awaitProcessors(t, all.Count())

	syscall.Kill(int(guise), syscall.SIGUSR2)
	n, err := strconv.Atoi(said.must(t, `a successor serves, process (\d+)`)[1])
	if err != nil {
		t.Fatal(err)
	}
	<-ended // by the first, which stops
	successor := process(n)
	successor.awaitProcessors(t, 1)
	ask(t, at)
	successor.awaitProcessors(t, all.Count())
}

// ask keeps the proxy at addr busy until it closes the connections, or the test
// ends.
func ask(t *testing.T, addr string) (ended <-chan struct{}) {
	done := make(chan struct{}, 4)
	all := make(chan struct{})
	requests := []byte(strings.Repeat("GET http://127.0.0.1:1/ HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n", 64))
	for range cap(done) {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		go func() {
			io.Copy(io.Discard, c)
			done <- struct{}{}
		}()
		go func() {
			for {
				if _, err := c.Write(requests); err != nil {
					return
				}
			}
		}()
	}
	go func() {
		for range cap(done) {
			<-done
		}
		close(all)
	}()
	return all
}

// awaitProcessors returns when each thread of p may run on n processors.
func (p process) awaitProcessors(t *testing.T, n int) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	give := time.After(patience)
	for {
		counts := p.processors(t)
		if slices.Min(counts) == n && slices.Max(counts) == n {
			return
		}
		select {
		case <-tick.C:
		case <-give:
			t.Fatalf("the threads may run on %d processors, want %d", counts, n)
		}
	}
}

// processors returns on how many each thread of p may run.
func (p process) processors(t *testing.T) (counts []int) {
	t.Helper()
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", p))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range list {
		thread, err := strconv.Atoi(entry.Name())
		if err != nil {
			t.Fatal(err)
		}
		var set unix.CPUSet
		if unix.SchedGetaffinity(thread, &set) == nil { // else it has ended
			counts = append(counts, set.Count())
		}
	}
	return counts
}

// TestMuchToDoIsSeenAtOnce: half of a processor over 40 ms is much, a burst is not,
// however the glances fall.
func TestMuchToDoIsSeenAtOnce(t *testing.T) {
	type glance struct {
		at, used int // ms since the first one, by which the program was at rest
		want     bool
	}
	for name, glances := range map[string][]glance{
		"busy":             {{10, 9, false}, {39, 39, false}, {41, 41, true}},
		"busy after rest":  {{1000, 10, false}, {1030, 40, false}, {1042, 50, true}},
		"half":             {{40, 20, false}, {80, 40, false}},
		"over half":        {{40, 21, true}},
		"a burst":          {{1000, 10, false}, {1015, 25, false}, {1090, 35, false}},
		"a burst, then it": {{1000, 10, false}, {1015, 25, false}, {1050, 30, false}, {1090, 60, true}},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Unix(1700000000, 0)
			m := meter{at: start}
			for i, g := range glances {
				ms := time.Duration(g.used) * time.Millisecond
				if got := m.glance(ms, start.Add(time.Duration(g.at)*time.Millisecond)); got != g.want {
					t.Fatalf("glance %d, %d ms used in %d ms: much to do: %t", i, g.used, g.at, got)
				}
			}
		})
	}
}

func TestBalance(t *testing.T) {
	type look struct {
		used, waited int // hundredths of the time
		want         bool
	}
	times := func(n int, l look) (list []look) { return slices.Repeat([]look{l}, n) }
	join := func(lists ...[]look) []look { return slices.Concat(lists...) }
	for name, looks := range map[string][]look{
		"at rest":                    times(300, look{0, 0, true}),
		"little to do":               times(300, look{30, 10, true}),
		"much to do":                 times(2, look{51, 0, false}),
		"less to do for a moment":    join(times(1, look{90, 0, false}), times(3, look{10, 0, false}), times(1, look{90, 0, false}), times(3, look{10, 0, false})),
		"less to do for a while":     join(times(1, look{90, 0, false}), times(3, look{10, 0, false}), times(300, look{10, 0, true})),
		"half is too much to return": join(times(1, look{90, 0, false}), times(300, look{45, 0, false})),
		"half is not enough to go":   times(300, look{45, 0, true}),
		"crowded, others are not":    join(times(1, look{20, 30, false}), times(244, look{20, 5, false}), times(10, look{20, 5, true})),
		"crowded, others are too":    join(times(1, look{20, 30, false}), times(1, look{30, 60, false}), times(240, look{20, 30, true}), times(1, look{20, 30, false})),
		"crowded, but idle":          times(300, look{1, 50, true}),
		"crowded, and much to do":    join(times(1, look{90, 99, false}), times(300, look{90, 99, false})),
	} {
		t.Run(name, func(t *testing.T) {
			b := balance{together: true}
			for i, l := range looks {
				got := b.look(time.Duration(l.used)*lookEvery/100, time.Duration(l.waited)*lookEvery/100)
				if got != l.want {
					t.Fatalf("look %d, %d %% used and %d %% waited: one processor is enough: %t", i, l.used, l.waited, got)
				}
			}
		})
	}
}
