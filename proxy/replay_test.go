package proxy

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// TestReplayLosesNothingThatAnAttemptWaitedFor: an attempt that was given up
// may be in a Read, also when the next one has its answer.
func TestReplayLosesNothingThatAnAttemptWaitedFor(t *testing.T) {
	body, client := io.Pipe()
	reads := make(chan bool, 10)
	p := newReplay(struct {
		io.Reader
		io.Closer
	}{readerFunc(func(b []byte) (int, error) { reads <- true; return body.Read(b) }), body}, nil)
	r := new(http.Request)
	first := p.next(r).Body
	gave := make(chan string)
	go func() {
		var b [100]byte
		n, _ := first.Read(b[:])
		first.Close()
		gave <- string(b[:n])
	}()
	io.WriteString(client, "on")
	if got := <-gave; got != "on" {
		t.Fatalf("the first attempt got %q", got)
	}
	second := p.next(r).Body
	go func() {
		var b [1]byte
		for range "one" {
			n, _ := second.Read(b[:])
			gave <- string(b[:n])
		}
		second.Close()
	}()
	if got := <-gave + <-gave; got != "on" {
		t.Fatalf("the second attempt begins with %q", got)
	}
	for range 2 {
		<-reads // now the second waits for more
	}
	third := p.next(r).Body
	p.settle()
	io.WriteString(client, "e")
	<-gave
	go func() {
		io.WriteString(client, " two")
		client.Close()
	}()
	if got, err := io.ReadAll(third); string(got) != "one two" || err != nil {
		t.Errorf("the last attempt got %q, %v", got, err)
	}
	if p.held != nil || !p.gone {
		t.Error("the buffer is kept")
	}
	third.Close()
	if _, err := body.Read(make([]byte, 1)); err != io.ErrClosedPipe {
		t.Errorf("the body is still open: %v", err)
	}
}

// TestReplayIsClosedBehindAnAttempt: whoever gives up does not wait for what an
// attempt waits for.
func TestReplayIsClosedBehindAnAttempt(t *testing.T) {
	body, client := io.Pipe()
	reading := make(chan bool)
	var busy sync.Mutex // as in the server's body, whose Close waits for a Read
	p := newReplay(struct {
		io.Reader
		io.Closer
	}{
		readerFunc(func(b []byte) (int, error) {
			busy.Lock()
			defer busy.Unlock()
			reading <- true
			return body.Read(b)
		}),
		closerFunc(func() error {
			busy.Lock()
			defer busy.Unlock()
			return body.Close()
		}),
	}, nil)
	r := new(http.Request)
	first := p.next(r).Body
	go first.Read(make([]byte, 1))
	<-reading
	p.next(r).Body.Close()
	p.settle()
	if _, err := io.WriteString(client, "a"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(client, "b"); err != io.ErrClosedPipe {
		t.Errorf("the body is not closed: %v", err)
	}
}

// TestReplayGivesEachAttemptItsTrailers: the client may end the body for the
// attempt before, while the head of the next one is written.
func TestReplayGivesEachAttemptItsTrailers(t *testing.T) {
	r := &http.Request{Trailer: http.Header{"Sum": nil}}
	reading, client := make(chan bool), make(chan bool)
	p := newReplay(io.NopCloser(readerFunc(func(b []byte) (int, error) {
		reading <- true
		<-client
		r.Trailer["Sum"] = []string{"7"}
		return copy(b, "7"), io.EOF
	})), r.Trailer)
	first := p.next(r)
	ended := make(chan bool)
	go func() {
		io.ReadAll(first.Body)
		close(ended)
	}()
	<-reading
	second := p.next(r)
	close(client)
	<-ended
	if sum, there := second.Trailer["Sum"]; !there || sum != nil {
		t.Errorf("before its end the second attempt has %q, %v", sum, there)
	}
	if body, err := io.ReadAll(second.Body); string(body) != "7" || err != nil {
		t.Errorf("got %q, %v", body, err)
	}
	for _, r := range []*http.Request{first, second} {
		if got := r.Trailer.Get("Sum"); got != "7" {
			t.Errorf("trailer %q", got)
		}
	}
}

type closerFunc func() error

func (f closerFunc) Close() error { return f() }

// TestReplayIsWholeOrNotAtAll: what is too long is never begun anew.
func TestReplayIsWholeOrNotAtAll(t *testing.T) {
	for _, size := range []int{0, 1, replaySize - 1, replaySize} {
		whole := strings.Repeat("a", size)
		p := newReplay(io.NopCloser(strings.NewReader(whole)), nil)
		for range 3 {
			r := p.next(new(http.Request))
			if r == nil && size == replaySize {
				break
			}
			if got, err := io.ReadAll(r.Body); string(got) != whole || err != nil {
				t.Fatalf("size %d: %d bytes, %v", size, len(got), err)
			}
		}
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }
