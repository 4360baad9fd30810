package wire

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// mirror sends the request's body back, framed and paced as its query says.
func mirror(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("X-Sum", fmt.Sprintf("%x", sha256.Sum256(b)))
	if r.URL.Query().Has("length") {
		w.Header().Set("Content-Length", fmt.Sprint(len(b)))
	}
	if r.URL.Query().Has("copy") {
		io.Copy(w, struct{ io.Reader }{bytes.NewReader(b)})
		return
	}
	for len(b) > 0 {
		n := min(len(b), 1+rand.IntN(9000))
		w.Write(b[:n])
		if rand.IntN(4) == 0 {
			w.(http.Flusher).Flush()
		}
		b = b[n:]
	}
}

func exchangeAtRandom(c *http.Client, base string, rnd *rand.Rand) error {
	body := make([]byte, rnd.IntN(100<<10)>>rnd.IntN(17))
	for i := range body {
		body[i] = byte(rnd.Uint32())
	}
	var src io.Reader = bytes.NewReader(body)
	if rnd.IntN(2) == 0 {
		src = struct{ io.Reader }{src} // unknown length
	}
	query := []string{"", "?length", "?copy", "?length&copy"}[rnd.IntN(4)]
	r, err := http.NewRequest("POST", base+"/"+query, src)
	if err != nil {
		return err
	}
	resp, err := c.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, body) || resp.Header.Get("X-Sum") != fmt.Sprintf("%x", sha256.Sum256(body)) {
		return fmt.Errorf("body of %d bytes came back as %d others", len(body), len(got))
	}
	return nil
}

func TestServerAgainstNetHTTP(t *testing.T) {
	addr := startServer(t, mirror, nil)
	c := &http.Client{Transport: &http.Transport{}}
	defer c.CloseIdleConnections()
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			rnd := rand.New(rand.NewPCG(1, uint64(worker)))
			for range 100 {
				if err := exchangeAtRandom(c, "http://"+addr, rnd); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
}

// startTLSServer is startServer on TLS; it returns a client that trusts it.
func startTLSServer(t *testing.T, h http.HandlerFunc) (base string, c *http.Client) {
	t.Helper()
	ts := httptest.NewTLSServer(nil) // for its certificate
	ts.Close()
	l, err := tls.Listen("tcp", "127.0.0.1:0", ts.TLS)
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Handler: h}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	config := ts.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	config.NextProtos = nil
	c = &http.Client{Transport: &http.Transport{TLSClientConfig: config}}
	t.Cleanup(func() {
		c.CloseIdleConnections()
		s.Close()
		<-served
	})
	return "https://" + l.Addr().String(), c
}

func TestServerTLS(t *testing.T) {
	base, c := startTLSServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil || !r.TLS.HandshakeComplete {
			t.Error("no TLS state")
		}
		mirror(w, r)
	})
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		if err := exchangeAtRandom(c, base, rnd); err != nil {
			t.Fatal(err)
		}
	}
}

// Under TLS, a response that ends with the connection is cut by leaving out
// the close_notify.
func TestServerTLSCut(t *testing.T) {
	base, c := startTLSServer(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "hello")
		w.(http.Flusher).Flush()
		if r.URL.Path == "/cut" {
			panic(http.ErrAbortHandler)
		}
	})
	for path, whole := range map[string]bool{"/": true, "/cut": false} {
		nc, err := tls.Dial("tcp", strings.TrimPrefix(base, "https://"), c.Transport.(*http.Transport).TLSClientConfig)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(nc, "GET "+path+" HTTP/1.0\r\n\r\n")
		b, err := io.ReadAll(nc)
		if (err == nil) != whole {
			t.Errorf("%s: %q, %v", path, b, err)
		}
		nc.Close()
	}
}

func TestServerAgainstCurl(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("no curl")
	}
	addr := startServer(t, mirror, nil)
	upload := filepath.Join(t.TempDir(), "upload")
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	if err := os.WriteFile(upload, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"with a length, after 100": {"--data-binary", "@" + upload, "-H", "Expect: 100-continue"},
		"chunked":                  {"-T", upload, "-X", "POST", "-H", "Transfer-Encoding: chunked"},
		"HTTP/1.0":                 {"--http1.0", "--data-binary", "@" + upload},
		"as to a proxy":            {"--data-binary", "@" + upload, "-x", addr, "http://a.example/"},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"-sS", "--fail", "--noproxy", "", "--max-time", "20"}, args...)
			if name != "as to a proxy" {
				args = append(args, "http://"+addr+"/")
			}
			out, err := exec.Command(curl, args...).Output()
			if err != nil || !bytes.Equal(out, content) {
				t.Errorf("%d bytes, %v", len(out), err)
			}
		})
	}
}

// Cuts at random points, stalls and pipelining: each request that came whole is
// answered with its own bytes, in order, and no other reaches the handler whole.
func TestServerRandomCuts(t *testing.T) {
	addr := startServer(t, mirror, nil)
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		var raw, want bytes.Buffer
		for i := range 1 + rnd.IntN(4) {
			body := bytes.Repeat([]byte{byte('a' + i)}, rnd.IntN(6000))
			if rnd.IntN(2) == 0 {
				fmt.Fprintf(&raw, "POST /?length HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
			} else {
				fmt.Fprintf(&raw, "POST /?length HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", max(len(body), 1), body[:max(len(body), min(1, len(body)))])
				if len(body) == 0 {
					break // not a chunk at all: the rest cannot be a request
				}
			}
			want.Write(body)
		}
		all := raw.Bytes()
		cutAt := rnd.IntN(len(all) + 1)
		nc := dial(t, addr)
		for sent := 0; sent < cutAt; {
			n := min(cutAt-sent, 1+rnd.IntN(4000))
			if _, err := nc.Write(all[sent : sent+n]); err != nil {
				break
			}
			sent += n
			runtime.Gosched()
		}
		nc.CloseWrite()
		b, _ := io.ReadAll(nc)
		var got bytes.Buffer
		for part := range bytes.SplitSeq(b, []byte("HTTP/1.1 200 OK\r\n")) {
			if _, body, ok := bytes.Cut(part, []byte("\r\n\r\n")); ok && !bytes.HasPrefix(part, []byte("HTTP/1.1 4")) {
				got.Write(body)
			}
		}
		if !bytes.HasPrefix(want.Bytes(), got.Bytes()) {
			t.Fatalf("sent %q, got %q", all[:cutAt], b)
		}
		nc.Close()
	}
}

// Handlers and connections come and go at once without a race.
func TestServerShutdownUnderLoad(t *testing.T) {
	for range 5 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s := &Server{Handler: http.HandlerFunc(mirror)}
		served := make(chan error, 1)
		go func() { served <- s.Serve(l) }()
		var group sync.WaitGroup
		enough := make(chan bool, 1000)
		for worker := range 8 {
			group.Go(func() {
				c := &http.Client{Transport: &http.Transport{}}
				defer c.CloseIdleConnections()
				rnd := rand.New(rand.NewPCG(5, uint64(worker)))
				for range 100 {
					if exchangeAtRandom(c, "http://"+l.Addr().String(), rnd) != nil {
						return // the listener is closed, or an idle connection was
					}
					enough <- true
				}
			})
		}
		for range 50 {
			<-enough
		}
		if err := s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		s.mu.Lock()
		if len(s.conns) > 0 {
			t.Errorf("%d connections left", len(s.conns))
		}
		s.mu.Unlock()
		group.Wait()
		<-served
	}
}
