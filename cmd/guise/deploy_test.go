package main

import (
	"debug/elf"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"testing"
)

// TestUnitIsSandboxed: what a break-in could reach, on systemd's scale of 10.
func TestUnitIsSandboxed(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("no systemd-analyze here")
	}
	out, err := exec.Command(analyze, "security", "--offline=true", "--no-pager", "../../scripts/systemd/guise.service").CombinedOutput()
	m := regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`).FindSubmatch(out)
	if m == nil {
		t.Fatalf("%v\n%s", err, out)
	}
	exposure, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil || exposure >= 2.0 {
		t.Errorf("exposure is %s, want less than 2.0", m[1])
	}
}

// TestImageNeedsNothing: the program is static, as an image from scratch wants
// it.
func TestImageNeedsNothing(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("images are Linux's")
	}
	path := filepath.Join(t.TempDir(), "guise")
	build := exec.Command("go", "build", "-o", path, ".")
	build.Env = append(build.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("it wants a dynamic linker")
		}
	}
	if libraries, err := f.ImportedLibraries(); err != nil || len(libraries) > 0 {
		t.Errorf("it wants %v, %v", libraries, err)
	}
}
