package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"guise/proxy/inspect"
	"guise/proxy/wire/http2test"
)

// bothWays runs f for origins and clients of either protocol.
func bothWays(t *testing.T, handle http.HandlerFunc, f func(t *testing.T, o *secureOrigin, c *http.Client)) {
	for _, origin := range []string{"http/1.1", "h2"} {
		for _, http2 := range []bool{false, true} {
			t.Run(fmt.Sprintf("origin %s, client h2 %v", origin, http2), func(t *testing.T) {
				o := serveSecure(t, handle, nil, origin)
				f(t, o, visitor(t, serveProxy(t, inspecting(inspect.Always)), trusting(testAuthority()), http2))
			})
		}
	}
}

// TestEventsInside: server-sent events arrive one by one.
func TestEventsInside(t *testing.T) {
	next := make(chan bool)
	bothWays(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(200)
		w.(http.Flusher).Flush()
		for i := range 3 {
			fmt.Fprintf(w, "data: %d\n\n", i)
			w.(http.Flusher).Flush()
			<-next
		}
	}, func(t *testing.T, o *secureOrigin, c *http.Client) {
		resp, err := c.Get(o.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		br := bufio.NewReader(resp.Body)
		for i := range 3 {
			line, err := br.ReadString('\n')
			if line != fmt.Sprintf("data: %d\n", i) {
				t.Errorf("got %q, %v", line, err)
			}
			br.ReadString('\n')
			next <- true
		}
	})
}

// TestSlowBodiesInside: any body arrives as it comes, not only events.
func TestSlowBodiesInside(t *testing.T) {
	next := make(chan bool)
	bothWays(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		for range 3 {
			io.WriteString(w, "x")
			w.(http.Flusher).Flush()
			<-next
		}
	}, func(t *testing.T, o *secureOrigin, c *http.Client) {
		resp, err := c.Get(o.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		for range 3 {
			if n, err := resp.Body.Read(make([]byte, 1)); n != 1 {
				t.Fatal(err)
			}
			next <- true
		}
	})
}

// getHinted gets url, and has look see the interim responses before the answer.
func getHinted(t *testing.T, c *http.Client, url string, look func(code int, h textproto.MIMEHeader)) *http.Response {
	t.Helper()
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		look(code, h)
		return nil
	}})
	r, _ := http.NewRequestWithContext(ctx, "GET", url, nil)
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp
}

// TestEarlyHintsInside: 103 arrives before the final answer.
func TestEarlyHintsInside(t *testing.T) {
	hinted := make(chan bool, 1)
	bothWays(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</a.css>; rel=preload; as=style")
		w.WriteHeader(103)
		<-hinted
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(200)
	}, func(t *testing.T, o *secureOrigin, c *http.Client) {
		getHinted(t, c, o.URL, func(code int, h textproto.MIMEHeader) {
			if code == 103 && h.Get("Link") != "" {
				hinted <- true
			}
		})
	})
}

// TestEarlyHintsKeepTheirPolicies: what a 103 forbids is forbidden behind guise, too, and
// nothing in it reports on the visitor.
func TestEarlyHintsKeepTheirPolicies(t *testing.T) {
	policies := map[string]string{
		"Content-Security-Policy":      "script-src 'self'",
		"Cross-Origin-Embedder-Policy": "require-corp",
		"Integrity-Policy":             "blocked-destinations=(script)",
		"Referrer-Policy":              "no-referrer",
	}
	bothWays(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</a.css>; rel=preload; as=style")
		for name, value := range policies {
			w.Header().Set(name, value)
		}
		w.Header().Set("Content-Security-Policy", policies["Content-Security-Policy"]+"; report-uri /report?visitor=7")
		w.WriteHeader(103)
		clear(w.Header())
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(200)
	}, func(t *testing.T, o *secureOrigin, c *http.Client) {
		var hints textproto.MIMEHeader
		resp := getHinted(t, c, o.URL, func(_ int, h textproto.MIMEHeader) { hints = h })
		for name, want := range policies {
			if got := hints.Get(name); strings.TrimRight(got, "; ") != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
			if resp.Header[name] != nil {
				t.Errorf("the answer has the %s of the 103", name)
			}
		}
	})
}

// TestEarlyHintsThatGuiseAskedFor: origins send them to who goes to a page. A client that does
// not say that it does may take them for the answer, if it speaks HTTP/1.1.
func TestEarlyHintsThatGuiseAskedFor(t *testing.T) {
	for _, test := range []struct {
		http2 bool
		mode  string
		want  int
	}{{false, "", 0}, {false, "navigate", 1}, {true, "", 1}} {
		o := serveSecure(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Sec-Fetch-Mode") == "navigate" {
				w.Header().Set("Link", "</a.css>; rel=preload; as=style")
				w.WriteHeader(103)
			}
		}, nil, "h2")
		c := visitor(t, serveProxy(t, inspecting(inspect.Always)), trusting(testAuthority()), test.http2)
		got := 0
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, _ textproto.MIMEHeader) error {
			got++
			return nil
		}})
		r, _ := http.NewRequestWithContext(ctx, "GET", o.URL, nil)
		r.Header.Set("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
		if test.mode != "" {
			r.Header.Set("Sec-Fetch-Mode", test.mode)
			r.Header.Set("Sec-Fetch-Dest", "document")
		}
		resp, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 200 || resp.Header["Link"] == nil || got != test.want {
			t.Errorf("%+v: %d hints before %d with %v", test, got, resp.StatusCode, resp.Header)
		}
	}
}

// TestUploadsLearnWhereToResume: a 104 says so while the upload runs.
func TestUploadsLearnWhereToResume(t *testing.T) {
	bothWays(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "/uploads/1")
		w.Header().Set("Upload-Limit", "max-size=100")
		w.Header().Set("X-Client-Ip", "192.0.2.7")
		w.WriteHeader(104)
		io.Copy(io.Discard, r.Body)
		w.Header().Del("Location")
		w.WriteHeader(201)
	}, func(t *testing.T, o *secureOrigin, c *http.Client) {
		body, upload := io.Pipe()
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			if code == 104 && h.Get("Location") == "/uploads/1" && h.Get("Upload-Limit") != "" && h.Get("X-Client-Ip") == "" {
				upload.Close()
			}
			return nil
		}})
		r, _ := http.NewRequestWithContext(ctx, "POST", o.URL, body)
		resp, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.Header["Location"] != nil {
			t.Error("the final answer has what was the interim's")
		}
	})
}

// TestTrailersInside: announced or not.
func TestTrailersInside(t *testing.T) {
	bothWays(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Trailer", "Repr-Digest")
		io.WriteString(w, "body")
		w.(http.Flusher).Flush()
		w.Header().Set("Repr-Digest", "sha-256=:LCa0a2j/xo/5m0U8HTBBNBNCLXBkg7+g+YpeiGJm564=:")
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
	}, func(t *testing.T, o *secureOrigin, c *http.Client) {
		resp, body, err := read(c, o.URL)
		if err != nil || body != "body" || resp.Trailer.Get("Repr-Digest") != "sha-256=:LCa0a2j/xo/5m0U8HTBBNBNCLXBkg7+g+YpeiGJm564=:" || resp.Trailer.Get("Grpc-Status") != "0" {
			t.Errorf("%q %v, %v", body, resp.Trailer, err)
		}
	})
}

// TestUploadsInside: large ones, whole, with and without a length, and after
// having asked.
func TestUploadsInside(t *testing.T) {
	const size = 24 << 20
	bothWays(t, func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.New()
		n, err := io.Copy(sum, r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		fmt.Fprintf(w, "%d %x", n, sum.Sum(nil))
	}, func(t *testing.T, o *secureOrigin, c *http.Client) {
		for _, expect := range []bool{false, true} {
			for _, length := range []int64{size, -1} {
				sum := sha256.New()
				r, _ := http.NewRequestWithContext(t.Context(), "POST", o.URL, io.NopCloser(io.TeeReader(io.LimitReader(random(), size), sum)))
				r.ContentLength = length
				if expect {
					r.Header.Set("Expect", "100-continue")
				}
				resp, err := c.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if want := fmt.Sprintf("%d %x", size, sum.Sum(nil)); string(body) != want || err != nil {
					t.Errorf("expect %v, length %d: got %.80q, %v", expect, length, body, err)
				}
			}
		}
	})
}

func random() io.Reader { return rand.NewChaCha8([32]byte{1}) }

// TestRefusedUploadInside: who expects to be asked keeps the body when refused.
func TestRefusedUploadInside(t *testing.T) {
	bothWays(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(413)
	}, func(t *testing.T, o *secureOrigin, c *http.Client) {
		r, _ := http.NewRequestWithContext(t.Context(), "POST", o.URL, io.NopCloser(strings.NewReader("body")))
		r.ContentLength = 4
		r.Header.Set("Expect", "100-continue")
		resp, err := c.Do(r)
		if err != nil || resp.StatusCode != 413 {
			t.Fatalf("%v, %v", resp, err)
		}
		resp.Body.Close()
	})
}

// TestBrokenBodiesInside: what breaks off is never passed on as whole.
func TestBrokenBodiesInside(t *testing.T) {
	bothWays(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		io.WriteString(w, "half")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}, func(t *testing.T, o *secureOrigin, c *http.Client) {
		if resp, body, err := read(c, o.URL); err == nil {
			t.Errorf("%d %q passes for whole", resp.StatusCode, body)
		}
	})
}

// TestAbandonedRequestsInside: the origin learns that nobody waits any more.
func TestAbandonedRequestsInside(t *testing.T) {
	began, over := make(chan bool), make(chan bool)
	bothWays(t, func(w http.ResponseWriter, r *http.Request) {
		began <- true
		select {
		case <-r.Context().Done():
		case <-time.After(patience):
			t.Error("the origin was not told")
		}
		over <- true
	}, func(t *testing.T, o *secureOrigin, c *http.Client) {
		ctx, cancel := context.WithCancel(t.Context())
		r, _ := http.NewRequestWithContext(ctx, "GET", o.URL, nil)
		go func() {
			<-began
			cancel()
		}()
		if _, err := c.Do(r); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		<-over
	})
}

// TestWebSocketInside: the handshake and what follows.
func TestWebSocketInside(t *testing.T) {
	for _, protocols := range [][]string{{"http/1.1"}, {"h2", "http/1.1"}} {
		o := serveSecure(t, func(w http.ResponseWriter, r *http.Request) {
			if r.ProtoMajor != 1 || r.Header.Get("Upgrade") != "websocket" {
				w.WriteHeader(400)
				return
			}
			conn, buffered, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			defer conn.Close()
			io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nhello ")
			line, _ := buffered.ReadString('\n')
			io.WriteString(conn, line)
		}, nil, protocols...)
		proxy := serveProxy(t, inspecting(inspect.Always))
		tc, err := dialInside(t, proxy, o.address, &tls.Config{RootCAs: trusting(testAuthority()), NextProtos: []string{"http/1.1"}})
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(tc, "GET /chat HTTP/1.1\r\nHost: "+o.address+"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\nearly\n")
		br := bufio.NewReader(tc)
		resp, err := http.ReadResponse(br, nil)
		if err != nil || resp.StatusCode != 101 {
			t.Fatalf("%v %v", resp, err)
		}
		if got, err := io.ReadAll(br); string(got) != "hello early\n" {
			t.Errorf("got %q, %v", got, err)
		}
	}
}

// TestAWebSocketThatIsCutIsNotEndedInside: where a client goes without a word, the origin
// must not take what came for all. TLS without its last word looks like an end to many.
func TestAWebSocketThatIsCutIsNotEndedInside(t *testing.T) {
	ended := make(chan error, 1)
	o := serveSecure(t, func(w http.ResponseWriter, r *http.Request) {
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
		_, err = io.Copy(conn, buffered)
		ended <- err
	}, nil)
	proxy := serveProxy(t, inspecting(inspect.Always))
	for name, open := range map[string]func() (conn net.Conn, reset func()){
		"a connection": func() (net.Conn, func()) {
			conn, _ := openTunnel(t, proxy, o.address, "")
			return conn, func() {
				conn.SetLinger(0)
				conn.Close()
			}
		},
		"a stream of HTTP/2": func() (net.Conn, func()) {
			resp, up := openStream(t, h2Client(t, proxy, nil), o.address)
			return tunnelStream{Reader: resp.Body, Writer: up}, func() { resp.Body.Close() }
		},
	} {
		t.Run(name, func(t *testing.T) {
			conn, reset := open()
			tc := tls.Client(conn, &tls.Config{RootCAs: trusting(testAuthority()), ServerName: "127.0.0.1"})
			io.WriteString(tc, "GET /chat HTTP/1.1\r\nHost: "+o.address+"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
			inside := bufio.NewReader(tc)
			if resp, err := http.ReadResponse(inside, nil); err != nil || resp.StatusCode != 101 {
				t.Fatalf("%v %v", resp, err)
			}
			io.WriteString(tc, "x")
			if _, err := inside.ReadByte(); err != nil {
				t.Fatal(err)
			}
			reset()
			if err := <-ended; err == nil {
				t.Error("the origin got an end")
			}
		})
	}
}

// A tunnelStream is the two directions of a tunnel over HTTP/2 as what TLS wants.
type tunnelStream struct {
	net.Conn
	io.Reader
	io.Writer
}

func (s tunnelStream) Read(p []byte) (int, error)  { return s.Reader.Read(p) }
func (s tunnelStream) Write(p []byte) (int, error) { return s.Writer.Write(p) }

// TestStoredInside: a page that was fetched by one client is there for others.
func TestStoredInside(t *testing.T) {
	bothWays(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=100")
		w.Write(bytes.Repeat([]byte("x"), 100<<10))
	}, func(t *testing.T, o *secureOrigin, c *http.Client) {
		for range 3 {
			if _, body, err := read(c, o.URL+"/page"); err != nil || len(body) != 100<<10 {
				t.Fatal(len(body), err)
			}
		}
		if n := len(o.saw()); n != 1 {
			t.Errorf("the origin was asked %d times", n)
		}
	})
}

// TestBidirectionalStreamsInside: both sides speak in turns within one request,
// as gRPC does, and the status comes in a trailer that nobody announced.
func TestBidirectionalStreamsInside(t *testing.T) {
	o := serveSecure(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Te") != "trailers" || r.Header.Get("Content-Type") != "application/grpc" {
			t.Errorf("the origin saw %v", r.Header)
		}
		w.Header().Set("Content-Type", "application/grpc")
		w.WriteHeader(200)
		w.(http.Flusher).Flush()
		for br := bufio.NewReader(r.Body); ; {
			line, err := br.ReadString('\n')
			if err != nil {
				break
			}
			io.WriteString(w, "echo "+line)
			w.(http.Flusher).Flush()
		}
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
	}, nil, "h2")
	c := visitor(t, serveProxy(t, inspecting(inspect.Always)), trusting(testAuthority()), true)
	body, say := io.Pipe()
	r, _ := http.NewRequestWithContext(t.Context(), "POST", o.URL+"/pkg.Service/Method", body)
	r.Header.Set("Content-Type", "application/grpc")
	r.Header.Set("Te", "trailers")
	r.Header.Set("User-Agent", "grpc-go/1.80.0")
	resp, err := c.Do(r) // before a byte of the body was sent
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	br := bufio.NewReader(resp.Body)
	for i := range 3 {
		fmt.Fprintf(say, "message %d\n", i)
		if line, err := br.ReadString('\n'); line != fmt.Sprintf("echo message %d\n", i) {
			t.Fatalf("got %q, %v", line, err)
		}
	}
	say.Close()
	if rest, err := io.ReadAll(br); len(rest) > 0 || err != nil || resp.Trailer.Get("Grpc-Status") != "0" {
		t.Errorf("%q, %v, %v", rest, err, resp.Trailer)
	}
	if resp.ProtoMajor != 2 {
		t.Errorf("the client got %s", resp.Proto)
	}
}

// TestOtherHostsInside: HTTP/2 clients may ask for several hosts on one
// connection; only the CONNECT's is answered.
func TestOtherHostsInside(t *testing.T) {
	o := serveSecure(t, greet, nil, "h2")
	c := visitor(t, serveProxy(t, inspecting(inspect.Always)), trusting(testAuthority()), true)
	r, _ := http.NewRequestWithContext(t.Context(), "GET", o.URL, nil)
	r.Host = "other.example"
	resp, err := c.Do(r)
	if err != nil || resp.StatusCode != 421 || resp.ProtoMajor != 2 {
		t.Fatalf("%v, %v", resp, err)
	}
	resp.Body.Close()
	if len(o.saw()) > 0 {
		t.Error("the origin got it")
	}
}

// Firefox sends a WebSocket over HTTP/2 inside a CONNECT without Origin and cookies.
func TestWebSocketsInsideConnectHaveTheirOwnConnection(t *testing.T) {
	o := serveSecure(t, func(http.ResponseWriter, *http.Request) {}, nil, "h2")
	address := serveProxy(t, inspecting(inspect.Always))
	inside, err := dialInside(t, address, o.address, &tls.Config{RootCAs: trusting(testAuthority()), NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		conn    net.Conn
		offered bool
	}{"inside": {inside, false}, "to the proxy": {dial(t, address), true}} {
		c := http2test.NewClient(t, test.conn)
		settings := c.Until(func(f http2.Frame) bool { _, ok := f.(*http2.SettingsFrame); return ok }).(*http2.SettingsFrame)
		if value, _ := settings.Value(8); (value == 1) != test.offered { // SETTINGS_ENABLE_CONNECT_PROTOCOL (RFC 8441 §3)
			t.Errorf("%s: offered %t", name, !test.offered)
		}
	}
}
