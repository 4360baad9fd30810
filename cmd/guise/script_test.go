package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	testscript.Main(leakChecked{m}, map[string]func(){"guise": main})
}

// ofTheRun is a folder of the tests until all have ended.
var ofTheRun string

// leakChecked fails a run that leaves goroutines behind.
type leakChecked struct{ *testing.M }

func (m leakChecked) Run() int {
	var err error
	if ofTheRun, err = os.MkdirTemp("", "guise"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(ofTheRun)
	code := m.M.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// TestScripts runs each file of testdata/script: one promise of the command
// line each. The commands beyond testscript's own are in scene_test.go.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			s := newScene()
			env.Values[sceneKey{}] = s
			env.Defer(s.close)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"origin":     inScene((*scene).startOrigin),
			"origin-saw": inScene((*scene).originSaw),
			"release":    inScene((*scene).release),
			"serve":      inScene((*scene).serve),
			"signal":     inScene((*scene).signal),
			"says":       inScene((*scene).says),
			"exited":     inScene((*scene).exited),
			"get":        inScene((*scene).get),
			"ask":        inScene((*scene).ask),
			"begin":      inScene((*scene).begin),
			"finish":     inScene((*scene).finish),
			"tunnel":     inScene((*scene).openTunnel),
			"echo":       inScene((*scene).echo),
			"rename":     rename,
			"code":       code,
		},
		RequireUniqueNames: true,
	})
}

// rename OLD NEW moves a file into the place of another, as editors do.
func rename(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: rename OLD NEW")
	}
	ts.Check(os.Rename(ts.MkAbs(args[0]), ts.MkAbs(args[1])))
}

// code N COMMAND ARGS... runs a command that must exit with code N.
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N COMMAND ARGS...")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if fmt.Sprint(got) != args[0] {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}
