package main

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestFullDiskLeavesNothingBehind: what could not be written as a whole would be in
// the way of the next try, and guise overwrites no key.
func TestFullDiskLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=16k"); err != nil {
		t.Skip("no small disk can be had: ", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, 0) })
	full := filepath.Join(dir, "full")
	listener := `listeners=[{address: "127.0.0.1:0", protocol: https, self_signed: true, certificate: ` + dir + `/a.pem, key: ` + dir + `/a.key}]`
	for name, c := range map[string]struct {
		args  []string
		files []string
	}{
		"authority":   {[]string{"ca", "init", "--set", "inspection.ca=" + dir}, []string{"ca.pem", "ca-key.pem"}},
		"certificate": {[]string{"serve", "--set", listener}, []string{"a.pem", "a.key"}},
		"token":       {[]string{"user", "token", "ann", "--key", dir + "/token"}, []string{"token"}},
	} {
		t.Run(name, func(t *testing.T) {
			os.WriteFile(full, make([]byte, 16<<10), 0o600) // as much of it as there is room for
			defer os.Remove(full)
			var said bytes.Buffer
			if code := run(c.args, &said, &said, nil); code != exitFound {
				t.Errorf("exit code %d: %s", code, said.String())
			}
			for _, file := range c.files {
				if info, err := os.Stat(filepath.Join(dir, file)); err == nil {
					t.Errorf("%s is there, with %d bytes", file, info.Size())
				}
			}
		})
	}
}
