//go:build unix

package gate

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestServiceCanReadWhatRootEdits: a file keeps its owner, and a new one gets
// that of its folder.
func TestServiceCanReadWhatRootEdits(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	const service, other = 54321, 54322
	dir := t.TempDir()
	owner := func(path string) uint32 {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Sys().(*syscall.Stat_t).Uid
	}
	if err := os.Chown(dir, service, service); err != nil {
		t.Fatal(err)
	}
	users, key, revoked := filepath.Join(dir, "users"), filepath.Join(dir, "key"), filepath.Join(dir, "revoked")
	if err := SetUser(users, "ann", "secret"); err != nil {
		t.Fatal(err)
	}
	if _, err := MakeKey(key); err != nil {
		t.Fatal(err)
	}
	if err := Revoke(revoked, "bob"); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{users, key, revoked} {
		if got := owner(path); got != service {
			t.Errorf("new, %s belongs to %d", filepath.Base(path), got)
		}
	}
	if err := os.Chown(users, other, other); err != nil {
		t.Fatal(err)
	}
	if err := SetUser(users, "bob", "secret"); err != nil {
		t.Fatal(err)
	}
	if got := owner(users); got != other {
		t.Errorf("after an edit it belongs to %d", got)
	}
	if info, err := os.Stat(users); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("and its mode is %v, %v", info.Mode(), err)
	}
}

// TestUnwritableFileIsNamed, not the new one that was to take its place: whoever adds a user
// knows only that one.
func TestUnwritableFileIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users") // a folder cannot be replaced
	if err := os.MkdirAll(filepath.Join(path, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("write %s: %v", path, syscall.EEXIST)
	if err := replaceFile(path, "ann:hash\n"); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".guise-*")); len(left) > 0 {
		t.Errorf("%v stays", left)
	}
}
