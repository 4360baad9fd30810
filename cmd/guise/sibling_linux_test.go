package main

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// TestFirstProcessGoesOn: the kernel ends all of a container with its first
// process, a successor too.
func TestFirstProcessGoesOn(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root makes a namespace of processes")
	}
	cmd := exec.Command(buildGuise(t), "--set", "listeners=127.0.0.1:0")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	said := startGuise(t, cmd)
	at := said.must(t, `listening on ([^ ]+:\d+)`)[1]
	cmd.Process.Signal(syscall.SIGUSR2)
	said.must(t, `this process goes on`)
	if err := askOnce(at); err != nil {
		t.Error(err)
	}
}

// TestKilledSuccessorLetsGo of where the operator asks before this process listens there
// again. Nobody but its parent hears of its end in time.
func TestKilledSuccessorLetsGo(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	admin := l.Addr().String()
	l.Close()
	path := buildGuise(t)
	cmd := exec.Command(path, "--set", "listeners=127.0.0.1:0", "--set", "admin.address="+admin)
	said := startGuise(t, cmd)
	said.must(t, `metrics on `)
	replaceProgram(t, path, "echo a successor says nothing >&2\nunset LISTEN_READY\nexec "+path+".old \"$@\"\n")
	cmd.Process.Signal(syscall.SIGUSR2)
	said.must(t, `(?s)says nothing.*metrics on `)
	cmd.Process.Signal(syscall.SIGTERM)
	said.must(t, `stopping`)
	if text, _ := said.now(); strings.Contains(text, "already in use") {
		t.Error(text)
	}
}
