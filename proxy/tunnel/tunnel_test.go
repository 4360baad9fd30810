package tunnel

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A kind is a sort of connection that tunnels are made of.
type kind struct {
	name string
	pair func(testing.TB) (near, far net.Conn) // two ends of one connection
}

var kinds = []kind{{"tcp", tcpPair}, {"tls", tlsPair}, {"opaque", opaquePair}}

// tcpPair returns the two ends of a connection over loopback.
func tcpPair(t testing.TB) (near, far net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if near, err = net.Dial("tcp", listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if far, err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		near.Close()
		far.Close()
	})
	return near, far
}

// opaque wraps a TCP connection, as something that counts or limits would.
type opaque struct{ net.Conn }

func (o opaque) NetConn() net.Conn { return o.Conn }

func (o opaque) CloseWrite() error { return o.Conn.(*net.TCPConn).CloseWrite() }

func opaquePair(t testing.TB) (near, far net.Conn) {
	near, far = tcpPair(t)
	return near, opaque{far}
}

// carry is Carry, but waits for the end.
func carry(ctx context.Context, client, origin net.Conn, o Options) (carried Bytes, err error) {
	over := make(chan struct{})
	Carry(ctx, client, origin, o, func(b Bytes, e error) {
		carried, err = b, e
		close(over)
	})
	<-over
	return carried, err
}

// A running is a tunnel and the peers at its ends.
type running struct {
	client, origin net.Conn
	cancel         context.CancelCauseFunc
	done           chan struct{} // closed when the tunnel has ended
	bytes          Bytes
	err            error
}

// start runs a tunnel between a client of one kind and an origin of another.
func start(t testing.TB, client, origin kind, o Options) *running {
	t.Helper()
	r := &running{done: make(chan struct{})}
	var near, far net.Conn
	r.client, near = client.pair(t)
	r.origin, far = origin.pair(t)
	var ctx context.Context
	ctx, r.cancel = context.WithCancelCause(t.Context())
	go func() {
		defer close(r.done)
		r.bytes, r.err = carry(ctx, near, far, o)
	}()
	t.Cleanup(func() {
		r.client.Close()
		r.origin.Close()
		r.cancel(nil)
		<-r.done
	})
	for _, peer := range []net.Conn{r.client, r.origin} {
		peer.SetDeadline(time.Now().Add(20 * time.Second))
	}
	return r
}

// wait returns the tunnel's error, and fails if it does not end.
func (r *running) wait(t testing.TB) error {
	t.Helper()
	select {
	case <-r.done:
		return r.err
	case <-time.After(20 * time.Second):
		t.Fatal("the tunnel does not end")
		return nil
	}
}

// eachPair runs f for all pairs of kinds.
func eachPair(t *testing.T, f func(t *testing.T, client, origin kind)) {
	for _, client := range kinds {
		for _, origin := range kinds {
			t.Run(client.name+" to "+origin.name, func(t *testing.T) { f(t, client, origin) })
		}
	}
}

func closeWrite(t testing.TB, conn net.Conn) {
	t.Helper()
	if err := conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Error(err)
	}
}

func send(t testing.TB, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Error(err)
	}
}

func receive(t testing.TB, conn net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(conn, got); err != nil || string(got) != want {
		t.Errorf("received %q, %v, want %q", got[:n], err, want)
	}
}

func receiveEnd(t testing.TB, conn net.Conn) {
	t.Helper()
	if n, err := conn.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("received %d octets, %v, want the end", n, err)
	}
}

func TestBytesThatCameEarlyGoFirst(t *testing.T) {
	eachPair(t, func(t *testing.T, client, origin kind) {
		r := start(t, client, origin, Options{FromClient: []byte("hello "), FromOrigin: []byte("220 ")})
		send(t, r.client, "origin")
		send(t, r.origin, "client")
		receive(t, r.origin, "hello origin")
		receive(t, r.client, "220 client")
		closeWrite(t, r.client)
		closeWrite(t, r.origin)
		if err := r.wait(t); err != nil || r.bytes != (Bytes{Up: 12, Down: 10}) {
			t.Errorf("the tunnel carried %+v, %v", r.bytes, err)
		}
	})
}

func TestEachSideMayBeDoneFirst(t *testing.T) {
	eachPair(t, func(t *testing.T, client, origin kind) {
		for _, originFirst := range []bool{false, true} {
			r := start(t, client, origin, Options{})
			first, second := r.client, r.origin
			if originFirst {
				first, second = second, first
			}
			send(t, first, "question")
			closeWrite(t, first)
			receive(t, second, "question")
			receiveEnd(t, second)
			// The other way stays open for as long as it takes.
			for range 3 {
				send(t, second, "answer")
				receive(t, first, "answer")
			}
			closeWrite(t, second)
			receiveEnd(t, first)
			if err := r.wait(t); err != nil {
				t.Errorf("originFirst %t: %v", originFirst, err)
			}
		}
	})
}

// Every octet arrives, in order, both ways at once, with reads and writes of
// all sizes and pauses in which one side's buffers fill.
func TestEveryByteArrives(t *testing.T) {
	eachPair(t, func(t *testing.T, client, origin kind) {
		size := int64(8 << 20)
		if client.name == "tcp" && origin.name == "tcp" {
			size = 64 << 20
		}
		r := start(t, client, origin, Options{Idle: time.Minute})
		var wait sync.WaitGroup
		carry := func(from, to net.Conn, seed uint64) {
			sent, received := sha256.New(), sha256.New()
			wait.Go(func() {
				random := rand.New(rand.NewPCG(seed, 1))
				noise := rand.NewChaCha8([32]byte{byte(seed)})
				buffer := make([]byte, 256<<10)
				for left := size; left > 0; {
					b := buffer[:min(1+random.Int64N(int64(len(buffer))), left)]
					noise.Read(b)
					sent.Write(b)
					if _, err := from.Write(b); err != nil {
						t.Error(err)
						return
					}
					left -= int64(len(b))
				}
				closeWrite(t, from)
			})
			wait.Go(func() {
				random := rand.New(rand.NewPCG(seed, 2))
				buffer := make([]byte, 256<<10)
				for {
					n, err := to.Read(buffer[:1+random.IntN(len(buffer))])
					received.Write(buffer[:n])
					if err == io.EOF {
						return
					}
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
			t.Cleanup(func() {
				if !bytes.Equal(sent.Sum(nil), received.Sum(nil)) {
					t.Error("what arrived is not what was sent")
				}
			})
		}
		carry(r.client, r.origin, 1)
		carry(r.origin, r.client, 2)
		wait.Wait()
		if err := r.wait(t); err != nil || r.bytes != (Bytes{size, size}) {
			t.Errorf("the tunnel carried %+v, %v, want %d each way", r.bytes, err, size)
		}
	})
}

func TestIdleTunnelIsCut(t *testing.T) {
	eachPair(t, func(t *testing.T, client, origin kind) {
		r := start(t, client, origin, Options{Idle: 50 * time.Millisecond})
		if err := r.wait(t); err != ErrIdle {
			t.Errorf("%v, want ErrIdle", err)
		}
		for _, peer := range []net.Conn{r.client, r.origin} {
			if n, err := peer.Read(make([]byte, 1)); n != 0 || err == nil {
				t.Errorf("a peer still reads %d octets, %v", n, err)
			}
		}
	})
}

func TestOneBusyDirectionKeepsTheTunnel(t *testing.T) {
	const idle = time.Second // and a busy machine may well halt for some of it
	for _, up := range []bool{true, false} {
		t.Run(fmt.Sprintf("up %t", up), func(t *testing.T) {
			t.Parallel()
			r := start(t, kinds[0], kinds[0], Options{Idle: idle})
			from, to := r.client, r.origin
			if !up {
				from, to = to, from
			}
			tick := time.NewTicker(idle / 20)
			defer tick.Stop()
			for begin := time.Now(); time.Since(begin) < 3*idle/2; <-tick.C {
				send(t, from, "x")
				receive(t, to, "x")
			}
			if err := r.wait(t); err != ErrIdle {
				t.Errorf("%v, want ErrIdle once nothing moves", err)
			}
		})
	}
}

// TestSlowReaderGetsAllThatWasWritten: what waits in the system for a peer still moves, long
// after the last write.
func TestSlowReaderGetsAllThatWasWritten(t *testing.T) {
	eachPair(t, func(t *testing.T, client, origin kind) {
		t.Parallel()
		const idle, size, piece = time.Second, 3 << 20, 64 << 10
		r := start(t, client, origin, Options{Idle: idle})
		go r.origin.Write(make([]byte, size))
		tick := time.NewTicker(3 * idle / (size / piece)) // and a busy machine may well halt for some of it
		defer tick.Stop()
		for got := 0; got < size; got += piece {
			<-tick.C
			if n, err := io.ReadFull(r.client, make([]byte, piece)); err != nil {
				t.Fatalf("%d of %d bytes arrived, and then %v", got+n, size, err)
			}
		}
	})
}

// A peer that takes no bytes is as idle as one that sends none.
func TestBlockedTunnelIsIdle(t *testing.T) {
	eachPair(t, func(t *testing.T, client, origin kind) {
		r := start(t, client, origin, Options{Idle: 100 * time.Millisecond})
		go io.Copy(r.client, endless{})
		if err := r.wait(t); err != ErrIdle {
			t.Errorf("%v, want ErrIdle", err)
		}
	})
}

type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }

func TestCancellationCutsBothSides(t *testing.T) {
	eachPair(t, func(t *testing.T, client, origin kind) {
		r := start(t, client, origin, Options{Idle: time.Minute})
		send(t, r.client, "hello")
		receive(t, r.origin, "hello")
		why := errors.New("shutting down")
		r.cancel(why)
		if err := r.wait(t); err != why {
			t.Errorf("%v, want the context's cause", err)
		}
		for _, peer := range []net.Conn{r.client, r.origin} {
			if n, err := peer.Read(make([]byte, 1)); n != 0 || err == nil || err == io.EOF {
				t.Errorf("a peer reads %d octets, %v, want a broken connection", n, err)
			}
		}
	})
}

func TestCancelledBeforeItBegins(t *testing.T) {
	near, far := tcpPair(t)
	near2, far2 := tcpPair(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := carry(ctx, far, near2, Options{FromClient: []byte("hello")}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
	for _, peer := range []net.Conn{near, far2} {
		peer.SetDeadline(time.Now().Add(10 * time.Second))
		io.Copy(io.Discard, peer)
	}
}

// A reset is passed on as a reset: the other side must not take what it got
// for the whole.
func TestResetStaysAReset(t *testing.T) {
	eachPair(t, func(t *testing.T, client, origin kind) {
		for _, originBreaks := range []bool{false, true} {
			r := start(t, client, origin, Options{Idle: time.Minute})
			breaks, sees := r.client, r.origin
			if originBreaks {
				breaks, sees = sees, breaks
			}
			send(t, breaks, "part")
			receive(t, sees, "part")
			abort(breaks)
			if n, err := sees.Read(make([]byte, 1)); n != 0 || err == nil || err == io.EOF {
				t.Errorf("originBreaks %t: the other side reads %d octets, %v, want a broken connection", originBreaks, n, err)
			}
			if err := r.wait(t); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("originBreaks %t: %v, want a reset", originBreaks, err)
			}
			if strings.Contains(r.err.Error(), "127.0.0.1") {
				t.Errorf("%q names an address", r.err)
			}
		}
	})
}

// TestDeadlinesOfBeforeAreLifted: those for a head, a handshake or a dial.
func TestDeadlinesOfBeforeAreLifted(t *testing.T) {
	late := kind{"late", func(t testing.TB) (near, far net.Conn) {
		near, far = kinds[2].pair(t)
		far.SetDeadline(longAgo)
		return near, far
	}}
	r := start(t, late, late, Options{})
	send(t, r.client, "question")
	receive(t, r.origin, "question")
	send(t, r.origin, "answer")
	receive(t, r.client, "answer")
}

// TestEveryByteIsMetered, those that came early too, whatever the tunnel is made of.
func TestEveryByteIsMetered(t *testing.T) {
	eachPair(t, func(t *testing.T, client, origin kind) {
		var up, down atomic.Int64
		meter := func(sum *atomic.Int64) func(context.Context, int) error {
			return func(_ context.Context, n int) error { sum.Add(int64(n)); return nil }
		}
		r := start(t, client, origin, Options{FromClient: []byte("hello "), FromOrigin: []byte("220 "), Up: meter(&up), Down: meter(&down)})
		send(t, r.client, "origin")
		receive(t, r.origin, "hello origin")
		send(t, r.origin, "client")
		receive(t, r.client, "220 client")
		r.client.Close()
		r.origin.Close()
		r.wait(t)
		if got := (Bytes{up.Load(), down.Load()}); got != (Bytes{12, 10}) {
			t.Errorf("%+v is metered", got)
		}
	})
}

// TestPanicOfAMeterIsTold, and cuts its tunnel.
func TestPanicOfAMeterIsTold(t *testing.T) {
	told := make(chan []byte, 1)
	r := start(t, kinds[0], kinds[0], Options{
		Up:       func(context.Context, int) error { panic("meter") },
		Panicked: func(stack []byte) { told <- stack },
	})
	send(t, r.client, "question")
	if r.wait(t) == nil {
		t.Error("it ended well")
	}
	if stack := <-told; len(stack) == 0 || bytes.Contains(stack, []byte("meter\n")) {
		t.Errorf("told %q", stack)
	}
}

// A remembering context counts who waits for its end.
type remembering struct {
	context.Context
	waiting atomic.Int32
}

// Value hides what is below: the context package would wait for that.
func (c *remembering) Value(any) any { return nil }

// AfterFunc is what the context package asks foreign contexts for.
func (c *remembering) AfterFunc(f func()) (stop func() bool) {
	c.waiting.Add(1)
	before := context.AfterFunc(c.Context, f)
	return func() bool {
		c.waiting.Add(-1)
		return before()
	}
}

// TestEndedTunnelsAreForgotten by a context that goes on, as that of a proxy.
func TestEndedTunnelsAreForgotten(t *testing.T) {
	ctx := &remembering{Context: t.Context()}
	for _, o := range []Options{{}, {Up: func(context.Context, int) error { return nil }}} {
		client, near := tcpPair(t)
		origin, far := tcpPair(t)
		client.Close()
		origin.Close()
		if _, err := carry(ctx, near, far, o); err != nil {
			t.Error(err)
		}
		if n := ctx.waiting.Load(); n != 0 {
			t.Errorf("%d still wait for its end", n)
		}
	}
}

// TestCutEndsAWait: a piece that waits for its turn keeps no tunnel open that is over.
func TestCutEndsAWait(t *testing.T) {
	waits := make(chan struct{})
	r := start(t, kinds[0], kinds[0], Options{Up: func(ctx context.Context, _ int) error {
		close(waits)
		<-ctx.Done()
		return ctx.Err()
	}})
	send(t, r.client, "question")
	<-waits
	r.origin.(*net.TCPConn).SetLinger(0)
	r.origin.Close()
	if r.wait(t) == nil {
		t.Error("it ended well")
	}
}

// A refusing connection takes nothing, but has yet to say why.
type refusing struct {
	net.Conn
	asked chan struct{} // closed at the first Write
	once  sync.Once
}

func (c *refusing) Write([]byte) (int, error) {
	c.once.Do(func() { close(c.asked) })
	return 0, syscall.EPIPE
}

// TestAnswerToWhatWasNotTakenIsHeard: a side that takes no more may have said why before,
// and its words be on their way yet.
func TestAnswerToWhatWasNotTakenIsHeard(t *testing.T) {
	asked := make(chan struct{})
	r := start(t, kinds[0], kind{"refusing", func(t testing.TB) (near, far net.Conn) {
		near, far = tcpPair(t)
		return near, &refusing{Conn: far, asked: asked}
	}}, Options{Idle: time.Minute})
	send(t, r.client, "question")
	<-asked
	send(t, r.origin, "too large")
	receive(t, r.client, "too large")
	r.origin.Close()
	receiveEnd(t, r.client)
	r.client.Close()
	if err := r.wait(t); err != syscall.EPIPE {
		t.Errorf("it ended with %v", err)
	}
}

// A full connection is there, but the system has no memory for what is written to it.
type full struct{ net.Conn }

func (full) Write([]byte) (int, error) { return 0, syscall.ENOBUFS }

func (f full) NetConn() net.Conn { return f.Conn }

// TestWhatWasNotWrittenIsNoEnd: a client that has said that it is done takes an end for
// the end of the answer.
func TestWhatWasNotWrittenIsNoEnd(t *testing.T) {
	r := start(t, kind{"full", func(t testing.TB) (near, far net.Conn) {
		near, far = tcpPair(t)
		return near, full{far}
	}}, kinds[0], Options{Idle: time.Minute})
	send(t, r.client, "question")
	closeWrite(t, r.client)
	receive(t, r.origin, "question")
	receiveEnd(t, r.origin)
	send(t, r.origin, "answer")
	if err := r.wait(t); err != syscall.ENOBUFS {
		t.Errorf("it ended with %v", err)
	}
	if n, err := r.client.Read(make([]byte, 1)); n != 0 || err == nil || err == io.EOF {
		t.Errorf("the client reads %d octets, %v, want a broken connection", n, err)
	}
}

// An origin that answers and closes while the client still sends is heard.
func TestAnswerBeforeTheQuestionsEndIsHeard(t *testing.T) {
	r := start(t, kinds[0], kinds[0], Options{Idle: time.Minute})
	send(t, r.client, "first part")
	receive(t, r.origin, "first part")
	send(t, r.origin, "too large")
	receive(t, r.client, "too large")
	r.origin.Close()
	receiveEnd(t, r.client)
	var err error
	for err == nil { // until the reset comes back from the origin
		_, err = r.client.Write(make([]byte, 1<<10))
	}
	if r.wait(t) == nil {
		t.Error("the client's bytes were lost, and nobody says so")
	}
}

// A connection that cannot be closed by half ends both directions.
func TestConnectionWithoutHalves(t *testing.T) {
	client, near := net.Pipe()
	origin, far := tcpPair(t)
	done := make(chan error)
	go func() {
		_, err := carry(t.Context(), near, far, Options{Idle: time.Minute})
		done <- err
	}()
	go io.WriteString(client, "hello")
	receive(t, origin, "hello")
	closeWrite(t, origin)
	receiveEnd(t, client)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestIdleFromTheStart: a client that takes not even the first bytes is cut
// like one that takes no later ones.
func TestIdleFromTheStart(t *testing.T) {
	full := kind{"full", func(t testing.TB) (near, far net.Conn) {
		near, far = tcpPair(t)
		near.(*net.TCPConn).SetReadBuffer(smallBuffer)
		far.(*net.TCPConn).SetWriteBuffer(smallBuffer)
		for refused := 0; refused < 5; refused++ { // the kernel finds room for a while
			far.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
			if _, err := far.Write(make([]byte, smallBuffer)); err == nil {
				refused = 0
			}
		}
		return near, far
	}}
	r := start(t, full, kinds[0], Options{Idle: 2 * parkAfter, FromOrigin: make([]byte, smallBuffer)})
	if err := r.wait(t); err != ErrIdle {
		t.Error(err)
	}
}

// A patient can be waited for without a buffer, as a stream of HTTP/2 can.
type patient struct {
	net.Conn
	asked chan struct{} // closed once somebody waits
	ready chan struct{} // closed once there is something
	once  sync.Once
	early atomic.Bool // it was read before that
}

func (p *patient) WaitRead() {
	p.once.Do(func() { close(p.asked) })
	<-p.ready
}

func (p *patient) Read(b []byte) (int, error) {
	select {
	case <-p.ready:
	default:
		p.early.Store(true)
	}
	return p.Conn.Read(b)
}

// TestNoBufferWaits: one is taken when there is something to put into it.
func TestNoBufferWaits(t *testing.T) {
	client, near := net.Pipe()
	origin, far := tcpPair(t)
	p := &patient{Conn: near, asked: make(chan struct{}), ready: make(chan struct{})}
	done := make(chan error)
	go func() {
		_, err := carry(t.Context(), p, far, Options{Idle: time.Minute})
		done <- err
	}()
	go io.WriteString(client, "hello")
	<-p.asked
	close(p.ready)
	receive(t, origin, "hello")
	closeWrite(t, origin)
	receiveEnd(t, client)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if p.early.Load() {
		t.Error("a buffer waited")
	}
}
