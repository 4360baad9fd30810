package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// openTerminal returns both sides of a pseudoterminal (pty(7)).
func openTerminal(t *testing.T) (keyboard, terminal *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	t.Cleanup(func() { keyboard.Close() })
	number, err := unix.IoctlGetInt(int(keyboard.Fd()), unix.TIOCGPTN)
	if err := errors.Join(err, unix.IoctlSetPointerInt(int(keyboard.Fd()), unix.TIOCSPTLCK, 0)); err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { terminal.Close() })
	return keyboard, terminal
}

// TestPasswordIsAskedFor twice on a terminal, which shows what is typed again
// afterwards: also after Ctrl-C.
func TestPasswordIsAskedFor(t *testing.T) {
	program := buildGuise(t)
	for _, c := range []struct {
		what  string
		typed []string
		code  int
		says  string
	}{
		{"typed twice", []string{"correct horse\n", "correct horse\n"}, 0, "ann may enter"},
		{"typed otherwise", []string{"correct horse\n", "battery\n"}, 1, "the two passwords differ"},
		{"Ctrl-C", []string{"correct\x03"}, 1, "no password was typed"},
		{"Ctrl-C later", []string{"correct horse\n", "\x03"}, 1, "no password was typed"},
	} {
		keyboard, terminal := openTerminal(t)
		users := filepath.Join(t.TempDir(), "users")
		cmd := exec.Command(program, "user", "add", "ann", "--file", users)
		said := &transcript{}
		cmd.Stdin, cmd.Stderr = terminal, said
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for i, text := range c.typed {
			said.must(t, []string{"Password: ", "Again: "}[i])
			fmt.Fprint(keyboard, text)
		}
		cmd.Wait()
		if got := cmd.ProcessState.ExitCode(); got != c.code {
			t.Errorf("%s: exit code %d", c.what, got)
		}
		if text, _ := said.now(); !regexp.MustCompile(c.says).MatchString(text) || regexp.MustCompile("horse|battery").MatchString(text) {
			t.Errorf("%s: it said %q", c.what, text)
		}
		state, err := unix.IoctlGetTermios(int(terminal.Fd()), unix.TCGETS)
		if err != nil || state.Lflag&unix.ECHO == 0 {
			t.Errorf("%s: the terminal shows nothing more of what is typed (%v)", c.what, err)
		}
		if _, err := os.Stat(users); (err == nil) != (c.code == 0) {
			t.Errorf("%s: the file of users: %v", c.what, err)
		}
	}
}
