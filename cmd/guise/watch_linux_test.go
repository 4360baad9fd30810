package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestWantOfDescriptorsIsNoChange: a file that cannot be read for that is not loaded, and
// one that changed meanwhile is, later.
func TestWantOfDescriptorsIsNoChange(t *testing.T) {
	file := filepath.Join(t.TempDir(), "guise.yaml")
	write := func(content string) {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("a")
	loaded, err := fingerprint(file)
	if err != nil {
		t.Fatal(err)
	}
	var w watcher
	last := loaded
	look := func() (changed bool, err error) {
		last, changed, err = w.compare(file, last)
		return changed, err
	}
	short := func() {
		t.Helper()
		var was syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &was); err != nil {
			t.Fatal(err)
		}
		none := syscall.Rlimit{Cur: 3, Max: was.Max} // there are standard input, output and error
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none); err != nil {
			t.Fatal(err)
		}
		changed, cannot := look()
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &was); err != nil {
			t.Fatal(err)
		}
		if changed || cannot == nil {
			t.Errorf("with no descriptor left: changed %v, error %v", changed, cannot)
		}
	}
	short()
	if changed, err := look(); changed || err != nil {
		t.Errorf("then: changed %v, error %v", changed, err)
	}
	write("b")
	short()
	if changed, err := look(); !changed || err != nil {
		t.Errorf("after a change: changed %v, error %v", changed, err)
	}
	os.Remove(file)
	if changed, err := look(); !changed || err != nil {
		t.Errorf("once it is gone: changed %v, error %v", changed, err)
	}
}
