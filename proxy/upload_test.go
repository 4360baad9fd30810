package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"

	"guise/proxy/inspect"
	"guise/proxy/telemetry"
)

// TestUploadsGoOnBehindTheirAnswer: programs answer an upload before they have
// read it, and read on. They get all of it, and the connection goes on.
func TestUploadsGoOnBehindTheirAnswer(t *testing.T) {
	first, rest := strings.Repeat("a", 100_000), strings.Repeat("b", 900_000)
	chunk := func(s string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(s), s) }
	for name, c := range map[string]struct {
		field, first, rest string
		answer             string
	}{
		"sized":          {fmt.Sprintf("Content-Length: %d", len(first)+len(rest)), first, rest, hello},
		"chunked":        {"Transfer-Encoding: chunked", chunk(first), chunk(rest) + "0\r\n\r\n", hello},
		"chunked answer": {"Transfer-Encoding: chunked", chunk(first), chunk(rest) + "0\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"},
		"closing answer": {"Transfer-Encoding: chunked", chunk(first), chunk(rest) + "0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"},
		"an error":       {"Transfer-Encoding: chunked", chunk(first), chunk(rest) + "0\r\n\r\n", "HTTP/1.1 401 Who\r\nContent-Length: 5\r\n\r\nhello"},
	} {
		for _, seen := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, seen %v", name, seen), func(t *testing.T) {
				got := make(chan error, 2)
				o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
					req, err := http.ReadRequest(r)
					if err != nil {
						return
					}
					io.WriteString(conn, c.answer)
					body, err := io.ReadAll(req.Body)
					if req.Method == "POST" && err == nil && string(body) != first+rest {
						err = fmt.Errorf("%d bytes", len(body))
					}
					got <- err
				})
				conn := dial(t, serveProxy(t, func(o *Options) {
					if seen {
						o.Metrics = telemetry.New()
					}
				}))
				answers := bufio.NewReader(conn)
				wantAnswer := func() {
					t.Helper()
					if _, body := readAnswer(t, answers, "POST"); body != "hello" {
						t.Fatalf("got %q", body)
					}
				}
				io.WriteString(conn, "POST http://"+o.address+"/ HTTP/1.1\r\nHost: x\r\n"+c.field+"\r\n\r\n"+c.first)
				wantAnswer()
				io.WriteString(conn, c.rest)
				if err := <-got; err != nil {
					t.Errorf("the origin got no more: %v", err)
				}
				io.WriteString(conn, "GET http://"+o.address+"/ HTTP/1.1\r\nHost: x\r\n\r\n")
				wantAnswer()
			})
		}
	}
}

// TestUploadsGoOnOverHTTP2: the same with streams at both ends.
func TestUploadsGoOnOverHTTP2(t *testing.T) {
	for _, protocol := range []string{"http/1.1", "h2"} {
		t.Run(protocol, func(t *testing.T) {
			got := make(chan string, 1)
			o := serveSecure(t, func(w http.ResponseWriter, r *http.Request) {
				http.NewResponseController(w).EnableFullDuplex()
				w.Header().Set("Content-Length", "5")
				io.WriteString(w, "hello")
				w.(http.Flusher).Flush()
				body, err := io.ReadAll(r.Body)
				got <- fmt.Sprintf("%s, %v", body, err)
			}, nil, protocol)
			c := visitor(t, serveProxy(t, inspecting(inspect.Always)), trusting(testAuthority()), true)
			body, say := io.Pipe()
			r, _ := http.NewRequestWithContext(t.Context(), "POST", o.URL, body)
			resp, err := c.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			hello := make([]byte, 5)
			if _, err := io.ReadFull(resp.Body, hello); err != nil {
				t.Fatal(err)
			}
			io.WriteString(say, "some, ")
			io.WriteString(say, "and more")
			say.Close()
			if body := <-got; body != "some, and more, <nil>" {
				t.Errorf("the origin got %q", body)
			}
		})
	}
}

// TestUnwelcomeUploadsEnd: nothing waits for a client that an origin has told to go.
func TestUnwelcomeUploadsEnd(t *testing.T) {
	o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
		http.ReadRequest(r)
		io.WriteString(conn, "HTTP/1.1 413 Too much\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig")
	})
	conn := dial(t, serveProxy(t, nil))
	io.WriteString(conn, "POST http://"+o.address+"/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nsome")
	if got, err := io.ReadAll(conn); !strings.HasPrefix(string(got), "HTTP/1.1 413 ") || !strings.HasSuffix(string(got), "big") || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestUnwelcomeUploadsCloseAnnounced: the client of an upload that ends so knows from the
// head of the answer that its next request needs another connection.
func TestUnwelcomeUploadsCloseAnnounced(t *testing.T) {
	for field, want := range map[string]bool{"Content-Length: 4": false, "Content-Length: 1000000": true, "Transfer-Encoding: chunked": true} {
		t.Run(field, func(t *testing.T) {
			goOn := make(chan bool)
			o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
				req, err := http.ReadRequest(r)
				if err != nil {
					return
				}
				io.ReadFull(req.Body, make([]byte, 4))
				io.WriteString(conn, "HTTP/1.1 413 Too much\r\nConnection: close\r\nContent-Length: 3\r\n\r\n")
				<-goOn
				io.WriteString(conn, "big")
			})
			conn := dial(t, serveProxy(t, nil))
			body := "some"
			if strings.HasPrefix(field, "Transfer") {
				body = "4\r\nsome\r\n"
			}
			io.WriteString(conn, "POST http://"+o.address+"/ HTTP/1.1\r\nHost: x\r\n"+field+"\r\n\r\n"+body)
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			close(goOn)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(resp.Body); resp.Close != want || string(got) != "big" || err != nil {
				t.Errorf("close %v; got %q, %v", resp.Close, got, err)
			}
		})
	}
}

// TestUnwelcomeUploadsEndAloneOverHTTP2: the rest of one is left out, and its connection serves on.
func TestUnwelcomeUploadsEndAloneOverHTTP2(t *testing.T) {
	o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		io.CopyN(io.Discard, req.Body, 4)
		io.WriteString(conn, "HTTP/1.1 413 Too much\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig")
	})
	tr := h2Client(t, serveProxy(t, nil), nil)
	for again := range 2 {
		body, upload := io.Pipe()
		defer body.Close()
		go io.WriteString(upload, "some")
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) {
			if c.Reused != (again == 1) {
				t.Errorf("upload %d: reused %t", again, c.Reused)
			}
		}})
		r, err := http.NewRequestWithContext(ctx, "POST", "http://"+o.address+"/", body)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := tr.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(resp.Body); resp.StatusCode != 413 || string(got) != "big" || err != nil {
			t.Errorf("%d %q, %v", resp.StatusCode, got, err)
		}
		resp.Body.Close()
	}
}
