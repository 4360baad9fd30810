package wire

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

var soakRequests = flag.Int("soak", 5_000, "requests of TestSoak; 1000000 takes some minutes")

// A task is one request of the soak. All about it follows from its number, so
// that both ends know it without telling each other.
type task struct {
	id           uint64
	method       string
	sends, gets  []byte // bodies
	sendsChunked bool
	getsChunked  bool
	fault        fault
	clientCuts   bool // within its own request
	random       *rand.Rand
	originPieces int // in how large pieces the origin writes, in bytes; 0 at once
	clientPieces int
}

type fault uint8

// What an origin does wrong.
const (
	noFault   fault = iota
	cutBefore       // hangs up instead of answering
	cutWithin       // hangs up within the answer
	stall           // rests within the answer
)

func newTask(id uint64) *task {
	r := rand.New(rand.NewPCG(id, 0x5eed))
	t := &task{id: id, random: r, method: []string{"GET", "GET", "PUT", "POST"}[r.IntN(4)]}
	t.gets = soakBytes(r, soakSize(r))
	if t.method != "GET" {
		t.sends = soakBytes(r, soakSize(r))
		t.sendsChunked = r.IntN(2) == 0
		t.clientCuts = r.IntN(200) == 0 && len(t.sends) > 1
	}
	t.getsChunked = r.IntN(2) == 0
	switch r.IntN(100) {
	case 0:
		t.fault = cutBefore
	case 1:
		t.fault = cutWithin
	case 2:
		t.fault = stall
	}
	if r.IntN(4) == 0 {
		t.originPieces, t.clientPieces = 1+r.IntN(700), 1+r.IntN(700)
	}
	return t
}

// soakSize favours the edges of buffers.
func soakSize(r *rand.Rand) int {
	switch r.IntN(8) {
	case 0:
		return 0
	case 1:
		return smallBuffer - 300 + r.IntN(600)
	case 2:
		return copyBuffer - 300 + r.IntN(600)
	case 3:
		return r.IntN(80 << 10)
	case 4:
		if r.IntN(40) == 0 { // they take long
			return []int{copyBuffer + largeBuffer, maxWrite, maxCall}[r.IntN(3)] - 300 + r.IntN(600)
		}
	}
	return r.IntN(2000)
}

func soakBytes(r *rand.Rand, n int) []byte {
	b := make([]byte, 0, n+8)
	for len(b) < n {
		b = binary.LittleEndian.AppendUint64(b, r.Uint64())
	}
	return b[:n]
}

// frame returns a message's framing fields and its framed body.
func (t *task) frame(body []byte, inChunks bool) (string, []byte) {
	if !inChunks {
		return fmt.Sprintf("Content-Length: %d\r\n", len(body)), body
	}
	var b []byte
	for len(body) > 0 {
		n := min(len(body), 1+t.random.IntN(5000))
		b = append(fmt.Appendf(b, "%x\r\n", n), body[:n]...)
		b = append(b, "\r\n"...)
		body = body[n:]
	}
	return "Transfer-Encoding: chunked\r\n", append(b, "0\r\n\r\n"...)
}

// inPieces writes b in pieces.
func inPieces(w io.Writer, b []byte, size int) error {
	for size > 0 && len(b) > size {
		if _, err := w.Write(b[:size]); err != nil {
			return err
		}
		b = b[size:]
	}
	_, err := w.Write(b)
	return err
}

// A soak counts what went how, and holds the first thing that went wrong.
type soak struct {
	host               string
	next               atomic.Uint64
	whole, failed, cut atomic.Int64
	mu                 sync.Mutex
	wrong              error
	posted             []atomic.Uint32 // a bit for each unsafe request that arrived
	requests           uint64
}

func (s *soak) fault(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wrong == nil {
		s.wrong = fmt.Errorf(format, args...)
	}
}

func (s *soak) ok() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wrong == nil
}

// TestSoak has verifying clients send pipelined requests in pieces through
// Server and Transport to a verifying origin, while both of them cut and rest
// at random. No byte may arrive that was not sent there, nothing may be
// missing without the connection saying so, and no unsafe request may come twice.
func TestSoak(t *testing.T) {
	s := &soak{requests: uint64(*soakRequests)}
	s.posted = make([]atomic.Uint32, s.requests/32+1)
	s.host = listenSoak(t, s.origin)
	transport := &Transport{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}}
	defer transport.Close()
	server := &Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.pass(transport, w, r) })}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for s.ok() && s.converse(l.Addr().String()) {
			}
		})
	}
	clients.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	<-served
	if s.wrong != nil {
		t.Error(s.wrong)
	}
	t.Logf("%d answered whole, %d answered 502, %d cut", s.whole.Load(), s.failed.Load(), s.cut.Load())
	if s.whole.Load() < int64(s.requests)/2 {
		t.Error("fewer than half came through: this tests nothing")
	}
}

// listenSoak serves connections with f until the test ends.
func listenSoak(t *testing.T, f func(net.Conn)) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer c.Close()
				c.SetDeadline(time.Now().Add(30 * time.Minute))
				f(c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		running.Wait()
	})
	return l.Addr().String()
}

// pass is the proxy in the middle.
func (s *soak) pass(transport *Transport, w http.ResponseWriter, r *http.Request) {
	out := r.Clone(r.Context())
	out.URL.Scheme, out.URL.Host = "http", s.host
	resp, err := transport.RoundTrip(out)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	maps.Copy(w.Header(), resp.Header)
	w.WriteHeader(resp.StatusCode)
	if _, err := w.(io.ReaderFrom).ReadFrom(resp.Body); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// origin answers tasks, as badly as they say.
func (s *soak) origin(c net.Conn) {
	br := bufio.NewReader(c)
	for {
		r, err := http.ReadRequest(br)
		if err != nil {
			return
		}
		id, err := strconv.ParseUint(strings.TrimPrefix(r.URL.Path, "/"), 10, 64)
		if err != nil || id >= s.requests {
			s.fault("the origin was asked for %q", r.URL.Path)
			return
		}
		task := newTask(id)
		got, err := io.ReadAll(r.Body)
		switch {
		case r.Method != task.method:
			s.fault("task %d: method %s, want %s", id, r.Method, task.method)
		case err != nil && !bytes.HasPrefix(task.sends, got):
			s.fault("task %d: the origin got wrong bytes before the body broke off", id)
		case err == nil && !bytes.Equal(got, task.sends):
			s.fault("task %d: the origin got %d bytes, other than the %d sent", id, len(got), len(task.sends))
		case err == nil && task.clientCuts:
			s.fault("task %d: a body that was cut came whole", id)
		case r.Method == "POST" && s.posted[id/32].Or(1<<(id%32))&(1<<(id%32)) != 0:
			s.fault("task %d: a POST came twice", id)
		}
		if err != nil || !s.ok() || task.fault == cutBefore {
			return
		}
		fields, body := task.frame(task.gets, task.getsChunked)
		answer := append([]byte("HTTP/1.1 200 OK\r\nTask: "+strconv.FormatUint(id, 10)+"\r\n"+fields+"\r\n"), body...)
		half := len(answer) - (len(body)+1)/2
		switch task.fault {
		case cutWithin:
			inPieces(c, answer[:min(half, len(answer)-1)], task.originPieces)
			return
		case stall:
			inPieces(c, answer[:half], task.originPieces)
			time.Sleep(time.Millisecond) // resting is what is tested
			answer = answer[half:]
		}
		if inPieces(c, answer, task.originPieces) != nil {
			return
		}
	}
}

// converse sends some requests on one connection and checks the answers. It
// returns false when there are no more tasks.
func (s *soak) converse(address string) bool {
	var tasks []*task
	for range 1 + rand.IntN(12) {
		if id := s.next.Add(1) - 1; id < s.requests {
			tasks = append(tasks, newTask(id))
		}
	}
	if len(tasks) == 0 {
		return false
	}
	c, err := net.Dial("tcp", address)
	if err != nil {
		s.fault("dial: %v", err)
		return false
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	var writing sync.WaitGroup
	defer writing.Wait()
	defer c.Close()
	writing.Go(func() {
		for _, task := range tasks {
			fields, body := "", []byte(nil)
			if task.method != "GET" {
				fields, body = task.frame(task.sends, task.sendsChunked)
			}
			raw := append(fmt.Appendf(nil, "%s /%d HTTP/1.1\r\nHost: %s\r\n%s\r\n", task.method, task.id, s.host, fields), body...)
			if task.clientCuts {
				inPieces(c, raw[:len(raw)-(len(body)+1)/2], task.clientPieces)
				c.(*net.TCPConn).CloseWrite()
				return
			}
			if inPieces(c, raw, task.clientPieces) != nil {
				return
			}
		}
	})
	br := bufio.NewReader(c)
	for i, current := range tasks {
		later := slices.ContainsFunc(tasks[i+1:], (*task).cuts)
		if !s.check(br, current, later) {
			s.cut.Add(int64(len(tasks) - i))
			return true
		}
	}
	return true
}

// cuts tells whether one of the ends is to cut the task.
func (t *task) cuts() bool { return t.clientCuts || t.fault == cutBefore || t.fault == cutWithin }

// check reads the answer to a task and reports whether another may follow. An
// answer may be missing or cut only if one of the ends was told to cut it, or
// by a reset if a later one is cut while the client still sends.
func (s *soak) check(br *bufio.Reader, task *task, cutLater bool) bool {
	excused := task.cuts()
	reset := func(err error) bool { return cutLater && errors.Is(err, syscall.ECONNRESET) }
	resp, err := http.ReadResponse(br, &http.Request{Method: task.method})
	if err != nil {
		if !excused && !reset(err) || errors.Is(err, context.DeadlineExceeded) {
			s.fault("task %d: no answer: %v", task.id, err)
		}
		return false
	}
	got, err := io.ReadAll(resp.Body)
	switch {
	case resp.StatusCode == http.StatusBadGateway || resp.StatusCode == http.StatusBadRequest:
		if !excused {
			s.fault("task %d: answered %d without a reason", task.id, resp.StatusCode)
		}
		s.failed.Add(1)
		return err == nil && !resp.Close
	case resp.Header.Get("Task") != strconv.FormatUint(task.id, 10):
		s.fault("task %d: got the answer to task %q", task.id, resp.Header.Get("Task"))
	case err != nil && !excused && !reset(err):
		s.fault("task %d: the answer broke off: %v", task.id, err)
	case err != nil && !bytes.HasPrefix(task.gets, got):
		s.fault("task %d: wrong bytes before the answer broke off", task.id)
	case err == nil && task.fault == cutWithin:
		s.fault("task %d: an answer that was cut came whole", task.id)
	case err == nil && !bytes.Equal(got, task.gets):
		s.fault("task %d: %d bytes, other than the %d sent", task.id, len(got), len(task.gets))
	}
	if err != nil {
		return false
	}
	s.whole.Add(1)
	return !resp.Close
}
