//go:build linux

package main

import (
	"bufio"
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"time"
)

func caches(p *peer) bool  { return p.caches }
func tunnels(p *peer) bool { return p.tunnels }

var workloads = []workload{
	throughput("forward-1k", "forward 1 KiB", demand{kind: "fresh", size: 1 << 10}, nil),
	throughput("forward-64k", "forward 64 KiB", demand{kind: "fresh", size: 64 << 10}, nil),
	throughput("hit-1k", "cache hit 1 KiB", demand{kind: "store", size: 1 << 10}, caches),
	throughput("hit-64k", "cache hit 64 KiB", demand{kind: "store", size: 64 << 10}, caches),
	{
		name:     "connect",
		title:    "new CONNECT + TLS + request, /s; CPU µs",
		measures: []measure{{"new CONNECT + TLS + request, /s", "%.0f"}, {"new CONNECT + TLS + request, CPU µs", "%.0f"}},
		can:      tunnels,
		run:      connectAnew,
	},
	{
		name:     "bulk",
		title:    "tunnel bulk, CPU s per GB",
		measures: []measure{{"tunnel bulk, CPU s per GB", "%.2f"}},
		can:      tunnels,
		run:      transferBulk,
	},
	{
		name:     "idle-tunnels",
		title:    "idle tunnel, KiB",
		measures: []measure{{"idle tunnel, KiB", "%.1f"}},
		once:     true,
		can:      tunnels,
		run:      holdTunnels,
	},
	{
		name:     "latency",
		title:    "latency at 2,000/s, p50; p99; p99.9 µs",
		measures: []measure{{"latency at 2,000/s, p50 µs", "%.0f"}, {"latency at 2,000/s, p99 µs", "%.0f"}, {"latency at 2,000/s, p99.9 µs", "%.0f"}},
		run:      openLoop,
	},
	{
		name:     "rest",
		title:    "memory at rest, MiB; start to first answer, ms",
		measures: []measure{{"memory at rest, MiB", "%.1f"}, {"start to first answer, ms", "%.0f"}},
		once:     true,
		run: func(_ *plan, r *running) ([]float64, error) {
			return []float64{r.atRest, r.firstAnswer.Seconds() * 1e3}, nil
		},
	},
	// Last, because they leave a peer with the memory of a crowd and a full cache.
	throughput("forward-1m", "forward 1 MiB", demand{kind: "fresh", size: 1 << 20}, nil),
	throughput("crowd", "forward 1 KiB, 1,000 connections", demand{kind: "fresh", size: 1 << 10, connections: 1000}, nil),
	throughput("store-64k", "fetch and store 64 KiB", demand{kind: "store", size: 64 << 10, anew: true}, caches),
	throughput("store-1k", "fetch and store 1 KiB", demand{kind: "store", size: 1 << 10, anew: true}, caches),
	throughput("hit-1k-full", "cache hit 1 KiB, full cache", demand{kind: "store", size: 1 << 10}, caches),
}

func workloadNames() []string {
	var names []string
	for _, w := range workloads {
		names = append(names, w.name)
	}
	return names
}

// A demand is what users ask for.
type demand struct {
	kind        string // of objects
	size        int
	connections int  // 0 means those of the plan
	anew        bool // each request is for an object that was not asked for before
}

// throughput is the workload of users who ask as fast as they get answers.
func throughput(name, title string, d demand, can func(*peer) bool) workload {
	return workload{
		name:     name,
		title:    title + ", req/s; CPU µs",
		measures: []measure{{title + ", req/s", "%.0f"}, {title + ", CPU µs", "%.1f"}},
		can:      can,
		run: func(p *plan, r *running) ([]float64, error) {
			s := r.series(d.kind, d.size)
			s.anew = d.anew
			users := cmp.Or(d.connections, p.connections)
			if err := warm(r, s); err != nil {
				return nil, err
			}
			before, begin := r.cpu(), time.Now()
			var done int64
			var took time.Duration
			var err error
			if p.wrk && !d.anew {
				done, took, err = closedLoopByWrk(users, p.length, r.listen, s)
			} else {
				done, err = closedLoop(users, p.length, browse(r.listen, s))
				took = time.Since(begin)
			}
			used := r.cpu() - before
			if err != nil {
				return nil, err
			}
			return []float64{float64(done) / took.Seconds(), micros(used) / float64(done)}, nil
		},
	}
}

func micros(d time.Duration) float64 { return float64(d) / 1e3 }

// warm asks for each object, so that what can be stored is.
func warm(r *running, s *series) error {
	u := &user{proxy: r.listen}
	defer u.close()
	for range 2 {
		for i := range objects {
			if err := u.ask(s.requests[i], s.bodies[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// tunnel opens a tunnel through r to the address at the origin, or takes
// the direct way if there is one.
func (r *running) tunnel(to, direct string) (net.Conn, error) {
	at := r.listen
	if direct != "" {
		at = direct
	}
	c, err := net.Dial("tcp", at)
	if err != nil || direct != "" {
		return c, err
	}
	c.SetDeadline(time.Now().Add(patience))
	if _, err := fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %[1]s\r\n\r\n", to); err != nil {
		c.Close()
		return nil, err
	}
	// The origin never speaks first, so nothing is lost in the buffer.
	br := bufio.NewReader(c)
	for first := true; ; first = false {
		line, err := br.ReadString('\n')
		if err == nil && first && !strings.Contains(line, " 200") {
			err = fmt.Errorf("CONNECT answered %q", line)
		}
		if err != nil {
			c.Close()
			return nil, err
		}
		if line == "\r\n" {
			return c, nil
		}
	}
}

// connectAnew measures tunnels that carry one request over TLS each.
func connectAnew(p *plan, r *running) ([]float64, error) {
	s := newSeries("fresh", sizes[0], r.origin.TLS, "")
	// To verify the origin's certificate would cost the load as much as all the
	// rest.
	config := &tls.Config{InsecureSkipVerify: true, SessionTicketsDisabled: true}
	work := func(stop <-chan struct{}, n int, done *atomic.Int64) error {
		for i := n; ; i++ {
			select {
			case <-stop:
				return nil
			default:
			}
			c, err := r.tunnel(r.origin.TLS, r.direct)
			if err != nil {
				return err
			}
			u := &user{conn: tls.Client(c, config)}
			at := i % objects
			_, err = u.exchange(s.requests[at], s.bodies[at])
			u.close()
			if err != nil {
				return err
			}
			done.Add(1)
		}
	}
	before, begin := r.cpu(), time.Now()
	done, err := closedLoop(min(p.connections, 8), p.length, work)
	took := time.Since(begin)
	time.Sleep(50 * time.Millisecond) // the last tunnels end
	used := r.cpu() - before
	if err != nil {
		return nil, err
	}
	return []float64{float64(done) / took.Seconds(), micros(used) / float64(done)}, nil
}

// transferBulk measures one tunnel that carries as much as it can.
func transferBulk(p *plan, r *running) ([]float64, error) {
	c, err := r.tunnel(r.origin.Bulk, r.bulk)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	before := r.cpu()
	if _, err := fmt.Fprintf(c, "%d\n", p.bulk); err != nil {
		return nil, err
	}
	n, err := discardAll(c)
	if err == nil && n != p.bulk {
		err = fmt.Errorf("%d bytes came of %d", n, p.bulk)
	}
	used := r.cpu() - before
	return []float64{used.Seconds() / (float64(p.bulk) / 1e9)}, err
}

// holdTunnels measures what a tunnel costs in memory that has carried one
// byte each way and waits.
func holdTunnels(p *plan, r *running) ([]float64, error) {
	before, err := r.memory()
	if err != nil {
		return nil, err
	}
	held := make([]net.Conn, 0, p.idle)
	defer func() {
		for _, c := range held {
			c.Close()
		}
	}()
	for range p.idle {
		c, err := r.tunnel(r.origin.Echo, r.echo)
		if err != nil {
			return nil, err
		}
		held = append(held, c)
		if err := echo(c); err != nil {
			return nil, err
		}
	}
	time.Sleep(2 * time.Second)
	after, err := r.memory()
	if err != nil {
		return nil, err
	}
	for _, c := range held {
		if err := echo(c); err != nil {
			return nil, fmt.Errorf("a held tunnel: %w", err)
		}
	}
	return []float64{(after - before) * 1024 / float64(p.idle)}, nil
}

// echo sends one byte through a tunnel and waits for it to come back.
func echo(c net.Conn) error {
	var b [1]byte
	if _, err := c.Write([]byte("x")); err != nil {
		return err
	}
	if _, err := io.ReadFull(c, b[:]); err != nil {
		return err
	}
	if b[0] != 'x' {
		return errors.New("another byte came back")
	}
	return nil
}
