//go:build unix

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSecretsForAllAreNoted: what every user of the machine can read, and not what a
// folder keeps from them.
func TestSecretsForAllAreNoted(t *testing.T) {
	dir := t.TempDir()
	letOthersIn(t, dir)
	t.Chdir(dir)
	for file, text := range map[string]string{
		"guise.yaml": "upstream: {chain: ['http://me:hunter2!@127.0.0.1:3128']}\naccess: {authentication: token, token_key: token.key}\n",
		"token.key":  strings.Repeat("0a", 32),
	} {
		writeFile(t, file, text)
	}
	for _, c := range []struct {
		file, folder os.FileMode
		noted        bool
	}{{0o644, 0o755, true}, {0o640, 0o755, false}, {0o644, 0o700, false}} {
		for _, file := range []string{"guise.yaml", "token.key"} {
			if err := os.Chmod(file, c.file); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(dir, c.folder); err != nil {
			t.Fatal(err)
		}
		var said, failed bytes.Buffer
		if code := run([]string{"check", "--config", "guise.yaml"}, &said, &failed, nil); code != exitFine {
			t.Fatalf("exit code %d: %s%s", code, said.String(), failed.String())
		}
		for _, want := range []string{"guise.yaml:1: note: upstream.chain[0]: all users of this machine can read guise.yaml (mode 0644)",
			"guise.yaml:2: note: access.token_key: all users of this machine can read token.key (mode 0644)"} {
			if got := strings.Contains(said.String(), want); got != c.noted {
				t.Errorf("file %04o in a folder %04o: %q is said: %t", c.file, c.folder, want, got)
			}
		}
		if strings.Contains(said.String(), "hunter2") {
			t.Error("the password is said")
		}
	}
}

// TestEndOfACertificateIsNoted by check, where serve says it too late.
func TestEndOfACertificateIsNoted(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "a.pem"), filepath.Join(dir, "a.key")
	writePair(t, cert, key, "a.example", time.Now().Add(24*time.Hour))
	var said bytes.Buffer
	set := "listeners=[{address: \"127.0.0.1:0\", protocol: https, certificate: " + cert + ", key: " + key + "}]"
	if code := run([]string{"check", "--set", set}, &said, &said, nil); code != exitFine || !strings.Contains(said.String(), "--set: note: listeners[0].certificate: clients refuse it from ") {
		t.Errorf("exit code %d: %s", code, said.String())
	}
}
