package wire

import (
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
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
)

// openHTTP2 returns a connection to an origin that Go's own server is.
func openHTTP2(t *testing.T, streams int, handle http.HandlerFunc, edits ...func(*Transport)) (*HTTP2Conn, string) {
	t.Helper()
	s := httptest.NewUnstartedServer(handle)
	s.EnableHTTP2 = true
	s.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: streams}
	s.StartTLS()
	t.Cleanup(s.Close)
	tr := newTransport(t, s.Listener.Addr().String())
	tr.TLS = &tls.Config{InsecureSkipVerify: true}
	for _, edit := range edits {
		edit(tr)
	}
	tc, err := tr.Connect(t.Context(), s.Listener.Addr().String(), "h2")
	if err != nil || tc == nil {
		t.Fatal(tc, err)
	}
	c := tr.HTTP2(tc, nil)
	c.Release()
	t.Cleanup(c.Retire)
	return c, s.URL
}

// TestHTTP2NoWrongByte: many requests at once, with bodies both ways that are
// larger than any window, each get their own bytes.
func TestHTTP2NoWrongByte(t *testing.T) {
	c, url := openHTTP2(t, 30, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/early" {
			io.WriteString(w, "early")
			return
		}
		w.Header().Set("Trailer", "Sum")
		hash := sha256.New()
		both := io.TeeReader(r.Body, hash)
		http.NewResponseController(w).EnableFullDuplex()
		io.Copy(w, both)
		w.Header().Set("Sum", fmt.Sprintf("%x %s", hash.Sum(nil), r.Trailer.Get("Sent")))
	})
	var all sync.WaitGroup
	for n := range 40 {
		rnd := rand.New(rand.NewPCG(9, uint64(n)))
		all.Go(func() {
			body := make([]byte, rnd.IntN(2<<20))
			for i := range body {
				body[i] = byte(i*7 + n)
			}
			r, _ := http.NewRequestWithContext(t.Context(), "POST", url+"/", bytes.NewReader(body))
			if n%2 == 0 {
				r.ContentLength = -1
			}
			if n%4 == 0 {
				r.Trailer = http.Header{"Sent": {"yes"}}
			}
			if n%8 == 0 {
				r.Body = io.NopCloser(iotest.DataErrReader(r.Body)) // its end comes with its last bytes
			}
			early := n%10 == 3
			if early {
				r.URL.Path = "/early"
			}
			if ok, err := c.Wait(t.Context()); !ok || err != nil {
				t.Error(ok, err)
				return
			}
			resp, err := c.RoundTrip(r)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			got, err := io.ReadAll(resp.Body)
			if early {
				if string(got) != "early" || err != nil {
					t.Errorf("%q %v", got, err)
				}
				return
			}
			want := strings.TrimSpace(fmt.Sprintf("%x %s", sha256.Sum256(body), r.Trailer.Get("Sent")))
			if err != nil || !bytes.Equal(got, body) || resp.Trailer.Get("Sum") != want {
				t.Errorf("%d of %d bytes, %v, %v", len(got), len(body), err, resp.Trailer)
			}
		})
	}
	all.Wait()
}

// TestHTTP2StreamsWaitForTheirTurn: no more streams than the origin wants, and
// nobody waits for longer than its context.
func TestHTTP2StreamsWaitForTheirTurn(t *testing.T) {
	release := make(chan bool)
	c, url := openHTTP2(t, 2, func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-release
	})
	defer close(release)
	first := getHTTP2(t, c, url) // by now the origin's settings are here
	if !c.Reserve() || c.Reserve() {
		t.Fatal("not two streams")
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("gone")
	cancel(gone)
	if ok, err := c.Wait(ctx); ok || err != gone {
		t.Error(ok, err)
	}
	c.Release()
	second := getHTTP2(t, c, url)
	go first.Body.Close()
	if ok, err := c.Wait(t.Context()); !ok || err != nil {
		t.Error(ok, err)
	}
	c.Release()
	second.Body.Close()
}

// TestHTTP2OriginsRaiseTheirLimits: who waits for a stream begins once the origin takes more.
func TestHTTP2OriginsRaiseTheirLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, origin, end := scriptHTTP2(new(Transport)) // one stream is reserved
		defer end()
		origin.Write(appendSettings(nil, setting{settingMaxStreams, 1}))
		began := time.Now()
		go func() {
			synctest.Wait() // somebody waits for a second one
			origin.Write(appendSettings(nil, setting{settingMaxStreams, 2}))
		}()
		if ok, err := c.Wait(t.Context()); !ok || err != nil || time.Since(began) > 0 {
			t.Errorf("%v, %v after %v", ok, err, time.Since(began))
		}
	})
}

// TestHTTP2OriginsHeadsAreBounded: also where no frame of one is its last.
func TestHTTP2OriginsHeadsAreBounded(t *testing.T) {
	c, origin, end := scriptHTTP2(&Transport{Limits: Limits{Head: 100}})
	origin.Write(appendSettings(nil))
	answered := beginStream(c)
	block := bytes.Repeat([]byte{0x88}, maxBlock(c.t.Limits)/2+1)
	origin.Write(append(appendFrameHead(nil, frameHead{length: len(block), kind: frameHeaders, stream: 1}), block...))
	origin.Write(append(appendFrameHead(nil, frameHead{length: len(block), kind: frameContinuation, stream: 1}), block...))
	end()
	if fault, ok := errors.AsType[*http2Fault](c.err); !ok || fault.code != codeEnhanceYourCalm {
		t.Errorf("it ends with %v", c.err)
	}
	<-answered
}

func getHTTP2(t *testing.T, c *HTTP2Conn, url string) *http.Response {
	t.Helper()
	if ok, err := c.Wait(t.Context()); !ok || err != nil {
		t.Fatal(ok, err)
	}
	r, _ := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	resp, err := c.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// TestHTTP2UnreadBodiesStopNoOther: however many there are, and the windows of
// those that are read grow.
func TestHTTP2UnreadBodiesStopNoOther(t *testing.T) {
	const unread = 90
	written := make(chan bool, unread)
	c, url := openHTTP2(t, 100, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/small" {
			io.WriteString(w, "small")
			return
		}
		w.Write(make([]byte, originWindow/2))
		written <- true
		w.Write(make([]byte, 2*originGrown))
	})
	for range unread {
		defer getHTTP2(t, c, url).Body.Close()
	}
	for range unread {
		<-written
	}
	large := getHTTP2(t, c, url)
	if n, err := io.Copy(io.Discard, large.Body); n != originWindow/2+2*originGrown || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	if st := large.Body.(originBody).st; st.allowed != originGrown {
		t.Errorf("a window of %d bytes", st.allowed)
	}
	small := getHTTP2(t, c, url+"/small")
	if got, err := io.ReadAll(small.Body); string(got) != "small" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// TestHTTP2SlowlyReadAnswersHoldLittle: where what came waits for its reader, the window
// does not grow.
func TestHTTP2SlowlyReadAnswersHoldLittle(t *testing.T) {
	const piece, pieces = originWindow / 4, 20
	c, url := openHTTP2(t, 100, func(w http.ResponseWriter, r *http.Request) {
		w.Write(make([]byte, originWindow+pieces*piece))
	})
	body := getHTTP2(t, c, url).Body
	defer body.Close()
	st := body.(originBody).st
	for i := range pieces {
		untilHTTP2(c, func() bool { return st.in.left() >= originWindow || st.err != nil })
		if _, err := io.ReadFull(body, make([]byte, piece)); err != nil {
			t.Fatal(err)
		}
		if st.allowed != originWindow {
			t.Fatalf("after %d pieces, a window of %d bytes", i+1, st.allowed)
		}
	}
}

// TestHTTP2GrownWindowsLeaveRoomForStreams: those that are read have no more than
// a part of what there is, or the next would wait until one of them is over.
func TestHTTP2GrownWindowsLeaveRoomForStreams(t *testing.T) {
	c, url := openHTTP2(t, 100, func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			w.Write(make([]byte, originWindow))
		}
	})
	c.Wait(t.Context()) // for the settings
	c.Release()
	for n := range originUnread/originGrown + 1 {
		if !c.Reserve() {
			t.Fatalf("no stream begins beside %d", n)
		}
		c.Release()
		large := getHTTP2(t, c, url).Body
		defer large.Close()
		if _, err := io.CopyN(io.Discard, large, originGrown/2); err != nil { // enough for all that it may grow to
			t.Fatal(err)
		}
	}
}

// TestHTTP2LargeWindowsLeaveRoomForStreams: those as large as Chrome's are for a few at a
// time. If there are more, all come whole.
func TestHTTP2LargeWindowsLeaveRoomForStreams(t *testing.T) {
	const window, size = 6 << 20, 8 << 20
	c, url := openHTTP2(t, 100, func(w http.ResponseWriter, r *http.Request) {
		for range size / originWindow {
			w.Write(make([]byte, originWindow))
		}
	}, func(tr *Transport) {
		tr.HTTP2Start = HTTP2Start{Settings: [][2]uint32{{uint32(settingInitialWindow), window}}, Window: 2*window - firstWindow}
	})
	var bodies []io.ReadCloser
	for range originUnread/window + 1 {
		bodies = append(bodies, getHTTP2(t, c, url).Body)
		defer bodies[len(bodies)-1].Close()
	}
	c.mu.Lock()
	if want := len(bodies) * originWindow; c.lent != want {
		t.Errorf("%d bytes may come, want %d", c.lent, want)
	}
	c.mu.Unlock()
	for i, body := range slices.Backward(bodies) {
		if n, err := io.Copy(io.Discard, body); n != size || err != nil {
			t.Errorf("body %d: %d bytes, %v", i, n, err)
		}
	}
}

// TestHTTP2NarrowedWindowsAreGivenBack: what was read of a large window, and was too little
// for it to be given back, is more than the smaller one.
func TestHTTP2NarrowedWindowsAreGivenBack(t *testing.T) {
	const window, piece = 6 << 20, 2 * originWindow
	goOn := make(chan bool)
	c, url := openHTTP2(t, 100, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/large" {
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return
		}
		w.Write(make([]byte, piece))
		<-goOn
		w.Write(make([]byte, piece))
	}, func(tr *Transport) {
		tr.BodyTimeout = 10 * time.Second
		tr.HTTP2Start = HTTP2Start{Settings: [][2]uint32{{uint32(settingInitialWindow), window}}, Window: 2*window - firstWindow}
	})
	large := getHTTP2(t, c, url+"/large").Body
	defer large.Close()
	if _, err := io.ReadFull(large, make([]byte, piece)); err != nil {
		t.Fatal(err)
	}
	for range originUnread / window {
		defer getHTTP2(t, c, url+"/small").Body.Close()
	}
	c.mu.Lock()
	if c.begin != originWindow {
		t.Errorf("a new stream's window is %d bytes", c.begin)
	}
	c.mu.Unlock()
	close(goOn)
	if n, err := io.Copy(io.Discard, large); n != piece || err != nil {
		t.Errorf("%d bytes more, %v", n, err)
	}
}

// TestHTTP2UploadsEndWhole: a body that breaks off is reset, and who expects
// 100 (Continue) sends nothing that is not wanted.
func TestHTTP2UploadsEndWhole(t *testing.T) {
	reached := make(chan error, 1)
	c, url := openHTTP2(t, 10, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/refuse" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_, err := io.Copy(io.Discard, r.Body)
		reached <- err
	})
	post := func(path string, body io.Reader, length int64, fields ...string) (*http.Response, error) {
		r, _ := http.NewRequestWithContext(t.Context(), "POST", url+path, body)
		r.ContentLength = length
		for _, f := range fields {
			name, value, _ := strings.Cut(f, ": ")
			r.Header.Set(name, value)
		}
		c.Reserve()
		return c.RoundTrip(r)
	}
	broken := errors.New("broken")
	var bad *RequestBodyError
	if _, err := post("/", io.MultiReader(strings.NewReader("part"), failing{broken}), -1); !errors.As(err, &bad) || !errors.Is(err, broken) {
		t.Errorf("the client gets %v", err)
	}
	if err := <-reached; err == nil {
		t.Error("the origin took a part for the whole")
	}
	if _, err := post("/", io.MultiReader(strings.NewReader("part")), 10); !errors.As(err, &bad) {
		t.Errorf("the client gets %v", err)
	}
	if err := <-reached; err == nil {
		t.Error("the origin took a part for the whole")
	}
	read := &counted{Reader: strings.NewReader("unwanted")}
	resp, err := post("/refuse", read, 8, "Expect: 100-continue")
	if err != nil || resp.StatusCode != http.StatusForbidden || read.n != 0 {
		t.Errorf("%v %v, %d bytes were read", resp, err, read.n)
	}
	resp, err = post("/", strings.NewReader("wanted"), 6, "Expect: 100-continue")
	if err != nil || resp.StatusCode != http.StatusOK || <-reached != nil {
		t.Errorf("%v %v", resp, err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

type counted struct {
	io.Reader
	n int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}

// TestHTTP2TableHoldsNothingOfAClient: what one client sends does not show in
// the size of what goes out for another (RFC 7541 §7.1).
func TestHTTP2TableHoldsNothingOfAClient(t *testing.T) {
	sizes := make(map[string]int)
	for _, before := range []string{"secret", "public"} {
		fake := &fakeOrigin{}
		c := new(Transport).startHTTP2(fake, nil)
		c.Release()
		for _, secret := range []string{before, "secret"} {
			r, _ := http.NewRequest("GET", "https://a.example/"+secret, nil)
			r.Header = http.Header{"Cookie": {"a=" + secret}, "Authorization": {"Bearer " + secret}, "X-Own": {secret}, "User-Agent": {"persona"}}
			p, _ := c.t.plan(r)
			fields, err := p.http2Fields()
			if err != nil {
				t.Fatal(err)
			}
			c.mu.Lock()
			c.encoded.Reset()
			for _, f := range fields {
				c.encoder.WriteField(f)
			}
			sizes[before] = c.encoded.Len()
			c.mu.Unlock()
		}
		c.Retire()
		fake.Close()
	}
	if sizes["secret"] != sizes["public"] {
		t.Errorf("a request takes %d bytes after the same one, %d after another", sizes["secret"], sizes["public"])
	}
}

// TestHTTP2CrumbsHaveNoSpaceAboutThem: origins leave out a field that has (RFC 9113 §8.2.1),
// which is one cookie of several.
func TestHTTP2CrumbsHaveNoSpaceAboutThem(t *testing.T) {
	r, _ := http.NewRequest("GET", "https://a.example/", nil)
	r.Header = http.Header{"Cookie": {"a=1;  b=2 ; c=3;d=4;\t", "e=5"}}
	p, _ := new(Transport).plan(r)
	fields, err := p.http2Fields()
	if err != nil {
		t.Fatal(err)
	}
	var crumbs []string
	for _, f := range fields {
		if f.Name == "cookie" {
			crumbs = append(crumbs, f.Value)
		}
	}
	if want := []string{"a=1", "b=2", "c=3;d=4;", "e=5"}; !slices.Equal(crumbs, want) {
		t.Errorf("got %q, want %q", crumbs, want)
	}
}

// TestHTTP2FirstStreamIsReserved: however soon an origin wants no streams, the
// one that the connection was opened for is counted.
func TestHTTP2FirstStreamIsReserved(t *testing.T) {
	c := new(Transport).startHTTP2(&fakeOrigin{}, nil)
	c.mu.Lock()
	c.most = 0
	c.mu.Unlock()
	if c.Reserve() {
		t.Error("more streams than the origin wants")
	}
	c.Release()
	c.mu.Lock()
	left := c.reserved
	c.mu.Unlock()
	if left != 0 {
		t.Errorf("%d streams are reserved", left)
	}
	c.Retire()
}

// TestHTTP2BeginsNoStreamThatTheOriginRefusesByNow: some origins end the connection for one
// stream above what they have allowed since it was reserved (RFC 9113 §5.1.2).
func TestHTTP2BeginsNoStreamThatTheOriginRefusesByNow(t *testing.T) {
	c, origin, end := scriptHTTP2(new(Transport))
	origin.Write(appendSettings(nil, setting{settingMaxStreams, 2}))
	untilHTTP2(c, func() bool { return c.most == 2 })
	if !c.Reserve() {
		t.Fatal("no second stream")
	}
	first := beginStream(c)
	origin.Write(appendSettings(nil, setting{settingMaxStreams, 1}))
	untilHTTP2(c, func() bool { return c.most == 1 })
	second := beginStream(c)
	untilHTTP2(c, func() bool { return c.reserved == 0 })
	end()
	if err := <-second; err != ErrNotProcessed {
		t.Error(err)
	}
	if err := <-first; err == ErrNotProcessed {
		t.Error("the stream that had begun was not sent")
	}
}

// TestHTTP2WaitingSharesTheFault: of a connection on which the origin never said a
// word, who waits for it learns that, and need not wait for another one's.
func TestHTTP2WaitingSharesTheFault(t *testing.T) {
	for _, greeted := range []bool{false, true} {
		c := new(Transport).startHTTP2(&fakeOrigin{}, nil)
		c.mu.Lock()
		c.greeted = greeted
		c.mu.Unlock()
		waited := make(chan error)
		go func() {
			ok, err := c.Wait(t.Context())
			if ok {
				t.Error("two streams at a time")
			}
			waited <- err
		}()
		c.mu.Lock()
		c.end(ErrWriteTimeout)
		c.mu.Unlock()
		if err := <-waited; (err == ErrWriteTimeout) == greeted {
			t.Errorf("greeted %v: %v", greeted, err)
		}
	}
}

// TestHTTP2AsksBeforeItGivesUp: a PING that was out when a stream ended is no
// reason to take the next stream's silence for the connection's end.
func TestHTTP2AsksBeforeItGivesUp(t *testing.T) {
	c := new(Transport).startHTTP2(&fakeOrigin{}, nil)
	c.mu.Lock()
	c.greeted, c.pinged = true, true // as after a silence on an earlier stream
	c.mu.Unlock()
	failed := beginStream(c)
	c.listen() // the time of silence is over
	c.mu.Lock()
	err, asked := c.err, c.pinged
	c.mu.Unlock()
	if err != nil || !asked {
		t.Errorf("asked: %v, ended with %v", asked, err)
	}
	c.listen()
	if err := <-failed; err != ErrResponseTimeout {
		t.Error(err)
	}
}

// beginStream sends a request, and returns what its error will come by.
func beginStream(c *HTTP2Conn) (failed <-chan error) {
	r, _ := http.NewRequest("GET", "https://a.example/", nil)
	errs := make(chan error)
	go func() {
		_, err := c.RoundTrip(r)
		errs <- err
	}()
	untilHTTP2(c, func() bool { return len(c.streams) == 1 })
	return errs
}

// untilHTTP2 waits until so holds, which is asked with c's lock.
func untilHTTP2(c *HTTP2Conn, so func() bool) {
	for held := false; !held; runtime.Gosched() {
		c.mu.Lock()
		held = so()
		c.mu.Unlock()
	}
}

// TestHTTP2AsksFirstAfterARest: a connection that nobody used for a while may be
// lost, which whoever uses it next learns from a PING and not from a long silence.
func TestHTTP2AsksFirstAfterARest(t *testing.T) {
	for rest, want := range map[time.Duration]bool{originRest / 2: false, 2 * originRest: true} {
		c := new(Transport).startHTTP2(&fakeOrigin{}, nil)
		c.mu.Lock()
		c.greeted, c.heardAt = true, time.Now().Add(-rest).Round(0)
		c.mu.Unlock()
		failed := beginStream(c)
		c.mu.Lock()
		asked := c.pinged
		c.mu.Unlock()
		if asked != want {
			t.Errorf("after %s: asked: %v", rest, asked)
		}
		if !asked {
			c.listen()
		}
		c.listen()
		if err := <-failed; err != ErrResponseTimeout || !c.Silent() {
			t.Errorf("%v, silent: %v", err, c.Silent())
		}
	}
}

// TestHTTP2AsksAfterARestWhereTheClockWasSetBack: that a wall clock says that something
// is yet to come leaves nobody to a long silence.
func TestHTTP2AsksAfterARestWhereTheClockWasSetBack(t *testing.T) {
	c := new(Transport).startHTTP2(&fakeOrigin{}, nil)
	c.mu.Lock()
	c.greeted = true
	c.heardAt, c.heardOn = c.heardAt.Add(time.Hour), c.heardOn.Add(-2*originRest)
	c.mu.Unlock()
	began := time.Now()
	failed := beginStream(c)
	c.mu.Lock()
	asked := c.pinged
	c.mu.Unlock()
	if !asked || !c.HeardBefore(began) {
		t.Errorf("asked: %v, heard before: %v", asked, c.HeardBefore(began))
	}
	if !asked {
		c.listen()
	}
	c.listen()
	if err := <-failed; err != ErrResponseTimeout {
		t.Error(err)
	}
}

// TestHTTP2AsksNoMoreThanAnOriginTakes: who answers PINGs and has nothing else to say
// is left in peace. gRPC's servers end the connection else.
func TestHTTP2AsksNoMoreThanAnOriginTakes(t *testing.T) {
	c, origin, end := scriptHTTP2(new(Transport))
	for round := range 2 {
		origin.Write(appendSettings(nil)) // any word
		origin.Write(nil)                 // it has been read
		for range 10 {
			c.mu.Lock()
			c.heardAt = c.heardAt.Add(-2 * originRest)
			c.attend()
			asked := c.pinged
			c.mu.Unlock()
			if asked {
				origin.Write(append(appendFrameHead(nil, frameHead{length: 8, kind: framePing, flags: flagAck}), make([]byte, 8)...))
			}
			origin.Write(nil)
		}
		c.mu.Lock()
		if c.asked != originAsked {
			t.Errorf("round %d: asked %d times", round, c.asked)
		}
		c.mu.Unlock()
	}
	end()
}

// TestHTTP2DoubtsWhatDidNotAnswer: after a request without an answer no other begins, until
// the origin has said a word. It is asked for one, which it owes also when nobody waits for
// anything else.
func TestHTTP2DoubtsWhatDidNotAnswer(t *testing.T) {
	pong := append(appendFrameHead(nil, frameHead{length: 8, kind: framePing, flags: flagAck}), make([]byte, 8)...)
	for _, alive := range []bool{true, false} {
		c, origin, end := scriptHTTP2(&Transport{ResponseTimeout: time.Millisecond})
		origin.Write(appendSettings(nil))
		untilHTTP2(c, func() bool { return c.greeted })
		if err := <-beginStream(c); err != ErrResponseTimeout {
			t.Fatal(err)
		}
		if c.Reserve() || !c.Usable() {
			t.Error("a stream can begin, or never will")
		}
		if ok, err := c.Wait(t.Context()); ok || err != nil {
			t.Errorf("waits for it: %v %v", ok, err)
		}
		if alive {
			origin.Write(pong)
			untilHTTP2(c, func() bool { return !c.doubted })
			if !c.Reserve() || !c.Usable() {
				t.Error("no stream begins on what is alive")
			}
		} else if c.listen(); !c.Silent() {
			t.Error("a PING that nothing came for is forgotten")
		}
		end()
	}
}

// TestHTTP2WaitsForNoWordThatItDidNotAskFor: an origin that takes no more PINGs is not asked.
// The connection ends with its last stream.
func TestHTTP2WaitsForNoWordThatItDidNotAskFor(t *testing.T) {
	c, origin, end := scriptHTTP2(&Transport{ResponseTimeout: time.Millisecond})
	defer end()
	origin.Write(appendSettings(nil))
	untilHTTP2(c, func() bool { return c.greeted })
	c.mu.Lock()
	c.asked = originAsked
	c.mu.Unlock()
	if err := <-beginStream(c); err != ErrResponseTimeout {
		t.Fatal(err)
	}
	if c.Usable() || c.asked != originAsked {
		t.Errorf("goes on, asked %d times", c.asked)
	}
}

// TestHTTP2PanicInAHookEndsOneRequest: the process and the connection go on.
func TestHTTP2PanicInAHookEndsOneRequest(t *testing.T) {
	c, url := openHTTP2(t, 10, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
	})
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			Got1xxResponse: func(int, textproto.MIMEHeader) error { panic("hook") },
		})
		r, _ := http.NewRequestWithContext(ctx, "GET", url, nil)
		c.Reserve()
		c.RoundTrip(r)
	}()
	getHTTP2(t, c, url).Body.Close()
}

// TestHTTP2EndIsTold: whoever opened a connection learns of its end, and no
// request's context holds it any longer.
func TestHTTP2EndIsTold(t *testing.T) {
	fake, told := &fakeOrigin{}, make(chan bool)
	c := new(Transport).startHTTP2(fake, func() { close(told) })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, "GET", "https://a.example/", nil)
	failed := make(chan error)
	go func() {
		_, err := c.RoundTrip(r)
		failed <- err
	}()
	fake.Close()
	<-failed
	<-told
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.streams) != 0 {
		t.Errorf("%d streams are left", len(c.streams))
	}
}

// TestHTTP2TrailersWithoutAPlace: a caller may take the place for them away, as
// with HTTP/1.1.
func TestHTTP2TrailersWithoutAPlace(t *testing.T) {
	c, url := openHTTP2(t, 10, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "Sum")
		io.WriteString(w, "body")
		w.Header().Set("Sum", "4")
	})
	resp := getHTTP2(t, c, url)
	resp.Trailer = nil
	if got, err := io.ReadAll(resp.Body); string(got) != "body" || err != nil || resp.Trailer.Get("Sum") != "4" {
		t.Errorf("%q %v %v", got, err, resp.Trailer)
	}
	resp.Body.Close()
}

// TestHTTP2GivingUpCostsNoOther: answers to requests that were given up cross
// the reset, and are no flood of the origin's; those that nobody asked for are.
func TestHTTP2GivingUpCostsNoOther(t *testing.T) {
	c, origin, end := scriptHTTP2(new(Transport))
	origin.Write(appendSettings(nil))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	answer := func(stream uint32) error {
		_, err := origin.Write(appendHeadOK(nil, stream, flagEndStream))
		return err
	}
	for stream := uint32(1); stream < 4*calmBurst; stream += 2 {
		c.Reserve()
		r, _ := http.NewRequestWithContext(gone, "GET", "https://a.example/", nil)
		if _, err := c.RoundTrip(r); err != context.Canceled {
			t.Fatal(err)
		}
		if answer(stream) != nil || !c.Usable() {
			t.Fatalf("the connection ended after %d requests: %v", stream/2, c.err)
		}
	}
	for range 8 * calmBurst {
		if answer(1) != nil {
			break
		}
	}
	end()
	var fault *http2Fault
	if !errors.As(c.err, &fault) || fault.code != codeEnhanceYourCalm {
		t.Errorf("a flood ends with %v", c.err)
	}
}

// TestHTTP2GivingUpWears: a connection is worn by many streams that are given up at once,
// and not by as many over time, nor by those that end.
func TestHTTP2GivingUpWears(t *testing.T) {
	c, origin, end := scriptHTTP2(new(Transport))
	origin.Write(appendSettings(nil))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	giveUp := func(n int) {
		for range n {
			c.Reserve()
			r, _ := http.NewRequestWithContext(gone, "GET", "https://a.example/", nil)
			c.RoundTrip(r)
		}
	}
	giveUp(originGivenUp - 1)
	c.mu.Lock()
	c.givenUp.at = c.givenUp.at.Add(-time.Minute)
	c.mu.Unlock()
	giveUp(20)
	if c.Worn() {
		t.Error("worn by what comes in minutes")
	}
	giveUp(originGivenUp)
	if !c.Worn() || !c.Usable() {
		t.Error("not worn, or ended")
	}
	end()
}

// TestHTTP2EndsThatAreMissingAlone: a stream on which all but its end has come is not reset
// because its request is over, as Apache puts the end behind the answer to a HEAD in a frame
// of its own. Other streams are, and so is this one if no end follows.
func TestHTTP2EndsThatAreMissingAlone(t *testing.T) {
	four := append(appendFrameHead(nil, frameHead{length: 5, kind: frameHeaders, flags: flagEndHeaders, stream: 1}), 0x88, 0x0f, 0x0d, 1, '4') // content-length: 4
	data := func(flags uint8, body string) []byte {
		return append(appendFrameHead(nil, frameHead{length: len(body), kind: frameData, flags: flags, stream: 1}), body...)
	}
	for _, test := range []struct {
		name, method string
		says         []byte
		kept         bool
	}{
		{"answer to a HEAD", "HEAD", four, true},
		{"whole body", "GET", append(four[:len(four):len(four)], data(0, "body")...), true},
		{"part of a body", "GET", append(four[:len(four):len(four)], data(0, "bod")...), false},
		{"body of any length", "GET", append(appendHeadOK(nil, 1, 0), data(0, "body")...), false},
	} {
		for _, ends := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				c, origin, end := scriptHTTP2(new(Transport))
				defer end()
				origin.Write(appendSettings(nil))
				c.Reserve()
				ctx, cancel := context.WithCancel(t.Context())
				r, _ := http.NewRequestWithContext(ctx, test.method, "https://a.example/", nil)
				go func() {
					synctest.Wait() // the request is there
					origin.Write(test.says)
				}()
				resp, err := c.RoundTrip(r)
				if err != nil {
					t.Fatalf("%s: %v", test.name, err)
				}
				synctest.Wait() // the rest is there
				resp.Body.Close()
				cancel()
				synctest.Wait()
				open := func() int {
					c.mu.Lock()
					defer c.mu.Unlock()
					return len(c.streams)
				}
				if kept := open() == 1; kept != test.kept {
					t.Fatalf("%s: kept %v", test.name, kept)
				}
				if !test.kept {
					return
				}
				if ends {
					origin.Write(data(flagEndStream, ""))
				} else {
					time.Sleep(lastWords)
				}
				synctest.Wait()
				c.mu.Lock()
				reset, known := c.over.find(1)
				c.mu.Unlock()
				if open() != 0 || !known || reset == ends {
					t.Errorf("%s, ends %v: %d streams, reset %v", test.name, ends, open(), reset)
				}
			})
		}
	}
}

// TestHTTP2MissingEndIsNotAwaitedForLong: nor is it where a read waits for it when the body
// is closed.
func TestHTTP2MissingEndIsNotAwaitedForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, origin, end := scriptHTTP2(new(Transport))
		defer end()
		origin.Write(appendSettings(nil))
		c.Reserve()
		r, _ := http.NewRequestWithContext(t.Context(), "GET", "https://a.example/", nil)
		four := append(appendFrameHead(nil, frameHead{length: 5, kind: frameHeaders, flags: flagEndHeaders, stream: 1}), 0x88, 0x0f, 0x0d, 1, '4')
		go func() {
			synctest.Wait() // the request is there
			origin.Write(append(append(four, appendFrameHead(nil, frameHead{length: 4, kind: frameData, stream: 1})...), "body"...))
		}()
		resp, err := c.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		go io.ReadAll(resp.Body)
		synctest.Wait()
		resp.Body.Close()
		time.Sleep(lastWords)
		synctest.Wait()
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.streams) > 0 {
			t.Error("the stream is still there")
		}
	})
}

// TestHTTP2EnoughWears: a connection is worn by a stream that the origin resets because it has
// had enough, and not by one that it resets for another reason, or while it answers.
func TestHTTP2EnoughWears(t *testing.T) {
	for _, test := range []struct {
		name string
		says []byte
		worn bool
	}{
		{"enough", appendReset(nil, 1, codeEnhanceYourCalm), true},
		{"cancelled", appendReset(nil, 1, codeCancel), false},
		{"refused", appendReset(nil, 1, codeRefused), false},
		{"enough of an answer", appendReset(appendHeadOK(nil, 1, 0), 1, codeEnhanceYourCalm), false},
	} {
		c, origin, end := scriptHTTP2(new(Transport))
		origin.Write(appendSettings(nil))
		c.Reserve()
		answered := beginStream(c)
		origin.Write(test.says)
		<-answered
		if c.Worn() != test.worn || !c.Usable() {
			t.Errorf("%s: worn %v, usable %v", test.name, c.Worn(), c.Usable())
		}
		end()
	}
}

// TestHTTP2OriginFloods: what costs us and brings nobody anything ends an origin's
// connection too. A window that grows a byte at a time, where many uploads wait for it, is
// a frame of ours for each, and a look by all of them.
func TestHTTP2OriginFloods(t *testing.T) {
	frame := func(kind uint8, stream uint32, payload ...byte) []byte {
		return append(appendFrameHead(nil, frameHead{length: len(payload), kind: kind, stream: stream}), payload...)
	}
	for name, flood := range map[string][]byte{
		"windows of a stream":   appendWindowUpdate(nil, 1, 1),
		"windows":               appendWindowUpdate(nil, 0, 1),
		"ping":                  frame(framePing, 0, make([]byte, 8)...),
		"settings":              appendSettings(nil),
		"reset of what is over": appendReset(nil, 1, codeNone),
		"priority":              frame(framePriority, 1, make([]byte, 5)...),
		"going away":            appendGoAway(nil, maxStream, codeNone),
		"unknown":               frame(0xee, 0),
		"empty data":            frame(frameData, 1),
	} {
		t.Run(name, func(t *testing.T) {
			c, origin, end := scriptHTTP2(new(Transport))
			origin.Write(appendSettings(nil))
			answered := beginStream(c)
			origin.Write(appendHeadOK(nil, 1, 0))
			<-answered
			var err error
			for range 3 * calmBurst {
				if _, err = origin.Write(flood); err != nil {
					break
				}
			}
			end()
			if fault, ok := errors.AsType[*http2Fault](c.err); !ok || fault.code != codeEnhanceYourCalm || err == nil {
				t.Errorf("it ends with %v", c.err)
			}
		})
	}
}

// TestHTTP2OriginsMayGrease: a frame of no known type with each answer is no flood (RFC
// 9113 §5.5).
func TestHTTP2OriginsMayGrease(t *testing.T) {
	c, origin, end := scriptHTTP2(new(Transport))
	origin.Write(appendSettings(nil))
	for stream := uint32(1); stream < 4*calmBurst; stream += 2 {
		c.Reserve()
		answered := beginStream(c)
		origin.Write(appendHeadOK(appendFrameHead(nil, frameHead{kind: 0x2a}), stream, flagEndStream))
		if err := <-answered; err != nil {
			t.Fatalf("after %d answers: %v", stream/2, err)
		}
	}
	end()
}

// TestHTTP2OriginsMeasureUploads: gRPC's server sends a PING for each piece of a body
// that comes while none is out, which is no flood.
func TestHTTP2OriginsMeasureUploads(t *testing.T) {
	c, origin, end := scriptHTTP2(new(Transport))
	origin.Write(appendSettings(nil))
	ping := append(appendFrameHead(nil, frameHead{length: 8, kind: framePing}), make([]byte, 8)...)
	left := 3 * calmBurst
	r, _ := http.NewRequest("POST", "https://a.example/", readerFunc(func(p []byte) (int, error) {
		if left == 0 {
			return 0, io.EOF
		}
		if left--; left < 3*calmBurst-1 { // the first is on its way by now
			if _, err := origin.Write(ping); err != nil {
				return 0, err
			}
		}
		return copy(p, "x"), nil
	}))
	go func() {
		untilHTTP2(c, func() bool { return c.err != nil || c.streams[1] != nil && c.streams[1].localDone })
		origin.Write(appendHeadOK(nil, 1, flagEndStream))
		origin.Close()
	}()
	if resp, err := c.RoundTrip(r); err != nil || resp.StatusCode != 200 || left != 0 {
		t.Errorf("%v %v, %d pieces are left", resp, err, left)
	}
	end()
}

// TestHTTP2StallsAmongOthers: a body that does not come, and one that is not taken, end
// in time, however much room for others' the origin goes on to give.
func TestHTTP2StallsAmongOthers(t *testing.T) {
	const short = 200 * time.Millisecond
	for _, c := range []struct {
		method string
		window uint32 // of each stream
		want   error
	}{{"GET", 1 << 16, ErrBodyTimeout}, {"POST", 0, ErrWriteTimeout}} {
		conn, origin, end := scriptHTTP2(&Transport{BodyTimeout: short, WriteTimeout: short, ResponseTimeout: time.Hour})
		origin.Write(appendSettings(nil, setting{settingInitialWindow, c.window}))
		go func() {
			untilHTTP2(conn, func() bool { return conn.streams[1] != nil })
			if c.want == ErrBodyTimeout {
				origin.Write(appendHeadOK(nil, 1, 0))
			}
			for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(short / 40) {
				if _, err := origin.Write(appendWindowUpdate(nil, 0, 1)); err != nil {
					return
				}
			}
			origin.Close()
		}()
		untilHTTP2(conn, func() bool { return conn.greeted })
		r, _ := http.NewRequest(c.method, "https://a.example/", http.NoBody)
		if c.method == "POST" {
			r, _ = http.NewRequest(c.method, "https://a.example/", strings.NewReader("text"))
		}
		resp, err := conn.RoundTrip(r)
		if err == nil {
			_, err = io.ReadAll(resp.Body)
		}
		if err != c.want {
			t.Errorf("%s: %v, want %v", c.method, err, c.want)
		}
		end()
	}
}

// TestHTTP2StallsBesidePings: a body for which the connection has no room ends in time,
// whatever else the origin has us send.
func TestHTTP2StallsBesidePings(t *testing.T) {
	const short = 200 * time.Millisecond
	conn, origin, end := scriptHTTP2(&Transport{WriteTimeout: short, ResponseTimeout: time.Hour})
	origin.Write(appendSettings(nil, setting{settingInitialWindow, 1 << 20}))
	untilHTTP2(conn, func() bool { return conn.greeted })
	go func() {
		ping := append(appendFrameHead(nil, frameHead{length: 8, kind: framePing}), make([]byte, 8)...)
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(short / 10) {
			if _, err := origin.Write(ping); err != nil {
				return
			}
		}
		origin.Close()
	}()
	r, _ := http.NewRequest("POST", "https://a.example/", strings.NewReader(strings.Repeat("x", 2*firstWindow)))
	if _, err := conn.RoundTrip(r); err != ErrWriteTimeout {
		t.Errorf("%v, want %v", err, ErrWriteTimeout)
	}
	end()
}

// TestHTTP2BodyCutInItsLastFrame: an answer whose stream was given up while its last frame
// was on the way is not whole, though the frame says that it ends there: what came of it
// later was not kept.
func TestHTTP2BodyCutInItsLastFrame(t *testing.T) {
	c, origin, end := scriptHTTP2(new(Transport))
	origin.Write(appendSettings(nil))
	gone, begun := errors.New("gone"), make(chan struct{})
	r, _ := http.NewRequest("POST", "https://a.example/", readerFunc(func([]byte) (int, error) {
		<-begun
		return 0, gone
	}))
	r.ContentLength = 1
	go func() {
		untilHTTP2(c, func() bool { return c.streams[1] != nil })
		origin.Write(appendHeadOK(nil, 1, 0))
	}()
	resp, err := c.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	last := appendFrameHead(nil, frameHead{length: 8, kind: frameData, flags: flagEndStream, stream: 1})
	origin.Write(append(last, "half"...))
	close(begun)
	untilHTTP2(c, func() bool { return len(c.streams) == 0 })
	origin.Write([]byte("rest"))
	end()
	if got, err := io.ReadAll(resp.Body); !errors.Is(err, gone) {
		t.Errorf("%q was passed for whole: %v", got, err)
	}
}

// TestHTTP2AnswersCutAreNoWholeOnes: a body ends with as much as was announced, or with an error.
func TestHTTP2AnswersCutAreNoWholeOnes(t *testing.T) {
	frame := func(kind, flags uint8, payload string) string {
		return string(appendFrameHead(nil, frameHead{length: len(payload), kind: kind, flags: flags, stream: 1})) + payload
	}
	data := func(flags uint8, text string) string { return frame(frameData, flags, text) }
	last := func(block string) string { return frame(frameHeaders, flagEndHeaders|flagEndStream, block) }
	for name, test := range map[string]struct {
		says  string
		whole bool
	}{
		"as announced":              {data(flagEndStream, "four"), true},
		"trailers":                  {data(0, "four") + last("\x00\x01a\x01b"), true},
		"less":                      {data(flagEndStream, "few"), false},
		"less before trailers":      {data(0, "few") + last("\x00\x01a\x01b"), false},
		"more":                      {data(0, "enough"), false},
		"more in another frame":     {data(0, "four") + data(flagEndStream, "more"), false},
		"trailers with a status":    {data(0, "four") + last("\x88"), false},
		"trailers in capitals":      {data(0, "four") + last("\x00\x01A\x01b"), false},
		"trailers that end nothing": {data(0, "four") + frame(frameHeaders, flagEndHeaders, "\x00\x01a\x01b"), false},
	} {
		synctest.Test(t, func(t *testing.T) {
			c, origin, end := scriptHTTP2(new(Transport))
			origin.Write(appendSettings(nil))
			r, _ := http.NewRequestWithContext(t.Context(), "GET", "https://a.example/", nil)
			r.Header.Set("Te", "trailers")
			go func() {
				synctest.Wait() // the request is there
				io.WriteString(origin, frame(frameHeaders, flagEndHeaders, "\x88\x0f\x0d\x014")+test.says)
			}()
			resp, err := c.RoundTrip(r)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			synctest.Wait() // all of it is there
			end()
			if got, err := io.ReadAll(resp.Body); (err == nil) != test.whole || resp.ContentLength != 4 {
				t.Errorf("%s: %q of %d, %v", name, got, resp.ContentLength, err)
			}
		})
	}
}

// TestHTTP2TrailersBehindAnAnnouncedNothing: whoever passes an answer on with that length
// would end it with the head.
func TestHTTP2TrailersBehindAnAnnouncedNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, origin, end := scriptHTTP2(new(Transport))
		defer end()
		origin.Write(appendSettings(nil))
		r, _ := http.NewRequestWithContext(t.Context(), "GET", "https://a.example/", nil)
		r.Header.Set("Te", "trailers")
		go func() {
			synctest.Wait() // the request is there
			head := "\x88\x0f\x0d\x010"
			says := appendFrameHead(nil, frameHead{length: len(head), kind: frameHeaders, flags: flagEndHeaders, stream: 1})
			says = append(says, head...)
			trailer := "\x00\x01a\x01b"
			says = appendFrameHead(says, frameHead{length: len(trailer), kind: frameHeaders, flags: flagEndHeaders | flagEndStream, stream: 1})
			origin.Write(append(says, trailer...))
		}()
		resp, err := c.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(resp.Body); len(got) > 0 || err != nil || resp.Trailer.Get("A") != "b" {
			t.Errorf("%q, %v, trailers %v", got, err, resp.Trailer)
		}
		if resp.ContentLength != -1 || resp.Header["Content-Length"] != nil {
			t.Errorf("length %d, %v", resp.ContentLength, resp.Header)
		}
	})
}

// scriptHTTP2 connects tr to an origin that says what is written to it, until end, which
// waits for the connection's end.
func scriptHTTP2(tr *Transport) (c *HTTP2Conn, origin io.WriteCloser, end func()) {
	said, say := io.Pipe()
	over := make(chan struct{})
	c = tr.startHTTP2(&fakeOrigin{said: said}, func() { said.Close(); close(over) })
	return c, say, func() {
		say.Close()
		<-over
	}
}

// appendHeadOK appends the head of an answer with status 200.
func appendHeadOK(b []byte, stream uint32, flags uint8) []byte {
	return append(appendFrameHead(b, frameHead{length: 1, kind: frameHeaders, flags: flagEndHeaders | flags, stream: stream}), 0x88)
}

// A fakeOrigin says what is in it, then ends.
type fakeOrigin struct {
	net.Conn
	said io.Reader
	once sync.Once
	over chan struct{}
}

func (f *fakeOrigin) ended() chan struct{} {
	f.once.Do(func() { f.over = make(chan struct{}) })
	return f.over
}

func (f *fakeOrigin) Read(p []byte) (int, error) {
	if f.said != nil {
		return f.said.Read(p)
	}
	<-f.ended()
	return 0, io.EOF
}
func (f *fakeOrigin) Write(p []byte) (int, error)          { return len(p), nil }
func (f *fakeOrigin) NetConn() net.Conn                    { return f }
func (f *fakeOrigin) SetWriteDeadline(time.Time) error     { return nil }
func (f *fakeOrigin) ConnectionState() tls.ConnectionState { return tls.ConnectionState{} }
func (f *fakeOrigin) Close() error {
	select {
	case <-f.ended():
	default:
		close(f.over)
	}
	return nil
}

// FuzzHTTP2Origin holds what an origin may do to a request: it gets a response
// with a status that is one, or an error, and never more of a body than was
// announced.
func FuzzHTTP2Origin(f *testing.F) {
	settings := string(appendSettings(nil))
	head := func(flags byte, block string) string {
		return string(append(appendFrameHead(nil, frameHead{length: len(block), kind: frameHeaders, flags: flags, stream: 1}), block...))
	}
	data := func(flags byte, text string) string {
		return string(append(appendFrameHead(nil, frameHead{length: len(text), kind: frameData, flags: flags, stream: 1}), text...))
	}
	f.Add([]byte(settings+head(5, "\x88")), false)
	f.Add([]byte(settings+head(4, "\x88\x0f\x0d\x015")+data(0, "he")+data(1, "llo")), false)
	f.Add([]byte(settings+head(4, "\x08\x03103")+head(4, "\x88")+data(1, "hello")), false)
	f.Add([]byte(settings+head(4, "\x88")+data(0, "hello")+head(5, "\x40\x01a\x01b")), false)
	f.Add([]byte(settings+string(appendReset(nil, 1, codeRefused))), false)
	f.Add([]byte(settings+string(appendGoAway(nil, 0, codeNone))), false)
	f.Add([]byte(settings+string(appendWindowUpdate(nil, 1, 7))), false)
	f.Add([]byte(settings+head(5, "\x88")), true)
	f.Add([]byte(settings+string(appendWindowUpdate(appendWindowUpdate(nil, 0, 1<<20), 1, 1<<20))+head(5, "\x88")), true)
	f.Add([]byte(string(appendSettings(nil, setting{settingInitialWindow, 0}))+head(4, "\x88")+string(appendReset(nil, 1, codeNone))), true)
	f.Fuzz(func(t *testing.T, said []byte, posts bool) {
		over := make(chan struct{})
		fake := &fakeOrigin{said: bytes.NewReader(said)}
		c := new(Transport).startHTTP2(fake, func() { close(over) })
		r, _ := http.NewRequest("GET", "https://a.example/", nil)
		if posts {
			body := &closing{Reader: bytes.NewReader(make([]byte, 2*firstWindow)), closed: make(chan struct{})}
			defer func() { <-body.closed }() // whatever becomes of it, nobody reads on
			r, _ = http.NewRequest("POST", "https://a.example/", body)
		}
		resp, err := c.RoundTrip(r)
		if err != nil {
			return
		}
		if resp.StatusCode < 200 || resp.StatusCode > 999 {
			t.Errorf("status %d", resp.StatusCode)
		}
		got, err := io.ReadAll(resp.Body)
		if n := resp.ContentLength; n >= 0 && (int64(len(got)) > n || err == nil && int64(len(got)) < n) {
			t.Errorf("%d bytes of %d, %v", len(got), n, err)
		}
		resp.Body.Close()
		<-over // until then its body, or an end that is due, may be on the way
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.lent != 0 || c.reserved != 0 || len(c.streams) != 0 {
			t.Errorf("%d bytes, %d reserved and %d other streams are left", c.lent, c.reserved, len(c.streams))
		}
	})
}

// A closing tells when it is closed.
type closing struct {
	io.Reader
	once   sync.Once
	closed chan struct{}
}

func (c *closing) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}
