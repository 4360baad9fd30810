//go:build unix

package main

import (
	"bufio"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// built makes the program, once for all tests: to link it takes seconds.
var built = sync.OnceValues(func() (string, error) {
	path := filepath.Join(ofTheRun, "guise")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("%v\n%s", err, out)
	}
	return path, os.Chmod(path, 0o755) // whatever the umask
})

// buildGuise returns the path of the program, in a folder of the test's own.
func buildGuise(t *testing.T) string {
	t.Helper()
	program, err := built()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "guise")
	if err := os.Link(program, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// start runs a command whose standard error is collected, and kills whatever
// holds its standard error at the end: its successors, too.
func startGuise(t *testing.T, cmd *exec.Cmd) *transcript {
	t.Helper()
	said := &transcript{}
	cmd.Stderr = said
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // the group that was made above
		cmd.Wait()
	})
	return said
}

func (t *transcript) must(tb testing.TB, pattern string) []string {
	tb.Helper()
	m, err := t.await(regexp.MustCompile(pattern))
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// askOnce opens a connection, and gets a page on it.
func askOnce(at string) error {
	c, err := net.DialTimeout("tcp", at, patience)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(c, "GET /proxy.pac HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", at)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && (resp.StatusCode != 200 || !strings.Contains(string(body), "FindProxyForURL")) {
		err = fmt.Errorf("%d %q", resp.StatusCode, body)
	}
	return err
}

// TestRestartDropsNoConnection: clients connect all the time while three
// successors take over one after the other; none is refused, and a tunnel of
// the first process lives on.
func TestRestartDropsNoConnection(t *testing.T) {
	echo, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var echoes sync.WaitGroup
	echoes.Go(func() {
		c, err := echo.Accept()
		if err == nil {
			defer c.Close()
			io.Copy(c, c)
		}
	})
	defer echoes.Wait()
	defer echo.Close()

	cmd := exec.Command(buildGuise(t), "--set", "listeners=127.0.0.1:0", "--set", "admin.address=127.0.0.1:0", "--set", "destinations.allow=127.0.0.1",
		"--set", "destinations.connect_ports=1-65535", "--set", "timeouts.shutdown=1m")
	said := startGuise(t, cmd)
	at := said.must(t, `listening on ([^ ]+:\d+)`)[1]

	tunnel, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer tunnel.Close()
	tunnel.SetDeadline(time.Now().Add(2 * patience))
	r := bufio.NewReader(tunnel)
	fmt.Fprintf(tunnel, "CONNECT %[1]s HTTP/1.1\r\nHost: %[1]s\r\n\r\n", echo.Addr())
	if resp, err := http.ReadResponse(r, &http.Request{Method: "CONNECT"}); err != nil || resp.StatusCode != 200 {
		t.Fatal(resp, err)
	}

	var asked, failed atomic.Int64
	var clients sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				asked.Add(1)
				if err := askOnce(at); err != nil {
					failed.Add(1)
					t.Errorf("while it restarts: %v", err)
				}
			}
		})
	}
	pid := cmd.Process.Pid
	for n := 1; n <= 3; n++ {
		before := asked.Load()
		syscall.Kill(pid, syscall.SIGUSR2)
		m := said.must(t, fmt.Sprintf(`(?s)(?:a successor serves, process (\d+).*){%d}`, n))
		for asked.Load() < before+50 && failed.Load() == 0 {
			time.Sleep(time.Millisecond)
		}
		if pid, err = strconv.Atoi(m[1]); err != nil {
			t.Fatal(err)
		}
	}
	if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil {
		// name and parent (proc(5)); systemd waits for its own children alone
		if _, rest, _ := strings.Cut(string(stat), ") "); strings.Fields(rest)[1] != strconv.Itoa(os.Getpid()) {
			t.Errorf("the last successor is no child of who started the first: %s", stat)
		}
	}
	close(stop)
	clients.Wait()
	fmt.Fprintln(tunnel, "still here")
	if line, err := r.ReadString('\n'); line != "still here\n" {
		t.Errorf("the tunnel of the first process: %q, %v", line, err)
	}
	t.Logf("%d connections, %d failed", asked.Load(), failed.Load())
	syscall.Kill(pid, syscall.SIGTERM)
	tunnel.Close()
}

// TestRestartForgetsNoVolume: who has had all of the day's has it no second
// time.
func TestRestartForgetsNoVolume(t *testing.T) {
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write(make([]byte, 64<<10))
	}))
	defer origin.Close()
	cmd := exec.Command(buildGuise(t), "--set", "listeners=127.0.0.1:0", "--set", "destinations.allow=127.0.0.1", "--set", "limits.client.daily=32KiB")
	said := startGuise(t, cmd)
	at, err := url.Parse("http://" + said.must(t, `listening on ([^ ]+:\d+)`)[1])
	if err != nil {
		t.Fatal(err)
	}
	ask := func() int {
		tr := &http.Transport{Proxy: http.ProxyURL(at), DisableKeepAlives: true}
		resp, err := tr.RoundTrip(httptest.NewRequest("GET", origin.URL, nil))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		io.Copy(io.Discard, resp.Body)
		return resp.StatusCode
	}
	if first, second := ask(), ask(); first != 200 || second != 429 {
		t.Fatalf("status %d, then %d", first, second)
	}
	cmd.Process.Signal(syscall.SIGUSR2)
	said.must(t, `a successor serves`)
	cmd.Process.Wait() // so that the successor answers
	if status := ask(); status != 429 {
		t.Errorf("status %d from the successor", status)
	}
}

// TestBadSuccessorChangesNothing: if the program cannot start, the old one
// goes on, and serves the operator again.
func TestBadSuccessorChangesNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "guise.yaml")
	admin := filepath.Join(filepath.Dir(file), "admin")
	good := "listeners: [\"127.0.0.1:0\"]\nadmin: {address: \"unix:" + admin + "\"}\n"
	writeFile(t, file, good)
	cmd := exec.Command(buildGuise(t), "--config", file)
	said := startGuise(t, cmd)
	at := said.must(t, `listening on ([^ ]+:\d+)`)[1]
	writeFile(t, file, good+"nonsense: 1\n")
	cmd.Process.Signal(syscall.SIGUSR2)
	said.must(t, `this process goes on`)
	if err := askOnce(at); err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("unix", admin); err != nil {
		t.Errorf("the operator's socket: %v", err)
	} else {
		c.Close()
	}
}

// replaceProgram puts a script in the place of the program at path, which is moved aside.
func replaceProgram(t *testing.T, path, script string) {
	t.Helper()
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
}

// TestSuccessorIsWhatIsOnDisk: where the program was, whatever became of it, or where
// the link leads that it was started by.
func TestSuccessorIsWhatIsOnDisk(t *testing.T) {
	for what, install := range map[string]func(path, link string){
		"in its place": func(path, _ string) { replaceProgram(t, path, "echo a new version >&2\n") },
		"by its link": func(path, link string) {
			if err := errors.Join(os.Remove(link), os.Symlink(path+".new", link)); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path+".new", []byte("#!/bin/sh\necho a new version >&2\n"), 0o700); err != nil {
				t.Fatal(err)
			}
		},
	} {
		path := buildGuise(t)
		link := filepath.Join(t.TempDir(), "link")
		if err := os.Symlink(path, link); err != nil {
			t.Fatal(err)
		}
		name := path
		if what == "by its link" {
			name = link
		}
		cmd := exec.Command(name, "--set", "listeners=127.0.0.1:0")
		said := startGuise(t, cmd)
		said.must(t, `stop: `)
		install(path, link)
		cmd.Process.Signal(syscall.SIGUSR2)
		if said.must(t, `a new version|a successor serves`)[0] != "a new version" {
			t.Errorf("what was put %s is not what was started", what)
		}
	}
}

// TestStopIsHeardDuringAHandover, and ends the successor that does not get to serve.
func TestStopIsHeardDuringAHandover(t *testing.T) {
	path := buildGuise(t)
	cmd := exec.Command(path, "--set", "listeners=127.0.0.1:0")
	said := startGuise(t, cmd)
	said.must(t, `stop: `)
	replaceProgram(t, path, "echo successor $$ hangs >&2\nexec sleep 60\n")
	cmd.Process.Signal(syscall.SIGUSR2)
	successor, err := strconv.Atoi(said.must(t, `successor (\d+) hangs`)[1])
	if err != nil {
		t.Fatal(err)
	}
	cmd.Process.Signal(syscall.SIGTERM)
	said.must(t, `stopping`)
	var status syscall.WaitStatus
	// On Linux it is this process's child.
	if _, err := syscall.Wait4(successor, &status, 0, nil); err == nil && !status.Signaled() {
		t.Errorf("the successor lives on: %v", status)
	}
}

// TestStopIsHeardWhileItStarts: what it waits for may never come.
func TestStopIsHeardWhileItStarts(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "guise.yaml")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(buildGuise(t), "--config", pipe)
	said := startGuise(t, cmd)
	writer, err := os.OpenFile(pipe, os.O_WRONLY, 0) // returns when it reads
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	cmd.Process.Signal(syscall.SIGTERM)
	said.must(t, `stopped before it served`)
}

// TestStopIsHeardWhileItReloads: a file may be by then where nothing answers, as on a
// network.
func TestStopIsHeardWhileItReloads(t *testing.T) {
	list := filepath.Join(t.TempDir(), "list")
	writeFile(t, list, "ads.example\n")
	cmd := exec.Command(buildGuise(t), "--set", "listeners=127.0.0.1:0", "--set", "destinations.deny_lists="+list)
	said := startGuise(t, cmd)
	said.must(t, `stop: `)
	if err := os.Remove(list); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(list, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd.Process.Signal(syscall.SIGHUP)
	writer, err := os.OpenFile(list, os.O_WRONLY, 0) // returns when it reads
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	cmd.Process.Signal(syscall.SIGTERM)
	said.must(t, `the old one stays(?s:.*)stopping`)
}

// TestSocketActivation: a listener that was passed is served, and one that the
// configuration does not name is refused.
func TestSocketActivation(t *testing.T) {
	program := buildGuise(t)
	for _, named := range []bool{true, false} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		f, err := l.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		at := l.Addr().String()
		listeners := at
		if !named {
			listeners = "127.0.0.2:0"
		}
		// As systemd does, the shell names its own process and becomes guise.
		cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" --set listeners=`+listeners, program)
		cmd.ExtraFiles = []*os.File{f}
		said := startGuise(t, cmd)
		if !named {
			said.must(t, `a listener on 127.0.0.1:\d+ was passed to this process, but listeners does not name it; .*guise.socket`)
		} else {
			said.must(t, `listening on `+regexp.QuoteMeta(at))
		}
		f.Close()
		l.Close()
		if named {
			if err := askOnce(at); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestOutlivesItsReader: whoever read its messages may be gone, as a log's
// collector or tee at Ctrl-C; what is running goes on all the same.
func TestOutlivesItsReader(t *testing.T) {
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	cmd := exec.Command(buildGuise(t), "--set", "listeners=127.0.0.1:0")
	cmd.Stderr = writer
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	writer.Close()
	reader.SetReadDeadline(time.Now().Add(patience))
	var at string
	for lines := bufio.NewScanner(reader); lines.Scan() && lines.Text() != ""; {
		if m := regexp.MustCompile(`listening on ([^ ]+:\d+)`).FindStringSubmatch(lines.Text()); m != nil {
			at = m[1]
		}
	}
	reader.Close()
	cmd.Process.Signal(syscall.SIGHUP) // it says that it has reloaded
	if err := askOnce(at); err != nil {
		t.Error(err)
	}
	cmd.Process.Signal(syscall.SIGTERM) // and that it stops
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// TestStopIsHeardAmongReloads: however many a script asks for, and however long they
// take.
func TestStopIsHeardAmongReloads(t *testing.T) {
	var sites strings.Builder
	for n := range 4000 { // to be slow
		fmt.Fprintf(&sites, "  - {match: s%d.example, cookies: pass}\n", n)
	}
	file := filepath.Join(t.TempDir(), "guise.yaml")
	writeFile(t, file, "listeners: ['127.0.0.1:0']\nsites:\n"+sites.String())
	cmd := exec.Command(buildGuise(t), "--config", file)
	said := startGuise(t, cmd)
	said.must(t, `stop: `)
	for text := ""; strings.Count(text, "was reloaded") < 3; text, _ = said.now() { // by then others wait
		cmd.Process.Signal(syscall.SIGHUP)
	}
	cmd.Process.Signal(syscall.SIGTERM)
	said.must(t, "stopping")
}

// TestSystemdIsTold when it serves, as which process, and when it stops
// (sd_notify(3)).
func TestSystemdIsTold(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	told := func() string {
		l.SetReadDeadline(time.Now().Add(patience))
		b := make([]byte, 1024)
		n, err := l.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
	cmd := exec.Command(buildGuise(t), "--set", "listeners=127.0.0.1:0")
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+socket)
	startGuise(t, cmd)
	if got, want := told(), fmt.Sprintf("READY=1\nMAINPID=%d", cmd.Process.Pid); got != want {
		t.Errorf("told %q, want %q", got, want)
	}
	cmd.Process.Signal(syscall.SIGTERM)
	if got := told(); got != "STOPPING=1" {
		t.Errorf("at the end told %q", got)
	}
}

// TestTrustIsReadBeforeItIsWanted: the system's list of trusted authorities is read once,
// and where no descriptor is left at the first handshake, none would be trusted from then on.
func TestTrustIsReadBeforeItIsWanted(t *testing.T) {
	origin := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") }))
	defer origin.Close()
	roots := filepath.Join(t.TempDir(), "roots.pem")
	if err := syscall.Mkfifo(roots, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(buildGuise(t), "--set", "listeners=127.0.0.1:0", "--set", "destinations.allow=127.0.0.1", "--set", "destinations.connect_ports=1-65535")
	cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+roots, "SSL_CERT_DIR="+t.TempDir())
	said := startGuise(t, cmd)
	read := make(chan error, 1)
	go func() {
		w, err := os.OpenFile(roots, os.O_WRONLY, 0) // waits for who reads
		if err == nil {
			err = errors.Join(pem.Encode(w, &pem.Block{Type: "CERTIFICATE", Bytes: origin.Certificate().Raw}), w.Close())
		}
		read <- err
	}()
	select {
	case err := <-read:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(patience):
		t.Error("nobody reads the list")
		r, _ := os.OpenFile(roots, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		<-read
		r.Close()
		return
	}

	at := said.must(t, `listening on ([^ ]+:\d+)`)[1]
	c, err := net.DialTimeout("tcp", at, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(c, "GET %s/ HTTP/1.1\r\nHost: %s\r\n\r\n", origin.URL, origin.Listener.Addr())
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || resp.StatusCode != 200 {
		t.Error(resp, err)
	}
}

// TestQuitSaysCallsAlone: what the runtime says then are the arguments as well, with the
// addresses of clients among them.
func TestQuitSaysCallsAlone(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGQUIT, syscall.SIGABRT} {
		cmd := exec.Command(buildGuise(t), "--set", "listeners=127.0.0.1:0")
		said := startGuise(t, cmd)
		said.must(t, `stop: `)
		cmd.Process.Signal(s)
		said.must(t, `main\.\(\*program\)\.serve\+`) // in obey, or on its way there
		cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != exitFound {
			t.Errorf("%v: exit code %d", s, code)
		}
		if text := said.must(t, `(?s).*`)[0]; regexp.MustCompile(`[({]0x`).MatchString(text) {
			t.Errorf("%v: arguments:\n%s", s, text)
		}
	}
}
