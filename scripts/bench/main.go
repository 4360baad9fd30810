//go:build linux

// Command bench compares guise with other proxies on one machine and prints a
// Markdown table.
//
//	go run ./scripts/bench                                  everything, some ten minutes
//	go run ./scripts/bench -peers guise,squid -rounds 3     some of it
//	go run ./scripts/bench -rounds 3 -brief                 the table in the README
//	go run ./scripts/bench -wrk                             the same with wrk for the load where it can be
//	go run ./scripts/bench -quick -peers guise              does it run at all?
//	go run ./scripts/bench -peers guise -workloads forward-1k,forward-64k,hit-1k,hit-64k,connect,latency -profile cmd/guise/default.pgo
//	                                                        the profile that the compiler optimises guise by
//
// The peers are Debian's packages; those that are missing are installed (as
// root, or with sudo) unless -install=false. Each is started with a small
// configuration on loopback in a temporary directory. Rounds are interleaved: every
// peer does its first round before any does its second. A cell is the median
// of the rounds, with the least and the most in brackets. Every response is
// compared with what the origin sent.
//
// nginx, HAProxy and Varnish are no forward proxies: they know their one
// origin beforehand and mark what can be reached at best. HAProxy's tunnel is
// a TCP proxy without CONNECT.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A plan is what is measured and how.
type plan struct {
	peers       []*peer
	workloads   []workload
	rounds      int
	length      time.Duration // of a round of a throughput workload
	connections int           // of the closed-loop load
	bulk        int64         // bytes of one round of a bulk transfer
	idle        int           // tunnels held open
	brief       bool          // print medians alone
	wrk         bool          // is the closed-loop load, in place of this program
	profile     string        // file for a CPU profile of guise; "" takes none
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == originArgument {
		serveOrigin()
		return
	}
	p, install, err := parsePlan(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		err = run(p, install, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func parsePlan(args []string) (p *plan, install bool, err error) {
	p = &plan{bulk: 2 << 30, idle: 1000}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	names := flags.String("peers", strings.Join(peerNames(), ","), "what to compare")
	loads := flags.String("workloads", strings.Join(workloadNames(), ","), "what to measure")
	quick := flags.Bool("quick", false, "one short round of each; its figures mean nothing")
	flags.IntVar(&p.rounds, "rounds", 5, "rounds of each workload")
	flags.DurationVar(&p.length, "time", 2*time.Second, "length of a round")
	flags.IntVar(&p.connections, "connections", 32, "connections of the load")
	flags.BoolVar(&p.brief, "brief", false, "print medians alone, a row for each workload")
	flags.BoolVar(&p.wrk, "wrk", false, "have wrk ask for objects, and not this program")
	flags.StringVar(&p.profile, "profile", "", "write a CPU profile of guise to this `file`")
	flags.BoolVar(&install, "install", true, "install missing peers with apt-get")
	if err := flags.Parse(args); err != nil {
		return nil, false, err
	}
	if *quick {
		p.rounds, p.length, p.connections, p.bulk, p.idle = 1, 100*time.Millisecond, 4, 16<<20, 20
	}
	for name := range strings.SplitSeq(*names, ",") {
		i := slices.IndexFunc(peers, func(p *peer) bool { return p.name == name })
		if i < 0 {
			return nil, false, fmt.Errorf("unknown peer %q; known: %s", name, strings.Join(peerNames(), ", "))
		}
		p.peers = append(p.peers, peers[i])
	}
	for name := range strings.SplitSeq(*loads, ",") {
		i := slices.IndexFunc(workloads, func(w workload) bool { return w.name == name })
		if i < 0 {
			return nil, false, fmt.Errorf("unknown workload %q; known: %s", name, strings.Join(workloadNames(), ", "))
		}
		p.workloads = append(p.workloads, workloads[i])
	}
	return p, install, nil
}

// run starts everything, measures, and prints.
func run(p *plan, install bool, out io.Writer) error {
	if install {
		if err := p.installMissing(); err != nil {
			return err
		}
	}
	dir, err := os.MkdirTemp("", "guise-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // some peers drop root
		return err
	}
	raiseFileLimit()
	o, err := startOrigin()
	if err != nil {
		return err
	}
	defer o.stop()
	b := &bench{plan: p, origin: o, results: make(map[cell][]float64)}
	defer b.stop()
	defer whenInterrupted(func() {
		b.stop()
		o.stop()
		os.RemoveAll(dir)
	})()
	for _, peer := range p.peers {
		if err := b.start(peer, dir); err != nil {
			return fmt.Errorf("%s: %w", peer.name, err)
		}
	}
	b.measure()
	if err := b.takeProfile(); err != nil {
		return err
	}
	figures := "median (least–most)"
	if p.brief {
		figures = "median"
	}
	fmt.Fprintf(out, "%s, %d cores, %s/%s, %s; rounds: %d, %s\n\n",
		time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), p.rounds, figures)
	b.table(out)
	if len(b.failed) > 0 {
		return fmt.Errorf("%d measurements failed", len(b.failed))
	}
	return nil
}

// raiseFileLimit has as many files open as may be: the load opens many connections, and
// the peers inherit the limit.
func raiseFileLimit() {
	var files syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files) == nil {
		files.Cur = files.Max
		syscall.Setrlimit(syscall.RLIMIT_NOFILE, &files)
	}
}

// whenInterrupted has an interrupt call clean and end the program, until over is called.
func whenInterrupted(clean func()) (over func()) {
	interrupted, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-done:
			return
		case <-interrupted:
		}
		clean()
		os.Exit(1)
	}()
	return func() {
		signal.Stop(interrupted)
		close(done)
	}
}

// installMissing installs the packages of what is used and not there.
func (p *plan) installMissing() error {
	var missing []string
	for _, peer := range p.peers {
		if peer.pkg == "" {
			continue
		}
		if _, err := findProgram(peer.program); err != nil {
			missing = append(missing, peer.pkg)
		}
	}
	if _, err := findProgram("wrk"); p.wrk && err != nil {
		missing = append(missing, "wrk")
	}
	if len(missing) == 0 {
		return nil
	}
	fmt.Fprintln(os.Stderr, "bench: installing", strings.Join(missing, " "))
	for _, args := range [][]string{
		{"update", "-q"},
		append([]string{"install", "-q", "-y", "--no-install-recommends"}, missing...),
	} {
		args = append([]string{"env", "DEBIAN_FRONTEND=noninteractive", "apt-get"}, args...)
		if os.Getuid() != 0 {
			args = append([]string{"sudo"}, args...)
		}
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}
	return nil
}
