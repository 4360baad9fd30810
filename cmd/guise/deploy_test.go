//go:build unix

package main

import (
	"debug/elf"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
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

// TestServiceFindsFilesBesideItsConfiguration: names of files count from the folder that
// guise is started in, which is its configuration's wherever that has a place of its own.
func TestServiceFindsFilesBesideItsConfiguration(t *testing.T) {
	for file, line := range map[string]string{
		"../../scripts/systemd/guise.service": "WorkingDirectory=/etc/guise",
		"../../scripts/Containerfile":         "WORKDIR /etc/guise",
	} {
		recipe, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if text := string(recipe); !strings.Contains(text, "\n"+line+"\n") || !strings.Contains(text, "/etc/guise/guise.yaml") {
			t.Errorf("%s does not say %s", file, line)
		}
	}
}

// buildStatic builds the program as the Containerfile does, but for the paths
// in it: others would have everything compiled once more.
func buildStatic(t *testing.T, path string) {
	t.Helper()
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", path, ".")
	build.Env = append(build.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestImageNeedsNothing: the program is static, as an image from scratch wants
// it.
func TestImageNeedsNothing(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("images are Linux's")
	}
	path := filepath.Join(t.TempDir(), "guise")
	buildStatic(t, path)
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

// layOut makes the image's file system in root: what the Containerfile copies
// from its build stage, and nothing else.
func layOut(t *testing.T, root string) (user uint32) {
	t.Helper()
	recipe, err := os.ReadFile("../../scripts/Containerfile")
	if err != nil {
		t.Fatal(err)
	}
	_, image, found := strings.Cut(string(recipe), "\nFROM scratch\n")
	if !found {
		t.Fatal("the image is not from scratch")
	}
	for _, m := range regexp.MustCompile(`(?m)^COPY --from=build (?:--chown=(\d+):\d+ )?(\S+) (\S+)$`).FindAllStringSubmatch(image, -1) {
		owner, from, to := m[1], m[2], filepath.Join(root, m[3])
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		switch from {
		case "/guise":
			buildStatic(t, to)
		case "/empty":
			err = os.Mkdir(to, 0o755)
		default:
			var content []byte
			if content, err = os.ReadFile(from); err == nil {
				err = os.WriteFile(to, content, 0o644)
			}
		}
		if id, _ := strconv.Atoi(owner); err == nil && owner != "" {
			err = os.Chown(to, id, id)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	m := regexp.MustCompile(`(?m)^USER (\d+):`).FindStringSubmatch(image)
	if m == nil {
		t.Fatal("the image has root run it")
	}
	id, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return uint32(id)
}

// letOthersIn opens folder, which is t's, to other users, and skips the test if
// they do not get there.
func letOthersIn(t *testing.T, folder string) {
	t.Helper()
	for _, own := range []string{folder, filepath.Dir(folder)} {
		if err := os.Chmod(own, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	for at := folder; at != "/"; at = filepath.Dir(at) {
		if info, err := os.Stat(at); err != nil || info.Mode().Perm()&0o001 == 0 {
			t.Skipf("other users do not get to %s", at)
		}
	}
}

// TestImageServes: as its user, with no other file, and with a configuration
// and sockets where the Containerfile says.
func TestImageServes(t *testing.T) {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("only root changes its root")
	}
	root := t.TempDir()
	defer syscall.Umask(syscall.Umask(0o022)) // as where images are built
	user := layOut(t, root)
	letOthersIn(t, root)
	if err := os.Mkdir(filepath.Join(root, "etc/guise"), 0o755); err != nil {
		t.Fatal(err)
	}
	config := `{profile: public, listeners: ["127.0.0.1:0"], console: {enabled: true}, admin: {address: "127.0.0.1:0", pprof: /run/guise/pprof}}`
	if err := os.WriteFile(filepath.Join(root, "etc/guise/guise.yaml"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	said := &transcript{}
	cmd := &exec.Cmd{Path: "/guise", Args: []string{"/guise", "serve", "--config", "/etc/guise/guise.yaml"}, Dir: "/", Stderr: said,
		Env:         []string{"PATH=/bin"},
		SysProcAttr: &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: user, Gid: user}}}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	if err := askOnce(said.must(t, `listening on ([^ ]+:\d+)`)[1]); err != nil {
		t.Error(err)
	}
	said.must(t, `metrics on http://`)
	if info, err := os.Stat(filepath.Join(root, "run/guise/pprof")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket for pprof: %v, %v", info, err)
	}
}

// TestSocketIsItsOwnersFromTheStart: whatever the umask, there is no moment in
// which others could connect.
func TestSocketIsItsOwnersFromTheStart(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("elsewhere the mode is set afterwards")
	}
	path := filepath.Join(t.TempDir(), "socket")
	how := net.ListenConfig{Control: ownersAlone}
	defer syscall.Umask(syscall.Umask(0))
	l, err := how.Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}
