package tunnel

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

var errRefused = errors.New("refused")

// greets returns an opening that is a line of size octets, and is refused if it begins
// with "no".
func greets(size int) *Opening {
	return &Opening{Within: time.Minute, Judge: func(sent []byte) (missing int, err error) {
		switch {
		case len(sent) < size:
			return size - len(sent), nil
		case bytes.HasPrefix(sent, []byte("no")):
			return 0, errRefused
		}
		return 0, nil
	}}
}

// cutUnheard fails unless the tunnel was cut with err, and the origin heard nothing.
func (r *running) cutUnheard(t *testing.T, err error) {
	t.Helper()
	if got := r.wait(t); got != err || r.bytes.Up != 0 {
		t.Errorf("ended with %v after %d octets, want %v", got, r.bytes.Up, err)
	}
	if got, _ := io.ReadAll(r.origin); len(got) > 0 {
		t.Errorf("the origin got %q", got)
	}
}

// TestOpeningIsJudgedFirst: whatever it comes in, it goes on whole or not at all, and what
// the origin says does not wait for it.
func TestOpeningIsJudgedFirst(t *testing.T) {
	pace := func(context.Context, int) error { return nil }
	eachPair(t, func(t *testing.T, client, origin kind) {
		for _, o := range []Options{{}, {Up: pace, Down: pace}, {FromClient: []byte("h"), FromOrigin: []byte("220 ")}, {FromClient: []byte("hello, origin")}} {
			early := string(o.FromClient)
			o.Opening = greets(len("hello"))
			r := start(t, client, origin, o)
			send(t, r.origin, "ready")
			receive(t, r.client, string(o.FromOrigin)+"ready")
			for rest := "hello, origin"[len(early):]; rest != ""; rest = rest[1:] {
				send(t, r.client, rest[:1])
			}
			receive(t, r.origin, "hello, origin")
			send(t, r.origin, "hello, client")
			receive(t, r.client, "hello, client")
			closeWrite(t, r.client)
			closeWrite(t, r.origin)
			if err := r.wait(t); err != nil || r.bytes.Up != int64(len("hello, origin")) {
				t.Errorf("%q early: %+v, %v", early, r.bytes, err)
			}
		}
		for _, early := range []string{"", "n", "no, origin"} {
			r := start(t, client, origin, Options{FromClient: []byte(early), Opening: greets(len("hello"))})
			io.WriteString(r.client, "no, origin"[len(early):])
			r.cutUnheard(t, errRefused)
		}
	})
}

// TestOpeningThatDoesNotCome: who says nothing may be silent for as long as anybody, and
// end; who begins has to go on.
func TestOpeningThatDoesNotCome(t *testing.T) {
	eachPair(t, func(t *testing.T, client, origin kind) {
		r := start(t, client, origin, Options{Opening: greets(5)})
		closeWrite(t, r.client)
		receiveEnd(t, r.origin)
		send(t, r.origin, "late")
		receive(t, r.client, "late")
		closeWrite(t, r.origin)
		if err := r.wait(t); err != nil {
			t.Errorf("ended with %v", err)
		}

		r = start(t, client, origin, Options{Opening: greets(5)})
		closeWrite(t, r.origin)
		receiveEnd(t, r.client)
		send(t, r.client, "hello")
		receive(t, r.origin, "hello")
		closeWrite(t, r.client)
		if err := r.wait(t); err != nil {
			t.Errorf("ended with %v", err)
		}

		r = start(t, client, origin, Options{Opening: greets(5)})
		send(t, r.client, "hell")
		closeWrite(t, r.client)
		r.cutUnheard(t, errUnheard)

		soon := greets(5)
		soon.Within = time.Nanosecond
		r = start(t, client, origin, Options{Opening: soon})
		send(t, r.origin, "ready")
		receive(t, r.client, "ready")
		send(t, r.client, "hell")
		r.cutUnheard(t, ErrIdle)
	})
	r := start(t, kinds[0], kinds[0], Options{Opening: greets(5), Idle: 2 * parkAfter})
	r.cutUnheard(t, ErrIdle)
}

// TestTimeForAnOpeningIsGivenOnce, however many pieces it comes in, and for nothing else.
func TestTimeForAnOpeningIsGivenOnce(t *testing.T) {
	tunnel := &tunnel{start: time.Now(), ended: true} // which has no timer
	tunnel.up.tunnel = tunnel
	tunnel.opens(&Opening{Within: time.Minute, Judge: func(sent []byte) (missing int, err error) { return min(5-len(sent), 1), nil }})
	var till time.Duration
	for range "hell" {
		if b, err := tunnel.up.admit([]byte(".")); len(b) > 0 || err != nil {
			t.Fatalf("%q goes on: %v", b, err)
		}
		if till == 0 {
			till = tunnel.openTill
		}
		if tunnel.openTill != till || till < time.Minute {
			t.Errorf("there is time until %v, and was until %v", tunnel.openTill, till)
		}
	}
	if b, err := tunnel.up.admit([]byte(".")); len(b) != 5 || err != nil || tunnel.openTill != 0 {
		t.Errorf("once it is judged: %q, %v, with time until %v", b, err, tunnel.openTill)
	}
}

// TestClientHasToBeFirst: there is time for it from the beginning, and the origin's word
// before is the end.
func TestClientHasToBeFirst(t *testing.T) {
	first := func() *Opening { o := greets(5); o.First = true; return o }
	eachPair(t, func(t *testing.T, client, origin kind) {
		r := start(t, client, origin, Options{Opening: first(), FromOrigin: []byte("220 ")})
		receive(t, r.client, "220 ")
		for range 2 {
			send(t, r.client, "hello")
			receive(t, r.origin, "hello")
			send(t, r.origin, "hello")
			receive(t, r.client, "hello")
		}
		closeWrite(t, r.client)
		closeWrite(t, r.origin)
		if err := r.wait(t); err != nil {
			t.Errorf("ended with %v", err)
		}

		r = start(t, client, origin, Options{Opening: first()})
		send(t, r.origin, "ready")
		r.cutUnheard(t, errTooEarly)
		if got, _ := io.ReadAll(r.client); len(got) > 0 {
			t.Errorf("the client got %q", got)
		}

		r = start(t, client, origin, Options{Opening: first()})
		closeWrite(t, r.client)
		r.cutUnheard(t, errUnheard)

		soon := first()
		soon.Within = time.Nanosecond
		r = start(t, client, origin, Options{Opening: soon})
		r.cutUnheard(t, ErrIdle)
	})
}

// TestLongOpening is none that a splice takes on, nor one that is left where it waits.
func TestLongOpening(t *testing.T) {
	const size = 5 * largeBuffer
	eachPair(t, func(t *testing.T, client, origin kind) {
		for _, begins := range []string{"hello", "no"} {
			whole := begins + strings.Repeat(".", size-len(begins))
			r := start(t, client, origin, Options{Opening: greets(size)})
			go io.WriteString(r.client, whole)
			if begins == "no" {
				r.cutUnheard(t, errRefused)
				continue
			}
			receive(t, r.origin, whole)
		}
	})
}

// TestPanicOfAJudgeIsTold, and ends the tunnel.
func TestPanicOfAJudgeIsTold(t *testing.T) {
	eachPair(t, func(t *testing.T, client, origin kind) {
		for _, early := range []string{"", "hello"} {
			told := make(chan []byte, 1)
			r := start(t, client, origin, Options{
				FromClient: []byte(early),
				Opening:    &Opening{Judge: func([]byte) (int, error) { panic("judge") }},
				Panicked:   func(stack []byte) { told <- stack },
			})
			if early == "" {
				send(t, r.client, "hello")
			}
			r.cutUnheard(t, errPanicked)
			if stack := <-told; len(stack) == 0 {
				t.Error("nothing was told")
			}
		}
	})
}
