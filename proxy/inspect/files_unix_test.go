//go:build unix

package inspect

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestServiceCanReadTheAuthorityThatRootMakes: its folder and files belong to whom the
// place that they are made in belongs to.
func TestServiceCanReadTheAuthorityThatRootMakes(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	const service = 54321
	state := t.TempDir()
	if err := os.Chown(state, service, service); err != nil {
		t.Fatal(err)
	}
	settings := filepath.Join(state, "settings")
	folder := filepath.Join(settings, "ca")
	if err := authority(t, CreateOptions{}).Save(folder); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{settings, folder, filepath.Join(folder, KeyFile), filepath.Join(folder, CertificateFile)} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Sys().(*syscall.Stat_t).Uid; got != service {
			t.Errorf("%s belongs to %d", filepath.Base(path), got)
		}
		if info.Mode().Perm()&0o022 != 0 {
			t.Errorf("%s can be written by others: %v", filepath.Base(path), info.Mode())
		}
	}
}
