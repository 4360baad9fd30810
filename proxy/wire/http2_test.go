package wire

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"guise/proxy/wire/http2test"
)

// startHTTP2 serves h over HTTP/2 in the clear, and returns the address and a
// client.
func startHTTP2(t testing.TB, h http.HandlerFunc, change func(*Server)) (string, *http.Transport) {
	t.Helper()
	addr := startServer(t, h, func(s *Server) {
		s.HTTP2 = true
		if change != nil {
			change(s)
		}
	})
	tr := &http.Transport{
		Protocols: new(http.Protocols),
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		},
	}
	tr.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(tr.CloseIdleConnections)
	return addr, tr
}

// TestHTTP2Conformance runs h2spec, all of it, over TLS. None of it waits for the time
// that an answer may take.
func TestHTTP2Conformance(t *testing.T) {
	secure := httptest.NewTLSServer(nil) // for its certificate
	secure.Close()
	s := &Server{HTTP2: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, "some text that is longer than one byte")
	})}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	served.Go(func() {
		s.Serve(tls.NewListener(l, &tls.Config{Certificates: secure.TLS.Certificates, NextProtos: []string{"h2"}}))
	})
	t.Cleanup(func() {
		s.Close()
		served.Wait()
	})
	host, port, _ := net.SplitHostPort(l.Addr().String())
	out, err := exec.Command("go", "tool", "h2spec", "--strict", "--timeout", "20", "--tls", "--insecure", "-h", host, "-p", port).CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte(" 0 failed")) {
		t.Fatalf("h2spec: %v\n%s", err, out)
	}
}

func roundTrip(t testing.TB, tr *http.Transport, method, url, body string, fields ...string) (*http.Response, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // 40 MiB take a busy machine a while
	t.Cleanup(cancel)
	var content io.Reader
	if body != "" {
		content = io.MultiReader(strings.NewReader(body)) // of unknown length
	}
	r, err := http.NewRequestWithContext(ctx, method, url, content)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		r.Header.Add(name, value)
	}
	resp, err := tr.RoundTrip(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: read body: %v", method, url, err)
	}
	return resp, string(got)
}

func TestHTTP2Request(t *testing.T) {
	_, tr := startHTTP2(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %d %q %q te=%q cookie=%q ", r.Proto, r.ContentLength, r.Host, r.Header["Host"], r.Header["Te"], r.Header["Cookie"])
		echo(w, r)
	}, nil)
	resp, got := roundTrip(t, tr, "POST", "http://a.example:81/p%20q?r", "the body", "Te: trailers", "Cookie: a=b; c=d")
	want := `HTTP/2.0 -1 "a.example:81" [] te=["trailers"] cookie=["a=b; c=d"] POST http://a.example:81/p%20q?r http://a.example:81/p%20q?r host=a.example:81 body="the body" err=<nil>`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if len(resp.Header) != 1 || resp.Header.Get("Date") == "" {
		t.Errorf("fields are added: %v", resp.Header)
	}
}

// TestHTTP2BodiesAreWhole sends a body each way that is larger than all
// windows and buffers, on several streams at once.
func TestHTTP2BodiesAreWhole(t *testing.T) {
	_, tr := startHTTP2(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) }, nil)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			body := strings.Repeat(string(rune('a'+i)), 5<<20+i)
			if _, got := roundTrip(t, tr, "POST", "http://a.example/", body); got != body {
				t.Errorf("%d bytes came back of %d", len(got), len(body))
			}
		})
	}
	all.Wait()
}

func TestHTTP2TrailersBothWays(t *testing.T) {
	_, tr := startHTTP2(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Announced")
		io.Copy(w, r.Body)
		w.Header().Set("X-Announced", r.Trailer.Get("X-Sent"))
		w.Header().Set(http.TrailerPrefix+"X-Late", "late")
		w.Header().Set(http.TrailerPrefix+"Content-Length", "5") // none that a section may hold
	}, nil)
	r, _ := http.NewRequestWithContext(t.Context(), "POST", "http://a.example/", strings.NewReader("body"))
	r.ContentLength = -1
	r.Trailer = http.Header{"X-Sent": {"value"}}
	resp := mustAnswer(t, tr, r)
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	if resp.Trailer.Get("X-Announced") != "value" || resp.Trailer.Get("X-Late") != "late" || len(resp.Trailer) != 2 {
		t.Errorf("trailers are %v", resp.Trailer)
	}
}

// TestHTTP2TrailersBesideALength: where a length says that the body is whole, a client
// that takes trailers (RFC 9110 §10.1.4) may yet get some that nobody has announced. For
// others the stream ends with the body.
func TestHTTP2TrailersBesideALength(t *testing.T) {
	addr, _ := startHTTP2(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "4")
		io.WriteString(w, "body")
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
	}, nil)
	for id, te := range map[uint32][]string{1: {"te: trailers"}, 3: nil} {
		c := dialHTTP2(t, addr)
		c.Head(id, true, append(plainGet[:4:4], te...)...)
		if head := c.Headers(id); head.StreamEnded() {
			t.Fatalf("%q: the head ends the stream", te)
		}
		data := c.Until(func(f http2.Frame) bool { return f.Header().Type == http2.FrameData }).(*http2.DataFrame)
		if string(data.Data()) != "body" || data.StreamEnded() != (te == nil) {
			t.Fatalf("%q: %v %q", te, data, data.Data())
		}
		if te == nil {
			continue
		}
		if end := c.Headers(id); !end.StreamEnded() || len(end.Fields) != 1 || end.Fields[0].Name != "grpc-status" || end.Fields[0].Value != "0" {
			t.Errorf("trailers are %v", end)
		}
	}
}

// TestHTTP2TrailersBehindNoContent: those that were announced come also where the length
// says that nothing comes before them.
func TestHTTP2TrailersBehindNoContent(t *testing.T) {
	_, tr := startHTTP2(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "0")
		w.Header().Set("Trailer", "X-Announced")
		w.WriteHeader(200)
		w.Header().Set("X-Announced", "value")
	}, nil)
	r, _ := http.NewRequestWithContext(t.Context(), "GET", "http://a.example/", nil)
	resp := mustAnswer(t, tr, r)
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	if resp.Trailer.Get("X-Announced") != "value" {
		t.Errorf("trailers are %v", resp.Trailer)
	}
}

func TestHTTP2InterimResponses(t *testing.T) {
	_, tr := startHTTP2(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</a>")
		w.WriteHeader(103)
		w.Header().Del("Link")
		if r.URL.Path == "/early" {
			w.WriteHeader(100)
			w.WriteHeader(200)
		}
		b, _ := io.ReadAll(r.Body) // sends 100, unless that was sent
		w.WriteHeader(200)
		w.Write(b)
	}, nil)
	for _, path := range []string{"/", "/early"} {
		var seen []string
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			seen = append(seen, fmt.Sprint(code, h.Get("Link")))
			return nil
		}})
		r, _ := http.NewRequestWithContext(ctx, "POST", "http://a.example"+path, strings.NewReader("body"))
		r.Header.Set("Expect", "100-continue")
		resp := mustAnswer(t, tr, r)
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(b) != "body" || len(resp.Header["Link"]) > 0 || strings.Join(seen, "|") != "103</a>|100" {
			t.Errorf("%q, %v, interim %q", b, resp.Header, seen)
		}
	}
}

// TestHTTP2InterimResponsesAreBounded: those of a client that does not read are
// not kept.
func TestHTTP2InterimResponsesAreBounded(t *testing.T) {
	kept := make(chan int, 1)
	_, tr := startHTTP2(t, func(w http.ResponseWriter, r *http.Request) {
		h := w.(*http2Response).st.h
		for stopped := false; !stopped; runtime.Gosched() {
			h.mu.Lock()
			stopped = !h.writing && len(h.out) == 0
			h.writing = h.writing || stopped // as if the client did not read for a while
			h.mu.Unlock()
		}
		w.Header().Set("Link", strings.Repeat("a", 10<<10))
		for range 100 {
			w.WriteHeader(103)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		kept <- len(h.out)
		h.writing = false
		h.wake()
	}, nil)
	resp, _ := roundTrip(t, tr, "GET", "http://a.example/", "")
	if n := <-kept; resp.StatusCode != 200 || n < maxHeads || n > maxHeads+20<<10 {
		t.Errorf("status %d, %d bytes were kept", resp.StatusCode, n)
	}
}

// TestHTTP2BrokenResponseIsReset: a part must not pass for the whole.
func TestHTTP2BrokenResponseIsReset(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"abort": func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "part")
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
		"too short": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "10")
			io.WriteString(w, "part")
		},
	} {
		t.Run(name, func(t *testing.T) {
			addr, tr := startHTTP2(t, h, nil)
			r, _ := http.NewRequestWithContext(t.Context(), "GET", "http://a.example/", nil)
			resp := mustAnswer(t, tr, r)
			defer resp.Body.Close()
			if b, err := io.ReadAll(resp.Body); err == nil {
				t.Errorf("%q passes for the whole", b)
			}
			c := dialHTTP2(t, addr) // that does not count itself
			c.Head(1, true, plainGet...)
			c.Headers(1)
			if got := c.Outcome(1); !strings.HasPrefix(got, "reset ") {
				t.Errorf("ends with %s", got)
			}
		})
	}
}

// A rawHTTP2 is a client that may say anything.
type rawHTTP2 = http2test.Client

func dialHTTP2(t *testing.T, addr string) *rawHTTP2 {
	t.Helper()
	return http2test.NewClient(t, patientConn{dial(t, addr)})
}

// A patientConn gives each read and each write half a minute: on a busy machine some
// thousand of them take longer in all.
type patientConn struct{ net.Conn }

func (c patientConn) Read(p []byte) (int, error) {
	c.SetReadDeadline(time.Now().Add(30 * time.Second))
	return c.Conn.Read(p)
}

func (c patientConn) Write(p []byte) (int, error) {
	c.SetWriteDeadline(time.Now().Add(30 * time.Second))
	return c.Conn.Write(p)
}

var plainGet = []string{":method: GET", ":scheme: http", ":authority: a.example", ":path: /"}

func TestHTTP2Refuses(t *testing.T) {
	saw := make(chan string, 100)
	addr, _ := startHTTP2(t, func(w http.ResponseWriter, r *http.Request) { saw <- r.RequestURI }, func(s *Server) {
		s.Limits = Limits{Head: 4096, Line: 2000, Fields: 20, Target: 100}
	})
	with := func(more ...string) []string { return append(plainGet[:4:4], more...) }
	for _, c := range []struct {
		name  string
		lines []string
		want  string
	}{
		{"connection", with("connection: close"), "reset PROTOCOL_ERROR"},
		{"keep-alive", with("keep-alive: 1"), "reset PROTOCOL_ERROR"},
		{"proxy-connection", with("proxy-connection: close"), "reset PROTOCOL_ERROR"},
		{"transfer-encoding", with("transfer-encoding: chunked"), "reset PROTOCOL_ERROR"},
		{"upgrade", with("upgrade: websocket"), "reset PROTOCOL_ERROR"},
		{"te", with("te: gzip"), "reset PROTOCOL_ERROR"},
		{"upper case", with("X-Up: a"), "reset PROTOCOL_ERROR"},
		{"space in a name", with("x up: a"), "reset PROTOCOL_ERROR"},
		{"empty name", with(": a"), "reset PROTOCOL_ERROR"},
		{"CR in a value", with("x: a\rb"), "reset PROTOCOL_ERROR"},
		{"LF in a value", with("x: a\nb: c"), "reset PROTOCOL_ERROR"},
		{"NUL in a value", with("x: a\x00"), "reset PROTOCOL_ERROR"},
		{"space around a value", with("x:  a"), "reset PROTOCOL_ERROR"},
		{"second host", with("host: a.example", "host: a.example"), "reset PROTOCOL_ERROR"},
		{"other host", with("host: b.example"), "reset PROTOCOL_ERROR"},
		{"second length", with("content-length: 0", "content-length: 0"), "reset PROTOCOL_ERROR"},
		{"length with a sign", with("content-length: +0"), "reset PROTOCOL_ERROR"},
		{"length without content", with("content-length: 1"), "reset PROTOCOL_ERROR"},
		{"pseudo field after a field", append([]string{"a: b"}, plainGet...), "reset PROTOCOL_ERROR"},
		{"unknown pseudo field", with(":other: a"), "reset PROTOCOL_ERROR"},
		{"response's pseudo field", with(":status: 200"), "reset PROTOCOL_ERROR"},
		{"second method", with(":method: GET"), "reset PROTOCOL_ERROR"},
		{"no method", plainGet[1:], "reset PROTOCOL_ERROR"},
		{"no path", plainGet[:3], "reset PROTOCOL_ERROR"},
		{"no authority", []string{":method: GET", ":scheme: http", ":path: /"}, "reset PROTOCOL_ERROR"},
		{"userinfo", []string{":method: GET", ":scheme: http", ":authority: u@a.example", ":path: /"}, "reset PROTOCOL_ERROR"},
		{"slash in the authority", []string{":method: GET", ":scheme: http", ":authority: a.example/b", ":path: /"}, "reset PROTOCOL_ERROR"},
		{"path without slash", []string{":method: GET", ":scheme: http", ":authority: a.example", ":path: b"}, "reset PROTOCOL_ERROR"},
		{"path that makes another authority", []string{":method: GET", ":scheme: http", ":authority: a.example", ":path: @b.example/"}, "reset PROTOCOL_ERROR"},
		{"space in the path", []string{":method: GET", ":scheme: http", ":authority: a.example", ":path: /a b"}, "reset PROTOCOL_ERROR"},
		{"fragment", []string{":method: GET", ":scheme: http", ":authority: a.example", ":path: /a#b"}, "reset PROTOCOL_ERROR"},
		{"asterisk without OPTIONS", []string{":method: GET", ":scheme: http", ":authority: a.example", ":path: *"}, "reset PROTOCOL_ERROR"},
		{"method with a space", []string{":method: GET /", ":scheme: http", ":authority: a.example", ":path: /"}, "reset PROTOCOL_ERROR"},
		{"scheme with a path", []string{":method: GET", ":scheme: http://b.example/?", ":authority: a.example", ":path: /"}, "reset PROTOCOL_ERROR"},
		{"empty authority beside host", []string{":method: GET", ":scheme: http", ":authority: ", ":path: /", "host: a.example"}, "reset PROTOCOL_ERROR"},
		{"empty protocol", with(":protocol: "), "reset PROTOCOL_ERROR"},
		{"CONNECT with a scheme", []string{":method: CONNECT", ":scheme: https", ":authority: a.example:443"}, "reset PROTOCOL_ERROR"},
		{"CONNECT with a path", []string{":method: CONNECT", ":authority: a.example:443", ":path: /"}, "reset PROTOCOL_ERROR"},
		{"CONNECT without a port", []string{":method: CONNECT", ":authority: a.example"}, "reset PROTOCOL_ERROR"},
		{"CONNECT with content", []string{":method: CONNECT", ":authority: a.example:443", "content-length: 0"}, "reset PROTOCOL_ERROR"},
		{"CONNECT without an authority", []string{":method: CONNECT", "host: a.example:443"}, "reset PROTOCOL_ERROR"},
		{"protocol without CONNECT", with(":protocol: websocket"), "reset PROTOCOL_ERROR"},
		{"long target", []string{":method: GET", ":scheme: http", ":authority: a.example", ":path: /" + strings.Repeat("a", 100)}, "414"},
		{"large head", with("x: " + strings.Repeat("a", 4000)), "431"},
		{"long field", with("x: " + strings.Repeat("a", 2000)), "431"},
		{"many fields", with(strings.Split(strings.Repeat("x: y|", 30)[:149], "|")...), "431"},
		{"expectation", with("expect: more"), "417"},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := dialHTTP2(t, addr)
			client.Head(1, true, c.lines...)
			if got := client.Outcome(1); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			// The connection's field table is still right.
			client.Head(3, true, append(plainGet[:3:3], ":path: /?next", "x-next: a")...)
			if got := client.Outcome(3); got != "200" {
				t.Errorf("the next request: %s", got)
			}
			if uri := <-saw; uri != "http://a.example/?next" || len(saw) > 0 {
				t.Errorf("the handler saw %q", uri)
			}
		})
	}
}

// TestHTTP2RefusesFrames: what breaks the rules of frames ends the stream, or the
// connection where both sides no longer know the same.
func TestHTTP2RefusesFrames(t *testing.T) {
	addr, _ := startHTTP2(t, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, nil)
	post := append([]string{":method: POST"}, plainGet[1:]...)
	for name, c := range map[string]struct {
		send func(*rawHTTP2)
		want string
	}{
		"a head in another": {func(c *rawHTTP2) {
			c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1})
			c.WriteContinuation(3, true, nil)
		}, "goaway PROTOCOL_ERROR"},
		"a reset of no client's stream": {func(c *rawHTTP2) {
			c.Head(3, false, post...)
			c.WriteRSTStream(2, http2.ErrCodeCancel)
		}, "goaway PROTOCOL_ERROR"},
		"a window of no client's stream": {func(c *rawHTTP2) {
			c.Head(3, false, post...)
			c.WriteWindowUpdate(2, 1)
		}, "goaway PROTOCOL_ERROR"},
		"as much padding as frame": {func(c *rawHTTP2) {
			c.Head(1, false, post...)
			c.WriteRawFrame(http2.FrameData, http2.FlagDataPadded, 1, []byte{1})
		}, "goaway PROTOCOL_ERROR"},
		"windows too large by a setting": {func(c *rawHTTP2) {
			c.Head(1, false, post...)
			c.WriteWindowUpdate(1, 1<<31-1-firstWindow)
			c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: firstWindow + 1})
		}, "goaway FLOW_CONTROL_ERROR"},
		"GOAWAY without a code": {func(c *rawHTTP2) { c.WriteRawFrame(http2.FrameGoAway, 0, 0, make([]byte, 4)) }, "goaway FRAME_SIZE_ERROR"},
		"too many settings": {func(c *rawHTTP2) {
			c.WriteSettings(slices.Repeat([]http2.Setting{{ID: http2.SettingInitialWindowSize}}, maxSettings+1)...)
		}, "goaway ENHANCE_YOUR_CALM"},
		"more than the window": {func(c *rawHTTP2) {
			c.Head(1, false, post...)
			for range streamWindow/ownMaxFrame + 1 {
				c.WriteData(1, false, make([]byte, ownMaxFrame))
			}
		}, "reset FLOW_CONTROL_ERROR"},
		"trailers with a pseudo field": {func(c *rawHTTP2) {
			c.Head(1, false, post...)
			c.Head(1, true, ":path: /")
		}, "reset PROTOCOL_ERROR"},
		"more than announced": {func(c *rawHTTP2) {
			c.Head(1, false, append(post[:4:4], "content-length: 5")...)
			c.WriteData(1, false, []byte("enough"))
		}, "reset PROTOCOL_ERROR"},
		"less than announced": {func(c *rawHTTP2) {
			c.Head(1, false, append(post[:4:4], "content-length: 5")...)
			c.WriteData(1, true, []byte("few"))
		}, "reset PROTOCOL_ERROR"},
		"trailers behind too little": {func(c *rawHTTP2) {
			c.Head(1, false, append(post[:4:4], "content-length: 5")...)
			c.Head(1, true, "a: b")
		}, "reset PROTOCOL_ERROR"},
	} {
		t.Run(name, func(t *testing.T) {
			client := dialHTTP2(t, addr)
			client.AllowIllegalWrites = true
			c.send(client)
			if got := client.Outcome(1); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// TestHTTP2PaddingIsGivenBack: it takes part in flow control (RFC 9113 §6.1), but nobody
// reads it.
func TestHTTP2PaddingIsGivenBack(t *testing.T) {
	addr, _ := startHTTP2(t, func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n, err)
	}, nil)
	c := dialHTTP2(t, addr)
	c.Head(1, false, append([]string{":method: POST"}, plainGet[1:]...)...)
	const frames = 2 * grownWindow / 256
	for i := range frames {
		c.WriteDataPadded(1, i == frames-1, []byte("a"), make([]byte, 255))
	}
	if got, want := c.Data(1), fmt.Sprint(frames, nil); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestHTTP2TrailersFrameNothing: fields that frame a message, or say where it goes, mean
// nothing behind it (RFC 9110 §6.5.1).
func TestHTTP2TrailersFrameNothing(t *testing.T) {
	addr, _ := startHTTP2(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, r.Trailer)
	}, nil)
	c := dialHTTP2(t, addr)
	c.Head(1, false, append([]string{":method: POST"}, append(plainGet[1:4:4], "trailer: a")...)...)
	c.Head(1, true, "a: b", "content-length: 5", "host: b.example", "authorization: c")
	if got, want := c.Data(1), fmt.Sprint(http.Header{"A": {"b"}}); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestHTTP2ResponseFields: those of a connection are left out (RFC 9113 §8.2.2), cookies
// are kept in no table (RFC 7541 §7.1.3), and the table is no larger than the client wants.
func TestHTTP2ResponseFields(t *testing.T) {
	addr, _ := startHTTP2(t, func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		for _, name := range []string{"Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Upgrade", "A", "Set-Cookie"} {
			h.Set(name, "a")
		}
	}, nil)
	c := dialHTTP2(t, addr)
	c.ReadMetaHeaders = hpack.NewDecoder(0, nil)
	c.WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: 0})
	for stream := uint32(1); stream < 9; stream += 2 {
		c.Head(stream, true, plainGet...)
		var names []string
		for _, f := range c.Headers(stream).Fields {
			names = append(names, f.Name)
			if f.Sensitive != (f.Name == "set-cookie") {
				t.Errorf("%s is for the table: %v", f.Name, !f.Sensitive)
			}
		}
		if got := strings.Join(names, " "); got != ":status a set-cookie date" {
			t.Errorf("got %q", got)
		}
	}
}

// TestHTTP2ResetContentIsEmpty: a 205 has no content (RFC 9110 §15.3.6).
func TestHTTP2ResetContentIsEmpty(t *testing.T) {
	addr, _ := startHTTP2(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "5")
		w.WriteHeader(205)
		if n, err := io.Copy(w, strings.NewReader("hello")); n != 5 || err != nil {
			t.Error(n, err)
		}
	}, nil)
	c := dialHTTP2(t, addr)
	c.Head(1, true, plainGet...)
	head := c.Headers(1)
	if length := slices.IndexFunc(head.Fields, func(f hpack.HeaderField) bool { return f.Name == "content-length" && f.Value == "0" }); !head.StreamEnded() || length < 0 {
		t.Errorf("%v", head.Fields)
	}
}

// TestHTTP2HeadsSayNothingOfAConnection: what a handler says of one is HTTP/1.1's (RFC 9113
// §8.2.2), and what has no content has no length (RFC 9110 §8.6).
func TestHTTP2HeadsSayNothingOfAConnection(t *testing.T) {
	for status, want := range map[int]string{200: "content-length: 0, x: y", 204: "x: y", 304: "x: y"} {
		addr, _ := startHTTP2(t, func(w http.ResponseWriter, r *http.Request) {
			for name := range connectionFields {
				w.Header().Set(name, "a")
			}
			w.Header().Set("Content-Length", "0")
			w.Header().Set("X", "y")
			w.Header()["Date"] = nil
			w.WriteHeader(status)
		}, nil)
		c := dialHTTP2(t, addr)
		c.Head(1, true, plainGet...)
		var got []string
		for _, f := range c.Headers(1).RegularFields() {
			got = append(got, f.Name+": "+f.Value)
		}
		slices.Sort(got)
		if got := strings.Join(got, ", "); got != want {
			t.Errorf("%d: %s, want %s", status, got, want)
		}
	}
}

// TestHTTP2Floods: what costs us and brings nobody anything ends the
// connection.
func TestHTTP2Floods(t *testing.T) {
	for name, flood := range map[string]func(c *rawHTTP2, i uint32) error{
		"rapid reset": func(c *rawHTTP2, i uint32) error {
			c.Head(2*i+1, true, plainGet...)
			return c.WriteRSTStream(2*i+1, http2.ErrCodeCancel)
		},
		"made to reset": func(c *rawHTTP2, i uint32) error {
			c.Head(2*i+1, false, plainGet...)
			return c.WriteWindowUpdate(2*i+1, 1<<31-1)
		},
		"window updates": func(c *rawHTTP2, i uint32) error {
			if i == 0 {
				c.Head(1, true, plainGet...)
			}
			return c.WriteWindowUpdate(i%2, 1)
		},
		"ping":     func(c *rawHTTP2, i uint32) error { return c.WritePing(false, [8]byte{}) },
		"settings": func(c *rawHTTP2, i uint32) error { return c.WriteSettings() },
		"many settings": func(c *rawHTTP2, i uint32) error {
			if i == 0 {
				return c.WriteSettings(slices.Repeat([]http2.Setting{{ID: http2.SettingInitialWindowSize}}, 1000)...)
			}
			return c.WriteData(1, false, nil) // which is wrong, and ends the connection for another reason
		},
		"priority":   func(c *rawHTTP2, i uint32) error { return c.WritePriority(2*i+1, http2.PriorityParam{}) },
		"unknown":    func(c *rawHTTP2, i uint32) error { return c.WriteRawFrame(0xee, 0, 0, nil) },
		"priorities": func(c *rawHTTP2, i uint32) error { return c.WriteRawFrame(0x10, 0, 0, []byte("\x00\x00\x00\x01i")) },
		"over limit": func(c *rawHTTP2, i uint32) error { return c.Head(2*i+1, false, plainGet...) },
		"empty data": func(c *rawHTTP2, i uint32) error {
			if i == 0 {
				c.Head(1, false, plainGet...)
			}
			return c.WriteData(1, false, nil)
		},
		"continuation": func(c *rawHTTP2, i uint32) error {
			if i == 0 {
				c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1})
			}
			return c.WriteContinuation(1, false, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			addr, _ := startHTTP2(t, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, nil)
			c := dialHTTP2(t, addr)
			c.AllowIllegalWrites = true
			var flooding sync.WaitGroup
			flooding.Go(func() {
				for i := uint32(0); flood(c, i) == nil; i++ {
				}
			})
			defer flooding.Wait()
			defer c.Close()
			for {
				f, err := c.ReadFrame()
				if err != nil {
					if ne, ok := err.(net.Error); ok && ne.Timeout() {
						t.Fatal("the flood goes on")
					}
					return // cut before GOAWAY was read
				}
				if g, ok := f.(*http2.GoAwayFrame); ok {
					if g.ErrCode != http2.ErrCodeEnhanceYourCalm {
						t.Errorf("GOAWAY %v", g.ErrCode)
					}
					return
				}
			}
		})
	}
}

// TestCutOffEndsTheConnection: a handler can have enough of a client.
func TestCutOffEndsTheConnection(t *testing.T) {
	addr, _ := startHTTP2(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/cut" {
			panic(ErrCutOff)
		}
		<-r.Context().Done()
	}, nil)
	if got := talk(t, addr, "GET /cut HTTP/1.1\r\nHost: x\r\n\r\n"); got != "" {
		t.Errorf("over HTTP/1.1 it gets %q", got)
	}
	c := dialHTTP2(t, addr)
	defer c.Close()
	c.Head(1, true, plainGet...) // goes on until then
	c.Head(3, true, ":method: GET", ":scheme: http", ":authority: a.example", ":path: /cut")
	for {
		f, err := c.ReadFrame()
		if err != nil {
			t.Fatalf("no GOAWAY: %v", err)
		}
		if g, ok := f.(*http2.GoAwayFrame); ok {
			if g.ErrCode != http2.ErrCodeEnhanceYourCalm {
				t.Errorf("GOAWAY %v", g.ErrCode)
			}
			break
		}
	}
	if _, err := io.Copy(io.Discard, c.Conn); err != nil {
		t.Errorf("after that: %v", err)
	}
}

// TestCloseEndsTheConnectionInTime: as over HTTP/1.1, and the other streams are finished.
func TestCloseEndsTheConnectionInTime(t *testing.T) {
	finish := make(chan bool)
	addr, _ := startHTTP2(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/last" {
			w.Header().Set("Connection", "close")
			io.WriteString(w, "last")
			return
		}
		<-finish
		io.WriteString(w, "whole")
	}, nil)
	c := dialHTTP2(t, addr)
	defer c.Close()
	c.Head(1, true, plainGet...)
	c.Head(3, true, ":method: GET", ":scheme: http", ":authority: a.example", ":path: /last")
	if got := c.Outcome(3); got != "goaway NO_ERROR" {
		t.Errorf("the connection: %s", got)
	}
	if got := c.Data(3); got != "last" {
		t.Errorf("the stream got %q", got)
	}
	close(finish)
	if got := c.Data(1); got != "whole" {
		t.Errorf("the other stream got %q", got)
	}
	if _, err := io.Copy(io.Discard, c.Conn); err != nil {
		t.Errorf("after that: %v", err)
	}
}

// TestElsewhereEndsTheConnectionInTime: the request that a handler wants on another
// connection is answered by nothing, and the others on this one are finished.
func TestElsewhereEndsTheConnectionInTime(t *testing.T) {
	finish := make(chan bool)
	addr, _ := startHTTP2(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			panic(ErrElsewhere)
		}
		<-finish
		io.WriteString(w, "whole")
	}, nil)
	if got := talk(t, addr, "GET /elsewhere HTTP/1.1\r\nHost: x\r\n\r\n"); got != "" {
		t.Errorf("over HTTP/1.1 it gets %q", got)
	}
	c := dialHTTP2(t, addr)
	defer c.Close()
	c.Head(1, true, plainGet...)
	c.Head(3, true, ":method: GET", ":scheme: http", ":authority: a.example", ":path: /elsewhere")
	if got := c.Outcome(3); got != "goaway NO_ERROR" {
		t.Errorf("the connection: %s", got)
	}
	if got := c.Outcome(3); got != "reset REFUSED_STREAM" {
		t.Errorf("the request: %s", got)
	}
	close(finish)
	if got := c.Data(1); got != "whole" {
		t.Errorf("the other stream got %q", got)
	}
	if _, err := io.Copy(io.Discard, c.Conn); err != nil {
		t.Errorf("after that: %v", err)
	}
}

// TestHTTP2DisturbancesAreTold: whoever counts them for all connections of a
// client can end one long before it is too much for itself.
func TestHTTP2DisturbancesAreTold(t *testing.T) {
	var told atomic.Int64
	addr, _ := startHTTP2(t, func(w http.ResponseWriter, r *http.Request) {}, func(s *Server) {
		s.Disturbed = func(remote string, frames int) bool {
			if remote == "" {
				t.Error("of nobody")
			}
			return told.Add(int64(frames)) <= 2*calmUnsaid
		}
	})
	c := dialHTTP2(t, addr)
	defer c.Close()
	for range 3 * calmUnsaid {
		c.WritePing(false, [8]byte{})
	}
	c.Until(func(f http2.Frame) bool {
		g, ok := f.(*http2.GoAwayFrame)
		return ok && g.ErrCode == http2.ErrCodeEnhanceYourCalm
	})
	if n := told.Load(); n != 3*calmUnsaid {
		t.Errorf("%d were told of", n)
	}
}

// TestHTTP2StreamsAreBounded: one stream more than announced is refused, and
// the others go on.
func TestHTTP2StreamsAreBounded(t *testing.T) {
	release := make(chan struct{})
	addr, _ := startHTTP2(t, func(w http.ResponseWriter, r *http.Request) { <-release }, func(s *Server) { s.Limits.Streams = 3 })
	c := dialHTTP2(t, addr)
	for i := range uint32(4) {
		c.Head(2*i+1, true, plainGet...)
	}
	if got := c.Outcome(7); got != "reset REFUSED_STREAM" {
		t.Errorf("the fourth stream: %s", got)
	}
	close(release)
	if got := c.Outcome(1); got != "200" {
		t.Errorf("the first stream: %s", got)
	}
}

// TestHTTP2HandlersMayOutliveTheirStreams: a client may begin a stream as soon as
// another has ended for it, whatever its handler has yet to do. But that is bounded.
func TestHTTP2HandlersMayOutliveTheirStreams(t *testing.T) {
	const streams = 3
	release := make(chan struct{})
	addr, _ := startHTTP2(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "5")
		io.WriteString(w, "whole")
		<-release
	}, func(s *Server) { s.Limits.Streams = streams })
	defer close(release)
	c := dialHTTP2(t, addr)
	for i := range uint32(2 * streams) {
		c.Head(2*i+1, true, plainGet...)
		if got := c.Data(2*i + 1); got != "whole" {
			t.Fatalf("stream %d got %q", 2*i+1, got)
		}
	}
	c.Head(4*streams+1, true, plainGet...)
	if got := c.Outcome(4*streams + 1); got != "reset REFUSED_STREAM" {
		t.Errorf("one more: %s", got)
	}
}

// TestHTTP2Timeouts: every wait for a client ends.
func TestHTTP2Timeouts(t *testing.T) {
	const short, long = 50 * time.Millisecond, time.Hour
	result := make(chan error, 1)
	for name, c := range map[string]struct {
		times   Timeouts
		act     func(c *rawHTTP2)
		handler http.HandlerFunc
	}{
		"no preface": {Timeouts{Head: short, KeepAlive: long, Body: long, Write: long}, nil, nil},
		"no request": {Timeouts{Head: long, KeepAlive: short, Body: long, Write: long}, func(c *rawHTTP2) {}, nil},
		"half a head": {Timeouts{Head: short, KeepAlive: long, Body: long, Write: long}, func(c *rawHTTP2) {
			c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1})
		}, nil},
		"half a frame": {Timeouts{Head: short, KeepAlive: long, Body: long, Write: long}, func(c *rawHTTP2) {
			c.Head(1, false, plainGet...)
			c.Conn.Write([]byte{0, 0})
		}, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
		"half a frame that is wrong": {Timeouts{Head: short, KeepAlive: long, Body: long, Write: long}, func(c *rawHTTP2) {
			c.Head(1, false, plainGet...)
			c.Conn.Write([]byte{0, 1, 0, framePriority, 0, 0, 0, 0, 1})
		}, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
		"half a frame on an ended stream": {Timeouts{Head: short, KeepAlive: long, Body: long, Write: long}, func(c *rawHTTP2) {
			c.Head(1, true, plainGet...)
			c.Outcome(1)
			c.Head(3, false, plainGet...)
			c.Conn.Write([]byte{0, 1, 0, frameData, 0, 0, 0, 0, 1})
		}, func(w http.ResponseWriter, r *http.Request) {
			if r.ContentLength != 0 {
				<-r.Context().Done()
			}
		}},
		"padding that is not said": {Timeouts{Head: long, KeepAlive: long, Body: short, Write: long}, func(c *rawHTTP2) {
			c.Head(1, false, plainGet...)
			c.Conn.Write([]byte{0, 1, 0, frameData, flagPadded, 0, 0, 0, 1})
		}, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
		"half a body": {Timeouts{Head: long, KeepAlive: 10 * short, Body: short, Write: long}, func(c *rawHTTP2) {
			c.Head(1, false, plainGet...)
		}, func(w http.ResponseWriter, r *http.Request) {
			_, err := io.ReadAll(r.Body)
			result <- err
		}},
		"no window": {Timeouts{Head: long, KeepAlive: 10 * short, Body: long, Write: short}, func(c *rawHTTP2) {
			c.Head(1, true, plainGet...)
		}, func(w http.ResponseWriter, r *http.Request) {
			_, err := w.Write(make([]byte, 1<<20))
			result <- err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			addr, _ := startHTTP2(t, c.handler, func(s *Server) { s.Timeouts = c.times })
			var conn net.Conn
			if c.act == nil {
				conn = dial(t, addr)
				io.WriteString(conn, http2Preface[:20])
			} else {
				client := dialHTTP2(t, addr)
				c.act(client)
				conn = client.Conn
			}
			if strings.HasPrefix(name, "half a body") || name == "no window" {
				if err := <-result; !errors.Is(err, errSlow) {
					t.Errorf("the handler got %v", err)
				}
			}
			if _, err := io.Copy(io.Discard, conn); err != nil && strings.Contains(err.Error(), "timeout") {
				t.Error("the connection stays open")
			}
		})
	}
}

// TestHTTP2DialogueOutlastsSilence: a client that has said what it wants to hear of may be
// silent while it hears it, as etcd's watchers are, but not once it has heard all.
func TestHTTP2DialogueOutlastsSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		result := make(chan error, 1)
		s := &Server{HTTP2: true, Timeouts: Timeouts{Body: time.Second}, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			go func() {
				_, err := io.ReadAll(r.Body)
				result <- err
			}()
			for range 5 {
				time.Sleep(700 * time.Millisecond)
				io.WriteString(w, "event")
			}
			select {
			case err := <-result:
				t.Errorf("cut while it listened: %v", err)
			default:
				w.(*http2Response).End()
				if err := <-result; err != errSlow {
					t.Errorf("%v, want %v", err, errSlow)
				}
			}
		})}
		defer s.Close()
		client, server := net.Pipe()
		defer client.Close()
		if err := s.ServeConn(server); err != nil {
			t.Fatal(err)
		}
		go io.Copy(io.Discard, client)
		c := http2test.NewClient(t, client)
		c.Head(1, false, ":method: POST", ":scheme: http", ":authority: a.example", ":path: /")
		c.WriteData(1, false, []byte("watch"))
		time.Sleep(10 * time.Second)
	})
}

// TestHTTP2ShutdownFinishesStreams: GOAWAY, then the rest of the answer.
func TestHTTP2ShutdownFinishesStreams(t *testing.T) {
	release, begun := make(chan struct{}), make(chan struct{})
	var server *Server
	_, tr := startHTTP2(t, func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		<-release
		io.WriteString(w, "whole")
	}, func(s *Server) { server = s })
	done := make(chan error, 1)
	go func() {
		<-begun
		go func() { done <- server.Shutdown(context.Background()) }()
		for !server.closing.Load() {
			runtime.Gosched()
		}
		close(release)
	}()
	if _, got := roundTrip(t, tr, "GET", "http://a.example/", ""); got != "whole" {
		t.Errorf("got %q", got)
	}
	if err := <-done; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

// TestHTTP2GoAwayCrossesARequest: what the client began before it read of
// GOAWAY is passed over, and costs no stream its answer (RFC 9113 §6.8).
func TestHTTP2GoAwayCrossesARequest(t *testing.T) {
	release := make(chan struct{})
	var server *Server
	addr, _ := startHTTP2(t, func(w http.ResponseWriter, r *http.Request) {
		<-release
		io.WriteString(w, "whole")
	}, func(s *Server) { server = s })
	c := dialHTTP2(t, addr)
	c.Head(1, true, plainGet...)
	c.WritePing(false, [8]byte{1})
	c.Until(func(f http2.Frame) bool { p, ok := f.(*http2.PingFrame); return ok && p.IsAck() })
	done := make(chan error, 1)
	go func() { done <- server.Shutdown(context.Background()) }()
	c.GoAway()
	c.Head(3, false, ":method: POST", ":scheme: http", ":authority: a.example", ":path: /")
	c.WriteData(3, false, []byte("crossing"))
	c.WriteWindowUpdate(3, 1)
	c.WriteData(3, true, []byte("bytes"))
	c.WriteRSTStream(3, http2.ErrCodeCancel)
	c.WritePing(false, [8]byte{2})
	c.Until(func(f http2.Frame) bool {
		if g, ok := f.(*http2.GoAwayFrame); ok {
			t.Fatalf("the connection ends: %v", g.ErrCode)
		}
		p, ok := f.(*http2.PingFrame)
		return ok && p.IsAck()
	})
	close(release)
	if got := c.Data(1); got != "whole" {
		t.Errorf("got %q", got)
	}
	if err := <-done; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

// TestHTTP2GoesAwayInTwoSteps: what the client begins before it knows is answered
// (RFC 9113 §6.8): it may be unable to send that again.
func TestHTTP2GoesAwayInTwoSteps(t *testing.T) {
	var server *Server
	addr, _ := startHTTP2(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) }, func(s *Server) { server = s })
	c := dialHTTP2(t, addr)
	post := func(stream uint32) {
		c.Head(stream, false, ":method: POST", ":scheme: http", ":authority: a.example", ":path: /")
		c.WriteData(stream, true, []byte("whole"))
	}
	post(1)
	c.Data(1)
	done := make(chan error, 1)
	go func() { done <- server.Shutdown(context.Background()) }()
	last := func() uint32 {
		return c.Until(func(f http2.Frame) bool { _, ok := f.(*http2.GoAwayFrame); return ok }).(*http2.GoAwayFrame).LastStreamID
	}
	if got := last(); got != maxStream {
		t.Errorf("at first, streams up to %d are taken", got)
	}
	post(3)
	if got := c.Data(3); got != "whole" {
		t.Errorf("a request that crosses GOAWAY got %q", got)
	}
	c.WritePing(true, [8]byte{})
	if got := last(); got != 3 {
		t.Errorf("at last, streams up to %d are taken", got)
	}
	if err := <-done; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

// TestHTTP2Tunnel: a CONNECT stream is a connection with two halves.
func TestHTTP2Tunnel(t *testing.T) {
	ended := make(chan error, 1)
	addr, _ := startHTTP2(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(200)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		go func() {
			if r.Host == "first.example:443" { // our half ends first
				io.WriteString(conn, "all")
				conn.(interface{ CloseWrite() error }).CloseWrite()
			}
			b, err := io.ReadAll(conn)
			if err == nil {
				_, err = conn.Write(b)
			}
			conn.Close()
			ended <- err
		}()
	}, nil)
	t.Run("ours ends first", func(t *testing.T) {
		c := dialHTTP2(t, addr)
		c.Head(1, false, ":method: CONNECT", ":authority: first.example:443")
		if got := c.Outcome(1); got != "200" {
			t.Fatal(got)
		}
		c.Until(func(f http2.Frame) bool { d, ok := f.(*http2.DataFrame); return ok && d.StreamEnded() })
		c.WriteData(1, true, []byte("late")) // answered by an error: the half is closed
		if err := <-ended; err == nil {
			t.Error("a write after CloseWrite succeeds")
		}
	})
	t.Run("client's ends first", func(t *testing.T) {
		c := dialHTTP2(t, addr)
		c.Head(1, false, ":method: CONNECT", ":authority: a.example:443")
		c.Outcome(1)
		c.WriteData(1, true, []byte("ping"))
		d := c.Until(func(f http2.Frame) bool { _, ok := f.(*http2.DataFrame); return ok }).(*http2.DataFrame)
		if string(d.Data()) != "ping" {
			t.Errorf("got %q", d.Data())
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if got := c.Outcome(1); got != "reset CONNECT_ERROR" {
			t.Errorf("Close without CloseWrite: %s", got)
		}
	})
	t.Run("client resets", func(t *testing.T) {
		c := dialHTTP2(t, addr)
		c.Head(1, false, ":method: CONNECT", ":authority: a.example:443")
		c.Outcome(1)
		c.WriteRSTStream(1, http2.ErrCodeCancel)
		if err := <-ended; err != io.ErrUnexpectedEOF {
			t.Errorf("read: %v", err)
		}
	})
	t.Run("client sends a head", func(t *testing.T) { // RFC 9113 §8.5
		c := dialHTTP2(t, addr)
		c.Head(1, false, ":method: CONNECT", ":authority: a.example:443")
		c.Outcome(1)
		c.WriteData(1, false, []byte("ping"))
		c.Head(1, true, "a: b")
		if got := c.Outcome(1); got != "reset PROTOCOL_ERROR" {
			t.Errorf("a head in a tunnel: %s", got)
		}
		if err := <-ended; err != io.ErrUnexpectedEOF {
			t.Errorf("read: %v", err)
		}
	})
}

// A quietConn sends what it holds, then ends, and takes whatever it is given.
type quietConn struct {
	net.Conn
	*bytes.Reader
	closed chan struct{}
	once   *sync.Once
}

func (q quietConn) Read(p []byte) (int, error)       { return q.Reader.Read(p) }
func (q quietConn) Write(p []byte) (int, error)      { return len(p), nil }
func (q quietConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (q quietConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (q quietConn) SetDeadline(time.Time) error      { return nil }
func (q quietConn) SetReadDeadline(time.Time) error  { return nil }
func (q quietConn) SetWriteDeadline(time.Time) error { return nil }
func (q quietConn) Close() error {
	q.once.Do(func() { close(q.closed) })
	return nil
}

// FuzzHTTP2: no frames make the server panic, hang, or pass on a request that
// HTTP/1.1 could not say.
func FuzzHTTP2(f *testing.F) {
	frames := func(write func(c *rawHTTP2)) []byte {
		var b bytes.Buffer
		c := http2test.NewWriter(&b)
		c.AllowIllegalWrites = true
		c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 10})
		write(c)
		return b.Bytes()
	}
	f.Add(frames(func(c *rawHTTP2) { c.Head(1, true, plainGet...) }))
	f.Add(frames(func(c *rawHTTP2) {
		c.Head(1, false, ":method: POST", ":scheme: https", ":authority: [::1]:8", ":path: /a?b", "content-length: 3", "cookie: a", "cookie: b", "trailer: x")
		c.WriteDataPadded(1, false, []byte("abc"), []byte{0, 0})
		c.Head(1, true, "x: y")
	}))
	f.Add(frames(func(c *rawHTTP2) {
		c.Head(1, false, ":method: CONNECT", ":protocol: websocket", ":scheme: http", ":authority: a", ":path: /")
		c.WriteData(1, true, []byte("abc"))
		c.WriteWindowUpdate(1, 100)
		c.WriteRSTStream(1, 0)
		c.WritePing(false, [8]byte{})
		c.WritePriority(3, http2.PriorityParam{})
		c.WriteGoAway(0, 0, nil)
	}))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := &Server{HTTP2: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var b strings.Builder
			fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", r.Method, r.RequestURI, r.Host)
			for name, values := range r.Header {
				if name == ":protocol" {
					continue
				}
				for _, v := range values {
					fmt.Fprintf(&b, "%s: %s\r\n", name, v)
				}
			}
			method, _, _ := strings.Cut(b.String(), " ")
			limits := Limits{}.withDefaults()
			if _, err := parseRequest(context.Background(), b.String(), &limits); err != nil && method != "CONNECT" {
				t.Errorf("%q: %v", b.String(), err)
			}
			io.Copy(w, r.Body)
		})}
		q := quietConn{Reader: bytes.NewReader(append([]byte(http2Preface), data...)), closed: make(chan struct{}), once: new(sync.Once)}
		if err := s.ServeConn(q); err != nil {
			t.Fatal(err)
		}
		select {
		case <-q.closed:
		case <-time.After(30 * time.Second):
			t.Fatal("the connection stays open")
		}
		if err := s.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

// TestHTTP2WantsAdequateTLS (RFC 9113 §9.2.2): the suites of TLS 1.2 that are barred
// there are refused, whatever the client has agreed on.
func TestHTTP2WantsAdequateTLS(t *testing.T) {
	made := httptest.NewUnstartedServer(nil)
	made.StartTLS()
	certificates, roots := made.TLS.Certificates, made.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	made.Close()
	for suite, adequate := range map[uint16]bool{
		tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: true,
		tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA:    false,
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		config := &tls.Config{Certificates: certificates, NextProtos: []string{"h2"}, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite}}
		s := &Server{HTTP2: true, Handler: http.NotFoundHandler()}
		serveOn(t, tls.NewListener(l, config), s)
		conn, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{RootCAs: roots, ServerName: "example.com", NextProtos: []string{"h2"}, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite}})
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, http2Preface+"\x00\x00\x00\x04\x00\x00\x00\x00\x00")
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		if n, _ := conn.Read(make([]byte, 9)); (n > 0) != adequate {
			t.Errorf("%s: %d octets came", tls.CipherSuiteName(suite), n)
		}
		conn.Close()
	}
}
