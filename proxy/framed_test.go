package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"guise/proxy/inspect"
	"guise/proxy/wire"
	"guise/proxy/wire/http2test"
)

// insideFramed returns what asks a framed origin through an inspecting proxy.
func insideFramed(t *testing.T, answer func(*framedStream), edits ...func(*Options)) (*framedOrigin, *http.Client) {
	t.Helper()
	o := serveFramed(t, answer)
	proxy := serveProxy(t, func(o *Options) {
		inspecting(inspect.Always)(o)
		for _, edit := range edits {
			edit(o)
		}
	})
	return o, visitor(t, proxy, trusting(testAuthority()), true)
}

// impatient is for origins that say nothing.
func impatient(o *Options) {
	o.Timeouts.Response, o.Timeouts.Body = 100*time.Millisecond, 100*time.Millisecond
}

// TestMalformedHTTP2Answers: what is no answer by RFC 9113 §8.1.1 becomes a
// 502, and ends nothing but its own request.
func TestMalformedHTTP2Answers(t *testing.T) {
	malformed, broken := "http_protocol_error", "connection_terminated"
	for name, c := range map[string]struct {
		answer func(*framedStream)
		kind   string
	}{
		"101":             {func(s *framedStream) { s.head(false, ":status: 101") }, malformed},
		"no status":       {func(s *framedStream) { s.head(true, "a: b") }, malformed},
		"two statuses":    {func(s *framedStream) { s.head(true, ":status: 200", ":status: 200") }, malformed},
		"late status":     {func(s *framedStream) { s.head(true, "a: b", ":status: 200") }, malformed},
		"request's field": {func(s *framedStream) { s.head(true, ":status: 200", ":path: /") }, malformed},
		"status 99":       {func(s *framedStream) { s.head(true, ":status: 99") }, malformed},
		"status 099":      {func(s *framedStream) { s.head(true, ":status: 099") }, malformed},
		"status 1000":     {func(s *framedStream) { s.head(true, ":status: 1000") }, malformed},
		"status +20":      {func(s *framedStream) { s.head(true, ":status: +20") }, malformed},
		"upper case":      {func(s *framedStream) { s.head(true, ":status: 200", "X-Up: a") }, malformed},
		"space in a name": {func(s *framedStream) { s.head(true, ":status: 200", "x up: a") }, malformed},
		"line break":      {func(s *framedStream) { s.head(true, ":status: 200", "a: b\r\nset-cookie: c=d") }, malformed},
		"NUL":             {func(s *framedStream) { s.head(true, ":status: 200", "a: b\x00") }, malformed},
		"transfer coding": {func(s *framedStream) { s.head(true, ":status: 200", "transfer-encoding: chunked") }, malformed},
		"two lengths": {func(s *framedStream) {
			s.head(false, ":status: 200", "content-length: 5", "content-length: 6")
			s.data(true, "hello")
		}, malformed},
		"odd length":            {func(s *framedStream) { s.head(false, ":status: 200", "content-length: x"); s.data(true, "hello") }, malformed},
		"length without a body": {func(s *framedStream) { s.head(true, ":status: 200", "content-length: 5") }, malformed},
		"interim that ends":     {func(s *framedStream) { s.head(true, ":status: 103") }, malformed},
		"data first":            {func(s *framedStream) { s.data(true, "hello") }, malformed},
		"head of 300 KiB":       {func(s *framedStream) { s.long(300 << 10) }, "http_response_header_section_size"},
		"interims without end": {func(s *framedStream) {
			for range 500 {
				s.head(false, ":status: 102")
			}
		}, malformed},
		"interims of 200 KiB": {func(s *framedStream) {
			for range 20 {
				s.head(false, ":status: 103", "link: "+strings.Repeat("@", 10<<10)) // no Huffman code is shorter
			}
			s.head(true, ":status: 200")
		}, malformed},
		"continuations without end": {func(s *framedStream) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.block.Reset()
			s.encoder.WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
			s.WriteHeaders(http2.HeadersFrameParam{StreamID: s.id, EndStream: true, BlockFragment: s.block.Bytes()})
			for range 1000 {
				s.WriteContinuation(s.id, false, nil)
			}
			s.WriteContinuation(s.id, true, nil)
		}, malformed},
		"interrupted head": {func(s *framedStream) {
			s.frame(http2.FrameHeaders, 0, s.id, "")
			s.frame(http2.FramePing, 0, 0, "12345678")
		}, malformed},
		"head that another's goes on": {func(s *framedStream) {
			s.frame(http2.FrameHeaders, 0, s.id, "")
			s.frame(http2.FrameContinuation, http2.FlagContinuationEndHeaders, s.id+2, "")
		}, malformed},
		"head that goes on after its end": {func(s *framedStream) {
			s.frame(http2.FrameContinuation, http2.FlagContinuationEndHeaders, s.id, "")
		}, malformed},
		"head that is cut": {func(s *framedStream) {
			s.frame(http2.FrameHeaders, http2.FlagHeadersEndHeaders|http2.FlagHeadersEndStream, s.id, "\x40\x01")
		}, malformed},
		"stream that never was": {func(s *framedStream) { s.frame(http2.FrameData, 0, s.id+100, "") }, malformed},
		"stream of its own":     {func(s *framedStream) { s.frame(http2.FrameRSTStream, 0, 2, "\x00\x00\x00\x00") }, malformed},
		"priority":              {func(s *framedStream) { s.frame(0x10, 0, 0, "\x00\x00\x00\x01u=1") }, malformed},
		"push that is to be":    {func(s *framedStream) { s.frame(http2.FrameSettings, 0, 0, "\x00\x02\x00\x00\x00\x01") }, malformed},
		"empty status":          {func(s *framedStream) { s.head(true, ":status: ", ":status: 200") }, malformed},
		"push":                  {func(s *framedStream) { s.push() }, malformed},
		"garbage":               {func(s *framedStream) { s.conn.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")) }, malformed},
		"refused":               {func(s *framedStream) { s.reset(http2.ErrCodeRefusedStream) }, broken},
		"reset":                 {func(s *framedStream) { s.reset(http2.ErrCodeInternal) }, broken},
		"closed":                {func(s *framedStream) { s.conn.Close() }, broken},
		"silent":                {func(s *framedStream) {}, "http_response_timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			edit := func(*Options) {}
			if name == "silent" {
				edit = impatient
			}
			o, client := insideFramed(t, c.answer, edit)
			resp, _, err := read(client, "https://"+o.address+"/")
			if err != nil || resp.StatusCode != 502 && resp.StatusCode != 504 || !strings.Contains(resp.Header.Get("Proxy-Status"), c.kind) {
				t.Errorf("%+v %v", resp, err)
			}
		})
	}
}

// TestBrokenHTTP2Bodies: no part of a body passes for the whole.
func TestBrokenHTTP2Bodies(t *testing.T) {
	for name, end := range map[string]func(*framedStream){
		"too long":        func(s *framedStream) { s.data(true, "lothere") },
		"too short":       func(s *framedStream) { s.data(true, "l") },
		"reset":           func(s *framedStream) { s.reset(http2.ErrCodeInternal) },
		"reset, no error": func(s *framedStream) { s.reset(http2.ErrCodeNo) },
		"closed":          func(s *framedStream) { s.conn.Close() },
		"silent":          func(s *framedStream) {},
		"a second head":   func(s *framedStream) { s.head(false, ":status: 200") },
		"odd trailers":    func(s *framedStream) { s.head(true, ":status: 200") },
	} {
		t.Run(name, func(t *testing.T) {
			edit := func(*Options) {}
			if name == "silent" {
				edit = impatient
			}
			o, client := insideFramed(t, func(s *framedStream) {
				s.head(false, ":status: 200", "content-length: 5", "cache-control: no-store")
				s.data(false, "hel")
				end(s)
			}, edit)
			if resp, body, err := read(client, "https://"+o.address+"/"); err == nil {
				t.Errorf("%d %q passes for whole", resp.StatusCode, body)
			}
		})
	}
}

// TestWhatBreaksBehindAWholeBodyCostsNoConnection: by the length, a client of HTTP/1.1 has
// had all, and knows of nothing that would be wrong with the connection.
func TestWhatBreaksBehindAWholeBodyCostsNoConnection(t *testing.T) {
	for name, end := range map[string]func(*framedStream){
		"reset":          func(s *framedStream) { s.reset(http2.ErrCodeInternal) },
		"closed":         func(s *framedStream) { s.conn.Close() },
		"silent":         func(*framedStream) {},
		"odd trailers":   func(s *framedStream) { s.head(true, ":status: 200") },
		"large trailers": func(s *framedStream) { s.head(true, "large: "+strings.Repeat("a", 100<<10)) },
	} {
		t.Run(name, func(t *testing.T) {
			o := serveFramed(t, func(s *framedStream) {
				s.head(false, ":status: 200", "content-length: 5", "cache-control: no-store")
				s.data(false, "hello")
				end(s)
			})
			proxy := serveProxy(t, func(o *Options) {
				inspecting(inspect.Always)(o)
				if name == "silent" {
					o.Timeouts.Body = time.Second
				}
			})
			tc, err := dialInside(t, proxy, o.address, &tls.Config{RootCAs: trusting(testAuthority())})
			if err != nil {
				t.Fatal(err)
			}
			tc.SetDeadline(time.Now().Add(patience))
			r := bufio.NewReader(tc)
			for range 2 {
				fmt.Fprintf(tc, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", o.address)
				resp, err := http.ReadResponse(r, nil)
				if err != nil {
					t.Fatal(err)
				}
				if body, err := io.ReadAll(resp.Body); string(body) != "hello" || err != nil {
					t.Errorf("%q %v", body, err)
				}
			}
		})
	}
}

// TestControlsInHTTP2Answers become spaces, and a cookie with one is none, as to browsers.
func TestControlsInHTTP2Answers(t *testing.T) {
	o, client := insideFramed(t, func(s *framedStream) {
		s.head(true, ":status: 200", "x-a: b\x01c\x7f", "x-d: \x1b", "set-cookie: ___utmva=EnS\x01okWd; path=/", "set-cookie: e=f")
	})
	resp, _, err := read(client, "https://"+o.address+"/")
	if err != nil || resp.StatusCode != 200 || resp.Header.Get("X-A") != "b c" || resp.Header["X-D"] != nil || len(resp.Header["Set-Cookie"]) != 1 {
		t.Errorf("%+v %v", resp, err)
	}
}

// TestHTTP2HeadsAreThePersonas: fields and pseudo fields leave in the order of
// the persona's browser, whatever order a client has.
func TestHTTP2HeadsAreThePersonas(t *testing.T) {
	o, client := insideFramed(t, func(s *framedStream) { s.head(true, ":status: 204") })
	clients := []func(path string){
		func(path string) {
			if _, _, err := read(client, "https://"+o.address+path, "X-B", "2", "Accept", "*/*", "X-A", "1", "Cookie", "a=b; c=d"); err != nil {
				t.Error(err)
			}
		},
	}
	fields := []string{"Cookie: a=b; c=d", "X-A: 1", "Accept: */*", "X-B: 2", "User-Agent: curl/8"}
	proxy := client.Transport.(*http.Transport)
	for range len(fields) {
		fields = append(fields[1:], fields[0])
		turned := append([]string(nil), fields...)
		clients = append(clients, func(path string) {
			u, _ := proxy.Proxy(nil)
			got := insideRaw(t, u.Host, o.address, "GET "+path+" HTTP/1.1\r\nHost: "+o.address+"\r\n"+strings.Join(turned, "\r\n")+"\r\nConnection: close\r\n\r\n")
			if !strings.HasPrefix(got, "HTTP/1.1 204") {
				t.Error(got)
			}
		})
	}
	for range 4 {
		for _, ask := range clients {
			ask("/p?r={s}")
		}
	}
	heads := o.saw()
	if len(heads) != 4*len(clients) {
		t.Fatalf("%d requests came", len(heads))
	}
	want := ":method: GET\n:path: /p?r={s}\n:authority: " + o.address + "\n:scheme: https\nuser-agent: "
	for _, head := range heads {
		if head != heads[0] || !strings.HasPrefix(head, want) || !strings.Contains(head, "\ncookie: a=b\ncookie: c=d\n") {
			t.Fatalf("a client's order shows:\n%s\nand\n%s", heads[0], head)
		}
	}
}

// TestAnswersThatAreAHeadAlone end with it on the other side too: gRPC tells
// its errors so.
func TestAnswersThatAreAHeadAlone(t *testing.T) {
	o := serveFramed(t, func(s *framedStream) {
		s.head(true, ":status: 200", "content-type: application/grpc", "grpc-status: 5")
	})
	tc, err := dialInside(t, serveProxy(t, inspecting(inspect.Always)), o.address, &tls.Config{RootCAs: trusting(testAuthority()), NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	c := http2test.NewClient(t, tc)
	c.Head(1, false, ":method: POST", ":scheme: https", ":authority: "+o.address, ":path: /s.S/M", "te: trailers", "content-type: application/grpc")
	c.WriteData(1, true, make([]byte, 5))
	if head := c.Headers(1); !head.StreamEnded() || head.PseudoValue("status") != "200" {
		t.Errorf("%v", head)
	}
	if head := o.saw()[0]; !strings.Contains(head, "te: trailers\n") {
		t.Errorf("a gRPC server does without te:\n%s", head)
	}
}

func TestChromesPseudoFieldsInItsOrder(t *testing.T) {
	o, client := insideFramed(t, func(s *framedStream) { s.head(true, ":status: 204") }, func(o *Options) { o.Filters.Persona = "chrome" })
	if _, _, err := read(client, "https://"+o.address+"/"); err != nil {
		t.Fatal(err)
	}
	if head := o.saw()[0]; !strings.HasPrefix(head, ":method: GET\n:authority: "+o.address+"\n:scheme: https\n:path: /\n") {
		t.Error(head)
	}
}

// TestHTTP2PathsKeepTheirBytes: those that a URL should not have among them
// (RFC 9110 §7.7).
func TestHTTP2PathsKeepTheirBytes(t *testing.T) {
	o, client := insideFramed(t, func(s *framedStream) { s.head(true, ":status: 204") })
	u, _ := client.Transport.(*http.Transport).Proxy(nil)
	for _, path := range []string{"/a|b", "/a\\b\"<>^`{}", "/%7Ea/%2f%41//../.", "/?", "/?a=%zz|&b"} {
		insideRaw(t, u.Host, o.address, "GET "+path+" HTTP/1.1\r\nHost: "+o.address+"\r\nConnection: close\r\n\r\n")
		heads := o.saw()
		if head := heads[len(heads)-1]; !strings.Contains(head, "\n:path: "+path+"\n") {
			t.Errorf("%s became\n%s", path, head)
		}
	}
}

// refusals are how an origin says that it did nothing about a request.
var refusals = map[string]func(*framedStream){
	"REFUSED_STREAM": func(s *framedStream) { s.reset(http2.ErrCodeRefusedStream) },
	"GOAWAY":         func(s *framedStream) { s.goAway(0, http2.ErrCodeNo) },
}

// TestRefusedStreamsAreSentAgain: once, where the origin says that it did
// nothing about them.
func TestRefusedStreamsAreSentAgain(t *testing.T) {
	for name, refuse := range refusals {
		t.Run(name, func(t *testing.T) {
			var count atomic.Int32
			o, client := insideFramed(t, func(s *framedStream) {
				if count.Add(1) == 1 {
					refuse(s)
					return
				}
				s.head(true, ":status: 204")
			})
			if resp, _, err := read(client, "https://"+o.address+"/"); err != nil || resp.StatusCode != 204 || count.Load() != 2 {
				t.Errorf("%v %v after %d requests", resp, err, count.Load())
			}
		})
	}
}

// TestShortConnectionsLoseNoRequest: some origins end each connection after so many
// requests, and those that come together can meet that more than once.
func TestShortConnectionsLoseNoRequest(t *testing.T) {
	const each = 2 // requests on a connection
	o := serveFramed(t, func(s *framedStream) {
		switch n := (s.id + 1) / 2; {
		case n > each:
			return // the origin has said that it does nothing about it
		case n == each:
			s.mu.Lock()
			s.WriteGoAway(s.id, http2.ErrCodeNo, nil)
			s.mu.Unlock()
		}
		s.head(true, ":status: 204")
	})
	s := newSecureOrigins(&wire.Transport{Dial: new(net.Dialer).DialContext, TLS: originTLS(trusting(originAuthority()))})
	t.Cleanup(s.close)
	var asked sync.WaitGroup
	for range 12 {
		asked.Go(func() {
			r, _ := http.NewRequestWithContext(t.Context(), "POST", "https://"+o.address+"/", nil)
			resp, err := s.RoundTrip(r)
			if err != nil || resp.StatusCode != 204 {
				t.Errorf("%v %v", resp, err)
			}
		})
	}
	asked.Wait()
}

// TestLostConnectionIsNoFaultOfWhoComesNext: one that was there before, also if nobody
// had asked anything on it, may have been lost without a word.
func TestLostConnectionIsNoFaultOfWhoComesNext(t *testing.T) {
	for name, ahead := range map[string]bool{"opened ahead of need": true, "opened for the request": false} {
		t.Run(name, func(t *testing.T) {
			var count atomic.Int32
			o := serveFramed(t, func(s *framedStream) {
				if count.Add(1) == 1 {
					s.conn.Close()
					return
				}
				s.head(true, ":status: 204")
			})
			s := newSecureOrigins(&wire.Transport{Dial: new(net.Dialer).DialContext, TLS: originTLS(trusting(originAuthority()))})
			t.Cleanup(s.close)
			if ahead {
				if err := s.ready(t.Context(), o.address); err != nil {
					t.Fatal(err)
				}
			}
			r, _ := http.NewRequestWithContext(t.Context(), "GET", "https://"+o.address+"/", nil)
			if _, err := s.RoundTrip(r); (err == nil) != ahead {
				t.Errorf("%v after %d requests", err, count.Load())
			}
		})
	}
}

// TestUploadsAreSentAgain: where the origin says that it did nothing, a body
// that is still held goes out once more, as a whole, also if it was still
// coming when the origin said so.
func TestUploadsAreSentAgain(t *testing.T) {
	for name, refuse := range refusals {
		t.Run(name, func(t *testing.T) {
			var count atomic.Int32
			body, rest := io.Pipe()
			refused := make(chan struct{})
			o := serveFramed(t, func(s *framedStream) {
				if count.Add(1) == 1 {
					refuse(s)
					close(refused)
					return
				}
				s.head(false, ":status: 200")
				s.data(true, s.upload(1<<20))
			})
			client := visitor(t, serveProxy(t, inspecting(inspect.Always)), trusting(testAuthority()), false)
			go func() {
				io.WriteString(rest, "one")
				<-refused
				io.WriteString(rest, " two")
				rest.Close()
			}()
			resp, err := client.Post("https://"+o.address+"/", "text/plain", body)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if got, err := io.ReadAll(resp.Body); err != nil || string(got) != "one two" || count.Load() != 2 {
				t.Errorf("%d %q %v after %d requests", resp.StatusCode, got, err, count.Load())
			}
		})
	}
}

// TestUploadsThatCrossGoAwayAreSentAgain: all of an upload that an origin lets come
// before it looks at it is held, however long the rest is.
func TestUploadsThatCrossGoAwayAreSentAgain(t *testing.T) {
	const size = 200_000
	o, client := insideFramed(t, func(s *framedStream) {
		if s.origin.unwidened.Load() {
			s.upload(firstWindow)
			s.origin.unwidened.Store(false)
			s.goAway(0, http2.ErrCodeNo)
			return
		}
		got := s.upload(size)
		s.head(false, ":status: 200")
		s.data(true, fmt.Sprint(len(got)))
	})
	o.unwidened.Store(true)
	resp, err := client.Post("https://"+o.address+"/", "text/plain", strings.NewReader(strings.Repeat("a", size)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, err := io.ReadAll(resp.Body); err != nil || string(got) != fmt.Sprint(size) || len(o.saw()) != 2 {
		t.Errorf("%d %q %v after %d requests", resp.StatusCode, got, err, len(o.saw()))
	}
}

// TestUploadsGoOnBehindAnEarlyHead: an origin that answers as it reads may not wait to
// be asked for the content.
func TestUploadsGoOnBehindAnEarlyHead(t *testing.T) {
	o, client := insideFramed(t, func(s *framedStream) {
		s.head(false, ":status: 200")
		s.data(true, s.upload(5))
	})
	r, err := http.NewRequest("PUT", "https://"+o.address+"/", strings.NewReader("whole"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Expect", "100-continue")
	client.Transport.(*http.Transport).ExpectContinueTimeout = time.Millisecond
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, err := io.ReadAll(resp.Body); string(got) != "whole" || err != nil {
		t.Errorf("%q %v", got, err)
	}
}

// TestUploadsThatAreGoneAreSentOnce: a part never goes out for the whole, and
// what no origin refused goes out once.
func TestUploadsThatAreGoneAreSentOnce(t *testing.T) {
	for name, c := range map[string]struct {
		size int
		end  http2.ErrCode
	}{
		"refused, too large to hold": {replaySize + 1, http2.ErrCodeRefusedStream},
		"broken":                     {7, http2.ErrCodeInternal},
	} {
		t.Run(name, func(t *testing.T) {
			o, client := insideFramed(t, func(s *framedStream) {
				s.upload(c.size)
				s.reset(c.end)
			})
			resp, err := client.Post("https://"+o.address+"/", "text/plain", strings.NewReader(strings.Repeat("a", c.size)))
			if err != nil || resp.StatusCode != 502 || len(o.saw()) != 1 {
				t.Errorf("%v %v after %d requests", resp, err, len(o.saw()))
			}
		})
	}
}

// TestAFaultOfOneStreamIsItsOwn: what an origin does wrong on a stream ends that
// one, and the frames behind it are read for what they are.
func TestAFaultOfOneStreamIsItsOwn(t *testing.T) {
	for _, by := range []uint32{0, 1<<31 - 1} {
		begun, go_ := make(chan struct{}), make(chan struct{})
		o, client := insideFramed(t, func(s *framedStream) {
			if s.id == 3 { // Firefox begins with that
				s.head(false, ":status: 200", "cache-control: no-store")
				s.data(false, "wh")
				close(begun)
				<-go_
				s.data(true, "ole")
				return
			}
			s.widen(by)
			close(go_)
		})
		whole := make(chan string, 1)
		go func() {
			_, body, err := read(client, "https://"+o.address+"/whole")
			whole <- fmt.Sprint(body, err)
		}()
		<-begun
		if resp, _, err := read(client, "https://"+o.address+"/faulty"); err != nil || resp.StatusCode != 502 {
			t.Errorf("%v %v", resp, err)
		}
		if got := <-whole; got != "whole<nil>" {
			t.Errorf("the other stream got %s", got)
		}
	}
}

// TestAFaultOfTheConnectionIsOfOneStream: what an origin does on a stream that costs the
// connection is no fault of the others, which are asked again.
func TestAFaultOfTheConnectionIsOfOneStream(t *testing.T) {
	for name, do := range map[string]func(*framedStream){
		"endless head": func(s *framedStream) { s.long(1 << 20) },
		"push":         func(s *framedStream) { s.push() },
	} {
		t.Run(name, func(t *testing.T) {
			var first atomic.Pointer[tls.Conn]
			begun := make(chan struct{})
			o, client := insideFramed(t, func(s *framedStream) {
				first.CompareAndSwap(nil, s.conn)
				switch {
				case s.conn != first.Load() || s.id == 3: // Firefox begins with that
					s.head(false, ":status: 200", "cache-control: no-store")
					s.data(true, "whole")
				case s.id == 5:
					close(begun)
				default:
					do(s)
				}
			})
			ask := func(path string) (string, error) {
				resp, body, err := read(client, "https://"+o.address+path)
				if err == nil && resp.StatusCode != 200 {
					body = resp.Header.Get("Proxy-Status")
				}
				return body, err
			}
			if got, err := ask("/"); got != "whole" || err != nil {
				t.Fatal(got, err)
			}
			whole := make(chan string, 1)
			go func() {
				got, err := ask("/whole")
				whole <- fmt.Sprint(got, err)
			}()
			<-begun
			if got, err := ask("/faulty"); got != "guise;error=http_protocol_error" || err != nil {
				t.Error(got, err)
			}
			if got := <-whole; got != "whole<nil>" {
				t.Errorf("the other stream got %s", got)
			}
		})
	}
}

// TestNothingComesBehindTheEnd: what an origin sends on a stream that it has ended is
// nobody's, and ends the connection (RFC 9113 §5.1). An empty frame is none: some origins
// end so what a head has ended.
func TestNothingComesBehindTheEnd(t *testing.T) {
	for name, c := range map[string]struct {
		send func(*framedStream)
		ends bool
	}{
		"a head":              {func(s *framedStream) { s.head(true, ":status: 200") }, true},
		"content":             {func(s *framedStream) { s.data(false, "more") }, true},
		"content after reset": {func(s *framedStream) { s.reset(http2.ErrCodeNo); s.data(false, "more") }, true},
		"nothing":             {func(s *framedStream) { s.data(true, "") }, false},
	} {
		t.Run(name, func(t *testing.T) {
			conns := make(chan *tls.Conn, 2)
			o, client := insideFramed(t, func(s *framedStream) {
				conns <- s.conn
				s.head(true, ":status: 200", "cache-control: no-store")
				if s.id == 3 { // Firefox begins with that
					c.send(s)
				}
			})
			ask := func() {
				t.Helper()
				if resp, body, err := read(client, "https://"+o.address+"/"); err != nil || resp.StatusCode != 200 || body != "" {
					t.Errorf("%v %q %v", resp, body, err)
				}
			}
			ask()
			if c.ends {
				until(t, "the connection ends", func() bool {
					o.mu.Lock()
					defer o.mu.Unlock()
					return slices.Equal(o.faults, []http2.ErrCode{http2.ErrCodeStreamClosed})
				})
			}
			ask()
			if first, second := <-conns, <-conns; (first != second) != c.ends {
				t.Errorf("another connection: %v", first != second)
			}
		})
	}
}

// TestTrailersBesideALength: a length says where the body ends, and not that
// nothing follows.
func TestTrailersBesideALength(t *testing.T) {
	o := serveFramed(t, func(s *framedStream) {
		got := s.upload(1 << 20)
		s.head(false, ":status: 200", "content-length: 5", "trailer: content-digest")
		s.data(false, got)
		s.head(true, strings.TrimSpace(<-s.trailer))
	})
	tc, err := dialInside(t, serveProxy(t, inspecting(inspect.Always)), o.address, &tls.Config{RootCAs: trusting(testAuthority()), NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	const digest = "content-digest: sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:"
	tc.SetDeadline(time.Now().Add(patience))
	c := http2test.NewClient(t, tc)
	c.Head(1, false, ":method: POST", ":scheme: https", ":authority: "+o.address, ":path: /", "content-length: 5", "trailer: content-digest")
	c.WriteData(1, false, []byte("hello"))
	c.Head(1, true, digest)
	if head := c.Headers(1); head.PseudoValue("status") != "200" {
		t.Fatalf("%v", head)
	}
	if got := c.SomeData(1); got != "hello" {
		t.Errorf("body %q", got)
	}
	if end := c.Headers(1); !end.StreamEnded() || len(end.Fields) != 1 || end.Fields[0].Name+": "+end.Fields[0].Value != digest {
		t.Errorf("the trailers are %v", end.Fields)
	}
}

// TestUnannouncedTrailersBesideALength: some gRPC servers say how long a single message
// is (github.com/akka/akka-grpc/pull/2075), and none announces its status.
func TestUnannouncedTrailersBesideALength(t *testing.T) {
	o := serveFramed(t, func(s *framedStream) {
		s.head(false, ":status: 200", "content-type: application/grpc", "content-length: 5")
		s.data(false, s.upload(1<<20))
		s.head(true, "grpc-status: 0")
	})
	tc, err := dialInside(t, serveProxy(t, inspecting(inspect.Always)), o.address, &tls.Config{RootCAs: trusting(testAuthority()), NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	tc.SetDeadline(time.Now().Add(patience))
	c := http2test.NewClient(t, tc)
	c.Head(1, false, ":method: POST", ":scheme: https", ":authority: "+o.address, ":path: /a.B/C", "content-type: application/grpc", "te: trailers")
	c.WriteData(1, true, []byte("hello"))
	if head := c.Headers(1); head.PseudoValue("status") != "200" {
		t.Fatalf("%v", head)
	}
	if got := c.SomeData(1); got != "hello" {
		t.Errorf("body %q", got)
	}
	if end := c.Headers(1); !end.StreamEnded() || len(end.Fields) != 1 || end.Fields[0].Name != "grpc-status" {
		t.Errorf("the trailers are %v", end.Fields)
	}
}

// TestTrailersBehindNoContent: nor is an answer a head alone by its length.
func TestTrailersBehindNoContent(t *testing.T) {
	for _, announced := range []bool{false, true} {
		t.Run(fmt.Sprint("announced ", announced), func(t *testing.T) {
			o := serveFramed(t, func(s *framedStream) {
				head := []string{":status: 200", "content-type: application/grpc", "content-length: 0"}
				if announced {
					head = append(head, "trailer: grpc-status")
				}
				s.head(false, head...)
				s.head(true, "grpc-status: 5")
			})
			tc, err := dialInside(t, serveProxy(t, inspecting(inspect.Always)), o.address, &tls.Config{RootCAs: trusting(testAuthority()), NextProtos: []string{"h2"}})
			if err != nil {
				t.Fatal(err)
			}
			tc.SetDeadline(time.Now().Add(patience))
			c := http2test.NewClient(t, tc)
			c.Head(1, true, ":method: POST", ":scheme: https", ":authority: "+o.address, ":path: /s.S/M", "content-type: application/grpc", "te: trailers")
			if head := c.Headers(1); head.StreamEnded() || head.PseudoValue("status") != "200" {
				t.Fatalf("%v", head)
			}
			if end := c.Headers(1); !end.StreamEnded() || len(end.Fields) != 1 || end.Fields[0].Name != "grpc-status" {
				t.Errorf("the trailers are %v", end.Fields)
			}
		})
	}
}

// TestHTTP11Required: an origin may want a request in HTTP/1.1 (RFC 9113 §7),
// as some do whose users sign in by the connection.
func TestHTTP11Required(t *testing.T) {
	t.Run("a stream", func(t *testing.T) {
		wantsHTTP11(t, func(s *framedStream) { s.reset(http2.ErrCodeHTTP11Required) })
	})
	t.Run("the connection", func(t *testing.T) {
		wantsHTTP11(t, func(s *framedStream) { s.goAway(0, http2.ErrCodeHTTP11Required) })
	})
}

func wantsHTTP11(t *testing.T, refuse func(*framedStream)) {
	framed := &framedOrigin{}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", siteTLS(t, "h2", "http/1.1"))
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				tc := conn.(*tls.Conn)
				defer tc.Close()
				if tc.Handshake() == nil && tc.ConnectionState().NegotiatedProtocol == "h2" {
					framed.serve(tc, refuse)
					return
				}
				if n, _ := tc.Read(make([]byte, 4<<10)); n > 0 {
					io.WriteString(tc, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nby 1.1")
				}
			})
		}
	})
	t.Cleanup(running.Wait)
	t.Cleanup(func() { listener.Close() })
	client := visitor(t, serveProxy(t, inspecting(inspect.Always)), trusting(testAuthority()), true)
	for range 2 {
		if _, body, err := read(client, "https://"+listener.Addr().String()+"/"); err != nil || body != "by 1.1" {
			t.Errorf("%q %v", body, err)
		}
	}
	if n := len(framed.saw()); n != 1 {
		t.Errorf("asked %d times over HTTP/2", n)
	}
}

// TestEndedConnectionsAreForgotten: of an origin that nobody visits again, no
// connection is kept that has ended.
func TestEndedConnectionsAreForgotten(t *testing.T) {
	o := serveFramed(t, func(s *framedStream) {
		s.head(true, ":status: 204")
		s.goAway(s.id, http2.ErrCodeNo)
	})
	s := newSecureOrigins(&wire.Transport{
		Dial: new(net.Dialer).DialContext,
		TLS:  originTLS(trusting(originAuthority())),
	})
	t.Cleanup(s.close)
	for n := range 3 {
		ctx := wire.WithIsolation(t.Context(), fmt.Sprint("person ", n))
		r, _ := http.NewRequestWithContext(ctx, "GET", "https://"+o.address+"/", nil)
		resp, err := s.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	kept := func() (n int) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, p := range s.places {
			n += len(p.conns)
		}
		return n
	}
	for end := time.Now().Add(20 * time.Second); kept() > 0; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d connections are kept", kept())
		}
	}
}

// TestAPanicClosesNoOrigin: who comes after one whose connection could not be
// opened for a panic waits for no end of it.
func TestAPanicClosesNoOrigin(t *testing.T) {
	o := serveFramed(t, func(s *framedStream) { s.head(true, ":status: 204") })
	panics := true
	s := newSecureOrigins(&wire.Transport{
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			if panics {
				panic("in a dial")
			}
			return new(net.Dialer).DialContext(ctx, network, address)
		},
		TLS: originTLS(trusting(originAuthority())),
	})
	t.Cleanup(s.close)
	ask := func() (err error) {
		defer func() {
			if recover() != nil {
				err = errPanicked
			}
		}()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		r, _ := http.NewRequestWithContext(ctx, "GET", "https://"+o.address+"/", nil)
		resp, err := s.RoundTrip(r)
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	if err := ask(); err != errPanicked {
		t.Fatalf("the dial did not panic: %v", err)
	}
	panics = false
	if err := ask(); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// TestWaitingSharesTheFault: requests that wait for the same connection do
// not wait for its fault one after the other.
func TestWaitingSharesTheFault(t *testing.T) {
	silent := serveOrigin(t, func(_ net.Conn, r *bufio.Reader) { io.Copy(io.Discard, r) })
	timeout := time.Second // long against what twelve handshakes take on a busy machine
	proxy := serveProxy(t, func(o *Options) {
		inspecting(inspect.Always)(o)
		o.Timeouts.Connect = timeout
	})
	var asked sync.WaitGroup
	begun := time.Now()
	for range 12 {
		asked.Go(func() {
			client := visitor(t, proxy, trusting(testAuthority()), true)
			resp, _, err := read(client, "https://"+silent.address+"/")
			if err != nil || resp.StatusCode != http.StatusGatewayTimeout || !strings.Contains(resp.Header.Get("Proxy-Status"), "connection_timeout") {
				t.Error(fmt.Sprint(resp, err))
			}
		})
	}
	asked.Wait()
	if took := time.Since(begun); took > 12*timeout { // as long as one after the other would take
		t.Errorf("took %v", took)
	}
}

// TestSlowReadersHinderNobody: a client that does not read what it asked for
// stops no other on the same connection to the origin.
func TestSlowReadersHinderNobody(t *testing.T) {
	o := serveSecure(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if r.URL.Path == "/small" {
			io.WriteString(w, "small")
			return
		}
		for range 16 {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				return
			}
		}
	}, nil, "h2")
	proxy := serveProxy(t, inspecting(inspect.Always))
	for range 16 {
		tc, err := dialInside(t, proxy, o.address, &tls.Config{RootCAs: trusting(testAuthority())})
		if err != nil {
			t.Fatal(err)
		}
		tc.NetConn().(*net.TCPConn).SetReadBuffer(4 << 10)
		fmt.Fprintf(tc, "GET /large HTTP/1.1\r\nHost: %s\r\n\r\n", o.address)
		io.ReadFull(tc, make([]byte, 1))
	}
	client := visitor(t, proxy, trusting(testAuthority()), true)
	for range 20 {
		if _, body, err := read(client, "https://"+o.address+"/small"); err != nil || body != "small" {
			t.Fatalf("%q %v", body, err)
		}
	}
	if n := o.connections(); n != 1 {
		t.Errorf("%d connections to the origin", n)
	}
}

// TestPaddingIsGivenBack: what an origin pads its frames with takes part in flow control
// (RFC 9113 §6.1), but nobody reads it.
func TestPaddingIsGivenBack(t *testing.T) {
	const frames = 3 << 20 / 256 // three times the largest window
	o, client := insideFramed(t, func(s *framedStream) {
		s.head(false, ":status: 200", "cache-control: no-store")
		for i := range frames {
			s.mu.Lock()
			s.WriteDataPadded(s.id, i == frames-1, []byte("a"), make([]byte, 255))
			s.mu.Unlock()
		}
	})
	if _, body, err := read(client, "https://"+o.address+"/"); err != nil || body != strings.Repeat("a", frames) {
		t.Errorf("%d bytes of %d, %v", len(body), frames, err)
	}
}

// TestStalledUploadsHinderNobody: uploads that their origin does not read, and that take
// all that the origin lets come, keep back nobody else's, however many connections they
// have clogged.
func TestStalledUploadsHinderNobody(t *testing.T) {
	const most = firstWindow - 1 + 1<<20 // of a framedOrigin's connection
	clogged, done := make(chan bool), make(chan bool)
	o, client := insideFramed(t, func(s *framedStream) {
		if len(s.origin.saw()) <= connsPerOrigin {
			s.mu.Lock()
			s.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 2 * most})
			s.mu.Unlock()
			s.upload(most)
			clogged <- true
			<-done
		}
		s.head(false, ":status: 200")
		s.data(true, s.upload(5))
	})
	o.unwidened.Store(true)
	var stalled sync.WaitGroup
	t.Cleanup(stalled.Wait)
	t.Cleanup(func() { close(done) })
	for range connsPerOrigin {
		stalled.Go(func() {
			if resp, err := client.Post("https://"+o.address+"/stalled", "text/plain", strings.NewReader(strings.Repeat("a", 2*most))); err == nil {
				resp.Body.Close()
			}
		})
		<-clogged
	}
	for range 2 * connsPerOrigin {
		resp, err := client.Post("https://"+o.address+"/", "text/plain", strings.NewReader("whole"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || string(got) != "whole" {
			t.Fatalf("%d %q %v", resp.StatusCode, got, err)
		}
	}
}

// TestManyAtOnceHaveAllConnections: none of those that come together, before
// an origin said how many streams it takes on a connection or later, waits for another's end.
func TestManyAtOnceHaveAllConnections(t *testing.T) {
	const all = 100*connsPerOrigin + 1 // a framedOrigin does not say how many
	var come sync.WaitGroup
	come.Add(all)
	o, client := insideFramed(t, func(s *framedStream) {
		come.Done()
		come.Wait()
		s.head(true, ":status: 204")
	}, func(o *Options) { o.Timeouts.Connect = time.Minute }) // on a busy machine none of them is greeted for long
	var asked sync.WaitGroup
	for i := range all {
		asked.Go(func() {
			resp, _, err := read(client, fmt.Sprintf("https://%s/%d", o.address, i))
			if err != nil || resp.StatusCode != http.StatusNoContent {
				t.Error(resp, err)
			}
		})
	}
	asked.Wait()
}

// TestOriginThatTakesNoStreams: it holds nobody for longer than a response may
// take.
func TestOriginThatTakesNoStreams(t *testing.T) {
	o, client := insideFramed(t, func(s *framedStream) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams})
	}, impatient)
	for range 2 * connsPerOrigin {
		resp, _, err := read(client, "https://"+o.address+"/")
		if err != nil || resp.StatusCode != http.StatusGatewayTimeout {
			t.Fatal(resp, err)
		}
	}
}

// TestOriginThatNeverGreets: it holds nobody for longer than a handshake may
// take.
func TestOriginThatNeverGreets(t *testing.T) {
	config := siteTLS(t, "h2")
	silent := serveOrigin(t, func(conn net.Conn, _ *bufio.Reader) { io.Copy(io.Discard, tls.Server(conn, config)) })
	proxy := serveProxy(t, func(o *Options) {
		inspecting(inspect.Always)(o)
		o.Timeouts.Connect = 300 * time.Millisecond
	})
	client := visitor(t, proxy, trusting(testAuthority()), true)
	var asked sync.WaitGroup
	for range 4 {
		asked.Go(func() {
			resp, _, err := read(client, "https://"+silent.address+"/")
			if err != nil || resp.StatusCode != http.StatusGatewayTimeout {
				t.Error(fmt.Sprint(resp, err))
			}
		})
	}
	asked.Wait()
}

// TestStalledConnectionsTakeNothingNew: who comes after a request that a connection left
// without an answer, and all else without a word, is answered on another.
func TestStalledConnectionsTakeNothingNew(t *testing.T) {
	for name, begin := range map[string]string{
		"in silence":      "",
		"within a frame":  "\x00\x00\x09\x01\x04\x00\x00\x00\x01\x88",
		"within a block":  "\x00\x00\x01\x01\x00\x00\x00\x00\x01\x88",
		"in a frame head": "\x00\x00\x09\x01",
	} {
		t.Run(name, func(t *testing.T) {
			over := make(chan struct{})
			var first atomic.Pointer[tls.Conn]
			o, client := insideFramed(t, func(s *framedStream) {
				if !first.CompareAndSwap(nil, s.conn) && first.Load() != s.conn {
					s.head(true, ":status: 204")
					return
				}
				s.mu.Lock() // and nothing more is said, not even to a PING
				defer s.mu.Unlock()
				io.WriteString(s.conn, begin)
				<-over
			}, impatient)
			defer close(over)
			for _, want := range []int{504, 204, 204} {
				resp, _, err := read(client, "https://"+o.address+"/")
				if err != nil || resp.StatusCode != want {
					t.Fatalf("%v %v, want %d", resp, err, want)
				}
			}
		})
	}
}
