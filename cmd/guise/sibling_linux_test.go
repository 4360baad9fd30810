package main

import (
	"os"
	"os/exec"
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
