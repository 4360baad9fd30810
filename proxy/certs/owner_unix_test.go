//go:build unix

package certs

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestServiceCanReadTheCertificateThatRootMakes: whoever tries guise as root first leaves
// nothing in the way of the service.
func TestServiceCanReadTheCertificateThatRootMakes(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	const service = 54321
	state := t.TempDir()
	if err := os.Chown(state, service, service); err != nil {
		t.Fatal(err)
	}
	certFile, keyFile := filepath.Join(state, "cert.pem"), filepath.Join(state, "key.pem")
	if _, _, err := KeptSelfSigned(certFile, keyFile); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{certFile, keyFile} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Sys().(*syscall.Stat_t).Uid; got != service {
			t.Errorf("%s belongs to %d", filepath.Base(path), got)
		}
	}
}
