//go:build unix

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"syscall"
	"testing"
	"time"
)

// TestMessagesThatNobodyReadsAreLost: the first ones wait, and of the others it is said
// how many there were.
func TestMessagesThatNobodyReadsAreLost(t *testing.T) {
	read, write := io.Pipe()
	n := newNotices(write)
	const all = noticesKept + 100
	fmt.Fprintln(n, 0)
	first := make([]byte, 1)
	io.ReadFull(read, first) // the rest of this message is waited with: no place gets free
	for i := 1; i < all; i++ {
		fmt.Fprintln(n, i)
	}
	go func() {
		n.end()
		<-n.ended // on a busy machine it may have waited for less
		write.Close()
	}()
	lines := bufio.NewScanner(io.MultiReader(bytes.NewReader(first), read))
	kept, lost := 0, 0
	for lines.Scan() {
		if n, _ := fmt.Sscanf(lines.Text(), "guise: %d messages were lost", &lost); n == 1 {
			continue
		}
		if lines.Text() != fmt.Sprint(kept) {
			t.Fatalf("message %d is %q", kept, lines.Text())
		}
		kept++
	}
	if kept+lost != all || lost == 0 {
		t.Errorf("of %d messages %d came and %d were lost", all, kept, lost)
	}
}

// TestNobodyNeedsToReadMessages: where standard error takes no more, requests are
// answered all the same, and the process ends when it is told to.
func TestNobodyNeedsToReadMessages(t *testing.T) {
	said, stderr, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	cmd := exec.Command(buildGuise(t), "--set", "listeners=127.0.0.1:0", "--set", "log.requests=anonymous")
	cmd.Stderr = stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stderr.Close()
	ended := make(chan error, 1)
	defer cmd.Process.Kill()
	lines := bufio.NewReaderSize(said, 16)
	at := ""
	for at == "" {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if m := regexp.MustCompile(`listening on ([^ ]+:\d+)`).FindStringSubmatch(line); m != nil {
			at = m[1]
		}
	}
	c, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	// More lines than a pipe takes, and the process keeps.
	const requests = 4 * noticesKept
	go func() {
		one := fmt.Appendf(nil, "GET /proxy.pac HTTP/1.1\r\nHost: %s\r\n\r\n", at)
		c.Write(bytes.Repeat(one, requests))
	}()
	answers := bufio.NewReader(c)
	for i := range requests {
		resp, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
	}
	cmd.Process.Signal(syscall.SIGTERM)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Error("it does not end")
	}
}
