package proxy

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"testing"
)

// A part of a test is this program in a process of its own. It prints its address,
// then an answer to each order, until there are no more.
type part struct {
	address string
	orders  io.Writer
	answers *bufio.Scanner
}

// startPart runs the part that a variable of the environment stands for, until
// the test ends.
func startPart(t *testing.T, variable, value string) *part {
	t.Helper()
	process := exec.Command(os.Args[0])
	process.Env = append(os.Environ(), variable+"="+value)
	process.Stderr = os.Stderr
	orders, err := process.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	answers, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		orders.Close()
		if err := process.Wait(); err != nil {
			t.Errorf("%s=%s: %v", variable, value, err)
		}
	})
	p := &part{orders: orders, answers: bufio.NewScanner(answers)}
	p.address = p.answer(t)
	return p
}

func (p *part) answer(t *testing.T) string {
	t.Helper()
	if !p.answers.Scan() {
		t.Fatalf("a part of the test ended: %v", p.answers.Err())
	}
	return p.answers.Text()
}
