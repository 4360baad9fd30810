//go:build linux

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestManyIdleTunnels: each holds two descriptors, and little memory; after a
// while all answer, and when they close all that they held comes back. With
// GUISE_MEASURE set there are 8,000 of them, for a minute.
func TestManyIdleTunnels(t *testing.T) {
	tunnels, idle := 300, 300*time.Millisecond // long enough for goroutines to be given up
	if os.Getenv("GUISE_MEASURE") != "" {
		tunnels, idle = 8000, time.Minute
	}
	echo, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var echoes sync.WaitGroup
	echoes.Go(func() {
		for {
			c, err := echo.Accept()
			if err != nil {
				return
			}
			echoes.Go(func() {
				defer c.Close()
				io.Copy(c, struct{ io.Reader }{c}) // without a pipe of its own
			})
		}
	})
	defer echoes.Wait()
	defer echo.Close()
	cmd := exec.Command(buildGuise(t), "--set", "listeners=127.0.0.1:0", "--set", "destinations.allow=127.0.0.1", "--set", "destinations.connect_ports=1-65535")
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GUISE_") }) // each is a key
	at := startGuise(t, cmd).must(t, `listening on ([^ ]+:\d+)`)[1]
	guise := process(cmd.Process.Pid)

	var all []net.Conn
	defer func() {
		for _, c := range all {
			c.Close()
		}
	}()
	open := func() {
		c, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
		c.SetDeadline(time.Now().Add(idle + 3*patience))
		fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %[1]s\r\n\r\n", echo.Addr())
		want := "HTTP/1.1 200 Connection established\r\n\r\n"
		got := make([]byte, len(want))
		if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
			t.Fatalf("tunnel %d: %q, %v", len(all), got, err)
		}
	}
	for range 50 {
		open() // what is made once is there then
	}
	descriptors, counted := guise.descriptors(t)
	if !counted {
		t.Log("only root may count its descriptors")
	}
	resident := guise.resident(t)
	for range tunnels {
		open()
	}
	timer := time.NewTimer(idle)
	defer timer.Stop()
	<-timer.C
	if n, _ := guise.descriptors(t); n-descriptors > 2*tunnels+8 {
		t.Errorf("%d idle tunnels hold %d descriptors", tunnels, n-descriptors)
	}
	each := (guise.resident(t) - resident) / tunnels
	t.Logf("%d octets of resident memory a tunnel", each)
	if tunnels >= 8000 && each > 12<<10 { // with fewer, what awaits collection is most of it
		t.Errorf("an idle tunnel takes %d octets", each)
	}
	for i, c := range all {
		fmt.Fprintf(c, "tunnel %d\n", i)
	}
	for i, c := range all {
		if line, err := bufio.NewReaderSize(c, 16).ReadString('\n'); err != nil || line != fmt.Sprintf("tunnel %d\n", i) {
			t.Fatalf("tunnel %d answers %q, %v", i, line, err)
		}
	}
	for _, c := range all {
		c.Close()
	}
	if !counted {
		return
	}
	left := 0
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		n, _ := guise.descriptors(t)
		if left = n - descriptors + 2*50; left <= 8 {
			return
		}
	}
	t.Errorf("%d descriptors are left", left)
}

// A process is looked at in /proc.
type process int

// descriptors returns how many the process has open, if it can be known: guise
// keeps others of its own user from looking (forbidDumps).
func (p process) descriptors(t *testing.T) (n int, counted bool) {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p))
	if errors.Is(err, fs.ErrPermission) {
		return 0, false
	}
	if err != nil {
		t.Fatal(err)
	}
	return len(entries), true
}

// resident returns the octets of memory that the process has in use.
func (p process) resident(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if size, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(size), " kB"))
			if err != nil {
				t.Fatal(err)
			}
			return n << 10
		}
	}
	t.Fatal("no VmRSS")
	return 0
}
