package proxy

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"guise/proxy/inspect"
)

// pattern is the body of n bytes that belongs to a number.
func pattern(number, n int) []byte {
	seed := sha256.Sum256([]byte(strconv.Itoa(number)))
	return bytes.Repeat(seed[:], n/len(seed)+1)[:n]
}

// A workshop is an origin that answers GET /number/size with a pattern, and
// POST with the digest of what came. It notes uploads that came twice.
type workshop struct {
	mu    sync.Mutex
	posts map[string]int
}

func (o *workshop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var number, size int
	fmt.Sscanf(r.URL.Path, "/%d/%d", &number, &size)
	w.Header().Set("Cache-Control", "no-store")
	if r.Method == http.MethodGet {
		if number%2 == 0 {
			w.Header().Set("Content-Length", strconv.Itoa(size))
		}
		w.Write(pattern(number, size))
		return
	}
	o.mu.Lock()
	o.posts[r.URL.Path]++
	o.mu.Unlock()
	h := sha256.New()
	if _, err := io.Copy(h, r.Body); err != nil {
		panic(http.ErrAbortHandler)
	}
	fmt.Fprintf(w, "%x", h.Sum(nil))
}

// An outcome is how a request ended that met a fault.
type outcome int

const (
	wholeAnswer outcome = iota
	saidSo              // guise answered 502 or 504
	cutOff              // the answer broke off
	outcomes
)

// work makes one request on conn and checks every byte. It returns an error
// for what must not happen: wrong bytes, another status, or no end.
func work(conn net.Conn, r *bufio.Reader, host string, number, size int) (outcome, error) {
	conn.SetDeadline(time.Now().Add(4 * patience))
	upload := number%3 == 0
	sent := pattern(number, size)
	if upload {
		fmt.Fprintf(conn, "POST http://%s/%d/%d HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", host, number, size, size)
		conn.Write(sent) // if it fails, so does the read
	} else {
		fmt.Fprintf(conn, "GET http://%s/%d/%d HTTP/1.1\r\nHost: x\r\n\r\n", host, number, size)
	}
	resp, err := http.ReadResponse(r, nil)
	if err == nil {
		defer resp.Body.Close()
		var got []byte
		got, err = io.ReadAll(resp.Body)
		switch {
		case err != nil:
		case resp.StatusCode == 502 || resp.StatusCode == 504:
			return saidSo, nil
		case resp.StatusCode != 200:
			return 0, fmt.Errorf("status %d", resp.StatusCode)
		case upload && string(got) != fmt.Sprintf("%x", sha256.Sum256(sent)):
			return 0, fmt.Errorf("the origin answered 200 to another upload: %.80q", got)
		case !upload && !bytes.Equal(got, sent):
			return 0, fmt.Errorf("%d wrong bytes of %d were passed for whole", len(got), size)
		}
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return 0, errors.New("no end")
	case err != nil:
		return cutOff, nil
	}
	return wholeAnswer, nil
}

// TestFaultsOnTheWayToOrigins puts resets, stalls, slices, limits and early
// ends between proxy and origin while 500 clients work: none waits for ever,
// none gets a wrong byte, no upload comes twice, and nothing is left behind.
func TestFaultsOnTheWayToOrigins(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	clients, each := 500, 2
	origin := &workshop{posts: make(map[string]int)}
	server := httptest.NewServer(origin)
	defer server.Close()
	faulty := startFaultyWay(t, server.Listener.Addr().String())
	before := held()
	t.Run("work", func(t *testing.T) {
		patient := serveProxy(t, nil) // where nothing is at fault, all must come, however busy the machine is
		hasty := serveProxy(t, func(o *Options) {
			o.Timeouts.Response, o.Timeouts.Body, o.Timeouts.Write = 4*time.Second, 4*time.Second, 4*time.Second
		})
		number := atomic.Int64{}
		for _, fault := range []string{
			``,
			`{"type": "latency", "attributes": {"latency": 20, "jitter": 20}}`,
			`{"type": "slicer", "attributes": {"average_size": 64, "size_variation": 32, "delay": 10}}`,
			`{"type": "bandwidth", "attributes": {"rate": 512}}`,
			`{"type": "reset_peer", "toxicity": 0.5, "attributes": {"timeout": 5}}`,
			`{"type": "reset_peer", "stream": "upstream", "toxicity": 0.5, "attributes": {"timeout": 0}}`,
			`{"type": "limit_data", "toxicity": 0.5, "attributes": {"bytes": 100}}`,
			`{"type": "limit_data", "toxicity": 0.5, "attributes": {"bytes": 3000}}`,
			`{"type": "limit_data", "stream": "upstream", "toxicity": 0.5, "attributes": {"bytes": 2000}}`,
			`{"type": "timeout", "toxicity": 0.3, "attributes": {"timeout": 0}}`,
			`{"type": "timeout", "stream": "upstream", "toxicity": 0.3, "attributes": {"timeout": 100}}`,
			`{"type": "slow_close", "attributes": {"delay": 20}}`,
		} {
			faulty.replaceFault(t, fault)
			proxy := hasty
			if fault == "" {
				proxy = patient
			}
			var count [outcomes]atomic.Int64
			var working sync.WaitGroup
			for range clients {
				working.Go(func() {
					var conn net.Conn
					var r *bufio.Reader
					for range each {
						if conn == nil {
							var err error
							if conn, err = net.DialTimeout("tcp", proxy, patience); err != nil {
								t.Errorf("%s: %v", fault, err)
								return
							}
							r = bufio.NewReader(conn)
						}
						n := int(number.Add(1))
						how, err := work(conn, r, faulty.address, n, 1<<(n%14)+n%7)
						if err != nil {
							t.Errorf("%s: request %d: %v", fault, n, err)
							break
						}
						if count[how].Add(1); how != wholeAnswer {
							conn.Close()
							conn = nil
						}
					}
					if conn != nil {
						conn.Close()
					}
				})
			}
			working.Wait()
			t.Logf("%d whole, %d told, %d cut with %s", count[wholeAnswer].Load(), count[saidSo].Load(), count[cutOff].Load(), fault)
			if count[wholeAnswer].Load() == 0 || fault == "" && count[wholeAnswer].Load() < int64(clients*each) {
				t.Errorf("%s: only %d answers came", fault, count[wholeAnswer].Load())
			}
		}
	})
	origin.mu.Lock()
	for path, times := range origin.posts {
		if times > 1 {
			t.Errorf("upload %s came %d times", path, times)
		}
	}
	origin.mu.Unlock()
	server.CloseClientConnections()
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		now := held()
		if now.goroutines <= before.goroutines && now.descriptors <= before.descriptors+4 && now.heap <= before.heap+16<<20 {
			t.Logf("before %+v, after %+v", before, now)
			return
		}
		if time.Since(begin) > patience {
			stacks := make([]byte, 1<<20)
			t.Fatalf("before %+v, after %+v\n%s", before, now, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

// TestConnectionsToOriginsGoBeforeClientsAre: where descriptors run short, those that
// nobody uses are closed, of either kind, and no other.
func TestConnectionsToOriginsGoBeforeClientsAre(t *testing.T) {
	hold, held := make(chan bool), make(chan bool)
	handle := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hold" {
			held <- true
			<-hold
		}
	}
	var opened atomic.Int32
	plain := httptest.NewUnstartedServer(http.HandlerFunc(handle))
	plain.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	plain.Start()
	defer plain.Close()
	secure := serveSecure(t, handle, nil, "h2")
	p, address := newProxy(t, inspecting(inspect.Always))
	client := visitor(t, address, trusting(testAuthority()), false)
	for url, connections := range map[string]func() int{
		plain.URL:                   func() int { return int(opened.Load()) },
		"https://" + secure.address: secure.connections,
	} {
		ask := func(path string) {
			if resp, _, err := read(client, url+path); err != nil || resp.StatusCode != 200 {
				t.Error(resp, err)
			}
		}
		ask("/")
		var holding sync.WaitGroup
		holding.Go(func() { ask("/hold") })
		<-held
		if p.letGo() {
			t.Errorf("%s: the connection of a request under way was closed", url)
		}
		hold <- true
		holding.Wait()
		until(t, "a connection to be let go", p.letGo) // it is idle a moment after the response
		if n := connections(); n != 1 {
			t.Errorf("%s: %d connections before", url, n)
		}
		ask("/")
		if n := connections(); n != 2 {
			t.Errorf("%s: %d connections after", url, n)
		}
		until(t, "a connection to be let go", p.letGo)
	}
}

// holdings are what a proxy could leave behind.
type holdings struct {
	goroutines  int // of this project
	descriptors int
	heap        uint64
}

func held() holdings {
	var h holdings
	stacks := make([]byte, 8<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for one := range bytes.SplitSeq(stacks, []byte("\n\n")) {
		if bytes.Contains(one, []byte("guise/")) && !bytes.Contains(one, []byte("_test.go")) {
			h.goroutines++
		}
	}
	if names, err := os.ReadDir("/proc/self/fd"); err == nil {
		h.descriptors = len(names)
	}
	runtime.GC()
	runtime.GC() // what the first one finalizes
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	h.heap = m.HeapAlloc
	return h
}
