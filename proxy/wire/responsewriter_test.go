package wire

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
)

var dateField = regexp.MustCompile(`Date: [^\r]*\r\n`)

// Reasons are those of the registry that RFC 9110 §16.2.1 keeps.
func TestReasonsAreTheStandards(t *testing.T) {
	for status, want := range map[int]string{
		200: "OK", 404: "Not Found", 413: "Content Too Large", 414: "URI Too Long",
		416: "Range Not Satisfiable", 422: "Unprocessable Content", 600: "",
	} {
		if got := string(appendStatusLine(nil, status, "")); got != fmt.Sprintf("HTTP/1.1 %d %s\r\n", status, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	addr := startServer(t, echo, func(s *Server) { s.Limits.Target = 10 })
	conn := dial(t, addr)
	io.WriteString(conn, "GET /longer-than-that HTTP/1.1\r\nHost: a\r\n\r\n")
	got, _ := io.ReadAll(conn)
	if s := string(got); !strings.HasPrefix(s, "HTTP/1.1 414 URI Too Long\r\n") || !strings.Contains(s, "\r\n\r\n414 URI Too Long: ") {
		t.Errorf("%s", s)
	}
}

// A response's bytes follow from what the handler did, its method and version.
func TestResponseBytes(t *testing.T) {
	long := strings.Repeat("0123456789", 1000)
	hello := func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") }
	tests := []struct {
		name, method, version string
		handler               http.HandlerFunc
		want                  string // without Date; "+" marks a connection that stays open
	}{
		{"nothing", "GET", "1.1", func(w http.ResponseWriter, r *http.Request) {}, "+HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
		{"small body", "GET", "1.1", hello, "+HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"},
		{"small body in 1.0", "GET", "1.0", hello, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"},
		{"HEAD of a body", "HEAD", "1.1", hello, "+HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"},
		{"HEAD of nothing", "HEAD", "1.1", func(w http.ResponseWriter, r *http.Request) {}, "+HTTP/1.1 200 OK\r\n\r\n"},
		{"HEAD with a length", "HEAD", "1.1", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "7")
			w.WriteHeader(200)
			io.Copy(w, strings.NewReader(""))
		}, "+HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"},
		{"HEAD copied", "HEAD", "1.1", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "5")
			io.Copy(w, iotest.OneByteReader(strings.NewReader("hello")))
		}, "+HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"},
		{"flushed body", "GET", "1.1", func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "hel")
			w.(http.Flusher).Flush()
			io.WriteString(w, "lo")
		}, "+HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"},
		{"flushed body in 1.0", "GET", "1.0", func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "hel")
			w.(http.Flusher).Flush()
			io.WriteString(w, "lo")
		}, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello"},
		{"large body", "GET", "1.1", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, long) },
			"+HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2710\r\n" + long + "\r\n0\r\n\r\n"},
		{"large body with a length", "GET", "1.1", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "10000")
			io.WriteString(w, long)
		}, "+HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n" + long},
		{"copied body with a length", "GET", "1.1", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "10000")
			io.Copy(w, struct{ io.Reader }{strings.NewReader(long)})
		}, "+HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n" + long},
		{"copied body", "GET", "1.1", func(w http.ResponseWriter, r *http.Request) {
			io.Copy(w, iotest.DataErrReader(strings.NewReader("hello")))
		}, "+HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"},
		{"copied in pieces", "GET", "1.1", func(w http.ResponseWriter, r *http.Request) {
			io.Copy(w, iotest.OneByteReader(strings.NewReader("hi")))
		}, "+HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1\r\ni\r\n0\r\n\r\n"},
		{"an offer", "GET", "1.1", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Upgrade", "websocket")
			w.WriteHeader(426)
		}, "+HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nContent-Length: 0\r\nConnection: Upgrade\r\n\r\n"},
		{"an offer of the last response", "GET", "1.0", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Upgrade", "websocket")
			w.Header().Set("Connection", "upgrade")
			w.WriteHeader(426)
		}, "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nContent-Length: 0\r\nConnection: upgrade, close\r\n\r\n"},
		{"204", "GET", "1.1", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "5")
			w.WriteHeader(204)
			if _, err := io.WriteString(w, "hello"); err != http.ErrBodyNotAllowed {
				panic(err)
			}
		}, "+HTTP/1.1 204 No Content\r\n\r\n"},
		{"304", "GET", "1.1", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "5")
			w.Header().Set("Etag", `"a"`)
			w.WriteHeader(304)
			if _, err := io.Copy(w, iotest.OneByteReader(strings.NewReader("hello"))); err != http.ErrBodyNotAllowed {
				panic(err)
			}
		}, "+HTTP/1.1 304 Not Modified\r\nEtag: \"a\"\r\n\r\n"},
		{"205", "GET", "1.1", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "5")
			w.WriteHeader(205)
			if _, err := io.WriteString(w, "hello"); err != nil {
				panic(err)
			}
		}, "+HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n"},
		{"205 copied, with trailers", "GET", "1.1", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Trailer", "A")
			w.Header().Set("Transfer-Encoding", "chunked")
			w.WriteHeader(205)
			w.(http.Flusher).Flush()
			if n, err := io.Copy(w, iotest.OneByteReader(strings.NewReader("hello"))); n != 5 || err != nil {
				panic(err)
			}
			w.Header().Set("A", "1")
		}, "+HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n"},
		{"unknown status", "GET", "1.1", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(799) },
			"+HTTP/1.1 799 \r\nContent-Length: 0\r\n\r\n"},
		{"sorted fields", "GET", "1.1", func(w http.ResponseWriter, r *http.Request) {
			w.Header()["Set-Cookie"] = []string{"b", "a"}
			w.Header().Set("Age", "1")
			w.Header().Set("X", " a\r\nInjected: b\x00 ")
			w.Header()["Bad Name"] = []string{"c"}
			w.WriteHeader(200)
			w.Header().Set("Late", "d")
		}, "+HTTP/1.1 200 OK\r\nAge: 1\r\nSet-Cookie: b\r\nSet-Cookie: a\r\nX: a  Injected: b \r\nContent-Length: 0\r\n\r\n"},
		{"handler's close", "GET", "1.1", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Connection", "close")
		}, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"},
		{"handler's options", "GET", "1.1", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Connection", "keep-alive, upgrade")
			w.Header().Set("Upgrade", "tls")
			w.WriteHeader(426)
		}, "+HTTP/1.1 426 Upgrade Required\r\nUpgrade: tls\r\nContent-Length: 0\r\nConnection: upgrade\r\n\r\n"},
		{"handler's framing", "GET", "1.1", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Transfer-Encoding", "chunked")
			w.Header().Set("Content-Length", "3")
			io.WriteString(w, "hello")
		}, "+HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"},
		{"handler's bad length", "GET", "1.1", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "+3")
			io.WriteString(w, "hello")
		}, "+HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"},
		{"early hints", "GET", "1.1", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", "</a>")
			w.WriteHeader(103)
			w.Header().Del("Link")
			w.WriteHeader(100)
			io.WriteString(w, "hello")
		}, "+HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"},
		{"early hints in 1.0", "GET", "1.0", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(103) },
			"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"},
		{"announced trailers", "GET", "1.1", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Trailer", "b, A, Content-Length, missing")
			io.WriteString(w, "hello")
			w.Header().Set("A", "1")
			w.Header().Set("B", "2")
		}, "+HTTP/1.1 200 OK\r\nTrailer: A, B, Missing\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: 1\r\nB: 2\r\n\r\n"},
		{"sudden trailers", "GET", "1.1", func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "hello")
			w.Header().Set(http.TrailerPrefix+"a", "1")
			w.Header().Set(http.TrailerPrefix+"Host", "2")
		}, "+HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: 1\r\n\r\n"},
		{"trailers in 1.0", "GET", "1.0", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Trailer", "A")
			io.WriteString(w, "hello")
			w.Header().Set("A", "1")
		}, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"},
		{"too little", "GET", "1.1", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "7")
			io.WriteString(w, "hello")
		}, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nhello"},
		{"too much", "GET", "1.1", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "5")
			io.WriteString(w, "hello")
			if _, err := io.WriteString(w, "!"); err != http.ErrContentLength {
				panic(err)
			}
		}, "+HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"},
		{"withdrawn", "GET", "1.1", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "7")
			w.Header().Set("Connection", "close")
			io.WriteString(w, "hello")
			if !w.(*responseWriter).Withdraw() {
				panic("too late")
			}
			w.Header().Set("A", "b")
			w.WriteHeader(502)
			io.WriteString(w, "no")
		}, "+HTTP/1.1 502 Bad Gateway\r\nA: b\r\nContent-Length: 2\r\n\r\nno"},
		{"withdrawn too late", "GET", "1.1", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "7")
			w.(http.Flusher).Flush()
			if w.(*responseWriter).Withdraw() {
				io.WriteString(w, "another")
			}
		}, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"},
		{"panic before a byte", "GET", "1.1", func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "hello")
			panic(http.ErrAbortHandler)
		}, ""},
		{"panic in a sized body", "GET", "1.1", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "7")
			io.WriteString(w, "hello")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nhello"},
		{"panic behind a sized body", "GET", "1.1", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "5")
			io.WriteString(w, "hello")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, "+HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"},
		{"panic in a chunked body", "GET", "1.1", func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "hello")
			w.(http.Flusher).Flush()
			panic("boo")
		}, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"},
		{"panic of the source", "GET", "1.1", func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			io.Copy(w, readerFunc(func([]byte) (int, error) { panic("boo") }))
		}, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			addr := startServer(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/next" {
					w.WriteHeader(999)
					return
				}
				test.handler(w, r)
			}, nil)
			got := talk(t, addr, test.method+" / HTTP/"+test.version+"\r\nHost: a\r\n\r\n"+
				"GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
			first, rest, next := strings.Cut(got, "HTTP/1.1 999 ")
			if want, stays := strings.CutPrefix(test.want, "+"); dateField.ReplaceAllString(first, "") != want || stays != next {
				t.Errorf("got %q and %q, want %q", first, rest, test.want)
			}
			if _, err := http.ReadResponse(bufio.NewReader(strings.NewReader(got)), &http.Request{Method: test.method}); err != nil && test.want != "" {
				t.Error(err)
			}
		})
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// A response that ends with the connection must not look whole when it is cut.
func TestResponseCutByReset(t *testing.T) {
	s := &Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "hello")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})}
	t.Cleanup(func() { s.Close() })
	for _, wrapped := range []bool{false, true} {
		for _, more := range []string{"", "more"} {
			here, there := tcpPair(t)
			var nc net.Conn = there
			if wrapped {
				nc = carriedConn{there}
			}
			if err := s.ServeConn(nc); err != nil {
				t.Fatal(err)
			}
			here.SetDeadline(time.Now().Add(30 * time.Second))
			io.WriteString(here, "GET / HTTP/1.0\r\n\r\n"+more)
			if b, err := io.ReadAll(here); err == nil {
				t.Errorf("wrapped %t: %q looks whole", wrapped, b)
			}
		}
	}
}

// Nor must it when the server is closed, or the process ends.
func TestResponseCutByTheServersEnd(t *testing.T) {
	const piece = "hello"
	written, done := make(chan bool, 1), make(chan bool)
	var s *Server
	addr := startServer(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, piece)
		w.(http.Flusher).Flush()
		if r.URL.Path == "/long" {
			written <- true
			<-done
		}
	}, func(of *Server) { s = of })
	defer close(done)
	if got := talk(t, addr, "GET /short HTTP/1.0\r\n\r\n"); !strings.HasSuffix(got, "close\r\n\r\n"+piece) {
		t.Errorf("a whole response: %q", got)
	}
	nc := dial(t, addr)
	io.WriteString(nc, "GET /long HTTP/1.0\r\n\r\n")
	<-written
	if _, err := nc.Read(make([]byte, 1<<10)); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if b, err := io.ReadAll(nc); err == nil {
		t.Errorf("%q looks whole", b)
	}
}

// A carriedConn is carried by another, as one inside a CONNECT is.
type carriedConn struct{ net.Conn }

func (c carriedConn) NetConn() net.Conn { return c.Conn }

// flushSoon has what is written wait no longer than usual.
func flushSoon(s *Server) { s.flushDelay = 0 }

// Nothing that is there waits for what is not: neither a head for its body nor
// a piece for the next, be it written or copied.
func TestResponseDoesNotWait(t *testing.T) {
	for name, send := range map[string]func(http.ResponseWriter, io.Reader){
		"copied": func(w http.ResponseWriter, src io.Reader) { io.Copy(w, src) },
		"written": func(w http.ResponseWriter, src io.Reader) {
			w.WriteHeader(200)
			io.Copy(struct{ io.Writer }{w}, src)
		},
	} {
		t.Run(name, func(t *testing.T) {
			src, drip := io.Pipe()
			addr := startServer(t, func(w http.ResponseWriter, r *http.Request) { send(w, src) }, flushSoon)
			nc := dial(t, addr)
			io.WriteString(nc, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 20 {
				piece := strings.Repeat("x", 1+i*300)
				io.WriteString(drip, piece)
				got := make([]byte, len(piece))
				if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != piece {
					t.Fatal(got, err)
				}
			}
			drip.Close()
			if b, err := io.ReadAll(resp.Body); err != nil || len(b) > 0 {
				t.Errorf("%q, %v", b, err)
			}
		})
	}
}

func TestContinue(t *testing.T) {
	const head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-Continue\r\n\r\n"
	addr := startServer(t, func(w http.ResponseWriter, r *http.Request) { echo(w, r) }, nil)
	nc := dial(t, addr)
	br := bufio.NewReader(nc)
	for range 2 {
		io.WriteString(nc, head)
		resp, err := http.ReadResponse(br, nil)
		if err != nil || resp.StatusCode != 100 {
			t.Fatal(resp, err)
		}
		io.WriteString(nc, "hello")
		if resp, err = http.ReadResponse(br, nil); err != nil || resp.StatusCode != 200 {
			t.Fatal(resp, err)
		}
		if b, _ := io.ReadAll(resp.Body); !strings.Contains(string(b), `body="hello"`) {
			t.Errorf("got %q", b)
		}
	}

	// Without a read the client is not told to go on, and may not be asked for
	// the next request: what it sends could be either.
	addr = startServer(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(413) }, nil)
	got := talk(t, addr, head+"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if statusOf(got) != "413" || strings.Count(got, "HTTP/1.1 ") != 1 || !strings.Contains(got, "Connection: close") {
		t.Errorf("got %q", got)
	}

	// Nor if the read begins after the answer, which takes the 100's place.
	addr = startServer(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(200)
		echo(w, r)
	}, flushSoon)
	nc = dial(t, addr)
	io.WriteString(nc, head)
	resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil || resp.StatusCode != 200 || !resp.Close {
		t.Errorf("got %v, %v; want an answer that closes the connection", resp, err)
	}
	nc.Close()

	// One that the handler sends is the client's only one, and what comes of it can be read
	// behind the answer's head, or is read for the next request's sake.
	for _, handler := range []http.HandlerFunc{echo, func(http.ResponseWriter, *http.Request) {}} {
		addr = startServer(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(100)
			w.WriteHeader(200)
			handler(w, r)
		}, nil)
		got = talk(t, addr, head+"hello"+strings.Replace(head, "\r\n\r\n", "\r\nConnection: close\r\n\r\nhello", 1))
		if strings.Count(got, "100 Continue\r\n\r\nHTTP/1.1 200 ") != 2 || strings.Count(got, "HTTP/1.1 ") != 4 {
			t.Errorf("got %q", got)
		}
	}

	// HTTP/1.0 knows no 100 (RFC 9110 §10.1.1).
	addr = startServer(t, echo, nil)
	got = talk(t, addr, "POST / HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello")
	if statusOf(got) != "200" || strings.Count(got, "HTTP/1.1 ") != 1 {
		t.Errorf("got %q", got)
	}
}

func TestUnreadBody(t *testing.T) {
	addr := startServer(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "no") }, nil)
	for _, test := range []struct{ size, answers int }{{1, 2}, {200 << 10, 2}, {300 << 10, 1}} {
		body := strings.Repeat("GET / HTTP/1.1\r\nHost: a\r\n\r\n", test.size)[:test.size] // no request of anybody's
		for _, raw := range []string{
			fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", test.size, body),
			fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", test.size, body),
		} {
			got := talk(t, addr, raw+"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
			if n := strings.Count(got, "HTTP/1.1 "); n != test.answers || strings.Count(got, "HTTP/1.1 200 ") != n {
				t.Errorf("%d bytes: %d answers, want %d: %q", test.size, n, test.answers, got)
			}
			if last := got[strings.LastIndex(got, "HTTP/1.1 "):]; strings.Count(got, "Connection: close") != 1 || !strings.Contains(last, "Connection: close") {
				t.Errorf("%d bytes: the last answer alone is to say that the connection closes: %q", test.size, got)
			}
		}
	}
}

// TestUnreadBodyThatStalls: the answer does not wait for long for a chunked body's end.
func TestUnreadBodyThatStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "no") })}
		defer s.Close()
		client, server := net.Pipe()
		defer client.Close()
		if err := s.ServeConn(server); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		io.WriteString(client, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel")
		resp, err := http.ReadResponse(bufio.NewReader(client), nil)
		if err != nil || !resp.Close || time.Since(began) > measureTime {
			t.Errorf("%+v, %v after %v", resp, err, time.Since(began))
		}
	})
}

// TestUnreadBodyBehindAPromise: a client that was told early that its connection
// persists may have its next request behind a body of any size.
func TestUnreadBodyBehindAPromise(t *testing.T) {
	addr := startServer(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "no")
		w.(http.Flusher).Flush()
	}, nil)
	const size = 1 << 20
	for _, framed := range []string{
		fmt.Sprintf("Content-Length: %d\r\n\r\n%s", size, strings.Repeat("x", size)),
		fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", size, strings.Repeat("x", size)),
	} {
		got := talk(t, addr, "POST / HTTP/1.1\r\nHost: a\r\n"+framed+"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		if n := strings.Count(got, "HTTP/1.1 200 "); n != 2 {
			t.Errorf("%.20q: %d answers: %q", framed, n, got)
		}
	}
}

// What old clients add to a body, an empty line, costs nothing of the answer.
func TestEmptyLineBehindABody(t *testing.T) {
	const size = 4 << 20
	body := strings.Repeat("x", 100<<10)
	addr := startServer(t, func(w http.ResponseWriter, r *http.Request) {
		io.ReadFull(r.Body, make([]byte, len(body))) // past the connection's buffer
		w.Write(make([]byte, size))
	}, nil)
	for _, version := range []string{"HTTP/1.0", "HTTP/1.1\r\nHost: a\r\nConnection: close"} {
		nc := dial(t, addr)
		nc.SetReadBuffer(64 << 10)
		fmt.Fprintf(nc, "POST / %s\r\nContent-Length: %d\r\n\r\n%s\r\n", version, len(body), body)
		if n, err := io.Copy(io.Discard, nc); n < size || err != nil {
			t.Errorf("%q: %d bytes, %v", version, n, err)
		}
	}
}

// Nor does what a client sends although it has asked for the end.
func TestMoreBehindTheLastRequest(t *testing.T) {
	const size = 4 << 20
	sent := make(chan bool)
	addr := startServer(t, func(w http.ResponseWriter, r *http.Request) {
		<-sent
		w.Write(make([]byte, size))
	}, nil)
	nc := dial(t, addr)
	nc.SetReadBuffer(64 << 10)
	io.WriteString(nc, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	sent <- true
	io.WriteString(nc, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if n, err := io.Copy(io.Discard, nc); n < size || n > size+1000 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
}

// Where the next request begins does not depend on what a handler makes of
// Body.
func TestHandlerReplacesTheBody(t *testing.T) {
	const next = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
	for name, test := range map[string]struct {
		body    string
		replace io.ReadCloser
	}{
		"limited body": {"", io.NopCloser(strings.NewReader(""))},
		"no body":      {"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n", http.NoBody},
	} {
		asked := make(chan string, 9)
		addr := startServer(t, func(w http.ResponseWriter, r *http.Request) {
			asked <- r.RequestURI
			r.Body = test.replace
		}, nil)
		got := talk(t, addr, fmt.Sprintf("POST /first HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s%s", len(test.body), test.body, next))
		if n := strings.Count(got, "HTTP/1.1 200 "); n != 2 || <-asked != "/first" || <-asked != "/" {
			t.Errorf("%s: %d answers: %q", name, n, got)
		}
	}
}

// An answer to an upload that nobody reads reaches the client, not a reset.
func TestAnswerBeforeUpload(t *testing.T) {
	addr := startServer(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(413) }, nil)
	for range 20 {
		nc := dial(t, addr)
		io.WriteString(nc, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n")
		nc.Write(make([]byte, 600<<10))
		nc.CloseWrite()
		if b, err := io.ReadAll(nc); err != nil || statusOf(string(b)) != "413" {
			t.Fatalf("%q, %v", b, err)
		}
	}
}

// Nor is an answer lost to a client that sends all before it looks.
func TestAnswerBehindALargeUpload(t *testing.T) {
	addr := startServer(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(413) }, nil)
	const size = 16 << 20
	nc := dial(t, addr)
	fmt.Fprintf(nc, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", size)
	if _, err := nc.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	nc.CloseWrite()
	if b, err := io.ReadAll(nc); err != nil || statusOf(string(b)) != "413" {
		t.Fatalf("%q, %v", b, err)
	}
}

// A handler may end the response before another goroutine has read the request's
// body, which it then gets in whole.
func TestEndBeforeTheBody(t *testing.T) {
	ended := make(chan bool, 1)
	read := make(chan string, 1)
	addr := startServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Body == http.NoBody {
			return
		}
		body := make(chan string)
		go func() {
			b, err := io.ReadAll(r.Body)
			body <- fmt.Sprintf("%s, %v", b, err)
		}()
		io.WriteString(w, "enough")
		ended <- w.(interface{ End() bool }).End()
		read <- <-body
	}, nil)
	for _, test := range []struct{ head, version string }{{"Content-Length: 5", "1.1"}, {"Transfer-Encoding: chunked", "1.1"}, {"Content-Length: 5", "1.0"}} {
		nc := dial(t, addr)
		br := bufio.NewReader(nc)
		fmt.Fprintf(nc, "POST / HTTP/%s\r\nHost: a\r\n%s\r\n\r\n", test.version, test.head)
		resp, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(resp.Body); string(b) != "enough" || err != nil || !<-ended {
			t.Errorf("%v: %q, %v", test, b, err)
		}
		if strings.HasPrefix(test.head, "Content") {
			io.WriteString(nc, "hello")
		} else {
			io.WriteString(nc, "5\r\nhello\r\n0\r\n\r\n")
		}
		if b := <-read; b != "hello, <nil>" {
			t.Errorf("%v: read %q", test, b)
		}
		if resp.Close {
			continue
		}
		io.WriteString(nc, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		if b, err := io.ReadAll(br); err != nil || statusOf(string(b)) != "200" {
			t.Errorf("%v: then %q, %v", test, b, err)
		}
	}
}

// A response that is known when it is written, such as one from a cache, is one
// system call.
func TestWholeResponseIsOneWrite(t *testing.T) {
	for _, size := range []int{0, 1 << 10, 64 << 10} {
		var s *Server
		body := bytes.Repeat([]byte("x"), size)
		addr := startServer(t, func(w http.ResponseWriter, r *http.Request) {
			w.(interface{ SetHeader(http.Header) }).SetHeader(http.Header{"Content-Length": {strconv.Itoa(size)}, "Etag": {`"a"`}})
			w.WriteHeader(200)
			bytes.NewReader(body).WriteTo(w)
		}, func(of *Server) { s = of })
		nc := dial(t, addr)
		br := bufio.NewReader(nc)
		for n := uint64(1); n <= 3; n++ {
			io.WriteString(nc, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			resp, err := http.ReadResponse(br, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(resp.Body); len(got) != size || err != nil {
				t.Fatal(len(got), err)
			}
			s.mu.Lock()
			for c := range s.conns {
				if writes := c.watched.writes.Load(); writes != n {
					t.Errorf("%d bytes: %d writes after %d responses", size, writes, n)
				}
			}
			s.mu.Unlock()
		}
	}
}

func TestPersistence(t *testing.T) {
	addr := startServer(t, echo, nil)
	for _, test := range []struct {
		head    string
		answers int
	}{
		{"GET / HTTP/1.1\r\nHost: a\r\n", 2},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n", 2},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: CLOSE\r\n", 1},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: te, close\r\n", 1},
		{"GET / HTTP/1.0\r\n", 1},
		{"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n", 2},
		{"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n", 1},
		{"GET http://a/ HTTP/1.0\r\nConnection: keep-alive\r\n", 1}, // RFC 9112 §9.3: not by a proxy
	} {
		got := talk(t, addr, test.head+"\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		if n := strings.Count(got, "HTTP/1.1 200 "); n != test.answers {
			t.Errorf("%q: %d answers, want %d", test.head, n, test.answers)
		}
		if first, _, _ := strings.Cut(got, "\r\n\r\n"); strings.Contains(test.head, "1.0") && strings.Contains(first, "Connection: keep-alive") != (test.answers == 2) {
			t.Errorf("%q: %q", test.head, first)
		}
	}
}

// Whoever is asked whether it reads is so by a 100 (Continue), which must be no part of an
// answer's content or of a tunnel, and no word to go on.
func TestWhoIsNotAskedWhetherItReads(t *testing.T) {
	addr := startServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/begun" {
			w.WriteHeader(200)
		}
		w.(*responseWriter).askWhetherRead()
	}, nil)
	for _, head := range []string{
		"GET /begun HTTP/1.1\r\nHost: a\r\nConnection: close\r\n",
		"GET / HTTP/1.0\r\n",
		"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n",
	} {
		if got := talk(t, addr, head+"\r\n"); strings.Contains(got, continueHead) || !strings.HasPrefix(got, "HTTP/1.1 200 ") {
			t.Errorf("%q: got %q", head, got)
		}
	}
}

// What was meant for a tunnel that does not open is no request (RFC 9931).
func TestRefusedTunnelCloses(t *testing.T) {
	const connect = "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n"
	const next = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
	for _, status := range []int{403, 407, 502} {
		addr := startServer(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == "CONNECT" {
				w.WriteHeader(status)
			}
		}, nil)
		got := talk(t, addr, connect+next)
		if n := strings.Count(got, "HTTP/1.1 "); n != 1 || !strings.Contains(got, "Connection: close") {
			t.Errorf("%d: %d answers: %q", status, n, got)
		}
		nc := dial(t, addr)
		io.WriteString(nc, connect)
		resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
		if err != nil || resp.StatusCode != status || resp.Close != (status != 407) {
			t.Errorf("got %v, %v", resp, err)
		}
		nc.Close()
	}
}

// Nor is it where the tunnel is left alone.
func TestUnusedTunnelCloses(t *testing.T) {
	addr := startServer(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(200) }, nil)
	got := talk(t, addr, "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	if n := strings.Count(got, "HTTP/1.1 "); n != 1 {
		t.Errorf("%d answers: %q", n, got)
	}
}

func TestHijack(t *testing.T) {
	tests := []struct {
		name, head string
		answer     func(w http.ResponseWriter)
		want       string
	}{
		{"CONNECT", "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\nContent-Length: 0\r\n\r\n", func(http.ResponseWriter) {}, ""},
		{"CONNECT with a head", "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n",
			func(w http.ResponseWriter) { w.WriteHeader(200) }, "HTTP/1.1 200 OK\r\n\r\n"},
		{"upgrade", "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", func(w http.ResponseWriter) {
			w.Header().Set("Connection", "Upgrade")
			w.Header().Set("Upgrade", "websocket")
			w.WriteHeader(101)
		}, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"},
		{"a body that was not read", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", func(http.ResponseWriter) {}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			taken := make(chan net.Conn, 1)
			addr := startServer(t, func(w http.ResponseWriter, r *http.Request) {
				test.answer(w)
				nc, rw, err := w.(http.Hijacker).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				if _, ok := nc.(*net.TCPConn); !ok {
					t.Errorf("got a %T", nc)
				}
				early := make([]byte, 5)
				if n := rw.Reader.Buffered(); n > 0 {
					early, _ = rw.Reader.Peek(n)
				} else {
					io.ReadFull(rw, early)
				}
				fmt.Fprintf(rw, "early %s;", early)
				rw.Reader.Discard(rw.Reader.Buffered())
				rw.Flush()
				io.Copy(nc, rw)
				if _, err := w.Write(nil); err != http.ErrHijacked {
					t.Error(err)
				}
				if _, _, err := w.(http.Hijacker).Hijack(); err != http.ErrHijacked {
					t.Error(err)
				}
				taken <- nc
			}, func(s *Server) { s.Timeouts.KeepAlive = 20 * time.Millisecond })
			nc := dial(t, addr)
			io.WriteString(nc, test.head+"hello")
			want := test.want + "early hello;"
			var got []byte
			for b := make([]byte, 1); !strings.HasSuffix(string(got), ";"); got = append(got, b...) {
				if _, err := io.ReadFull(nc, b); err != nil {
					t.Fatalf("got %q, %v", got, err)
				}
			}
			if dateField.ReplaceAllString(string(got), "") != want {
				t.Fatalf("got %q, want %q", got, want)
			}
			io.WriteString(nc, "and more")
			nc.CloseWrite()
			// The handler returned, and the connection is still its own.
			mine := <-taken
			io.WriteString(mine, "; bye")
			mine.Close()
			if b, err := io.ReadAll(nc); err != nil || string(b) != "and more; bye" {
				t.Errorf("got %q, %v", b, err)
			}
		})
	}
}

// A connection from which a body is being read is not to be had.
func TestHijackWhileTheBodyIsRead(t *testing.T) {
	refused := make(chan error, 1)
	addr := startServer(t, func(w http.ResponseWriter, r *http.Request) {
		body := make(chan []byte)
		go func() {
			b, _ := io.ReadAll(r.Body)
			body <- b
		}()
		for reading := &w.(*responseWriter).body.mu; reading.TryLock(); runtime.Gosched() {
			reading.Unlock()
		}
		_, _, err := w.(http.Hijacker).Hijack()
		refused <- err
		w.Write(<-body)
	}, nil)
	nc := dial(t, addr)
	io.WriteString(nc, "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n\r\n")
	if err := <-refused; err != errBodyInUse {
		t.Error(err)
	}
	io.WriteString(nc, "hello")
	if got, err := io.ReadAll(nc); err != nil || !strings.HasSuffix(string(got), "\r\n\r\nhello") {
		t.Errorf("got %q, %v", got, err)
	}
}

// A handler learns that its client is gone while it waits for something else.
func TestClientGone(t *testing.T) {
	for name, leave := range map[string]func(*net.TCPConn){
		"closed": func(nc *net.TCPConn) { nc.Close() },
		"reset":  func(nc *net.TCPConn) { nc.SetLinger(0); nc.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			entered, done := make(chan bool), make(chan error, 1)
			addr := startServer(t, func(w http.ResponseWriter, r *http.Request) {
				entered <- true
				select {
				case <-r.Context().Done():
					done <- r.Context().Err()
				case <-time.After(8 * time.Second):
					done <- errors.New("the context lives")
				}
			}, nil)
			nc := dial(t, addr)
			io.WriteString(nc, "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /pipelined HTTP/1.1\r\n")
			<-entered
			leave(nc)
			if err := <-done; err == nil || err.Error() != "context canceled" {
				t.Error(err)
			}
		})
	}
}

// A client that shut down its sending side still gets its answers.
func TestHalfClosedClient(t *testing.T) {
	addr := startServer(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
			t.Error("the client counts as gone")
		case <-time.After(1600 * time.Millisecond):
		}
		echo(w, r)
	}, nil)
	nc := dial(t, addr)
	io.WriteString(nc, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
	nc.CloseWrite()
	if b, err := io.ReadAll(nc); err != nil || strings.Count(string(b), "HTTP/1.1 200 ") != 2 {
		t.Errorf("got %q, %v", b, err)
	}
}

// It may wait for an answer as long as any other, since it is seen to read.
func TestHalfClosedClientWaits(t *testing.T) {
	for version, answer := range map[string]string{"1.1": "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 ", "1.0": "HTTP/1.1 204 "} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			addr := startServer(t, func(w http.ResponseWriter, r *http.Request) {
				select {
				case <-r.Context().Done():
					w.WriteHeader(http.StatusNoContent)
				case <-time.After(2 * watchesTillEnd * watchInterval):
				}
			}, nil)
			nc := dial(t, addr)
			io.WriteString(nc, "GET / HTTP/"+version+"\r\nHost: a\r\n\r\n")
			nc.CloseWrite()
			if b, err := io.ReadAll(nc); err != nil || !strings.HasPrefix(string(b), answer) || strings.Count(string(b), "100 Continue") > 1 {
				t.Errorf("got %q, %v", b, err)
			}
		})
	}
}

// The context of a request ends with it, and with a write that fails.
func TestRequestContextEnds(t *testing.T) {
	contexts := make(chan *http.Request, 1)
	addr := startServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Context().Value(http.LocalAddrContextKey) == nil || r.RemoteAddr == "" {
			t.Error("no addresses")
		}
		contexts <- r
	}, nil)
	talk(t, addr, "GET / HTTP/1.0\r\n\r\n")
	select {
	case <-(<-contexts).Context().Done():
	case <-time.After(5 * time.Second):
		t.Error("the context outlives its request")
	}

	failed := make(chan error, 1)
	addr = startServer(t, func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				<-r.Context().Done()
				failed <- err
				return
			}
		}
		failed <- nil
	}, func(s *Server) { s.Timeouts.Write = 50 * time.Millisecond })
	nc := dial(t, addr)
	io.WriteString(nc, "GET / HTTP/1.0\r\n\r\n")
	if err := <-failed; err == nil || strings.Contains(err.Error(), "127.0.0.1") {
		t.Errorf("the handler got %v", err)
	}
}

// The write timeout is for a client that takes nothing, not for a slow one.
func TestSlowClientGetsLargeBody(t *testing.T) { synctest.Test(t, slowClientGetsAll) } // in the bubble's time

func slowClientGetsAll(t *testing.T) {
	const size = 8 << 20
	s := &Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write(make([]byte, size))
	})}
	s.Timeouts.Write = time.Second
	defer s.Close()
	client, server := net.Pipe()
	defer client.Close()
	if err := s.ServeConn(server); err != nil {
		t.Fatal(err)
	}
	io.WriteString(client, "GET / HTTP/1.0\r\n\r\n")
	total, buf := 0, make([]byte, 128<<10)
	for ; ; time.Sleep(20 * time.Millisecond) {
		n, err := client.Read(buf)
		total += n
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if total < size {
		t.Errorf("%d bytes", total)
	}
}

// narrow has the system take little of what is written at a time.
type narrow struct{ net.Listener }

func (l narrow) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err == nil {
		err = nc.(*net.TCPConn).SetWriteBuffer(64 << 10)
	}
	return nc, err
}

// So it is where one system call takes longer than the timeout.
func TestSlowClientGetsOneLargeWrite(t *testing.T) {
	for timeout := 500 * time.Millisecond; ; timeout *= 2 {
		halted, err := readSlowly(t, timeout)
		if err == nil {
			return
		}
		if halted < timeout/2 || timeout > 10*time.Second { // else the machine halted the client
			t.Fatal(err)
		}
	}
}

// readSlowly has a client read one large write of a server with that timeout, and returns
// for how long in all it did not get to read.
func readSlowly(t *testing.T, timeout time.Duration) (halted time.Duration, err error) {
	const size = 2*maxCall + 1
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write(make([]byte, size))
	})}
	s.Timeouts.Write = timeout
	serveOn(t, narrow{l}, s)
	nc := dial(t, l.Addr().String())
	defer nc.Close()
	nc.SetReadBuffer(64 << 10)
	io.WriteString(nc, "GET / HTTP/1.0\r\n\r\n")
	total, buf, last := 0, make([]byte, 32<<10), time.Now()
	pace := time.NewTicker(timeout / 20) // a maxCall takes 1.6 timeouts
	defer pace.Stop()
	for ; ; <-pace.C {
		n, err := nc.Read(buf)
		total += n
		if missed := time.Since(last); missed > timeout/10 {
			halted += missed
		}
		last = time.Now()
		if err == io.EOF && total < size {
			return halted, fmt.Errorf("%d bytes", total)
		}
		if err == io.EOF {
			return halted, nil
		}
		if err != nil {
			return halted, err
		}
	}
}

// While the response is written, the request may still be read, and a read
// that nobody ends does not outlive the handler.
func TestFullDuplex(t *testing.T) {
	stuck := make(chan error, 1)
	addr := startServer(t, func(w http.ResponseWriter, r *http.Request) {
		if http.NewResponseController(w).EnableFullDuplex() != nil {
			t.Error("refused")
		}
		buf := make([]byte, 5)
		for range 3 {
			io.ReadFull(r.Body, buf)
			w.Write(bytes.ToUpper(buf))
			w.(http.Flusher).Flush()
		}
		reading := make(chan bool)
		go func() {
			close(reading)
			_, err := r.Body.Read(buf)
			stuck <- err
		}()
		<-reading
	}, nil)
	nc := dial(t, addr)
	io.WriteString(nc, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n")
	br := bufio.NewReader(nc)
	var resp *http.Response
	for _, word := range []string{"hello", "world", "again"} {
		io.WriteString(nc, word)
		if resp == nil {
			var err error
			if resp, err = http.ReadResponse(br, nil); err != nil {
				t.Fatal(err)
			}
		}
		got := make([]byte, 5)
		if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != strings.ToUpper(word) {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	if err := <-stuck; err == nil {
		t.Error("the read succeeded")
	}
	if b, err := io.ReadAll(resp.Body); err != nil || len(b) > 0 {
		t.Errorf("got %q, %v", b, err)
	}
}

func TestControllerDeadlines(t *testing.T) {
	addr := startServer(t, func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		if r.URL.Path == "/read" {
			rc.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		} else if err := rc.SetWriteDeadline(time.Now().Add(time.Hour)); err != nil {
			t.Error(err)
		}
		echo(w, r)
	}, nil)
	// Deadlines end with the request that set them.
	got := talk(t, addr, "GET /read HTTP/1.1\r\nHost: a\r\n\r\nGET /write HTTP/1.1\r\nHost: a\r\n\r\n"+
		"POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n")
	if strings.Count(got, "err=<nil>") != 2 || strings.Count(got, "i/o timeout") != 1 {
		t.Errorf("got %q", got)
	}
}
