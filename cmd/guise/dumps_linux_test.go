package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
)

// TestNoDumps: what is in memory goes to no file, and is not for the user's other
// processes.
func TestNoDumps(t *testing.T) {
	program := buildGuise(t)
	cmd := exec.Command(program, "--set", "listeners=127.0.0.1:0")
	user := os.Geteuid()
	if user == 0 { // of root's processes nothing shows it
		user = 65534
		letOthersIn(t, filepath.Dir(program))
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(user), Gid: uint32(user)}}
	}
	startGuise(t, cmd).must(t, "listening on")
	process := fmt.Sprintf("/proc/%d/", cmd.Process.Pid)
	limits, err := os.ReadFile(process + "limits")
	if err != nil || !regexp.MustCompile(`(?m)^Max core file size +0 +0 `).Match(limits) {
		t.Errorf("the system may write a core file (%v):\n%s", err, limits)
	}
	// A process that may not be dumped belongs to root in there (proc(5)).
	info, err := os.Stat(process + "environ")
	if err != nil || int(info.Sys().(*syscall.Stat_t).Uid) == user {
		t.Errorf("its memory is for all processes of its user (%v)", err)
	}
}
