package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// patience is how long a script waits for what must happen.
const patience = 20 * time.Second

type sceneKey struct{}

// A scene is what a script acts with: a recording origin, a running guise,
// and the client's connections.
type scene struct {
	origin   net.Listener
	echoes   net.Listener
	recorded transcript
	released chan struct{}
	guise    *exec.Cmd
	said     transcript
	ended    chan error // guise has exited
	begun    chan answer
	tunnel   net.Conn
	running  sync.WaitGroup
}

// An answer is what a client got.
type answer struct {
	body string
	err  error
}

func newScene() *scene {
	return &scene{released: make(chan struct{}), ended: make(chan error, 1), begun: make(chan answer, 1)}
}

func inScene(f func(*scene, *testscript.TestScript, bool, []string)) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		f(ts.Value(sceneKey{}).(*scene), ts, neg, args)
	}
}

func (s *scene) close() {
	if s.guise != nil {
		s.guise.Process.Kill()
	}
	for _, c := range []io.Closer{s.origin, s.echoes, s.tunnel} {
		if c != nil {
			c.Close()
		}
	}
	s.unblock()
	s.running.Wait()
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

func (s *scene) unblock() {
	select {
	case <-s.released:
	default:
		close(s.released)
	}
}

// A transcript is text that grows while others wait for something in it.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
	grew chan struct{} // closed and replaced at each write
}

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.grew != nil {
		close(t.grew)
	}
	t.grew = make(chan struct{})
	return t.text.Write(p)
}

func (t *transcript) now() (string, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.grew == nil {
		t.grew = make(chan struct{})
	}
	return t.text.String(), t.grew
}

// await returns the first match of pattern in t, waiting for it to be written.
func (t *transcript) await(pattern *regexp.Regexp) ([]string, error) {
	deadline := time.After(patience)
	for {
		text, grew := t.now()
		if m := pattern.FindStringSubmatch(text); m != nil {
			return m, nil
		}
		select {
		case <-grew:
		case <-deadline:
			return nil, fmt.Errorf("no match of %s in:\n%s", pattern, text)
		}
	}
}

// origin starts a recording origin as $ORIGIN and an echo server as $ECHO
// (host:port). /hold answers half at once and the rest after release.
func (s *scene) startOrigin(ts *testscript.TestScript, neg bool, args []string) {
	var err error
	s.origin, err = net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	s.echoes, err = net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Setenv("ORIGIN", "http://"+s.origin.Addr().String())
	ts.Setenv("ECHO", s.echoes.Addr().String())
	s.accept(s.origin, s.answer)
	s.accept(s.echoes, func(c net.Conn) { io.Copy(c, c) })
}

func (s *scene) accept(l net.Listener, handle func(net.Conn)) {
	s.running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.running.Go(func() {
				defer c.Close()
				handle(c)
			})
		}
	})
}

func (s *scene) answer(c net.Conn) {
	r := bufio.NewReader(io.TeeReader(c, &s.recorded))
	for {
		request, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		if request.URL.Path != "/hold" {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 6\r\n\r\nhello\n")
			continue
		}
		io.WriteString(c, "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 8\r\n\r\nhalf")
		<-s.released
		io.WriteString(c, "half")
	}
}

// release lets /hold send its second half.
func (s *scene) release(*testscript.TestScript, bool, []string) { s.unblock() }

// origin-saw PATTERN holds if a request matched so far.
func (s *scene) originSaw(ts *testscript.TestScript, neg bool, args []string) {
	text, _ := s.recorded.now()
	if regexp.MustCompile("(?mi)"+args[0]).MatchString(text) == neg {
		ts.Fatalf("the origin saw:\n%s", text)
	}
}

// serve ARGS... runs guise in the background until it says where it listens,
// which becomes $PROXY.
func (s *scene) serve(ts *testscript.TestScript, neg bool, args []string) {
	s.guise = exec.Command("guise", args...)
	s.guise.Dir = ts.MkAbs(".")
	s.guise.Stderr = &s.said
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "GOCOVERDIR"} {
		if v := ts.Getenv(name); v != "" {
			s.guise.Env = append(s.guise.Env, name+"="+v)
		}
	}
	ts.Check(s.guise.Start())
	s.running.Go(func() { s.ended <- s.guise.Wait() })
	m, err := s.said.await(regexp.MustCompile(`listening on ([^, ]+)`))
	ts.Check(err)
	ts.Setenv("PROXY", m[1])
}

// signal NAME sends TERM, INT or HUP to guise.
func (s *scene) signal(ts *testscript.TestScript, neg bool, args []string) {
	known := map[string]syscall.Signal{"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "HUP": syscall.SIGHUP}
	ts.Check(s.guise.Process.Signal(known[args[0]]))
}

// says PATTERN waits until guise has written a match to standard error; a
// group in it becomes $FOUND. ! says PATTERN holds if there is none so far.
func (s *scene) says(ts *testscript.TestScript, neg bool, args []string) {
	pattern := regexp.MustCompile("(?m)" + args[0])
	if text, _ := s.said.now(); neg {
		if pattern.MatchString(text) {
			ts.Fatalf("guise said:\n%s", text)
		}
		return
	}
	m, err := s.said.await(pattern)
	ts.Check(err)
	if len(m) > 1 {
		ts.Setenv("FOUND", m[1])
	}
}

// exited CODE waits until guise has exited by itself with that code.
func (s *scene) exited(ts *testscript.TestScript, neg bool, args []string) {
	select {
	case err := <-s.ended:
		code := 0
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			code = exit.ExitCode()
		} else {
			ts.Check(err)
		}
		if fmt.Sprint(code) != args[0] {
			text, _ := s.said.now()
			ts.Fatalf("exit code %d; guise said:\n%s", code, text)
		}
	case <-time.After(patience):
		ts.Fatalf("guise still runs")
	}
}

// fetch gets target through the proxy, and the proxy's own pages directly.
func fetch(proxy, target string, fields []string) answer {
	transport := &http.Transport{DisableKeepAlives: true}
	if !strings.HasPrefix(target, "http://"+proxy+"/") {
		transport.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: proxy})
	}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return answer{err: err}
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ":")
		r.Header.Add(name, strings.TrimSpace(value))
	}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return answer{err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{fmt.Sprintf("%d %s\n%s", resp.StatusCode, resp.Header.Get("Content-Type"), body), err}
}

// get URL [Name:value]... fetches through $PROXY; status and body become
// stdout. ! get holds if the proxy cannot be reached or cuts the answer.
func (s *scene) get(ts *testscript.TestScript, neg bool, args []string) {
	a := fetch(ts.Getenv("PROXY"), args[0], args[1:])
	if (a.err != nil) != neg {
		ts.Fatalf("got %q, %v", a.body, a.err)
	}
	io.WriteString(ts.Stdout(), a.body)
}

// ask HOST:PORT PATH, or ask unix:SOCKET PATH, fetches from there, past the
// proxy; status and body become stdout.
func (s *scene) ask(ts *testscript.TestScript, neg bool, args []string) {
	transport := &http.Transport{DisableKeepAlives: true}
	host := args[0]
	if socket, ok := strings.CutPrefix(host, "unix:"); ok {
		host = "socket"
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", ts.MkAbs(socket))
		}
	}
	client := &http.Client{Transport: transport, Timeout: patience}
	resp, err := client.Get("http://" + host + args[1])
	if (err != nil) != neg {
		ts.Fatalf("got %v", err)
	}
	if err != nil {
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%d %s\n%s", resp.StatusCode, resp.Header.Get("Content-Type"), body)
}

// begin URL fetches in the background; it returns when the origin was asked.
func (s *scene) begin(ts *testscript.TestScript, neg bool, args []string) {
	proxy := ts.Getenv("PROXY")
	s.running.Go(func() { s.begun <- fetch(proxy, args[0], nil) })
	_, err := s.recorded.await(regexp.MustCompile(`GET /hold`))
	ts.Check(err)
}

// finish waits for what was begun; ! finish holds if it was cut.
func (s *scene) finish(ts *testscript.TestScript, neg bool, args []string) {
	select {
	case a := <-s.begun:
		if (a.err != nil) != neg {
			ts.Fatalf("got %q, %v", a.body, a.err)
		}
		io.WriteString(ts.Stdout(), a.body)
	case <-time.After(patience):
		ts.Fatalf("no answer yet")
	}
}

// tunnel opens a CONNECT tunnel to $ECHO through $PROXY.
func (s *scene) openTunnel(ts *testscript.TestScript, neg bool, args []string) {
	var err error
	s.tunnel, err = net.DialTimeout("tcp", ts.Getenv("PROXY"), patience)
	ts.Check(err)
	ts.Check(s.tunnel.SetDeadline(time.Now().Add(patience)))
	fmt.Fprintf(s.tunnel, "CONNECT %[1]s HTTP/1.1\r\nHost: %[1]s\r\n\r\n", ts.Getenv("ECHO"))
	var head []byte
	for one := make([]byte, 1); !bytes.HasSuffix(head, []byte("\r\n\r\n")); head = append(head, one...) {
		_, err := s.tunnel.Read(one)
		ts.Check(err)
	}
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 200 ")) {
		ts.Fatalf("CONNECT: %s", head)
	}
}

// echo TEXT sends through the tunnel and waits for the same to come back;
// ! echo holds if the tunnel is cut.
func (s *scene) echo(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(s.tunnel.SetDeadline(time.Now().Add(patience)))
	_, err := io.WriteString(s.tunnel, args[0])
	got := make([]byte, len(args[0]))
	if err == nil {
		_, err = io.ReadFull(s.tunnel, got)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) || (err != nil || string(got) != args[0]) != neg {
		ts.Fatalf("got %q, %v", got, err)
	}
}
