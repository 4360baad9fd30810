//go:build linux

package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A running peer.
type running struct {
	*peer
	*site
	process     *exec.Cmd
	output      *os.File
	firstAnswer time.Duration // from the start to the first answer
	atRest      float64       // memory a second after that, in MiB
}

// freeAddress returns an address that was free a moment ago.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// findProgram looks for a program in PATH and in /usr/sbin, which a user's PATH may lack.
func findProgram(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil || strings.Contains(name, "/") {
		return path, err
	}
	return exec.LookPath(filepath.Join("/usr/sbin", name))
}

// launch starts p under dir and waits until it answers.
func launch(p *peer, s *site) (*running, error) {
	if err := os.MkdirAll(s.dir, 0o777); err != nil {
		return nil, err
	}
	os.Chmod(s.dir, 0o777) // Squid and nginx drop root
	listen, err := freeAddress()
	if err != nil {
		return nil, err
	}
	s.listen = listen
	command, err := p.configure(s)
	if err != nil {
		return nil, err
	}
	program, err := findProgram(command[0])
	if err != nil {
		return nil, err
	}
	r := &running{peer: p, site: s, process: exec.Command(program, command[1:]...)}
	if r.output, err = os.Create(filepath.Join(s.dir, "output")); err != nil {
		return nil, err
	}
	r.process.Stdout, r.process.Stderr = r.output, r.output
	r.process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt is for this program alone
	r.process.Env = append(os.Environ(), profileVariable+"="+s.profile)
	begin := time.Now()
	if err := r.process.Start(); err != nil {
		return nil, err
	}
	if err := r.awaitAnswer(begin); err != nil {
		r.output.Close()
		said, _ := os.ReadFile(r.output.Name())
		r.stop()
		return nil, fmt.Errorf("%w; it said:\n%s", err, said)
	}
	return r, nil
}

// awaitAnswer asks until the peer answers, and notes how long that took and
// what memory the peer has then.
func (r *running) awaitAnswer(begin time.Time) error {
	s := r.series("fresh", sizes[0])
	var err error
	for time.Since(begin) < 30*time.Second {
		u := &user{proxy: r.listen}
		err = u.ask(s.requests[0], s.bodies[0])
		u.close()
		if err == nil {
			r.firstAnswer = time.Since(begin)
			time.Sleep(time.Second)
			r.atRest, err = r.memory()
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return fmt.Errorf("no answer for too long: %w", err)
}

func (r *running) series(kind string, size int) *series {
	return newSeries(kind, size, r.origin.Plain, "http://"+r.origin.Plain)
}

// stop ends the peer and its children.
func (r *running) stop() {
	all := r.processes()     // not the process group, which some have left
	r.process.Process.Kill() // first, or it would replace children that end
	for _, pid := range all {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	r.process.Wait()
	r.output.Close()
}

// processes returns the peer's process and all that descend from it.
func (r *running) processes() []int {
	parents := make(map[int]int)
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		if pid, fields, err := readStat(path); err == nil {
			parents[pid], _ = strconv.Atoi(fields[1])
		}
	}
	var all []int
	for pid := range parents {
		for p := pid; p > 1; p = parents[p] {
			if p == r.process.Process.Pid {
				all = append(all, pid)
				break
			}
		}
	}
	return all
}

// readStat returns the fields of /proc/PID/stat after the program's name.
func readStat(path string) (pid int, fields []string, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, nil, err
	}
	open, end := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if open < 0 || end < 0 {
		return 0, nil, errors.New("unreadable " + path)
	}
	pid, err = strconv.Atoi(strings.TrimSpace(string(b[:open])))
	return pid, strings.Fields(string(b[end+1:])), err
}

// tick is what /proc counts CPU time in; every Linux has 100 a second.
const tick = 10 * time.Millisecond

// cpu returns the CPU time that the peer's processes have used, user and system.
func (r *running) cpu() time.Duration {
	var total time.Duration
	for _, pid := range r.processes() {
		_, fields, err := readStat(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || len(fields) < 13 {
			continue
		}
		for _, f := range fields[11:13] {
			n, _ := strconv.ParseInt(f, 10, 64)
			total += time.Duration(n) * tick
		}
	}
	return total
}

// memory returns the peer's proportional set size in MiB. Where only root may know it, as
// of a guise, which shares nothing with others, it is the resident set size.
func (r *running) memory() (float64, error) {
	total := 0.0
	for _, pid := range r.processes() {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if errors.Is(err, fs.ErrPermission) {
			_, fields, err := readStat(fmt.Sprintf("/proc/%d/stat", pid))
			if err != nil {
				return 0, err
			}
			pages, _ := strconv.ParseFloat(fields[21], 64)
			total += pages * float64(os.Getpagesize()) / (1 << 20)
			continue
		}
		if err != nil {
			return 0, err
		}
		for line := range strings.Lines(string(b)) {
			if rest, ok := strings.CutPrefix(line, "Pss:"); ok {
				kib, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
				total += kib / 1024
			}
		}
	}
	return total, nil
}

// profileVariable is the environment variable with the file that a guise with
// profileSource writes its CPU profile to.
const profileVariable = "BENCH_CPU_PROFILE"

//go:embed profile.go.txt
var profileSource []byte

// buildGuise builds the guise of this checkout, with profileSource if a profile is wanted.
func buildGuise(program string, s *site) error {
	args := []string{"build", "-o", program}
	if s.profile != "" {
		overlay, err := s.overlayProfile()
		if err != nil {
			return err
		}
		args = append(args, "-overlay", overlay)
	}
	out, err := exec.Command("go", append(args, "guise/cmd/guise")...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	return nil
}

// overlayProfile returns the file of a build overlay that adds profileSource to cmd/guise:
// it takes a CPU profile from the start to SIGUSR1.
func (s *site) overlayProfile() (string, error) {
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", err
	}
	source, err := s.write("profile.go", string(profileSource))
	if err != nil {
		return "", err
	}
	added := filepath.Join(strings.TrimSpace(string(root)), "cmd", "guise", "profile.go")
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{added: source}})
	if err != nil {
		return "", err
	}
	return s.write("overlay.json", string(overlay))
}

// takeProfile ends guise's CPU profile and waits until it is written.
func (b *bench) takeProfile() error {
	for _, r := range b.running {
		if r.profile == "" {
			continue
		}
		r.process.Process.Signal(syscall.SIGUSR1)
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			if _, err := os.Stat(r.profile); err == nil {
				break
			}
			if time.Now().After(end) {
				return errors.New("guise wrote no profile")
			}
		}
	}
	return nil
}
